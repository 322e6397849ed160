# SPDX-License-Identifier: MIT
#
# The source tree stays clean: a build inside it is refused before anything is
# configured. cmake -D SOURCE= -D WORK= -P tree_test.cmake
cmake_minimum_required(VERSION 3.25)

file(REMOVE_RECURSE "${WORK}")
file(MAKE_DIRECTORY "${WORK}")
file(COPY "${SOURCE}/CMakeLists.txt" DESTINATION "${WORK}")
execute_process(COMMAND "${CMAKE_COMMAND}" .
	WORKING_DIRECTORY "${WORK}"
	RESULT_VARIABLE result OUTPUT_QUIET ERROR_VARIABLE output)
if(result EQUAL 0 OR NOT output MATCHES "Build out of tree")
	message(SEND_ERROR "a build in the source tree was not refused: ${output}")
endif()
