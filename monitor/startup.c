/* SPDX-License-Identifier: MIT */
/*
 * INIT and SIPI. A CPU that the host resets waits for its start-up IPI in VMX
 * non-root operation and begins in real mode there (unrestricted guest), so it
 * can never run outside the wall. State after INIT: SDM Vol. 3 table 10-1.
 *
 * A CPU that Linux takes offline waits for its start-up IPI from the halt it
 * would never leave, not from the INIT that comes when it is brought back: while
 * it waits, policies need not wait for it, and the INIT finds it ready.
 */
#include "monitor/startup.h"

#include "monitor/cpu.h"
#include "monitor/exit.h"
#include "monitor/inject.h"
#include "monitor/nmi.h"
#include "monitor/vmcs.h"
#include "monitor/vmx.h"
#include "monitor/wall.h"

#define RIGHTS_CODE	       0x9bU /* present, accessed, execute and read */
#define RIGHTS_DATA	       0x93U
#define RIGHTS_LDT	       0x82U
#define RIGHTS_BUSY_TSS	       0x8bU
#define REAL_MODE_LIMIT	       0xffffU
#define DR7_AFTER_INIT	       0x400
#define MWAIT_INTERRUPTS_BREAK 1U /* RCX: masked ones too */
#define SEGMENTS	       8
#define CS		       1
#define LDTR		       6
#define TR		       7

static void reset_segments(void)
{
	for (uint32_t i = 0; i < SEGMENTS; i++) {
		uint32_t rights = i == CS   ? RIGHTS_CODE :
				  i == LDTR ? RIGHTS_LDT :
				  i == TR   ? RIGHTS_BUSY_TSS :
					      RIGHTS_DATA;

		vmcs_set(GUEST_ES_SELECTOR + 2 * i, 0);
		vmcs_set(GUEST_ES_LIMIT + 2 * i, REAL_MODE_LIMIT);
		vmcs_set(GUEST_ES_ACCESS_RIGHTS + 2 * i, rights);
		vmcs_set(GUEST_ES_BASE + 2 * i, 0);
	}
	vmcs_write(GUEST_GDTR_BASE, 0);
	vmcs_write32(GUEST_GDTR_LIMIT, REAL_MODE_LIMIT);
	vmcs_write(GUEST_IDTR_BASE, 0);
	vmcs_write32(GUEST_IDTR_LIMIT, REAL_MODE_LIMIT);
}

static void reset_control(void)
{
	uint64_t cache = vmcs_read(GUEST_CR0) & (CR0_NW | CR0_CD);

	vmcs_write(GUEST_CR0, CR0_ET | CR0_NE | cache);
	vmcs_write(CR0_READ_SHADOW, CR0_ET | cache);
	vmcs_write(GUEST_CR3, 0);
	vmcs_write(GUEST_CR4, CR4_VMXE);
	vmcs_write(CR4_READ_SHADOW, 0);
	vmcs_write64(GUEST_EFER, 0);
	vmcs_write32(ENTRY_CONTROLS, vmcs_read32(ENTRY_CONTROLS) &
					     ~(uint32_t)ENTRY_IA32E_GUEST);
	vmcs_write(GUEST_RIP, 0);
	vmcs_write(GUEST_RSP, 0);
	vmcs_write(GUEST_RFLAGS, RFLAGS_FIXED);
	vmcs_write(GUEST_DR7, DR7_AFTER_INIT);
	vmcs_write(GUEST_PENDING_DEBUG, 0);
	vmcs_write64(GUEST_DEBUGCTL, 0);
	vmcs_write32(GUEST_SYSENTER_CS, 0);
	vmcs_write(GUEST_SYSENTER_ESP, 0);
	vmcs_write(GUEST_SYSENTER_EIP, 0);
	/* Bochs saves "blocking by SMI" here and then refuses to enter with it. */
	vmcs_write32(GUEST_INTERRUPTIBILITY, 0);
}

static void catch_halt(struct pcpu *cpu, bool on)
{
	uint32_t halts = PROC_HLT | PROC_MWAIT;

	nmi_set_controls(cpu,
			 (cpu->processor_controls & ~halts) | (on ? halts : 0));
}

void startup_announce(struct pcpu *cpu, bool offline)
{
	catch_halt(cpu, offline);
}

/* An NMI that it would get meanwhile would only wake it to halt again. */
static void wait_for_startup(struct pcpu *cpu)
{
	vmcs_write32(GUEST_INTERRUPTIBILITY, 0);
	vmcs_write32(ENTRY_INTERRUPTION_INFO, 0);
	vmcs_write32(GUEST_ACTIVITY, ACTIVITY_WAIT_SIPI);
	cpu->nmi_pending = false;
	cpu->state = RW_CPU_WAIT_SIPI;
	wall_park(cpu);
}

/*
 * Start-up IPIs that come while the CPU is in VMX root are lost, and Linux sends
 * two within microseconds: wait for them at once, reset when one is here.
 */
void exit_init(struct pcpu *cpu)
{
	wait_for_startup(cpu);
}

/* A halt that an interrupt ends is over at once: whoever idles looks again. */
void exit_halt(struct pcpu *cpu)
{
	bool interrupts = vmcs_read(GUEST_RFLAGS) & RFLAGS_IF;

	if (vmcs_read32(EXIT_REASON) == EXIT_MWAIT)
		interrupts |= cpu->regs->rcx & MWAIT_INTERRUPTS_BREAK;
	skip_instruction();
	if (!interrupts)
		wait_for_startup(cpu);
}

void exit_sipi(struct pcpu *cpu)
{
	uint64_t vector = vmcs_read(EXIT_QUALIFICATION) & 0xff;
	struct registers none = { 0 };

	reset_segments();
	reset_control();
	*cpu->regs = none;
	cpu->regs->rdx = cpuid(1, 0).eax; /* family, model, stepping */
	write_cr2(0);
	write_dr6(DR6_INIT);
	vmcs_write16(GUEST_CS_SELECTOR, vector << 8);
	vmcs_write(GUEST_CS_BASE, vector << 12);
	vmcs_write32(GUEST_ACTIVITY, ACTIVITY_ACTIVE);
	CHECK(!invvpid_all());
	catch_halt(cpu, false);
	wall_join(cpu);
	cpu->state = RW_CPU_INSIDE;
}
