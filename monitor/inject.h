/* SPDX-License-Identifier: MIT */
/* What the monitor makes the guest see: events, and instructions done for it. */
#ifndef MONITOR_INJECT_H
#define MONITOR_INJECT_H

#include <ringwall/types.h>

struct pcpu;

/** #UD at the current instruction. */
void inject_ud(void);

/** #GP(0) at the current instruction. */
void inject_gp(void);

/** #DB, a trap behind the current instruction, with these bits of DR6. */
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

#endif
