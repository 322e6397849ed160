/* SPDX-License-Identifier: MIT */
/* Samples of everything the agent can be given. */
#include <stdio.h>
#include <string.h>

#include <ringwall/error.h>

#include "tests/agent/samples.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const uint32_t kinds[] = {
#define X(name, number, code, text) number,
	RW_EVENT_KINDS(X)
#undef X
};

size_t sample_kinds(void)
{
	return COUNT(kinds);
}

uint32_t sample_kind(size_t i)
{
	return kinds[i];
}

static void add_violation(struct rw_event *record)
{
	record->verdict = RW_VERDICT_DENIED;
	record->rule_id = 1001;
	record->rule_target = RW_TARGET_KERNEL_TEXT;
	record->rule_mode = RW_MODE_ENFORCE;
	record->severity = SEVERITY_CRITICAL;
	record->valid = RW_EVENT_HAS_GPA | RW_EVENT_HAS_GVA |
			RW_EVENT_HAS_BYTES | RW_EVENT_HAS_CPU_STATE;
	record->gpa = 0x1a34012;
	record->gva = 0xffffffff81a34012;
	record->size = 8;
	memset(record->before, 0x90, 8);
	memset(record->attempted, 0xcc, 8);
	strcpy(record->rule_name, "kernel-text");
}

struct rw_event sample_record(uint32_t kind)
{
	struct rw_event record = {
		.tsc = 1000,
		.kind = kind,
		.cpu = 1,
		.valid = RW_EVENT_HAS_CPU_STATE,
		.rip = 0xffffffffc0a01044,
		.cr3 = 0x10a2c000,
		.count = 1,
		.policy_serial = 42,
	};

	switch (kind) {
	case RW_EVENT_VIOLATION:
		add_violation(&record);
		break;
	case RW_EVENT_PATCH:
		add_violation(&record);
		record.verdict = RW_VERDICT_ALLOWED;
		record.severity = SEVERITY_INFO;
		break;
	case RW_EVENT_SELF_ACCESS:
		record.verdict = RW_VERDICT_DENIED;
		record.valid |= RW_EVENT_HAS_GPA;
		record.gpa = 0x3f000000;
		break;
	case RW_EVENT_REGISTER:
		record.verdict = RW_VERDICT_DENIED;
		record.detail[0] = 0xc0000082;
		record.detail[1] = 0xffffffff81000000;
		break;
	case RW_EVENT_HYPERCALL:
		record.verdict = RW_VERDICT_DENIED;
		record.detail[0] = 0x52570063;
		record.detail[1] = RW_E_UNKNOWN_CALL;
		break;
	case RW_EVENT_POLICY_LOADED:
		record.detail[0] = 42;
		break;
	case RW_EVENT_POLICY_REFUSED:
		record.verdict = RW_VERDICT_DENIED;
		record.detail[0] = 41;
		record.detail[1] = RW_E_POLICY_SERIAL;
		break;
	case RW_EVENT_LOST:
		record.detail[0] = 12;
		record.detail[1] = 16;
		record.count = 5;
		break;
	default:
		break;
	}
	return record;
}

static void set_rule(struct rw_status_rule *rule, uint32_t id, uint16_t target,
		     uint8_t mode, const char *name)
{
	rule->id = id;
	rule->target = target;
	rule->mode = mode;
	rule->action = mode == RW_MODE_ENFORCE ? RW_ACTION_FAULT :
						 RW_ACTION_ALLOW;
	rule->severity = SEVERITY_CRITICAL;
	rule->pages = 100 * id;
	rule->hits = id;
	snprintf(rule->name, sizeof(rule->name), "%s", name);
}

struct rw_status sample_status(void)
{
	struct rw_status status = {
		.abi_version = RW_ABI_VERSION,
		.state = RW_STATE_ARMED,
		.cpus = 2,
		.cpus_inside = 2,
		.step = 2,
		.policy_serial = 42,
		.policy_rules = 2,
		.policy_name = "debian12-baseline",
		.kaslr_slide = 0x1c000000,
		.text_pages = 3584,
		.rodata_pages = 1200,
		.memory_pages = 2048,
		.memory_free = 1500,
		.memory_low_water = 1400,
		.memory_reserve = 128,
		.memory_donated = 1024,
		.memory_donations = 3,
		.memory_returns = 1,
		.memory_requests = 2,
		.ept_tables = 20,
		.ept_leaves = { 1024, 300, 2 },
		.events_last = 17,
		.events_acked = 17,
		.events_coalesced = 3,
		.events_ring = 1024,
		.hypercalls = 99,
	};

	memset(status.nonce, 0xa5, sizeof(status.nonce));
	memset(status.policy_digest, 0x9f, sizeof(status.policy_digest));
	memset(status.policy_key_id, 0xa1, sizeof(status.policy_key_id));
	memset(status.policy_build_id, 0xf0, sizeof(status.policy_build_id));
	set_rule(&status.rules[0], 1, RW_TARGET_KERNEL_TEXT, RW_MODE_ENFORCE,
		 "kernel-text");
	set_rule(&status.rules[1], 2, RW_TARGET_KERNEL_RODATA, RW_MODE_AUDIT,
		 "kernel-rodata");
	return status;
}

struct event_context sample_context(void)
{
	struct event_context context = {
		.attack_version = "19",
		.facility = 16,
		.host = {
			.name = "web-017",
			.machine_id = "3f1c0d8a2f0e4d4fa2b3c4d5e6f70819",
			.boot_id = "8d6a3b1e-1f43-4c53-9be0-5a1f4a6b7c8d",
			.kernel = "6.1.0-56-amd64",
		},
	};

	return context;
}

static void fill_hex(char *out, const char *pair, size_t count)
{
	while (count--) {
		memcpy(out, pair, 2);
		out += 2;
	}
	*out = '\0';
}

static void fill_record(struct event *event, uint32_t kind)
{
	event->from_monitor = true;
	event->record = sample_record(kind);
	event->record.sequence = 17;
	memset(event->record.chain, 0x5a, sizeof(event->record.chain));
	if (event->record.severity)
		event->severity = severity_find(event->record.severity);
	snprintf(event->rule, sizeof(event->rule), "%s",
		 event->record.rule_name);
	if (event->record.rule_target) {
		event->has_target = true;
		strcpy(event->target.name, "tcp_v4_connect");
		strcpy(event->target.module, "vmlinux");
		event->target.offset = 0x12;
	}
	event->has_rip = true;
	strcpy(event->rip.module, "evil");
	event->rip.offset = 0x44;
	event->time_from_tsc = true;
}

void sample_event(uint32_t kind, struct event *event)
{
	memset(event, 0, sizeof(*event));
	event->kind = kind_find(kind);
	event->severity = severity_find(event->kind->severity);
	event->time = 1795366800123456000;
	event->created = event->time + 1545000;
	strcpy(event->id, "a5a5a5a5-a5a5-a5a5-a5a5-000000000017");
	fill_hex(event->nonce, "a5", RW_SHA256_SIZE);
	event->policy.serial = 42;
	event->policy.current = true;
	strcpy(event->policy.name, "debian12-baseline");
	fill_hex(event->policy.digest, "9f", RW_SHA256_SIZE);
	fill_hex(event->policy.key_id, "a1", RW_KEY_ID_SIZE);
	fill_hex(event->policy.build_id, "f0", RW_BUILD_ID_SIZE);
	if (kind < AGENT_HEARTBEAT) {
		fill_record(event, kind);
		return;
	}
	event->status = sample_status();
	event->hop_count = 2;
	strcpy(event->hops[0].name, "monitor");
	event->hops[0].received = 17;
	strcpy(event->hops[1].name, "agent");
	event->proof = (struct event_proof){ .expected = 17, .found = 19 };
	strcpy(event->drop.hop, "syslog:tcp:siem.example:514");
	event->drop.reason = "queue full";
	event->drop.count = 3;
	event->drop.first = 4;
	event->drop.last = 6;
	event->error = RW_E_NOT_ENABLED;
}
