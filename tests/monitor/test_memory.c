/* SPDX-License-Identifier: MIT */
/* The monitor's memory, and its windows to the guest's. */
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <ringwall/config.h>
#include <ringwall/hypercall.h>

#include "monitor/memory.h"
#include "monitor/wall.h"
#include "tests/monitor/fake_kernel.h"

#define BLOCK	    0x20000000ULL /* RAM that nobody has a use for */
#define BLOCK_PAGES (RW_DONATE_SIZE / RW_PAGE_SIZE)
#define RESERVE	    CONFIG_RINGWALL_MEMORY_RESERVE

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

static enum rw_error synchronise(uint32_t cpu)
{
	machine_use(cpu);
	return (enum rw_error)hypercall(RW_HC_SYNC, 0, 0);
}

static uint64_t donate(uint64_t start)
{
	return hypercall(RW_HC_DONATE, start, 0);
}

/* As the driver does it. CPU 0 runs then. */
static void donate_all(uint64_t start, uint32_t cpus)
{
	machine_use(0);
	assert_int_equal(donate(start), RW_OK);
	assert_int_equal(fake->gpr.rdx, 0);
	for (uint32_t i = cpus; i--;)
		assert_int_equal(synchronise(i), RW_OK);
	assert_int_equal(donate(start), RW_OK);
	assert_int_equal(fake->gpr.rdx, 1);
}

static bool every_byte_is(uint64_t start, uint8_t value)
{
	const uint8_t *at = physical(start);

	return at[0] == value && !memcmp(at, at + 1, RW_DONATE_SIZE - 1);
}

/* Takes all that is free; returns how many. */
static size_t take_all(void **pages, size_t max)
{
	size_t n = 0;

	while (n < max && (pages[n] = page_alloc(0)))
		n++;
	return n;
}

/* That nothing is left of the translations is checked at the mapping. */
static void
a_donated_block_is_out_of_every_cpus_ept_before_its_use(void **state)
{
	struct rw_status before;

	(void)state;
	kernel_boot(3, 0);
	before = kernel_status();
	for (uint32_t i = 0; i < 3; i++) {
		machine_use(i);
		assert_true(guest_can(BLOCK, EPT_W));
		assert_true(guest_can(BLOCK + RW_DONATE_SIZE - 1, EPT_X));
	}
	machine_use(0);
	for (uint32_t i = 0; i < 3; i++) {
		assert_int_equal(donate(BLOCK), RW_OK);
		assert_int_equal(fake->gpr.rdx, i == 2);
		assert_false(guest_can(BLOCK, EPT_R));
		assert_int_equal(kernel_status().memory_pages,
				 before.memory_pages + (i == 2) * BLOCK_PAGES);
		machine_use(i + 1 < 3 ? i + 1 : 0);
		/* A CPU that has not been here can still write. */
		assert_int_equal(guest_can(BLOCK, EPT_W), i < 2);
		assert_int_equal(synchronise(i + 1 < 3 ? i + 1 : 0), RW_OK);
	}
	for (uint32_t i = 0; i < 3; i++) {
		machine_use(i);
		assert_false(guest_can(BLOCK, EPT_R));
		assert_false(guest_can(BLOCK + RW_DONATE_SIZE - 1, EPT_R));
		assert_true(guest_can(BLOCK + RW_DONATE_SIZE, EPT_RWX));
		assert_true(guest_can(BLOCK - 1, EPT_RWX));
	}
	assert_int_equal(kernel_status().memory_donated, BLOCK_PAGES);
	assert_int_equal(kernel_status().memory_donations, 1);
}

static void a_cpu_that_is_offline_is_not_waited_for_and_forgets(void **state)
{
	(void)state;
	kernel_boot(2, 0);
	machine_use(1);
	assert_true(guest_can(BLOCK, EPT_W));
	machine_exit(&(struct vm_exit){ .reason = EXIT_INIT });
	donate_all(BLOCK, 1);
	machine_use(1);
	machine_exit(&(struct vm_exit){ .reason = EXIT_SIPI,
					.qualification = 0x9a });
	assert_false(guest_can(BLOCK, EPT_R));
}

static void a_returned_block_has_no_byte_of_the_monitors(void **state)
{
	static void *pages[8192];
	struct rw_status before;
	size_t n;

	(void)state;
	kernel_boot(2, 0);
	before = kernel_status();
	memset(physical(BLOCK), 0x5a, RW_DONATE_SIZE);
	donate_all(BLOCK, 2);
	n = take_all(pages, 8192);
	assert_in_range(n, before.memory_free,
			before.memory_free + BLOCK_PAGES);
	for (size_t i = 0; i < n; i++)
		memset(pages[i], 0xee, RW_PAGE_SIZE);
	while (n)
		page_free(pages[--n]);
	assert_int_equal(hypercall(RW_HC_RECLAIM, BLOCK, 0), RW_OK);
	assert_true(every_byte_is(BLOCK, 0));
	for (uint32_t i = 0; i < 2; i++) {
		machine_use(i);
		assert_true(guest_can(BLOCK, EPT_RWX));
		assert_true(guest_can(BLOCK + RW_DONATE_SIZE - 1, EPT_RWX));
	}
	assert_int_equal(kernel_status().memory_pages, before.memory_pages);
	assert_int_equal(kernel_status().memory_donated, 0);
	assert_int_equal(kernel_status().memory_returns, 1);
	assert_int_equal(kernel_status().ept_leaves[1], before.ept_leaves[1]);
	donate_all(BLOCK, 2);
}

static void a_block_with_a_page_in_use_is_kept(void **state)
{
	void *page;

	(void)state;
	kernel_boot(1, 0);
	donate_all(BLOCK, 1);
	do
		page = page_alloc(9 - 1);
	while (page_hpa(page).v - BLOCK >= RW_DONATE_SIZE);
	assert_int_equal(hypercall(RW_HC_RECLAIM, BLOCK, 0),
			 RW_E_MEMORY_IN_USE);
	assert_false(guest_can(BLOCK, EPT_R));
	page_free(page);
	assert_int_equal(hypercall(RW_HC_RECLAIM, BLOCK, 0), RW_OK);
}

static void low_memory_is_asked_for_on_the_doorbell(void **state)
{
	const struct rw_doorbell *doorbell;
	static void *pages[8192];
	size_t n = 0;

	(void)state;
	kernel_boot(1, 0);
	doorbell = physical(DOORBELL);
	assert_int_equal(doorbell->memory_wanted, 0);
	while (!doorbell->memory_wanted && (pages[n] = page_alloc(0)))
		n++;
	assert_int_equal(kernel_status().memory_free, RESERVE - 1);
	assert_int_equal(doorbell->memory_wanted, 1);
	assert_non_null(page_alloc(4));
	assert_int_equal(doorbell->memory_wanted, 17);
	assert_int_equal(kernel_status().memory_requests, 1);
	donate_all(BLOCK, 1);
	assert_int_equal(doorbell->memory_wanted, 0);
	/* It is all free, but the monitor would be short again. */
	assert_int_equal(hypercall(RW_HC_RECLAIM, BLOCK, 0),
			 RW_E_MEMORY_IN_USE);
	while (n)
		page_free(pages[--n]);
	assert_int_equal(hypercall(RW_HC_RECLAIM, BLOCK, 0), RW_OK);
	assert_int_equal(doorbell->memory_wanted, 0);
}

static void only_ram_that_is_the_guests_in_full_is_taken(void **state)
{
	static const struct {
		uint64_t start;
		enum rw_error error;
	} bad[] = {
		{ BLOCK + RW_PAGE_SIZE, RW_E_ARGUMENT },
		{ BLOCK + 1, RW_E_ARGUMENT },
		{ RW_VA_WINDOW - RW_VA_PHYSMAP, RW_E_ARGUMENT },
		{ 1ULL << 52, RW_E_ARGUMENT },
		{ -RW_DONATE_SIZE, RW_E_ARGUMENT },
		{ 0, RW_E_ADDRESS }, /* its first page is none */
		{ MMIO & ~(RW_DONATE_SIZE - 1), RW_E_ADDRESS },
		{ RAM_END, RW_E_ADDRESS },
		{ HIGH_RAM_END, RW_E_ADDRESS },
		{ RW_VA_WINDOW - RW_VA_PHYSMAP - RW_DONATE_SIZE, RW_E_ADDRESS },
		{ MONITOR_START, RW_E_ADDRESS },
		{ MONITOR_START + MONITOR_SIZE - RW_DONATE_SIZE, RW_E_ADDRESS },
		{ DOORBELL & ~(RW_DONATE_SIZE - 1), RW_E_ADDRESS },
		{ TEXT_PHYS, RW_E_ADDRESS }, /* a rule protects it */
		{ DATA_PHYS & ~(RW_DONATE_SIZE - 1),
		  RW_E_ADDRESS },	 /* a part */
		{ BLOCK, RW_E_ADDRESS }, /* for the second time */
	};
	struct sample_body body = kernel_policy(1);
	struct rw_status before;

	(void)state;
	kernel_boot(1, 0);
	kernel_arm(&body);
	donate_all(BLOCK, 1);
	before = kernel_status();
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		fake->gpr.rdx = 77;
		assert_int_equal(donate(bad[i].start), bad[i].error);
		assert_int_equal(fake->gpr.rdx, 77);
		assert_int_equal(kernel_status().ept_tables, before.ept_tables);
		assert_int_equal(kernel_status().memory_pages,
				 before.memory_pages);
		assert_int_equal(synchronise(0), RW_OK);
	}
	assert_int_equal(wall_rights(gpa(TEXT_PHYS)), EPT_R | EPT_X);
	assert_int_equal(wall_rights(gpa(DOORBELL)), EPT_R);
}

static void only_a_block_that_was_donated_comes_back(void **state)
{
	static const uint64_t bad[] = {
		BLOCK + RW_PAGE_SIZE,
		BLOCK + RW_DONATE_SIZE,
		MONITOR_START,
		0,
		UINT64_MAX,
		BLOCK + 1,
		MONITOR_START + 0x4000,
	};

	(void)state;
	kernel_boot(1, 0);
	donate_all(BLOCK, 1);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(hypercall(RW_HC_RECLAIM, bad[i], 0),
				 RW_E_ARGUMENT);
	assert_int_equal(hypercall(RW_HC_RECLAIM, BLOCK, 0), RW_OK);
	assert_int_equal(hypercall(RW_HC_RECLAIM, BLOCK, 0), RW_E_ARGUMENT);
}

static void one_block_is_on_its_way_at_a_time(void **state)
{
	(void)state;
	kernel_boot(2, 0);
	donate_all(BLOCK + RW_DONATE_SIZE, 2);
	memset(physical(BLOCK), 0x5a, RW_DONATE_SIZE);
	assert_int_equal(donate(BLOCK), RW_OK);
	assert_int_equal(donate(BLOCK + 2 * RW_DONATE_SIZE), RW_E_BUSY);
	assert_int_equal(hypercall(RW_HC_RECLAIM, BLOCK + RW_DONATE_SIZE, 0),
			 RW_E_BUSY);
	/* And can go back before it was used, as it was. */
	assert_false(guest_can(BLOCK, EPT_R));
	assert_int_equal(hypercall(RW_HC_RECLAIM, BLOCK, 0), RW_OK);
	assert_true(guest_can(BLOCK, EPT_RWX));
	assert_true(every_byte_is(BLOCK, 0x5a));
	assert_int_equal(kernel_status().memory_donations, 1);
	assert_int_equal(kernel_status().memory_donated, BLOCK_PAGES);
	donate_all(BLOCK + 2 * RW_DONATE_SIZE, 2);
}

static void more_blocks_than_there_are_records_for_are_refused(void **state)
{
	uint64_t at = BLOCK, kept = 0, n;

	(void)state;
	kernel_boot(1, 0);
	for (n = 1; n < CONFIG_RINGWALL_MAX_CHUNKS; n++, at += RW_DONATE_SIZE)
		donate_all(at, 1);
	assert_int_equal(donate(at), RW_OK);
	assert_int_equal(synchronise(0), RW_OK);
	assert_int_equal(donate(at), RW_E_MEMORY_LIMIT);
	assert_int_equal(hypercall(RW_HC_RECLAIM, at, 0), RW_OK);
	assert_true(guest_can(at, EPT_RWX));
	while (--n) {
		at -= RW_DONATE_SIZE;
		kept += hypercall(RW_HC_RECLAIM, at, 0) == RW_E_MEMORY_IN_USE;
	}
	assert_int_equal(kernel_status().memory_donated, kept * BLOCK_PAGES);
	assert_in_range(kept, 0, 3); /* tables of the tree lie there now */
}

static void without_memory_for_tables_the_guest_keeps_the_block(void **state)
{
	static void *pages[8192];
	size_t n;

	(void)state;
	kernel_boot(1, 0);
	n = take_all(pages, 8192);
	for (uint32_t spare = 0; spare < 3; spare++) {
		if (donate(HIGH_RAM_START) == RW_OK)
			break;
		assert_true(guest_can(HIGH_RAM_START, EPT_RWX));
		page_free(pages[--n]);
	}
	while (n)
		page_free(pages[--n]);
	donate_all(BLOCK, 1);
}

/*
 * An attacker with the calls in hand, against a model that knows which blocks
 * he has given. What he reaches is checked at each mapping and below.
 */
#define TRIED 24

static void whatever_is_called_a_block_has_one_owner(void **state)
{
	enum { HIS, LEAVING, OURS } owner[TRIED] = { HIS };
	uint64_t start, leaving = TRIED;
	struct rw_status s;
	void *page = NULL;

	(void)state;
	kernel_boot(3, 0);
	srandom(20261123);
	for (int step = 0; step < 6000; step++) {
		uint64_t i = (uint64_t)random() % TRIED, error;

		if (leaving != TRIED && random() % 2)
			i = leaving;
		machine_use((uint32_t)random() % 3);
		start = BLOCK + i * RW_DONATE_SIZE;
		(void)guest_can(start + (uint64_t)random() % RW_DONATE_SIZE,
				EPT_R);
		switch (random() % 6) {
		case 0:
		case 1:
			error = donate(start);
			assert_true(!error || owner[i] == OURS ||
				    leaving != TRIED);
			if (error)
				break;
			owner[i] = fake->gpr.rdx ? OURS : LEAVING;
			leaving = fake->gpr.rdx ? TRIED : i;
			break;
		case 2:
			error = hypercall(RW_HC_RECLAIM, start, 0);
			assert_int_equal(error == RW_E_ARGUMENT,
					 owner[i] == HIS);
			if (error)
				break;
			assert_true(owner[i] == LEAVING ||
				    every_byte_is(start, 0));
			leaving = owner[i] == LEAVING ? TRIED : leaving;
			owner[i] = HIS;
			break;
		case 3:
			if (page)
				page_free(page);
			page = page_alloc((unsigned int)random() % 10);
			if (page)
				memset(page, 0xee, RW_PAGE_SIZE);
			break;
		default:
			assert_int_equal(hypercall(RW_HC_SYNC, 0, 0), RW_OK);
		}
		for (i = 0; i < TRIED; i++)
			if (owner[i] == OURS)
				assert_false(guest_can(
					BLOCK + i * RW_DONATE_SIZE, EPT_R));
	}
	s = kernel_status();
	assert_true(s.memory_donations > 150 && s.memory_returns > 150);
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
		cmocka_unit_test(
			a_donated_block_is_out_of_every_cpus_ept_before_its_use),
		cmocka_unit_test(
			a_cpu_that_is_offline_is_not_waited_for_and_forgets),
		cmocka_unit_test(a_returned_block_has_no_byte_of_the_monitors),
		cmocka_unit_test(a_block_with_a_page_in_use_is_kept),
		cmocka_unit_test(low_memory_is_asked_for_on_the_doorbell),
		cmocka_unit_test(only_ram_that_is_the_guests_in_full_is_taken),
		cmocka_unit_test(only_a_block_that_was_donated_comes_back),
		cmocka_unit_test(one_block_is_on_its_way_at_a_time),
		cmocka_unit_test(
			more_blocks_than_there_are_records_for_are_refused),
		cmocka_unit_test(
			without_memory_for_tables_the_guest_keeps_the_block),
		cmocka_unit_test(whatever_is_called_a_block_has_one_owner),
	};

	return machine_run_tests(tests);
}
