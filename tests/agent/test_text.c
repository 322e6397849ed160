/* SPDX-License-Identifier: MIT */
/* agent/event/text.c and agent/event/clock.c. */
#include <string.h>

#include "agent/event/clock.h"
#include "agent/event/text.h"
#include "tests/agent/check.h"

#define SECOND 1000000000ULL

static void bytes_become_digits_and_back(void **state)
{
	static const uint8_t bytes[4] = { 0x00, 0x9f, 0xa0, 0xff };
	uint8_t read[4];
	char text[9];

	(void)state;
	text_hex(text, bytes, sizeof(bytes));
	assert_string_equal(text, "009fa0ff");
	assert_int_equal(text_unhex("009FA0ff", read, 4), 0);
	assert_memory_equal(read, bytes, 4);
	assert_int_equal(text_unhex("009fa0f", read, 4), -1);
	assert_int_equal(text_unhex("009fa0fff0", read, 4), -1);
	assert_int_equal(text_unhex("009fa0fg", read, 4), -1);
}

static void a_name_cannot_break_a_line(void **state)
{
	static const char bad[8] = { 'a', '\n', '\x1b', '\x80',
				     ' ', '"',	'z',	'z' };
	char out[16];

	(void)state;
	text_name(out, sizeof(out), bad, sizeof(bad));
	assert_string_equal(out, "a????\"zz");
	text_name(out, 4, bad, sizeof(bad));
	assert_string_equal(out, "a??");
	text_name(out, sizeof(out), "ab\0cd", 5);
	assert_string_equal(out, "ab");
}

static void a_time_has_microseconds_in_utc(void **state)
{
	char out[TEXT_TIME_SIZE];

	(void)state;
	text_time(out, 1795366800123456789);
	assert_string_equal(out, "2026-11-22T17:00:00.123456Z");
	text_time(out, 0);
	assert_string_equal(out, "1970-01-01T00:00:00.000000Z");
}

/* A counter of 2 GHz, ten seconds after the base. */
static const struct clock_sample base = { 1000, 50 * SECOND, 900 * SECOND };
static const struct clock_sample now = { 20 * SECOND + 1000, 60 * SECOND,
					 910 * SECOND };

static void a_counter_value_becomes_a_time(void **state)
{
	uint64_t time;

	(void)state;
	assert_true(clock_of_tsc(&base, &now, now.tsc - 2 * SECOND, &time));
	assert_int_equal(time, 909 * SECOND);
	assert_true(clock_of_tsc(&base, &now, now.tsc, &time));
	assert_int_equal(time, 910 * SECOND);
	/* Before the agent started. */
	assert_true(clock_of_tsc(&base, &now, 0, &time));
	assert_in_range(time, 900 * SECOND - 1000, 900 * SECOND);
}

static void a_time_that_cannot_be_is_not_given(void **state)
{
	struct clock_sample early = base, stopped = now, slow = now;
	uint64_t time = 7;

	(void)state;
	early.tsc += 10;
	early.monotonic += CLOCK_BASE_MIN - 1;
	assert_false(clock_of_tsc(&base, &early, 1001, &time));
	assert_false(clock_of_tsc(&base, &now, now.tsc + 1, &time));
	stopped.tsc = base.tsc;
	assert_false(clock_of_tsc(&base, &stopped, 1000, &time));
	/* At ten counts a second the record would be older than the boot. */
	slow.tsc = base.tsc + 100;
	assert_false(clock_of_tsc(&base, &slow, 0, &time));
	assert_int_equal(time, 7);
}

static void the_clocks_run(void **state)
{
	struct clock_sample first = clock_now(), second = clock_now();

	(void)state;
	assert_true(second.monotonic >= first.monotonic);
	assert_true(first.real > 1500000000 * SECOND);
	assert_true(first.tsc != 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_become_digits_and_back),
		cmocka_unit_test(a_name_cannot_break_a_line),
		cmocka_unit_test(a_time_has_microseconds_in_utc),
		cmocka_unit_test(a_counter_value_becomes_a_time),
		cmocka_unit_test(a_time_that_cannot_be_is_not_given),
		cmocka_unit_test(the_clocks_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
