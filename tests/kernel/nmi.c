/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Sends NMIs to every CPU and counts what arrives. Each has a number that is
 * raised before it is sent; the handler notes the number it finds. NMIs merge
 * while one is handled, so fewer may arrive than were sent, but whoever sent the
 * last one finds it noted: else it was lost.
 *
 *   insmod nmi.ko single=100 storm=5000
 *   NMI cpu=0 single=100 handled=100 storm=5000 handled=3127 lost=0
 *
 * single: one after the other, each waited for, so none can merge. storm: as
 * fast as the local APIC takes them, from the next CPU (on one CPU: its own).
 */
#define pr_fmt(fmt) fmt

#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/percpu.h>
#include <linux/sched.h>
#include <asm/apic.h>
#include <asm/nmi.h>

#define PATIENCE 20000000UL /* turns of a loop: some 5 s of the guest's time */

static unsigned int single = 100;
module_param(single, uint, 0400);

static unsigned int storm = 5000;
module_param(storm, uint, 0400);

struct count {
	u64 sent;  /* by one sender at a time */
	u64 noted; /* by this CPU's handler */
	u64 handled;
};

static DEFINE_PER_CPU(struct count, counts);

static struct result {
	u64 single, storm;
	u64 lost;
} results[NR_CPUS];

static atomic_t running;

static int handler(unsigned int type, struct pt_regs *regs)
{
	struct count *c = this_cpu_ptr(&counts);
	u64 sent = smp_load_acquire(&c->sent);

	WRITE_ONCE(c->handled, c->handled + 1);
	smp_store_release(&c->noted, sent);
	return NMI_HANDLED;
}

static void send(unsigned int to)
{
	struct count *c = per_cpu_ptr(&counts, to);

	smp_store_release(&c->sent, c->sent + 1);
	apic->send_IPI(to, NMI_VECTOR);
}

/* True if the last one sent was noted in time. */
static bool arrives(unsigned int to)
{
	struct count *c = per_cpu_ptr(&counts, to);
	unsigned long turns = PATIENCE;

	while (smp_load_acquire(&c->noted) != c->sent)
		if (!--turns)
			return false;
		else
			cpu_relax();
	return true;
}

static int sender(void *target)
{
	unsigned int to = (unsigned long)target;
	const struct count *c = per_cpu_ptr(&counts, to);
	struct result *r = &results[to];
	unsigned int i;

	for (i = 0; i < single && !r->lost; i++) {
		send(to);
		r->lost += !arrives(to);
		cond_resched();
	}
	r->single = READ_ONCE(c->handled);
	for (i = 0; i < storm; i++) {
		send(to);
		if (i % 100 == 99)
			cond_resched();
	}
	r->lost += !arrives(to);
	r->storm = READ_ONCE(c->handled) - r->single;
	atomic_dec(&running);
	return 0;
}

static unsigned int next_cpu(unsigned int cpu)
{
	unsigned int next = cpumask_next(cpu, cpu_online_mask);

	return next < nr_cpu_ids ? next : cpumask_first(cpu_online_mask);
}

static int begin_sender(unsigned int to)
{
	struct task_struct *thread =
		kthread_create(sender, (void *)(unsigned long)to, "nmi/%u", to);

	if (IS_ERR(thread))
		return PTR_ERR(thread);
	kthread_bind(thread, next_cpu(to));
	atomic_inc(&running);
	wake_up_process(thread);
	return 0;
}

static int __init nmi_init(void)
{
	unsigned int cpu;
	int error = register_nmi_handler(NMI_LOCAL, handler, NMI_FLAG_FIRST,
					 "ringwall-test");

	if (error)
		return error;
	for_each_online_cpu(cpu)
		error = error ? error : begin_sender(cpu);
	while (atomic_read(&running))
		msleep(1);
	for_each_online_cpu(cpu)
		pr_info("NMI cpu=%u single=%u handled=%llu storm=%u handled=%llu lost=%llu\n",
			cpu, single, results[cpu].single, storm,
			results[cpu].storm, results[cpu].lost);
	unregister_nmi_handler(NMI_LOCAL, "ringwall-test");
	return error;
}

static void __exit nmi_exit(void)
{
}

module_init(nmi_init);
module_exit(nmi_exit);

MODULE_AUTHOR("The Ringwall project");
MODULE_DESCRIPTION("NMIs by the thousand, for tests");
MODULE_LICENSE("Dual MIT/GPL");
