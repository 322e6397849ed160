/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * The one place that executes VMCALL, and the record of which CPUs may. A CPU
 * that is not inside never executes it (#UD): the call fails instead.
 */
#ifndef RINGWALL_DRIVER_HYPERCALL_H
#define RINGWALL_DRIVER_HYPERCALL_H

#include <linux/cpumask.h>
#include <ringwall/error.h>
#include <ringwall/hypercall.h>

/*
 * Makes a hypercall on this CPU; see <ringwall/hypercall.h> for what a and b
 * are. Stores RDX in *ret_value (which may be NULL) when the result is RW_OK.
 * RW_E_NOT_ENABLED if this CPU is outside. Any context.
 */
enum rw_error hypercall(enum rw_hypercall number, u64 a, u64 b, u64 *ret_value);

/*
 * Makes a hypercall that writes a page, and copies up to size bytes of it to
 * the kernel buffer. May sleep. RW_E_NO_MEMORY if there is no page to be had.
 */
enum rw_error hypercall_page(enum rw_hypercall number, u64 b, void *buffer,
			     size_t size);

/* RW_HC_SYNC on every CPU that is online. May sleep. */
void hypercall_sync(void);

/* Whether any CPU is inside. */
bool hypercall_enabled(void);

/* The CPUs inside; changes only on the CPU concerned, with interrupts off. */
const struct cpumask *hypercall_cpus(void);
void hypercall_entered(void);
void hypercall_left(void);

#endif
