/* SPDX-License-Identifier: MIT */
/*
 * The nouns of the command line that deal with keys and policies. argv[0] is
 * the noun. Each prints its result to standard output, one line per error to
 * standard error, and returns an enum agent_exit.
 */
#ifndef AGENT_POLICY_COMMANDS_H
#define AGENT_POLICY_COMMANDS_H

/** policy build|sign|verify|inspect|load ... */
int cmd_policy(int argc, char **argv);

/** keygen -o key.pem [--public key.pub] */
int cmd_keygen(int argc, char **argv);

#endif
