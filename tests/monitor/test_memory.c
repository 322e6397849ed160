/* SPDX-License-Identifier: MIT */
/* The monitor's memory, and its windows to the guest's. */
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "monitor/memory.h"
#include "tests/monitor/machine.h"

static void start(void)
{
	machine_init();
	machine.cpus = 2;
	machine_start();
}

static void a_page_is_zero_whatever_was_there_before(void **state)
{
	uint8_t zero[RW_PAGE_SIZE] = { 0 };
	void *page;

	(void)state;
	start();
	for (int i = 0; i < 100; i++) {
		page = page_alloc(0);
		assert_memory_equal(page, zero, sizeof(zero));
		memset(page, 0xdb, RW_PAGE_SIZE);
		page_free(page);
	}
}

static void pages_lie_in_what_was_donated_and_is_free(void **state)
{
	void *page;

	(void)state;
	start();
	while ((page = page_alloc(3))) {
		uint64_t at = page_hpa(page).v;

		assert_in_range(at, MONITOR_START + machine.boot.used,
				MONITOR_START + MONITOR_SIZE -
					8 * RW_PAGE_SIZE);
		assert_int_equal(at % (8 * RW_PAGE_SIZE), 0);
		assert_ptr_equal(page_va(hpa(at)), page);
		memset(page, 1, 8 * RW_PAGE_SIZE);
	}
}

static void a_page_that_is_not_ours_is_not_freed(void **state)
{
	uint8_t *page;

	(void)state;
	start();
	page = page_alloc(1);
	assert_panics("buddy_free", page_free(page + RW_PAGE_SIZE));
	assert_panics("buddy_free", page_free(physical(0x5000)));
	page_free(page);
	assert_panics("buddy_free", page_free(page));
}

static void the_status_counts_pages(void **state)
{
	struct rw_status before = { 0 }, after = { 0 };
	void *page;

	(void)state;
	start();
	memory_status(&before);
	page = page_alloc(2);
	memory_status(&after);
	assert_int_equal(after.memory_pages, before.memory_pages);
	assert_int_equal(after.memory_free, before.memory_free - 4);
	page_free(page);
	memory_status(&after);
	assert_int_equal(after.memory_free, before.memory_free);
	assert_in_range(after.memory_low_water, 0, before.memory_free - 4);
}

static void a_window_shows_the_page_until_the_next_one(void **state)
{
	const uint8_t *at;

	(void)state;
	start();
	memset(physical(0x200000), 0x21, RW_PAGE_SIZE);
	memset(physical(0x201000), 0x22, RW_PAGE_SIZE);
	at = window_map(this_cpu(), 0, hpa(0x200000), false);
	assert_int_equal(at[77], 0x21);
	assert_ptr_equal(window_map(this_cpu(), 0, hpa(0x201000), false), at);
	assert_int_equal(at[77], 0x22);
}

static void windows_of_a_cpu_and_of_others_are_apart(void **state)
{
	const uint8_t *at[4];

	(void)state;
	start();
	for (uint64_t i = 0; i < 4; i++) {
		machine_use(i / 2);
		memset(physical(0x200000 + i * RW_PAGE_SIZE), (int)i + 1, 8);
		at[i] = window_map(percpu_get((uint32_t)i / 2), i % 2,
				   hpa(0x200000 + i * RW_PAGE_SIZE), false);
	}
	for (int i = 0; i < 4; i++)
		assert_int_equal(at[i][7], i + 1);
}

static void the_doorbell_has_a_window_of_its_own(void **state)
{
	(void)state;
	start();
	for (uint32_t i = 0; i < 2; i++) {
		percpu_get(i)->doorbell->events_last = 100 + i;
		assert_int_equal(*(uint64_t *)physical(DOORBELL), 100 + i);
	}
}

static void a_window_that_is_none_stops_the_cpu(void **state)
{
	(void)state;
	start();
	assert_panics("n < WINDOWS",
		      window_map(this_cpu(), WINDOWS, hpa(0x5000), false));
	assert_panics("n < WINDOWS",
		      window_map(this_cpu(), 0, hpa(0x5008), false));
	assert_panics("n < WINDOWS",
		      window_map(this_cpu(), 0, hpa(1ULL << 63), false));
}

static int write_to(uint8_t *at)
{
	pid_t child = fork();
	int status;

	if (!child) {
		signal(SIGSEGV, SIG_DFL);
		*(volatile uint8_t *)at = 1;
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return status;
}

static void a_window_to_look_through_cannot_be_written_through(void **state)
{
	uint8_t *at;

	(void)state;
	start();
	at = window_map(this_cpu(), 0, hpa(0x5000), false);
	assert_int_not_equal(write_to(at), 0);
	at = window_map(this_cpu(), 0, hpa(0x5000), true);
	assert_int_equal(write_to(at), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_page_is_zero_whatever_was_there_before),
		cmocka_unit_test(pages_lie_in_what_was_donated_and_is_free),
		cmocka_unit_test(a_page_that_is_not_ours_is_not_freed),
		cmocka_unit_test(the_status_counts_pages),
		cmocka_unit_test(a_window_shows_the_page_until_the_next_one),
		cmocka_unit_test(windows_of_a_cpu_and_of_others_are_apart),
		cmocka_unit_test(the_doorbell_has_a_window_of_its_own),
		cmocka_unit_test(a_window_that_is_none_stops_the_cpu),
		cmocka_unit_test(
			a_window_to_look_through_cannot_be_written_through),
	};

	return machine_run_tests(tests);
}
