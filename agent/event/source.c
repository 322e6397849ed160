/* SPDX-License-Identifier: MIT */
/*
 * From the device to events. A record is judged before it is shown; what the
 * monitor says of its policy goes with a record only if the serials agree.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "agent/device.h"
#include "agent/event/source.h"
#include "agent/event/text.h"

#define BATCH 32

enum rw_error source_refresh(struct source *source)
{
	struct rw_status status;

	source->error = device_status(&status);
	if (source->error != RW_OK)
		return source->error;
	source->status = status;
	if (memcmp(status.nonce, source->chain.nonce, RW_SHA256_SIZE) != 0)
		chain_start(&source->chain, status.nonce);
	return RW_OK;
}

/*
 * A number for this run that no other has. It is no secret, and early in the
 * life of a host nobody should wait for better.
 */
static void make_run(struct source *source)
{
	if (getrandom(source->run, sizeof(source->run), GRND_INSECURE) !=
	    (ssize_t)sizeof(source->run))
		memcpy(source->run, &source->base.real,
		       sizeof(source->base.real));
}

enum rw_error source_open(struct source *source, const char *state,
			  const struct symbols_paths *paths)
{
	enum rw_error error;

	memset(source, 0, sizeof(*source));
	source->fd = -1;
	source->state = state;
	source->paths = paths;
	source->base = clock_now();
	make_run(source);
	if (state)
		chain_load(&source->chain, state);
	error = source_refresh(source);
	if (error != RW_OK)
		return error;
	return device_open(&source->fd);
}

void source_close(struct source *source)
{
	if (source->fd >= 0)
		device_close(source->fd);
	source->fd = -1;
	symbols_free(source->symbols);
	source->symbols = NULL;
}

int source_save(const struct source *source)
{
	return source->state ? chain_save(&source->chain, source->state) : 0;
}

/* Ten bytes in groups as in a UUID, then the number. */
static void make_id(char *out, const uint8_t *bytes, uint64_t number)
{
	char hex[2 * SOURCE_RUN_SIZE + 1];

	text_hex(hex, bytes, SOURCE_RUN_SIZE);
	snprintf(out, EVENT_ID_SIZE, "%.8s-%.4s-%.4s-%.4s-%012" PRIu64, hex,
		 hex + 8, hex + 12, hex + 16, number);
}

static void fill_policy(const struct rw_status *status, uint64_t serial,
			struct event_policy *policy)
{
	policy->serial = serial;
	policy->current = serial && serial == status->policy_serial;
	if (!policy->current)
		return;
	text_name(policy->name, sizeof(policy->name), status->policy_name,
		  sizeof(status->policy_name));
	if (!policy->name[0])
		strcpy(policy->name, "-");
	text_hex(policy->digest, status->policy_digest, RW_SHA256_SIZE);
	text_hex(policy->key_id, status->policy_key_id, RW_KEY_ID_SIZE);
	text_hex(policy->build_id, status->policy_build_id, RW_BUILD_ID_SIZE);
}

static void start_event(const struct source *source, uint32_t kind,
			const struct clock_sample *now, struct event *event)
{
	memset(event, 0, sizeof(*event));
	event->kind = kind_find(kind);
	event->severity = severity_find(event->kind->severity);
	event->time = now->real;
	event->created = now->real;
	text_hex(event->nonce, source->chain.nonce, RW_SHA256_SIZE);
}

void source_own_event(struct source *source, enum agent_kind kind,
		      struct event *ret_event)
{
	struct clock_sample now = clock_now();

	start_event(source, kind, &now, ret_event);
	make_id(ret_event->id, source->run, ++source->own);
	fill_policy(&source->status, source->status.policy_serial,
		    &ret_event->policy);
}

/* The names the guest kernel has for what was written and for who wrote it. */
static void look_up(struct source *source, struct event *event)
{
	const struct rw_event *record = &event->record;
	uint64_t address;

	if (!source->paths || !record->valid)
		return;
	if (!source->symbols)
		source->symbols = symbols_load(source->paths);
	if (record->valid & RW_EVENT_HAS_CPU_STATE)
		event->has_rip =
			symbols_find(source->symbols, record->rip, &event->rip);
	if (record->valid & RW_EVENT_HAS_GPA &&
	    symbols_of_physical(source->symbols, record->gpa, &address))
		event->has_target =
			symbols_find(source->symbols, address, &event->target);
	if (!event->has_target && record->valid & RW_EVENT_HAS_GVA)
		event->has_target = symbols_find(source->symbols, record->gva,
						 &event->target);
}

static void event_of_record(struct source *source,
			    const struct rw_event *record,
			    const struct clock_sample *now, struct event *event)
{
	start_event(source, record->kind, now, event);
	event->from_monitor = true;
	event->record = *record;
	if (record->severity)
		event->severity = severity_find(record->severity);
	event->time_from_tsc =
		clock_of_tsc(&source->base, now, record->tsc, &event->time);
	make_id(event->id, source->chain.nonce, record->sequence);
	text_name(event->rule, sizeof(event->rule), record->rule_name,
		  sizeof(record->rule_name));
	if (record->policy_serial != source->status.policy_serial &&
	    !source->asked) {
		source->asked = true;
		source_refresh(source);
	}
	fill_policy(&source->status, record->policy_serial, &event->policy);
	look_up(source, event);
}

/* Says what is wrong with the proof, and moves it on. */
static void judge(struct source *source, const struct rw_event *record,
		  source_sink *sink, void *argument)
{
	enum chain_verdict verdict = chain_check(&source->chain, record);
	struct event event;

	/* Enabled anew: the nonce is another one. */
	if (verdict != CHAIN_OK && source_refresh(source) == RW_OK)
		verdict = chain_check(&source->chain, record);
	if (verdict != CHAIN_OK) {
		source_own_event(source,
				 verdict == CHAIN_MISSING ?
					 AGENT_RECORDS_MISSING :
					 AGENT_CHAIN_BROKEN,
				 &event);
		event.proof.expected = source->chain.sequence + 1;
		event.proof.found = record->sequence;
		source->missing += verdict == CHAIN_MISSING;
		source->broken += verdict == CHAIN_BROKEN;
		sink(argument, &event);
	}
	if (record->sequence > source->chain.sequence)
		chain_advance(&source->chain, record);
}

enum rw_error source_read(struct source *source, source_sink *sink,
			  void *argument, size_t *ret_count)
{
	struct rw_event records[BATCH];
	struct clock_sample now;
	enum rw_error error;
	struct event event;
	size_t count;

	error = device_read(source->fd, records, BATCH, &count);
	if (error != RW_OK)
		return error;
	now = clock_now();
	source->asked = false;
	for (size_t i = 0; i < count; i++) {
		source->records++;
		judge(source, &records[i], sink, argument);
		event_of_record(source, &records[i], &now, &event);
		sink(argument, &event);
	}
	*ret_count = count;
	return RW_OK;
}
