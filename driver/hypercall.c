/* SPDX-License-Identifier: GPL-2.0 OR MIT */
#include <linux/gfp.h>
#include <linux/irqflags.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/smp.h>
#include <linux/string.h>

#include "hypercall.h"

static struct cpumask inside;

static enum rw_error vmcall(enum rw_hypercall number, u64 a, u64 b,
			    u64 *ret_value)
{
	u64 error = number, value = 0;

	asm volatile("vmcall"
		     : "+a"(error), "+d"(value)
		     : "D"(a), "S"(b)
		     : "memory", "cc");
	if (!error && ret_value)
		*ret_value = value;
	return error;
}

/*
 * Interrupts stay off between the look at the mask and VMCALL: a CPU leaves in
 * an interrupt of its own.
 */
enum rw_error hypercall(enum rw_hypercall number, u64 a, u64 b, u64 *ret_value)
{
	enum rw_error error = RW_E_NOT_ENABLED;
	unsigned long flags;

	local_irq_save(flags);
	if (cpumask_test_cpu(smp_processor_id(), &inside))
		error = vmcall(number, a, b, ret_value);
	local_irq_restore(flags);
	return error;
}

enum rw_error hypercall_page(enum rw_hypercall number, u64 b, void *buffer,
			     size_t size)
{
	void *page = (void *)get_zeroed_page(GFP_KERNEL);
	enum rw_error error;

	if (!page)
		return RW_E_NO_MEMORY;
	error = hypercall(number, __pa(page), b, NULL);
	if (!error)
		memcpy(buffer, page, min_t(size_t, size, PAGE_SIZE));
	free_page((unsigned long)page);
	return error;
}

static void sync_this_cpu(void *unused)
{
	hypercall(RW_HC_SYNC, 0, 0, NULL);
}

void hypercall_sync(void)
{
	on_each_cpu(sync_this_cpu, NULL, 1);
}

bool hypercall_enabled(void)
{
	return !cpumask_empty(&inside);
}

const struct cpumask *hypercall_cpus(void)
{
	return &inside;
}

void hypercall_entered(void)
{
	cpumask_set_cpu(smp_processor_id(), &inside);
}

void hypercall_left(void)
{
	cpumask_clear_cpu(smp_processor_id(), &inside);
}
