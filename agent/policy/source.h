/* SPDX-License-Identifier: MIT */
/*
 * The YAML form of a policy, as people write it:
 *
 *   policy: NAME          printable ASCII, at most 31 characters
 *   serial: NUMBER        1 or more; a host refuses to go back
 *   lock: BOOLEAN         default true: no disabling while it is in force
 *   rules:
 *     - id: NUMBER        1 .. 4294967295, unique
 *       name: NAME
 *       protect: kernel-text | kernel-rodata
 *       mode: audit | enforce
 *       action: allow | fault | discard   default: allow in audit, else fault
 *       text-poke: allow | deny           default deny; kernel-text only
 *       severity: info | low | medium | high | critical
 */
#ifndef AGENT_POLICY_SOURCE_H
#define AGENT_POLICY_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ringwall/policy.h>

#include "agent/policy/problem.h"

/** The largest source that is read, in bytes. */
#define SOURCE_MAX (1U << 20)

/** What a source says: all of a policy but the kernel. */
struct policy_source {
	char name[RW_POLICY_NAME_SIZE];
	uint64_t serial;
	uint32_t flags;
	uint32_t rule_count;
	struct rw_policy_rule rule[RW_POLICY_MAX_RULES];
};

/**
 * Reads size bytes of YAML; path is only for messages, which all have the form
 * "path:line:column: field: what is wrong". Unknown and repeated keys are
 * errors, and so is what the monitor would refuse.
 */
bool policy_source_parse(const char *path, const uint8_t *data, size_t size,
			 struct policy_source *ret, struct problem *why);

/** The word of the source for a value: "enforce"; NULL for an unknown value. */
const char *policy_source_target(uint16_t target);
const char *policy_source_mode(uint8_t mode);
const char *policy_source_action(uint8_t action);
const char *policy_source_severity(uint32_t severity);

#endif
