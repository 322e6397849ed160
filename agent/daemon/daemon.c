/* SPDX-License-Identifier: MIT */
/* The loop. Only this file knows both the source and the outputs. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/daemon/daemon.h"
#include "agent/errors.h"
#include "agent/event/ecs.h"

#define SECOND	  1000000000ULL
#define TICK	  (5 * SECOND)
#define STOP_TIME (2 * SECOND)
#define SOON	  (SECOND / 5)
#define BATCHES	  16 /* of records, then the outputs have their turn */

/* Hands an event to every output. */
static void deliver(void *argument, const struct event *event)
{
	struct daemon *daemon = argument;
	char *json = ecs_encode(event, &daemon->context);
	struct output_message message = {
		.event = event,
		.context = &daemon->context,
		.json = json,
	};

	if (!json) {
		daemon->lost++;
		return;
	}
	for (size_t i = 0; i < daemon->output_count; i++)
		output_submit(daemon->outputs[i], &message);
	free(json);
}

static void commit(struct daemon *daemon)
{
	for (size_t i = 0; i < daemon->output_count; i++)
		if (daemon->outputs[i]->ops->commit)
			daemon->outputs[i]->ops->commit(daemon->outputs[i]);
}

static void close_outputs(struct output **outputs, size_t count)
{
	for (size_t i = 0; i < count; i++)
		output_close(outputs[i], NULL);
}

/* The outputs of a configuration; those in old with the same words are kept. */
static bool open_outputs(const struct config *config, struct daemon *old,
			 struct output **ret_outputs)
{
	struct config_error error;
	size_t i, opened = 0;
	struct output *made[CONFIG_OUTPUTS];

	for (i = 0; i < config->output_count; i++) {
		struct output *output = NULL;

		for (size_t j = 0; old && j < old->output_count; j++)
			if (!memcmp(&old->outputs[j]->config,
				    &config->outputs[i],
				    sizeof(config->outputs[i])))
				output = old->outputs[j];
		if (!output) {
			output = output_open(&config->outputs[i], &error);
			if (!output)
				break;
			made[opened++] = output;
		}
		ret_outputs[i] = output;
	}
	if (i == config->output_count)
		return true;
	fprintf(stderr, "ringwalld: %s\n", error.text);
	close_outputs(made, opened);
	return false;
}

static void use_config(struct daemon *daemon, const struct config *config)
{
	daemon->config = *config;
	host_read(&daemon->context.host, daemon->config.hostname);
	daemon->context.attack_version = daemon->config.attack_version;
	daemon->context.facility = 16;
	for (size_t i = config->output_count; i--;)
		if (config->outputs[i].type == CONFIG_SYSLOG)
			daemon->context.facility = config->outputs[i].facility;
	daemon->source.paths = config->symbols ? &symbols_of_kernel : NULL;
	daemon->source.state = daemon->config.state;
}

int daemon_start(struct daemon *daemon, const char *path)
{
	struct config_error why;
	struct config config;
	enum rw_error error;

	memset(daemon, 0, sizeof(*daemon));
	daemon->path = path;
	if (!config_read(&config, path, &why)) {
		fprintf(stderr, "ringwalld: %s\n", why.text);
		return EXIT_CODE_ERROR;
	}
	if (!open_outputs(&config, NULL, daemon->outputs))
		return EXIT_CODE_ERROR;
	daemon->output_count = config.output_count;
	daemon->config = config;
	error = source_open(&daemon->source, daemon->config.state, NULL);
	if (error != RW_OK) {
		fprintf(stderr, "ringwalld: %s\n", error_text(error));
		close_outputs(daemon->outputs, daemon->output_count);
		return error_exit_code(error);
	}
	use_config(daemon, &config);
	notify_open(&daemon->notify);
	notify_send(&daemon->notify, "READY=1\nSTATUS=%s",
		    daemon->source.status.policy_serial ? "policy in force" :
							  "no policy in force");
	return EXIT_CODE_OK;
}

static void tell_drops(struct daemon *daemon, const char *hop,
		       enum output_reason reason,
		       const struct output_drops *drops)
{
	struct event event;

	source_own_event(&daemon->source, AGENT_RECORDS_DROPPED, &event);
	snprintf(event.drop.hop, sizeof(event.drop.hop), "%s", hop);
	event.drop.reason = output_reason_text(reason);
	event.drop.count = drops->count;
	event.drop.first = drops->first;
	event.drop.last = drops->last;
	deliver(daemon, &event);
}

/*
 * Says what outputs dropped. A report that the output itself had to drop as well
 * is made again, with what was added since.
 */
static void report_drops(struct daemon *daemon)
{
	for (size_t i = 0; i < daemon->output_count; i++) {
		struct output *output = daemon->outputs[i];

		for (unsigned int r = 0; r < OUTPUT_REASONS; r++) {
			struct output_drops drops = output->untold[r];
			uint64_t before = output->dropped;

			if (!drops.count)
				continue;
			tell_drops(daemon, output->name, r, &drops);
			if (output->dropped == before)
				memset(&output->untold[r], 0, sizeof(drops));
		}
	}
}

static bool replace_outputs(struct daemon *daemon, const struct config *config)
{
	struct output *outputs[CONFIG_OUTPUTS], *gone[CONFIG_OUTPUTS];
	struct output_drops drops;
	char name[EVENT_HOP_NAME];
	size_t gone_count = 0;

	if (!open_outputs(config, daemon, outputs))
		return false;
	for (size_t i = 0; i < daemon->output_count; i++) {
		struct output *old = daemon->outputs[i];
		bool kept = false;

		for (size_t j = 0; j < config->output_count; j++)
			kept |= outputs[j] == old;
		if (!kept)
			gone[gone_count++] = old;
	}
	memcpy(daemon->outputs, outputs, sizeof(outputs));
	daemon->output_count = config->output_count;
	for (size_t i = 0; i < gone_count; i++) {
		snprintf(name, sizeof(name), "%s", gone[i]->name);
		output_close(gone[i], &drops);
		if (drops.count)
			tell_drops(daemon, name, OUTPUT_CLOSED, &drops);
	}
	return true;
}

bool daemon_reload(struct daemon *daemon)
{
	struct config_error why;
	struct config config;
	bool good;

	notify_send(&daemon->notify, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
		    clock_now().monotonic / 1000);
	good = config_read(&config, daemon->path, &why);
	if (!good)
		fprintf(stderr, "ringwalld: %s\n", why.text);
	good = good && replace_outputs(daemon, &config);
	if (good)
		use_config(daemon, &config);
	else
		fprintf(stderr,
			"ringwalld: the last good configuration stays in force\n");
	for (size_t i = 0; i < daemon->output_count; i++) {
		struct output *output = daemon->outputs[i];

		if (!output->ops->reopen(output))
			fprintf(stderr, "ringwalld: %s cannot be opened anew\n",
				output->name);
	}
	notify_send(&daemon->notify, "READY=1");
	return good;
}

static void read_records(struct daemon *daemon)
{
	unsigned int left = BATCHES;
	enum rw_error error;
	size_t count = 0;

	do {
		error = source_read(&daemon->source, deliver, daemon, &count);
		if (error != RW_OK)
			break;
		if (count)
			commit(daemon);
		if (count && source_save(&daemon->source))
			perror("ringwalld: state");
	} while (count && --left);
	if (error != RW_OK && !daemon->stream_bad)
		fprintf(stderr, "ringwalld: records: %s\n", error_text(error));
	daemon->stream_bad = error != RW_OK;
}

static void add_hop(struct event *event, const char *name, uint64_t received,
		    uint64_t delivered, uint64_t dropped, uint64_t queued)
{
	struct event_hop *hop = &event->hops[event->hop_count++];

	snprintf(hop->name, sizeof(hop->name), "%s", name);
	hop->received = received;
	hop->delivered = delivered;
	hop->dropped = dropped;
	hop->queued = queued;
}

static void send_heartbeat(struct daemon *daemon)
{
	const struct rw_status *status = &daemon->source.status;
	uint64_t records = daemon->source.records;
	struct event event;

	source_own_event(&daemon->source, AGENT_HEARTBEAT, &event);
	event.status = *status;
	add_hop(&event, "monitor", status->events_last, status->events_acked,
		status->events_lost,
		status->events_last > status->events_acked ?
			status->events_last - status->events_acked :
			0);
	add_hop(&event, "agent", records, records - daemon->lost, daemon->lost,
		0);
	for (size_t i = 0; i < daemon->output_count; i++) {
		const struct output *output = daemon->outputs[i];

		add_hop(&event, output->name, output->received,
			output->delivered, output->dropped,
			output->ops->queued(output));
	}
	deliver(daemon, &event);
}

static void say_silent(struct daemon *daemon, enum rw_error error)
{
	struct event event;

	fprintf(stderr, "ringwalld: the monitor does not answer: %s\n",
		error_text(error));
	source_own_event(&daemon->source, AGENT_MONITOR_SILENT, &event);
	event.error = error;
	deliver(daemon, &event);
}

/*
 * The regular look at the monitor. Records are asked for as well, since hits
 * that were only counted become a record when somebody asks.
 */
static void tick(struct daemon *daemon, uint64_t now)
{
	enum rw_error error = source_refresh(&daemon->source);
	uint64_t beat = daemon->config.heartbeat * SECOND;
	bool due = now >= daemon->heartbeat;

	if (error == RW_OK) {
		notify_send(&daemon->notify, "WATCHDOG=1");
		read_records(daemon);
		if (due)
			send_heartbeat(daemon);
	} else if (!daemon->silent || due) {
		say_silent(daemon, error);
	}
	daemon->silent = error != RW_OK;
	if (due)
		daemon->heartbeat = now + beat;
	if (!daemon->told || now >= daemon->told + beat) {
		report_drops(daemon);
		daemon->told = now;
	}
	commit(daemon);
	daemon->tick = now + TICK;
	if (daemon->notify.watchdog && daemon->notify.watchdog / 2 < TICK)
		daemon->tick = now + daemon->notify.watchdog / 2;
}

/* Milliseconds until a moment, rounded up; 0 if it is past. */
static int until(uint64_t moment, uint64_t now)
{
	if (moment <= now)
		return 0;
	return (int)((moment - now + 999999) / 1000000);
}

static uint64_t next_moment(const struct daemon *daemon)
{
	uint64_t next = daemon->tick;

	for (size_t i = 0; i < daemon->output_count; i++)
		if (daemon->outputs[i]->wake < next)
			next = daemon->outputs[i]->wake;
	return next;
}

void daemon_step(struct daemon *daemon, int signals, bool *ret_signal)
{
	struct pollfd fds[2 + CONFIG_OUTPUTS] = {
		{ .fd = signals, .events = POLLIN },
		{ .fd = daemon->stream_bad ? -1 : daemon->source.fd,
		  .events = POLLIN },
	};
	uint64_t now = clock_now().monotonic;

	for (size_t i = 0; i < daemon->output_count; i++) {
		fds[2 + i].fd = -1;
		if (daemon->outputs[i]->ops->wait_for)
			daemon->outputs[i]->ops->wait_for(daemon->outputs[i],
							  &fds[2 + i]);
	}
	if (poll(fds, (nfds_t)(2 + daemon->output_count),
		 until(next_moment(daemon), now)) < 0)
		memset(fds, 0, sizeof(fds));
	now = clock_now().monotonic;
	*ret_signal = fds[0].revents != 0;
	if (fds[1].revents)
		read_records(daemon);
	if (now >= daemon->tick)
		tick(daemon, now);
	for (size_t i = 0; i < daemon->output_count; i++) {
		struct output *output = daemon->outputs[i];

		if (output->ops->work &&
		    (fds[2 + i].revents || now >= output->wake))
			output->ops->work(output, now);
	}
}

/* Whether an output has something to send and somebody to send it to. */
static bool can_send(struct output *output, uint64_t now)
{
	struct pollfd wait = { .fd = -1 };

	if (!output->ops->queued(output))
		return false;
	output->ops->wait_for(output, &wait);
	return wait.fd >= 0 || output->wake <= now + SOON;
}

/* Lets the outputs send what waits, for a short time. */
static void drain(struct daemon *daemon)
{
	uint64_t now = clock_now().monotonic, end = now + STOP_TIME;
	bool signal, going = true;

	for (; going && now < end; now = clock_now().monotonic) {
		going = false;
		for (size_t i = 0; i < daemon->output_count; i++)
			going |= can_send(daemon->outputs[i], now);
		daemon->tick = now + SOON;
		if (going)
			daemon_step(daemon, -1, &signal);
	}
}

void daemon_stop(struct daemon *daemon)
{
	notify_send(&daemon->notify, "STOPPING=1");
	drain(daemon);
	for (size_t i = 0; i < daemon->output_count; i++) {
		size_t waiting =
			daemon->outputs[i]->ops->queued(daemon->outputs[i]);

		if (waiting)
			fprintf(stderr,
				"ringwalld: %s: %zu messages not sent\n",
				daemon->outputs[i]->name, waiting);
	}
	commit(daemon);
	close_outputs(daemon->outputs, daemon->output_count);
	daemon->output_count = 0;
	source_close(&daemon->source);
	notify_close(&daemon->notify);
}
