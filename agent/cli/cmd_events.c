/* SPDX-License-Identifier: MIT */
/*
 * events: the monitor's records as ECS JSON lines. A record is given out once,
 * so whoever runs this beside ringwalld takes records away from it, and ringwalld
 * will say so.
 */
#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent/cli/cli.h"
#include "agent/event/ecs.h"
#include "agent/event/source.h"

#define FACILITY_LOCAL0 16
/* A coalesced hit becomes a record only when somebody asks. */
#define ASK_AGAIN 5000 /* milliseconds */

struct printer {
	struct event_context context;
	bool failed;
};

static void print_event(void *argument, const struct event *event)
{
	struct printer *printer = argument;
	char *line = ecs_encode(event, &printer->context);

	if (!line || puts(line) == EOF)
		printer->failed = true;
	free(line);
}

static int print_all(struct source *source, struct printer *printer,
		     bool follow)
{
	struct pollfd wait = { .fd = source->fd, .events = POLLIN };
	enum rw_error error;
	size_t count;

	for (;;) {
		error = source_read(source, print_event, printer, &count);
		if (error != RW_OK)
			return cli_fail("events", error);
		if (printer->failed || fflush(stdout)) {
			perror("ringwall: standard output");
			return EXIT_CODE_ERROR;
		}
		if (count)
			continue;
		if (!follow)
			return EXIT_CODE_OK;
		poll(&wait, 1, ASK_AGAIN);
	}
}

int cmd_events(int argc, char **argv)
{
	static const struct option options[] = {
		{ "follow", no_argument, NULL, 'f' },
		{ NULL, 0, NULL, 0 },
	};
	struct printer printer = {
		.context = { .attack_version = ATTACK_VERSION_DEFAULT,
			     .facility = FACILITY_LOCAL0 },
	};
	struct source source;
	bool follow = false;
	enum rw_error error;
	int option, result;

	while ((option = getopt_long(argc, argv, "f", options, NULL)) != -1) {
		if (option != 'f')
			return EXIT_CODE_USAGE;
		follow = true;
	}
	if (optind < argc)
		return cli_usage("events takes no argument");
	error = source_open(&source, NULL, &symbols_of_kernel);
	if (error != RW_OK)
		return cli_fail("events", error);
	host_read(&printer.context.host, NULL);
	result = print_all(&source, &printer, follow);
	source_close(&source);
	return result;
}
