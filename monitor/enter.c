/* SPDX-License-Identifier: MIT */
#include "monitor/enter.h"

#include <ringwall/config.h>
#include <string.h>

#include "monitor/arm.h"
#include "monitor/event.h"
#include "monitor/fault.h"
#include "monitor/log.h"
#include "monitor/memory.h"
#include "monitor/msr.h"
#include "monitor/spinlock.h"
#include "monitor/vmcs.h"
#include "monitor/vmx.h"
#include "monitor/wall.h"
#include "policy/policy.h"

/* Of the host's CR4 in VMX root: what makes the monitor harder to abuse. */
#define CR4_KEPT       (CR4_MCE | CR4_UMIP | CR4_FSGSBASE | CR4_SMEP | CR4_SMAP)
#define CPUID_1_EDX_DS BIT(21)
#define CPUID_7_EBX_PT BIT(25)

static struct rw_boot boot;
static struct spinlock lock;
static bool ready;
static uint64_t canary;
static uint8_t nonce[RW_SHA256_SIZE];

const struct rw_boot *enter_boot(void)
{
	return &boot;
}

uint64_t enter_canary(void)
{
	return canary;
}

const uint8_t *enter_nonce(void)
{
	return nonce;
}

static bool boot_valid(const struct rw_boot *b)
{
	return b->magic == RW_BOOT_MAGIC && b->size == sizeof(*b) &&
	       b->cpu_count >= 1 && b->chunk_count >= 1 &&
	       b->chunk_count <= RW_BOOT_CHUNKS && b->ram_count >= 1 &&
	       b->ram_count <= RW_BOOT_RAM && b->key_count >= 1 &&
	       b->key_count <= RW_BOOT_KEYS &&
	       !((b->cr3 | b->doorbell) & ~RW_PAGE_MASK);
}

/* Two independent numbers from the driver's seed, which is then forgotten. */
static void draw_secrets(void)
{
	uint8_t digest[RW_SHA256_SIZE];

	policy_digest(boot.seed, sizeof(boot.seed), nonce);
	boot.seed[0] ^= 0x5a;
	policy_digest(boot.seed, sizeof(boot.seed), digest);
	memcpy(&canary, digest, sizeof(canary));
	canary &= ~0xffULL; /* a string function stops at it */
	memset(boot.seed, 0, sizeof(boot.seed));
	memset(digest, 0, sizeof(digest));
}

static enum rw_error init(const struct rw_boot *from)
{
	enum rw_error error;

	boot = *from;
	if (boot.abi_version != RW_ABI_VERSION)
		return RW_E_ABI;
	if (!boot_valid(&boot))
		return RW_E_BOOT_INFO;
	if (boot.cpu_count > CONFIG_RINGWALL_MAX_CPUS)
		return RW_E_CPU_COUNT;
	fpu_begin();
	draw_secrets();
	error = arm_init(boot.key, boot.key_count);
	fpu_end();
	if (!error)
		error = memory_init(&boot);
	if (!error)
		error = wall_init(&boot);
	if (!error)
		error = msr_init();
	if (error)
		return error;
	fault_init();
	event_init(nonce);
	return RW_OK;
}

enum rw_error enter_prepare(const struct rw_boot *from, uint32_t index,
			    struct pcpu **ret)
{
	enum rw_error error = RW_OK;

	spin_lock(&lock);
	if (!ready)
		error = init(from);
	if (!error) {
		ready = true;
		error = index < boot.cpu_count ? percpu_create(index, ret) :
						 RW_E_CPU_COUNT;
	}
	spin_unlock(&lock);
	return error;
}

/* What stores past the wall must be off: inside it cannot be switched off. */
static bool tracing(void)
{
	if ((cpuid(7, 0).ebx & CPUID_7_EBX_PT) &&
	    (rdmsr(IA32_RTIT_CTL) & RTIT_CTL_TRACE_EN))
		return true;
	return (cpuid(1, 0).edx & CPUID_1_EDX_DS) &&
	       !(rdmsr(IA32_MISC_ENABLE) & MISC_ENABLE_NO_PEBS) &&
	       rdmsr(IA32_PEBS_ENABLE);
}

static enum rw_error read_capabilities(struct vmx_capabilities *c)
{
	if (!(cpuid(1, 0).ecx & BIT(5)))
		return RW_E_NO_VTX;
	if ((rdmsr(IA32_FEATURE_CONTROL) & 5) != 5)
		return RW_E_VTX_LOCKED;
	if (read_cr4() & CR4_LA57)
		return RW_E_LA57;
	if (read_cr4() & CR4_FRED)
		return RW_E_FRED;
	if (tracing())
		return RW_E_TRACING;
	c->basic = rdmsr(IA32_VMX_BASIC);
	if (!(c->basic & VMX_BASIC_TRUE_CONTROLS) ||
	    !(rdmsr(IA32_VMX_MISC) & VMX_MISC_WAIT_SIPI))
		return RW_E_CAPABILITY;
	c->pin = rdmsr(IA32_VMX_TRUE_PINBASED_CTLS);
	c->proc = rdmsr(IA32_VMX_TRUE_PROCBASED_CTLS);
	c->proc2 = rdmsr(IA32_VMX_PROCBASED_CTLS2);
	c->exit = rdmsr(IA32_VMX_TRUE_EXIT_CTLS);
	c->entry = rdmsr(IA32_VMX_TRUE_ENTRY_CTLS);
	c->ept_vpid = rdmsr(IA32_VMX_EPT_VPID_CAP);
	c->cr0_fixed0 = rdmsr(IA32_VMX_CR0_FIXED0);
	c->cr0_fixed1 = rdmsr(IA32_VMX_CR0_FIXED1);
	c->cr4_fixed0 = rdmsr(IA32_VMX_CR4_FIXED0);
	c->cr4_fixed1 = rdmsr(IA32_VMX_CR4_FIXED1);
	return RW_OK;
}

static enum rw_error vmx_on(struct pcpu *cpu, const struct vmx_capabilities *c)
{
	uint32_t revision = (uint32_t)c->basic & 0x7fffffff;

	if (read_cr4() & CR4_VMXE)
		return RW_E_VMX_IN_USE;
	memcpy(cpu->vmxon, &revision, sizeof(revision));
	memcpy(cpu->vmcs, &revision, sizeof(revision));
	write_cr0(read_cr0() | (c->cr0_fixed0 & ~(CR0_PE | CR0_PG)));
	write_cr4(read_cr4() | c->cr4_fixed0);
	if (vmxon(page_hpa(cpu->vmxon).v)) {
		write_cr4(read_cr4() & ~CR4_VMXE);
		return RW_E_VMXON;
	}
	cpu->refused = RW_OK;
	if (vmclear(page_hpa(cpu->vmcs).v))
		cpu->refused = RW_E_VMCLEAR;
	else if (vmptrld(page_hpa(cpu->vmcs).v))
		cpu->refused = RW_E_VMPTRLD;
	cpu->vmx = !cpu->refused;
	return RW_OK;
}

static enum rw_error vmx_off(struct pcpu *cpu, enum rw_error error)
{
	cpu->state = RW_CPU_OUTSIDE;
	wall_park(cpu);
	cpu->vmx = false;
	/* One that could not be made clear was never made current either. */
	CHECK(!vmclear(page_hpa(cpu->vmcs).v) || error == RW_E_VMCLEAR);
	vmxoff();
	write_cr4(read_cr4() & ~CR4_VMXE);
	return error;
}

void enter_vmx_refused(enum rw_error error)
{
	struct pcpu *cpu = this_cpu();

	if (cpu->state != RW_CPU_OUTSIDE)
		panic(error == RW_E_VMWRITE ? "VMWRITE refused" :
					      "INVEPT refused");
	if (!cpu->refused)
		cpu->refused = error;
}

/* Entry 0 is void in the GDT; in an LDT it is a segment as any other. */
static bool null(uint16_t selector)
{
	return !(selector & ~3);
}

static uint32_t access_rights(uint16_t selector)
{
	uint64_t rights;

	if (null(selector) || !lar(selector, &rights))
		return 0x10000; /* unusable */
	return rights >> 8 & 0xf0ff;
}

static uint32_t segment_limit(uint16_t selector)
{
	uint64_t limit;

	return !null(selector) && lsl(selector, &limit) ? (uint32_t)limit : 0;
}

/* Base by the descriptor, SDM Vol. 3 3.4.5; wide for LDT and TSS. */
static uint64_t segment_base(uint16_t selector, uint64_t gdt, uint64_t ldt,
			     bool wide)
{
	const uint64_t *d = (const uint64_t *)((selector & 4 ? ldt : gdt) +
					       (selector & ~7U));
	uint64_t base;

	if (null(selector) || ((selector & 4) && !ldt))
		return 0;
	base = (d[0] >> 16 & 0xffffff) | (d[0] >> 56 & 0xff) << 24;
	return wide ? base | d[1] << 32 : base;
}

/* ES CS SS DS FS GS LDTR TR: the order of the encodings. */
static void write_segments(uint64_t fs_base)
{
	uint64_t gdt = read_gdtr().base;
	uint64_t ldt = segment_base(read_ldtr(), gdt, 0, true);
	uint16_t s[8] = { read_es(), read_cs(), read_ss(),   read_ds(),
			  read_fs(), read_gs(), read_ldtr(), read_tr() };
	uint64_t base[8] = { segment_base(s[0], gdt, ldt, false),
			     0,
			     0,
			     segment_base(s[3], gdt, ldt, false),
			     fs_base,
			     rdmsr(IA32_GS_BASE),
			     ldt,
			     segment_base(s[7], gdt, 0, true) };

	for (uint32_t i = 0; i < 8; i++) {
		vmcs_set(GUEST_ES_SELECTOR + 2 * i, s[i]);
		vmcs_set(GUEST_ES_LIMIT + 2 * i, segment_limit(s[i]));
		vmcs_set(GUEST_ES_ACCESS_RIGHTS + 2 * i, access_rights(s[i]));
		vmcs_set(GUEST_ES_BASE + 2 * i, base[i]);
	}
	vmcs_write(GUEST_GDTR_BASE, gdt);
	vmcs_write32(GUEST_GDTR_LIMIT, read_gdtr().limit);
	vmcs_write(GUEST_IDTR_BASE, read_idtr().base);
	vmcs_write32(GUEST_IDTR_LIMIT, read_idtr().limit);
}

static void write_guest(const struct rw_crossing *x, uint64_t cr0, uint64_t cr4)
{
	vmcs_write(GUEST_CR0, cr0 | CR0_NE);
	vmcs_write(GUEST_CR3, x->cr3);
	vmcs_write(GUEST_CR4, cr4 | CR4_VMXE);
	vmcs_write(CR0_READ_SHADOW, cr0);
	vmcs_write(CR4_READ_SHADOW, cr4 & ~CR4_VMXE);
	vmcs_write(GUEST_DR7, read_dr7());
	vmcs_write(GUEST_RSP, x->rsp);
	vmcs_write(GUEST_RIP, x->rip);
	vmcs_write(GUEST_RFLAGS, RFLAGS_FIXED);
	vmcs_write(GUEST_PENDING_DEBUG, 0);
	vmcs_write32(GUEST_INTERRUPTIBILITY, 0);
	vmcs_write32(GUEST_ACTIVITY, ACTIVITY_ACTIVE);
	vmcs_write64(VMCS_LINK_POINTER, ~0ULL);
	vmcs_write64(GUEST_DEBUGCTL, rdmsr(IA32_DEBUGCTL));
	vmcs_write64(GUEST_PAT, rdmsr(IA32_PAT));
	vmcs_write64(GUEST_EFER, rdmsr(IA32_EFER));
	vmcs_write32(GUEST_SYSENTER_CS, rdmsr(IA32_SYSENTER_CS));
	vmcs_write(GUEST_SYSENTER_ESP, rdmsr(IA32_SYSENTER_ESP));
	vmcs_write(GUEST_SYSENTER_EIP, rdmsr(IA32_SYSENTER_EIP));
}

static void write_host(struct pcpu *cpu, uint64_t cr0, uint64_t cr4)
{
	bool xsave = cpuid(1, 0).ecx & BIT(26);

	vmcs_write(HOST_CR0, (cr0 & ~CR0_TS) | CR0_NE | CR0_WP);
	vmcs_write(HOST_CR3, memory_cr3());
	vmcs_write(HOST_CR4, cr4 | CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT |
				     (xsave ? CR4_OSXSAVE : 0));
	vmcs_write64(HOST_PAT, rdmsr(IA32_PAT));
	vmcs_write64(HOST_EFER, rdmsr(IA32_EFER));
	vmcs_write16(HOST_CS_SELECTOR, SELECTOR_CODE);
	vmcs_write16(HOST_SS_SELECTOR, 0);
	vmcs_write16(HOST_DS_SELECTOR, 0);
	vmcs_write16(HOST_ES_SELECTOR, 0);
	vmcs_write16(HOST_FS_SELECTOR, 0);
	vmcs_write16(HOST_GS_SELECTOR, 0);
	vmcs_write16(HOST_TR_SELECTOR, SELECTOR_TSS);
	vmcs_write(HOST_FS_BASE, (uint64_t)cpu);
	vmcs_write(HOST_GS_BASE, 0);
	vmcs_write(HOST_TR_BASE, (uint64_t)&cpu->tss);
	vmcs_write(HOST_GDTR_BASE, (uint64_t)cpu->gdt);
	vmcs_write(HOST_IDTR_BASE, fault_idt());
	vmcs_write32(HOST_SYSENTER_CS, 0);
	vmcs_write(HOST_SYSENTER_ESP, 0);
	vmcs_write(HOST_SYSENTER_EIP, 0);
	vmcs_write(HOST_RSP, (uint64_t)cpu + PERCPU_STACK);
	vmcs_write(HOST_RIP, (uint64_t)vm_exit);
}

static void write_controls(struct pcpu *cpu, const struct vmx_controls *v,
			   const struct vmx_capabilities *c)
{
	vmcs_write32(PIN_BASED_CONTROLS, v->pin);
	/*
	 * The first entry finds out whether the trap flag works: exit.c. An NMI
	 * before that keeps it on.
	 */
	cpu->processor_controls = v->proc |
				  (c->proc >> 32 & PROC_MONITOR_TRAP_FLAG);
	vmcs_write32(PROCESSOR_CONTROLS, cpu->processor_controls);
	vmcs_write32(SECONDARY_CONTROLS, v->proc2);
	vmcs_write32(EXIT_CONTROLS, v->exit);
	vmcs_write32(ENTRY_CONTROLS, v->entry);
	vmcs_write32(EXCEPTION_BITMAP, 0);
	vmcs_write32(PAGE_FAULT_MASK, 0);
	vmcs_write32(PAGE_FAULT_MATCH, 0);
	vmcs_write32(CR3_TARGET_COUNT, 0);
	vmcs_write32(EXIT_MSR_STORE_COUNT, 0);
	vmcs_write32(EXIT_MSR_LOAD_COUNT, 0);
	vmcs_write32(ENTRY_MSR_LOAD_COUNT, 0);
	vmcs_write32(ENTRY_INTERRUPTION_INFO, 0);
	vmcs_write(CR0_MASK, c->cr0_fixed0 & ~(CR0_PE | CR0_PG));
	vmcs_write(CR4_MASK, c->cr4_fixed0);
	vmcs_write64(MSR_BITMAP, msr_bitmap().v);
	vmcs_write64(EPT_POINTER, ept_pointer(wall_ept()));
	vmcs_write16(VPID, 1);
	if (v->proc2 & PROC2_XSAVES)
		vmcs_write64(XSS_EXITING_BITMAP, XSS_PT);
}

enum rw_error enter_vmcs(struct pcpu *cpu, const struct rw_crossing *x,
			 uint64_t fs_base, const uint64_t *stack)
{
	uint64_t cr0 = read_cr0(), cr4 = read_cr4();
	struct vmx_capabilities c;
	struct vmx_controls v;
	enum rw_error error = read_capabilities(&c);

	if (!error)
		error = vmx_compute_controls(&c, &v);
	if (!error)
		error = vmx_on(cpu, &c);
	if (error)
		return error;
	if (cpu->refused)
		return vmx_off(cpu, cpu->refused);
	cpu->abort_rip = stack[ENTER_RETURN_SLOT];
	cpu->abort_rsp = (uint64_t)&stack[ENTER_RETURN_SLOT + 1];
	cpu->abort_cr3 = x->transition;
	cpu->guest_fs_base = fs_base;
	cpu->apic_id = cpuid(1, 0).ebx >> 24;
	cpu->self_test = true;
	cpu->step_mtf = false;
	write_controls(cpu, &v, &c);
	write_segments(fs_base);
	write_guest(x, cr0, cr4);
	write_host(cpu, cr0, (cr4 & CR4_KEPT) | c.cr4_fixed0);
	wall_join(cpu);
	wall_before_entry(cpu);
	if (invvpid_all())
		enter_vmx_refused(RW_E_INVVPID);
	if (cpu->refused)
		return vmx_off(cpu, cpu->refused);
	cpu->state = RW_CPU_INSIDE;
	return RW_OK;
}

enum rw_error enter_refused(struct pcpu *cpu)
{
	log_line("CPU %u: VMLAUNCH refused, VM-instruction error %u",
		 (uint64_t)cpu->index,
		 (uint64_t)vmcs_read32(INSTRUCTION_ERROR));
	return vmx_off(cpu, RW_E_VMENTRY);
}
