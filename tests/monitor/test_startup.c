/* SPDX-License-Identifier: MIT */
/* INIT and start-up IPI: the CPU begins anew, inside the wall. */
#include <string.h>

#include "tests/monitor/fake_kernel.h"

#define VECTOR 0x9a

static void start(void)
{
	kernel_boot(2, 0);
	machine_use(1);
}

static void init(void)
{
	machine_exit(&(struct vm_exit){ .reason = EXIT_INIT });
	assert_int_equal(fake->delivered.info, 0);
}

static void sipi(uint32_t vector)
{
	machine_exit(&(struct vm_exit){ .reason = EXIT_SIPI,
					.qualification = vector });
	assert_int_equal(fake->delivered.info, 0);
}

static void after_init_the_cpu_waits_for_its_start_up(void **state)
{
	(void)state;
	start();
	init();
	assert_int_equal(*fake_vmcs(GUEST_ACTIVITY), ACTIVITY_WAIT_SIPI);
	assert_int_equal(this_cpu()->state, RW_CPU_WAIT_SIPI);
}

static void the_start_up_ipi_names_the_page_where_it_begins(void **state)
{
	(void)state;
	start();
	init();
	sipi(VECTOR);
	assert_int_equal(*fake_vmcs(GUEST_ACTIVITY), ACTIVITY_ACTIVE);
	assert_int_equal(*fake_vmcs(GUEST_CS_SELECTOR), VECTOR << 8);
	assert_int_equal(*fake_vmcs(GUEST_CS_BASE), VECTOR << 12);
	assert_int_equal(*fake_vmcs(GUEST_RIP), 0);
	assert_int_equal(this_cpu()->state, RW_CPU_INSIDE);
}

/* SDM Vol. 3 table 10-1, the column for INIT. */
static const struct {
	uint32_t field;
	uint64_t value;
} after[] = {
	{ CR0_READ_SHADOW, CR0_ET },
	{ GUEST_CR0, CR0_ET | CR0_NE },
	{ GUEST_CR3, 0 },
	{ CR4_READ_SHADOW, 0 },
	{ GUEST_CR4, CR4_VMXE },
	{ GUEST_EFER, 0 },
	{ GUEST_RFLAGS, RFLAGS_FIXED },
	{ GUEST_RSP, 0 },
	{ GUEST_DR7, 0x400 },
	{ GUEST_CS_LIMIT, 0xffff },
	{ GUEST_CS_ACCESS_RIGHTS, 0x9b },
	{ GUEST_SS_SELECTOR, 0 },
	{ GUEST_SS_BASE, 0 },
	{ GUEST_SS_LIMIT, 0xffff },
	{ GUEST_SS_ACCESS_RIGHTS, 0x93 },
	{ GUEST_DS_BASE, 0 },
	{ GUEST_DS_ACCESS_RIGHTS, 0x93 },
	{ GUEST_ES_ACCESS_RIGHTS, 0x93 },
	{ GUEST_FS_BASE, 0 },
	{ GUEST_FS_ACCESS_RIGHTS, 0x93 },
	{ GUEST_GS_BASE, 0 },
	{ GUEST_GS_ACCESS_RIGHTS, 0x93 },
	{ GUEST_LDTR_BASE, 0 },
	{ GUEST_LDTR_LIMIT, 0xffff },
	{ GUEST_LDTR_ACCESS_RIGHTS, 0x82 },
	{ GUEST_TR_BASE, 0 },
	{ GUEST_TR_LIMIT, 0xffff },
	{ GUEST_TR_ACCESS_RIGHTS, 0x8b },
	{ GUEST_GDTR_BASE, 0 },
	{ GUEST_GDTR_LIMIT, 0xffff },
	{ GUEST_IDTR_BASE, 0 },
	{ GUEST_IDTR_LIMIT, 0xffff },
	{ GUEST_DEBUGCTL, 0 },
	{ GUEST_PENDING_DEBUG, 0 },
	{ GUEST_INTERRUPTIBILITY, 0 },
	{ ENTRY_INTERRUPTION_INFO, 0 },
};

static void the_cpu_is_as_after_init(void **state)
{
	struct registers gpr = { .rdx = 0x706e5 };

	(void)state;
	start();
	fake->cr2 = 0x1234;
	fake->dr6 = 0xffff4ff0;
	fake->gpr.rbx = 7;
	*fake_vmcs(GUEST_FS_BASE) = 0x1000;
	*fake_vmcs(GUEST_DR7) = 0x455;
	init();
	sipi(VECTOR);
	for (size_t i = 0; i < sizeof(after) / sizeof(after[0]); i++)
		if (*fake_vmcs(after[i].field) != after[i].value)
			fail_msg(
				"%s is %#llx", fake_vmcs_name(after[i].field),
				(unsigned long long)*fake_vmcs(after[i].field));
	gpr.unused = fake->gpr.unused;
	assert_memory_equal(&fake->gpr, &gpr, sizeof(gpr));
	assert_int_equal(fake->cr2, 0);
	assert_int_equal(fake->dr6, DR6_INIT);
	assert_false(*fake_vmcs(ENTRY_CONTROLS) & ENTRY_IA32E_GUEST);
	assert_int_equal(fake->invvpid, 2);
}

static void init_leaves_the_cache_as_it_is(void **state)
{
	(void)state;
	start();
	*fake_vmcs(GUEST_CR0) |= CR0_CD;
	*fake_vmcs(CR0_READ_SHADOW) |= CR0_CD;
	init();
	sipi(VECTOR);
	assert_int_equal(*fake_vmcs(GUEST_CR0), CR0_ET | CR0_NE | CR0_CD);
	assert_int_equal(*fake_vmcs(CR0_READ_SHADOW), CR0_ET | CR0_CD);
}

static void a_reset_cpu_is_still_behind_the_wall(void **state)
{
	uint64_t eptp;

	(void)state;
	start();
	eptp = *fake_vmcs(EPT_POINTER);
	init();
	sipi(VECTOR);
	assert_int_equal(*fake_vmcs(EPT_POINTER), eptp);
	assert_true(*fake_vmcs(SECONDARY_CONTROLS) & PROC2_EPT);
	assert_false(guest_can(MONITOR_START, EPT_R));
}

static void an_nmi_owed_before_init_is_forgotten_with_it(void **state)
{
	(void)state;
	start();
	*fake_vmcs(GUEST_INTERRUPTIBILITY) = BLOCKING_BY_NMI;
	guest_nmi();
	assert_true(this_cpu()->nmi_pending);
	init();
	sipi(VECTOR);
	assert_false(this_cpu()->nmi_pending);
}

/* It runs nothing: whoever arms a policy meanwhile need not wait for it. */
static void a_waiting_cpu_holds_up_no_policy(void **state)
{
	struct sample_body body = kernel_policy(1);
	uint32_t before;

	(void)state;
	start();
	init();
	machine_use(0);
	assert_int_equal(kernel_load(&body), RW_OK);
	assert_int_equal(kernel_status().state, RW_STATE_ARMED);
	machine_use(1);
	before = fake->invept_all;
	sipi(VECTOR);
	assert_int_equal(fake->invept_all, before + 1);
	assert_false(guest_can(TEXT_PHYS, EPT_W));
}

static struct store pending;

static void init_instead_of_the_trap(const struct store *s)
{
	(void)s;
	init();
}

static void init_ends_a_step_and_nothing_is_written(void **state)
{
	struct sample_body body = kernel_policy(1);
	uint64_t old;

	(void)state;
	start();
	kernel_arm(&body);
	machine_use(1);
	memcpy(&old, physical(TEXT_PHYS), sizeof(old));
	pending = store_at(TEXT_PHYS, 0xcc, 8);
	pending.meanwhile = init_instead_of_the_trap;
	*fake_vmcs(GUEST_RFLAGS) |= RFLAGS_IF;
	guest_store(&pending);
	assert_false(this_cpu()->step.active);
	assert_int_equal(*fake_vmcs(EXCEPTION_BITMAP), 0);
	assert_memory_equal(&old, physical(TEXT_PHYS), sizeof(old));
	sipi(VECTOR);
	assert_int_equal(*fake_vmcs(GUEST_RFLAGS), RFLAGS_FIXED);
}

static void the_status_counts_a_waiting_cpu_as_inside(void **state)
{
	(void)state;
	start();
	init();
	machine_use(0);
	assert_int_equal(kernel_status().cpus_inside, 2);
}

static void announce(uint64_t offline)
{
	assert_int_equal(hypercall(RW_HC_OFFLINE, offline, 0), RW_OK);
}

static bool halts_exit(void)
{
	uint64_t halts = PROC_HLT | PROC_MWAIT;

	assert_true(!(*fake_vmcs(PROCESSOR_CONTROLS) & PROC_HLT) ==
		    !(*fake_vmcs(PROCESSOR_CONTROLS) & PROC_MWAIT));
	return *fake_vmcs(PROCESSOR_CONTROLS) & halts;
}

/* MWAIT's hint in RCX: 1, a masked interrupt ends it too. */
static void halt(uint32_t reason, bool interrupts, uint64_t rcx)
{
	uint64_t from = *fake_vmcs(GUEST_RIP);
	uint32_t length = reason == EXIT_HLT ? 1 : 3;

	*fake_vmcs(GUEST_RFLAGS) = RFLAGS_FIXED | (interrupts ? RFLAGS_IF : 0);
	fake->gpr.rcx = rcx;
	machine_exit(&(struct vm_exit){ .reason = reason, .length = length });
	assert_skipped(from, length);
}

static bool waits(void)
{
	return this_cpu()->state == RW_CPU_WAIT_SIPI &&
	       *fake_vmcs(GUEST_ACTIVITY) == ACTIVITY_WAIT_SIPI;
}

static void halts_exit_only_on_a_cpu_that_is_going_offline(void **state)
{
	(void)state;
	start();
	assert_false(halts_exit());
	announce(1);
	assert_true(halts_exit());
	machine_use(0);
	assert_false(halts_exit());
	machine_use(1);
	announce(0);
	assert_false(halts_exit());
	assert_int_equal(hypercall(RW_HC_OFFLINE, 2, 0), RW_E_ARGUMENT);
	assert_false(halts_exit());
}

static void a_cpu_going_offline_waits_from_its_last_halt_on(void **state)
{
	static const uint32_t reasons[] = { EXIT_HLT, EXIT_MWAIT };

	(void)state;
	start();
	for (size_t i = 0; i < 2; i++) {
		announce(1);
		halt(reasons[i], false, 0);
		assert_true(waits());
		sipi(VECTOR);
		assert_false(halts_exit());
		assert_int_equal(this_cpu()->state, RW_CPU_INSIDE);
	}
}

static void a_halt_that_an_interrupt_ends_is_none(void **state)
{
	(void)state;
	start();
	announce(1);
	halt(EXIT_HLT, true, 0);
	assert_false(waits());
	halt(EXIT_MWAIT, true, 0);
	assert_false(waits());
	halt(EXIT_MWAIT, false, 1);
	assert_false(waits());
	assert_int_equal(*fake_vmcs(GUEST_ACTIVITY), ACTIVITY_ACTIVE);
}

static void an_offline_cpu_holds_up_no_policy(void **state)
{
	struct sample_body body = kernel_policy(1);

	(void)state;
	start();
	announce(1);
	halt(EXIT_MWAIT, false, 0);
	machine_use(0);
	assert_int_equal(kernel_load(&body), RW_OK);
	assert_int_equal(kernel_status().state, RW_STATE_ARMED);
	machine_use(1);
	sipi(VECTOR);
	assert_false(guest_can(TEXT_PHYS, EPT_W));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(after_init_the_cpu_waits_for_its_start_up),
		cmocka_unit_test(
			the_start_up_ipi_names_the_page_where_it_begins),
		cmocka_unit_test(the_cpu_is_as_after_init),
		cmocka_unit_test(init_leaves_the_cache_as_it_is),
		cmocka_unit_test(a_reset_cpu_is_still_behind_the_wall),
		cmocka_unit_test(an_nmi_owed_before_init_is_forgotten_with_it),
		cmocka_unit_test(a_waiting_cpu_holds_up_no_policy),
		cmocka_unit_test(init_ends_a_step_and_nothing_is_written),
		cmocka_unit_test(the_status_counts_a_waiting_cpu_as_inside),
		cmocka_unit_test(
			halts_exit_only_on_a_cpu_that_is_going_offline),
		cmocka_unit_test(
			a_cpu_going_offline_waits_from_its_last_halt_on),
		cmocka_unit_test(a_halt_that_an_interrupt_ends_is_none),
		cmocka_unit_test(an_offline_cpu_holds_up_no_policy),
	};

	return machine_run_tests(tests);
}
