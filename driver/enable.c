/* SPDX-License-Identifier: GPL-2.0 OR MIT */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cpu.h>
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/smp.h>
#include <linux/stddef.h>
#include <linux/string.h>
#include <asm/processor.h>
#include <ringwall/status.h>

#include "check.h"
#include "donate.h"
#include "enable.h"
#include "entry.h"
#include "events.h"
#include "hypercall.h"
#include "image.h"
#include "memory.h"

static_assert(offsetof(struct rw_crossing, rip) == CROSSING_RIP);
static_assert(offsetof(struct rw_crossing, rsp) == CROSSING_RSP);
static_assert(offsetof(struct rw_crossing, cr3) == CROSSING_CR3);
static_assert(offsetof(struct rw_crossing, transition) == CROSSING_TRANSITION);
static_assert(sizeof(struct rw_crossing) == CROSSING_SIZE);
static_assert(RW_HC_SYNC == CROSSING_SYNC);
static_assert(RW_E_VMENTRY == CROSSING_FAILED);

/*
 * Two pages, so that the first is aligned to 8 KiB: the kernel's entry code
 * takes bit 12 of CR3 for "the user's table" when it isolates page tables.
 */
#define TRANSITION_ORDER 1

static struct memory donated;

struct crossing {
	u64 *transition;
	enum rw_error error;
};

/*
 * On the CPU to take, interrupts off. The table in use while it crosses is the
 * kernel's upper half as this CPU sees it, and the monitor's slots.
 */
static void cross_this_cpu(void *arg)
{
	const size_t half = PTRS_PER_PGD / 2;
	struct crossing *c = arg;
	const u64 *now = __va(read_cr3_pa());

	memcpy(c->transition + half, now + half, half * sizeof(u64));
	memcpy(c->transition + RW_VA_SLOT_FIRST, donated.slot,
	       sizeof(donated.slot));
	c->error = rw_cross(donated.entry, donated.boot, smp_processor_id(),
			    __pa(c->transition));
	if (!c->error)
		hypercall_entered();
}

static void leave_this_cpu(void *ret_error)
{
	enum rw_error error = hypercall(RW_HC_DISABLE, 0, 0, NULL);

	if (!error)
		hypercall_left();
	*(enum rw_error *)ret_error = error;
}

/* Stops at the first CPU that does not leave. */
static enum rw_error leave_all(u32 *ret_cpu)
{
	unsigned int cpu;

	for_each_cpu(cpu, hypercall_cpus()) {
		enum rw_error error = RW_E_CPU_OFFLINE;

		smp_call_function_single(cpu, leave_this_cpu, &error, 1);
		if (error) {
			*ret_cpu = cpu;
			return error;
		}
	}
	return RW_OK;
}

static enum rw_error cross_all(u32 *ret_cpu)
{
	struct crossing c = { .error = RW_OK };
	unsigned int cpu;

	c.transition = (u64 *)__get_free_pages(GFP_KERNEL | __GFP_ZERO,
					       TRANSITION_ORDER);
	if (!c.transition)
		return RW_E_NO_MEMORY;
	for_each_online_cpu(cpu) {
		*ret_cpu = cpu;
		c.error = RW_E_CPU_OFFLINE;
		smp_call_function_single(cpu, cross_this_cpu, &c, 1);
		if (c.error)
			break;
	}
	free_pages((unsigned long)c.transition, TRANSITION_ORDER);
	return c.error;
}

/* Lets go of all that enabling took, once every CPU is outside. */
static void release(void)
{
	donate_release();
	memory_release(&donated);
	events_end();
	module_put(THIS_MODULE);
}

/* A CPU that does not come out keeps the memory and the module where they are. */
static void roll_back(void)
{
	u32 cpu;
	enum rw_error error = leave_all(&cpu);

	if (error)
		pr_err("CPU %u did not leave the monitor (error %d), its memory stays\n",
		       cpu, error);
	else
		release();
}

static enum rw_error enable_locked(u32 *ret_cpu)
{
	enum rw_error error = check_cpus(ret_cpu);

	if (error)
		return error;
	*ret_cpu = NO_CPU;
	error = memory_donate(&donated, image_loaded(), num_present_cpus(),
			      events_begin());
	if (error) {
		events_end();
		return error;
	}
	__module_get(THIS_MODULE);
	error = cross_all(ret_cpu);
	if (error) {
		roll_back();
		return error;
	}
	donate_open();
	events_start();
	return RW_OK;
}

enum rw_error enable(u32 *ret_cpu)
{
	enum rw_error error;

	*ret_cpu = NO_CPU;
	if (hypercall_enabled())
		return RW_E_ALREADY_ENABLED;
	if (!image_loaded())
		return RW_E_NOT_LOADED;

	cpus_read_lock();
	error = enable_locked(ret_cpu);
	cpus_read_unlock();
	if (!error)
		*ret_cpu = NO_CPU;
	return error;
}

/* A call to a CPU that cannot answer would wait for ever. */
static enum rw_error check_can_leave(u32 *ret_cpu)
{
	struct rw_cpu_status status;
	enum rw_error error;
	unsigned int cpu;

	for_each_cpu(cpu, hypercall_cpus()) {
		*ret_cpu = cpu;
		if (!cpu_online(cpu))
			return RW_E_CPU_OFFLINE;
		error = hypercall_page(RW_HC_CPU_STATUS, cpu, &status,
				       sizeof(status));
		if (error)
			return error;
		if (status.state == RW_CPU_STOPPED)
			return RW_E_STATE;
	}
	return RW_OK;
}

enum rw_error disable(u32 *ret_cpu)
{
	enum rw_error error;

	*ret_cpu = NO_CPU;
	if (!hypercall_enabled())
		return RW_E_NOT_ENABLED;

	donate_close();
	cpus_read_lock();
	error = check_can_leave(ret_cpu);
	if (!error)
		error = leave_all(ret_cpu);
	cpus_read_unlock();
	if (error && cpumask_equal(hypercall_cpus(), cpu_present_mask))
		donate_open();
	if (error)
		return error;
	*ret_cpu = NO_CPU;
	release();
	return RW_OK;
}

u64 enable_donated(void)
{
	return donated.donated + donate_bytes();
}
