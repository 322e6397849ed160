/* SPDX-License-Identifier: MIT */
/* agent/event/kinds.c and message.c: each table has what it must, once. */
#include <string.h>

#include <ringwall/error.h>

#include "agent/event/event.h"
#include "tests/agent/check.h"
#include "tests/agent/samples.h"

static void every_kind_of_the_monitor_has_a_row(void **state)
{
	(void)state;
	for (size_t i = 0; i < sample_kinds(); i++) {
		const struct kind_row *row = kind_find(sample_kind(i));

		assert_int_equal(row->kind, sample_kind(i));
		assert_non_null(row->category[0]);
		assert_non_null(row->type[0]);
	}
}

static void codes_and_kinds_are_unique(void **state)
{
	const struct kind_row *a, *b;

	(void)state;
	for (size_t i = 0; (a = kind_at(i)); i++)
		for (size_t j = i + 1; (b = kind_at(j)); j++) {
			assert_int_not_equal(a->kind, b->kind);
			assert_string_not_equal(a->code, b->code);
		}
}

static void an_unknown_kind_is_an_alert(void **state)
{
	const struct kind_row *row = kind_find(4711);

	(void)state;
	assert_string_equal(row->code, "RW0000");
	assert_string_equal(row->ecs_kind, "alert");
}

static void severities_are_one_table(void **state)
{
	static const struct {
		unsigned int syslog, ecs;
	} expected[] = { { 6, 21 }, { 5, 21 }, { 4, 47 }, { 2, 73 }, { 1, 99 } };

	(void)state;
	for (unsigned int i = 0; i < 5; i++) {
		const struct severity_row *row = severity_find(i + 1);

		assert_int_equal(row->number, i + 1);
		assert_int_equal(row->syslog, expected[i].syslog);
		assert_int_equal(row->ecs, expected[i].ecs);
	}
	assert_int_equal(severity_find(0)->number, SEVERITY_MEDIUM);
	assert_int_equal(severity_find(6)->number, SEVERITY_MEDIUM);
}

static void attack_ids_depend_on_the_version_of_the_framework(void **state)
{
	const struct attack_row *old = attack_find("18", ATTACK_DEFENSES);
	const struct attack_row *new = attack_find("19", ATTACK_DEFENSES);

	(void)state;
	assert_string_equal(old->technique_id, "T1562");
	assert_string_equal(old->subtechnique_id, "T1562.001");
	assert_string_equal(old->tactic, "Defense Evasion");
	assert_string_equal(new->technique_id, "T1685");
	assert_string_equal(new->tactic_id, "TA0112");
	assert_string_equal(attack_find("18", ATTACK_ROOTKIT)->technique_id,
			    attack_find("19", ATTACK_ROOTKIT)->technique_id);
	assert_null(attack_find("19", ATTACK_NONE));
	assert_null(attack_find("17", ATTACK_ROOTKIT));
	assert_true(attack_version_known(ATTACK_VERSION_DEFAULT));
	assert_false(attack_version_known("17"));
}

static void a_refused_policy_is_an_attack_only_past_a_check(void **state)
{
	struct event event;

	(void)state;
	sample_event(RW_EVENT_POLICY_REFUSED, &event);
	assert_int_equal(event_attack(&event), ATTACK_DEFENSES);
	event.record.detail[1] = RW_E_POLICY_SIGNATURE;
	assert_int_equal(event_attack(&event), ATTACK_DEFENSES);
	event.record.detail[1] = RW_E_POLICY_KERNEL;
	assert_int_equal(event_attack(&event), ATTACK_NONE);
}

static void a_violation_says_what_where_and_by_whom(void **state)
{
	struct event event;
	char text[256];

	(void)state;
	sample_event(RW_EVENT_VIOLATION, &event);
	event_message(&event, text, sizeof(text));
	assert_string_equal(
		text,
		"Denied write to kernel text tcp_v4_connect+0x12 (gpa 0x1a34012) from rip 0xffffffffc0a01044 evil+0x44 on cpu 1");
	event.record.verdict = RW_VERDICT_ALLOWED;
	event.record.count = 9;
	event.has_target = event.has_rip = false;
	event_message(&event, text, sizeof(text));
	assert_string_equal(
		text,
		"Allowed write to kernel text (gpa 0x1a34012) from rip 0xffffffffc0a01044 on cpu 1, 9 times");
	assert_string_equal(event_action(&event), "kernel-text-write");
}

static void a_message_is_cut_to_its_room(void **state)
{
	struct event event;
	char text[12];

	(void)state;
	sample_event(RW_EVENT_VIOLATION, &event);
	memset(text, 'x', sizeof(text));
	event_message(&event, text, 10);
	assert_string_equal(text, "Denied wr");
	assert_int_equal(text[10], 'x');
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kind_of_the_monitor_has_a_row),
		cmocka_unit_test(codes_and_kinds_are_unique),
		cmocka_unit_test(an_unknown_kind_is_an_alert),
		cmocka_unit_test(severities_are_one_table),
		cmocka_unit_test(
			attack_ids_depend_on_the_version_of_the_framework),
		cmocka_unit_test(
			a_refused_policy_is_an_attack_only_past_a_check),
		cmocka_unit_test(a_violation_says_what_where_and_by_whom),
		cmocka_unit_test(a_message_is_cut_to_its_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
