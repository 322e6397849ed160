/* SPDX-License-Identifier: MIT */
/* A CPU's way out of the host's use and back: halt, INIT, start-up IPI. */
#ifndef MONITOR_STARTUP_H
#define MONITOR_STARTUP_H

#include "monitor/percpu.h"

/**
 * This CPU is about to be taken offline (or after all is not): its next halt
 * with interrupts off is a wait for the start-up IPI. Until then idling costs
 * an exit.
 */
void startup_announce(struct pcpu *cpu, bool offline);

#endif
