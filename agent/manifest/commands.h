/* SPDX-License-Identifier: MIT */
/* The noun "manifest" of the command line. */
#ifndef AGENT_MANIFEST_COMMANDS_H
#define AGENT_MANIFEST_COMMANDS_H

/**
 * manifest build|inspect|explain|diff ...; argv[0] is the noun. Prints results
 * to standard output, one line per error to standard error; returns an enum
 * agent_exit.
 */
int cmd_manifest(int argc, char **argv);

#endif
