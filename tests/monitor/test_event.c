/* SPDX-License-Identifier: MIT */
/* The record: numbered, chained, counted, kept; and a loss that shows. */
#include <ringwall/config.h>
#include <string.h>

#include <openssl/sha.h>

#include "monitor/event.h"
#include "tests/monitor/fake_kernel.h"

#define RECORDS CONFIG_RINGWALL_EVENT_RECORDS
#define WATCHED 32	     /* hits whose repetition is noticed */
#define SECOND	(1ULL << 31) /* of TSC */
#define BEFORE	1 /* records that are there when a test begins: ENABLED */

static struct rw_event got[RECORDS + 64];

static void start(void)
{
	kernel_boot(1, 0);
}

/* A violation of rule 1 on a page, from an instruction. */
static void hit(uint64_t gpa, uint64_t rip)
{
	struct rw_event e = {
		.kind = RW_EVENT_VIOLATION,
		.verdict = RW_VERDICT_DENIED,
		.rule_id = 1,
		.severity = 4,
		.valid = RW_EVENT_HAS_GPA,
		.gpa = gpa,
	};

	*fake_vmcs(GUEST_RIP) = rip;
	event_record(this_cpu(), &e);
}

/* n hits that are all different. */
static void hits(uint32_t n)
{
	static uint64_t rip = 0x1000;

	while (n--)
		hit(TEXT_PHYS, rip++);
}

/* The sequence of the test's own record number n. */
static uint64_t own(uint64_t n)
{
	return BEFORE + n;
}

/* What follows the test's own record number `after`. */
static uint32_t fetch(uint64_t after)
{
	return event_fetch(own(after), got, RECORDS + 64);
}

/* By OpenSSL, from the definition in <ringwall/event.h>. */
static void assert_chained(const uint8_t *before, const struct rw_event *e,
			   uint32_t n)
{
	uint8_t input[RW_SHA256_SIZE + sizeof(*e)], chain[RW_SHA256_SIZE];

	memcpy(chain, before, sizeof(chain));
	for (uint32_t i = 0; i < n; i++) {
		struct rw_event bare = e[i];

		memset(bare.chain, 0, sizeof(bare.chain));
		memcpy(input, chain, sizeof(chain));
		memcpy(input + sizeof(chain), &bare, sizeof(bare));
		SHA256(input, sizeof(input), chain);
		assert_memory_equal(e[i].chain, chain, sizeof(chain));
	}
}

static void records_are_numbered_from_1(void **state)
{
	(void)state;
	machine_init();
	machine_start();
	hits(5);
	assert_int_equal(event_fetch(0, got, 100), BEFORE + 5);
	assert_int_equal(got[0].kind, RW_EVENT_ENABLED);
	for (uint32_t i = 0; i < BEFORE + 5; i++)
		assert_int_equal(got[i].sequence, i + 1);
	assert_int_equal(kernel_status().events_last, BEFORE + 5);
}

static void records_are_chained_from_the_nonce_on(void **state)
{
	struct rw_status s;

	(void)state;
	machine_init();
	machine_start();
	hits(40);
	assert_int_equal(event_fetch(0, got, 100), BEFORE + 40);
	s = kernel_status();
	assert_chained(s.nonce, got, BEFORE + 40);
	assert_memory_equal(s.events_chain, got[BEFORE + 39].chain,
			    RW_SHA256_SIZE);
}

static void a_record_says_where_the_cpu_was(void **state)
{
	(void)state;
	start();
	fake->tsc = 123456789;
	*fake_vmcs(GUEST_SS_ACCESS_RIGHTS) |= 3 << 5;
	hit(TEXT_PHYS + 5, 0xffffffff81234567);
	assert_int_equal(fetch(0), 1);
	assert_int_equal(got[0].tsc, 123456789);
	assert_int_equal(got[0].rip, 0xffffffff81234567);
	assert_int_equal(got[0].cr3, *fake_vmcs(GUEST_CR3));
	assert_int_equal(got[0].cpl, 3);
	assert_int_equal(got[0].cpu, 0);
	assert_int_equal(got[0].count, 1);
	assert_int_equal(got[0].gpa, TEXT_PHYS + 5);
	assert_int_equal(got[0].valid,
			 RW_EVENT_HAS_GPA | RW_EVENT_HAS_CPU_STATE);
	assert_int_equal(got[0].policy_serial, 0);
}

static void a_record_names_the_policy_in_force_and_the_cpu(void **state)
{
	struct sample_body body = kernel_policy(17);
	uint32_t n;

	(void)state;
	kernel_boot(2, 0);
	kernel_arm(&body);
	machine_use(1);
	hits(1);
	n = fetch(0);
	assert_int_equal(got[n - 1].policy_serial, 17);
	assert_int_equal(got[n - 1].cpu, 1);
}

static void the_doorbell_has_the_newest_number(void **state)
{
	const struct rw_doorbell *bell;

	(void)state;
	start();
	bell = physical(DOORBELL);
	assert_int_equal(bell->events_last, BEFORE);
	hits(3);
	assert_int_equal(bell->events_last, BEFORE + 3);
}

static void fetching_again_from_the_same_number_gives_the_same(void **state)
{
	struct rw_event first[4];

	(void)state;
	start();
	hits(4);
	assert_int_equal(event_fetch(own(0), first, 4), 4);
	assert_int_equal(fetch(0), 4);
	assert_memory_equal(first, got, sizeof(first));
}

static void fetching_drops_what_is_acknowledged_and_no_more(void **state)
{
	(void)state;
	start();
	hits(10);
	assert_int_equal(event_fetch(own(3), got, 2), 2);
	assert_int_equal(got[0].sequence, own(4));
	assert_int_equal(got[1].sequence, own(5));
	assert_int_equal(kernel_status().events_acked, own(3));
	assert_int_equal(fetch(3), 7);
	assert_int_equal(fetch(10), 0);
	assert_int_equal(kernel_status().events_acked, own(10));
	hits(1);
	assert_int_equal(fetch(10), 1);
	assert_int_equal(got[0].sequence, own(11));
}

static void hits_like_one_just_recorded_are_counted(void **state)
{
	(void)state;
	start();
	for (int i = 0; i < 100; i++)
		hit(TEXT_PHYS + (uint64_t)i, 0x1000); /* of the same page */
	assert_int_equal(fetch(0), 1);
	assert_int_equal(kernel_status().events_coalesced, 99);
}

static void counted_hits_become_a_record_when_their_second_is_over(void **state)
{
	(void)state;
	start();
	fake->tsc = 5000;
	for (int i = 0; i < 100; i++)
		hit(TEXT_PHYS, 0x1000);
	fake->tsc += SECOND - 1;
	assert_int_equal(fetch(1), 0);
	fake->tsc++;
	assert_int_equal(fetch(1), 1);
	assert_int_equal(got[0].sequence, own(2));
	assert_int_equal(got[0].count, 99);
	assert_int_equal(got[0].rip, 0x1000);
	assert_int_equal(got[0].kind, RW_EVENT_VIOLATION);
	assert_int_equal(fetch(2), 0);
}

/* Who holds the TSC back does not hold the count back. */
static void counted_hits_become_a_record_when_they_are_many(void **state)
{
	(void)state;
	start();
	for (int i = 0; i < 1 + 2 * 1024 + 5; i++)
		hit(TEXT_PHYS, 0x1000);
	assert_int_equal(fetch(0), 3);
	assert_int_equal(got[1].count, 1024);
	assert_int_equal(got[2].count, 1024);
	assert_int_equal(kernel_status().events_coalesced, 2 * 1024 + 5);
}

static void the_next_hit_after_that_second_is_recorded_at_once(void **state)
{
	(void)state;
	start();
	fake->tsc = 5000;
	hit(TEXT_PHYS, 0x1000);
	hit(TEXT_PHYS, 0x1000);
	hit(TEXT_PHYS, 0x1000);
	fake->tsc += SECOND;
	hit(TEXT_PHYS, 0x1000);
	assert_int_equal(fetch(0), 3);
	assert_int_equal(got[1].count, 2);
	assert_int_equal(got[2].count, 1);
	assert_int_equal(got[2].tsc, 5000 + SECOND);
}

static void hits_that_differ_are_never_counted_together(void **state)
{
	struct rw_event e = { .kind = RW_EVENT_REGISTER,
			      .detail = { 0x79, 1 } };

	(void)state;
	start();
	hit(TEXT_PHYS, 0x1000);
	hit(TEXT_PHYS, 0x1001);
	hit(TEXT_PHYS + RW_PAGE_SIZE, 0x1000);
	*fake_vmcs(GUEST_RIP) = 0x1000;
	event_record(this_cpu(), &e); /* another kind */
	e.detail[0] = 0x9b;	      /* another register */
	event_record(this_cpu(), &e);
	e.rule_id = 2;
	event_record(this_cpu(), &e);
	e.verdict = RW_VERDICT_ALLOWED;
	event_record(this_cpu(), &e);
	event_notice(this_cpu(), RW_EVENT_POLICY_REFUSED, 1, RW_E_POLICY_KEY);
	event_notice(this_cpu(), RW_EVENT_POLICY_REFUSED, 1, RW_E_POLICY_SIZE);
	assert_int_equal(fetch(0), 9);
	assert_int_equal(kernel_status().events_coalesced, 0);
}

/* Else a loop over values would fill the ring. */
static void values_for_one_register_are_counted_together(void **state)
{
	(void)state;
	start();
	for (uint64_t value = 0; value < 9; value++)
		event_register(this_cpu(), 0x79, value);
	assert_int_equal(fetch(0), 1);
}

static void of_many_hits_at_once_no_count_is_forgotten(void **state)
{
	uint64_t total = 0;
	uint32_t n;

	(void)state;
	start();
	for (uint64_t i = 0; i < 3 * WATCHED; i++) {
		hit(TEXT_PHYS, i);
		hit(TEXT_PHYS, i);
		hit(TEXT_PHYS, i);
	}
	fake->tsc += SECOND;
	n = fetch(0);
	for (uint32_t i = 0; i < n; i++)
		total += got[i].count;
	assert_int_equal(total, 9 * WATCHED);
}

static void a_full_ring_keeps_the_first_and_counts_the_rest(void **state)
{
	struct rw_status s;

	(void)state;
	start();
	hits(RECORDS + 25);
	s = kernel_status();
	assert_int_equal(s.events_lost, 25);
	assert_int_equal(s.events_last, own(RECORDS + 25));
	assert_int_equal(s.events_ring, RECORDS);
	assert_int_equal(fetch(0), RECORDS);
	assert_int_equal(got[RECORDS - 1].sequence, own(RECORDS));
}

static void a_loss_is_itself_a_record(void **state)
{
	uint8_t before[RW_SHA256_SIZE];

	(void)state;
	start();
	hits(RECORDS + 25);
	assert_int_equal(fetch(0), RECORDS);
	memcpy(before, got[9].chain, sizeof(before));
	assert_int_equal(fetch(10), RECORDS - 10 + 1);
	assert_chained(before, got, RECORDS - 10 + 1);
	assert_int_equal(got[RECORDS - 10].kind, RW_EVENT_LOST);
	assert_int_equal(got[RECORDS - 10].sequence, own(RECORDS + 26));
	assert_int_equal(got[RECORDS - 10].detail[0], own(RECORDS + 1));
	assert_int_equal(got[RECORDS - 10].detail[1], own(RECORDS + 25));
	assert_int_equal(got[RECORDS - 10].count, 25);
	hits(1);
	assert_int_equal(fetch(RECORDS + 26), 1);
	assert_int_equal(got[0].sequence, own(RECORDS + 27));
}

/* Room for the loss alone: what comes next is the next loss. */
static void the_record_of_a_loss_may_fill_the_ring(void **state)
{
	(void)state;
	start();
	hits(RECORDS + 2);
	assert_int_equal(event_fetch(own(1), got, 1), 1);
	hits(3);
	assert_int_equal(fetch(1), RECORDS);
	assert_int_equal(got[RECORDS - 1].kind, RW_EVENT_LOST);
	assert_int_equal(got[RECORDS - 1].sequence, own(RECORDS + 3));
	assert_int_equal(fetch(RECORDS + 3), 1);
	assert_int_equal(got[0].kind, RW_EVENT_LOST);
	assert_int_equal(got[0].detail[0], own(RECORDS + 4));
	assert_int_equal(got[0].detail[1], own(RECORDS + 6));
}

/* Every number is either in a record or within a loss. */
static void no_number_is_missing_without_a_word(void **state)
{
	uint64_t expected = own(1), seen = own(0), seed = 7;

	(void)state;
	start();
	for (int round = 0; round < 200; round++) {
		uint32_t n;

		seed = seed * 6364136223846793005 + 1442695040888963407;
		hits((uint32_t)(seed >> 33) % (RECORDS / 2));
		if (seed >> 62)
			continue;
		n = event_fetch(seen, got, (uint32_t)(seed >> 20) % RECORDS);
		for (uint32_t i = 0; i < n; i++) {
			if (got[i].kind == RW_EVENT_LOST) {
				assert_int_equal(got[i].detail[0], expected);
				expected = got[i].detail[1] + 1;
			}
			assert_int_equal(got[i].sequence, expected++);
			seen = got[i].sequence;
		}
	}
	assert_true(kernel_status().events_lost);
}

static void what_is_acknowledged_too_far_is_gone_and_shows(void **state)
{
	(void)state;
	start();
	hits(5);
	assert_int_equal(event_fetch(UINT64_MAX, got, 1), 0);
	hits(1);
	assert_int_equal(fetch(0), 1);
	assert_int_equal(got[0].sequence, own(6));
}

static void die(const char *name, uint64_t operand)
{
	(void)operand;
	if (!strcmp(name, "FXSAVE"))
		event_monitor_fault(this_cpu());
}

static void a_fault_while_the_lock_is_held_waits_for_nothing(void **state)
{
	(void)state;
	start();
	fake->before = die;
	hits(1);
	fake->before = NULL;
	assert_int_equal(fetch(0), 1);
	assert_int_equal(got[0].kind, RW_EVENT_VIOLATION);
	event_monitor_fault(this_cpu());
	assert_int_equal(fetch(1), 1);
	assert_int_equal(got[0].kind, RW_EVENT_MONITOR_FAULT);
	assert_int_equal(got[0].severity, 5);
}

static void notices_have_their_severity(void **state)
{
	(void)state;
	start();
	event_notice(this_cpu(), RW_EVENT_TEST, 1, 2);
	event_notice(this_cpu(), RW_EVENT_POLICY_REFUSED, 3, 4);
	event_hypercall(this_cpu(), 5, RW_E_CPL);
	event_register(this_cpu(), 6, 7);
	assert_int_equal(fetch(0), 4);
	assert_int_equal(got[0].severity, 1);
	assert_int_equal(got[0].verdict, RW_VERDICT_NONE);
	assert_int_equal(got[1].severity, 4);
	assert_int_equal(got[1].verdict, RW_VERDICT_DENIED);
	assert_int_equal(got[2].severity, 3);
	assert_int_equal(got[3].severity, 4);
	for (uint64_t i = 0; i < 3; i++)
		assert_int_equal(got[i].detail[0], 2 * i + 1);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_are_numbered_from_1),
		cmocka_unit_test(records_are_chained_from_the_nonce_on),
		cmocka_unit_test(a_record_says_where_the_cpu_was),
		cmocka_unit_test(
			a_record_names_the_policy_in_force_and_the_cpu),
		cmocka_unit_test(the_doorbell_has_the_newest_number),
		cmocka_unit_test(
			fetching_again_from_the_same_number_gives_the_same),
		cmocka_unit_test(
			fetching_drops_what_is_acknowledged_and_no_more),
		cmocka_unit_test(hits_like_one_just_recorded_are_counted),
		cmocka_unit_test(
			counted_hits_become_a_record_when_their_second_is_over),
		cmocka_unit_test(
			counted_hits_become_a_record_when_they_are_many),
		cmocka_unit_test(
			the_next_hit_after_that_second_is_recorded_at_once),
		cmocka_unit_test(hits_that_differ_are_never_counted_together),
		cmocka_unit_test(values_for_one_register_are_counted_together),
		cmocka_unit_test(of_many_hits_at_once_no_count_is_forgotten),
		cmocka_unit_test(
			a_full_ring_keeps_the_first_and_counts_the_rest),
		cmocka_unit_test(a_loss_is_itself_a_record),
		cmocka_unit_test(the_record_of_a_loss_may_fill_the_ring),
		cmocka_unit_test(no_number_is_missing_without_a_word),
		cmocka_unit_test(
			what_is_acknowledged_too_far_is_gone_and_shows),
		cmocka_unit_test(
			a_fault_while_the_lock_is_held_waits_for_nothing),
		cmocka_unit_test(notices_have_their_severity),
	};

	return machine_run_tests(tests);
}
