/* SPDX-License-Identifier: MIT */
/*
 * agent/event/ecs.c and ecs_ringwall.c: members that rules in a SIEM rely on.
 * That every record has the whole form is checked by schema_test.py.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/event/ecs.h"
#include "tests/agent/check.h"
#include "tests/agent/samples.h"

static struct event event;
static json_t *json;

static int teardown(void **state)
{
	(void)state;
	json_decref(json);
	json = NULL;
	return 0;
}

static void encode(const char *version)
{
	struct event_context context = sample_context();
	char *line;

	context.attack_version = version;
	line = ecs_encode(&event, &context);
	assert_non_null(line);
	assert_null(strchr(line, '\n'));
	json_decref(json);
	json = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(json);
	free(line);
}

/* The member at a path with dots; "a.0" is the first of a list. */
static const json_t *at(const char *path)
{
	const json_t *value = json;
	char copy[128], *part, *rest = copy;

	snprintf(copy, sizeof(copy), "%s", path);
	while (value && (part = strsep(&rest, ".")))
		value = json_is_array(value) ?
				json_array_get(value, strtoul(part, NULL, 10)) :
				json_object_get(value, part);
	return value;
}

static void expect_text(const char *path, const char *text)
{
	if (!json_is_string(at(path)))
		fail_msg("no text at %s", path);
	assert_string_equal(json_string_value(at(path)), text);
}

static void expect_number(const char *path, json_int_t number)
{
	if (!json_is_integer(at(path)))
		fail_msg("no number at %s", path);
	assert_int_equal(json_integer_value(at(path)), number);
}

static void a_violation_is_an_alert_with_all_that_is_known(void **state)
{
	(void)state;
	sample_event(RW_EVENT_VIOLATION, &event);
	encode("19");
	expect_text("@timestamp", "2026-11-22T17:00:00.123456Z");
	expect_text("event.created", "2026-11-22T17:00:00.125001Z");
	expect_text("event.kind", "alert");
	expect_text("event.action", "kernel-text-write");
	expect_text("event.outcome", "failure");
	expect_text("event.type.0", "change");
	expect_text("event.type.1", "denied");
	expect_text("event.code", "RW1001");
	expect_text("event.provider", "ringwall-monitor");
	expect_number("event.sequence", 17);
	expect_number("event.severity", 99);
	expect_text("rule.id", "1001");
	expect_text("rule.name", "kernel-text");
	expect_text("rule.version", "42");
	expect_text("threat.technique.id.0", "T1014");
	expect_text("host.boot.id", "8d6a3b1e-1f43-4c53-9be0-5a1f4a6b7c8d");
	expect_number("log.syslog.priority", 129);
	expect_text("ringwall.mode", "enforce");
	expect_text("ringwall.verdict", "denied");
	expect_text("ringwall.access.gpa", "0x1a34012");
	expect_text("ringwall.access.before", "9090909090909090");
	expect_text("ringwall.access.attempted", "cccccccccccccccc");
	expect_text("ringwall.target.symbol", "tcp_v4_connect");
	expect_text("ringwall.cpu.rip_symbol", "evil+0x44");
	expect_text("ringwall.policy.id", "debian12-baseline");
	expect_number("ringwall.policy.serial", 42);
	expect_text("ringwall.context.trust", "guest-reported");
	expect_text("ringwall.clock", "tsc");
}

static void an_audited_write_is_told_from_a_blocked_one(void **state)
{
	(void)state;
	sample_event(RW_EVENT_VIOLATION, &event);
	event.record.verdict = RW_VERDICT_ALLOWED;
	event.record.rule_mode = RW_MODE_AUDIT;
	encode("19");
	expect_text("event.outcome", "success");
	expect_text("event.type.1", "allowed");
	expect_text("ringwall.mode", "audit");
	expect_text("ringwall.verdict", "allowed");
}

static void repeated_hits_are_counted(void **state)
{
	(void)state;
	sample_event(RW_EVENT_VIOLATION, &event);
	event.record.count = 12;
	encode("19");
	expect_number("ringwall.repeat.count", 12);
	expect_number("ringwall.repeat.suppressed", 11);
	event.record.count = 0;
	encode("19");
	expect_number("ringwall.repeat.count", 1);
}

static void what_is_not_known_is_left_out(void **state)
{
	(void)state;
	sample_event(RW_EVENT_VIOLATION, &event);
	event.record.valid = 0;
	event.has_rip = event.has_target = false;
	event.policy.current = false;
	event.time_from_tsc = false;
	encode("19");
	assert_null(at("ringwall.access.gpa"));
	assert_null(at("ringwall.access.before"));
	assert_null(at("ringwall.cpu.rip"));
	assert_null(at("ringwall.target.symbol"));
	assert_null(at("ringwall.context"));
	assert_null(at("ringwall.kernel"));
	assert_null(at("ringwall.policy.sha256"));
	assert_null(at("rule.ruleset"));
	expect_number("ringwall.policy.serial", 42);
	expect_text("ringwall.clock", "receipt");
}

static void bytes_beyond_the_record_are_not_read(void **state)
{
	(void)state;
	sample_event(RW_EVENT_VIOLATION, &event);
	event.record.size = 4000000000u;
	encode("19");
	expect_number("ringwall.access.size", RW_EVENT_BYTES);
	assert_int_equal(
		strlen(json_string_value(at("ringwall.access.before"))),
		2 * RW_EVENT_BYTES);
}

static void the_ids_of_an_attack_follow_the_version_asked_for(void **state)
{
	(void)state;
	sample_event(RW_EVENT_SELF_ACCESS, &event);
	encode("18");
	expect_text("threat.technique.id.0", "T1562");
	expect_text("threat.technique.subtechnique.id.0", "T1562.001");
	expect_text("threat.technique.subtechnique.reference.0",
		    "https://attack.mitre.org/techniques/T1562/001/");
	expect_text("ringwall.attack_version", "18");
	encode("19");
	expect_text("threat.technique.id.0", "T1685");
	expect_text("threat.tactic.name.0", "Defense Impairment");
	assert_null(at("threat.technique.subtechnique"));
}

static void a_notice_is_no_threat(void **state)
{
	(void)state;
	sample_event(RW_EVENT_ENABLED, &event);
	encode("19");
	expect_text("event.kind", "event");
	assert_null(at("threat"));
	assert_null(at("ringwall.attack_version"));
}

static void a_heartbeat_is_the_monitors_status(void **state)
{
	(void)state;
	sample_event(AGENT_HEARTBEAT, &event);
	encode("19");
	expect_text("event.kind", "state");
	expect_text("event.provider", "ringwalld");
	assert_null(at("event.sequence"));
	expect_text("ringwall.status.state", "armed");
	expect_text("ringwall.status.rules.1.mode", "audit");
	expect_number("ringwall.status.events.last", 17);
	expect_text("ringwall.hops.0.name", "monitor");
	expect_number("ringwall.policy.serial", 42);
}

static void details_of_each_kind_are_there(void **state)
{
	(void)state;
	sample_event(RW_EVENT_REGISTER, &event);
	encode("19");
	expect_text("ringwall.register.number", "0xc0000082");
	sample_event(RW_EVENT_POLICY_REFUSED, &event);
	encode("19");
	expect_text("ringwall.refused.error.name", "E_POLICY_SERIAL");
	sample_event(RW_EVENT_LOST, &event);
	encode("19");
	expect_number("ringwall.lost.count", 5);
	sample_event(AGENT_RECORDS_DROPPED, &event);
	encode("19");
	expect_text("ringwall.dropped.reason", "queue full");
	sample_event(AGENT_MONITOR_SILENT, &event);
	encode("19");
	expect_text("ringwall.error.name", "E_NOT_ENABLED");
}

static void numbers_beyond_json_become_the_largest(void **state)
{
	(void)state;
	sample_event(RW_EVENT_VIOLATION, &event);
	event.record.policy_serial = UINT64_MAX;
	event.record.cr3 = UINT64_MAX;
	encode("19");
	expect_number("ringwall.policy.serial", INT64_MAX);
	expect_text("rule.version", "18446744073709551615");
	expect_text("ringwall.cpu.cr3", "0xffffffffffffffff");
}

static void the_short_record_is_small_and_marked(void **state)
{
	struct event_context context = sample_context();
	char *line;

	(void)state;
	sample_event(RW_EVENT_VIOLATION, &event);
	line = ecs_encode_short(&event, &context);
	assert_non_null(line);
	assert_true(strlen(line) < 700);
	json = json_loads(line, 0, NULL);
	free(line);
	assert_true(json_is_true(at("ringwall.truncated")));
	expect_text("event.id", "a5a5a5a5-a5a5-a5a5-a5a5-000000000017");
	expect_text("rule.name", "kernel-text");
	expect_number("event.sequence", 17);
}

#define TEST(name) cmocka_unit_test_teardown(name, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(a_violation_is_an_alert_with_all_that_is_known),
		TEST(an_audited_write_is_told_from_a_blocked_one),
		TEST(repeated_hits_are_counted),
		TEST(what_is_not_known_is_left_out),
		TEST(bytes_beyond_the_record_are_not_read),
		TEST(the_ids_of_an_attack_follow_the_version_asked_for),
		TEST(a_notice_is_no_threat),
		TEST(a_heartbeat_is_the_monitors_status),
		TEST(details_of_each_kind_are_there),
		TEST(numbers_beyond_json_become_the_largest),
		TEST(the_short_record_is_small_and_marked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
