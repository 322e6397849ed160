/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Makes one call that the driver makes to the kernel fail, by a probe at the
 * function's first instruction: the function does not run, its caller gets the
 * failure. Calls of others pass.
 *
 *   echo N >/sys/module/faults/parameters/fail	call N from now fails, 0 the first
 *   cat /sys/module/faults/parameters/fail	-1 once it has
 *   cat /sys/module/faults/parameters/name	which function that was
 */
#include <linux/kallsyms.h>
#include <linux/kprobes.h>
#include <linux/linkage.h>
#include <linux/module.h>
#include <linux/string.h>

static int fail = -1;
module_param(fail, int, 0600);

static char *name = "";
module_param(name, charp, 0400);

struct target {
	struct kprobe probe;
	long result;
};

static int before(struct kprobe *probe, struct pt_regs *regs);

/* With a handler behind it the probe is not made a jump, which could not skip. */
static void behind(struct kprobe *probe, struct pt_regs *regs,
		   unsigned long flags)
{
}

#define TARGET(function, value)                      \
	{                                            \
		.probe = { .symbol_name = #function, \
			   .pre_handler = before,    \
			   .post_handler = behind }, \
		.result = (value),                   \
	}

static struct target targets[] = {
	TARGET(alloc_pages_exact, 0),
	TARGET(__get_free_pages, 0),
	TARGET(get_zeroed_page, 0),
	TARGET(kmalloc_trace, 0),
	TARGET(__kmalloc, 0),
	TARGET(vmemdup_user, -ENOMEM),
	TARGET(smp_call_function_single, -ENXIO),
	TARGET(walk_iomem_res_desc, -EINVAL),
};

/* Where a skipped function returns from. */
asm(".pushsection .text\n"
    ".type faults_return, @function\n"
    "faults_return:\n" ASM_RET ".size faults_return, . - faults_return\n"
    ".popsection\n");
extern const char faults_return[];

static bool is_driver(unsigned long address)
{
	char text[KSYM_SYMBOL_LEN];

	if (address < MODULES_VADDR || address >= MODULES_END)
		return false;
	sprint_symbol(text, address);
	return strstr(text, "[ringwall]");
}

static int before(struct kprobe *probe, struct pt_regs *regs)
{
	const struct target *t = container_of(probe, struct target, probe);

	if (READ_ONCE(fail) < 0 || !is_driver(*(unsigned long *)regs->sp))
		return 0;
	if (fail-- > 0)
		return 0;
	name = (char *)probe->symbol_name;
	regs->ax = t->result;
	regs->ip = (unsigned long)faults_return;
	return 1;
}

static int __init faults_init(void)
{
	size_t i;
	int error;

	for (i = 0; i < ARRAY_SIZE(targets); i++) {
		error = register_kprobe(&targets[i].probe);
		if (!error)
			continue;
		pr_err("no probe on %s: %d\n", targets[i].probe.symbol_name,
		       error);
		while (i--)
			unregister_kprobe(&targets[i].probe);
		return error;
	}
	return 0;
}

static void __exit faults_exit(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(targets); i++)
		unregister_kprobe(&targets[i].probe);
}

module_init(faults_init);
module_exit(faults_exit);

MODULE_AUTHOR("The Ringwall project");
MODULE_DESCRIPTION("Failures in the driver's calls to the kernel, for tests");
MODULE_LICENSE("Dual MIT/GPL");
