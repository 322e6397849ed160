/* SPDX-License-Identifier: MIT */
/*
 * An NMI belongs to the guest, whenever it comes: between any two instructions
 * of the monitor, while another event is injected, while NMIs are blocked. Each
 * is delivered once and none is delivered that did not come.
 */
#include <string.h>

#include "monitor/fault.h"
#include "monitor/nmi.h"
#include "tests/monitor/fake_kernel.h"

#define NMI_INFO (INTR_VALID | INTR_TYPE_NMI | VECTOR_NMI)
#define ROUNDS	 8

static uint64_t countdown[2]; /* instructions until an NMI comes; 0: none */
static uint32_t came, delivered;
static uint64_t delivered_since; /* the last one that came */

/* NMI in VMX root, as entry.S passes it on. */
static void arrive(void)
{
	struct fault_frame frame = { .vector = VECTOR_NMI };

	came++;
	delivered_since = 0;
	fault_handle(&frame);
}

static void before(const char *name, uint64_t operand)
{
	(void)name;
	(void)operand;
	for (int i = 0; i < 2; i++)
		if (countdown[i] && !--countdown[i])
			arrive();
}

static void see(void)
{
	if (fake->delivered.info != NMI_INFO)
		return;
	delivered++;
	delivered_since++;
}

static void exit_with(const struct vm_exit *x)
{
	machine_exit(x);
	see();
}

/* The guest runs its handlers until no NMI is left. */
static void quiesce(void)
{
	for (int i = 0; i < ROUNDS; i++) {
		*fake_vmcs(GUEST_INTERRUPTIBILITY) = 0; /* IRET and on */
		if (!fake_nmi_window())
			return;
		exit_with(&(struct vm_exit){ .reason = EXIT_NMI_WINDOW });
	}
	fail_msg("the NMI window never closes");
}

static void cpuid_exit(void)
{
	exit_with(&(struct vm_exit){ .reason = EXIT_CPUID, .length = 2 });
}

static void nmi_exit_itself(void)
{
	came++;
	delivered_since = 0;
	fake->nmis_blocked = true;
	exit_with(&(struct vm_exit){ .reason = EXIT_EXCEPTION_NMI,
				     .info = NMI_INFO });
	assert_false(fake->nmis_blocked);
}

static void window_exit(void)
{
	exit_with(&(struct vm_exit){ .reason = EXIT_NMI_WINDOW });
}

static void exit_that_injects(void)
{
	fake->gpr.rcx = 0x79;
	exit_with(&(struct vm_exit){ .reason = EXIT_WRMSR, .length = 2 });
	assert_exception(VECTOR_GP);
}

static void exit_with_nmis_blocked(void)
{
	*fake_vmcs(GUEST_INTERRUPTIBILITY) = BLOCKING_BY_NMI;
	cpuid_exit();
	assert_int_equal(fake->delivered.info, 0);
}

static void nmi_exit_behind_mov_ss(void)
{
	*fake_vmcs(GUEST_INTERRUPTIBILITY) = BLOCKING_BY_MOV_SS;
	nmi_exit_itself();
	assert_int_equal(fake->delivered.info, 0);
}

static void nmi_exit_behind_sti(void)
{
	*fake_vmcs(GUEST_RFLAGS) |= RFLAGS_IF;
	*fake_vmcs(GUEST_INTERRUPTIBILITY) = BLOCKING_BY_STI;
	nmi_exit_itself();
	assert_int_equal(fake->delivered.info, NMI_INFO);
}

/* An NMI was on its way into the guest when its stack faulted. */
static void nmi_delivered_again(void)
{
	struct vm_exit x = violation_exit(0x5000, GUEST_STACK, EPT_W);

	x.vectoring = NMI_INFO;
	*fake_vmcs(GUEST_INTERRUPTIBILITY) = BLOCKING_BY_NMI;
	came++;
	delivered_since = 0;
	exit_with(&x);
	assert_int_equal(fake->delivered.info, NMI_INFO);
}

static void stepped_store(void)
{
	static uint8_t value;
	struct store s = store_at(TEXT_PHYS + 0x100, ++value, 8);

	for (int i = 0; i < ROUNDS; i++) {
		assert_int_equal(guest_store(&s), STORE_FAULT);
		if (fake->delivered.info != NMI_INFO)
			break;
		see();
		*fake_vmcs(GUEST_INTERRUPTIBILITY) = 0;
	}
	assert_exception(VECTOR_GP);
}

static void disarmed_controls(void)
{
	nmi_set_controls(this_cpu(), this_cpu()->processor_controls);
	fake_enter();
	see();
}

static void (*const scenarios[])(void) = {
	cpuid_exit,	     nmi_exit_itself,	     window_exit,
	exit_that_injects,   exit_with_nmis_blocked, nmi_exit_behind_mov_ss,
	nmi_exit_behind_sti, nmi_delivered_again,    stepped_store,
	disarmed_controls,
};

#define SCENARIOS (sizeof(scenarios) / sizeof(scenarios[0]))

static void start(void)
{
	struct sample_body body = kernel_policy(1);

	kernel_boot(1, 0);
	kernel_arm(&body);
}

/* How many instructions in VMX root a scenario takes. */
static uint64_t length(void (*scenario)(void))
{
	uint64_t from = fake->instructions;

	scenario();
	quiesce();
	return fake->instructions - from;
}

static void run(size_t i, uint64_t first, uint64_t second)
{
	countdown[0] = first;
	countdown[1] = second;
	came = delivered = 0;
	delivered_since = 1;
	fake->before = before;
	scenarios[i]();
	quiesce();
	fake->before = NULL;
	if (delivered > came || !delivered_since || (came && !delivered))
		fail_msg("scenario %zu, NMI at %llu and %llu: %u came, %u were "
			 "delivered",
			 i, (unsigned long long)first,
			 (unsigned long long)second, came, delivered);
	assert_false(this_cpu()->nmi_pending);
}

static void an_nmi_between_any_two_instructions_is_delivered_once(void **state)
{
	(void)state;
	start();
	for (size_t i = 0; i < SCENARIOS; i++) {
		uint64_t n = length(scenarios[i]);

		for (uint64_t at = 1; at <= n; at++)
			run(i, at, 0);
	}
}

static void of_two_nmis_the_second_is_never_forgotten(void **state)
{
	(void)state;
	start();
	for (size_t i = 0; i < SCENARIOS; i++) {
		uint64_t n = length(scenarios[i]);

		if (n > 60) /* a step: every pair would be long */
			n = 60;
		for (uint64_t at = 1; at <= n; at++)
			for (uint64_t then = at; then <= n; then++)
				run(i, at, then);
	}
}

static void without_an_nmi_none_is_delivered(void **state)
{
	(void)state;
	start();
	came = delivered = 0;
	cpuid_exit();
	window_exit();
	exit_that_injects();
	stepped_store();
	quiesce();
	assert_int_equal(delivered, 0);
	assert_false(*fake_vmcs(PROCESSOR_CONTROLS) & PROC_NMI_WINDOW);
}

/* The race that nmi.c's update() is written for, by itself. */
static uint32_t writes;

static void nmi_before_the_first_write(const char *name, uint64_t operand)
{
	if (!strcmp(name, "VMWRITE") && operand == PROCESSOR_CONTROLS &&
	    !writes++)
		arrive();
}

static void an_nmi_before_the_write_of_the_controls_keeps_its_window(void **s)
{
	(void)s;
	start();
	fake->before = nmi_before_the_first_write;
	nmi_set_controls(this_cpu(), this_cpu()->processor_controls);
	fake->before = NULL;
	assert_true(writes >= 2);
	assert_true(*fake_vmcs(PROCESSOR_CONTROLS) & PROC_NMI_WINDOW);
	assert_true(this_cpu()->nmi_pending);
}

static void nmis_are_counted_as_they_are_handed_on(void **state)
{
	uint64_t nmis;

	(void)state;
	start();
	nmis = this_cpu()->nmis;
	guest_nmi();
	assert_int_equal(fake->delivered.info, NMI_INFO);
	guest_nmi(); /* in its handler: kept */
	assert_int_equal(fake->delivered.info, 0);
	guest_nmi(); /* and one is all a CPU keeps */
	assert_int_equal(this_cpu()->nmis, nmis + 1);
	guest_iret();
	assert_int_equal(fake->delivered.info, NMI_INFO);
	assert_int_equal(this_cpu()->nmis, nmis + 2);
	guest_iret();
	assert_int_equal(fake->delivered.info, 0);
}

static void before_vmxon_an_nmi_touches_no_vmcs(void **state)
{
	struct pcpu *cpu;

	(void)state;
	start();
	cpu = this_cpu();
	cpu->vmx = false;
	fake->vmx_on = false; /* a VMWRITE would fail the test */
	nmi_in_root(cpu);
	assert_true(cpu->nmi_pending);
}

/* A CPU that waits for its start-up IPI takes no event at all. */
static void an_nmi_while_a_cpu_is_reset_waits_for_the_start_up(void **state)
{
	uint64_t from, n;

	(void)state;
	start();
	from = fake->instructions;
	machine_exit(&(struct vm_exit){ .reason = EXIT_INIT });
	n = fake->instructions - from + 1;
	for (uint64_t at = 1; at <= n; at++) {
		came = delivered = 0;
		countdown[0] = at;
		fake->before = before;
		exit_with(&(struct vm_exit){ .reason = EXIT_INIT });
		assert_int_equal(delivered, 0);
		assert_false(fake_nmi_window());
		exit_with(&(struct vm_exit){ .reason = EXIT_SIPI,
					     .qualification = 0x9a });
		quiesce();
		fake->before = NULL;
		assert_in_range(delivered, 0, came);
		assert_false(this_cpu()->nmi_pending);
	}
}

static void a_cpu_that_waits_for_its_start_up_is_given_no_nmi(void **state)
{
	struct pcpu *cpu;

	(void)state;
	start();
	machine_exit(&(struct vm_exit){ .reason = EXIT_INIT });
	cpu = this_cpu();
	nmi_in_root(cpu);
	nmi_deliver(cpu);
	fake_enter();
	assert_int_equal(fake->delivered.info, 0);
	exit_with(&(struct vm_exit){ .reason = EXIT_SIPI });
	assert_int_equal(fake->delivered.info, NMI_INFO);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			an_nmi_between_any_two_instructions_is_delivered_once),
		cmocka_unit_test(of_two_nmis_the_second_is_never_forgotten),
		cmocka_unit_test(without_an_nmi_none_is_delivered),
		cmocka_unit_test(
			an_nmi_before_the_write_of_the_controls_keeps_its_window),
		cmocka_unit_test(nmis_are_counted_as_they_are_handed_on),
		cmocka_unit_test(before_vmxon_an_nmi_touches_no_vmcs),
		cmocka_unit_test(
			an_nmi_while_a_cpu_is_reset_waits_for_the_start_up),
		cmocka_unit_test(
			a_cpu_that_waits_for_its_start_up_is_given_no_nmi),
	};

	return machine_run_tests(tests);
}
