# SPDX-License-Identifier: MIT
#
# Runs kconfig-frontends at configure time and turns the configuration into
# <build>/include/ringwall/config.h. Owns <build>/.config. Must never let a
# setting be dropped or changed in silence: kconfig-conf exits with 0 when it
# ignores one, so everything asked for is compared with what came out.
cmake_minimum_required(VERSION 3.25)

# Fails with one line. Indented text is printed by CMake as it stands.
function(_kconfig_fail text)
	message(FATAL_ERROR "  ${text}")
endfunction()

# Settings that FILE asks for, in RET as a list of NAME=VALUE; a symbol that
# "is not set" has the value n.
function(_kconfig_read file ret)
	file(STRINGS "${file}" lines)
	set(settings "")
	foreach(line IN LISTS lines)
		if(line MATCHES "^CONFIG_([A-Za-z0-9_]+)=(.*)$")
			list(APPEND settings "${CMAKE_MATCH_1}=${CMAKE_MATCH_2}")
		elseif(line MATCHES "^# CONFIG_([A-Za-z0-9_]+) is not set *$")
			list(APPEND settings "${CMAKE_MATCH_1}=n")
		elseif(NOT line MATCHES "^[ \t]*(#.*)?$")
			_kconfig_fail("${file}: \"${line}\" is not a setting")
		endif()
	endforeach()
	set(${ret} "${settings}" PARENT_SCOPE)
endfunction()

# Fails unless each setting of the file REQUESTED holds in the file RESULT.
function(_kconfig_compare requested result kconfig)
	file(STRINGS "${kconfig}" declared
		REGEX "^[ \t]*(menu)?config[ \t]+[A-Za-z0-9_]+")
	list(TRANSFORM declared REPLACE "^[ \t]*(menu)?config[ \t]+" "")
	list(TRANSFORM declared STRIP)
	_kconfig_read("${requested}" wanted)
	_kconfig_read("${result}" got)

	foreach(setting IN LISTS wanted)
		string(REGEX MATCH "^[^=]+" name "${setting}")
		string(REGEX REPLACE "^[^=]+=" "" value "${setting}")
		if(NOT name IN_LIST declared)
			_kconfig_fail("${requested}: CONFIG_${name}: no such symbol")
		endif()
		if(setting IN_LIST got)
			continue()
		endif()
		set(actual "${got}")
		list(FILTER actual INCLUDE REGEX "^${name}=")
		if(actual STREQUAL "")
			if(value STREQUAL "n")
				continue()
			endif()
			_kconfig_fail("${requested}: CONFIG_${name}=${value} was dropped: a symbol it depends on is not set")
		endif()
		string(REGEX REPLACE "^[^=]+=" "" actual "${actual}")
		_kconfig_fail("${requested}: CONFIG_${name}=${value} was refused (out of range or malformed), Kconfig made it ${actual}")
	endforeach()
endfunction()

# Runs kconfig-conf with the arguments given, in WORK.
function(_kconfig_run source work)
	execute_process(
		COMMAND "${CMAKE_COMMAND}" -E env
			"srctree=${source}"
			"KCONFIG_CONFIG=${work}/.config"
			"KCONFIG_AUTOHEADER=${work}/config.h"
			"KCONFIG_AUTOCONFIG=${work}/auto.conf"
			"KCONFIG_TRISTATE=${work}/tristate.conf"
			"${KCONFIG_CONF}" ${ARGN} Kconfig
		WORKING_DIRECTORY "${work}"
		INPUT_FILE /dev/null
		RESULT_VARIABLE result
		OUTPUT_VARIABLE output
		ERROR_VARIABLE output)
	if(NOT result EQUAL 0)
		_kconfig_fail("${KCONFIG_CONF} failed (${result}): ${output}")
	endif()
endfunction()

# ringwall_kconfig(SOURCE BUILD DEFCONFIG)
#
# Configures from SOURCE/Kconfig into BUILD. BUILD/.config is the user's: it is
# made from the file DEFCONFIG when it is missing, or when DEFCONFIG changed
# and the user has not edited it; otherwise it is kept and completed with the
# defaults of new symbols. config.h is written only when its content changes.
function(ringwall_kconfig source build defconfig)
	find_program(KCONFIG_CONF kconfig-conf)
	if(NOT KCONFIG_CONF)
		_kconfig_fail("kconfig-conf not found: install kconfig-frontends-nox (or kconfig-frontends)")
	endif()
	if(NOT EXISTS "${defconfig}")
		_kconfig_fail("${defconfig}: no such configuration")
	endif()
	set(work "${build}/kconfig")
	set(config "${build}/.config")
	file(MAKE_DIRECTORY "${work}/include/config" "${work}/include/generated"
		"${build}/include/ringwall")

	# What made the present .config, so that an edit by the user shows.
	file(SHA256 "${defconfig}" origin)
	set(origin "${defconfig} ${origin}")
	set(requested "${defconfig}")
	if(EXISTS "${config}" AND EXISTS "${work}/origin")
		file(READ "${work}/origin" known)
		if(known STREQUAL origin)
			set(requested "${config}")
		else()
			file(SHA256 "${config}" now)
			file(READ "${work}/pristine" pristine)
			if(NOT now STREQUAL pristine)
				set(requested "${config}")
				message(STATUS "Kconfig: keeping the edited ${config}; delete it to take ${defconfig}")
			endif()
		endif()
	elseif(EXISTS "${config}")
		set(requested "${config}")
	endif()

	if(requested STREQUAL config)
		file(COPY_FILE "${config}" "${work}/.config")
		_kconfig_run("${source}" "${work}" --olddefconfig)
	else()
		file(REMOVE "${work}/.config")
		_kconfig_run("${source}" "${work}" "--defconfig=${defconfig}")
	endif()
	_kconfig_compare("${requested}" "${work}/.config" "${source}/Kconfig")
	_kconfig_run("${source}" "${work}" --silentoldconfig)

	file(COPY_FILE "${work}/.config" "${config}" ONLY_IF_DIFFERENT)
	file(COPY_FILE "${work}/config.h" "${build}/include/ringwall/config.h"
		ONLY_IF_DIFFERENT)
	if(NOT requested STREQUAL config)
		file(SHA256 "${config}" pristine)
		file(WRITE "${work}/pristine" "${pristine}")
		file(WRITE "${work}/origin" "${origin}")
	endif()
endfunction()

# ringwall_kconfig_targets(SOURCE BUILD)
#
# Targets menuconfig (edits BUILD/.config in the terminal) and savedefconfig
# (writes BUILD/defconfig with what differs from the defaults).
function(ringwall_kconfig_targets source build)
	find_program(KCONFIG_MCONF kconfig-mconf)
	set(environment "${CMAKE_COMMAND}" -E env "srctree=${source}"
		"KCONFIG_CONFIG=${build}/.config")
	if(KCONFIG_MCONF)
		add_custom_target(menuconfig
			COMMAND ${environment} "${KCONFIG_MCONF}" Kconfig
			WORKING_DIRECTORY "${build}/kconfig"
			USES_TERMINAL VERBATIM)
	endif()
	add_custom_target(savedefconfig
		COMMAND ${environment} "${KCONFIG_CONF}"
			"--savedefconfig=${build}/defconfig" Kconfig
		WORKING_DIRECTORY "${build}/kconfig"
		COMMENT "Writing ${build}/defconfig" VERBATIM)
endfunction()

# As a script: cmake -D SOURCE= -D BUILD= -D DEFCONFIG= -P Kconfig.cmake
if(CMAKE_SCRIPT_MODE_FILE STREQUAL CMAKE_CURRENT_LIST_FILE)
	ringwall_kconfig("${SOURCE}" "${BUILD}" "${DEFCONFIG}")
endif()
