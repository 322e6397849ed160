/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Taking every CPU into the monitor and out again: all or none. The caller
 * holds the driver's mutex.
 */
#ifndef RINGWALL_DRIVER_ENABLE_H
#define RINGWALL_DRIVER_ENABLE_H

#include <linux/types.h>
#include <ringwall/error.h>

#define NO_CPU U32_MAX

/*
 * Enables the loaded image on every present CPU. On failure no CPU is inside
 * and *ret_cpu is the CPU that could not be taken, or NO_CPU. Besides the
 * errors of check_cpus() and memory_donate(): E_ALREADY_ENABLED, E_NOT_LOADED,
 * and what the monitor returns.
 */
RW_MUST_USE enum rw_error enable(u32 *ret_cpu);

/*
 * Takes every CPU out and frees the memory. Refused by the monitor
 * (RW_E_LOCKED) nothing changes; RW_E_STATE if a CPU was stopped by a fault of
 * the monitor, RW_E_CPU_OFFLINE if one is offline: it could not be taken out.
 */
RW_MUST_USE enum rw_error disable(u32 *ret_cpu);

/* Bytes the monitor holds. */
u64 enable_donated(void);

#endif
