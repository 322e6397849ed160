/* SPDX-License-Identifier: MIT */
/*
 * agent/event/rfc5424.c: header, structured data and the limits. That a real
 * syslog server reads it is shown by syslog_test.py.
 */
#include <stdlib.h>
#include <string.h>

#include "agent/event/ecs.h"
#include "agent/event/rfc5424.h"
#include "tests/agent/check.h"
#include "tests/agent/samples.h"

static const struct rfc5424 how = {
	.facility = 16,
	.sequence_id = 5,
	.process_id = 412,
	.uptime = 412355,
};
static struct event event;
static char out[RFC5424_MAX + 1];

static size_t encode(size_t size)
{
	struct event_context context = sample_context();
	char *json = ecs_encode(&event, &context);
	size_t length;

	memset(out, 'x', sizeof(out));
	length = rfc5424_encode(&how, &event, &context, json, out, size);
	free(json);
	if (length) {
		assert_true(length < size);
		assert_int_equal(strlen(out), length);
	}
	assert_int_equal(out[size], 'x');
	return length;
}

static void expect(const char *part)
{
	if (!strstr(out, part))
		fail_msg("'%s' is not in '%s'", part, out);
}

static void the_header_is_as_the_rfc_wants_it(void **state)
{
	static const char header[] =
		"<129>1 2026-11-22T17:00:00.123456Z web-017 ringwalld 412 RW1001 [ringwall@32473 ";

	(void)state;
	sample_event(RW_EVENT_VIOLATION, &event);
	assert_true(encode(RFC5424_MAX));
	assert_memory_equal(out, header, sizeof(header) - 1);
}

static void structured_data_say_what_happened(void **state)
{
	(void)state;
	sample_event(RW_EVENT_VIOLATION, &event);
	assert_true(encode(RFC5424_MAX));
	expect(" event=\"kernel-text-write\" sequence=\"17\" rule=\"kernel-text\" action=\"denied\" mode=\"enforce\" access=\"write\" gpa=\"0x1a34012\" gva=\"0xffffffff81a34012\"");
	expect(" symbol=\"tcp_v4_connect+0x12\" rip_symbol=\"evil+0x44\" rip_module=\"evil\" cpu=\"1\"");
	expect(" policy=\"debian12-baseline\" build_id=\"f0f0");
	expect(" policy_serial=\"42\" sev=\"5\" attack=\"T1014\"]");
	expect("[meta sequenceId=\"5\" sysUpTime=\"412355\"]");
	expect("[origin software=\"ringwalld\" swVersion=\"");
	expect("\" enterpriseId=\"32473\"] @cee: {\"@timestamp\":");
	assert_null(strstr(out, "truncated"));
}

static void quotes_and_brackets_are_escaped(void **state)
{
	(void)state;
	sample_event(RW_EVENT_VIOLATION, &event);
	strcpy(event.rule, "a\"b\\c]d");
	assert_true(encode(RFC5424_MAX));
	expect(" rule=\"a\\\"b\\\\c\\]d\" ");
}

static void no_name_has_a_capital_letter(void **state)
{
	(void)state;
	for (size_t i = 0; kind_at(i); i++) {
		const char *c, *end;
		bool quoted = false;

		sample_event(kind_at(i)->kind, &event);
		assert_true(encode(RFC5424_MAX));
		end = strstr(out, "][meta");
		for (c = strchr(out, '['); c < end; c++) {
			quoted ^= *c == '"';
			assert_false(!quoted && *c >= 'A' && *c <= 'Z');
		}
	}
}

static void a_record_that_is_too_large_is_cut_and_says_so(void **state)
{
	json_error_t error;
	json_t *json;

	(void)state;
	sample_event(RW_EVENT_VIOLATION, &event);
	assert_true(encode(RFC5424_UDP_MAX));
	expect(" truncated=\"1\"]");
	expect(" rule=\"kernel-text\"");
	json = json_loads(strstr(out, "@cee: ") + 6, 0, &error);
	assert_non_null(json);
	assert_true(json_is_true(json_object_get(
		json_object_get(json, "ringwall"), "truncated")));
	json_decref(json);
}

static void without_room_for_json_the_sentence_is_left(void **state)
{
	(void)state;
	sample_event(RW_EVENT_VIOLATION, &event);
	assert_true(encode(1000));
	assert_null(strstr(out, "@cee"));
	expect("] Denied write to kernel text");
	assert_int_equal(encode(300), 0);
}

static void a_message_that_just_fits_is_whole(void **state)
{
	size_t length;

	(void)state;
	sample_event(RW_EVENT_VIOLATION, &event);
	length = encode(RFC5424_MAX);
	assert_int_equal(encode(length + 1), length);
	assert_int_equal(out[length - 1], '}');
	assert_true(encode(length) < length);
	expect("truncated");
}

static void the_worst_record_fits_a_datagram(void **state)
{
	(void)state;
	sample_event(RW_EVENT_VIOLATION, &event);
	memset(event.rule, ']', sizeof(event.rule) - 1);
	memset(event.policy.name, '"', sizeof(event.policy.name) - 1);
	memset(event.target.name, '\\', sizeof(event.target.name) - 1);
	memset(event.rip.name, ']', sizeof(event.rip.name) - 1);
	memset(event.rip.module, 'm', sizeof(event.rip.module) - 1);
	assert_true(encode(RFC5424_UDP_MAX));
	expect("truncated");
	assert_true(encode(RFC5424_MAX));
	expect("@cee: ");
}

static void the_agents_own_events_have_their_data(void **state)
{
	(void)state;
	sample_event(AGENT_RECORDS_DROPPED, &event);
	assert_true(encode(RFC5424_MAX));
	expect("<132>1 ");
	expect(" RW4004 ");
	expect(" hop=\"syslog:tcp:siem.example:514\" reason=\"queue full\" dropped=\"3\"");
	sample_event(AGENT_RECORDS_MISSING, &event);
	assert_true(encode(RFC5424_MAX));
	expect(" expected=\"17\" found=\"19\"");
	sample_event(RW_EVENT_LOST, &event);
	assert_true(encode(RFC5424_MAX));
	expect(" lost_first=\"12\" lost_last=\"16\"");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_header_is_as_the_rfc_wants_it),
		cmocka_unit_test(structured_data_say_what_happened),
		cmocka_unit_test(quotes_and_brackets_are_escaped),
		cmocka_unit_test(no_name_has_a_capital_letter),
		cmocka_unit_test(a_record_that_is_too_large_is_cut_and_says_so),
		cmocka_unit_test(without_room_for_json_the_sentence_is_left),
		cmocka_unit_test(a_message_that_just_fits_is_whole),
		cmocka_unit_test(the_worst_record_fits_a_datagram),
		cmocka_unit_test(the_agents_own_events_have_their_data),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
