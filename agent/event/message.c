/* SPDX-License-Identifier: MIT */
/* The words for an event: its sentence, its action, the name of an address. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "agent/errors.h"
#include "agent/event/event.h"

/* Text that grows to the right and is cut at the end of its buffer. */
struct line {
	char *out;
	size_t size;
	size_t used;
};

static void add(struct line *line, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void add(struct line *line, const char *format, ...)
{
	va_list arguments;
	int length;

	if (line->used + 1 >= line->size)
		return;
	va_start(arguments, format);
	length = vsnprintf(line->out + line->used, line->size - line->used,
			   format, arguments);
	va_end(arguments);
	if (length > 0)
		line->used += (size_t)length;
}

void event_symbol(const struct symbol *symbol, char *out, size_t size)
{
	snprintf(out, size, "%s+0x%" PRIx64,
		 symbol->name[0] ? symbol->name : symbol->module,
		 symbol->offset);
}

const char *event_action(const struct event *event)
{
	if (event->kind->kind != RW_EVENT_VIOLATION)
		return event->kind->action;
	switch (event->record.rule_target) {
	case RW_TARGET_KERNEL_TEXT:
		return "kernel-text-write";
	case RW_TARGET_KERNEL_RODATA:
		return "kernel-rodata-write";
	default:
		return event->kind->action;
	}
}

/* A refused policy is an attack only where somebody tried to get past a check. */
enum attack event_attack(const struct event *event)
{
	if (event->kind->kind == RW_EVENT_POLICY_REFUSED)
		switch (event->record.detail[1]) {
		case RW_E_POLICY_SIGNATURE:
		case RW_E_POLICY_KEY:
		case RW_E_POLICY_UNSIGNED:
		case RW_E_POLICY_SERIAL:
			break;
		default:
			return ATTACK_NONE;
		}
	return event->kind->attack;
}

static void add_place(struct line *line, const struct event *event)
{
	const struct rw_event *record = &event->record;
	char symbol[SYMBOL_NAME_SIZE + 24];

	if (event->has_target) {
		event_symbol(&event->target, symbol, sizeof(symbol));
		add(line, " %s", symbol);
	}
	if (record->valid & RW_EVENT_HAS_GPA)
		add(line, " (gpa 0x%" PRIx64 ")", record->gpa);
	if (record->valid & RW_EVENT_HAS_CPU_STATE)
		add(line, " from rip 0x%" PRIx64, record->rip);
	if (event->has_rip) {
		event_symbol(&event->rip, symbol, sizeof(symbol));
		add(line, " %s", symbol);
	}
	add(line, " on cpu %" PRIu32, record->cpu);
	if (record->count > 1)
		add(line, ", %" PRIu64 " times", record->count);
}

static const char *verdict_word(const struct rw_event *record)
{
	switch (record->verdict) {
	case RW_VERDICT_DENIED:
		return "Denied";
	case RW_VERDICT_ALLOWED:
		return "Allowed";
	default:
		return "Saw";
	}
}

static const char *target_word(const struct rw_event *record)
{
	switch (record->rule_target) {
	case RW_TARGET_KERNEL_TEXT:
		return "kernel text";
	case RW_TARGET_KERNEL_RODATA:
		return "kernel read-only data";
	default:
		return "protected memory";
	}
}

static void add_record(struct line *line, const struct event *event)
{
	const struct rw_event *record = &event->record;

	switch (record->kind) {
	case RW_EVENT_VIOLATION:
		add(line, "%s write to %s", verdict_word(record),
		    target_word(record));
		add_place(line, event);
		break;
	case RW_EVENT_SELF_ACCESS:
	case RW_EVENT_PATCH:
		add(line, "%s %s", verdict_word(record), event->kind->text);
		add_place(line, event);
		break;
	case RW_EVENT_REGISTER:
		add(line, "%s write of 0x%" PRIx64 " to register 0x%" PRIx64,
		    verdict_word(record), record->detail[1], record->detail[0]);
		add_place(line, event);
		break;
	case RW_EVENT_HYPERCALL:
		add(line, "Denied hypercall 0x%" PRIx64 ": %s",
		    record->detail[0], error_text((uint32_t)record->detail[1]));
		add_place(line, event);
		break;
	case RW_EVENT_POLICY_LOADED:
		add(line, "Policy in force, serial %" PRIu64,
		    record->detail[0]);
		break;
	case RW_EVENT_POLICY_REFUSED:
		add(line, "Policy refused: %s",
		    error_text((uint32_t)record->detail[1]));
		break;
	case RW_EVENT_LOST:
		add(line,
		    "Records lost in the monitor: %" PRIu64 " to %" PRIu64,
		    record->detail[0], record->detail[1]);
		break;
	case RW_EVENT_MONITOR_FAULT:
		add(line, "Monitor fault: cpu %" PRIu32 " stopped",
		    record->cpu);
		break;
	default:
		add(line, "Ringwall: %s", event->kind->text);
	}
}

void event_message(const struct event *event, char *out, size_t size)
{
	struct line line = { out, size, 0 };

	if (event->from_monitor) {
		add_record(&line, event);
		return;
	}
	switch (event->kind->kind) {
	case AGENT_CHAIN_BROKEN:
		add(&line,
		    "Record %" PRIu64 " is not the one that the monitor wrote",
		    event->proof.found);
		break;
	case AGENT_RECORDS_MISSING:
		add(&line,
		    "Expected record %" PRIu64 " of the monitor, got %" PRIu64,
		    event->proof.expected, event->proof.found);
		break;
	case AGENT_RECORDS_DROPPED:
		add(&line, "%" PRIu64 " records dropped by %s: %s",
		    event->drop.count, event->drop.hop, event->drop.reason);
		break;
	case AGENT_MONITOR_SILENT:
		add(&line, "The monitor does not answer: %s",
		    error_text(event->error));
		break;
	default:
		add(&line, "Ringwall: %s", event->kind->text);
	}
}
