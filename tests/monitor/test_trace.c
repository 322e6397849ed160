/* SPDX-License-Identifier: MIT */
/* The exit trace: the newest exits of each CPU, in order, in the log. */
#include <stdio.h>
#include <string.h>

#include "monitor/log.h"
#include "monitor/trace.h"
#include "monitor/vmcs.h"
#include "tests/monitor/machine.h"

static char text[16384 + 1];

static const char *printed(void)
{
	uint32_t from = log_size(), n;

	trace_print();
	n = log_size();
	for (uint32_t i = from; i < n; i++)
		text[i - from] = log_byte(i);
	text[n - from] = '\0';
	return text;
}

/* An exit of a CPU, told from others by its RIP. */
static void record(uint32_t cpu, uint32_t reason, uint64_t rip)
{
	machine_use(cpu);
	*fake_vmcs(GUEST_RIP) = rip;
	*fake_vmcs(EXIT_QUALIFICATION) = rip + 1;
	trace_record(percpu_get(cpu), reason);
}

static void start(uint32_t cpus)
{
	machine_init();
	machine.cpus = cpus;
	machine_start();
}

static void nothing_is_printed_before_the_first_exit(void **state)
{
	(void)state;
	start(1);
	assert_string_equal(printed(), "");
}

static void an_exit_is_printed_with_all_that_is_known(void **state)
{
	const char *line;

	(void)state;
	start(1);
	record(0, 48, 0xabc0);
	line = printed();
	assert_int_equal(strncmp(line, "CPU 0: tsc ", 11), 0);
	assert_non_null(strstr(line, " exit 48 rip abc0 qualification abc1\n"));
}

static void only_the_newest_are_printed_oldest_first(void **state)
{
	const char *at;
	char wanted[32];

	(void)state;
	start(1);
	for (uint64_t i = 0; i < TRACE_KEPT + 3; i++)
		record(0, 10, 0x1000 + i);
	at = printed();
	for (uint64_t i = TRACE_KEPT + 3 - TRACE_SHOWN; i < TRACE_KEPT + 3;
	     i++) {
		snprintf(wanted, sizeof(wanted), " rip %llx ",
			 0x1000 + (unsigned long long)i);
		at = strstr(at, wanted);
		assert_non_null(at);
	}
	assert_int_equal(strlen(strchr(at, '\n')), 1);
	assert_null(strstr(text, " rip 1000 "));
}

static void each_cpu_has_its_own(void **state)
{
	(void)state;
	start(2);
	record(1, 18, 0x2000);
	for (uint64_t i = 0; i < 2 * TRACE_KEPT; i++)
		record(0, 10, 0x1000);
	assert_non_null(strstr(printed(), "CPU 1: "));
	assert_non_null(strstr(text, " exit 18 rip 2000 "));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_printed_before_the_first_exit),
		cmocka_unit_test(an_exit_is_printed_with_all_that_is_known),
		cmocka_unit_test(only_the_newest_are_printed_oldest_first),
		cmocka_unit_test(each_cpu_has_its_own),
	};

	return machine_run_tests(tests);
}
