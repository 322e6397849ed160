/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * /proc/cpustate: what Ringwall has to leave on every CPU as it found it, one
 * value a line: control registers, XCR0, descriptor tables with what the GDT
 * holds, segments, DR7 and MSRs. An MSR that the CPU does not have is "none".
 * What changes by itself (CR2, CR3, CR0.TS, bases of the running task, DR7.LE
 * and GE, which Linux leaves behind) is left out. It changes nothing.
 */
#include <linux/cpumask.h>
#include <linux/module.h>
#include <linux/proc_fs.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <asm/debugreg.h>
#include <asm/desc.h>
#include <asm/msr.h>
#include <asm/special_insns.h>
#include <asm/fpu/xcr.h>

static const struct {
	u32 first, last;
} msrs[] = {
	{ 0x17, 0x17 },	  /* PLATFORM_ID */
	{ 0x1b, 0x1b },	  /* APIC_BASE */
	{ 0x3a, 0x3a },	  /* FEATURE_CONTROL */
	{ 0x3b, 0x3b },	  /* TSC_ADJUST */
	{ 0x48, 0x48 },	  /* SPEC_CTRL */
	{ 0x8b, 0x8b },	  /* BIOS_SIGN_ID */
	{ 0xce, 0xce },	  /* PLATFORM_INFO */
	{ 0xfe, 0xfe },	  /* MTRRCAP */
	{ 0x10a, 0x10b }, /* ARCH_CAPABILITIES */
	{ 0x174, 0x176 }, /* SYSENTER */
	{ 0x179, 0x17b }, /* MCG_CAP, MCG_STATUS, MCG_CTL */
	{ 0x1a0, 0x1a0 }, /* MISC_ENABLE */
	{ 0x1d9, 0x1d9 }, /* DEBUGCTL */
	{ 0x200, 0x21f }, /* MTRRs, variable */
	{ 0x250, 0x250 }, /* MTRRs, fixed */
	{ 0x258, 0x259 },
	{ 0x268, 0x26f },
	{ 0x277, 0x277 }, /* PAT */
	{ 0x2ff, 0x2ff }, /* MTRR_DEF_TYPE */
	{ 0x38d, 0x38d }, /* FIXED_CTR_CTRL */
	{ 0x400, 0x403 }, /* MC0 */
	{ 0x480, 0x493 }, /* VMX capabilities */
	{ 0x560, 0x561 }, /* Processor Trace */
	{ 0x570, 0x570 },
	{ 0x6a0, 0x6a8 },	    /* CET */
	{ 0xda0, 0xda0 },	    /* XSS */
	{ 0xc0000080, 0xc0000084 }, /* EFER, STAR, LSTAR, CSTAR, FMASK */
	{ 0xc0000101, 0xc0000101 }, /* GS_BASE */
	{ 0xc0000103, 0xc0000103 }, /* TSC_AUX */
};

struct reading {
	const char *name; /* NULL: an MSR */
	u32 msr;
	bool none;
	u64 value;
};

#define MOST 256

struct state {
	unsigned int count;
	struct reading reading[MOST];
};

static void add(struct state *s, const char *name, u64 value)
{
	if (s->count < MOST)
		s->reading[s->count++] =
			(struct reading){ .name = name, .value = value };
}

static void add_msr(struct state *s, u32 msr)
{
	struct reading r = { .msr = msr };

	r.none = rdmsrl_safe(msr, &r.value) != 0;
	if (s->count < MOST)
		s->reading[s->count++] = r;
}

/* The running task's own: its LDT and its TLS. */
static bool is_of_task(unsigned int entry)
{
	return entry == GDT_ENTRY_LDT || entry == GDT_ENTRY_LDT + 1 ||
	       (entry >= GDT_ENTRY_TLS_MIN && entry <= GDT_ENTRY_TLS_MAX);
}

/* FNV-1a. */
static u64 digest_gdt(const struct desc_ptr *gdt)
{
	const u64 *d = (const u64 *)gdt->address;
	u64 sum = 0xcbf29ce484222325;
	unsigned int i;

	for (i = 0; i < GDT_ENTRIES; i++)
		if (!is_of_task(i))
			sum = (sum ^ d[i]) * 0x100000001b3;
	return sum;
}

static void add_tables(struct state *s)
{
	struct desc_ptr gdt, idt;
	u16 ldt, tr;

	native_store_gdt(&gdt);
	store_idt(&idt);
	asm volatile("sldt %0" : "=m"(ldt));
	asm volatile("str %0" : "=m"(tr));
	add(s, "gdt", gdt.address);
	add(s, "gdt.limit", gdt.size);
	add(s, "gdt.contents", digest_gdt(&gdt));
	add(s, "idt", idt.address);
	add(s, "idt.limit", idt.size);
	add(s, "tr", tr);
	add(s, "ldtr", ldt);
}

static void add_segments(struct state *s)
{
	u16 cs, ss;

	asm volatile("mov %%cs, %0" : "=m"(cs));
	asm volatile("mov %%ss, %0" : "=m"(ss));
	add(s, "cs", cs);
	add(s, "ss", ss);
}

static void read_this_cpu(void *to)
{
	struct state *s = to;
	u64 dr7;
	size_t i;
	u32 msr;

	asm volatile("mov %%db7, %0" : "=r"(dr7));
	add(s, "cr0", read_cr0() & ~(u64)X86_CR0_TS);
	add(s, "cr4", native_read_cr4());
	if (native_read_cr4() & X86_CR4_OSXSAVE)
		add(s, "xcr0", xgetbv(0));
	add(s, "dr7", dr7 & ~(u64)(DR_LOCAL_SLOWDOWN | DR_GLOBAL_SLOWDOWN));
	add_tables(s);
	add_segments(s);
	for (i = 0; i < ARRAY_SIZE(msrs); i++)
		for (msr = msrs[i].first; msr <= msrs[i].last; msr++)
			add_msr(s, msr);
}

static void print(struct seq_file *m, unsigned int cpu, const struct state *s)
{
	unsigned int i;

	for (i = 0; i < s->count; i++) {
		const struct reading *r = &s->reading[i];

		if (r->name)
			seq_printf(m, "%u %s %llx\n", cpu, r->name, r->value);
		else if (r->none)
			seq_printf(m, "%u msr.%x none\n", cpu, r->msr);
		else
			seq_printf(m, "%u msr.%x %llx\n", cpu, r->msr,
				   r->value);
	}
}

static int show(struct seq_file *m, void *unused)
{
	struct state *s = kmalloc(sizeof(*s), GFP_KERNEL);
	unsigned int cpu;

	if (!s)
		return -ENOMEM;
	for_each_online_cpu(cpu) {
		s->count = 0;
		smp_call_function_single(cpu, read_this_cpu, s, 1);
		print(m, cpu, s);
	}
	kfree(s);
	return 0;
}

static int __init cpustate_init(void)
{
	return proc_create_single("cpustate", 0400, NULL, show) ? 0 : -ENOMEM;
}

static void __exit cpustate_exit(void)
{
	remove_proc_entry("cpustate", NULL);
}

module_init(cpustate_init);
module_exit(cpustate_exit);

MODULE_AUTHOR("The Ringwall project");
MODULE_DESCRIPTION("The state of every CPU, for tests");
MODULE_LICENSE("Dual MIT/GPL");
