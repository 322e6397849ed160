/* SPDX-License-Identifier: MIT */
/* Lines for people. Must never pass on a byte that a terminal would obey. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "agent/policy/problem.h"

void problem_set(struct problem *why, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(why->text, sizeof(why->text), format, arguments);
	va_end(arguments);
	for (char *c = why->text; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
}

void problem_errno(struct problem *why, const char *path)
{
	problem_set(why, "%s: %s", path, strerror(errno));
}
