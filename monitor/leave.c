/* SPDX-License-Identifier: MIT */
#include "monitor/leave.h"

#include <string.h>

#include "monitor/enter.h"
#include "monitor/guest.h"
#include "monitor/memory.h"
#include "monitor/vmcs.h"
#include "monitor/vmx.h"
#include "monitor/wall.h"

#define PML4_ENTRIES 512
#define CR3_ADDRESS  0x000ffffffffff000ULL
#define TSS_BUSY_BIT BIT(41)

/* The kernel's upper half as it is now, and the monitor's slots. */
static bool build_transition(struct pcpu *cpu, uint64_t guest_cr3)
{
	const uint64_t *own = page_va(hpa(memory_cr3()));
	const uint64_t *guest;

	guest = guest_page(cpu, 0, gpa(guest_cr3 & CR3_ADDRESS), false);
	if (!guest)
		return false;
	memcpy(cpu->transition + PML4_ENTRIES / 2, guest + PML4_ENTRIES / 2,
	       PML4_ENTRIES / 2 * sizeof(*guest));
	memcpy(cpu->transition + RW_VA_SLOT_FIRST, own + RW_VA_SLOT_FIRST,
	       RW_VA_SLOT_COUNT * sizeof(*own));
	return true;
}

static void read_guest(struct leave *l)
{
	l->cr0 = vmcs_read(GUEST_CR0);
	l->cr3 = vmcs_read(GUEST_CR3);
	l->cr4 = vmcs_read(GUEST_CR4) & ~CR4_VMXE;
	l->rip = vmcs_read(GUEST_RIP);
	l->rsp = vmcs_read(GUEST_RSP);
	l->rflags = vmcs_read(GUEST_RFLAGS);
	l->es = vmcs_read16(GUEST_ES_SELECTOR);
	l->cs = vmcs_read16(GUEST_CS_SELECTOR);
	l->ss = vmcs_read16(GUEST_SS_SELECTOR);
	l->ds = vmcs_read16(GUEST_DS_SELECTOR);
	l->fs = vmcs_read16(GUEST_FS_SELECTOR);
	l->gs = vmcs_read16(GUEST_GS_SELECTOR);
	l->ldtr = vmcs_read16(GUEST_LDTR_SELECTOR);
	l->tr = vmcs_read16(GUEST_TR_SELECTOR);
	l->fs_base = vmcs_read(GUEST_FS_BASE);
	l->gs_base = vmcs_read(GUEST_GS_BASE);
	l->gdtr.base = vmcs_read(GUEST_GDTR_BASE);
	l->gdtr.limit = (uint16_t)vmcs_read32(GUEST_GDTR_LIMIT);
	l->idtr.base = vmcs_read(GUEST_IDTR_BASE);
	l->idtr.limit = (uint16_t)vmcs_read32(GUEST_IDTR_LIMIT);
}

/* A GDT of our own in which the guest's TSS stands at its selector, not busy. */
static void build_ltr_gdt(struct pcpu *cpu, struct leave *l)
{
	uint64_t base = vmcs_read(GUEST_TR_BASE);
	uint64_t limit = vmcs_read32(GUEST_TR_LIMIT);
	uint64_t rights = vmcs_read32(GUEST_TR_ACCESS_RIGHTS);
	unsigned int slot = (unsigned int)l->tr / 8;

	cpu->gdt[slot] = ((limit & 0xffff) | (limit >> 16 & 0xf) << 48 |
			  (base & 0xffffff) << 16 | (base >> 24 & 0xff) << 56 |
			  (rights & 0xf0ff) << 40) &
			 ~TSS_BUSY_BIT;
	cpu->gdt[slot + 1] = base >> 32;
	l->ltr_gdtr.base = (uint64_t)cpu->gdt;
	l->ltr_gdtr.limit = sizeof(cpu->gdt) - 1;
}

/* A kernel in 64-bit mode with selectors that the way out can load. */
static bool leavable(const struct leave *l)
{
	return (l->cr0 & CR0_PG) && (vmcs_read64(GUEST_EFER) & EFER_LMA) &&
	       !(l->tr & 7) && l->tr >= 8 && l->tr / 8 < GDT_ENTRIES - 1 &&
	       l->rip >> 63 && l->rsp >> 63;
}

static void __attribute__((noreturn)) go(struct pcpu *cpu, struct leave *l)
{
	uint64_t pat = vmcs_read64(GUEST_PAT);
	uint64_t efer = vmcs_read64(GUEST_EFER);
	uint64_t debugctl = vmcs_read64(GUEST_DEBUGCTL);
	uint64_t dr7 = vmcs_read(GUEST_DR7);
	uint64_t sysenter[3] = { vmcs_read32(GUEST_SYSENTER_CS),
				 vmcs_read(GUEST_SYSENTER_ESP),
				 vmcs_read(GUEST_SYSENTER_EIP) };

	build_ltr_gdt(cpu, l);
	l->transition = page_hpa(cpu->transition).v;
	l->leave_va = enter_boot()->leave_va;
	cpu->state = RW_CPU_OUTSIDE;
	wall_park(cpu);
	cpu->vmx = false;
	CHECK(!vmclear(page_hpa(cpu->vmcs).v));
	vmxoff();
	wrmsr(IA32_PAT, pat);
	wrmsr(IA32_EFER, efer);
	wrmsr(IA32_SYSENTER_CS, sysenter[0]);
	wrmsr(IA32_SYSENTER_ESP, sysenter[1]);
	wrmsr(IA32_SYSENTER_EIP, sysenter[2]);
	write_dr7(dr7);
	wrmsr(IA32_DEBUGCTL, debugctl);
	l->nmi = &cpu->nmi_pending;
	leave_load(l);
}

enum rw_error leave(struct pcpu *cpu, uint64_t rax)
{
	struct leave l = { 0 };

	read_guest(&l);
	if (!leavable(&l) || !build_transition(cpu, l.cr3))
		return RW_E_STATE;
	l.regs = *cpu->regs;
	l.regs.rax = rax;
	go(cpu, &l);
}

void leave_failed_entry(struct pcpu *cpu, enum rw_error error)
{
	struct leave l = { 0 };

	read_guest(&l);
	CHECK(build_transition(cpu, l.cr3));
	l.rip = cpu->abort_rip;
	l.rsp = cpu->abort_rsp;
	l.cr3 = cpu->abort_cr3;
	l.regs = *cpu->regs;
	l.regs.rax = error;
	go(cpu, &l);
}
