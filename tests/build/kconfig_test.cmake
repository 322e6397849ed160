# SPDX-License-Identifier: MIT
#
# A setting that Kconfig would drop or change in silence fails the build, with
# one line that names the symbol. cmake -D SOURCE= -D WORK= -P kconfig_test.cmake
cmake_minimum_required(VERSION 3.25)

file(REMOVE_RECURSE "${WORK}")
file(MAKE_DIRECTORY "${WORK}/source")
file(WRITE "${WORK}/source/Kconfig" [=[
mainmenu "Test"
config T_NUMBER
	int "A number"
	range 1 100
	default 10
config T_SWITCH
	bool "A switch"
config T_DEPENDENT
	bool "A switch that depends on another"
	depends on T_SWITCH
config T_TEXT
	string "A text"
	default "none"
]=])

# Configures WORK/source into WORK/NAME, with the lines DEFCONFIG; sets result
# and output.
macro(configure name defconfig)
	file(WRITE "${WORK}/${name}_defconfig" "${defconfig}\n")
	execute_process(COMMAND "${CMAKE_COMMAND}"
		"-DSOURCE=${WORK}/source" "-DBUILD=${WORK}/${name}"
		"-DDEFCONFIG=${WORK}/${name}_defconfig"
		-P "${SOURCE}/cmake/Kconfig.cmake"
		RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
endmacro()

function(accepts name defconfig expected)
	configure(${name} "${defconfig}")
	if(NOT result EQUAL 0)
		message(SEND_ERROR "${name}: refused: ${output}")
		return()
	endif()
	file(READ "${WORK}/${name}/include/ringwall/config.h" header)
	if(NOT header MATCHES "${expected}")
		message(SEND_ERROR "${name}: \"${expected}\" is not in: ${header}")
	endif()
endfunction()

function(refuses name defconfig expected)
	configure(${name} "${defconfig}")
	if(result EQUAL 0)
		message(SEND_ERROR "${name}: \"${defconfig}\" was accepted")
	elseif(NOT output MATCHES "${expected}[^\n]*\n")
		message(SEND_ERROR "${name}: \"${expected}\" is not in: ${output}")
	endif()
	if(EXISTS "${WORK}/${name}/include/ringwall/config.h")
		message(SEND_ERROR "${name}: refused, yet config.h was written")
	endif()
endfunction()

accepts(empty "" "#define CONFIG_T_NUMBER 10\n")
accepts(number "CONFIG_T_NUMBER=77" "#define CONFIG_T_NUMBER 77\n")
accepts(switch "CONFIG_T_SWITCH=y" "#define CONFIG_T_SWITCH 1\n")
accepts(off "# CONFIG_T_SWITCH is not set" "CONFIG_T_NUMBER 10\n")
accepts(off_below "# CONFIG_T_DEPENDENT is not set" "CONFIG_T_NUMBER 10\n")
accepts(text "CONFIG_T_TEXT=\"a b=c\"" "#define CONFIG_T_TEXT \"a b=c\"\n")
accepts(dependency "CONFIG_T_SWITCH=y\nCONFIG_T_DEPENDENT=y"
	"#define CONFIG_T_DEPENDENT 1\n")

refuses(unknown "CONFIG_T_NUMBR=5" "CONFIG_T_NUMBR: no such symbol")
refuses(unknown_off "# CONFIG_T_SWICH is not set"
	"CONFIG_T_SWICH: no such symbol")
refuses(too_large "CONFIG_T_NUMBER=101" "CONFIG_T_NUMBER=101 was refused")
refuses(too_small "CONFIG_T_NUMBER=0" "CONFIG_T_NUMBER=0 was refused")
refuses(no_number "CONFIG_T_NUMBER=many" "CONFIG_T_NUMBER=many was refused")
refuses(unmet "CONFIG_T_DEPENDENT=y" "CONFIG_T_DEPENDENT=y was dropped")
refuses(twice "CONFIG_T_NUMBER=5\nCONFIG_T_NUMBER=6" "CONFIG_T_NUMBER=5 was")
refuses(no_setting "CONFIG_T_NUMBER 5" "\"CONFIG_T_NUMBER 5\" is not a setting")

# A second run changes no time stamp, so nothing is compiled again.
configure(again "CONFIG_T_NUMBER=5")
set(header "${WORK}/again/include/ringwall/config.h")
file(TIMESTAMP "${header}" before "%s.%f")
configure(again "CONFIG_T_NUMBER=5")
file(TIMESTAMP "${header}" after "%s.%f")
if(NOT before STREQUAL after)
	message(SEND_ERROR "config.h was rewritten without a change")
endif()

# A changed configuration file is taken over while .config is unedited.
accepts(again "CONFIG_T_NUMBER=6" "#define CONFIG_T_NUMBER 6\n")

# An edited .config is kept, and judged like a configuration file.
file(APPEND "${WORK}/again/.config" "CONFIG_T_NUMBER=7\n")
configure(again "CONFIG_T_NUMBER=6")
if(result EQUAL 0 OR NOT output MATCHES "CONFIG_T_NUMBER=6 was refused")
	message(SEND_ERROR "a .config that contradicts itself passed: ${output}")
endif()
file(WRITE "${WORK}/again/.config" "CONFIG_T_NUMBER=1000\n")
configure(again "CONFIG_T_NUMBER=6")
if(result EQUAL 0 OR NOT output MATCHES "CONFIG_T_NUMBER=1000 was refused")
	message(SEND_ERROR "an edited .config out of range passed: ${output}")
endif()
file(READ "${WORK}/again/.config" config)
if(NOT config STREQUAL "CONFIG_T_NUMBER=1000\n")
	message(SEND_ERROR "a refused .config was overwritten: ${config}")
endif()
file(WRITE "${WORK}/again/.config" "CONFIG_T_NUMBER=8\n")
accepts(again "CONFIG_T_NUMBER=6" "#define CONFIG_T_NUMBER 8\n")
accepts(again "CONFIG_T_NUMBER=9" "#define CONFIG_T_NUMBER 8\n")

# The project's own configurations hold.
file(GLOB defconfigs "${SOURCE}/configs/*_defconfig")
foreach(defconfig IN LISTS defconfigs)
	get_filename_component(name "${defconfig}" NAME)
	execute_process(COMMAND "${CMAKE_COMMAND}" "-DSOURCE=${SOURCE}"
		"-DBUILD=${WORK}/own_${name}" "-DDEFCONFIG=${defconfig}"
		-P "${SOURCE}/cmake/Kconfig.cmake"
		RESULT_VARIABLE result ERROR_VARIABLE output OUTPUT_QUIET)
	if(NOT result EQUAL 0)
		message(SEND_ERROR "${name}: refused: ${output}")
	endif()
endforeach()
