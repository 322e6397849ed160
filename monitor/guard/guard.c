/* SPDX-License-Identifier: MIT */
#include "monitor/guard/guard.h"

extern const struct guard rw_guards_start[], rw_guards_end[];

const struct guard *guard_find(enum rw_rule_target target)
{
	for (const struct guard *g = rw_guards_start; g < rw_guards_end; g++)
		if (g->target == target)
			return g;
	return NULL;
}
