/* SPDX-License-Identifier: MIT */
/* A ring of messages. */
#include <stdlib.h>
#include <string.h>

#include "agent/daemon/queue.h"

bool queue_open(struct queue *queue, size_t room)
{
	queue->items = calloc(room, sizeof(*queue->items));
	queue->room = room;
	queue->first = 0;
	queue->count = 0;
	return queue->items != NULL;
}

void queue_close(struct queue *queue)
{
	while (queue->count)
		queue_pop(queue);
	free(queue->items);
	queue->items = NULL;
}

bool queue_push(struct queue *queue, const char *data, size_t size,
		uint64_t sequence)
{
	struct queue_item *item;

	if (queue->count == queue->room)
		return false;
	item = &queue->items[(queue->first + queue->count) % queue->room];
	item->data = malloc(size ? size : 1);
	if (!item->data)
		return false;
	memcpy(item->data, data, size);
	item->size = size;
	item->sequence = sequence;
	queue->count++;
	return true;
}

const struct queue_item *queue_first(const struct queue *queue)
{
	return queue->count ? &queue->items[queue->first] : NULL;
}

void queue_pop(struct queue *queue)
{
	free(queue->items[queue->first].data);
	queue->first = (queue->first + 1) % queue->room;
	queue->count--;
}
