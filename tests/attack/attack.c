/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * An attacker with full rights in ring 0, for tests and the demo: one write to
 * what Ringwall protects, in the way `what` names, by a thread of its own so
 * that a fault kills nobody else. Says in one line of the log what came of it,
 * and undoes a change that went through.
 *
 *   insmod attack.ko what=text-kernel cpu=1
 *   ATTACK what=text-kernel cpu=1 address=... before=0f attempted=f0 after=0f
 *   changed=0 fault=0 killed=1
 *
 * Only exported symbols. Another target than the table's comes as addr=.
 */
#define pr_fmt(fmt) fmt

#include <linux/delay.h>
#include <linux/kallsyms.h>
#include <linux/kdebug.h>
#include <linux/kernel.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/reboot.h>
#include <linux/sched.h>
#include <linux/sched/task.h>
#include <linux/sizes.h>
#include <linux/string.h>
#include <linux/vmalloc.h>
#include <asm/asm.h>
#include <asm/processor-flags.h>
#include <asm/special_insns.h>

static char *what = "text";
module_param(what, charp, 0444);
MODULE_PARM_DESC(
	what,
	"Which attack: see the table in attack.c, monitor-sweep or memory-look");

static int cpu;
module_param(cpu, int, 0444);
MODULE_PARM_DESC(cpu, "CPU to attack from");

static ulong addr;
module_param(addr, ulong, 0444);
MODULE_PARM_DESC(addr,
		 "Target, physical for monitor-*; 0: one the module knows");

static int value = -1;
module_param(value, int, 0444);
MODULE_PARM_DESC(value, "Byte to write; -1: the complement of what is there");

static int number = 39;
module_param(number, int, 0444);
MODULE_PARM_DESC(number, "Entry of the system call table, for what=syscall");

static bool nofault;
module_param(nofault, bool, 0444);
MODULE_PARM_DESC(nofault, "Catch a fault instead of dying of it");

/* Through which mapping of the target's page. */
enum alias {
	ALIAS_OWN,    /* the kernel's own */
	ALIAS_DIRECT, /* the direct map */
	ALIAS_FRESH,  /* a new one by vmap() */
};

struct attack {
	const char *name;
	enum alias alias;
	bool clear_wp;	    /* CR0.WP off around the access */
	bool read;	    /* instead of write */
	bool monitor;	    /* the target is the monitor's memory */
	bool whole_entry;   /* 8 bytes: an entry of the system call table */
	const void *target; /* if addr is 0 */
};

static const struct attack attacks[] = {
	{ .name = "text", .alias = ALIAS_FRESH, .target = kernel_halt },
	{ .name = "text-direct",
	  .alias = ALIAS_DIRECT,
	  .clear_wp = true,
	  .target = kernel_halt },
	{ .name = "text-kernel",
	  .alias = ALIAS_OWN,
	  .clear_wp = true,
	  .target = kernel_halt },
	{ .name = "rodata", .alias = ALIAS_FRESH, .target = hex_asc },
	{ .name = "rodata-direct",
	  .alias = ALIAS_DIRECT,
	  .clear_wp = true,
	  .target = hex_asc },
	{ .name = "rodata-kernel",
	  .alias = ALIAS_OWN,
	  .clear_wp = true,
	  .target = hex_asc },
	{ .name = "syscall",
	  .alias = ALIAS_OWN,
	  .clear_wp = true,
	  .whole_entry = true }, /* the target is searched for */
	{ .name = "monitor-read",
	  .alias = ALIAS_DIRECT,
	  .read = true,
	  .monitor = true },
	{ .name = "monitor-read-fresh",
	  .alias = ALIAS_FRESH,
	  .read = true,
	  .monitor = true },
	{ .name = "monitor-write", .alias = ALIAS_DIRECT, .monitor = true },
	{ .name = "monitor-write-fresh", .alias = ALIAS_FRESH, .monitor = true },
};

/* One attack as it goes. */
static struct {
	const struct attack *attack;
	u8 *alias;     /* of the target */
	void *mapping; /* to vunmap() */
	u64 before, attempted, after;
	bool fault; /* caught */
	bool done;  /* the thread lived to say so */
	bool wp_cleared;
	struct task_struct *thread;
} run;

/*
 * Counts of pages, for what=monitor-sweep; end is the last page frame. block:
 * where there are 2 MiB of the monitor's in one piece.
 */
#define BLOCK_PAGES (SZ_2M / PAGE_SIZE)
#define BLOCKS	    16

static struct {
	unsigned long end, pages, readable, nonzero, writable;
	u64 block[BLOCKS];
	unsigned int blocks;
} sweep;

/* What a patched system call table would lead to. */
static long stolen_call(const struct pt_regs *regs)
{
	return -ENOSYS;
}

/* The kernel's own function puts WP back; an attacker uses the instruction. */
static void write_cr0_raw(unsigned long cr0)
{
	asm volatile("mov %0, %%cr0" : : "r"(cr0) : "memory");
}

static void set_wp(bool on)
{
	unsigned long cr0 = read_cr0();

	write_cr0_raw(on ? cr0 | X86_CR0_WP : cr0 & ~X86_CR0_WP);
	run.wp_cleared = !on;
}

/* The attacker dies of its fault; the CPU it leaves behind must be as before. */
static int on_die(struct notifier_block *block, unsigned long reason,
		  void *data)
{
	if (current == run.thread && run.wp_cleared)
		set_wp(true);
	return NOTIFY_DONE;
}

static struct notifier_block die_notifier = { .notifier_call = on_die };

/* It would take %l for an operator. */
/* clang-format off */
static bool write_caught(u8 *to, u64 v, bool whole)
{
	if (whole)
		asm goto("1: movq %0, (%1)\n" _ASM_EXTABLE(1b, %l[fault])
			 : : "r"(v), "r"(to) : "memory" : fault);
	else
		asm goto("1: movb %b0, (%1)\n" _ASM_EXTABLE(1b, %l[fault])
			 : : "q"(v), "r"(to) : "memory" : fault);
	return true;
fault:
	return false;
}
/* clang-format on */

static bool read_caught(const u8 *from, u64 *ret)
{
	int error = -EFAULT;
	u8 byte = 0;

	asm volatile("1: movb (%2), %0\n"
		     "xorl %1, %1\n"
		     "2:\n" _ASM_EXTABLE(1b, 2b)
		     : "+q"(byte), "+r"(error)
		     : "r"(from)
		     : "memory");
	*ret = byte;
	return !error;
}

static u64 read_plain(const u8 *from)
{
	if (run.attack->whole_entry)
		return READ_ONCE(*(const u64 *)from);
	return READ_ONCE(*from);
}

static void write_plain(u8 *to, u64 v)
{
	if (run.attack->whole_entry)
		WRITE_ONCE(*(u64 *)to, v);
	else
		WRITE_ONCE(*to, v);
}

static void access_target(void)
{
	const struct attack *a = run.attack;

	if (a->read && nofault)
		run.fault = !read_caught(run.alias, &run.after);
	else if (a->read)
		run.after = read_plain(run.alias);
	else if (nofault)
		run.fault =
			!write_caught(run.alias, run.attempted, a->whole_entry);
	else
		write_plain(run.alias, run.attempted);
}

/*
 * Every page of the monitor, read and written once through the direct map. The
 * driver marks what it donated; an attacker finds it just so.
 */
static int sweep_thread(void *unused)
{
	unsigned long pfn, together = 0;
	u64 byte;

	for (pfn = 0; pfn < sweep.end; pfn++) {
		u8 *page;

		if (!pfn_valid(pfn) || !PageOffline(pfn_to_page(pfn))) {
			together = 0;
			continue;
		}
		together++;
		if ((pfn + 1) % BLOCK_PAGES == 0 && together >= BLOCK_PAGES &&
		    sweep.blocks < BLOCKS)
			sweep.block[sweep.blocks++] =
				PFN_PHYS(pfn + 1 - BLOCK_PAGES);
		page = pfn_to_kaddr(pfn);
		sweep.pages++;
		if (read_caught(page, &byte)) {
			sweep.readable++;
			sweep.nonzero += byte != 0;
		}
		sweep.writable += write_caught(page, 0, false);
	}
	smp_store_release(&run.done, true);
	return 0;
}

/* The 2 MiB from addr, which should be the guest's. */
static int look_thread(void *unused)
{
	unsigned long pfn = PHYS_PFN(addr);
	u64 byte;

	for (; sweep.pages < BLOCK_PAGES && pfn_valid(pfn); pfn++) {
		const u8 *page = pfn_to_kaddr(pfn);

		sweep.pages++;
		if (!read_caught(page, &byte))
			continue;
		sweep.readable++;
		sweep.nonzero += memchr_inv(page, 0, PAGE_SIZE) != NULL;
	}
	smp_store_release(&run.done, true);
	return 0;
}

static int attack_thread(void *unused)
{
	const struct attack *a = run.attack;
	unsigned long flags;

	local_irq_save(flags);
	if (a->clear_wp)
		set_wp(false);
	access_target();
	if (!a->monitor) {
		run.after = read_plain(run.alias);
		if (run.after != run.before)
			write_caught(run.alias, run.before, a->whole_entry);
	}
	if (a->clear_wp)
		set_wp(true);
	local_irq_restore(flags);
	smp_store_release(&run.done, true);
	return 0;
}

/* Runs a thread to its end, whichever that is. */
static int run_thread(int (*function)(void *unused))
{
	run.thread = kthread_create(function, NULL, "ringwall-attack");
	if (IS_ERR(run.thread))
		return PTR_ERR(run.thread);
	get_task_struct(run.thread);
	kthread_bind(run.thread, cpu);
	wake_up_process(run.thread);
	while (!smp_load_acquire(&run.done) &&
	       !READ_ONCE(run.thread->exit_state))
		msleep(1);
	put_task_struct(run.thread);
	return 0;
}

static u64 find_monitor_page(void)
{
	unsigned long pfn;

	for (pfn = 0; pfn < sweep.end; pfn++)
		if (pfn_valid(pfn) && PageOffline(pfn_to_page(pfn)))
			return PFN_PHYS(pfn);
	return 0;
}

/*
 * The system call table is near the start of rodata, which is 2 MiB aligned:
 * from there to a constant whose address is exported, symbol by symbol.
 */
static u64 find_syscall_table(void)
{
	u64 at = (u64)hex_asc & ~(SZ_2M - 1ULL), end = (u64)hex_asc;
	char text[KSYM_SYMBOL_LEN], name[KSYM_NAME_LEN];
	unsigned long offset, size;

	while (at < end) {
		sprint_symbol(text, at);
		if (sscanf(text, "%511[^+]+0x%lx/0x%lx", name, &offset,
			   &size) != 3 ||
		    size <= offset) {
			at += sizeof(u64);
			continue;
		}
		if (!strcmp(name, "sys_call_table"))
			return at - offset;
		at += size - offset;
	}
	return 0;
}

static u64 target_address(void)
{
	const struct attack *a = run.attack;
	u64 table;

	if (a->whole_entry) {
		table = addr ? addr : find_syscall_table();
		return table ? table + number * sizeof(u64) : 0;
	}
	if (addr)
		return addr;
	return a->monitor ? find_monitor_page() : (u64)a->target;
}

static int map_target(u64 address)
{
	const struct attack *a = run.attack;
	u64 physical = a->monitor ? address : __pa_symbol(address);
	struct page *page;

	if (!pfn_valid(PHYS_PFN(physical)))
		return -EINVAL;
	page = pfn_to_page(PHYS_PFN(physical));
	switch (a->alias) {
	case ALIAS_OWN:
		run.alias = (u8 *)address;
		return 0;
	case ALIAS_DIRECT:
		run.alias = __va(physical);
		return 0;
	case ALIAS_FRESH:
		run.mapping = vmap(&page, 1, VM_MAP, PAGE_KERNEL);
		if (!run.mapping)
			return -ENOMEM;
		run.alias = (u8 *)run.mapping + offset_in_page(address);
		return 0;
	}
	return -EINVAL;
}

static void choose_bytes(void)
{
	const struct attack *a = run.attack;

	if (!a->monitor)
		run.before = read_plain(run.alias);
	if (a->whole_entry)
		run.attempted = (u64)stolen_call;
	else if (!a->read)
		run.attempted = value < 0 ? (u8)~run.before : (u8)value;
}

static const struct attack *find_attack(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(attacks); i++)
		if (!strcmp(attacks[i].name, name))
			return &attacks[i];
	return NULL;
}

static int prepare(u64 *ret_address)
{
	run.attack = find_attack(what);
	if (!run.attack)
		return -EINVAL;
	*ret_address = target_address();
	if (!*ret_address)
		return -ENXIO;
	return map_target(*ret_address);
}

static int attack_one(void)
{
	u64 address;
	int error = prepare(&address);

	if (error)
		return error;
	choose_bytes();
	error = run_thread(attack_thread);
	if (!error && !run.done && !run.attack->monitor)
		run.after = read_plain(run.alias);
	vunmap(run.mapping);
	if (error)
		return error;
	pr_info("ATTACK what=%s cpu=%d address=%llx before=%02llx attempted=%02llx after=%02llx changed=%d fault=%d killed=%d\n",
		what, cpu, address, run.before, run.attempted, run.after,
		run.before != run.after, run.fault, !run.done);
	return 0;
}

static int attack_pages(int (*thread)(void *unused))
{
	char list[BLOCKS * 17 + 1] = "";
	int error = run_thread(thread);
	unsigned int i, n = 0;

	if (error)
		return error;
	for (i = 0; i < sweep.blocks; i++)
		n += scnprintf(list + n, sizeof(list) - n, "%s%llx",
			       i ? "," : "", sweep.block[i]);
	pr_info("ATTACK what=%s cpu=%d pages=%lu readable=%lu nonzero=%lu writable=%lu blocks=%s killed=%d\n",
		what, cpu, sweep.pages, sweep.readable, sweep.nonzero,
		sweep.writable, list, !run.done);
	return 0;
}

static int __init attack_init(void)
{
	int error;

	if (cpu < 0 || cpu >= nr_cpu_ids || !cpu_online(cpu))
		return -EINVAL;
	sweep.end = 2 * totalram_pages() + SZ_1M / PAGE_SIZE;
	register_die_notifier(&die_notifier);
	if (!strcmp(what, "monitor-sweep"))
		error = attack_pages(sweep_thread);
	else if (!strcmp(what, "memory-look"))
		error = attack_pages(look_thread);
	else
		error = attack_one();
	unregister_die_notifier(&die_notifier);
	return error;
}

static void __exit attack_exit(void)
{
}

module_init(attack_init);
module_exit(attack_exit);

MODULE_AUTHOR("The Ringwall project");
MODULE_DESCRIPTION("Attacks what Ringwall protects, for tests");
MODULE_LICENSE("Dual MIT/GPL");
