/* SPDX-License-Identifier: MIT */
/* MSR accesses of the guest: what exits, and what becomes of it. */
#include <string.h>

#include "monitor/memory.h"
#include "monitor/msr.h"
#include "tests/monitor/fake_kernel.h"

#define READ	  1
#define WRITE	  2
#define BOTH	  3
#define GARBAGE	  0xdeadbeef00000000ULL
#define X2APIC_ON 0xfee00d00ULL
#define XAPIC_ON  0xfee00900ULL
#define APIC_OFF  0xfee00100ULL

static void start(void)
{
	kernel_boot(1, 0);
}

static void guest_rdmsr(uint32_t msr)
{
	fake->gpr.rcx = GARBAGE | msr;
	fake->gpr.rax = fake->gpr.rdx = GARBAGE;
	machine_exit(&(struct vm_exit){ .reason = EXIT_RDMSR, .length = 2 });
}

static void guest_wrmsr(uint32_t msr, uint64_t value)
{
	fake->gpr.rcx = GARBAGE | msr;
	fake->gpr.rax = GARBAGE | (uint32_t)value;
	fake->gpr.rdx = GARBAGE | value >> 32;
	machine_exit(&(struct vm_exit){ .reason = EXIT_WRMSR, .length = 2 });
}

static void assert_no_event(void)
{
	struct rw_event e;

	assert_int_equal(kernel_events(&e, 1), 0);
}

static void assert_denied(uint64_t rip)
{
	assert_exception(VECTOR_GP);
	assert_int_equal(fake->delivered.error_code, 0);
	assert_int_equal(*fake_vmcs(GUEST_RIP), rip);
}

static void assert_recorded(uint32_t msr, uint64_t value)
{
	struct rw_event e = kernel_event();

	assert_int_equal(e.kind, RW_EVENT_REGISTER);
	assert_int_equal(e.verdict, RW_VERDICT_DENIED);
	assert_int_equal(e.detail[0], msr);
	assert_int_equal(e.detail[1], value);
}

/* From the rows alone; the layout is SDM Vol. 3 25.6.9. */
static bool row_says(uint32_t msr, int access)
{
#define MSR_RULE(first, last, how, treatment, reason)          \
	if (msr >= (first) && msr <= (last) && ((how)&access)) \
		return true;
#include "monitor/msr.def"
#undef MSR_RULE
	return false;
}

static void the_bitmap_traps_exactly_what_the_table_names(void **state)
{
	const uint8_t *map;

	(void)state;
	start();
	map = physical(*fake_vmcs(MSR_BITMAP));
	for (uint32_t i = 0; i < 0x8000; i++) {
		int access = i < 0x4000 ? READ : WRITE;
		uint32_t msr = (i & 0x1fff) | (i & 0x2000 ? 0xc0000000 : 0);

		if ((map[i / 8] >> i % 8 & 1) != row_says(msr, access))
			fail_msg("MSR %#x, access %d", msr, access);
	}
}

static void the_system_call_and_segment_msrs_cost_nothing(void **state)
{
	static const uint32_t hot[] = { 0x10,	    0x6e0,	0x830,
					0xc0000080, 0xc0000082, 0xc0000100,
					0xc0000101, 0xc0000102, 0xc0000103,
					0x1d9,	    0x277 };

	(void)state;
	for (size_t i = 0; i < sizeof(hot) / sizeof(hot[0]); i++)
		assert_false(row_says(hot[i], READ) || row_says(hot[i], WRITE));
}

static void a_denied_write_faults_and_is_recorded(void **state)
{
	static const uint32_t denied[] = { 0x3a,  0x79,	 0x9b,	0x1f2, 0x1f3,
					   0x560, 0x561, 0x570, 0x982 };
	uint64_t rip;

	(void)state;
	start();
	rip = *fake_vmcs(GUEST_RIP);
	for (size_t i = 0; i < sizeof(denied) / sizeof(denied[0]); i++) {
		guest_wrmsr(denied[i], 0x123456789abcdef0);
		assert_denied(rip);
		assert_recorded(denied[i], 0x123456789abcdef0);
	}
}

static void vmx_capabilities_fault_as_if_there_were_none(void **state)
{
	uint64_t rip;

	(void)state;
	start();
	rip = *fake_vmcs(GUEST_RIP);
	for (uint32_t msr = 0x480; msr <= 0x493; msr++) {
		guest_rdmsr(msr);
		assert_denied(rip);
		guest_wrmsr(msr, 0);
		assert_denied(rip);
	}
	assert_no_event();
}

static void vmx_is_shown_locked_off(void **state)
{
	uint64_t rip;

	(void)state;
	start();
	rip = *fake_vmcs(GUEST_RIP);
	guest_rdmsr(IA32_FEATURE_CONTROL);
	assert_skipped(rip, 2);
	assert_int_equal(fake->gpr.rax, 1);
	assert_int_equal(fake->gpr.rdx, 0);
}

static void an_mtrr_may_be_written_with_what_it_holds(void **state)
{
	uint64_t rip;

	(void)state;
	start();
	rip = *fake_vmcs(GUEST_RIP);
	guest_wrmsr(0x201, 0xff80000800);
	assert_skipped(rip, 2);
	guest_wrmsr(0x26f, 0x0505050505050505);
	assert_skipped(rip + 2, 2);
	assert_no_event();
}

static void an_mtrr_cannot_be_changed(void **state)
{
	uint64_t rip;

	(void)state;
	start();
	rip = *fake_vmcs(GUEST_RIP);
	guest_wrmsr(0x201, 0xff00000800);
	assert_denied(rip);
	assert_recorded(0x201, 0xff00000800);
	assert_int_equal(*fake_msr(0x201), 0xff80000800);
}

/* 10 variable ranges are in the table, this CPU has 8. */
static void a_range_register_this_cpu_lacks_faults_in_the_guest(void **state)
{
	uint64_t rip;

	(void)state;
	start();
	rip = *fake_vmcs(GUEST_RIP);
	for (uint32_t msr = 0x210; msr <= 0x21f; msr++) {
		guest_wrmsr(msr, 0);
		assert_denied(rip);
	}
	*fake_msr(IA32_MTRRCAP) = 0x408; /* no fixed ranges */
	fake_msr_remove(0x250);
	guest_wrmsr(0x250, 0);
	assert_denied(rip);
}

static void the_mtrr_switch_has_no_effect(void **state)
{
	uint64_t rip;

	(void)state;
	start();
	rip = *fake_vmcs(GUEST_RIP);
	guest_wrmsr(0x2ff, 0);
	assert_skipped(rip, 2);
	assert_int_equal(*fake_msr(0x2ff), 0xc06);
	assert_no_event();
}

static void nx_and_the_limit_of_cpuid_stay(void **state)
{
	uint64_t old, rip;

	(void)state;
	start();
	rip = *fake_vmcs(GUEST_RIP);
	old = *fake_msr(IA32_MISC_ENABLE);
	guest_wrmsr(IA32_MISC_ENABLE, old | BIT(34));
	assert_denied(rip);
	assert_recorded(IA32_MISC_ENABLE, old | BIT(34));
	guest_wrmsr(IA32_MISC_ENABLE, old ^ BIT(22));
	assert_denied(rip);
	guest_wrmsr(IA32_MISC_ENABLE, old | BIT(63)); /* reserved */
	assert_denied(rip);
	assert_int_equal(*fake_msr(IA32_MISC_ENABLE), old);
	guest_wrmsr(IA32_MISC_ENABLE, old);
	assert_skipped(rip, 2);
	guest_wrmsr(IA32_MISC_ENABLE, (old | BIT(38)) & ~1ULL);
	assert_skipped(rip + 2, 2);
	assert_int_equal(*fake_msr(IA32_MISC_ENABLE), (old | BIT(38)) & ~1ULL);
}

static void the_apic_page_cannot_be_moved(void **state)
{
	uint64_t rip;

	(void)state;
	start();
	rip = *fake_vmcs(GUEST_RIP);
	guest_wrmsr(IA32_APIC_BASE, MONITOR_START | 0x900);
	assert_denied(rip);
	assert_recorded(IA32_APIC_BASE, MONITOR_START | 0x900);
	guest_wrmsr(IA32_APIC_BASE, XAPIC_ON | 1ULL << 36);
	assert_denied(rip);
	assert_int_equal(*fake_msr(IA32_APIC_BASE), XAPIC_ON);
}

static void the_apic_may_change_its_mode_where_it_is(void **state)
{
	static const uint64_t way[] = { APIC_OFF, XAPIC_ON, X2APIC_ON,
					X2APIC_ON };
	uint64_t rip;

	(void)state;
	start();
	rip = *fake_vmcs(GUEST_RIP);
	for (size_t i = 0; i < sizeof(way) / sizeof(way[0]); i++) {
		guest_wrmsr(IA32_APIC_BASE, way[i]);
		assert_skipped(rip + 2 * i, 2);
		assert_int_equal(*fake_msr(IA32_APIC_BASE), way[i]);
	}
	assert_no_event();
}

/* WRMSR would fault in VMX root: it has to fault in the guest instead. */
static void a_change_that_the_apic_refuses_faults_in_the_guest(void **state)
{
	static const struct {
		uint64_t from, to;
	} bad[] = {
		{ XAPIC_ON, XAPIC_ON | 1 }, /* reserved */
		{ XAPIC_ON, XAPIC_ON | 1 << 9 },
		{ XAPIC_ON, X2APIC_ON & ~0x800ULL }, /* x2APIC, disabled */
		{ APIC_OFF, X2APIC_ON },
		{ X2APIC_ON, XAPIC_ON },
	};
	uint64_t rip;

	(void)state;
	start();
	rip = *fake_vmcs(GUEST_RIP);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		*fake_msr(IA32_APIC_BASE) = bad[i].from;
		guest_wrmsr(IA32_APIC_BASE, bad[i].to);
		assert_denied(rip);
		assert_int_equal(*fake_msr(IA32_APIC_BASE), bad[i].from);
	}
}

static void a_cpu_without_x2apic_cannot_be_switched_to_it(void **state)
{
	uint64_t rip;

	(void)state;
	machine_init();
	machine.model = MODEL_corei5_arrandale_m520;
	machine_start();
	rip = *fake_vmcs(GUEST_RIP);
	guest_wrmsr(IA32_APIC_BASE, X2APIC_ON);
	assert_denied(rip);
}

static void an_msr_outside_the_bitmap_faults(void **state)
{
	static const uint32_t outside[] = { 0x2000,	0x40000000, 0xbfffffff,
					    0xc0002000, 0xc0010114, 0xffffffff };
	uint64_t rip;

	(void)state;
	start();
	rip = *fake_vmcs(GUEST_RIP);
	for (size_t i = 0; i < sizeof(outside) / sizeof(outside[0]); i++) {
		guest_rdmsr(outside[i]);
		assert_denied(rip);
		guest_wrmsr(outside[i], 1);
		assert_denied(rip);
	}
	assert_no_event();
}

static void without_memory_for_the_bitmap_the_host_is_not_taken(void **state)
{
	(void)state;
	start();
	while (page_alloc(0))
		continue;
	assert_int_equal(msr_init(), RW_E_NO_MEMORY);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_bitmap_traps_exactly_what_the_table_names),
		cmocka_unit_test(the_system_call_and_segment_msrs_cost_nothing),
		cmocka_unit_test(a_denied_write_faults_and_is_recorded),
		cmocka_unit_test(vmx_capabilities_fault_as_if_there_were_none),
		cmocka_unit_test(vmx_is_shown_locked_off),
		cmocka_unit_test(an_mtrr_may_be_written_with_what_it_holds),
		cmocka_unit_test(an_mtrr_cannot_be_changed),
		cmocka_unit_test(
			a_range_register_this_cpu_lacks_faults_in_the_guest),
		cmocka_unit_test(the_mtrr_switch_has_no_effect),
		cmocka_unit_test(nx_and_the_limit_of_cpuid_stay),
		cmocka_unit_test(the_apic_page_cannot_be_moved),
		cmocka_unit_test(the_apic_may_change_its_mode_where_it_is),
		cmocka_unit_test(
			a_change_that_the_apic_refuses_faults_in_the_guest),
		cmocka_unit_test(a_cpu_without_x2apic_cannot_be_switched_to_it),
		cmocka_unit_test(an_msr_outside_the_bitmap_faults),
		cmocka_unit_test(
			without_memory_for_the_bitmap_the_host_is_not_taken),
	};

	return machine_run_tests(tests);
}
