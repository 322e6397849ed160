/* SPDX-License-Identifier: MIT */
/* Looking at the guest: addresses come from an attacker. */
#include <string.h>

#include "monitor/guest.h"
#include "tests/monitor/fake_kernel.h"

#define LINEAR 0xffff888123400000ULL
#define FRAME  0x5400000ULL
#define GUARD  0xa5

static struct guest_mapping untouched = { { 1 }, 2, true };

static uint64_t cr3;

static void start(void)
{
	kernel_boot(1, 0);
	cr3 = kernel_table();
	for (uint32_t i = 0; i < 4 * RW_PAGE_SIZE; i++)
		((uint8_t *)physical(FRAME))[i] = (uint8_t)(i * 13 + (i >> 8));
}

static enum rw_error translate(uint64_t at, struct guest_mapping *ret)
{
	*ret = untouched;
	return guest_translate(this_cpu(), cr3, gva(at), ret);
}

static void assert_no_translation(uint64_t at)
{
	struct guest_mapping m;

	assert_int_equal(translate(at, &m), RW_E_ADDRESS);
	assert_memory_equal(&m, &untouched, sizeof(m));
}

static void assert_leads(uint64_t at, uint64_t to, uint64_t left,
			 bool executable)
{
	struct guest_mapping m;

	assert_int_equal(translate(at, &m), RW_OK);
	assert_int_equal(m.gpa.v, to);
	assert_int_equal(m.left, left);
	assert_int_equal(m.executable, executable);
}

static void pages_of_all_three_sizes_are_translated(void **state)
{
	(void)state;
	start();
	kernel_map(cr3, LINEAR, FRAME, 1, PTE_W);
	assert_leads(LINEAR, FRAME, RW_PAGE_SIZE, true);
	assert_leads(LINEAR + 0xfff, FRAME + 0xfff, 1, true);
	kernel_map(cr3, LINEAR + RW_SIZE_2M, RW_SIZE_2M * 9, 2, PTE_W);
	assert_leads(LINEAR + RW_SIZE_2M + 0x12345, RW_SIZE_2M * 9 + 0x12345,
		     RW_SIZE_2M - 0x12345, true);
	kernel_map(cr3, LINEAR + RW_SIZE_1G, RW_SIZE_1G * 4, 3, PTE_W);
	assert_leads((LINEAR & ~(RW_SIZE_1G - 1)) + RW_SIZE_1G + 0x1234567,
		     RW_SIZE_1G * 4 + 0x1234567, RW_SIZE_1G - 0x1234567, true);
}

static void bits_that_are_no_address_are_ignored(void **state)
{
	uint64_t *e;

	(void)state;
	start();
	kernel_map(cr3, LINEAR, FRAME, 1, PTE_W);
	e = kernel_entry(cr3, LINEAR);
	*e |= 0x7ff0000000000e7e;
	cr3 |= 0x8000000000000fff; /* PCID, and "keep the TLB" */
	assert_leads(LINEAR, FRAME, RW_PAGE_SIZE, true);
	cr3 &= 0x7ffffffffffff000;
	/* Of a large page the PAT bit lies within the address. */
	kernel_map(cr3, LINEAR + RW_SIZE_2M, RW_SIZE_2M * 9 + 0x1000, 2, 0);
	assert_leads(LINEAR + RW_SIZE_2M, RW_SIZE_2M * 9, RW_SIZE_2M, true);
}

static void no_execute_anywhere_on_the_way_counts(void **state)
{
	uint64_t *top;

	(void)state;
	start();
	kernel_map(cr3, LINEAR, FRAME, 1, PTE_NX);
	assert_leads(LINEAR, FRAME, RW_PAGE_SIZE, false);
	kernel_map(cr3, LINEAR, FRAME, 1, 0);
	top = (uint64_t *)physical(cr3) + (LINEAR >> 39 & 511);
	*top |= PTE_NX;
	assert_leads(LINEAR, FRAME, RW_PAGE_SIZE, false);
}

static void what_is_not_present_is_not_translated(void **state)
{
	uint64_t *e;

	(void)state;
	start();
	assert_no_translation(LINEAR);
	kernel_map(cr3, LINEAR, FRAME, 1, 0);
	assert_no_translation(LINEAR + RW_PAGE_SIZE);
	assert_no_translation(LINEAR + RW_SIZE_2M);
	e = kernel_entry(cr3, LINEAR);
	*e &= ~PTE_P;
	assert_no_translation(LINEAR);
}

static void a_large_bit_in_the_top_table_leads_nowhere_else(void **state)
{
	uint64_t *top;

	(void)state;
	start();
	kernel_map(cr3, LINEAR, FRAME, 1, 0);
	top = (uint64_t *)physical(cr3) + (LINEAR >> 39 & 511);
	*top |= PTE_LARGE; /* reserved there: still a table */
	assert_leads(LINEAR, FRAME, RW_PAGE_SIZE, true);
}

/* Each level in turn, and CR3 itself, leads to a place that is no table. */
static void tables_are_read_from_ram_of_the_guest_alone(void **state)
{
	static const uint64_t places[] = {
		MONITOR_START + 0x2000, MMIO,	    0xa0000, HIGH_RAM_END,
		0x000ffffffffff000,	FAKE_MEMORY
	};

	(void)state;
	start();
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		uint64_t tables[4], good = cr3;

		for (int level = 0; level < 3; level++)
			tables[level] = kernel_table();
		for (int level = 0; level < 3; level++) {
			uint64_t *e = (uint64_t *)physical(
					      level ? tables[level - 1] : cr3) +
				      (LINEAR >> (39 - 9 * level) & 511);

			*e = places[i] | PTE_P;
			assert_no_translation(LINEAR);
			*e = tables[level] | PTE_P;
		}
		cr3 = places[i];
		assert_no_translation(LINEAR);
		cr3 = good;
	}
}

static void a_read_crosses_pages_that_lie_apart(void **state)
{
	uint8_t to[RW_PAGE_SIZE + 32];
	const uint8_t *from;

	(void)state;
	start();
	from = physical(FRAME);
	kernel_map(cr3, LINEAR, FRAME + 2 * RW_PAGE_SIZE, 1, 0);
	kernel_map(cr3, LINEAR + RW_PAGE_SIZE, FRAME, 1, 0);
	kernel_map(cr3, LINEAR + 2 * RW_PAGE_SIZE, FRAME + RW_PAGE_SIZE, 1, 0);
	memset(to, GUARD, sizeof(to));
	assert_int_equal(guest_read(this_cpu(), cr3, gva(LINEAR + 0xff0), to,
				    RW_PAGE_SIZE + 31),
			 RW_OK);
	assert_memory_equal(to, from + 2 * RW_PAGE_SIZE + 0xff0, 16);
	assert_memory_equal(to + 16, from, RW_PAGE_SIZE);
	assert_memory_equal(to + 16 + RW_PAGE_SIZE, from + RW_PAGE_SIZE, 15);
	assert_int_equal(to[RW_PAGE_SIZE + 31], GUARD);
}

static void a_read_ends_where_it_was_told(void **state)
{
	uint8_t to[17];

	(void)state;
	start();
	kernel_map(cr3, LINEAR, FRAME, 1, 0);
	for (uint64_t n = 1; n < 16; n++) {
		memset(to, GUARD, sizeof(to));
		assert_int_equal(guest_read(this_cpu(), cr3,
					    gva(LINEAR + 0xff0), to, n),
				 RW_OK);
		assert_memory_equal(to, physical(FRAME + 0xff0), n);
		assert_int_equal(to[n], GUARD);
	}
}

static void a_read_of_nothing_looks_at_nothing(void **state)
{
	uint8_t to = GUARD;

	(void)state;
	start();
	assert_int_equal(guest_read(this_cpu(), cr3, gva(LINEAR), &to, 0),
			 RW_OK);
	assert_int_equal(to, GUARD);
}

static void a_read_that_runs_off_the_mapping_fails(void **state)
{
	uint8_t to[32];

	(void)state;
	start();
	kernel_map(cr3, LINEAR, FRAME, 1, 0);
	assert_int_equal(guest_read(this_cpu(), cr3, gva(LINEAR + 0xff0), to,
				    16),
			 RW_OK);
	assert_int_equal(guest_read(this_cpu(), cr3, gva(LINEAR + 0xff0), to,
				    17),
			 RW_E_ADDRESS);
}

static void a_read_through_a_mapping_of_the_monitor_gets_no_byte(void **state)
{
	uint8_t to[16], zero[16] = { 0 };

	(void)state;
	start();
	memset(to, 0, sizeof(to));
	kernel_map(cr3, LINEAR, MONITOR_START + 0x3000, 1, 0);
	memset(physical(MONITOR_START + 0x3000), 0x5e, sizeof(to));
	assert_int_equal(guest_read(this_cpu(), cr3, gva(LINEAR), to,
				    sizeof(to)),
			 RW_E_ADDRESS);
	assert_memory_equal(to, zero, sizeof(to));
	kernel_map(cr3, LINEAR, MMIO, 1, 0);
	assert_int_equal(guest_read(this_cpu(), cr3, gva(LINEAR), to,
				    sizeof(to)),
			 RW_E_ADDRESS);
}

static void a_page_is_ram_that_the_guest_may_use_itself(void **state)
{
	struct sample_body body = kernel_policy(1);
	struct pcpu *cpu;
	uint8_t *page;

	(void)state;
	start();
	kernel_arm(&body);
	cpu = this_cpu();
	page = guest_page(cpu, 0, gpa(FRAME), true);
	assert_non_null(page);
	page[5] = 0x77;
	assert_int_equal(((uint8_t *)physical(FRAME))[5], 0x77);
	assert_non_null(guest_page(cpu, 0, gpa(TEXT_PHYS), false));
	assert_null(guest_page(cpu, 0, gpa(TEXT_PHYS), true));
	assert_non_null(guest_page(cpu, 0, gpa(DOORBELL), false));
	assert_null(guest_page(cpu, 0, gpa(DOORBELL), true));
	assert_null(guest_page(cpu, 0, gpa(FRAME + 8), true));
	assert_null(guest_page(cpu, 0, gpa(MONITOR_START), false));
	assert_null(guest_page(
		cpu, 0, gpa(MONITOR_START + MONITOR_SIZE - 0x1000), false));
	assert_null(guest_page(cpu, 0, gpa(MMIO), false));
	assert_null(guest_page(cpu, 0, gpa(RAM_END), false));
	assert_null(guest_page(cpu, 0, gpa(UINT64_MAX & RW_PAGE_MASK), false));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(pages_of_all_three_sizes_are_translated),
		cmocka_unit_test(bits_that_are_no_address_are_ignored),
		cmocka_unit_test(no_execute_anywhere_on_the_way_counts),
		cmocka_unit_test(what_is_not_present_is_not_translated),
		cmocka_unit_test(
			a_large_bit_in_the_top_table_leads_nowhere_else),
		cmocka_unit_test(tables_are_read_from_ram_of_the_guest_alone),
		cmocka_unit_test(a_read_crosses_pages_that_lie_apart),
		cmocka_unit_test(a_read_ends_where_it_was_told),
		cmocka_unit_test(a_read_of_nothing_looks_at_nothing),
		cmocka_unit_test(a_read_that_runs_off_the_mapping_fails),
		cmocka_unit_test(
			a_read_through_a_mapping_of_the_monitor_gets_no_byte),
		cmocka_unit_test(a_page_is_ram_that_the_guest_may_use_itself),
	};

	return machine_run_tests(tests);
}
