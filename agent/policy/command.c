/* SPDX-License-Identifier: MIT */
/* What the verbs share: options, usage and error lines. */
#include <getopt.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "agent/errors.h"
#include "agent/policy/command.h"

#define MAX_OPTIONS 8

int command_misused(const struct command_line *line, const char *format, ...)
{
	va_list arguments;

	fputs("ringwall: ", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fprintf(stderr, "\nusage: %s\n", line->usage);
	return EXIT_CODE_USAGE;
}

int command_failed(int status, const struct problem *why)
{
	fprintf(stderr, "ringwall: %s\n", why->text);
	return status;
}

int command_refused(const char *subject, enum rw_error error)
{
	struct problem why;

	problem_set(&why, "%s: %s", subject, error_text(error));
	return command_failed(error_exit_code(error), &why);
}

void print_hex(const void *data, size_t size)
{
	const uint8_t *bytes = data;

	for (size_t i = 0; i < size; i++)
		printf("%02x", bytes[i]);
}

/** The tables that getopt_long(3) wants; the value of a row is its index + 1. */
static void make_options(const struct command_line *line,
			 char short_options[2 * MAX_OPTIONS + 3],
			 struct option long_options[MAX_OPTIONS + 2])
{
	size_t used = 0;

	short_options[used++] = ':';
	for (size_t i = 0; i < line->option_count; i++) {
		const struct option_row *row = &line->options[i];

		long_options[i] = (struct option){ row->long_name,
						   required_argument, NULL,
						   (int)i + 1 };
		if (row->short_name) {
			short_options[used++] = row->short_name;
			short_options[used++] = ':';
		}
	}
	short_options[used++] = 'h';
	short_options[used] = '\0';
	long_options[line->option_count] =
		(struct option){ "help", no_argument, NULL, 'h' };
	long_options[line->option_count + 1] = (struct option){ 0 };
}

/** The row of what getopt_long() returned, or NULL. */
static const struct option_row *find_row(const struct command_line *line,
					 int found)
{
	for (size_t i = 0; i < line->option_count; i++)
		if (found == (int)i + 1 ||
		    (found && found == line->options[i].short_name))
			return &line->options[i];
	return NULL;
}

static int parse_options(const struct command_line *line, int argc, char **argv,
			 bool *ret_done)
{
	char short_options[2 * MAX_OPTIONS + 3];
	struct option long_options[MAX_OPTIONS + 2];
	int found;

	make_options(line, short_options, long_options);
	optind = 0;
	opterr = 0;
	while ((found = getopt_long(argc, argv, short_options, long_options,
				    NULL)) != -1) {
		const struct option_row *row = find_row(line, found);

		if (found == 'h' && !row) {
			printf("usage: %s\n", line->usage);
			*ret_done = true;
			return EXIT_CODE_OK;
		}
		if (!row)
			return command_misused(line, "%s: %s", argv[optind - 1],
					       found == ':' ? "needs a value" :
							      "unknown option");
		if (*row->value)
			return command_misused(line, "--%s is given twice",
					       row->long_name);
		*row->value = optarg;
	}
	return EXIT_CODE_OK;
}

int command_parse(const struct command_line *line, int argc, char **argv,
		  bool *ret_done)
{
	int status;

	*ret_done = false;
	status = parse_options(line, argc, argv, ret_done);
	if (status || *ret_done) {
		*ret_done = true;
		return status;
	}
	if (line->operand && optind + 1 + !!line->second == argc) {
		*line->operand = argv[optind];
		if (line->second)
			*line->second = argv[optind + 1];
		return EXIT_CODE_OK;
	}
	if (!line->operand && optind == argc)
		return EXIT_CODE_OK;
	*ret_done = true;
	if (optind < argc && !(line->second && optind + 1 == argc))
		return command_misused(line, "%s: one argument too many",
				       argv[argc - 1]);
	return command_misused(line, line->second ? "two arguments are needed" :
						    "a file is missing");
}

static void print_verbs(FILE *to, const char *noun, const struct verb *verbs,
			size_t count)
{
	fprintf(to, "usage: ringwall %s VERB ...\n", noun);
	for (size_t i = 0; i < count; i++)
		fprintf(to, "  %-8s %s\n", verbs[i].name, verbs[i].help);
	fprintf(to, "ringwall %s VERB --help says more\n", noun);
}

int command_verb(const char *noun, const struct verb *verbs, size_t count,
		 int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";

	for (size_t i = 0; i < count; i++)
		if (!strcmp(verbs[i].name, name))
			return verbs[i].run(argc - 1, argv + 1);
	if (!strcmp(name, "--help") || !strcmp(name, "-h")) {
		print_verbs(stdout, noun, verbs, count);
		return EXIT_CODE_OK;
	}
	if (*name)
		fprintf(stderr, "ringwall: %s: there is no verb %s\n", noun,
			name);
	print_verbs(stderr, noun, verbs, count);
	return EXIT_CODE_USAGE;
}
