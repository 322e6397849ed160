/* SPDX-License-Identifier: MIT */
/* Read-only data of the kernel: system call table, operations, parameters. */
#include "monitor/guard/guard.h"

static void extent(const struct rw_policy_kernel *kernel, uint64_t *ret_start,
		   uint64_t *ret_end)
{
	*ret_start = kernel->rodata_start;
	*ret_end = kernel->rodata_end;
}

GUARD(kernel_rodata) = {
	.target = RW_TARGET_KERNEL_RODATA,
	.extent = extent,
};
