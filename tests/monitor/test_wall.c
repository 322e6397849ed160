/* SPDX-License-Identifier: MIT */
/* The one tree all CPUs run on, and what each of them owes it. */
#include <string.h>

#include "ept/ept.h"
#include "monitor/memory.h"
#include "monitor/wall.h"
#include "tests/monitor/fake_kernel.h"

#define BAR (9 * RW_SIZE_1G)

static void start(uint32_t cpus)
{
	kernel_boot(cpus, 0);
}

static struct ept_translation query(uint64_t at)
{
	struct ept_translation t;

	assert_int_equal(ept_query(wall_ept(), gpa(at), &t), EPT_OK);
	return t;
}

static enum rw_error protect(uint64_t at, uint64_t size, uint64_t *generation)
{
	struct wall_change change = { gpa(at), size, EPT_R | EPT_X };

	return wall_apply(&change, 1, generation);
}

static void memory_is_mapped_one_to_one_up_to_its_end(void **state)
{
	static const uint64_t some[] = {
		0,	    0x5123,	    0xfffff,	     RAM_END,
		0xfee00020, HIGH_RAM_START, HIGH_RAM_END - 1
	};

	(void)state;
	start(1);
	for (size_t i = 0; i < sizeof(some) / sizeof(some[0]); i++) {
		struct ept_translation t = query(some[i]);

		assert_int_equal(t.hpa.v, some[i]);
		assert_int_equal(t.permissions, EPT_RWX);
	}
	assert_int_equal(wall_rights(gpa(HIGH_RAM_END)), 0);
}

static void devices_below_4_gib_are_mapped_whatever_memory_there_is(void **s)
{
	(void)s;
	machine_init();
	machine.boot.ram_count = 2; /* less than 1 GiB */
	machine_start();
	assert_int_equal(query(0xfee00000).permissions, EPT_RWX);
	assert_int_equal(wall_rights(gpa(4 * RW_SIZE_1G)), 0);
}

/* As fake_cpu.c sets the MTRRs. */
static void memory_has_the_types_of_the_mtrrs(void **state)
{
	(void)state;
	start(1);
	assert_int_equal(query(0x5000).type, MEMORY_WB);
	assert_int_equal(query(0xa0000).type, MEMORY_UC);
	assert_int_equal(query(0xf0000).type, MEMORY_WP);
	assert_int_equal(query(RAM_END - 1).type, MEMORY_WB);
	assert_int_equal(query(0x80000000).type, MEMORY_UC);
	assert_int_equal(query(0xfee00000).type, MEMORY_UC);
	assert_int_equal(query(HIGH_RAM_START).type, MEMORY_WB);
}

static void pages_are_as_large_as_they_can_be(void **state)
{
	(void)state;
	start(1);
	assert_int_equal(query(HIGH_RAM_START).level, 3);
	assert_int_equal(query(0x80000000).level, 3);
	assert_int_equal(query(RW_SIZE_2M).level, 2);
	assert_int_equal(query(0x5000).level, 1);
}

static void ram_is_what_the_boot_information_says(void **state)
{
	(void)state;
	start(1);
	assert_false(wall_is_ram(gpa(0)));
	assert_true(wall_is_ram(gpa(LOW_RAM_START)));
	assert_true(wall_is_ram(gpa(LOW_RAM_END - 1)));
	assert_false(wall_is_ram(gpa(LOW_RAM_END)));
	assert_false(wall_is_ram(gpa(MMIO)));
	assert_true(wall_is_ram(gpa(HIGH_RAM_END - 1)));
	assert_false(wall_is_ram(gpa(HIGH_RAM_END)));
	assert_false(wall_is_ram(gpa(UINT64_MAX)));
}

static void a_change_holds_when_every_cpu_has_invalidated(void **state)
{
	uint64_t generation = 0;

	(void)state;
	start(3);
	assert_int_equal(protect(TEXT_PHYS, RW_PAGE_SIZE, &generation), RW_OK);
	assert_false(wall_reached(generation));
	for (uint32_t i = 0; i < 3; i++) {
		uint32_t before;

		assert_false(wall_reached(generation));
		machine_use(i);
		before = fake->invept_all;
		wall_before_entry(this_cpu());
		assert_int_equal(fake->invept_all, before + 1);
		wall_before_entry(this_cpu());
		assert_int_equal(fake->invept_all, before + 1);
	}
	assert_true(wall_reached(generation));
}

static void a_cpu_outside_is_not_waited_for_until_it_is_back(void **state)
{
	uint64_t generation = 0;

	(void)state;
	start(2);
	wall_park(percpu_get(1));
	assert_int_equal(protect(TEXT_PHYS, RW_PAGE_SIZE, &generation), RW_OK);
	wall_before_entry(this_cpu());
	assert_true(wall_reached(generation));
	wall_join(percpu_get(1));
	assert_false(wall_reached(generation));
	machine_use(1);
	wall_before_entry(this_cpu());
	assert_true(wall_reached(generation));
}

static void a_change_that_cannot_be_made_in_full_is_not_made(void **state)
{
	static const struct wall_change bad[] = {
		{ { MONITOR_START }, RW_PAGE_SIZE, EPT_R }, /* ours */
		{ { BAR }, RW_PAGE_SIZE, EPT_R },	    /* not mapped */
		{ { TEXT_PHYS + 8 }, RW_PAGE_SIZE, EPT_R },
		{ { TEXT_PHYS }, 8, EPT_R },
		{ { 1ULL << 52 }, RW_PAGE_SIZE, EPT_R },
	};
	uint64_t generation = 77;

	(void)state;
	start(1);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct wall_change changes[2] = {
			{ gpa(RODATA_PHYS), RW_PAGE_SIZE, EPT_R }, bad[i]
		};

		assert_int_equal(wall_apply(changes, 2, &generation),
				 RW_E_ADDRESS);
		assert_int_equal(wall_rights(gpa(RODATA_PHYS)), EPT_RWX);
		assert_int_equal(generation, 77);
	}
	/* And the lock was released. */
	assert_int_equal(protect(RODATA_PHYS, RW_PAGE_SIZE, &generation),
			 RW_OK);
}

static void without_memory_for_tables_nothing_changes(void **state)
{
	uint64_t generation;

	(void)state;
	start(1);
	while (page_alloc(0))
		continue;
	assert_int_equal(protect(TEXT_PHYS, RW_PAGE_SIZE, &generation),
			 RW_E_NO_MEMORY);
	assert_int_equal(wall_rights(gpa(TEXT_PHYS)), EPT_RWX);
}

static void devices_are_mapped_when_memory_is_used_up(void **state)
{
	uint64_t generation, at = BAR;

	(void)state;
	start(1);
	for (int i = 0; i < 40; i++, at += RW_SIZE_1G) {
		/* Tables that were replaced are for the next one only. */
		while (page_alloc(0))
			continue;
		assert_int_equal(wall_fill(gpa(at)), RW_OK);
		assert_int_equal(wall_rights(gpa(at)), EPT_RWX);
		wall_before_entry(this_cpu());
	}
	assert_int_equal(protect(TEXT_PHYS, RW_PAGE_SIZE, &generation),
			 RW_E_NO_MEMORY);
}

static void filling_twice_is_filling_once(void **state)
{
	struct rw_status s = { 0 };

	(void)state;
	start(1);
	assert_int_equal(wall_fill(gpa(BAR + 0x123456)), RW_OK);
	assert_int_equal(wall_rights(gpa(BAR)), EPT_RWX);
	assert_int_equal(wall_rights(gpa(BAR + RW_SIZE_1G)), 0);
	assert_int_equal(query(BAR).type, MEMORY_WB);
	wall_status(&s);
	(void)wall_fill(gpa(BAR));
	assert_int_equal(query(BAR).level, 3);
	assert_int_equal(s.ept_leaves[2], kernel_status().ept_leaves[2]);
}

static void filling_never_opens_what_is_the_monitors(void **state)
{
	(void)state;
	start(1);
	(void)wall_fill(gpa(MONITOR_START));
	assert_int_equal(wall_rights(gpa(MONITOR_START)), 0);
	assert_int_equal(wall_fill(gpa(1ULL << FAKE_WIDTH)), RW_E_ADDRESS);
	assert_int_equal(wall_fill(gpa(UINT64_MAX)), RW_E_ADDRESS);
}

/* SDM Vol. 4, IA32_TME_ACTIVATE: bits 35:32 are how many choose a key. */
static void a_page_has_no_second_address_by_a_key_of_memory_encryption(void **s)
{
	struct fake_model model = fake_models[MODEL_corei7_icelake_u];

	(void)s;
	machine_init();
	machine_prepare();
	model.features7 |= BIT(13);
	fake->model = &model;
	fake_msr_set(0x982, 0x600000003);
	assert_int_equal(machine_enter(0), RW_OK);
	assert_int_equal(wall_fill(gpa((1ULL << (FAKE_WIDTH - 6)) + BAR)),
			 RW_E_ADDRESS);
	assert_int_equal(wall_fill(gpa(BAR)), RW_OK);
}

static void without_keys_every_address_is_memory(void **state)
{
	struct fake_model model = fake_models[MODEL_corei7_icelake_u];

	(void)state;
	machine_init();
	machine_prepare();
	model.features7 |= BIT(13);
	fake->model = &model;
	fake_msr_set(0x982, 0x600000001); /* locked, and off */
	assert_int_equal(machine_enter(0), RW_OK);
	assert_int_equal(wall_fill(gpa((1ULL << FAKE_WIDTH) - 1)), RW_OK);
}

/* Old tables go back once nobody can walk them any more. */
static void changes_back_and_forth_keep_no_memory(void **state)
{
	struct wall_change change = { gpa(TEXT_PHYS), RW_PAGE_SIZE, 0 };
	uint64_t generation, free_pages = 0;

	(void)state;
	start(2);
	for (int i = 0; i < 40; i++) {
		change.rights = i & 1 ? EPT_RWX : EPT_R | EPT_X;
		assert_int_equal(wall_apply(&change, 1, &generation), RW_OK);
		for (uint32_t cpu = 0; cpu < 2; cpu++) {
			machine_use(cpu);
			wall_before_entry(this_cpu());
		}
		if (i == 9)
			free_pages = kernel_status().memory_free;
	}
	assert_in_range(kernel_status().memory_free, free_pages - 1,
			free_pages + 1);
}

static void the_status_counts_tables_and_leaves(void **state)
{
	struct rw_status before = { 0 }, after = { 0 };
	uint64_t generation;

	(void)state;
	start(1);
	wall_status(&before);
	assert_int_equal(protect(HIGH_RAM_START, RW_PAGE_SIZE, &generation),
			 RW_OK);
	wall_status(&after);
	assert_int_equal(after.ept_tables, before.ept_tables + 2);
	assert_int_equal(after.ept_leaves[0], before.ept_leaves[0] + 512);
	assert_int_equal(after.ept_leaves[1], before.ept_leaves[1] + 511);
	assert_int_equal(after.ept_leaves[2], before.ept_leaves[2] - 1);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_is_mapped_one_to_one_up_to_its_end),
		cmocka_unit_test(
			devices_below_4_gib_are_mapped_whatever_memory_there_is),
		cmocka_unit_test(memory_has_the_types_of_the_mtrrs),
		cmocka_unit_test(pages_are_as_large_as_they_can_be),
		cmocka_unit_test(ram_is_what_the_boot_information_says),
		cmocka_unit_test(a_change_holds_when_every_cpu_has_invalidated),
		cmocka_unit_test(
			a_cpu_outside_is_not_waited_for_until_it_is_back),
		cmocka_unit_test(
			a_change_that_cannot_be_made_in_full_is_not_made),
		cmocka_unit_test(without_memory_for_tables_nothing_changes),
		cmocka_unit_test(devices_are_mapped_when_memory_is_used_up),
		cmocka_unit_test(filling_twice_is_filling_once),
		cmocka_unit_test(filling_never_opens_what_is_the_monitors),
		cmocka_unit_test(
			a_page_has_no_second_address_by_a_key_of_memory_encryption),
		cmocka_unit_test(without_keys_every_address_is_memory),
		cmocka_unit_test(changes_back_and_forth_keep_no_memory),
		cmocka_unit_test(the_status_counts_tables_and_leaves),
	};

	return machine_run_tests(tests);
}
