/* SPDX-License-Identifier: MIT */
/*
 * What the commands of `ringwall` share. Data go to standard output, words to
 * standard error; a command returns an enum agent_exit.
 */
#ifndef AGENT_CLI_CLI_H
#define AGENT_CLI_CLI_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "agent/errors.h"

/** Where the monitor is installed, and where an administrator puts the keys. */
#define CLI_IMAGE "/usr/lib/ringwall/monitor.elf"
#define CLI_TRUST "/etc/ringwall/trust.d"

enum cli_output {
	CLI_TABLE,
	CLI_JSON,
};

/** One command; argv[0] is its last word. */
struct cli_command {
	const char *noun;
	const char *verb; /* NULL: the noun alone, or it has verbs of its own */
	int (*run)(int argc, char **argv);
	const char *arguments;
	const char *help;
	bool hidden; /* from the help */
};

int cmd_monitor_load(int argc, char **argv);
int cmd_monitor_enable(int argc, char **argv);
int cmd_monitor_disable(int argc, char **argv);
int cmd_monitor_unload(int argc, char **argv);
int cmd_monitor_dump(int argc, char **argv);
int cmd_monitor_memory(int argc, char **argv);
int cmd_status(int argc, char **argv);
int cmd_events(int argc, char **argv);
int cmd_test_alert(int argc, char **argv);
int cmd_test_hook(int argc, char **argv);

/** "ringwall: what: sentence" to standard error; the exit code of the error. */
int cli_fail(const char *what, uint32_t error);

/** A sentence to standard error; EXIT_CODE_USAGE. */
int cli_usage(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** Reads the word behind -o; false, with a message, if it is none. */
bool cli_output(const char *word, enum cli_output *ret_output);

/** For a command without options and arguments: true if it has none. */
bool cli_alone(int argc, char **argv);

/** Reads a decimal number up to max; false, with a message, otherwise. */
bool cli_number(const char *word, const char *what, uint32_t max,
		uint32_t *ret_number);

/**
 * Prints a JSON value, takes it over, and returns exit_code; EXIT_CODE_ERROR if
 * it is NULL or standard output takes no more.
 */
int cli_print_json(json_t *json, int exit_code);

#endif
