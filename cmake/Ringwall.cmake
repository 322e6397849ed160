# SPDX-License-Identifier: MIT
#
# How the parts are compiled and linked. Owns every compiler and linker flag of
# the project; the folders only name their sources.
#
#   ringwall_host_library(NAME SOURCES...)
#   ringwall_host_executable(NAME SOURCES... [LIBS LIBRARIES...])
#   ringwall_freestanding_library(NAME SOURCES...)
#   ringwall_monitor_image(NAME SCRIPT LIBRARIES...)
#   ringwall_asm_offsets(LIBRARY SOURCE HEADER)
#   ringwall_test(NAME SOURCES... [LIBS LIBRARIES...])
#   ringwall_fuzzer(NAME SOURCES... [LIBS LIBRARIES...])
#   ringwall_kernel_module(NAME FOLDER SOURCES...)

set(RINGWALL_CMAKE_DIR "${CMAKE_CURRENT_LIST_DIR}")
set(RINGWALL_INCLUDES
	"${CMAKE_SOURCE_DIR}"
	"${CMAKE_SOURCE_DIR}/include"
	"${CMAKE_BINARY_DIR}/include")

set(RINGWALL_WARNINGS -Wall -Wextra -Wshadow -Wstrict-prototypes
	-Wmissing-prototypes -Wvla)
if(RINGWALL_WERROR)
	list(APPEND RINGWALL_WARNINGS -Werror)
endif()

# Names in messages and asserts do not depend on where the tree lies.
set(RINGWALL_REPRODUCIBLE "-fmacro-prefix-map=${CMAKE_SOURCE_DIR}/=")

# Hosted code: sanitizers where asked for, else the usual hardening.
set(RINGWALL_HOST_FLAGS -fno-omit-frame-pointer)
set(RINGWALL_HOST_LINK "")
if(RINGWALL_SANITIZE)
	list(APPEND RINGWALL_HOST_FLAGS -fsanitize=address,undefined
		-fno-sanitize-recover=all)
	list(APPEND RINGWALL_HOST_LINK -fsanitize=address,undefined)
	if(CMAKE_C_COMPILER_ID STREQUAL "Clang")
		list(APPEND RINGWALL_HOST_FLAGS -fsanitize=fuzzer-no-link)
	endif()
else()
	list(APPEND RINGWALL_HOST_FLAGS -fstack-protector-strong
		$<$<NOT:$<CONFIG:Debug>>:-U_FORTIFY_SOURCE>
		$<$<NOT:$<CONFIG:Debug>>:-D_FORTIFY_SOURCE=2>)
	list(APPEND RINGWALL_HOST_LINK -Wl,-z,relro -Wl,-z,now
		-Wl,-z,noexecstack)
endif()

# Code that runs in VMX root. No libc, no SSE (the guest's registers are live),
# a canary at %fs:0x28, a frame pointer for the backtrace. The red zone may be
# used: every fault runs on a stack of its own.
set(RINGWALL_MONITOR_FLAGS -O2 -g -ffreestanding -fPIE -fvisibility=hidden
	-mgeneral-regs-only -fstack-protector-strong -fno-omit-frame-pointer
	-fcf-protection=none -fno-asynchronous-unwind-tables
	-fno-strict-aliasing -fno-delete-null-pointer-checks -fno-common
	-fno-lto -U_FORTIFY_SOURCE -Wframe-larger-than=2048)

set(RINGWALL_IMAGE_LINK "-L${RINGWALL_CMAKE_DIR}" -nostdlib -static-pie -Wl,--no-undefined
	-Wl,--fatal-warnings -Wl,--build-id=sha1 -Wl,-z,max-page-size=4096
	-Wl,-z,separate-code -Wl,-z,noexecstack -Wl,-z,norelro -Wl,-z,text
	-Wl,--orphan-handling=error)

function(_ringwall_host target)
	target_include_directories(${target} PRIVATE ${RINGWALL_INCLUDES})
	target_compile_options(${target} PRIVATE ${RINGWALL_REPRODUCIBLE}
		"$<$<COMPILE_LANGUAGE:C>:${RINGWALL_WARNINGS};${RINGWALL_HOST_FLAGS}>")
	target_link_options(${target} PUBLIC ${RINGWALL_HOST_LINK})
	set_target_properties(${target} PROPERTIES
		POSITION_INDEPENDENT_CODE ON)
endfunction()

# ringwall_host_library(NAME SOURCES...): a hosted static library.
function(ringwall_host_library name)
	add_library(${name} STATIC ${ARGN})
	_ringwall_host(${name})
endfunction()

# ringwall_host_executable(NAME SOURCES... [LIBS LIBRARIES...]): a program.
function(ringwall_host_executable name)
	cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;LIBS")
	add_executable(${name} ${arg_UNPARSED_ARGUMENTS} ${arg_SOURCES})
	_ringwall_host(${name})
	target_link_libraries(${name} PRIVATE ${arg_LIBS})
	target_link_options(${name} PRIVATE
		$<$<NOT:$<BOOL:${RINGWALL_SANITIZE}>>:-pie>)
endfunction()

# ringwall_freestanding_library(NAME SOURCES...): a static library for the
# monitor image. Private headers and extra definitions are added by the caller.
function(ringwall_freestanding_library name)
	add_library(${name} STATIC ${ARGN})
	target_include_directories(${name} PRIVATE ${RINGWALL_INCLUDES})
	target_compile_definitions(${name} PRIVATE RINGWALL_MONITOR=1)
	target_compile_options(${name} PRIVATE ${RINGWALL_REPRODUCIBLE}
		"$<$<COMPILE_LANGUAGE:C>:${RINGWALL_WARNINGS};${RINGWALL_MONITOR_FLAGS}>"
		"$<$<COMPILE_LANGUAGE:ASM>:-g;-Wa,--noexecstack>")
	set_target_properties(${name} PROPERTIES
		POSITION_INDEPENDENT_CODE OFF)
endfunction()

# ringwall_monitor_image(NAME SCRIPT LIBRARIES...): NAME.elf, a position
# independent image of the freestanding LIBRARIES, laid out by the linker script
# SCRIPT. Everything of the first library is linked in, so that what only a
# linker section refers to is not lost; from the others, what is needed.
#
# SCRIPT starts at address 0 (else ld calls the file ET_EXEC) and its SECTIONS
# end with INCLUDE "unloaded.lds": a section named in neither is an error.
function(ringwall_monitor_image name script)
	set(libraries ${ARGN})
	list(POP_FRONT libraries first)
	get_filename_component(script "${script}" ABSOLUTE)
	set(empty "${CMAKE_CURRENT_BINARY_DIR}/${name}_image.c")
	file(CONFIGURE OUTPUT "${empty}" CONTENT
		"/* An executable needs one source; all code is in the libraries. */\n")
	set(needed "")
	if(libraries)
		list(JOIN libraries "," needed)
		set(needed "$<LINK_GROUP:RESCAN,${needed}>")
	endif()
	add_executable(${name} "${empty}")
	target_compile_options(${name} PRIVATE ${RINGWALL_MONITOR_FLAGS})
	target_link_options(${name} PRIVATE ${RINGWALL_IMAGE_LINK}
		"LINKER:-T,${script}"
		"LINKER:-Map,$<TARGET_FILE:${name}>.map")
	target_link_libraries(${name} PRIVATE
		"$<LINK_LIBRARY:WHOLE_ARCHIVE,${first}>"
		${needed})
	set_target_properties(${name} PROPERTIES
		OUTPUT_NAME ${name} SUFFIX .elf LINK_DEPENDS "${script}"
		POSITION_INDEPENDENT_CODE OFF)
endfunction()

# ringwall_asm_offsets(LIBRARY SOURCE HEADER): compiles SOURCE with the flags of
# the freestanding LIBRARY and turns each line that the macro
# ASM_OFFSET(NAME, value) of "cmake/asm_offsets.h" leaves in it into "#define NAME value" in
# <build>/include/HEADER, for the .S files of LIBRARY.
function(ringwall_asm_offsets library source header)
	set(objects ${library}_offsets)
	set(output "${CMAKE_BINARY_DIR}/include/${header}")
	add_library(${objects} OBJECT "${source}")
	target_include_directories(${objects} PRIVATE ${RINGWALL_INCLUDES})
	target_compile_definitions(${objects} PRIVATE RINGWALL_MONITOR=1)
	target_compile_options(${objects} PRIVATE ${RINGWALL_WARNINGS}
		${RINGWALL_MONITOR_FLAGS} -g0 -S)
	add_custom_command(OUTPUT "${output}"
		COMMAND "${CMAKE_COMMAND}"
			"-DASSEMBLY=$<TARGET_OBJECTS:${objects}>"
			"-DHEADER=${output}"
			-P "${RINGWALL_CMAKE_DIR}/AsmOffsets.cmake"
		DEPENDS ${objects} $<TARGET_OBJECTS:${objects}>
			"${RINGWALL_CMAKE_DIR}/AsmOffsets.cmake"
		VERBATIM)
	target_sources(${library} PRIVATE "${output}")
endfunction()

# ringwall_test(NAME SOURCES... [LIBS LIBRARIES...]): a CMocka test, run by
# ctest under the label "unit".
function(ringwall_test name)
	if(NOT BUILD_TESTING)
		return()
	endif()
	find_package(PkgConfig REQUIRED)
	pkg_check_modules(CMOCKA REQUIRED IMPORTED_TARGET GLOBAL cmocka)
	ringwall_host_executable(${name} ${ARGN})
	target_link_libraries(${name} PRIVATE PkgConfig::CMOCKA)
	add_test(NAME ${name} COMMAND ${name})
	set_tests_properties(${name} PROPERTIES LABELS unit TIMEOUT 300)
endfunction()

# ringwall_fuzzer(NAME SOURCES... [LIBS LIBRARIES...])
#
# SOURCES define LLVMFuzzerTestOneInput. NAME-replay runs the corpus and a fixed
# number of fixed mutations of it and needs no particular compiler; with clang
# NAME is a libFuzzer program as well. The corpus is the folder corpus/NAME
# beside the calling CMakeLists.txt. ctest runs both under the label "fuzz".
function(ringwall_fuzzer name)
	if(NOT BUILD_TESTING)
		return()
	endif()
	set(corpus "${CMAKE_CURRENT_SOURCE_DIR}/corpus/${name}")
	ringwall_host_executable(${name}-replay ${ARGN}
		SOURCES "${RINGWALL_CMAKE_DIR}/fuzz_replay.c")
	add_test(NAME ${name}-replay COMMAND ${name}-replay 20000 "${corpus}")
	set_tests_properties(${name}-replay PROPERTIES LABELS fuzz TIMEOUT 600)
	if(NOT CMAKE_C_COMPILER_ID STREQUAL "Clang")
		return()
	endif()
	ringwall_host_executable(${name} ${ARGN})
	target_compile_options(${name} PRIVATE
		-fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all
		-U_FORTIFY_SOURCE)
	target_link_options(${name} PRIVATE -fsanitize=fuzzer,address,undefined)
	set(found "${CMAKE_CURRENT_BINARY_DIR}/${name}.found")
	file(MAKE_DIRECTORY "${found}")
	add_test(NAME ${name} COMMAND ${name} -seed=1 -runs=20000
		"-artifact_prefix=${found}/" "${found}" "${corpus}")
	set_tests_properties(${name} PROPERTIES LABELS fuzz TIMEOUT 600)
endfunction()

# ringwall_kernel_module(NAME FOLDER SOURCES...)
#
# Builds NAME.ko in the current build folder with the Kbuild of RINGWALL_KDIR.
# FOLDER holds a file Kbuild that says obj-m; it, SOURCES and the headers of
# FOLDER are copied to the build folder first, so the source tree stays clean.
# <ringwall/...> is found. The target is NAME-module, its property MODULE the
# path of the file. Without RINGWALL_KDIR nothing is added.
function(ringwall_kernel_module name folder)
	if(NOT RINGWALL_KDIR)
		return()
	endif()
	if(NOT EXISTS "${RINGWALL_KDIR}/Makefile")
		message(FATAL_ERROR "  RINGWALL_KDIR=${RINGWALL_KDIR} is no kernel build folder: it has no Makefile")
	endif()
	find_program(RINGWALL_MAKE NAMES gmake make REQUIRED)
	get_filename_component(folder "${folder}" ABSOLUTE)
	set(tree "${CMAKE_CURRENT_BINARY_DIR}/${name}.kbuild")
	set(module "${CMAKE_CURRENT_BINARY_DIR}/${name}.ko")
	file(GLOB headers CONFIGURE_DEPENDS RELATIVE "${folder}" "${folder}/*.h")
	file(GLOB abi CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/include/ringwall/*.h"
		"${CMAKE_SOURCE_DIR}/include/ringwall/*.def")
	set(copies "")
	foreach(file IN ITEMS Kbuild LISTS ARGN headers)
		get_filename_component(below "${tree}/${file}" DIRECTORY)
		add_custom_command(OUTPUT "${tree}/${file}"
			COMMAND "${CMAKE_COMMAND}" -E make_directory "${below}"
			COMMAND "${CMAKE_COMMAND}" -E copy
				"${folder}/${file}" "${tree}/${file}"
			DEPENDS "${folder}/${file}" VERBATIM)
		list(APPEND copies "${tree}/${file}")
	endforeach()
	set(includes "-I${CMAKE_SOURCE_DIR}/include -I${CMAKE_BINARY_DIR}/include")
	set(werror "")
	if(RINGWALL_WERROR)
		set(werror "-Werror")
	endif()
	# The kernel's own make, free of what a surrounding make exports.
	add_custom_command(OUTPUT "${module}"
		COMMAND "${CMAKE_COMMAND}" -E env --unset=MAKEFLAGS
			--unset=MFLAGS --unset=MAKELEVEL
			"${RINGWALL_MAKE}" -s -C "${RINGWALL_KDIR}" "M=${tree}"
			W=1 "KCPPFLAGS=${includes}" "KCFLAGS=${werror}" modules
		COMMAND "${CMAKE_COMMAND}" -E copy "${tree}/${name}.ko" "${module}"
		DEPENDS ${copies} ${abi}
			"${CMAKE_BINARY_DIR}/include/ringwall/config.h"
		COMMENT "Building kernel module ${name}.ko" VERBATIM)
	add_custom_target(${name}-module ALL DEPENDS "${module}")
	set_target_properties(${name}-module PROPERTIES MODULE "${module}")
endfunction()
