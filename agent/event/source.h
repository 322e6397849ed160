/* SPDX-License-Identifier: MIT */
/*
 * The stream of events: reads records from the device, proves that none is
 * missing or changed, looks up what goes with them, and hands each on as a
 * struct event. What it finds wrong becomes an event of its own before the
 * record at which it showed. Writes to no output.
 */
#ifndef AGENT_EVENT_SOURCE_H
#define AGENT_EVENT_SOURCE_H

#include <ringwall/error.h>

#include "agent/event/chain.h"
#include "agent/event/clock.h"
#include "agent/event/event.h"

#define SOURCE_RUN_SIZE 10

/** Takes one event; it is gone when this returns. */
typedef void source_sink(void *argument, const struct event *event);

struct source {
	int fd;		   /* of the device, -1: not open */
	const char *state; /* file for the chain, NULL: none kept */
	const struct symbols_paths *paths; /* NULL: no symbols wanted */
	struct symbols *symbols;	   /* loaded with the first address */
	struct chain chain;
	struct clock_sample base;
	struct rw_status status; /* the last good answer */
	enum rw_error error;	 /* of the last status call */
	bool asked; /* for the status, for a record of the present batch */
	uint8_t run[SOURCE_RUN_SIZE]; /* random, for ids of own events */
	uint64_t own;		      /* own events made */
	uint64_t records;	      /* read from the device */
	uint64_t missing;	      /* holes found */
	uint64_t broken;	      /* changed records found */
};

/**
 * Opens the device and asks the monitor for its status. state names the file in
 * which the proof continues across restarts of the agent; both strings must
 * outlive the source. On failure nothing is left open.
 */
RW_MUST_USE enum rw_error source_open(struct source *source, const char *state,
				      const struct symbols_paths *paths);

void source_close(struct source *source);

/** Asks for the status again; a new nonce starts a new proof. */
enum rw_error source_refresh(struct source *source);

/**
 * Reads one batch of records and hands their events to sink, oldest first.
 * *ret_count is how many records there were; errors as device_read().
 */
RW_MUST_USE enum rw_error source_read(struct source *source, source_sink *sink,
				      void *argument, size_t *ret_count);

/** Keeps how far the proof is; 0, or -1 with errno. Nothing without a file. */
int source_save(const struct source *source);

/** Starts an event of the agent itself; the caller adds what its kind has. */
void source_own_event(struct source *source, enum agent_kind kind,
		      struct event *ret_event);

#endif
