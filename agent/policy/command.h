/* SPDX-License-Identifier: MIT */
/*
 * The verbs of "ringwall policy", one source each, and what they share with those
 * of the other nouns.
 */
#ifndef AGENT_POLICY_COMMAND_H
#define AGENT_POLICY_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

#include <ringwall/error.h>

#include "agent/policy/problem.h"

/** argv[0] is the verb; each returns an enum agent_exit. */
int policy_build(int argc, char **argv);
int policy_sign(int argc, char **argv);
int policy_check(int argc, char **argv); /* the verb "verify" */
int policy_inspect(int argc, char **argv);
int policy_load(int argc, char **argv);

/** One verb of a noun; run() has the verb as its argv[0]. */
struct verb {
	const char *name;
	const char *help;
	int (*run)(int argc, char **argv);
};

/**
 * Runs the verb that argv[1] names, and returns its exit code; or prints the
 * list of them, and an error if what was asked for was not that.
 */
int command_verb(const char *noun, const struct verb *verbs, size_t count,
		 int argc, char **argv);

/** An option that takes a value: "-k", "--kernel". short_name 0: none. */
struct option_row {
	char short_name;
	const char *long_name;
	const char **value; /* set to the value given; NULL before */
};

/** How a verb is called. */
struct command_line {
	const char *usage; /* "ringwall policy build -k KERNEL ..." */
	const struct option_row *options;
	size_t option_count;
	const char **operand; /* exactly one must be given; NULL: none may be */
	const char **second;  /* and one more behind it; NULL: none */
};

/**
 * Reads the arguments behind argv[0]. EXIT_CODE_OK: go on. Otherwise *ret_done
 * is set and the value returned is the exit code: help was printed, or a line
 * about what is wrong and the usage.
 */
int command_parse(const struct command_line *line, int argc, char **argv,
		  bool *ret_done);

/** Prints a usage error and returns EXIT_CODE_USAGE. */
int command_misused(const struct command_line *line, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/** Prints why as an error line and returns status. */
int command_failed(int status, const struct problem *why);

/** Prints "subject: what error says" and returns the error's exit code. */
int command_refused(const char *subject, enum rw_error error);

/** Prints size bytes in hex to standard output. */
void print_hex(const void *data, size_t size);

#endif
