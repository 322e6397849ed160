/* SPDX-License-Identifier: MIT */
/*
 * NMIs belong to the guest. They exit ("NMI exiting" with virtual NMIs) or
 * arrive in VMX root, and are injected as soon as the guest can take one. Owns
 * PROCESSOR_CONTROLS, whose NMI-window bit the NMI handler itself sets; never
 * loses an NMI, never injects two for one.
 */
#ifndef MONITOR_NMI_H
#define MONITOR_NMI_H

#include "monitor/percpu.h"

/** An NMI exit: the guest is owed one. */
void nmi_exit(struct pcpu *cpu);

/** An NMI in VMX root, on its IST stack, between any two instructions. */
void nmi_in_root(struct pcpu *cpu);

/** NMI-window exit, or any time an injection may have become possible. */
void nmi_deliver(struct pcpu *cpu);

/** Sets further bits of PROCESSOR_CONTROLS (the monitor trap flag). */
void nmi_set_controls(struct pcpu *cpu, uint32_t base);

#endif
