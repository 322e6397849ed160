/* SPDX-License-Identifier: MIT */
/* How a CPU gets out of VMX and goes on natively. */
#ifndef MONITOR_LEAVE_H
#define MONITOR_LEAVE_H

#include "monitor/cpu.h"
#include "monitor/percpu.h"

/** Everything that has to be loaded, in the order that entry.S loads it. */
struct leave {
	uint64_t transition; /* physical PML4: kernel's upper half + monitor */
	uint64_t cr0, cr3, cr4;
	uint64_t rip, rsp, rflags;
	uint64_t cs, ss, ds, es, fs, gs, ldtr, tr;
	uint64_t fs_base, gs_base;
	struct table_register gdtr, idtr;
	struct table_register ltr_gdtr; /* a copy in which the TSS is not busy */
	struct registers regs;
	uint64_t leave_va; /* driver text that loads CR3 and returns */
	const bool *nmi;   /* behind LIDT: did an NMI come on the way out? */
};

/**
 * Takes this CPU out of VMX, with RAX as given, everything else as the guest
 * had it. Returns only if that cannot be done (RW_E_STATE: the guest's tables
 * are not those of a kernel); then the CPU is still inside.
 */
enum rw_error leave(struct pcpu *cpu, uint64_t rax);

/** The same after a VM entry that failed: goes back to the driver with error. */
void __attribute__((noreturn))
leave_failed_entry(struct pcpu *cpu, enum rw_error error);

/** entry.S: loads it all. */
void __attribute__((noreturn)) leave_load(const struct leave *l);

#endif
