/* SPDX-License-Identifier: MIT */
/*
 * Why something failed, as one line for a person: which file, which field, what
 * is wrong with it. Functions that take one fill it when they fail, and only
 * then.
 */
#ifndef AGENT_POLICY_PROBLEM_H
#define AGENT_POLICY_PROBLEM_H

#define PROBLEM_SIZE 512

struct problem {
	char text[PROBLEM_SIZE];
};

/** Fills why; control characters of what was read are shown as '?'. */
void problem_set(struct problem *why, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/** "path: " and what errno says. */
void problem_errno(struct problem *why, const char *path);

#endif
