/* SPDX-License-Identifier: MIT */
/* Which CPUs will do, and the controls that come out. */
#include <string.h>

#include "tests/monitor/fake_cpu.h"

static struct vmx_capabilities capabilities(enum fake_model_name name)
{
	const uint64_t *msr = fake_models[name].vmx;

	return (struct vmx_capabilities){
		.basic = msr[0x0],
		.pin = msr[0xd],
		.proc = msr[0xe],
		.proc2 = msr[0xb],
		.exit = msr[0xf],
		.entry = msr[0x10],
		.ept_vpid = msr[0xc] == FAKE_NO_MSR ? 0 : msr[0xc],
		.cr0_fixed0 = msr[0x6],
		.cr0_fixed1 = msr[0x7],
		.cr4_fixed0 = msr[0x8],
		.cr4_fixed1 = msr[0x9],
	};
}

static const struct vmx_controls untouched = { 1, 2, 3, 4, 5 };

static enum rw_error compute(const struct vmx_capabilities *c,
			     struct vmx_controls *ret)
{
	enum rw_error error;

	*ret = untouched;
	error = vmx_compute_controls(c, ret);
	if (error)
		assert_memory_equal(ret, &untouched, sizeof(untouched));
	return error;
}

static void every_model_with_ept_and_unrestricted_guest_will_do(void **state)
{
	(void)state;
	for (int i = MODEL_corei5_arrandale_m520; i <= MODEL_tigerlake; i++) {
		struct vmx_capabilities c =
			capabilities((enum fake_model_name)i);
		struct vmx_controls v;

		if (compute(&c, &v))
			fail_msg("%s is refused", fake_models[i].name);
	}
}

static void a_core_2_is_refused_for_it_has_no_ept(void **state)
{
	struct vmx_capabilities c = capabilities(MODEL_core2_penryn_t9600);
	struct vmx_controls v;

	(void)state;
	assert_false(c.proc2 >> 32 & PROC2_EPT);
	assert_int_equal(compute(&c, &v), RW_E_CAPABILITY);
}

static void a_cpu_of_amd_is_refused(void **state)
{
	struct vmx_capabilities c = capabilities(MODEL_ryzen);
	struct vmx_controls v;

	(void)state;
	assert_int_equal(compute(&c, &v), RW_E_CAPABILITY);
}

/* What a run on that model in Bochs worked with, by hand from its MSRs. */
static void the_controls_of_an_ice_lake_are_those(void **state)
{
	struct vmx_capabilities c = capabilities(MODEL_corei7_icelake_u);
	struct vmx_controls v;

	(void)state;
	assert_int_equal(compute(&c, &v), RW_OK);
	assert_int_equal(v.pin, 0x3e);
	assert_int_equal(v.proc, 0x94006172);
	assert_int_equal(v.proc2, 0x001010aa | 1U << 3);
	assert_int_equal(v.exit, 0x003f6fff);
	assert_int_equal(v.entry, 0x0000d3ff);
}

static void what_is_optional_is_used_only_where_it_is_allowed(void **state)
{
	struct vmx_capabilities c = capabilities(MODEL_corei5_arrandale_m520);
	struct vmx_controls v;

	(void)state;
	assert_int_equal(compute(&c, &v), RW_OK);
	assert_int_equal(v.proc2, PROC2_EPT | PROC2_RDTSCP | PROC2_VPID |
					  PROC2_UNRESTRICTED_GUEST);
	c.proc2 |= (PROC2_INVPCID | PROC2_XSAVES | PROC2_USER_WAIT_PAUSE) << 32;
	assert_int_equal(compute(&c, &v), RW_OK);
	assert_int_equal(v.proc2, PROC2_EPT | PROC2_RDTSCP | PROC2_VPID |
					  PROC2_UNRESTRICTED_GUEST |
					  PROC2_INVPCID | PROC2_XSAVES |
					  PROC2_USER_WAIT_PAUSE);
}

static void what_must_be_1_is_1(void **state)
{
	struct vmx_capabilities c = capabilities(MODEL_corei7_icelake_u);
	struct vmx_controls v;

	(void)state;
	c.pin |= 1;
	c.proc |= 1 << 7;
	c.exit |= 1 << 12;
	assert_int_equal(compute(&c, &v), RW_OK);
	assert_true(v.pin & 1);
	assert_true(v.proc & 1 << 7);
	assert_true(v.exit & 1 << 12);
}

static void nothing_exits_that_need_not(void **state)
{
	struct vmx_capabilities c = capabilities(MODEL_corei7_icelake_u);
	struct vmx_controls v;

	(void)state;
	assert_int_equal(compute(&c, &v), RW_OK);
	/* External interrupts; then interrupt window, HLT, INVLPG, MWAIT,
	 * RDPMC, RDTSC, CR3, CR8, MOV DR, I/O, MONITOR, PAUSE. */
	assert_int_equal(v.pin & 1, 0);
	assert_int_equal(v.proc & 0x63999e84, 0);
}

/* Each feature that Ringwall cannot do without, taken away alone. */
static void a_cpu_that_lacks_one_needed_feature_is_refused(void **state)
{
	static const struct {
		size_t offset;
		uint64_t bits;
	} needed[] = {
#define NEED(field, bit) { offsetof(struct vmx_capabilities, field), bit }
		NEED(basic, VMX_BASIC_TRUE_CONTROLS),
		NEED(pin, PIN_NMI_EXITING << 32),
		NEED(pin, PIN_VIRTUAL_NMIS << 32),
		NEED(proc, PROC_HLT << 32),
		NEED(proc, PROC_MWAIT << 32),
		NEED(proc, PROC_NMI_WINDOW << 32),
		NEED(proc, PROC_MSR_BITMAPS << 32),
		NEED(proc, PROC_SECONDARY << 32),
		NEED(proc2, PROC2_EPT << 32),
		NEED(proc2, PROC2_VPID << 32),
		NEED(proc2, PROC2_UNRESTRICTED_GUEST << 32),
		NEED(exit, EXIT_SAVE_DEBUG << 32),
		NEED(exit, EXIT_HOST_64 << 32),
		NEED(exit, EXIT_SAVE_PAT << 32),
		NEED(exit, EXIT_LOAD_PAT << 32),
		NEED(exit, EXIT_SAVE_EFER << 32),
		NEED(exit, EXIT_LOAD_EFER << 32),
		NEED(entry, ENTRY_LOAD_DEBUG << 32),
		NEED(entry, ENTRY_IA32E_GUEST << 32),
		NEED(entry, ENTRY_LOAD_PAT << 32),
		NEED(entry, ENTRY_LOAD_EFER << 32),
		NEED(ept_vpid, BIT(6)),
		NEED(ept_vpid, BIT(14)),
		NEED(ept_vpid, BIT(16)),
		NEED(ept_vpid, BIT(20)),
		NEED(ept_vpid, BIT(25)),
		NEED(ept_vpid, BIT(26)),
		NEED(ept_vpid, BIT(32)),
		NEED(ept_vpid, BIT(42)),
#undef NEED
	};

	(void)state;
	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
		struct vmx_capabilities c =
			capabilities(MODEL_corei7_icelake_u);
		struct vmx_controls v;
		uint64_t field;

		memcpy(&field, (char *)&c + needed[i].offset, sizeof(field));
		assert_true(field & needed[i].bits);
		field &= ~needed[i].bits;
		memcpy((char *)&c + needed[i].offset, &field, sizeof(field));
		if (compute(&c, &v) != RW_E_CAPABILITY)
			fail_msg("feature %zu is not needed", i);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			every_model_with_ept_and_unrestricted_guest_will_do),
		cmocka_unit_test(a_core_2_is_refused_for_it_has_no_ept),
		cmocka_unit_test(a_cpu_of_amd_is_refused),
		cmocka_unit_test(the_controls_of_an_ice_lake_are_those),
		cmocka_unit_test(
			what_is_optional_is_used_only_where_it_is_allowed),
		cmocka_unit_test(what_must_be_1_is_1),
		cmocka_unit_test(nothing_exits_that_need_not),
		cmocka_unit_test(
			a_cpu_that_lacks_one_needed_feature_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
