/* SPDX-License-Identifier: MIT */
/* Messages and arguments, the same for every command. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/cli/cli.h"

int cli_fail(const char *what, uint32_t error)
{
	fprintf(stderr, "ringwall: %s: %s\n", what, error_text(error));
	return error_exit_code(error);
}

int cli_usage(const char *format, ...)
{
	va_list arguments;

	fputs("ringwall: ", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputs("; try 'ringwall help'\n", stderr);
	return EXIT_CODE_USAGE;
}

bool cli_output(const char *word, enum cli_output *ret_output)
{
	if (!strcmp(word, "table"))
		*ret_output = CLI_TABLE;
	else if (!strcmp(word, "json"))
		*ret_output = CLI_JSON;
	else
		return cli_usage("-o takes table or json, not '%s'", word),
		       false;
	return true;
}

bool cli_alone(int argc, char **argv)
{
	if (argc > 1)
		cli_usage("%s takes no argument, and got '%s'", argv[0],
			  argv[1]);
	return argc <= 1;
}

bool cli_number(const char *word, const char *what, uint32_t max,
		uint32_t *ret_number)
{
	unsigned long long number;
	char *end;

	errno = 0;
	number = strtoull(word, &end, 10);
	if (errno || end == word || *end || *word == '-' || number > max) {
		cli_usage("%s must be a number up to %u, not '%s'", what, max,
			  word);
		return false;
	}
	*ret_number = (uint32_t)number;
	return true;
}

int cli_print_json(json_t *json, int exit_code)
{
	int failed;

	if (!json) {
		fputs("ringwall: not enough memory\n", stderr);
		return EXIT_CODE_ERROR;
	}
	failed = json_dumpf(json, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII);
	json_decref(json);
	if (failed || putchar('\n') == EOF || fflush(stdout)) {
		perror("ringwall: standard output");
		return EXIT_CODE_ERROR;
	}
	return exit_code;
}
