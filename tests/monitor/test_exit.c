/* SPDX-License-Identifier: MIT */
/* VM exits: told apart, answered as the guest's own CPU would, or refused. */
#include <ringwall/config.h>
#include <ringwall/hypercall.h>
#include <string.h>

#include "monitor/event.h"
#include "monitor/exit.h"
#include "monitor/log.h"
#include "tests/monitor/fake_guest.h"

#define CPUID_VMX     BIT(5)
#define CPUID_OSXSAVE BIT(27)
#define CPUID_OSPKE   BIT(4)
#define GARBAGE	      0xdeadbeef00000000ULL
#define FROM_ENCLAVE  BIT(27)
#define SEAMCALL      76
#define TDCALL	      77
#define NMI_INFO      (INTR_VALID | INTR_TYPE_NMI | VECTOR_NMI)

static uint64_t rip;

static void start(void)
{
	machine_init();
	machine_start();
	rip = *fake_vmcs(GUEST_RIP);
}

static void exit_with(uint32_t reason)
{
	machine_exit(&(struct vm_exit){ .reason = reason, .length = 2 });
}

static void guest_cpuid(uint32_t leaf, uint32_t subleaf)
{
	*fake_vmcs(GUEST_RIP) = rip;
	fake->gpr.rax = GARBAGE | leaf;
	fake->gpr.rcx = GARBAGE | subleaf;
	fake->gpr.rbx = fake->gpr.rdx = GARBAGE;
	exit_with(EXIT_CPUID);
	assert_skipped(rip, 2);
}

static void assert_refused(void)
{
	assert_int_equal(fake->delivered.info,
			 INTR_VALID | INTR_TYPE_EXCEPTION | VECTOR_UD);
	assert_int_equal(*fake_vmcs(GUEST_RIP), rip);
}

/* The log's text, oldest first. */
static bool log_has(const char *text)
{
	static char all[CONFIG_RINGWALL_LOG_SIZE + 1];

	for (uint32_t i = 0; i < log_size(); i++)
		all[i] = log_byte(i);
	return strstr(all, text);
}

static void cpuid_does_not_show_vmx(void **state)
{
	(void)state;
	start();
	assert_true(cpuid(1, 0).ecx & CPUID_VMX);
	guest_cpuid(1, 0);
	assert_int_equal(fake->gpr.rcx & CPUID_VMX, 0);
	assert_int_equal(fake->gpr.rcx | CPUID_VMX, cpuid(1, 0).ecx);
	assert_int_equal(fake->gpr.rax, cpuid(1, 0).eax);
	assert_int_equal(fake->gpr.rbx, cpuid(1, 0).ebx);
	assert_int_equal(fake->gpr.rdx, cpuid(1, 0).edx);
}

/* OSXSAVE is on in VMX root, whatever the guest does. */
static void cpuid_mirrors_the_guests_cr4_not_the_monitors(void **state)
{
	(void)state;
	start();
	*fake_vmcs(GUEST_CR4) &= ~(CR4_OSXSAVE | CR4_PKE);
	guest_cpuid(1, 0);
	assert_true(fake->cr4 & CR4_OSXSAVE);
	assert_false(fake->gpr.rcx & CPUID_OSXSAVE);
	guest_cpuid(7, 0);
	assert_false(fake->gpr.rcx & CPUID_OSPKE);
	*fake_vmcs(GUEST_CR4) |= CR4_OSXSAVE | CR4_PKE;
	guest_cpuid(1, 0);
	assert_true(fake->gpr.rcx & CPUID_OSXSAVE);
	guest_cpuid(7, 0);
	assert_false(fake->cr4 & CR4_PKE);
	assert_true(fake->gpr.rcx & CPUID_OSPKE);
}

static void other_leaves_of_cpuid_are_the_cpus_own(void **state)
{
	(void)state;
	start();
	*fake_vmcs(GUEST_CR4) |= CR4_PKE;
	guest_cpuid(7, 1);
	assert_int_equal(fake->gpr.rax, 7);
	assert_int_equal(fake->gpr.rbx, 1);
	assert_int_equal(fake->gpr.rcx, 0xc);
	assert_int_equal(fake->gpr.rdx, 0xd);
	guest_cpuid(0x80000008, 0);
	assert_int_equal(fake->gpr.rax, 0x3000 | FAKE_WIDTH);
}

static void cpuid_changes_four_registers_and_no_other(void **state)
{
	struct registers before;

	(void)state;
	start();
	memset(&fake->gpr, 0x5a, sizeof(fake->gpr));
	before = fake->gpr;
	guest_cpuid(0, 0);
	before.rax = fake->gpr.rax;
	before.rbx = fake->gpr.rbx;
	before.rcx = fake->gpr.rcx;
	before.rdx = fake->gpr.rdx;
	assert_memory_equal(&before, &fake->gpr, sizeof(before));
}

/* entry.S saves what exit_handle may use: *regs has no more. */
static void only_the_common_exits_do_with_few_registers(void **state)
{
	struct registers regs = { .rax = RW_HC_VERSION };

	(void)state;
	start();
	*fake_vmcs(EXIT_INSTRUCTION_LENGTH) = 2;
	for (uint32_t reason = 0; reason < RW_EXIT_REASONS; reason++) {
		*fake_vmcs(EXIT_REASON) = reason;
		assert_int_equal(exit_handle(&regs),
				 reason == EXIT_CPUID || reason == EXIT_VMCALL);
		regs.rax = RW_HC_VERSION;
	}
	assert_int_equal(*fake_vmcs(GUEST_RIP), rip + 4);

	*fake_vmcs(EXIT_REASON) = EXIT_VMCALL;
	regs.rax = RW_HC_DISABLE;
	assert_false(exit_handle(&regs));
	*fake_vmcs(EXIT_REASON) = EXIT_CPUID | EXIT_ENTRY_FAILED;
	assert_false(exit_handle(&regs));
	assert_int_equal(*fake_vmcs(GUEST_RIP), rip + 4);
}

static void what_is_not_so_simple_is_not_done_by_halves(void **state)
{
	struct registers regs = { .rax = 0 };
	uint64_t seen = 0;

	(void)state;
	start();
	*fake_vmcs(EXIT_REASON) = EXIT_CPUID;
	*fake_vmcs(EXIT_INSTRUCTION_LENGTH) = 2;
	*fake_vmcs(GUEST_RFLAGS) |= RFLAGS_TF;
	assert_false(exit_handle(&regs));
	*fake_vmcs(GUEST_RFLAGS) &= ~RFLAGS_TF;
	*fake_vmcs(GUEST_INTERRUPTIBILITY) = BLOCKING_BY_STI;
	assert_false(exit_handle(&regs));
	*fake_vmcs(GUEST_INTERRUPTIBILITY) = BLOCKING_BY_MOV_SS;
	assert_false(exit_handle(&regs));
	*fake_vmcs(GUEST_INTERRUPTIBILITY) = 0;
	this_cpu()->step.active = true;
	assert_false(exit_handle(&regs));
	this_cpu()->step.active = false;
	this_cpu()->wall_seen = &seen;
	assert_false(exit_handle(&regs));
	assert_int_equal(*fake_vmcs(GUEST_RIP), rip);
	assert_int_equal(this_cpu()->exits[EXIT_CPUID], 0);
	assert_int_equal(regs.rax, 0);
}

static void guest_xsetbv(uint32_t index, uint64_t value)
{
	*fake_vmcs(GUEST_RIP) = rip;
	fake->gpr.rcx = GARBAGE | index;
	fake->gpr.rax = GARBAGE | (uint32_t)value;
	fake->gpr.rdx = GARBAGE | value >> 32;
	machine_exit(&(struct vm_exit){ .reason = EXIT_XSETBV, .length = 3 });
}

static void xsetbv_takes_what_the_cpu_takes(void **state)
{
	static const uint64_t good[] = { 1, 3, 7, 0xe7, 0x207, 0x2e7 };

	(void)state;
	start();
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		guest_xsetbv(0, good[i]);
		assert_skipped(rip, 3);
		assert_int_equal(fake->xcr0, good[i]);
	}
}

static void
xsetbv_that_would_fault_in_vmx_root_faults_in_the_guest(void **state)
{
	static const struct {
		uint32_t index;
		uint64_t value;
	} bad[] = {
		{ 0, 0 },	    /* no x87 */
		{ 0, 6 },	    /* nor here */
		{ 0, 5 },	    /* AVX without SSE */
		{ 0, 0x27 },	    /* a part of AVX-512 */
		{ 0, 0x63 | 0x80 }, /* AVX-512 without AVX */
		{ 0, 0x1f },	    /* MPX: this CPU has none */
		{ 0, 0x60007 },	    /* AMX */
		{ 0, 1ULL << 63 | 7 },
		{ 1, 7 }, /* there is no XCR1 */
	};

	(void)state;
	start();
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		guest_xsetbv(bad[i].index, bad[i].value);
		assert_exception(VECTOR_GP);
		assert_int_equal(fake->xcr0, 7);
	}
}

static void halves_of_mpx_and_amx_are_refused_where_they_exist(void **state)
{
	static const uint64_t bad[] = { 0xf, 0x17, 0x20007, 0x40007 };
	struct fake_model model = fake_models[MODEL_corei7_icelake_u];

	(void)state;
	start();
	model.xcr0 |= 0x60018;
	fake->model = &model;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		guest_xsetbv(0, bad[i]);
		assert_exception(VECTOR_GP);
	}
	guest_xsetbv(0, 0x6001f);
	assert_skipped(rip, 3);
	fake->model = &fake_models[MODEL_corei7_icelake_u];
}

static void xsetbv_is_for_kernel_mode(void **state)
{
	(void)state;
	start();
	*fake_vmcs(GUEST_SS_ACCESS_RIGHTS) |= 3 << 5;
	*fake_vmcs(GUEST_CS_ACCESS_RIGHTS) |= 3 << 5;
	guest_xsetbv(0, 3);
	assert_exception(VECTOR_GP);
	assert_int_equal(fake->xcr0, 7);
}

static void invd_writes_back_what_it_would_drop(void **state)
{
	(void)state;
	start();
	exit_with(EXIT_INVD);
	assert_skipped(rip, 2);
	assert_int_equal(fake->wbinvd, 1);
}

static void vmx_instructions_do_not_exist(void **state)
{
	static const uint32_t vmx[] = { EXIT_GETSEC, EXIT_VMCLEAR, 20,
					21,	     22,	   23,
					24,	     25,	   26,
					EXIT_VMXON,  EXIT_INVEPT,  EXIT_INVVPID,
					EXIT_VMFUNC };

	(void)state;
	start();
	for (size_t i = 0; i < sizeof(vmx) / sizeof(vmx[0]); i++) {
		exit_with(vmx[i]);
		assert_refused();
	}
	assert_false(log_has("unexpected exit"));
}

static void an_exit_that_is_not_in_the_table_is_refused_and_logged(void **state)
{
	static const uint32_t unknown[] = {
		1,  5,	7,  9,	14, 15, 16, 17, 29, 30, 33, 37, 39, 40, 43, 44,
		46, 47, 51, 52, 54, 56, 57, 58, 60, 61, 62, 65, 66, 67, 68, 69,
	};

	(void)state;
	start();
	for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
		exit_with(unknown[i]);
		assert_refused();
		assert_int_equal(this_cpu()->exits[unknown[i]], 1);
	}
	assert_true(log_has("unexpected exit 69, rip "));
}

/* SDM Vol. 3 26.1.3: only what the bitmap names exits. */
static void the_state_of_processor_trace_is_not_loaded_or_stored(void **state)
{
	struct rw_event e;

	(void)state;
	start();
	assert_int_equal(*fake_vmcs(XSS_EXITING_BITMAP), XSS_PT);
	for (uint32_t reason = EXIT_XSAVES; reason <= EXIT_XRSTORS; reason++) {
		fake->tsc += 1ULL << 32; /* the two count as alike */
		fake->gpr.rdx = GARBAGE | reason;
		fake->gpr.rax = GARBAGE | XSS_PT;
		exit_with(reason);
		assert_exception(VECTOR_GP);
		assert_int_equal(*fake_vmcs(GUEST_RIP), rip);
		assert_int_equal(event_fetch(reason - EXIT_XSAVES + 1, &e, 1),
				 1);
		assert_int_equal(e.kind, RW_EVENT_REGISTER);
		assert_int_equal(e.detail[0], IA32_RTIT_CTL);
		assert_int_equal(e.detail[1], (uint64_t)reason << 32 | XSS_PT);
	}
}

/* The guest can bring those about on CPUs newer than the table. */
static void an_exit_reason_beyond_the_table_is_refused_and_logged(void **state)
{
	(void)state;
	start();
	exit_with(SEAMCALL);
	assert_refused();
	exit_with(TDCALL);
	assert_refused();
	assert_true(log_has("exit 77 is beyond the table"));
}

/* SDM Vol. 3 25.9.1: bit 27 of the exit reason. */
static void an_exit_from_an_enclave_is_the_same_exit(void **state)
{
	(void)state;
	start();
	machine_exit(&(struct vm_exit){
		.reason = FROM_ENCLAVE | EXIT_EXCEPTION_NMI,
		.info = NMI_INFO,
	});
	assert_int_equal(fake->delivered.info, NMI_INFO);
	assert_int_equal(this_cpu()->exits[EXIT_EXCEPTION_NMI], 1);
}

static void exits_are_counted_by_reason(void **state)
{
	uint64_t vmcalls;

	(void)state;
	start();
	vmcalls = this_cpu()->exits[EXIT_VMCALL];
	hypercall(RW_HC_VERSION, 0, 0);
	hypercall(RW_HC_VERSION, 0, 0);
	guest_cpuid(0, 0);
	assert_int_equal(this_cpu()->exits[EXIT_VMCALL], vmcalls + 2);
	assert_int_equal(this_cpu()->exits[EXIT_CPUID], 1);
}

static void a_triple_fault_resets_the_host(void **state)
{
	struct vm_exit x = { .reason = EXIT_TRIPLE_FAULT };

	(void)state;
	start();
	assert_int_equal(machine_exit_to(&x), FAKE_RESET);
	assert_true(log_has("triple fault"));
}

static void an_ept_misconfiguration_stops_the_cpu(void **state)
{
	struct vm_exit x = { .reason = EXIT_EPT_MISCONFIGURATION };

	(void)state;
	start();
	assert_int_equal(machine_exit_to(&x), FAKE_STOPPED);
	fake_assert_message("EPT misconfiguration");
	assert_int_equal(this_cpu()->state, RW_CPU_STOPPED);
}

static void a_failed_entry_stops_the_cpu_once_it_has_been_inside(void **state)
{
	struct vm_exit x = { .reason = 33 | (uint32_t)EXIT_ENTRY_FAILED };

	(void)state;
	start();
	assert_int_equal(machine_exit_to(&x), FAKE_STOPPED);
	fake_assert_message("self_test");
	assert_true(log_has("VM entry failed, reason 80000021"));
}

static void a_refused_vmresume_stops_the_cpu(void **state)
{
	(void)state;
	start();
	*fake_vmcs(INSTRUCTION_ERROR) = 7;
	assert_panics("VMRESUME refused", exit_resume_refused());
	assert_true(log_has("VM-instruction error 7"));
}

static void the_monitor_trap_flag_is_used_where_it_fires(void **state)
{
	(void)state;
	machine_init();
	machine.trap_flag_fires = true;
	machine_start();
	assert_true(this_cpu()->step_mtf);
	assert_false(this_cpu()->self_test);
	assert_false(*fake_vmcs(PROCESSOR_CONTROLS) & PROC_MONITOR_TRAP_FLAG);
}

/* Before the CPU has found out: the flag stays on. */
static void an_nmi_at_the_very_beginning_does_not_hide_it(void **state)
{
	(void)state;
	machine_init();
	machine.trap_flag_fires = true;
	machine_prepare();
	assert_int_equal(machine_launch(0), RW_OK);
	guest_nmi();
	assert_int_equal(fake->delivered.info, NMI_INFO);
	machine_first_exit();
	assert_true(this_cpu()->step_mtf);
	assert_false(*fake_vmcs(PROCESSOR_CONTROLS) & PROC_MONITOR_TRAP_FLAG);
}

static void where_it_never_fires_it_is_not_used(void **state)
{
	(void)state;
	start();
	assert_false(this_cpu()->step_mtf);
	assert_false(this_cpu()->self_test);
	assert_false(*fake_vmcs(PROCESSOR_CONTROLS) & PROC_MONITOR_TRAP_FLAG);
}

static void a_cpu_that_does_not_allow_it_is_taken_too(void **state)
{
	(void)state;
	machine_init();
	machine.model = MODEL_corei7_haswell_4770;
	machine.trap_flag_fires = true;
	machine_start();
	assert_false(this_cpu()->step_mtf);
}

static void that_all_cpus_are_inside_is_recorded_once(void **state)
{
	struct rw_event e[2];

	(void)state;
	machine_init();
	machine.cpus = 2;
	machine_prepare();
	assert_int_equal(machine_launch(0), RW_OK);
	assert_int_equal(machine_enter(1), RW_OK);
	assert_int_equal(event_fetch(0, e, 2), 0);
	machine_use(0);
	machine_first_exit();
	assert_int_equal(event_fetch(0, e, 2), 1);
	assert_int_equal(e[0].kind, RW_EVENT_ENABLED);
	assert_int_equal(e[0].detail[0], 2);
}

static void a_trap_flag_exit_after_the_self_test_is_refused(void **state)
{
	(void)state;
	start();
	exit_with(EXIT_MONITOR_TRAP_FLAG);
	assert_refused();
	assert_false(this_cpu()->step_mtf);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(cpuid_does_not_show_vmx),
		cmocka_unit_test(cpuid_mirrors_the_guests_cr4_not_the_monitors),
		cmocka_unit_test(other_leaves_of_cpuid_are_the_cpus_own),
		cmocka_unit_test(cpuid_changes_four_registers_and_no_other),
		cmocka_unit_test(only_the_common_exits_do_with_few_registers),
		cmocka_unit_test(what_is_not_so_simple_is_not_done_by_halves),
		cmocka_unit_test(xsetbv_takes_what_the_cpu_takes),
		cmocka_unit_test(
			xsetbv_that_would_fault_in_vmx_root_faults_in_the_guest),
		cmocka_unit_test(
			halves_of_mpx_and_amx_are_refused_where_they_exist),
		cmocka_unit_test(xsetbv_is_for_kernel_mode),
		cmocka_unit_test(invd_writes_back_what_it_would_drop),
		cmocka_unit_test(vmx_instructions_do_not_exist),
		cmocka_unit_test(
			an_exit_that_is_not_in_the_table_is_refused_and_logged),
		cmocka_unit_test(
			the_state_of_processor_trace_is_not_loaded_or_stored),
		cmocka_unit_test(
			an_exit_reason_beyond_the_table_is_refused_and_logged),
		cmocka_unit_test(an_exit_from_an_enclave_is_the_same_exit),
		cmocka_unit_test(exits_are_counted_by_reason),
		cmocka_unit_test(a_triple_fault_resets_the_host),
		cmocka_unit_test(an_ept_misconfiguration_stops_the_cpu),
		cmocka_unit_test(
			a_failed_entry_stops_the_cpu_once_it_has_been_inside),
		cmocka_unit_test(a_refused_vmresume_stops_the_cpu),
		cmocka_unit_test(the_monitor_trap_flag_is_used_where_it_fires),
		cmocka_unit_test(an_nmi_at_the_very_beginning_does_not_hide_it),
		cmocka_unit_test(where_it_never_fires_it_is_not_used),
		cmocka_unit_test(a_cpu_that_does_not_allow_it_is_taken_too),
		cmocka_unit_test(that_all_cpus_are_inside_is_recorded_once),
		cmocka_unit_test(
			a_trap_flag_exit_after_the_self_test_is_refused),
	};

	return machine_run_tests(tests);
}
