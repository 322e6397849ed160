/* SPDX-License-Identifier: MIT */
/*
 * Finds the running kernel by itself: the KASLR slide from the system call
 * entry and the signed build-id, the physical pages from the guest's tables.
 */
#ifndef MONITOR_LOCATE_H
#define MONITOR_LOCATE_H

#include <ringwall/addr.h>
#include <ringwall/error.h>
#include <ringwall/policy.h>

struct pcpu;

/**
 * The slide at which the kernel of the policy runs on this CPU.
 * RW_E_POLICY_KERNEL: nowhere, so this is another kernel.
 */
enum rw_error locate_slide(struct pcpu *cpu, const struct rw_policy_kernel *k,
			   uint64_t *ret_slide);

/**
 * The physical start of a linear stretch of the kernel image, all of it mapped
 * in one piece. RW_E_POLICY_KERNEL_RANGE.
 */
enum rw_error locate_range(struct pcpu *cpu, uint64_t start, uint64_t end,
			   gpa_t *ret);

/**
 * The executable stretch of the kernel's mapping is exactly [start, end).
 * RW_E_POLICY_KERNEL_RANGE.
 */
enum rw_error locate_text(struct pcpu *cpu, uint64_t start, uint64_t end);

#endif
