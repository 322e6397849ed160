/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * What must hold before any CPU may cross. Changes nothing but an unlocked
 * IA32_FEATURE_CONTROL.
 */
#ifndef RINGWALL_DRIVER_CHECK_H
#define RINGWALL_DRIVER_CHECK_H

#include <ringwall/error.h>

/*
 * Looks at every present CPU. Returns RW_OK, or the first cause found
 * (RW_E_CPU_OFFLINE, E_CPU_COUNT, E_NO_VTX, E_VTX_LOCKED, E_VMX_IN_USE, E_LA57,
 * E_CAPABILITY) with its CPU in *ret_cpu; a gap in the CPUs' numbers counts as
 * E_CPU_COUNT. Under cpus_read_lock(). May sleep.
 */
RW_MUST_USE enum rw_error check_cpus(u32 *ret_cpu);

#endif
