/* SPDX-License-Identifier: MIT */
/*
 * Memory types: known cases, and random register values against a reading of
 * the manual page by page.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ept/mtrr.h"

#define ENABLE	     (1ULL << 11)
#define FIXED_ENABLE (1ULL << 10)
#define VALID	     (1ULL << 11)
#define GIB	     (1ULL << 30)
#define TOP	     (1ULL << 46)
#define MIB	     (1ULL << 20)

/* Mask of a range of a size, 46 address bits. */
static uint64_t mask_of(uint64_t size)
{
	return ((1ULL << 46) - size) | VALID;
}

static void expect(const struct mtrr_state *mtrr, uint64_t from, uint64_t to,
		   enum memory_type type)
{
	uint64_t at = from;

	while (at < to) {
		uint64_t end = 0;

		assert_int_equal(mtrr_type(mtrr, at, &end), type);
		assert_true(end > at);
		at = end;
	}
	assert_true(at == to || to == TOP);
}

static void without_mtrrs_everything_is_uncacheable(void **state)
{
	struct mtrr_state mtrr = { 0 };

	(void)state;
	expect(&mtrr, 0, TOP, MEMORY_UC);
	/* Set up but not enabled. */
	mtrr.def_type = MEMORY_WB | FIXED_ENABLE;
	mtrr.variable_count = 1;
	mtrr.variable[0].base = MEMORY_WB;
	mtrr.variable[0].mask = mask_of(GIB);
	expect(&mtrr, 0, TOP, MEMORY_UC);
}

static void what_no_range_covers_has_the_default_type(void **state)
{
	const struct mtrr_state mtrr = { .def_type = ENABLE | MEMORY_WT };

	(void)state;
	expect(&mtrr, 0, TOP, MEMORY_WT);
}

static void a_usual_firmware_layout_is_read_right(void **state)
{
	/* 8 GiB: write-back, less 3 to 4 GiB. */
	const struct mtrr_state mtrr = {
		.def_type = ENABLE | MEMORY_UC,
		.variable_count = 3,
		.variable = {
			{ 0 | MEMORY_WB, mask_of(4 * GIB) },
			{ 4 * GIB | MEMORY_WB, mask_of(4 * GIB) },
			{ 3 * GIB | MEMORY_UC, mask_of(GIB) },
		},
	};

	(void)state;
	expect(&mtrr, 0, 3 * GIB, MEMORY_WB);
	expect(&mtrr, 3 * GIB, 4 * GIB, MEMORY_UC);
	expect(&mtrr, 4 * GIB, 8 * GIB, MEMORY_WB);
	expect(&mtrr, 8 * GIB, TOP, MEMORY_UC);
}

static void a_range_that_is_not_valid_counts_for_nothing(void **state)
{
	const struct mtrr_state mtrr = {
		.def_type = ENABLE | MEMORY_WB,
		.variable_count = 1,
		.variable = { { MEMORY_UC, mask_of(GIB) & ~VALID } },
	};

	(void)state;
	expect(&mtrr, 0, TOP, MEMORY_WB);
}

static void ranges_beyond_the_count_count_for_nothing(void **state)
{
	const struct mtrr_state mtrr = {
		.def_type = ENABLE | MEMORY_WB,
		.variable_count = 0,
		.variable = { { MEMORY_UC, mask_of(GIB) } },
	};

	(void)state;
	expect(&mtrr, 0, TOP, MEMORY_WB);
}

static void overlaps_are_combined_as_the_manual_says(void **state)
{
	static const struct {
		enum memory_type a, b, both;
	} rows[] = {
		{ MEMORY_UC, MEMORY_WB, MEMORY_UC },
		{ MEMORY_UC, MEMORY_WC, MEMORY_UC },
		{ MEMORY_WT, MEMORY_WB, MEMORY_WT },
		{ MEMORY_WB, MEMORY_WB, MEMORY_WB },
		{ MEMORY_WC, MEMORY_WC, MEMORY_WC },
		{ MEMORY_WC, MEMORY_WB, MEMORY_UC }, /* undefined */
		{ MEMORY_WP, MEMORY_WB, MEMORY_UC }, /* undefined */
		{ MEMORY_WC, MEMORY_WT, MEMORY_UC }, /* undefined */
	};

	(void)state;
	for (unsigned int i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		for (unsigned int turn = 0; turn < 2; turn++) {
			struct mtrr_state mtrr = {
				.def_type = ENABLE | MEMORY_WP,
				.variable_count = 2,
			};

			mtrr.variable[turn].base = rows[i].a;
			mtrr.variable[turn].mask = mask_of(2 * GIB);
			mtrr.variable[!turn].base = GIB | rows[i].b;
			mtrr.variable[!turn].mask = mask_of(GIB);
			expect(&mtrr, 0, GIB, rows[i].a);
			expect(&mtrr, GIB, 2 * GIB, rows[i].both);
			expect(&mtrr, 2 * GIB, TOP, MEMORY_WP);
		}
}

static void a_reserved_type_is_uncacheable(void **state)
{
	struct mtrr_state mtrr = {
		.def_type = ENABLE | FIXED_ENABLE | 7,
		.fixed[0] = 0x0302,
		.variable_count = 1,
		.variable = { { GIB | 2, mask_of(GIB) } },
	};

	(void)state;
	expect(&mtrr, 0, TOP, MEMORY_UC);
	mtrr.def_type = ENABLE | 0xe6;
	expect(&mtrr, 0, TOP, MEMORY_UC);
}

static void the_fixed_ranges_lie_where_the_manual_says(void **state)
{
	struct mtrr_state mtrr = { .def_type = ENABLE | FIXED_ENABLE |
					       MEMORY_WB };
	static const enum memory_type types[] = { MEMORY_WC, MEMORY_WT,
						  MEMORY_WP, MEMORY_WB,
						  MEMORY_UC };
	uint64_t at = 0;

	(void)state;
	for (unsigned int i = 0; i < 88; i++)
		mtrr.fixed[i / 8] |= (uint64_t)types[i % 5] << 8 * (i % 8);
	for (unsigned int i = 0; i < 88; i++) {
		uint64_t size = i < 8 ? 0x10000 : i < 24 ? 0x4000 : 0x1000;

		expect(&mtrr, at, at + size, types[i % 5]);
		at += size;
	}
	assert_int_equal(at, MIB);
	expect(&mtrr, MIB, TOP, MEMORY_WB);
}

static void the_fixed_ranges_win_over_the_variable_ones(void **state)
{
	struct mtrr_state mtrr = {
		.def_type = ENABLE | FIXED_ENABLE | MEMORY_UC,
		.variable_count = 1,
		.variable = { { MEMORY_UC, mask_of(4 * GIB) } },
	};

	(void)state;
	for (unsigned int i = 0; i < MTRR_FIXED_COUNT; i++)
		mtrr.fixed[i] = 0x0606060606060606;
	expect(&mtrr, 0, MIB, MEMORY_WB);
	expect(&mtrr, MIB, 4 * GIB, MEMORY_UC);
	mtrr.def_type &= ~FIXED_ENABLE;
	expect(&mtrr, 0, 4 * GIB, MEMORY_UC);
}

static void more_ranges_than_there_is_room_for_are_uncacheable(void **state)
{
	const struct mtrr_state mtrr = {
		.def_type = ENABLE | MEMORY_WB,
		.variable_count = MTRR_VARIABLE_MAX + 1,
	};

	(void)state;
	expect(&mtrr, 0, TOP, MEMORY_UC);
}

static void a_mask_with_holes_matches_every_stretch(void **state)
{
	/* Bit 33 is not compared: 1 GiB at 1 and at 9 GiB. */
	const struct mtrr_state mtrr = {
		.def_type = ENABLE | MEMORY_WB,
		.variable_count = 1,
		.variable = { { GIB | MEMORY_UC, mask_of(GIB) & ~(8 * GIB) } },
	};

	(void)state;
	expect(&mtrr, 0, GIB, MEMORY_WB);
	expect(&mtrr, GIB, 2 * GIB, MEMORY_UC);
	expect(&mtrr, 2 * GIB, 9 * GIB, MEMORY_WB);
	expect(&mtrr, 9 * GIB, 10 * GIB, MEMORY_UC);
}

static uint64_t draw(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

/* The manual, for one address, without a thought of ranges. */
static enum memory_type reference(const struct mtrr_state *mtrr,
				  uint64_t address)
{
	unsigned int seen = 0;

	for (uint32_t i = 0; i < mtrr->variable_count; i++) {
		uint64_t mask = mtrr->variable[i].mask & ~0xfffULL;

		if (mtrr->variable[i].mask & VALID &&
		    (address & mask) == (mtrr->variable[i].base & mask))
			seen |= 1U << (mtrr->variable[i].base & 7);
	}
	switch (seen) {
	case 0:
		return (enum memory_type)(mtrr->def_type & 7);
	case 1U << MEMORY_WB:
		return MEMORY_WB;
	case 1U << MEMORY_WC:
		return MEMORY_WC;
	case 1U << MEMORY_WT:
	case 1U << MEMORY_WT | 1U << MEMORY_WB:
		return MEMORY_WT;
	case 1U << MEMORY_WP:
		return MEMORY_WP;
	default:
		return MEMORY_UC;
	}
}

static void random_registers_agree_with_the_manual_page_by_page(void **state)
{
	static const unsigned int types[] = { 0, 1, 4, 5, 6, 6 };
	uint64_t seed = 12345;

	(void)state;
	for (unsigned int round = 0; round < 5000; round++) {
		struct mtrr_state mtrr = {
			.def_type = ENABLE | types[draw(&seed) % 6],
			.variable_count = draw(&seed) % 5,
		};
		uint64_t start = 0;
		uint64_t end = 0;
		enum memory_type type = MEMORY_UC;

		/* 512 pages above 1 MiB, masks with and without holes. */
		for (uint32_t i = 0; i < mtrr.variable_count; i++) {
			uint64_t low = draw(&seed) % 10;
			uint64_t mask = (0x3ffULL << low & 0x3ff) |
					0x3ffffffc00;

			if (draw(&seed) % 2)
				mask &= draw(&seed) | 0x3ffffffc00;
			mtrr.variable[i].base = (draw(&seed) % 1024) << 12 |
						types[draw(&seed) % 6];
			mtrr.variable[i].mask = mask << 12 |
						(draw(&seed) % 8 ? VALID : 0);
		}
		for (start = 0; start < 1024 << 12; start += 1 << 12) {
			if (start >= end) {
				type = mtrr_type(&mtrr, start, &end);
				assert_true(end > start);
			}
			assert_int_equal(type, reference(&mtrr, start));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_mtrrs_everything_is_uncacheable),
		cmocka_unit_test(what_no_range_covers_has_the_default_type),
		cmocka_unit_test(a_usual_firmware_layout_is_read_right),
		cmocka_unit_test(a_range_that_is_not_valid_counts_for_nothing),
		cmocka_unit_test(ranges_beyond_the_count_count_for_nothing),
		cmocka_unit_test(overlaps_are_combined_as_the_manual_says),
		cmocka_unit_test(a_reserved_type_is_uncacheable),
		cmocka_unit_test(the_fixed_ranges_lie_where_the_manual_says),
		cmocka_unit_test(the_fixed_ranges_win_over_the_variable_ones),
		cmocka_unit_test(
			more_ranges_than_there_is_room_for_are_uncacheable),
		cmocka_unit_test(a_mask_with_holes_matches_every_stretch),
		cmocka_unit_test(
			random_registers_agree_with_the_manual_page_by_page),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
