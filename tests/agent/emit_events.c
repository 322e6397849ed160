/* SPDX-License-Identifier: MIT */
/*
 * Prints one event of every kind, in every form it can take, as JSON lines: what
 * schema_test.py holds against the schema.
 */
#include <stdio.h>
#include <stdlib.h>

#include "agent/event/ecs.h"
#include "tests/agent/samples.h"

static struct event event;

static void emit(const struct event_context *context)
{
	char *line = ecs_encode(&event, context);
	char *brief = ecs_encode_short(&event, context);

	if (!line || !brief)
		exit(1);
	printf("%s\n%s\n", line, brief);
	free(line);
	free(brief);
}

/* The same with less known, and with as much as fits. */
static void emit_forms(uint32_t kind, const struct event_context *context)
{
	static const struct host bare = { .name = "localhost" };
	struct event_context other = *context;

	sample_event(kind, &event);
	emit(context);
	other.host = bare;
	other.attack_version = "18";
	event.policy.current = false;
	event.has_rip = event.has_target = false;
	event.time_from_tsc = false;
	event.record.valid = 0;
	event.record.verdict = RW_VERDICT_ALLOWED;
	event.record.rule_target = RW_TARGET_KERNEL_RODATA;
	event.record.rule_mode = RW_MODE_AUDIT;
	event.record.count = 0;
	event.nonce[0] = '\0';
	emit(&other);
	event.record.valid = UINT32_MAX;
	event.record.size = UINT32_MAX;
	event.record.gpa = event.record.rip = UINT64_MAX;
	event.record.policy_serial = UINT64_MAX;
	event.record.detail[0] = event.record.detail[1] = UINT64_MAX;
	event.record.severity = 200;
	event.severity = severity_find(200);
	event.status.policy_rules = UINT32_MAX;
	event.status.state = 77;
	event.status.events_last = UINT64_MAX;
	emit(&other);
}

int main(void)
{
	struct event_context context = sample_context();

	for (size_t i = 0; kind_at(i); i++)
		emit_forms(kind_at(i)->kind, &context);
	emit_forms(4711, &context);
	return 0;
}
