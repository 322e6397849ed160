/* SPDX-License-Identifier: MIT */
#include "monitor/msr.h"

#include "monitor/event.h"
#include "monitor/exit.h"
#include "monitor/inject.h"
#include "monitor/memory.h"
#include "monitor/vmcs.h"
#include "monitor/vmx.h"

/* The bitmap page, SDM Vol. 3 25.6.9: low and high reads, then writes. */
#define HIGH_FIRST		 0xc0000000U
#define RANGE			 0x2000U
#define BITMAP_HIGH		 1024
#define BITMAP_WRITE		 2048
#define APIC_BASE_X2APIC	 BIT(10)
#define APIC_BASE_ENABLED	 BIT(11)
#define CPUID_X2APIC		 BIT(21)
#define CPUID_6_TURBO		 BIT(1)
#define MISC_ENABLE_FAST_STRINGS BIT(0)
#define MISC_ENABLE_NO_TURBO	 BIT(38)
#define MTRR_FIRST		 0x200U
#define MTRR_FIXED_FIRST	 0x250U
#define MTRRCAP_COUNT		 0xffU
#define MTRRCAP_FIXED		 BIT(8)

enum access { READ = 1, WRITE = 2, BOTH = 3 };
enum treatment { DENY, ABSENT, SAME, MISC, DROP, APIC, FEATURE };

struct msr_rule {
	uint32_t first, last;
	enum access access;
	enum treatment treatment;
};

static const struct msr_rule rules[] = {
#define MSR_RULE(first, last, access, treatment, reason) \
	{ first, last, access, treatment },
#include "monitor/msr.def"
#undef MSR_RULE
};

static uint8_t *bitmap;

static void trap(uint32_t msr, unsigned int offset)
{
	uint32_t bit = msr;

	if (msr >= HIGH_FIRST) {
		bit = msr - HIGH_FIRST;
		offset += BITMAP_HIGH;
	}
	bitmap[offset + bit / 8] |= (uint8_t)(1U << bit % 8);
}

enum rw_error msr_init(void)
{
	bitmap = page_alloc(0);
	if (!bitmap)
		return RW_E_NO_MEMORY;
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		for (uint32_t m = rules[i].first; m <= rules[i].last; m++) {
			if (rules[i].access & READ)
				trap(m, 0);
			if (rules[i].access & WRITE)
				trap(m, BITMAP_WRITE);
		}
	return RW_OK;
}

hpa_t msr_bitmap(void)
{
	return page_hpa(bitmap);
}

static const struct msr_rule *find(uint32_t msr, enum access access)
{
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		if (msr >= rules[i].first && msr <= rules[i].last &&
		    (rules[i].access & access))
			return &rules[i];
	return NULL;
}

void exit_rdmsr(struct pcpu *cpu)
{
	const struct msr_rule *rule = find((uint32_t)cpu->regs->rcx, READ);

	if (!rule || rule->treatment != FEATURE) {
		inject_gp();
		return;
	}
	cpu->regs->rax = FEATURE_CONTROL_LOCKED;
	cpu->regs->rdx = 0;
	skip_instruction();
}

/* RDMSR of a range register that this CPU lacks would be our fault. */
static bool mtrr_exists(uint32_t msr)
{
	uint64_t cap = rdmsr(IA32_MTRRCAP);

	return msr >= MTRR_FIXED_FIRST ?
		       cap & MTRRCAP_FIXED :
		       (msr - MTRR_FIRST) / 2 < (cap & MTRRCAP_COUNT);
}

/*
 * The page stays where it is, and the mode changes as every CPU allows: SDM
 * Vol. 3 11.12.5. x2APIC mode is not left, since some CPUs lock it.
 */
static bool apic_base_allowed(uint64_t old, uint64_t value)
{
	uint64_t changed = old ^ value;

	if (!changed)
		return true;
	if ((changed & ~(APIC_BASE_X2APIC | APIC_BASE_ENABLED)) ||
	    (old & APIC_BASE_X2APIC))
		return false;
	return !(value & APIC_BASE_X2APIC) ||
	       ((old & value & APIC_BASE_ENABLED) &&
		(cpuid(1, 0).ecx & CPUID_X2APIC));
}

/* Not more than is known to be writable: a #GP here would be ours. */
static bool misc_enable_allowed(uint64_t old, uint64_t value)
{
	uint64_t changed = old ^ value;

	if (changed & MISC_ENABLE_NO_TURBO && !(old & MISC_ENABLE_NO_TURBO) &&
	    !(cpuid(6, 0).eax & CPUID_6_TURBO))
		return false;
	return !(changed & ~(MISC_ENABLE_FAST_STRINGS | MISC_ENABLE_NO_TURBO));
}

void exit_wrmsr(struct pcpu *cpu)
{
	uint32_t msr = (uint32_t)cpu->regs->rcx;
	uint64_t value = cpu->regs->rdx << 32 | (uint32_t)cpu->regs->rax;
	const struct msr_rule *rule = find(msr, WRITE);
	bool pass = false, write = false;

	if (rule && rule->treatment == DROP)
		pass = true;
	else if (rule && rule->treatment == SAME)
		pass = mtrr_exists(msr) && value == rdmsr(msr);
	else if (rule && rule->treatment == MISC)
		pass = write = misc_enable_allowed(rdmsr(msr), value);
	else if (rule && rule->treatment == APIC)
		pass = write = apic_base_allowed(rdmsr(msr), value);
	if (!pass) {
		if (rule && rule->treatment != ABSENT)
			event_register(cpu, msr, value);
		inject_gp();
		return;
	}
	if (write)
		wrmsr(msr, value);
	skip_instruction();
}
