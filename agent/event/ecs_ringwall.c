/* SPDX-License-Identifier: MIT */
/*
 * The block "ringwall" of an event: what the monitor recorded, as it recorded
 * it, and what the agent says of itself. Mode, serial and digest are the
 * monitor's; names from the guest are marked.
 */
#include <inttypes.h>
#include <string.h>

#include "agent/errors.h"
#include "agent/event/ecs.h"
#include "agent/event/text.h"

static json_t *hex_number(uint64_t value)
{
	return json_sprintf("0x%" PRIx64, value);
}

static json_t *hex_if(bool valid, uint64_t value)
{
	return valid ? hex_number(value) : NULL;
}

static json_t *bytes_if(bool valid, const uint8_t *bytes, size_t size)
{
	char text[2 * RW_EVENT_BYTES + 1];

	if (!valid)
		return NULL;
	text_hex(text, bytes, size);
	return json_string(text);
}

static json_t *encode_access(const struct rw_event *record)
{
	bool bytes = record->valid & RW_EVENT_HAS_BYTES;
	size_t size = record->size < RW_EVENT_BYTES ? record->size :
						      RW_EVENT_BYTES;

	if (record->kind != RW_EVENT_VIOLATION &&
	    record->kind != RW_EVENT_SELF_ACCESS &&
	    record->kind != RW_EVENT_PATCH)
		return NULL;
	return json_pack("{s:s s:o* s:o* s:o* s:o* s:o*}", "type",
			 record->kind == RW_EVENT_SELF_ACCESS ? "any" : "write",
			 "size", bytes ? json_integer((json_int_t)size) : NULL,
			 "gpa",
			 hex_if(record->valid & RW_EVENT_HAS_GPA, record->gpa),
			 "gva",
			 hex_if(record->valid & RW_EVENT_HAS_GVA, record->gva),
			 "before", bytes_if(bytes, record->before, size),
			 "attempted", bytes_if(bytes, record->attempted, size));
}

static json_t *encode_target(const struct event *event)
{
	const struct symbol *target = &event->target;
	bool named = event->has_target && target->name[0];

	if (!event->record.rule_target)
		return NULL;
	return json_pack(
		"{s:s s:o* s:o* s:o*}", "kind",
		target_name(event->record.rule_target), "symbol",
		named ? json_string(target->name) : NULL, "offset",
		event->has_target ? json_integer(ecs_number(target->offset)) :
				    NULL,
		"module",
		event->has_target ? json_string(target->module) : NULL);
}

static json_t *encode_cpu(const struct event *event)
{
	const struct rw_event *record = &event->record;
	bool state = record->valid & RW_EVENT_HAS_CPU_STATE;
	char symbol[SYMBOL_NAME_SIZE + 24];

	if (event->has_rip)
		event_symbol(&event->rip, symbol, sizeof(symbol));
	return json_pack("{s:I s:o* s:o* s:o* s:o* s:o*}", "id",
			 (json_int_t)record->cpu, "rip",
			 hex_if(state, record->rip), "rip_symbol",
			 event->has_rip ? json_string(symbol) : NULL,
			 "rip_module",
			 event->has_rip ? json_string(event->rip.module) : NULL,
			 "cr3", hex_if(state, record->cr3), "cpl",
			 state ? json_integer((json_int_t)record->cpl) : NULL);
}

static json_t *encode_policy(const struct event *event)
{
	const struct event_policy *policy = &event->policy;
	uint64_t serial = event->from_monitor ? event->record.policy_serial :
						policy->serial;

	if (!serial)
		return NULL;
	if (!policy->current)
		return json_pack("{s:I}", "serial", ecs_number(serial));
	return json_pack("{s:s s:I s:s s:s}", "id", policy->name, "serial",
			 ecs_number(serial), "sha256", policy->digest, "key_id",
			 policy->key_id);
}

static json_t *encode_error(uint64_t error)
{
	uint32_t number = error > UINT32_MAX ? UINT32_MAX : (uint32_t)error;

	return json_pack("{s:I s:s s:s}", "code", (json_int_t)number, "name",
			 error_name(number), "text", error_text(number));
}

static json_t *encode_gap(uint64_t first, uint64_t last)
{
	return json_pack("{s:I s:I s:I}", "first", ecs_number(first), "last",
			 ecs_number(last), "count",
			 ecs_number(last >= first ? last - first + 1 : 0));
}

/* What only one kind of record has, into the block itself. */
static int add_detail(json_t *block, const struct rw_event *record)
{
	const uint64_t *detail = record->detail;

	switch (record->kind) {
	case RW_EVENT_REGISTER:
		return json_object_set_new(
			block, "register",
			json_pack("{s:o s:o}", "number", hex_number(detail[0]),
				  "value", hex_number(detail[1])));
	case RW_EVENT_HYPERCALL:
		return json_object_set_new(
			block, "hypercall",
			json_pack("{s:o s:o}", "number", hex_number(detail[0]),
				  "error", encode_error(detail[1])));
	case RW_EVENT_POLICY_REFUSED:
		return json_object_set_new(
			block, "refused",
			json_pack("{s:I s:o}", "serial", ecs_number(detail[0]),
				  "error", encode_error(detail[1])));
	case RW_EVENT_LOST:
		return json_object_set_new(block, "lost",
					   encode_gap(detail[0], detail[1]));
	case RW_EVENT_TEST:
		return json_object_set_new(block, "test", json_true());
	default:
		return 0;
	}
}

static json_t *encode_record(const struct event *event)
{
	const struct rw_event *record = &event->record;
	const char *mode = mode_name(record->rule_mode);
	bool guest = event->has_target || event->has_rip;
	char chain[2 * RW_SHA256_SIZE + 1];
	uint64_t count = record->count ? record->count : 1;
	json_t *block;

	text_hex(chain, record->chain, sizeof(record->chain));
	block = json_pack(
		"{s:I s:s s:o* s:s s:o* s:o* s:o s:o* s:o* s:{s:I s:I} s:s s:s s:o*}",
		"schema_version", (json_int_t)ECS_RINGWALL_VERSION, "origin",
		"monitor", "mode", mode ? json_string(mode) : NULL, "verdict",
		verdict_name(record->verdict), "access", encode_access(record),
		"target", encode_target(event), "cpu", encode_cpu(event),
		"kernel",
		event->policy.current ?
			json_pack("{s:s}", "build_id", event->policy.build_id) :
			NULL,
		"policy", encode_policy(event), "repeat", "count",
		ecs_number(count), "suppressed", ecs_number(count - 1), "clock",
		event->time_from_tsc ? "tsc" : "receipt", "chain", chain,
		"context",
		guest ? json_pack("{s:s}", "trust", "guest-reported") : NULL);
	if (block && add_detail(block, record)) {
		json_decref(block);
		return NULL;
	}
	return block;
}

static json_t *encode_rules(const struct rw_status *status)
{
	json_t *rules = json_array();
	char name[RW_POLICY_NAME_SIZE + 1];

	for (size_t i = 0; i < status->policy_rules && i < RW_STATUS_RULES;
	     i++) {
		const struct rw_status_rule *rule = &status->rules[i];
		const char *mode = mode_name(rule->mode);

		text_name(name, sizeof(name), rule->name, RW_POLICY_NAME_SIZE);
		ecs_append(&rules, json_pack("{s:I s:s s:s s:s s:I s:I}", "id",
					     (json_int_t)rule->id, "name",
					     name[0] ? name : "-", "target",
					     target_name(rule->target), "mode",
					     mode ? mode : "unknown", "pages",
					     ecs_number(rule->pages), "hits",
					     ecs_number(rule->hits)));
	}
	return rules;
}

static json_t *encode_status(const struct rw_status *status)
{
	static const char *const states[] = { "unknown", "enabled", "arming",
					      "armed" };

	return json_pack(
		"{s:s s:I s:I s:o s:{s:I s:I s:I} s:{s:I s:I s:I s:I}}",
		"state",
		states[status->state <= RW_STATE_ARMED ? status->state : 0],
		"cpus", (json_int_t)status->cpus, "cpus_inside",
		(json_int_t)status->cpus_inside, "rules", encode_rules(status),
		"memory", "pages", ecs_number(status->memory_pages), "free",
		ecs_number(status->memory_free), "low_water",
		ecs_number(status->memory_low_water), "events", "last",
		ecs_number(status->events_last), "fetched",
		ecs_number(status->events_acked), "lost",
		ecs_number(status->events_lost), "coalesced",
		ecs_number(status->events_coalesced));
}

static json_t *encode_hops(const struct event *event)
{
	json_t *hops = json_array();

	for (size_t i = 0; i < event->hop_count; i++) {
		const struct event_hop *hop = &event->hops[i];

		ecs_append(&hops,
			   json_pack("{s:s s:I s:I s:I s:I}", "name", hop->name,
				     "received", ecs_number(hop->received),
				     "delivered", ecs_number(hop->delivered),
				     "dropped", ecs_number(hop->dropped),
				     "queued", ecs_number(hop->queued)));
	}
	return hops;
}

/* What only one kind of the agent's own events has. */
static int add_agent_detail(json_t *block, const struct event *event)
{
	const struct event_drop *drop = &event->drop;

	switch (event->kind->kind) {
	case AGENT_HEARTBEAT:
		return json_object_set_new(block, "status",
					   encode_status(&event->status)) ||
		       json_object_set_new(block, "hops", encode_hops(event));
	case AGENT_CHAIN_BROKEN:
	case AGENT_RECORDS_MISSING:
		return json_object_set_new(
			block, "proof",
			json_pack("{s:I s:I}", "expected",
				  ecs_number(event->proof.expected), "found",
				  ecs_number(event->proof.found)));
	case AGENT_RECORDS_DROPPED:
		return json_object_set_new(
			block, "dropped",
			json_pack("{s:s s:s s:I s:I s:I}", "hop", drop->hop,
				  "reason", drop->reason, "count",
				  ecs_number(drop->count), "first",
				  ecs_number(drop->first), "last",
				  ecs_number(drop->last)));
	case AGENT_MONITOR_SILENT:
		return json_object_set_new(block, "error",
					   encode_error(event->error));
	default:
		return 0;
	}
}

json_t *ecs_ringwall(const struct event *event,
		     const struct event_context *context)
{
	const char *version = context->attack_version;
	json_t *block;

	if (event->from_monitor)
		block = encode_record(event);
	else
		block = json_pack("{s:I s:s s:o*}", "schema_version",
				  (json_int_t)ECS_RINGWALL_VERSION, "origin",
				  "agent", "policy", encode_policy(event));
	if (block && event_attack(event) != ATTACK_NONE &&
	    json_object_set_new(block, "attack_version",
				json_string(version))) {
		json_decref(block);
		return NULL;
	}
	if (block && !event->from_monitor && add_agent_detail(block, event)) {
		json_decref(block);
		return NULL;
	}
	return block;
}
