/* SPDX-License-Identifier: MIT */
/* agent/event/source.c: what becomes of records, good and bad ones. */
#include <errno.h>
#include <string.h>

#include "agent/event/source.h"
#include "tests/agent/check.h"
#include "tests/agent/fake_device.h"
#include "tests/agent/samples.h"
#include "tests/policy/scratch.h"

#define SEEN 64

static struct source source;
static struct event seen[SEEN];
static size_t seen_count;
static struct symbols_paths paths;

static int setup(void **state)
{
	fake_reset();
	fake.status = sample_status();
	fake_boot(0xa5);
	seen_count = 0;
	return scratch_open(state);
}

static int teardown(void **state)
{
	source_close(&source);
	return scratch_close(state);
}

static void see(void *argument, const struct event *event)
{
	(void)argument;
	assert_true(seen_count < SEEN);
	seen[seen_count++] = *event;
}

static void open_source(const char *state)
{
	assert_int_equal(source_open(&source, state, NULL), RW_OK);
}

static void read_all(void)
{
	size_t count;

	do
		assert_int_equal(source_read(&source, see, NULL, &count),
				 RW_OK);
	while (count);
}

static void push(uint32_t kind)
{
	struct rw_event record = sample_record(kind);

	fake_push(&record);
}

static void records_become_events_in_order(void **state)
{
	(void)state;
	open_source(NULL);
	for (int i = 0; i < 40; i++)
		push(RW_EVENT_VIOLATION);
	read_all();
	assert_int_equal(seen_count, 40);
	for (size_t i = 0; i < 40; i++) {
		assert_true(seen[i].from_monitor);
		assert_int_equal(seen[i].record.sequence, i + 1);
	}
	assert_string_equal(seen[39].rule, "kernel-text");
	assert_string_equal(seen[39].id,
			    "a5a5a5a5-a5a5-a5a5-a5a5-000000000040");
	assert_int_equal(seen[39].severity->number, SEVERITY_CRITICAL);
}

static void without_a_monitor_there_is_no_source(void **state)
{
	(void)state;
	fake.error = RW_E_NOT_ENABLED;
	assert_int_equal(source_open(&source, NULL, NULL), RW_E_NOT_ENABLED);
	assert_int_equal(fake.opens, fake.closes);
}

static void a_missing_record_is_said_before_the_next_one(void **state)
{
	(void)state;
	open_source(NULL);
	push(RW_EVENT_TEST);
	fake.sequence++;
	push(RW_EVENT_VIOLATION);
	read_all();
	assert_int_equal(seen_count, 3);
	assert_int_equal(seen[1].kind->kind, AGENT_RECORDS_MISSING);
	assert_false(seen[1].from_monitor);
	assert_int_equal(seen[1].proof.expected, 2);
	assert_int_equal(seen[1].proof.found, 3);
	assert_int_equal(seen[2].record.sequence, 3);
	assert_int_equal(source.missing, 1);
}

static void a_changed_record_is_said_and_still_shown(void **state)
{
	struct rw_event record;

	(void)state;
	open_source(NULL);
	push(RW_EVENT_VIOLATION);
	record = fake.records[0];
	record.gpa ^= 0x1000;
	fake.records[0] = record;
	push(RW_EVENT_TEST);
	read_all();
	assert_int_equal(seen_count, 3);
	assert_int_equal(seen[0].kind->kind, AGENT_CHAIN_BROKEN);
	assert_int_equal(seen[1].kind->kind, RW_EVENT_VIOLATION);
	assert_int_equal(seen[2].kind->kind, RW_EVENT_TEST);
	assert_int_equal(source.broken, 1);
}

static void a_loss_that_the_monitor_reports_is_no_hole(void **state)
{
	(void)state;
	open_source(NULL);
	push(RW_EVENT_TEST);
	fake_lose(100);
	push(RW_EVENT_TEST);
	read_all();
	assert_int_equal(seen_count, 3);
	assert_int_equal(seen[1].kind->kind, RW_EVENT_LOST);
	assert_int_equal(source.missing, 0);
	assert_int_equal(source.broken, 0);
}

static void a_record_shown_twice_does_not_hide_what_follows(void **state)
{
	(void)state;
	open_source(NULL);
	push(RW_EVENT_TEST);
	push(RW_EVENT_TEST);
	fake_push_raw(&fake.records[0]);
	push(RW_EVENT_TEST);
	read_all();
	assert_int_equal(source.missing, 1);
	assert_int_equal(seen_count, 5);
}

static void a_new_boot_of_the_monitor_starts_a_new_proof(void **state)
{
	(void)state;
	open_source(NULL);
	push(RW_EVENT_ENABLED);
	push(RW_EVENT_TEST);
	read_all();
	fake_boot(0x77);
	push(RW_EVENT_ENABLED);
	read_all();
	assert_int_equal(seen_count, 3);
	assert_int_equal(source.missing + source.broken, 0);
	assert_string_equal(seen[2].id, "77777777-7777-7777-7777-000000000001");
}

static void a_new_agent_continues_the_proof_of_the_old_one(void **state)
{
	const char *path = scratch("chain");

	(void)state;
	open_source(path);
	push(RW_EVENT_TEST);
	push(RW_EVENT_TEST);
	read_all();
	assert_int_equal(source_save(&source), 0);
	source_close(&source);
	open_source(path);
	push(RW_EVENT_TEST);
	read_all();
	assert_int_equal(source.missing + source.broken, 0);
	/* A record that came while no agent ran, and went elsewhere. */
	source_save(&source);
	source_close(&source);
	open_source(path);
	fake.sequence++;
	push(RW_EVENT_TEST);
	read_all();
	assert_int_equal(source.missing, 1);
}

static void an_agent_that_never_saw_the_start_says_so(void **state)
{
	(void)state;
	fake.sequence = 7;
	open_source(scratch("chain"));
	push(RW_EVENT_TEST);
	read_all();
	assert_int_equal(seen[0].kind->kind, AGENT_RECORDS_MISSING);
	assert_int_equal(seen[0].proof.expected, 1);
	assert_int_equal(seen[0].proof.found, 8);
}

static void the_digest_goes_with_a_record_only_if_serials_agree(void **state)
{
	struct rw_event record = sample_record(RW_EVENT_VIOLATION);

	(void)state;
	open_source(NULL);
	fake_push(&record);
	record.policy_serial = 41;
	fake_push(&record);
	fake_push(&record);
	read_all();
	assert_true(seen[0].policy.current);
	assert_string_equal(seen[0].policy.name, "debian12-baseline");
	assert_int_equal(strspn(seen[0].policy.digest, "9f"), 64);
	assert_false(seen[1].policy.current);
	assert_string_equal(seen[1].policy.digest, "");
	assert_int_equal(seen[1].policy.serial, 41);
}

static void a_new_policy_is_asked_for_once_per_batch(void **state)
{
	struct rw_event record = sample_record(RW_EVENT_VIOLATION);
	unsigned int before;

	(void)state;
	open_source(NULL);
	record.policy_serial = 43;
	fake.status.policy_serial = 43;
	for (int i = 0; i < 10; i++)
		fake_push(&record);
	before = fake.calls;
	read_all();
	assert_true(seen[9].policy.current);
	assert_int_equal(fake.calls - before, 1);
}

static void names_come_from_the_guest_when_wanted(void **state)
{
	(void)state;
	paths.kallsyms = scratch_text("kallsyms",
				      "ffffffff81000000 T _text\n"
				      "ffffffff81a34000 T tcp_v4_connect\n"
				      "ffffffff82000000 B _end\n");
	paths.modules = scratch_text(
		"modules", "evil 16384 0 - Live 0xffffffffc0a01000 (OE)\n");
	paths.iomem =
		scratch_text("iomem", "01000000-01e01a06 : Kernel code\n");
	assert_int_equal(source_open(&source, NULL, &paths), RW_OK);
	push(RW_EVENT_VIOLATION);
	read_all();
	assert_true(seen[0].has_target);
	assert_string_equal(seen[0].target.name, "tcp_v4_connect");
	assert_true(seen[0].has_rip);
	assert_string_equal(seen[0].rip.module, "evil");
}

static void own_events_have_ids_that_never_repeat(void **state)
{
	struct event first, second;

	(void)state;
	open_source(NULL);
	source_own_event(&source, AGENT_HEARTBEAT, &first);
	source_own_event(&source, AGENT_HEARTBEAT, &second);
	assert_string_not_equal(first.id, second.id);
	source_close(&source);
	open_source(NULL);
	source_own_event(&source, AGENT_HEARTBEAT, &second);
	assert_string_not_equal(first.id, second.id);
	assert_string_equal(second.policy.name, "debian12-baseline");
}

static void an_error_of_the_device_is_passed_on(void **state)
{
	size_t count = 5;

	(void)state;
	open_source(NULL);
	fake.read_errno = ENODEV;
	assert_int_equal(source_read(&source, see, NULL, &count),
			 RW_E_NOT_ENABLED);
	assert_int_equal(count, 5);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(records_become_events_in_order),
		TEST(without_a_monitor_there_is_no_source),
		TEST(a_missing_record_is_said_before_the_next_one),
		TEST(a_changed_record_is_said_and_still_shown),
		TEST(a_loss_that_the_monitor_reports_is_no_hole),
		TEST(a_record_shown_twice_does_not_hide_what_follows),
		TEST(a_new_boot_of_the_monitor_starts_a_new_proof),
		TEST(a_new_agent_continues_the_proof_of_the_old_one),
		TEST(an_agent_that_never_saw_the_start_says_so),
		TEST(the_digest_goes_with_a_record_only_if_serials_agree),
		TEST(a_new_policy_is_asked_for_once_per_batch),
		TEST(names_come_from_the_guest_when_wanted),
		TEST(own_events_have_ids_that_never_repeat),
		TEST(an_error_of_the_device_is_passed_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
