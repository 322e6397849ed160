# SPDX-License-Identifier: MIT
#
# Who may include whom: the ABI includes nobody, the pure libraries only the
# ABI, and nothing outside the monitor its private headers.
# cmake -D SOURCE= -D WORK= -P layers_test.cmake
cmake_minimum_required(VERSION 3.25)

# Lines of FOLDER's files, below ROOT, that include what the later arguments
# name (folders at the top), in RET.
function(find_includes ret root folder)
	list(JOIN ARGN "|" folders)
	file(GLOB_RECURSE files "${root}/${folder}/*.[chS]")
	set(found "")
	foreach(file IN LISTS files)
		file(STRINGS "${file}" lines REGEX
			"^[ \t]*#[ \t]*include[ \t]*[<\"](\\.\\./)*(${folders})/")
		foreach(line IN LISTS lines)
			string(APPEND found "${file}: ${line}\n")
		endforeach()
	endforeach()
	set(${ret} "${found}" PARENT_SCOPE)
endfunction()

function(forbid folder)
	find_includes(found "${SOURCE}" "${folder}" ${ARGN})
	if(found)
		message(SEND_ERROR "${found}${folder}/ must not include that")
	endif()
endfunction()

# The search itself finds what it must, and only that.
file(REMOVE_RECURSE "${WORK}")
file(MAKE_DIRECTORY "${WORK}/driver/sub")
file(WRITE "${WORK}/driver/sub/a.c" "#include \"monitor/x.h\"\n")
file(WRITE "${WORK}/driver/b.h" " # include <../monitor/y.h>\n")
file(WRITE "${WORK}/driver/c.c" "/* monitor/z.h */\n#include <ringwall/z.h>\n")
find_includes(found "${WORK}" driver ept monitor)
if(NOT found MATCHES "x\\.h" OR NOT found MATCHES "y\\.h" OR found MATCHES "z\\.h")
	message(SEND_ERROR "the search for includes is broken: ${found}")
endif()

forbid(include ept policy monitor driver agent tests)
forbid(ept policy monitor driver agent tests)
forbid(policy ept monitor driver agent tests)
forbid(monitor driver agent tests)
forbid(driver ept policy monitor agent tests)
forbid(agent ept monitor driver tests)
