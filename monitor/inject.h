/* SPDX-License-Identifier: MIT */
/* What the monitor makes the guest see: events, and instructions done for it. */
#ifndef MONITOR_INJECT_H
#define MONITOR_INJECT_H

#include "monitor/vmcs.h"
#include "monitor/vmx.h"

/** #UD at the current instruction. */
void inject_ud(void);

/**
 * #GP(0) at the current instruction; or what becomes of it if the CPU was just
 * delivering an exception: a double fault, a triple fault.
 */
void inject_gp(void);

/** The guest's CPU shuts down: the host resets as without Ringwall. */
void __attribute__((noreturn)) inject_shutdown(void);

/** #DB with what happened as exits report it (SDM Vol. 3 table 28-1). */
void inject_db(uint64_t dr6);

/** Hands on the exception of this exit as the CPU would have delivered it. */
void inject_reflect(void);

/**
 * An exit came while the CPU was delivering an event (IDT-vectoring
 * information): makes the next entry deliver it again. True if there was one.
 */
bool inject_again(void);

/** The instruction has been carried out by the monitor: RIP goes behind it. */
void skip_instruction(void);

/**
 * The same, faster, where no trap is due, no blocking to lift and RIP does not
 * wrap. False if it is not so simple: nothing has happened.
 */
static inline bool skip_simply(void)
{
	uint64_t length, rip, rflags, blocking;

	if (vmread(EXIT_INSTRUCTION_LENGTH, &length) ||
	    vmread(GUEST_RIP, &rip) || vmread(GUEST_RFLAGS, &rflags) ||
	    vmread(GUEST_INTERRUPTIBILITY, &blocking))
		return false;
	rip += length;
	return !(rflags & RFLAGS_TF) &&
	       !(blocking & (BLOCKING_BY_STI | BLOCKING_BY_MOV_SS)) &&
	       (uint32_t)rip >= length && !vmwrite(GUEST_RIP, rip);
}

#endif
