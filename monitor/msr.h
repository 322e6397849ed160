/* SPDX-License-Identifier: MIT */
/* MSR accesses that exit: msr.def has each with its reason. */
#ifndef MONITOR_MSR_H
#define MONITOR_MSR_H

#include <ringwall/addr.h>
#include <ringwall/error.h>

/** Builds the MSR bitmap all CPUs share. RW_E_NO_MEMORY. */
enum rw_error msr_init(void);

/** The bitmap page, for the VMCS. */
hpa_t msr_bitmap(void);

#endif
