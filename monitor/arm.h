/* SPDX-License-Identifier: MIT */
/*
 * The policy in force: how a signed file becomes protected pages. Owns the
 * upload, the trusted keys, the policy and the table of protected ranges.
 * Checks everything before it changes anything; what was in force stays in
 * force until its successor has been accepted in full.
 */
#ifndef MONITOR_ARM_H
#define MONITOR_ARM_H

#include <ringwall/error.h>
#include <ringwall/policy.h>
#include <ringwall/status.h>

#include "monitor/violation.h"

struct pcpu;

/** Trusts these points. RW_E_TRUST. Uses SSE. */
enum rw_error arm_init(const uint8_t (*points)[RW_KEY_POINT_SIZE],
		       uint32_t count);

/** Starts an upload: RW_E_POLICY_SIZE, RW_E_NO_MEMORY, RW_E_BUSY. */
enum rw_error arm_begin(uint64_t size);

/** Appends to it: RW_E_STATE (none begun), RW_E_POLICY_SIZE (too much). */
enum rw_error arm_put(const void *bytes, uint64_t size);

/**
 * Verifies the upload and puts it in force; the upload ends in any case. All
 * errors of the policy library, RW_E_POLICY_SERIAL, RW_E_POLICY_KERNEL,
 * RW_E_POLICY_KERNEL_RANGE, RW_E_NO_MEMORY, RW_E_STATE.
 */
enum rw_error arm_commit(struct pcpu *cpu);

/** After this CPU has invalidated: ARMING may have become ARMED. */
void arm_sync(struct pcpu *cpu);

enum rw_state arm_state(void);
uint64_t arm_serial(void);

/** Does the policy in force forbid to disable? */
bool arm_locked(void);

/** A rule for a page, copied out; false if no rule protects it. */
bool arm_rule(gpa_t at, struct rw_policy_rule *ret);

/** Counts a hit of a rule. */
void arm_hit(uint32_t rule_id);

/** Does the guard of this rule let the write through as an exception? */
bool arm_excepted(const struct rw_policy_rule *rule,
		  const struct guest_write *w);

/** Fills in the policy part of the status. */
void arm_status(struct rw_status *ret);

#endif
