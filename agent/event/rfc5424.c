/* SPDX-License-Identifier: MIT */
/*
 * The syslog message, built from left to right into a buffer of fixed size. All
 * names in an event are printable ASCII already; escaping is done here.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/event/ecs.h"
#include "agent/event/rfc5424.h"
#include "agent/event/text.h"

struct writer {
	char *out;
	size_t size; /* with the NUL */
	size_t used;
	bool full; /* something did not fit: the message is void */
};

static void put(struct writer *writer, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void put(struct writer *writer, const char *format, ...)
{
	size_t left = writer->size - writer->used;
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(writer->out + writer->used, left, format, arguments);
	va_end(arguments);
	if (length < 0 || (size_t)length >= left) {
		writer->full = true;
		return;
	}
	writer->used += (size_t)length;
}

/* A parameter; '"', '\' and ']' get a backslash (RFC 5424, 6.3.3). */
static void param(struct writer *writer, const char *name, const char *value)
{
	put(writer, " %s=\"", name);
	for (; *value; value++) {
		if (strchr("\"\\]", *value))
			put(writer, "\\");
		put(writer, "%c", *value);
	}
	put(writer, "\"");
}

static void param_number(struct writer *writer, const char *name,
			 uint64_t value)
{
	put(writer, " %s=\"%" PRIu64 "\"", name, value);
}

static void param_hex(struct writer *writer, const char *name, uint64_t value)
{
	put(writer, " %s=\"0x%" PRIx64 "\"", name, value);
}

static void put_symbols(struct writer *writer, const struct event *event)
{
	char symbol[SYMBOL_NAME_SIZE + 24];

	if (event->has_target) {
		event_symbol(&event->target, symbol, sizeof(symbol));
		param(writer, "symbol", symbol);
	}
	if (event->has_rip) {
		event_symbol(&event->rip, symbol, sizeof(symbol));
		param(writer, "rip_symbol", symbol);
		param(writer, "rip_module", event->rip.module);
	}
}

static void put_record(struct writer *writer, const struct event *event)
{
	const struct rw_event *record = &event->record;
	const char *mode = mode_name(record->rule_mode);
	uint64_t count = record->count ? record->count : 1;

	param_number(writer, "sequence", record->sequence);
	if (event->rule[0])
		param(writer, "rule", event->rule);
	param(writer, "action", verdict_name(record->verdict));
	if (mode)
		param(writer, "mode", mode);
	if (record->kind == RW_EVENT_VIOLATION ||
	    record->kind == RW_EVENT_PATCH)
		param(writer, "access", "write");
	if (record->valid & RW_EVENT_HAS_GPA)
		param_hex(writer, "gpa", record->gpa);
	if (record->valid & RW_EVENT_HAS_GVA)
		param_hex(writer, "gva", record->gva);
	if (record->valid & RW_EVENT_HAS_CPU_STATE)
		param_hex(writer, "rip", record->rip);
	put_symbols(writer, event);
	param_number(writer, "cpu", record->cpu);
	if (record->kind == RW_EVENT_LOST) {
		param_number(writer, "lost_first", record->detail[0]);
		param_number(writer, "lost_last", record->detail[1]);
	}
	param_number(writer, "repeat", count);
	param_number(writer, "suppressed", count - 1);
}

static void put_own(struct writer *writer, const struct event *event)
{
	switch (event->kind->kind) {
	case AGENT_HEARTBEAT:
		param_number(writer, "cpus", event->status.cpus);
		param_number(writer, "cpus_inside", event->status.cpus_inside);
		param_number(writer, "lost", event->status.events_lost);
		break;
	case AGENT_CHAIN_BROKEN:
	case AGENT_RECORDS_MISSING:
		param_number(writer, "expected", event->proof.expected);
		param_number(writer, "found", event->proof.found);
		break;
	case AGENT_RECORDS_DROPPED:
		param(writer, "hop", event->drop.hop);
		param(writer, "reason", event->drop.reason);
		param_number(writer, "dropped", event->drop.count);
		break;
	default:
		break;
	}
}

static void put_data(struct writer *writer, const struct rfc5424 *how,
		     const struct event *event,
		     const struct event_context *context, bool truncated)
{
	const struct attack_row *attack =
		attack_find(context->attack_version, event_attack(event));
	const struct event_policy *policy = &event->policy;
	uint64_t serial = event->from_monitor ? event->record.policy_serial :
						policy->serial;

	put(writer, "[ringwall@" RFC5424_ENTERPRISE);
	param(writer, "event", event_action(event));
	if (event->from_monitor)
		put_record(writer, event);
	else
		put_own(writer, event);
	if (serial && policy->current) {
		param(writer, "policy", policy->name);
		param(writer, "build_id", policy->build_id);
	}
	if (serial)
		param_number(writer, "policy_serial", serial);
	param_number(writer, "sev", event->severity->number);
	if (attack)
		param(writer, "attack",
		      attack->subtechnique_id ? attack->subtechnique_id :
						attack->technique_id);
	if (truncated)
		param(writer, "truncated", "1");
	put(writer, "][meta");
	param_number(writer, "sequenceId", how->sequence_id);
	param_number(writer, "sysUpTime", how->uptime);
	put(writer,
	    "][origin software=\"ringwalld\" swVersion=\"%s\" enterpriseId=\"%s\"]",
	    RINGWALL_VERSION, RFC5424_ENTERPRISE);
}

static size_t encode(const struct rfc5424 *how, const struct event *event,
		     const struct event_context *context, const char *payload,
		     bool truncated, char *out, size_t size)
{
	struct writer writer = { out, size, 0, false };
	char time[TEXT_TIME_SIZE];

	text_time(time, event->time);
	put(&writer, "<%u>1 %s %.255s ringwalld %" PRIu32 " %s ",
	    how->facility * 8 + event->severity->syslog, time,
	    context->host.name, how->process_id, event->kind->code);
	put_data(&writer, how, event, context, truncated);
	put(&writer, " %s", payload);
	return writer.full ? 0 : writer.used;
}

/* With "@cee: " before the JSON. */
static size_t encode_json(const struct rfc5424 *how, const struct event *event,
			  const struct event_context *context, const char *json,
			  bool truncated, char *out, size_t size)
{
	char *payload;
	size_t used;

	if (!json || asprintf(&payload, "@cee: %s", json) < 0)
		return 0;
	used = encode(how, event, context, payload, truncated, out, size);
	free(payload);
	return used;
}

size_t rfc5424_encode(const struct rfc5424 *how, const struct event *event,
		      const struct event_context *context, const char *json,
		      char *out, size_t size)
{
	char message[512];
	size_t used;
	char *brief;

	if (!size)
		return 0;
	used = encode_json(how, event, context, json, false, out, size);
	if (used)
		return used;
	brief = ecs_encode_short(event, context);
	used = encode_json(how, event, context, brief, true, out, size);
	free(brief);
	if (used)
		return used;
	event_message(event, message, sizeof(message));
	return encode(how, event, context, message, true, out, size);
}
