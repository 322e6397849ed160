/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * One record of something the monitor saw. Fixed size, numbered and chained by
 * the monitor; nothing in it comes from the agent.
 */
#ifndef RINGWALL_EVENT_H
#define RINGWALL_EVENT_H

#include <ringwall/types.h>
#include <ringwall/policy.h>

#define RW_EVENT_BYTES 16

/** Event kinds: RW_EVENT(name, number, code for the SIEM, sentence). ABI. */
#define RW_EVENT_KINDS(X)                                                \
	X(VIOLATION, 1, "RW1001", "write to protected memory")           \
	X(SELF_ACCESS, 2, "RW1002", "access to the monitor's memory")    \
	X(REGISTER, 3, "RW1003", "write to a register the monitor pins") \
	X(HYPERCALL, 4, "RW1004", "hypercall refused")                   \
	X(ENABLED, 16, "RW2001", "monitor enabled")                      \
	X(POLICY_LOADED, 17, "RW2002", "policy in force")                \
	X(POLICY_REFUSED, 18, "RW2003", "policy refused")                \
	X(PATCH, 19, "RW2004", "kernel text patched by text_poke")       \
	X(TEST, 32, "RW3001", "test record")                             \
	X(LOST, 33, "RW3002", "records lost")                            \
	X(MONITOR_FAULT, 34, "RW3003", "monitor fault, CPU stopped")

enum rw_event_kind {
#define X(name, number, code, text) RW_EVENT_##name = (number),
	RW_EVENT_KINDS(X)
#undef X
};

/** What became of it. */
enum rw_event_verdict {
	RW_VERDICT_NONE = 0,	/* nothing to decide: a notice */
	RW_VERDICT_ALLOWED = 1, /* audit: it happened */
	RW_VERDICT_DENIED = 2,	/* it did not happen */
};

/** event.valid: which fields say something. */
#define RW_EVENT_HAS_GPA       (1U << 0)
#define RW_EVENT_HAS_GVA       (1U << 1)
#define RW_EVENT_HAS_BYTES     (1U << 2)
#define RW_EVENT_HAS_CPU_STATE (1U << 3) /* rip, cr3, cpl */

/**
 * chain = SHA-256(previous chain || this record with chain all zero); the
 * chain before the first record of a boot is the boot nonce (rw_status.nonce).
 */
struct rw_event {
	uint64_t sequence; /* from 1, per enable */
	uint64_t tsc;	   /* when it was recorded */
	uint32_t kind;
	uint32_t verdict;
	uint32_t rule_id; /* 0: none */
	uint16_t rule_target;
	uint8_t rule_mode;
	uint8_t severity;
	uint32_t cpu;
	uint32_t valid;
	uint64_t gpa; /* first byte written, where known */
	uint64_t gva;
	uint64_t rip;
	uint64_t cr3;
	uint32_t cpl;
	uint32_t size; /* bytes in before[] and attempted[] that differ or 0 */
	uint8_t before[RW_EVENT_BYTES];	   /* memory from gpa on */
	uint8_t attempted[RW_EVENT_BYTES]; /* what it would have become */
	uint64_t count;	    /* hits this record stands for; 1, or a summary */
	uint64_t detail[2]; /* LOST: first and last missing sequence;
			     * REGISTER: number and value; HYPERCALL: number
			     * and error; POLICY_*: serial and error */
	uint64_t policy_serial;
	char rule_name[RW_POLICY_NAME_SIZE];
	uint8_t chain[RW_SHA256_SIZE];
};

_Static_assert(sizeof(struct rw_event) == 208, "event record");

#endif
