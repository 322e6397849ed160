/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * CPUs that go offline and come back, and the states of sleep that would end the
 * monitor unseen. All here is for a host that means well: a CPU stays inside
 * without it, and what a hostile host can still do is in docs/threat-model.md.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cpuhotplug.h>
#include <linux/cpumask.h>
#include <linux/notifier.h>
#include <linux/printk.h>
#include <linux/suspend.h>
#include <ringwall/hypercall.h>

#include "hotplug.h"
#include "hypercall.h"

/* What cpuhp_setup_state() chose. */
static enum cpuhp_state online_state, prepare_state;

/* A CPU that was not there when the others entered would run outside. */
static int prepare(unsigned int cpu)
{
	if (!hypercall_enabled() || cpumask_test_cpu(cpu, hypercall_cpus()))
		return 0;
	pr_err("CPU %u may not start: it is new, and would run outside the monitor\n",
	       cpu);
	return -EPERM;
}

/* Both run on the CPU itself. The first CPU is woken by an NMI, not started. */
static int announce(unsigned int cpu, bool offline)
{
	if (cpu)
		hypercall(RW_HC_OFFLINE, offline, 0, NULL);
	return 0;
}

static int goes_online(unsigned int cpu)
{
	return announce(cpu, false);
}

static int goes_offline(unsigned int cpu)
{
	return announce(cpu, true);
}

/* Asleep, the CPUs lose VMX, and wake up outside. */
static int power_changes(struct notifier_block *nb, unsigned long event,
			 void *unused)
{
	if (!hypercall_enabled() ||
	    (event != PM_SUSPEND_PREPARE && event != PM_HIBERNATION_PREPARE &&
	     event != PM_RESTORE_PREPARE))
		return NOTIFY_DONE;
	pr_err("no suspend or hibernation while the monitor is enabled: it would not survive\n");
	return notifier_from_errno(-EBUSY);
}

static struct notifier_block power = { .notifier_call = power_changes };

static int setup(enum cpuhp_state where, const char *name,
		 int (*up)(unsigned int), int (*down)(unsigned int),
		 enum cpuhp_state *ret_state)
{
	int state = cpuhp_setup_state_nocalls(where, name, up, down);

	if (state < 0)
		return state;
	*ret_state = state;
	return 0;
}

int hotplug_init(void)
{
	int error = setup(CPUHP_BP_PREPARE_DYN, "ringwall:prepare", prepare,
			  NULL, &prepare_state);

	if (error)
		return error;
	error = setup(CPUHP_AP_ONLINE_DYN, "ringwall:online", goes_online,
		      goes_offline, &online_state);
	if (error)
		goto no_online;
	error = register_pm_notifier(&power);
	if (error)
		goto no_power;
	return 0;

no_power:
	cpuhp_remove_state_nocalls(online_state);
no_online:
	cpuhp_remove_state_nocalls(prepare_state);
	return error;
}

void hotplug_exit(void)
{
	unregister_pm_notifier(&power);
	cpuhp_remove_state_nocalls(online_state);
	cpuhp_remove_state_nocalls(prepare_state);
}
