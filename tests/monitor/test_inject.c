/* SPDX-License-Identifier: MIT */
/* Events the monitor gives the guest, and instructions it does for it. */
#include "tests/monitor/fake_kernel.h"

#define EXCEPTION(vector) (INTR_VALID | INTR_TYPE_EXCEPTION | (vector))
#define WITH_CODE(vector) (EXCEPTION(vector) | INTR_ERROR_CODE)
#define INTERRUPT(vector) (INTR_VALID | INTR_TYPE_EXTERNAL | (vector))
#define SOFTWARE(vector)  (INTR_VALID | 4 << 8 | (vector))
#define BREAKPOINT	  (INTR_VALID | INTR_TYPE_SOFTWARE_EXCEPTION | 3)
#define NMI_INFO	  (INTR_VALID | INTR_TYPE_NMI | VECTOR_NMI)

static uint64_t rip;

static void start(void)
{
	machine_init();
	machine_start();
	rip = *fake_vmcs(GUEST_RIP);
	*fake_vmcs(GUEST_RFLAGS) |= RFLAGS_IF;
}

static void do_for_the_guest(void)
{
	machine_exit(&(struct vm_exit){ .reason = EXIT_CPUID, .length = 2 });
	assert_int_equal(*fake_vmcs(GUEST_RIP), rip + 2);
}

static void an_instruction_done_ends_blocking_by_sti_and_mov_ss(void **state)
{
	(void)state;
	start();
	*fake_vmcs(GUEST_INTERRUPTIBILITY) = BLOCKING_BY_STI;
	do_for_the_guest();
	assert_int_equal(*fake_vmcs(GUEST_INTERRUPTIBILITY), 0);
	*fake_vmcs(GUEST_RIP) = rip;
	*fake_vmcs(GUEST_INTERRUPTIBILITY) = BLOCKING_BY_MOV_SS |
					     BLOCKING_BY_NMI;
	do_for_the_guest();
	assert_int_equal(*fake_vmcs(GUEST_INTERRUPTIBILITY), BLOCKING_BY_NMI);
}

static void under_single_step_an_instruction_done_leaves_a_trap(void **state)
{
	(void)state;
	start();
	*fake_vmcs(GUEST_RFLAGS) |= RFLAGS_TF;
	*fake_vmcs(GUEST_PENDING_DEBUG) = 1;
	do_for_the_guest();
	assert_int_equal(*fake_vmcs(GUEST_PENDING_DEBUG), PENDING_DEBUG_BS | 1);
}

static void without_single_step_it_leaves_none(void **state)
{
	(void)state;
	start();
	do_for_the_guest();
	assert_int_equal(*fake_vmcs(GUEST_PENDING_DEBUG), 0);
}

static void reflect(uint32_t info, uint32_t error_code, uint64_t qualification)
{
	machine_exit(&(struct vm_exit){ .reason = EXIT_EXCEPTION_NMI,
					.qualification = qualification,
					.info = info,
					.error_code = error_code,
					.length = 1 });
	assert_int_equal(fake->delivered.info, info);
	assert_int_equal(fake->delivered.error_code, error_code);
	assert_int_equal(*fake_vmcs(GUEST_RIP), rip);
}

static void an_exception_that_exits_reaches_the_guest_as_it_was(void **state)
{
	(void)state;
	start();
	reflect(EXCEPTION(VECTOR_UD), 0, 0);
	reflect(WITH_CODE(VECTOR_GP), 0x18, 0);
	reflect(BREAKPOINT, 0, 0);
	assert_int_equal(fake->delivered.length, 1);
}

static void a_page_fault_brings_its_address(void **state)
{
	(void)state;
	start();
	reflect(WITH_CODE(VECTOR_PF), 7, 0x7f0000001000);
	assert_int_equal(fake->cr2, 0x7f0000001000);
}

static void a_debug_exception_brings_its_reasons(void **state)
{
	(void)state;
	start();
	fake->dr6 = DR6_INIT | PENDING_DEBUG_BS | 8;
	reflect(EXCEPTION(VECTOR_DB), 0, 2);
	assert_int_equal(fake->dr6, DR6_INIT | 2);
}

static void int1_is_the_guests_and_leaves_dr6_alone(void **state)
{
	(void)state;
	start();
	fake->dr6 = DR6_INIT | 4;
	reflect(INTR_VALID | INTR_TYPE_INT1 | VECTOR_DB, 0, 0);
	assert_int_equal(fake->delivered.length, 1);
	assert_int_equal(fake->dr6, DR6_INIT | 4);
}

/* In DR6 the bit is 0 if there was one, in a qualification it is 1. */
static void a_bus_lock_shows_in_dr6(void **state)
{
	(void)state;
	start();
	reflect(EXCEPTION(VECTOR_DB), 0, BIT(11) | 1);
	assert_int_equal(fake->dr6, (DR6_INIT & ~BIT(11)) | 1);
}

/* The stack or the IDT is in a page that is not the guest's. */
static enum fake_end refuse(uint32_t vectoring)
{
	struct vm_exit x = violation_exit(MONITOR_START, 0x5000, EPT_W);

	x.vectoring = vectoring;
	return machine_exit_to(&x);
}

static void a_refusal_while_an_event_is_delivered_is_as_by_the_cpu(void **state)
{
	static const uint32_t benign[] = {
		0,
		EXCEPTION(VECTOR_UD),
		EXCEPTION(VECTOR_DB),
		INTERRUPT(13),
		SOFTWARE(13),
		BREAKPOINT,
		NMI_INFO,
		EXCEPTION(16),
		WITH_CODE(17),
	};
	static const uint32_t contributory[] = {
		EXCEPTION(0),  WITH_CODE(10),	     WITH_CODE(11),
		WITH_CODE(12), WITH_CODE(VECTOR_GP), WITH_CODE(VECTOR_PF),
		EXCEPTION(20), WITH_CODE(21),
	};

	(void)state;
	start();
	for (size_t i = 0; i < sizeof(benign) / sizeof(benign[0]); i++) {
		assert_int_equal(refuse(benign[i]), FAKE_RETURNED);
		assert_int_equal(fake->delivered.info, WITH_CODE(VECTOR_GP));
	}
	for (size_t i = 0; i < sizeof(contributory) / sizeof(contributory[0]);
	     i++) {
		assert_int_equal(refuse(contributory[i]), FAKE_RETURNED);
		assert_int_equal(fake->delivered.info, WITH_CODE(VECTOR_DF));
		assert_int_equal(fake->delivered.error_code, 0);
	}
	assert_int_equal(refuse(WITH_CODE(VECTOR_DF)), FAKE_RESET);
}

/* The page was opened meanwhile, or is filled now: the access goes on. */
static void retry(uint32_t vectoring, uint32_t error_code)
{
	struct vm_exit x = violation_exit(0x5000, 0x5000, EPT_W);

	x.vectoring = vectoring;
	x.vectoring_error = error_code;
	x.length = 2;
	machine_exit(&x);
	assert_int_equal(fake->delivered.info, vectoring & ~BIT(12));
	assert_int_equal(fake->delivered.error_code, error_code);
	assert_int_equal(*fake_vmcs(GUEST_RIP), rip);
}

static void an_event_whose_delivery_exits_is_delivered_again(void **state)
{
	(void)state;
	start();
	retry(0, 0);
	retry(INTERRUPT(0x30), 0);
	retry(INTERRUPT(0x30) | BIT(12), 0); /* bit 12 says nothing here */
	retry(EXCEPTION(VECTOR_UD), 0);
	retry(WITH_CODE(VECTOR_PF), 6);
	retry(SOFTWARE(0x80), 0);
	assert_int_equal(fake->delivered.length, 2);
	retry(BREAKPOINT, 0);
	assert_int_equal(fake->delivered.length, 2);
}

/* The CPU blocked NMIs as it began to deliver this one. */
static void an_nmi_is_delivered_again_in_spite_of_its_own_blocking(void **state)
{
	(void)state;
	start();
	*fake_vmcs(GUEST_INTERRUPTIBILITY) = BLOCKING_BY_NMI;
	retry(NMI_INFO, 0);
	assert_int_equal(*fake_vmcs(GUEST_INTERRUPTIBILITY), BLOCKING_BY_NMI);
}

static void an_iret_that_faults_on_the_wall_keeps_nmis_blocked(void **state)
{
	struct vm_exit x;

	(void)state;
	start();
	x = violation_exit(0x5000, 0x5000, EPT_W);
	x.qualification |= EPT_QUAL_NMI_UNBLOCKING;
	machine_exit(&x);
	assert_int_equal(*fake_vmcs(GUEST_INTERRUPTIBILITY), BLOCKING_BY_NMI);
	*fake_vmcs(GUEST_INTERRUPTIBILITY) = 0;
	x.vectoring = INTERRUPT(0x30); /* then the bit is undefined */
	machine_exit(&x);
	assert_int_equal(*fake_vmcs(GUEST_INTERRUPTIBILITY), 0);
}

static void a_fault_in_protected_mode_has_an_error_code(void **state)
{
	(void)state;
	start();
	fake->gpr.rcx = 0x79;
	machine_exit(&(struct vm_exit){ .reason = EXIT_WRMSR, .length = 2 });
	assert_int_equal(fake->delivered.info, WITH_CODE(VECTOR_GP));
	assert_int_equal(fake->delivered.error_code, 0);
}

static void a_fault_in_real_mode_has_none(void **state)
{
	(void)state;
	start();
	machine_exit(&(struct vm_exit){ .reason = EXIT_INIT });
	machine_exit(&(struct vm_exit){ .reason = EXIT_SIPI });
	fake->gpr.rcx = 0x79;
	machine_exit(&(struct vm_exit){ .reason = EXIT_WRMSR, .length = 2 });
	assert_int_equal(fake->delivered.info, EXCEPTION(VECTOR_GP));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			an_instruction_done_ends_blocking_by_sti_and_mov_ss),
		cmocka_unit_test(
			under_single_step_an_instruction_done_leaves_a_trap),
		cmocka_unit_test(without_single_step_it_leaves_none),
		cmocka_unit_test(
			an_exception_that_exits_reaches_the_guest_as_it_was),
		cmocka_unit_test(a_page_fault_brings_its_address),
		cmocka_unit_test(a_debug_exception_brings_its_reasons),
		cmocka_unit_test(int1_is_the_guests_and_leaves_dr6_alone),
		cmocka_unit_test(a_bus_lock_shows_in_dr6),
		cmocka_unit_test(
			a_refusal_while_an_event_is_delivered_is_as_by_the_cpu),
		cmocka_unit_test(
			an_event_whose_delivery_exits_is_delivered_again),
		cmocka_unit_test(
			an_nmi_is_delivered_again_in_spite_of_its_own_blocking),
		cmocka_unit_test(
			an_iret_that_faults_on_the_wall_keeps_nmis_blocked),
		cmocka_unit_test(a_fault_in_protected_mode_has_an_error_code),
		cmocka_unit_test(a_fault_in_real_mode_has_none),
	};

	return machine_run_tests(tests);
}
