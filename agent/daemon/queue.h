/* SPDX-License-Identifier: MIT */
/*
 * Messages that wait for their output, first in, first out, never more than a
 * fixed number. When it is full the new one is refused: the first hit of an
 * attack says more than the thousandth.
 */
#ifndef AGENT_DAEMON_QUEUE_H
#define AGENT_DAEMON_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct queue_item {
	char *data;
	size_t size;
	uint64_t sequence; /* of the monitor's record, 0: the agent's own */
};

struct queue {
	struct queue_item *items;
	size_t room;
	size_t first;
	size_t count;
};

/** Makes an empty queue for room messages; false without memory. */
bool queue_open(struct queue *queue, size_t room);

/** Frees the queue and what is left in it. */
void queue_close(struct queue *queue);

/** Copies a message to the end; false if it is full or there is no memory. */
bool queue_push(struct queue *queue, const char *data, size_t size,
		uint64_t sequence);

/** The first message, which stays; NULL if there is none. */
const struct queue_item *queue_first(const struct queue *queue);

/** Drops the first message; there must be one. */
void queue_pop(struct queue *queue);

#endif
