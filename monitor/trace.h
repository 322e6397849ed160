/* SPDX-License-Identifier: MIT */
/*
 * The exit trace: the last exits of each CPU, for whoever debugs the monitor.
 * Without CONFIG_RINGWALL_EXIT_TRACE nothing refers to trace.c, and the image
 * has neither a call nor a byte of it.
 */
#ifndef MONITOR_TRACE_H
#define MONITOR_TRACE_H

#include <ringwall/config.h>

#include "monitor/percpu.h"

#ifdef CONFIG_RINGWALL_EXIT_TRACE
#define TRACE_EXITS true
#else
#define TRACE_EXITS false
#endif

#define TRACE_KEPT  64U /* exits of each CPU */
#define TRACE_SHOWN 8U	/* of them in the log */

/** What the two below do; not to be called by others. */
void trace_record(const struct pcpu *cpu, uint32_t reason);
void trace_print(void);

/** Notes an exit of this CPU. The VMCS is loaded. */
static inline void trace_exit(const struct pcpu *cpu, uint32_t reason)
{
	if (TRACE_EXITS)
		trace_record(cpu, reason);
}

/** Writes the last TRACE_SHOWN exits of each CPU to the log, oldest first. */
static inline void trace_log(void)
{
	if (TRACE_EXITS)
		trace_print();
}

#endif
