/* SPDX-License-Identifier: MIT */
/*
 * What an enum rw_error is called, says and makes the program return. All of it
 * comes from <ringwall/error.def>; nothing else in the agent spells an error.
 */
#ifndef AGENT_ERRORS_H
#define AGENT_ERRORS_H

#include <ringwall/error.h>

/** Exit codes of the command line; the third column of error.def holds these. */
enum agent_exit {
	EXIT_CODE_OK = 0,
	EXIT_CODE_ERROR = 1,
	EXIT_CODE_USAGE = 2,
	EXIT_CODE_UNTRUSTED = 3,
	EXIT_CODE_ROLLBACK = 4,
	EXIT_CODE_OTHER_KERNEL = 5,
	EXIT_CODE_ABSENT = 6,
	EXIT_CODE_DEGRADED = 7,
};

/** The sentence for people; never NULL, also for a number that is no error. */
const char *error_text(uint32_t error);

/** The name as in error.def, "E_POLICY_SERIAL"; "E_UNKNOWN" for other numbers. */
const char *error_name(uint32_t error);

/** The exit code that goes with an error; 1 for a number that is no error. */
int error_exit_code(uint32_t error);

#endif
