/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Attackers on every CPU but the first that write to the same pages without a
 * pause, through mappings of their own, interrupts off most of the time. A byte is
 * replaced by itself, so nothing breaks while nothing stops them.
 *
 *   insmod hammer.ko target=ADDRESS[,ADDRESS...]	kernel text or data
 *
 * What came of it is in /sys/module/hammer/parameters: per CPU, how many writes
 * went through, when the last of them began, and how many were stopped.
 */
#include <linux/err.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/vmalloc.h>
#include <asm/asm.h>
#include <asm/msr.h>

#define CPUS	8
#define TARGETS 8
#define BURST	5000 /* writes with interrupts off, until one is stopped */

static ulong target[TARGETS];
static unsigned int targets;
module_param_array(target, ulong, &targets, 0444);
MODULE_PARM_DESC(target, "Linear addresses of bytes of the kernel's image");

static ulong passed[CPUS], last_passed[CPUS], stopped[CPUS];
module_param_array(passed, ulong, NULL, 0444);
MODULE_PARM_DESC(passed, "Writes that went through, by CPU");
module_param_array(last_passed, ulong, NULL, 0444);
MODULE_PARM_DESC(last_passed, "TSC just before the last of them");
module_param_array(stopped, ulong, NULL, 0444);
MODULE_PARM_DESC(stopped, "Writes that faulted, by CPU");

static struct task_struct *thread[CPUS];
static void *mapping[TARGETS];

/* It would take %l for an operator. */
/* clang-format off */
static bool write_byte(u8 *to, u8 value)
{
	asm goto("1: movb %0, (%1)\n" _ASM_EXTABLE(1b, %l[fault])
		 : : "q"(value), "r"(to) : "memory" : fault);
	return true;
fault:
	return false;
}
/* clang-format on */

static bool hit(unsigned int cpu, u8 *at)
{
	u8 value = READ_ONCE(*at);
	u64 now = rdtsc_ordered();

	if (write_byte(at, value)) {
		passed[cpu]++;
		WRITE_ONCE(last_passed[cpu], now);
		return true;
	}
	stopped[cpu]++;
	return false;
}

static int hammer(void *arg)
{
	unsigned int cpu = (unsigned long)arg, i;

	while (!kthread_should_stop()) {
		local_irq_disable();
		for (i = 0; i < BURST; i++)
			if (!hit(cpu,
				 (u8 *)mapping[i % targets] +
					 offset_in_page(target[i % targets])))
				break;
		local_irq_enable();
		cond_resched();
	}
	return 0;
}

static void stop(void)
{
	unsigned int cpu, i;

	for (cpu = 0; cpu < CPUS; cpu++)
		if (thread[cpu])
			kthread_stop(thread[cpu]);
	for (i = 0; i < targets; i++)
		vunmap(mapping[i]);
}

static int map(void)
{
	unsigned int i;

	for (i = 0; i < targets; i++) {
		struct page *page =
			pfn_to_page(PHYS_PFN(__pa_symbol(target[i])));

		mapping[i] = vmap(&page, 1, VM_MAP, PAGE_KERNEL);
		if (!mapping[i])
			return -ENOMEM;
	}
	return 0;
}

static int __init hammer_init(void)
{
	unsigned long cpu;
	int error;

	if (!targets)
		return -EINVAL;
	error = map();
	for (cpu = 1; !error && cpu < CPUS && cpu < num_online_cpus(); cpu++) {
		struct task_struct *t =
			kthread_create(hammer, (void *)cpu, "ringwall-hammer");

		if (IS_ERR(t)) {
			error = PTR_ERR(t);
			break;
		}
		thread[cpu] = t;
		kthread_bind(t, cpu);
		wake_up_process(t);
	}
	if (error)
		stop();
	return error;
}

static void __exit hammer_exit(void)
{
	stop();
}

module_init(hammer_init);
module_exit(hammer_exit);

MODULE_AUTHOR("The Ringwall project");
MODULE_DESCRIPTION(
	"Writes to what Ringwall protects without a pause, for tests");
MODULE_LICENSE("Dual MIT/GPL");
