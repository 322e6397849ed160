/* SPDX-License-Identifier: MIT */
/* The running kernel is found by the monitor, not told. */
#include <string.h>

#include "monitor/locate.h"
#include "tests/monitor/fake_kernel.h"

#define SLIDE	   0x12400000ULL
#define TEXT_START (KERNEL_TEXT + SLIDE)
#define TEXT_END   (TEXT_START + KERNEL_TEXT_SIZE)
#define RODATA_END (KERNEL_RODATA + SLIDE + KERNEL_RODATA_SIZE)
#define UNTOUCHED  0x77

static struct rw_policy_kernel kernel;

static void start(uint64_t slide)
{
	kernel_boot(1, slide);
	kernel = kernel_policy(1).kernel;
}

static void assert_slide(uint64_t expected)
{
	uint64_t slide = UNTOUCHED;

	assert_int_equal(locate_slide(this_cpu(), &kernel, &slide), RW_OK);
	assert_int_equal(slide, expected);
}

static void assert_no_slide(void)
{
	uint64_t slide = UNTOUCHED;

	assert_int_equal(locate_slide(this_cpu(), &kernel, &slide),
			 RW_E_POLICY_KERNEL);
	assert_int_equal(slide, UNTOUCHED);
}

static enum rw_error range(uint64_t from, uint64_t to, uint64_t *ret)
{
	gpa_t first = gpa(UNTOUCHED);
	enum rw_error error = locate_range(this_cpu(), from, to, &first);

	*ret = first.v;
	return error;
}

static void assert_no_range(uint64_t from, uint64_t to)
{
	uint64_t first;

	assert_int_equal(range(from, to, &first), RW_E_POLICY_KERNEL_RANGE);
	assert_int_equal(first, UNTOUCHED);
}

static void the_slide_is_found_wherever_the_kernel_is(void **state)
{
	(void)state;
	start(0);
	assert_slide(0);
	for (uint64_t slide = RW_SIZE_2M; slide < 0x3e800000;
	     slide += 37 * RW_SIZE_2M) {
		uint64_t cr3 = kernel_table();

		kernel_map_image(cr3, slide, KERNEL_PHYS);
		fake_msr_set(IA32_LSTAR, KERNEL_LSTAR + slide);
		*fake_vmcs(GUEST_CR3) = cr3;
		assert_slide(slide);
	}
}

static void a_kernel_with_another_build_id_is_not_it(void **state)
{
	(void)state;
	start(SLIDE);
	assert_slide(SLIDE);
	kernel.build_id[19] ^= 1;
	assert_no_slide();
}

static void an_entry_outside_the_text_is_no_kernel_of_ours(void **state)
{
	(void)state;
	start(SLIDE);
	*fake_msr(IA32_LSTAR) = 0x401000;
	assert_no_slide();
	*fake_msr(IA32_LSTAR) = KERNEL_TEXT - 1;
	assert_no_slide();
	*fake_msr(IA32_LSTAR) = UINT64_MAX;
	assert_no_slide();
}

/* LSTAR alone is not believed: the build-id has to lie there too. */
static void a_slide_at_which_no_build_id_lies_is_not_taken(void **state)
{
	(void)state;
	start(SLIDE);
	*fake_msr(IA32_LSTAR) = KERNEL_LSTAR + SLIDE + 4 * RW_SIZE_2M;
	assert_no_slide();
}

static void the_physical_place_of_a_range_is_found(void **state)
{
	uint64_t first;

	(void)state;
	start(SLIDE);
	assert_int_equal(range(TEXT_START, TEXT_END, &first), RW_OK);
	assert_int_equal(first, TEXT_PHYS);
	assert_int_equal(range(KERNEL_RODATA + SLIDE, RODATA_END, &first),
			 RW_OK);
	assert_int_equal(first, RODATA_PHYS);
	assert_int_equal(
		range(TEXT_START + 0x3000, TEXT_START + 0x4000, &first), RW_OK);
	assert_int_equal(first, TEXT_PHYS + 0x3000);
}

static void a_range_with_a_hole_is_not_where_the_policy_says(void **state)
{
	(void)state;
	start(SLIDE);
	*kernel_entry(*fake_vmcs(GUEST_CR3), TEXT_END - RW_PAGE_SIZE) = 0;
	assert_no_range(TEXT_START, TEXT_END);
}

static void a_range_of_pages_out_of_order_is_not(void **state)
{
	(void)state;
	start(SLIDE);
	*kernel_entry(*fake_vmcs(GUEST_CR3), TEXT_END - RW_PAGE_SIZE) +=
		RW_PAGE_SIZE;
	assert_no_range(TEXT_START, TEXT_END);
}

/* The last GiB of the address space in one leaf: what follows it is not 0. */
static void a_range_in_the_topmost_gigabyte_page_is_found(void **state)
{
	uint64_t cr3, first;

	(void)state;
	start(0);
	cr3 = kernel_table();
	kernel_map(cr3, 0xffffffffc0000000, RW_SIZE_1G * 4, 3, 0);
	*fake_vmcs(GUEST_CR3) = cr3;
	assert_int_equal(range(0xffffffffc1000000, 0xffffffffffe00000, &first),
			 RW_OK);
	assert_int_equal(first, RW_SIZE_1G * 4 + 0x1000000);
	assert_int_equal(locate_text(this_cpu(), 0xffffffffc0000000,
				     0xffffffffffe00000),
			 RW_E_POLICY_KERNEL_RANGE);
}

static void text_is_all_that_executes_there_and_no_more(void **state)
{
	(void)state;
	start(SLIDE);
	assert_int_equal(locate_text(this_cpu(), TEXT_START, TEXT_END), RW_OK);
	assert_int_equal(locate_text(this_cpu(), TEXT_START,
				     TEXT_END - RW_PAGE_SIZE),
			 RW_E_POLICY_KERNEL_RANGE);
	assert_int_equal(locate_text(this_cpu(), TEXT_START,
				     TEXT_END + RW_PAGE_SIZE),
			 RW_E_POLICY_KERNEL_RANGE);
	assert_int_equal(locate_text(this_cpu(), TEXT_START + RW_PAGE_SIZE,
				     TEXT_END),
			 RW_E_POLICY_KERNEL_RANGE);
	assert_int_equal(locate_text(this_cpu(), TEXT_START - RW_PAGE_SIZE,
				     TEXT_END),
			 RW_E_POLICY_KERNEL_RANGE);
}

static void text_with_a_page_that_does_not_execute_is_not_text(void **state)
{
	(void)state;
	start(SLIDE);
	*kernel_entry(*fake_vmcs(GUEST_CR3), TEXT_END - RW_PAGE_SIZE) |= PTE_NX;
	assert_int_equal(locate_text(this_cpu(), TEXT_START, TEXT_END),
			 RW_E_POLICY_KERNEL_RANGE);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_slide_is_found_wherever_the_kernel_is),
		cmocka_unit_test(a_kernel_with_another_build_id_is_not_it),
		cmocka_unit_test(
			an_entry_outside_the_text_is_no_kernel_of_ours),
		cmocka_unit_test(
			a_slide_at_which_no_build_id_lies_is_not_taken),
		cmocka_unit_test(the_physical_place_of_a_range_is_found),
		cmocka_unit_test(
			a_range_with_a_hole_is_not_where_the_policy_says),
		cmocka_unit_test(a_range_of_pages_out_of_order_is_not),
		cmocka_unit_test(a_range_in_the_topmost_gigabyte_page_is_found),
		cmocka_unit_test(text_is_all_that_executes_there_and_no_more),
		cmocka_unit_test(
			text_with_a_page_that_does_not_execute_is_not_text),
	};

	return machine_run_tests(tests);
}
