/* SPDX-License-Identifier: MIT */
/*
 * How the monitor begins and how a CPU gets in: called by entry.S while the
 * transition table is loaded, so the kernel's IDT still takes faults and NMIs.
 * Owns the boot information.
 */
#ifndef MONITOR_ENTER_H
#define MONITOR_ENTER_H

#include <ringwall/boot.h>
#include <ringwall/error.h>

#include "monitor/percpu.h"

/**
 * First step of a CPU: checks the boot information and sets the monitor up
 * (first CPU only), then makes the CPU's block.
 */
enum rw_error enter_prepare(const struct rw_boot *from, uint32_t index,
			    struct pcpu **ret);

/**
 * Second step: VMXON, and a VMCS in which the guest stands at x. `stack` is
 * entry.S's frame, above which lies the way back if the entry fails.
 */
enum rw_error enter_vmcs(struct pcpu *cpu, const struct rw_crossing *x,
			 uint64_t fs_base, const uint64_t *stack);

/** VMLAUNCH was refused: undoes the second step. */
enum rw_error enter_refused(struct pcpu *cpu);

/**
 * The CPU refused VMWRITE, INVEPT or INVVPID. While this CPU enters, the enable
 * is rolled back with this error; later there is no way back and it stops.
 */
void __attribute__((cold)) enter_vmx_refused(enum rw_error error);

/** entry.S. */
/** Words on entry.S's frame below the return address: FS base, six registers. */
#define ENTER_RETURN_SLOT 7

uint64_t monitor_entry(struct rw_boot *boot, uint32_t cpu,
		       struct rw_crossing *x);
void vm_exit(void);

/** The checked copy of the boot information (keys and seed wiped). */
const struct rw_boot *enter_boot(void);

/** Value of the stack protector's canary for all CPUs. */
uint64_t enter_canary(void);

/** Number that names this boot of the monitor; starts the event chain. */
const uint8_t *enter_nonce(void);

#endif
