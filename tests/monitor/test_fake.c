/* SPDX-License-Identifier: MIT */
/*
 * The fake itself: lets a right monitor through and catches what a CPU would
 * refuse, since every other test relies on that.
 */
#include <string.h>

#include "monitor/memory.h"
#include "tests/monitor/machine.h"

static void start(void)
{
	machine_init();
	machine_start();
}

static void a_host_enters_on_every_model_that_has_what_it_takes(void **state)
{
	(void)state;
	machine_init();
	machine.model = MODEL_tigerlake;
	machine.cpus = 4;
	machine_start();
	for (uint32_t i = 0; i < 4; i++) {
		machine_use(i);
		assert_null(fake_entry_fault());
	}
}

static void vm_entry_finds_what_breaks_its_rules(void **state)
{
	static const struct {
		uint32_t field;
		uint64_t value;
		const char *fault;
	} breaks[] = {
		{ PIN_BASED_CONTROLS, 0x1e, "window without virtual" },
		{ PIN_BASED_CONTROLS, 0x9e, "pin controls" },
		{ PROCESSOR_CONTROLS, 0, "proc controls" },
		{ SECONDARY_CONTROLS, 1 << 22, "proc2 controls" },
		{ EPT_POINTER, 0x1000, "EPTP" },
		{ VPID, 0, "VPID 0" },
		{ ENTRY_INTERRUPTION_INFO, 0x80000102, "event: type 1" },
		{ ENTRY_INTERRUPTION_INFO, 0x80000201, "event: NMI" },
		{ ENTRY_INTERRUPTION_INFO, 0x8000030d, "event: error code" },
		{ ENTRY_INTERRUPTION_INFO, 0x80000b06, "event: error code" },
		{ ENTRY_INTERRUPTION_INFO, 0x80001306, "event: reserved" },
		{ ENTRY_INTERRUPTION_INFO, 0x80000020, "with IF clear" },
		{ HOST_CR4, 0x20, "host CR4" },
		{ HOST_CS_SELECTOR, 0x13, "host selector" },
		{ HOST_RIP, 1ULL << 62, "host base" },
		{ GUEST_CR0, 0x80050013, "guest CR0" },
		{ GUEST_CR4, 0x350670, "guest CR4" },
		{ GUEST_CR0, 0x00050033, "IA-32e mode without paging" },
		{ GUEST_CR4, 0x352650 & ~0x20, "IA-32e mode without paging" },
		{ GUEST_EFER, 0x101, "guest EFER.LMA" },
		{ GUEST_PAT, 2, "guest PAT" },
		{ GUEST_DR7, 1ULL << 32, "guest DR7" },
		{ VMCS_LINK_POINTER, 0, "link pointer" },
		{ GUEST_CS_ACCESS_RIGHTS, 0xe09b, "guest CS with L and D" },
		{ GUEST_CS_ACCESS_RIGHTS, 0x10000, "guest CS unusable" },
		{ GUEST_TR_ACCESS_RIGHTS, 0x83, "guest TR type" },
		{ GUEST_GDTR_LIMIT, 0x10000, "guest table limit" },
		{ GUEST_RIP, 1ULL << 62, "guest RIP" },
		{ GUEST_RFLAGS, 0, "guest RFLAGS" },
		{ GUEST_INTERRUPTIBILITY, BLOCKING_BY_STI, "with IF clear" },
		{ GUEST_INTERRUPTIBILITY, 3, "interruptibility" },
		{ GUEST_ACTIVITY, 4, "activity" },
		{ GUEST_PENDING_DEBUG, 1 << 4, "pending debug" },
	};

	(void)state;
	start();
	for (size_t i = 0; i < sizeof(breaks) / sizeof(breaks[0]); i++) {
		uint64_t *field = fake_vmcs(breaks[i].field), old = *field;
		const char *fault;

		*field = breaks[i].value;
		if (breaks[i].field == PIN_BASED_CONTROLS)
			*fake_vmcs(PROCESSOR_CONTROLS) |= PROC_NMI_WINDOW;
		fault = fake_entry_fault();
		if (!fault || !strstr(fault, breaks[i].fault))
			fail_msg("%s = %#llx: %s instead of %s",
				 fake_vmcs_name(breaks[i].field),
				 (unsigned long long)breaks[i].value,
				 fault ? fault : "nothing", breaks[i].fault);
		*field = old;
		*fake_vmcs(PROCESSOR_CONTROLS) &= ~PROC_NMI_WINDOW;
	}
	assert_null(fake_entry_fault());
}

static void vm_entry_finds_events_that_are_blocked(void **state)
{
	(void)state;
	start();
	*fake_vmcs(ENTRY_INTERRUPTION_INFO) = INTR_VALID | INTR_TYPE_NMI |
					      VECTOR_NMI;
	assert_null(fake_entry_fault());
	*fake_vmcs(GUEST_INTERRUPTIBILITY) = BLOCKING_BY_NMI;
	assert_string_equal(fake_entry_fault(), "NMI under blocking by NMI");
	*fake_vmcs(GUEST_INTERRUPTIBILITY) = BLOCKING_BY_MOV_SS;
	assert_string_equal(fake_entry_fault(), "NMI under blocking");
	*fake_vmcs(GUEST_INTERRUPTIBILITY) = 0;
	*fake_vmcs(GUEST_ACTIVITY) = ACTIVITY_WAIT_SIPI;
	assert_string_equal(fake_entry_fault(), "event in this activity state");
}

static void an_entry_delivers_what_is_injected_once(void **state)
{
	(void)state;
	start();
	*fake_vmcs(ENTRY_INTERRUPTION_INFO) = INTR_VALID | INTR_TYPE_NMI |
					      VECTOR_NMI;
	fake_enter();
	assert_int_equal(fake->delivered.info,
			 INTR_VALID | INTR_TYPE_NMI | VECTOR_NMI);
	assert_int_equal(*fake_vmcs(GUEST_INTERRUPTIBILITY), BLOCKING_BY_NMI);
	fake_enter();
	assert_int_equal(fake->delivered.info, 0);
}

static void without_a_vmcs_vmread_and_vmwrite_are_refused(void **state)
{
	uint64_t v;

	(void)state;
	start();
	fake->current_vmcs = 0;
	assert_int_equal(vmread(GUEST_RIP, &v), 1);
	assert_int_equal(vmwrite(GUEST_RIP, 0), 1);
	assert_panics("!vmread(field, &v)", vmcs_read(GUEST_RIP));
	assert_panics("VMWRITE refused", vmcs_write(GUEST_RIP, 0));
}

static void a_window_leads_where_the_tables_say_after_invlpg(void **state)
{
	struct pcpu *cpu;
	uint8_t *at;

	(void)state;
	start();
	cpu = this_cpu();
	*(uint8_t *)physical(0x5000) = 0x55;
	*(uint8_t *)physical(0x6000) = 0x66;
	at = window_map(cpu, 0, hpa(0x5000), true);
	assert_int_equal(*at, 0x55);
	*cpu->window[0] += 0x1000;
	assert_int_equal(*at, 0x55);
	invlpg(at);
	assert_int_equal(*at, 0x66);
	*at = 0x67;
	assert_int_equal(*(uint8_t *)physical(0x6000), 0x67);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			a_host_enters_on_every_model_that_has_what_it_takes),
		cmocka_unit_test(vm_entry_finds_what_breaks_its_rules),
		cmocka_unit_test(vm_entry_finds_events_that_are_blocked),
		cmocka_unit_test(an_entry_delivers_what_is_injected_once),
		cmocka_unit_test(without_a_vmcs_vmread_and_vmwrite_are_refused),
		cmocka_unit_test(
			a_window_leads_where_the_tables_say_after_invlpg),
	};

	return machine_run_tests(tests);
}
