/* SPDX-License-Identifier: MIT */
/* The command line: finds the command in the table and runs it. */
#include <stdio.h>
#include <string.h>

#include "agent/cli/cli.h"
#include "agent/manifest/commands.h"
#include "agent/policy/commands.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static int cmd_version(int argc, char **argv);
static int cmd_help(int argc, char **argv);

static const struct cli_command commands[] = {
	{ "monitor", "load", cmd_monitor_load, "[--trust PATH] [IMAGE]",
	  "give the driver a monitor image and the keys it shall trust",
	  false },
	{ "monitor", "enable", cmd_monitor_enable, "",
	  "take every CPU into the monitor", false },
	{ "monitor", "disable", cmd_monitor_disable, "",
	  "take every CPU out of the monitor", false },
	{ "monitor", "unload", cmd_monitor_unload, "", "drop the monitor image",
	  false },
	{ "monitor", "memory", cmd_monitor_memory, "--give SIZE | --take SIZE",
	  "give the monitor memory, or take it back: 2M, 64M, 1G", false },
	{ "monitor", "dump", cmd_monitor_dump, "[--image IMAGE] [-o FORMAT]",
	  "show panic records and the log of the monitor", false },
	{ "status", NULL, cmd_status, "[-o FORMAT]",
	  "show what is protected and how the monitor fares", false },
	{ "events", NULL, cmd_events, "[--follow]",
	  "take the records of the monitor, as ECS JSON lines", false },
	{ "test-alert", NULL, cmd_test_alert, "",
	  "make the monitor write a test record", false },
	{ "policy", NULL, cmd_policy, "VERB ...",
	  "build, sign, verify, inspect and load policies", false },
	{ "manifest", NULL, cmd_manifest, "VERB ...",
	  "build, inspect, explain and compare manifests of kernels", false },
	{ "keygen", NULL, cmd_keygen, "-o FILE ...", "make a signing key",
	  false },
	{ "version", NULL, cmd_version, "", "show the version", false },
	{ "help", NULL, cmd_help, "", "show this", false },
	{ "test-hook", NULL, cmd_test_hook, "WHAT [--cpu N]",
	  "make the monitor fail on purpose", true },
};

static int cmd_version(int argc, char **argv)
{
	if (!cli_alone(argc, argv))
		return EXIT_CODE_USAGE;
	puts("ringwall " RINGWALL_VERSION);
	return EXIT_CODE_OK;
}

static int cmd_help(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	puts("usage: ringwall NOUN [VERB] [ARGUMENTS]\n");
	for (size_t i = 0; i < COUNT(commands); i++) {
		const struct cli_command *command = &commands[i];
		char line[80];

		if (command->hidden)
			continue;
		snprintf(line, sizeof(line), "%s%s%s %s", command->noun,
			 command->verb ? " " : "",
			 command->verb ? command->verb : "",
			 command->arguments);
		printf("  %-41s %s\n", line, command->help);
	}
	puts("\nFORMAT is table or json. Data go to standard output, messages to standard error.\n"
	     "Exit codes: 0 ok, 1 error, 2 usage, 3 untrusted signature, 4 rollback,\n"
	     "5 other kernel, 6 monitor absent, 7 degraded.");
	return EXIT_CODE_OK;
}

int main(int argc, char **argv)
{
	bool noun_known = false;

	if (argc < 2) {
		cli_usage("no command given");
		return EXIT_CODE_USAGE;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))
		return cmd_help(0, NULL);
	if (!strcmp(argv[1], "--version"))
		return cmd_version(0, NULL);
	for (size_t i = 0; i < COUNT(commands); i++) {
		const struct cli_command *command = &commands[i];

		if (strcmp(command->noun, argv[1]) != 0)
			continue;
		noun_known = true;
		if (!command->verb)
			return command->run(argc - 1, argv + 1);
		if (argc > 2 && !strcmp(command->verb, argv[2]))
			return command->run(argc - 2, argv + 2);
	}
	if (!noun_known)
		return cli_usage("there is no command '%s'", argv[1]);
	if (argc < 3)
		return cli_usage("'%s' needs a verb", argv[1]);
	return cli_usage("'%s' has no verb '%s'", argv[1], argv[2]);
}
