/* SPDX-License-Identifier: MIT */
/*
 * The members that ECS defines. json_pack() gives NULL as soon as one part has no
 * memory, so a record is complete or is not made; "o*" leaves a member out.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/event/ecs.h"
#include "agent/event/text.h"

json_int_t ecs_number(uint64_t value)
{
	return value > INT64_MAX ? INT64_MAX : (json_int_t)value;
}

void ecs_append(json_t **array, json_t *value)
{
	if (!*array) {
		json_decref(value);
		return;
	}
	if (json_array_append_new(*array, value)) {
		json_decref(*array);
		*array = NULL;
	}
}

static json_t *strings(const char *const *list, const char *extra)
{
	json_t *array = json_array();

	for (size_t i = 0; list[i]; i++)
		ecs_append(&array, json_string(list[i]));
	if (extra)
		ecs_append(&array, json_string(extra));
	return array;
}

/* "allowed" and "denied" are event types of ECS as well. */
static json_t *encode_types(const struct event *event)
{
	uint32_t verdict = event->record.verdict;

	return strings(event->kind->type,
		       event->from_monitor && verdict != RW_VERDICT_NONE ?
			       verdict_name(verdict) :
			       NULL);
}

static const char *outcome(const struct event *event)
{
	if (!event->from_monitor)
		return "unknown";
	if (event->record.verdict == RW_VERDICT_DENIED ||
	    event->kind->kind == RW_EVENT_POLICY_REFUSED ||
	    event->kind->kind == RW_EVENT_MONITOR_FAULT)
		return "failure";
	return "success";
}

/* Why, where the kind alone does not say it. */
static json_t *encode_reason(const struct event *event)
{
	if (event->kind->kind != RW_EVENT_VIOLATION || !event->rule[0])
		return NULL;
	return json_sprintf(
		"EPT write violation on a page protected by rule %s",
		event->rule);
}

static json_t *encode_event(const struct event *event)
{
	char time[TEXT_TIME_SIZE], created[TEXT_TIME_SIZE];
	const struct kind_row *kind = event->kind;

	text_time(time, event->time);
	text_time(created, event->created);
	return json_pack(
		"{s:s s:o s:o s:s s:s s:s s:s s:s s:s s:s s:o* s:I s:I s:s s:s s:s s:o*}",
		"kind", kind->ecs_kind, "category",
		strings(kind->category, NULL), "type", encode_types(event),
		"action", event_action(event), "outcome", outcome(event),
		"module", "ringwall", "dataset", kind->dataset, "provider",
		event->from_monitor ? "ringwall-monitor" : "ringwalld", "code",
		kind->code, "id", event->id, "sequence",
		event->from_monitor ?
			json_integer(ecs_number(event->record.sequence)) :
			NULL,
		"severity", (json_int_t)event->severity->ecs, "risk_score",
		(json_int_t)event->severity->ecs, "created", created, "start",
		time, "end", time, "reason", encode_reason(event));
}

static json_t *encode_rule(const struct event *event)
{
	const struct event_policy *policy = &event->policy;
	json_t *ruleset = NULL, *version = NULL;

	if (!event->from_monitor || !event->record.rule_id)
		return NULL;
	if (policy->current && policy->name[0])
		ruleset = json_string(policy->name);
	if (event->record.policy_serial)
		version = json_sprintf(
			"%llu",
			(unsigned long long)event->record.policy_serial);
	return json_pack("{s:o s:s s:o* s:o* s:s}", "id",
			 json_sprintf("%u", event->record.rule_id), "name",
			 event->rule[0] ? event->rule : "-", "ruleset", ruleset,
			 "version", version, "category",
			 "kernel-memory-integrity");
}

static json_t *reference(const char *what, const char *id)
{
	const char *dot = strchr(id, '.');

	if (!dot)
		return json_sprintf("https://attack.mitre.org/%s/%s/", what,
				    id);
	return json_sprintf("https://attack.mitre.org/%s/%.*s/%s/", what,
			    (int)(dot - id), id, dot + 1);
}

static json_t *encode_threat(const struct event *event,
			     const struct event_context *context)
{
	const struct attack_row *row =
		attack_find(context->attack_version, event_attack(event));
	json_t *sub = NULL;

	if (!row)
		return NULL;
	if (row->subtechnique_id)
		sub = json_pack("{s:[s] s:[s] s:[o]}", "id",
				row->subtechnique_id, "name", row->subtechnique,
				"reference",
				reference("techniques", row->subtechnique_id));
	return json_pack(
		"{s:s s:{s:[s] s:[s] s:[o]} s:{s:[s] s:[s] s:[o] s:o*}}",
		"framework", "MITRE ATT&CK", "tactic", "id", row->tactic_id,
		"name", row->tactic, "reference",
		reference("tactics", row->tactic_id), "technique", "id",
		row->technique_id, "name", row->technique, "reference",
		reference("techniques", row->technique_id), "subtechnique",
		sub);
}

static json_t *text_or_null(const char *text)
{
	return *text ? json_string(text) : NULL;
}

static json_t *encode_host(const struct host *host)
{
	json_t *boot = NULL;

	if (host->boot_id[0])
		boot = json_pack("{s:s}", "id", host->boot_id);
	return json_pack("{s:o* s:s s:s s:o* s:{s:s s:o*}}", "id",
			 text_or_null(host->machine_id), "name", host->name,
			 "hostname", host->name, "boot", boot, "os", "type",
			 "linux", "kernel", text_or_null(host->kernel));
}

static json_t *encode_log(const struct event *event,
			  const struct event_context *context)
{
	const struct severity_row *severity = event->severity;

	return json_pack("{s:s s:{s:{s:I} s:{s:I s:s} s:I}}", "level",
			 severity->level, "syslog", "facility", "code",
			 (json_int_t)context->facility, "severity", "code",
			 (json_int_t)severity->syslog, "name",
			 severity->syslog_name, "priority",
			 (json_int_t)context->facility * 8 + severity->syslog);
}

static char *dump(json_t *json)
{
	char *text;

	if (!json)
		return NULL;
	text = json_dumps(json, JSON_COMPACT | JSON_ENSURE_ASCII);
	json_decref(json);
	return text;
}

char *ecs_encode(const struct event *event, const struct event_context *context)
{
	char time[TEXT_TIME_SIZE], message[512];

	text_time(time, event->time);
	event_message(event, message, sizeof(message));
	return dump(json_pack(
		"{s:s s:{s:s} s:s s:o s:o* s:o* s:o s:{s:s s:s s:s s:s s:o*} s:{s:s s:s s:s} s:{s:[s]} s:o s:o}",
		"@timestamp", time, "ecs", "version", ECS_VERSION, "message",
		message, "event", encode_event(event), "rule",
		encode_rule(event), "threat", encode_threat(event, context),
		"host", encode_host(&context->host), "observer", "vendor",
		"Ringwall", "product", "ringwall", "type",
		"host-integrity-monitor", "version", RINGWALL_VERSION,
		"serial_number", text_or_null(event->nonce), "agent", "type",
		"ringwalld", "version", RINGWALL_VERSION, "id",
		context->host.name, "related", "hosts", context->host.name,
		"log", encode_log(event, context), "ringwall",
		ecs_ringwall(event, context)));
}

char *ecs_encode_short(const struct event *event,
		       const struct event_context *context)
{
	const char *mode = mode_name(event->record.rule_mode);
	char time[TEXT_TIME_SIZE], message[512];

	text_time(time, event->time);
	event_message(event, message, sizeof(message));
	return dump(json_pack(
		"{s:s s:{s:s} s:s s:{s:s s:s s:s s:s s:o* s:I} s:o* s:{s:s} s:{s:I s:b s:o*}}",
		"@timestamp", time, "ecs", "version", ECS_VERSION, "message",
		message, "event", "kind", event->kind->ecs_kind, "action",
		event_action(event), "code", event->kind->code, "id", event->id,
		"sequence",
		event->from_monitor ?
			json_integer(ecs_number(event->record.sequence)) :
			NULL,
		"severity", (json_int_t)event->severity->ecs, "rule",
		event->rule[0] ? json_pack("{s:s}", "name", event->rule) : NULL,
		"host", "name", context->host.name, "ringwall",
		"schema_version", (json_int_t)ECS_RINGWALL_VERSION, "truncated",
		1, "mode",
		event->from_monitor && mode ? json_string(mode) : NULL));
}
