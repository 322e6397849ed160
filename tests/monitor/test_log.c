/* SPDX-License-Identifier: MIT */
/* The monitor's words, oldest overwritten. */
#include <ringwall/config.h>
#include <stdlib.h>
#include <string.h>

#include "monitor/log.h"
#include "tests/monitor/machine.h"

#define SIZE  CONFIG_RINGWALL_LOG_SIZE
#define LINES (SIZE + 7) /* whose last byte is not the ring's last */

static char text[SIZE + 1];

static const char *read_log(void)
{
	uint32_t n = log_size();

	for (uint32_t i = 0; i < n; i++)
		text[i] = log_byte(i);
	text[n] = '\0';
	return text;
}

static void a_line_is_what_its_format_says(void **state)
{
	(void)state;
	log_line("a %s of %u, %x", "line", 18446744073709551615ULL,
		 0xdeadbeef0ULL);
	log_line("%u%x%s", 0ULL, 0ULL, "");
	assert_string_equal(read_log(),
			    "a line of 18446744073709551615, deadbeef0\n00\n");
}

static void an_empty_log_is_empty(void **state)
{
	(void)state;
	assert_int_equal(log_size(), 0);
}

static void the_oldest_text_goes_first(void **state)
{
	const char *all;

	(void)state;
	for (uint64_t i = 0; i < SIZE / 4; i++)
		log_line("line %u", i);
	all = read_log();
	assert_int_equal(log_size(), SIZE);
	assert_int_equal(strlen(all), SIZE);
	assert_null(strstr(all, "line 1\n"));
}

static void lines_stand_in_the_order_they_were_written(void **state)
{
	const char *at;
	uint64_t last = 0;

	(void)state;
	for (uint64_t i = 0; i < LINES; i++)
		log_line("%u", 1000000 + i);
	at = strchr(read_log(), '\n') + 1;
	for (; *at; at = strchr(at, '\n') + 1) {
		uint64_t n = strtoull(at, NULL, 10);

		assert_true(!last || n == last + 1);
		last = n;
	}
	assert_int_equal(last, 1000000 + LINES - 1);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_is_what_its_format_says),
		cmocka_unit_test(an_empty_log_is_empty),
		cmocka_unit_test(the_oldest_text_goes_first),
		cmocka_unit_test(lines_stand_in_the_order_they_were_written),
	};

	return machine_run_tests(tests);
}
