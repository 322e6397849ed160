/* SPDX-License-Identifier: MIT */
/* agent/manifest/pattern.c: strings of bytes and fields. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "agent/manifest/pattern.h"

static void a_call_overlaid_in_part_becomes_bytes(void **state)
{
	struct pattern pattern = { 0 }, patch = { 0 };

	(void)state;
	pattern_add(&pattern, "\xe8", 1);
	pattern_add_field(&pattern, RW_FIELD_TARGET, 0x1000);
	pattern_fill(&pattern, 7, 0x90);
	pattern_add(&patch, "\xcc", 1);
	assert_true(pattern_overlay(&pattern, 0x100, &patch, 6));
	assert_int_equal(pattern.field[0].kind, RW_FIELD_NONE);
	assert_memory_equal(pattern.bytes, "\xe8\xfb\x0e\x00\x00\x90\xcc", 7);
}

static void a_relocated_field_is_never_cut(void **state)
{
	struct pattern pattern = { 0 }, patch = { 0 }, before;

	(void)state;
	pattern_add(&pattern, "\x48\xc7\xc7", 3);
	pattern_add_field(&pattern, RW_FIELD_ADD, 0x81000000);
	pattern_add(&patch, "\x90\x90", 2);
	before = pattern;
	assert_false(pattern_overlay(&pattern, 0, &patch, 2));
	assert_memory_equal(&pattern, &before, sizeof(before));
	assert_false(pattern_overlay(&pattern, 0, &patch, 6));
	pattern_fill(&patch, 5, 0x90);
	assert_true(pattern_overlay(&pattern, 0, &patch, 2));
	assert_int_equal(pattern.field[0].kind, RW_FIELD_NONE);
}

static void runs_of_nops_become_long_nops(void **state)
{
	struct pattern pattern = { 0 }, last;

	(void)state;
	pattern_add(&pattern, "\x90\x90\xc3\x90\x90\x90", 6);
	last = pattern;
	pattern_optimize(&pattern, 0, 6, 8, false);
	assert_memory_equal(pattern.bytes, "\x66\x90\xc3\x0f\x1f\x00", 6);
	pattern_optimize(&last, 0, 6, 8, true);
	assert_memory_equal(last.bytes, "\x90\x90\xc3\x0f\x1f\x00", 6);
}

static void a_set_takes_each_string_once(void **state)
{
	static struct pattern_set set;
	struct pattern pattern = { 0 };

	(void)state;
	for (int round = 0; round < 2; round++)
		for (uint8_t i = 0; i < PATTERN_SET_SIZE; i++) {
			pattern.length = 0;
			pattern_add(&pattern, &i, 1);
			assert_true(pattern_set_add(&set, &pattern));
		}
	assert_int_equal(set.count, PATTERN_SET_SIZE);
	pattern.bytes[0] = 0xff;
	assert_false(pattern_set_add(&set, &pattern));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_call_overlaid_in_part_becomes_bytes),
		cmocka_unit_test(a_relocated_field_is_never_cut),
		cmocka_unit_test(runs_of_nops_become_long_nops),
		cmocka_unit_test(a_set_takes_each_string_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
