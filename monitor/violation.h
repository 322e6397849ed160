/* SPDX-License-Identifier: MIT */
/* What a guest write to protected memory is, and what becomes of it. */
#ifndef MONITOR_VIOLATION_H
#define MONITOR_VIOLATION_H

#include <ringwall/addr.h>
#include <ringwall/event.h>

struct pcpu;

/** A write that trapped, with what it would have changed. */
struct guest_write {
	gpa_t gpa; /* first byte that differs, else as the CPU reported it */
	gva_t gva;
	bool gva_valid;
	uint64_t rip, cr3;
	uint32_t cpl;
	bool interrupts_on;
	uint32_t size; /* bytes from gpa on that differ, at most a page */
	uint8_t before[RW_EVENT_BYTES];
	uint8_t attempted[RW_EVENT_BYTES];
};

/**
 * Judges the writes (at most STEP_PAGES) of one instruction together. True:
 * commit all of them. *ret_action says how to refuse them: FAULT if one of the
 * rules says so. Records each with what becomes of it.
 */
bool violation_judge(struct pcpu *cpu, const struct guest_write *w,
		     uint32_t writes, enum rw_rule_action *ret_action);

/** Refuses the access of this EPT violation unseen: a record and #GP. */
void violation_refuse(struct pcpu *cpu, gpa_t at, uint64_t qualification);

#endif
