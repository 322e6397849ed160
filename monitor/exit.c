/* SPDX-License-Identifier: MIT */
#include "monitor/exit.h"

#include <ringwall/hypercall.h>

#include "monitor/enter.h"
#include "monitor/event.h"
#include "monitor/inject.h"
#include "monitor/leave.h"
#include "monitor/log.h"
#include "monitor/nmi.h"
#include "monitor/trace.h"
#include "monitor/vmcs.h"
#include "monitor/vmx.h"
#include "monitor/wall.h"

#define XCR0_X87	    BIT(0)
#define XCR0_SSE	    BIT(1)
#define XCR0_AVX	    BIT(2)
#define XCR0_MPX	    (BIT(3) | BIT(4))
#define XCR0_AVX512	    (BIT(5) | BIT(6) | BIT(7))
#define XCR0_AMX	    (BIT(17) | BIT(18))
#define CPL_SHIFT	    5
#define CPUID_1_ECX_VMX	    BIT(5)
#define CPUID_1_ECX_OSXSAVE BIT(27)
#define CPUID_7_ECX_OSPKE   BIT(4)

uint64_t exit_register(const struct pcpu *cpu, unsigned int number)
{
	if (number == 4)
		return vmcs_read(GUEST_RSP);
	return ((const uint64_t *)cpu->regs)[number & 15];
}

void exit_set_register(struct pcpu *cpu, unsigned int number, uint64_t value)
{
	if (number == 4)
		vmcs_write(GUEST_RSP, value);
	else
		((uint64_t *)cpu->regs)[number & 15] = value;
}

static void exit_exception(struct pcpu *cpu)
{
	uint32_t info = vmcs_read32(EXIT_INTERRUPTION_INFO);

	if ((info & INTR_TYPE_MASK) == INTR_TYPE_NMI)
		nmi_exit(cpu);
	else
		inject_reflect(); /* intercepted for a step given up */
}

static void exit_nmi_window(struct pcpu *cpu)
{
	nmi_deliver(cpu);
}

static inline void do_cpuid(struct registers *regs, uint32_t leaf)
{
	struct cpuid_regs r = cpuid(leaf, (uint32_t)regs->rcx);

	regs->rax = r.eax;
	regs->rbx = r.ebx;
	regs->rcx = r.ecx;
	regs->rdx = r.edx;
}

/*
 * The leaves in which the guest does not see its own CPU: VMX is taken, and the
 * bits that mirror CR4 are those of its CR4, not of the monitor's.
 */
static bool __attribute__((noinline))
correct_cpuid(struct registers *regs, uint32_t leaf)
{
	uint32_t subleaf = (uint32_t)regs->rcx;
	uint64_t cr4 = vmcs_read(GUEST_CR4);

	do_cpuid(regs, leaf);
	if (leaf == 1)
		regs->rcx =
			(regs->rcx & ~(CPUID_1_ECX_VMX | CPUID_1_ECX_OSXSAVE)) |
			(cr4 & CR4_OSXSAVE ? CPUID_1_ECX_OSXSAVE : 0);
	else if (leaf == 7 && !subleaf)
		regs->rcx = (regs->rcx & ~CPUID_7_ECX_OSPKE) |
			    (cr4 & CR4_PKE ? CPUID_7_ECX_OSPKE : 0);
	return true;
}

/* Always true. */
static inline bool guest_cpuid(struct registers *regs)
{
	uint32_t leaf = (uint32_t)regs->rax;

	if (leaf == 1 || leaf == 7)
		return correct_cpuid(regs, leaf);
	do_cpuid(regs, leaf);
	return true;
}

static void exit_cpuid(struct pcpu *cpu)
{
	(void)guest_cpuid(cpu->regs);
	skip_instruction();
}

static void exit_invd(struct pcpu *cpu)
{
	(void)cpu;
	wbinvd(); /* INVD would drop the monitor's own writes */
	skip_instruction();
}

/* SDM Vol. 1 13.3: what XSETBV accepts. In VMX root a #GP would be ours. */
static bool xcr0_valid(uint64_t v)
{
	struct cpuid_regs r = cpuid(0xd, 0);
	uint64_t avx512 = v & XCR0_AVX512, mpx = v & XCR0_MPX;
	uint64_t amx = v & XCR0_AMX;

	if (v & ~((uint64_t)r.edx << 32 | r.eax) || !(v & XCR0_X87))
		return false;
	if ((v & XCR0_AVX) && !(v & XCR0_SSE))
		return false;
	if (avx512 && (avx512 != XCR0_AVX512 || !(v & XCR0_AVX)))
		return false;
	return (!mpx || mpx == XCR0_MPX) && (!amx || amx == XCR0_AMX);
}

static void exit_xsetbv(struct pcpu *cpu)
{
	uint64_t value = cpu->regs->rdx << 32 | (uint32_t)cpu->regs->rax;
	uint32_t cpl = vmcs_read32(GUEST_SS_ACCESS_RIGHTS) >> CPL_SHIFT & 3;

	if (cpl || (uint32_t)cpu->regs->rcx || !xcr0_valid(value)) {
		inject_gp();
		return;
	}
	xsetbv(0, value);
	skip_instruction();
}

/* VMX instructions, GETSEC, ENCLS and so on: this CPU does not have them. */
static void exit_undefined(struct pcpu *cpu)
{
	(void)cpu;
	inject_ud();
}

/* XSAVES or XRSTORS of Processor Trace's state would reach its MSRs. */
static void exit_trace_state(struct pcpu *cpu)
{
	event_register(cpu, IA32_RTIT_CTL,
		       cpu->regs->rdx << 32 | (uint32_t)cpu->regs->rax);
	inject_gp();
}

static void exit_triple_fault(struct pcpu *cpu)
{
	(void)cpu;
	inject_shutdown();
}

static void exit_misconfiguration(struct pcpu *cpu)
{
	(void)cpu;
	panic("EPT misconfiguration");
}

typedef void handler_fn(struct pcpu *cpu);

/*
 * The last place is for reasons beyond the table. clang-format would take a
 * blank from "...".
 */
/* clang-format off */
static handler_fn *const handlers[RW_EXIT_REASONS + 1] = {
	[EXIT_EXCEPTION_NMI] = exit_exception,
	[EXIT_TRIPLE_FAULT] = exit_triple_fault,
	[EXIT_INIT] = exit_init,
	[EXIT_SIPI] = exit_sipi,
	[EXIT_NMI_WINDOW] = exit_nmi_window,
	[EXIT_CPUID] = exit_cpuid,
	[EXIT_GETSEC] = exit_undefined,
	[EXIT_HLT] = exit_halt,
	[EXIT_INVD] = exit_invd,
	[EXIT_VMCALL] = exit_vmcall,
	[EXIT_VMCLEAR ... EXIT_VMXON] = exit_undefined,
	[EXIT_CR_ACCESS] = exit_cr_access,
	[EXIT_RDMSR] = exit_rdmsr,
	[EXIT_WRMSR] = exit_wrmsr,
	[EXIT_MWAIT] = exit_halt,
	[EXIT_EPT_VIOLATION] = exit_ept_violation,
	[EXIT_EPT_MISCONFIGURATION] = exit_misconfiguration,
	[EXIT_INVEPT] = exit_undefined,
	[EXIT_INVVPID] = exit_undefined,
	[EXIT_XSETBV] = exit_xsetbv,
	[EXIT_VMFUNC] = exit_undefined,
	[EXIT_XSAVES ... EXIT_XRSTORS] = exit_trace_state,
};
/* clang-format on */

static void dispatch(struct pcpu *cpu, uint32_t reason)
{
	handler_fn *handler = handlers[reason];

	if (__builtin_expect(handler != NULL, 1)) {
		handler(cpu);
		return;
	}
	log_line("CPU %u: unexpected exit %u, rip %x", (uint64_t)cpu->index,
		 (uint64_t)reason, vmcs_read(GUEST_RIP));
	inject_ud();
}

/*
 * The first entry ran with the monitor trap flag on, in front of NOPs and a
 * VMCALL (driver/entry.S): what exits first says whether the flag works. True
 * if the exit was the flag's.
 */
static bool self_test(struct pcpu *cpu, uint32_t reason)
{
	if (reason != EXIT_MONITOR_TRAP_FLAG && reason != EXIT_VMCALL)
		return false;
	cpu->step_mtf = reason == EXIT_MONITOR_TRAP_FLAG;
	cpu->self_test = false;
	nmi_set_controls(cpu, cpu->processor_controls &
				      ~(uint32_t)PROC_MONITOR_TRAP_FLAG);
	log_line("CPU %u inside, steps by %s", (uint64_t)cpu->index,
		 cpu->step_mtf ? "the monitor trap flag" : "RFLAGS.TF");
	if (percpu_all_inside(enter_boot()->cpu_count))
		event_notice(cpu, RW_EVENT_ENABLED, enter_boot()->cpu_count, 0);
	return cpu->step_mtf;
}

static void __attribute__((noreturn, cold))
entry_failed(struct pcpu *cpu, uint32_t reason)
{
	log_line("CPU %u: VM entry failed, reason %x, qualification %x",
		 (uint64_t)cpu->index, (uint64_t)reason,
		 vmcs_read(EXIT_QUALIFICATION));
	CHECK(cpu->self_test); /* later there is no way back */
	leave_failed_entry(cpu, RW_E_VMENTRY);
}

/* A failed entry, bits above the basic reason (an enclave), or a newer exit. */
static uint32_t __attribute__((cold))
odd_reason(struct pcpu *cpu, uint32_t reason)
{
	if (reason & EXIT_ENTRY_FAILED)
		entry_failed(cpu, reason);
	reason &= EXIT_BASIC_MASK;
	if (reason < RW_EXIT_REASONS)
		return reason;
	log_line("CPU %u: exit %u is beyond the table", (uint64_t)cpu->index,
		 (uint64_t)reason);
	return RW_EXIT_REASONS;
}

/* To leave takes all registers; the first VMCALL may be the self-test's. */
static bool __attribute__((noinline))
handle_vmcall(struct pcpu *cpu, struct registers *regs)
{
	if (regs->rax == RW_HC_DISABLE || cpu->self_test || cpu->step.active)
		return false;
	cpu->regs = regs;
	cpu->exits[EXIT_VMCALL]++;
	exit_vmcall(cpu);
	wall_before_entry(cpu);
	return true;
}

/* An NMI that is owed needs no look: its window is open (nmi_in_root). */
bool exit_handle(struct registers *regs)
{
	struct pcpu *cpu = this_cpu();
	uint64_t reason;

	if (vmread(EXIT_REASON, &reason))
		return false;
	if (__builtin_expect(reason != EXIT_CPUID, 0))
		return reason == EXIT_VMCALL && handle_vmcall(cpu, regs);
	if (cpu->step.active || !wall_settled(cpu) || !skip_simply())
		return false;
	cpu->exits[EXIT_CPUID]++;
	return guest_cpuid(regs);
}

void exit_handle_all(struct registers *regs)
{
	struct pcpu *cpu = this_cpu();
	uint32_t reason = vmcs_read32(EXIT_REASON);

	cpu->regs = regs;
	if (__builtin_expect(reason >= RW_EXIT_REASONS, 0))
		reason = odd_reason(cpu, reason);
	cpu->exits[reason]++;
	trace_exit(cpu, reason);
	if (!(__builtin_expect(cpu->step.active, 0) &&
	      step_exit(cpu, reason)) &&
	    !(__builtin_expect(cpu->self_test, 0) && self_test(cpu, reason)))
		dispatch(cpu, reason);
	if (__builtin_expect(cpu->nmi_pending, 0))
		nmi_deliver(cpu);
	wall_before_entry(cpu);
}

void exit_resume_refused(void)
{
	log_line("VMRESUME refused, VM-instruction error %u",
		 (uint64_t)vmcs_read32(INSTRUCTION_ERROR));
	panic("VMRESUME refused");
}
