/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * The only code that runs with the kernel's and the monitor's address space in
 * one table, and the constants it shares with C.
 */
#ifndef RINGWALL_DRIVER_ENTRY_H
#define RINGWALL_DRIVER_ENTRY_H

/*
 * struct rw_crossing, RW_HC_SYNC and RW_E_VMENTRY as assembly needs them;
 * enable.c asserts that they agree.
 */
#define CROSSING_RIP	    0
#define CROSSING_RSP	    8
#define CROSSING_CR3	    16
#define CROSSING_TRANSITION 24
#define CROSSING_SIZE	    32
#define CROSSING_SYNC	    0x52570003
#define CROSSING_FAILED	    37

#ifndef __ASSEMBLY__
#include <linux/types.h>

/*
 * Takes this CPU across: loads the PML4 at physical address transition (bit 12
 * clear), calls the monitor's entry with boot and cpu. Returns 0 as a guest, or
 * the monitor's enum rw_error where the CPU was before. Interrupts must be off.
 */
u64 rw_cross(u64 entry, u64 boot, u32 cpu, u64 transition);

/*
 * Where the monitor jumps on a CPU that has left VMX, with a transition table
 * loaded and the kernel's stack: RCX is the CR3 to load, the stack holds RCX's
 * own value, then a frame for IRETQ. Never called from C.
 */
void rw_leave(void);
#endif

#endif
