/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * What an exit costs: TSC deltas around one instruction with interrupts off, less
 * those around an instruction that does not exit. On an emulated machine with one
 * CPU, whose TSC counts instructions, that is what the monitor executed, its
 * VMRESUME included. Says so in lines of the log, lowest and highest:
 *
 *   FIGURE cpuid.0 77 77
 *
 * Needs the monitor, and a policy that protects rodata in enforce. Its writes are
 * blocked, and caught as the kernel catches its own.
 */
#define pr_fmt(fmt) fmt

#include <linux/irqflags.h>
#include <linux/kernel.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/vmalloc.h>
#include <asm/asm.h>
#include <ringwall/hypercall.h>

#define ROUNDS	      100
#define PAGES	      8 /* of rodata, each written once: hits alike are only counted */
#define NOT_CANONICAL 0x8000000000000000UL

struct spread {
	u32 low, high;
};

/* The instruction sees EAX and ECX; all it may change is discarded. */
#define COUNT(instruction, eax, ecx)                                       \
	({                                                                 \
		u32 delta_, a_ = (eax), c_ = (ecx);                        \
		asm volatile("rdtsc\n"                                     \
			     "mov %%eax, %%r8d\n"                          \
			     "mov %%esi, %%eax\n"                          \
			     "mov %%edi, %%ecx\n" instruction "\n"         \
			     "rdtsc\n"                                     \
			     "sub %%r8d, %%eax\n"                          \
			     : "=a"(delta_), "+S"(a_), "+D"(c_)            \
			     :                                             \
			     : "rbx", "rcx", "rdx", "r8", "memory", "cc"); \
		delta_;                                                    \
	})

/* A store that faults goes on behind itself. */
static u32 count_store(void *to, u8 value)
{
	u32 delta;

	asm volatile("rdtsc\n"
		     "mov %%eax, %%r8d\n"
		     "1: movb %b2, (%1)\n"
		     "2: rdtsc\n"
		     "sub %%r8d, %%eax\n" _ASM_EXTABLE(1b, 2b)
		     : "=&a"(delta)
		     : "r"(to), "q"(value)
		     : "rdx", "r8", "memory", "cc");
	return delta;
}

static void add(struct spread *r, u32 sample)
{
	r->low = min(r->low, sample);
	r->high = max(r->high, sample);
}

static void say(const char *name, const struct spread *r, u32 rest)
{
	pr_info("FIGURE %s %u %u\n", name, r->low - rest, r->high - rest);
}

static void measure_cpuid(u32 leaf, u32 rest)
{
	struct spread r = { .low = U32_MAX };
	char name[16];
	int i;

	for (i = 0; i < ROUNDS; i++)
		add(&r, COUNT("cpuid", leaf, 0));
	snprintf(name, sizeof(name), "cpuid.%u", leaf);
	say(name, &r, rest);
}

static void measure_hypercall(u32 rest)
{
	struct spread r = { .low = U32_MAX };
	int i;

	for (i = 0; i < ROUNDS; i++)
		add(&r, COUNT("vmcall", RW_HC_VERSION, 0));
	say("hypercall.null", &r, rest);
}

/* The same store to where the CPU itself refuses it: all but the monitor. */
static void measure_violation(u8 *rodata)
{
	struct spread bare = { .low = U32_MAX }, r = { .low = U32_MAX };
	int i;

	for (i = 0; i < PAGES; i++)
		add(&bare, count_store((void *)NOT_CANONICAL, 0));
	for (i = 0; i < PAGES; i++) {
		u8 *to = rodata + i * PAGE_SIZE, before = READ_ONCE(*to);

		add(&r, count_store(to, ~before));
		if (READ_ONCE(*to) != before)
			pr_info("FIGURE a write to rodata went through\n");
	}
	say("fault.bare", &bare, 0);
	say("violation", &r, bare.low);
}

static int __init measure_init(void)
{
	struct page *pages[PAGES];
	unsigned long flags;
	u8 *rodata;
	u32 rest;
	int i;

	for (i = 0; i < PAGES; i++)
		pages[i] = pfn_to_page(PHYS_PFN(__pa_symbol(hex_asc)) + i);
	rodata = vmap(pages, PAGES, VM_MAP, PAGE_KERNEL);
	if (!rodata)
		return -ENOMEM;
	for (i = 0; i < PAGES; i++) /* no page of the mapping is new below */
		READ_ONCE(rodata[i * PAGE_SIZE]);

	local_irq_save(flags);
	rest = COUNT("nop", 0, 0);
	measure_cpuid(0, rest);
	measure_cpuid(1, rest);
	measure_cpuid(7, rest);
	measure_hypercall(rest);
	measure_violation(rodata);
	local_irq_restore(flags);

	vunmap(rodata);
	return 0;
}

static void __exit measure_exit(void)
{
}

module_init(measure_init);
module_exit(measure_exit);

MODULE_AUTHOR("The Ringwall project");
MODULE_DESCRIPTION("Counts the instructions of VM exits, for tools/bench");
MODULE_LICENSE("Dual MIT/GPL");
