/* SPDX-License-Identifier: MIT */
/*
 * A guard is one protection a policy can ask for. Each has a file in this
 * folder and a row in the table that the linker collects; adding one touches
 * nothing else in the monitor.
 */
#ifndef MONITOR_GUARD_H
#define MONITOR_GUARD_H

#include <ringwall/policy.h>

#include "monitor/violation.h"

struct guard {
	enum rw_rule_target target;
	/** Link-time extent in the kernel image, page aligned, half open. */
	void (*extent)(const struct rw_policy_kernel *kernel,
		       uint64_t *ret_start, uint64_t *ret_end);
	/**
	 * Whether the rule's flags let this write through although it changes
	 * protected memory; NULL: never. text is the kernel's text as it runs.
	 */
	bool (*excepted)(const struct rw_policy_rule *rule,
			 const struct guest_write *w, uint64_t text_start,
			 uint64_t text_end);
};

#define GUARD(name)                    \
	static const struct guard name \
		__attribute__((used, aligned(8), section(".rw_guards")))

/** The guard for a target, or NULL. */
const struct guard *guard_find(enum rw_rule_target target);

#endif
