/* SPDX-License-Identifier: MIT */
/* The nouns "policy" and "keygen". */
#include <stdio.h>
#include <string.h>

#include "agent/errors.h"
#include "agent/policy/command.h"
#include "agent/policy/commands.h"
#include "agent/policy/keys.h"
#include "policy/policy.h"

static const struct verb verbs[] = {
	{ "build", "make an unsigned policy of YAML and a kernel",
	  policy_build },
	{ "sign", "put a signature on a policy", policy_sign },
	{ "verify", "check a signed policy as the monitor does", policy_check },
	{ "inspect", "show what a policy says", policy_inspect },
	{ "load", "put a signed policy in force", policy_load },
};

int cmd_policy(int argc, char **argv)
{
	return command_verb("policy", verbs, sizeof(verbs) / sizeof(verbs[0]),
			    argc, argv);
}

int cmd_keygen(int argc, char **argv)
{
	const char *output = NULL, *public = NULL;
	const struct option_row options[] = {
		{ 'o', "output", &output },
		{ 0, "public", &public },
	};
	const struct command_line line = {
		"ringwall keygen -o KEY.pem [--public KEY.pub]", options, 2,
		NULL, NULL
	};
	uint8_t point[RW_KEY_POINT_SIZE];
	struct policy_key key;
	struct problem why;
	bool done;
	int status = command_parse(&line, argc, argv, &done);

	if (done)
		return status;
	if (!output)
		return command_misused(&line, "-o is missing");
	if (!key_generate(output, public, point, &why))
		return command_failed(EXIT_CODE_ERROR, &why);
	if (policy_key_init(point, &key))
		return command_refused(output, RW_E_TRUST);
	printf("%s: private key, keep it off the hosts; key id ", output);
	print_hex(key.id, sizeof(key.id));
	putchar('\n');
	return EXIT_CODE_OK;
}
