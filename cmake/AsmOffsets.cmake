# SPDX-License-Identifier: MIT
# cmake -D ASSEMBLY=FILE -D HEADER=FILE -P AsmOffsets.cmake
# Turns each mark left by ASM_OFFSET() into one #define.
cmake_minimum_required(VERSION 3.25)

file(STRINGS "${ASSEMBLY}" marks REGEX "\\.ascii[ \t]+\"->")
if(NOT marks)
	message(FATAL_ERROR "  ${ASSEMBLY}: holds no ASM_OFFSET()")
endif()
set(text "/* Generated from the C declarations; edits are lost. */\n")
foreach(mark IN LISTS marks)
	if(NOT mark MATCHES "\"->([A-Za-z0-9_]+) (-?[0-9]+)\"")
		message(FATAL_ERROR "  ${ASSEMBLY}: \"${mark}\" is not a constant")
	endif()
	string(APPEND text "#define ${CMAKE_MATCH_1} ${CMAKE_MATCH_2}\n")
endforeach()
get_filename_component(folder "${HEADER}" DIRECTORY)
file(MAKE_DIRECTORY "${folder}")
file(WRITE "${HEADER}" "${text}")
