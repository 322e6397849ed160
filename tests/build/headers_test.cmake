# SPDX-License-Identifier: MIT
#
# Every header compiles alone, and twice in a row: what it needs it includes. Those
# of the driver need the kernel: tools/testbed/static.py.
# cmake -D SOURCE= -D WORK= -D BUILD= -D COMPILER= -D WARNINGS= -D MONITOR=
#       -P headers_test.cmake
cmake_minimum_required(VERSION 3.25)

# Compiles a file that holds nothing but HEADER; the compiler's words in RET.
function(compile ret header)
	string(MAKE_C_IDENTIFIER "${header}" unit)
	set(unit "${WORK}/${unit}.c")
	file(WRITE "${unit}" "#include \"${header}\"\n#include \"${header}\"\n")
	execute_process(COMMAND "${COMPILER}" -std=gnu11 -fsyntax-only
		${WARNINGS} ${ARGN} "-I${SOURCE}" "-I${SOURCE}/include"
		"-I${BUILD}/include" "${unit}"
		RESULT_VARIABLE result ERROR_VARIABLE output)
	if(result EQUAL 0)
		set(output "")
	elseif(output STREQUAL "")
		set(output "${COMPILER}: ${result}")
	endif()
	set(${ret} "${output}" PARENT_SCOPE)
endfunction()

function(check header)
	compile(output "${header}" ${ARGN})
	if(output)
		message(SEND_ERROR "${header} does not compile alone:\n${output}")
	endif()
endfunction()

file(REMOVE_RECURSE "${WORK}")
file(MAKE_DIRECTORY "${WORK}")

# The check finds a header that needs another, and one that has no guard.
file(WRITE "${WORK}/needs.h" "static inline uint64_t f(uint64_t v);\n")
file(WRITE "${WORK}/unguarded.h" "struct twice { int member; };\n")
foreach(bad IN ITEMS needs.h unguarded.h)
	compile(output "${WORK}/${bad}")
	if(NOT output)
		message(SEND_ERROR "${bad} was found to be right")
	endif()
endforeach()

set(checked 0)
foreach(folder IN ITEMS include ept policy agent monitor)
	file(GLOB_RECURSE headers RELATIVE "${SOURCE}" "${SOURCE}/${folder}/*.h")
	foreach(header IN LISTS headers)
		if(NOT folder STREQUAL "monitor")
			check("${header}")
		endif()
		if(NOT folder STREQUAL "agent")
			check("${header}" ${MONITOR} -DRINGWALL_MONITOR=1)
		endif()
		math(EXPR checked "${checked} + 1")
	endforeach()
endforeach()
if(checked EQUAL 0)
	message(SEND_ERROR "no header found below ${SOURCE}")
endif()
