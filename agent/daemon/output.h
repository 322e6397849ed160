/* SPDX-License-Identifier: MIT */
/*
 * A place events go to. An output never blocks the loop that feeds it: what it
 * cannot take it drops, and every drop is counted with its reason until somebody
 * has been told. A new kind of output is one file with an output_ops and one row
 * in output.c.
 */
#ifndef AGENT_DAEMON_OUTPUT_H
#define AGENT_DAEMON_OUTPUT_H

#include <poll.h>

#include "agent/daemon/config.h"
#include "agent/event/event.h"

/** Why an event did not go out. */
enum output_reason {
	OUTPUT_QUEUE_FULL,
	OUTPUT_WRITE_FAILED,
	OUTPUT_TOO_LARGE,
	OUTPUT_CLOSED, /* by a new configuration or the end of the agent */
	OUTPUT_REASONS
};

/** When an output needs nobody. */
#define OUTPUT_NEVER UINT64_MAX

struct output;

struct output_message {
	const struct event *event;
	const struct event_context *context;
	const char *json; /* as ecs_encode() gave it */
};

/** The functions of one kind of output; times in nanoseconds since boot. */
struct output_ops {
	/** Takes one event, or counts it as dropped. */
	void (*submit)(struct output *output,
		       const struct output_message *message);
	/** The end of a batch: what was taken shall last. NULL: nothing to do. */
	void (*commit)(struct output *output);
	/** What to poll for; fd -1: nothing. NULL: never anything. */
	void (*wait_for)(struct output *output, struct pollfd *ret_poll);
	/** Goes on with what is queued; NULL: nothing is ever queued. */
	void (*work)(struct output *output, uint64_t now);
	/** Opens its file anew under the same name; false if that fails. */
	bool (*reopen)(struct output *output);
	/** Messages that wait. */
	size_t (*queued)(const struct output *output);
	/** Counts what waits as dropped and frees all but *output. */
	void (*close)(struct output *output);
};

struct output_drops {
	uint64_t count;
	uint64_t first, last; /* monitor sequences, 0: none known */
};

/** What all outputs have; the first member of each. */
struct output {
	const struct output_ops *ops;
	struct config_output config;
	char name[EVENT_HOP_NAME];
	uint64_t wake; /* when work() is due without poll, or OUTPUT_NEVER */
	uint64_t received;
	uint64_t delivered;
	uint64_t dropped;
	struct output_drops untold[OUTPUT_REASONS];
};

/**
 * Opens an output; NULL, with *error filled, if it cannot be: only a file can
 * fail, a network output starts without its peer.
 */
struct output *output_open(const struct config_output *config,
			   struct config_error *error);

/** Closes and frees it; counts first go to *ret_drops where that is not NULL. */
void output_close(struct output *output, struct output_drops *ret_drops);

/** Hands an event to an output. */
void output_submit(struct output *output, const struct output_message *message);

/** For outputs: counts one event as dropped; told: it is itself about drops. */
void output_drop(struct output *output, enum output_reason reason,
		 uint64_t sequence, bool told);

/** The sentence for a reason. */
const char *output_reason_text(enum output_reason reason);

/** The kinds of output. */
struct output *output_json_open(const struct config_output *config,
				struct config_error *error);
struct output *output_syslog_open(const struct config_output *config,
				  struct config_error *error);

#endif
