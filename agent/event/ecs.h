/* SPDX-License-Identifier: MIT */
/*
 * Events in the names of the Elastic Common Schema, with a block "ringwall" for
 * what it has no name for. contrib/ringwall-events.schema.json describes every
 * member; a member that says nothing is left out.
 */
#ifndef AGENT_EVENT_ECS_H
#define AGENT_EVENT_ECS_H

#include <jansson.h>

#include "agent/event/event.h"

#define ECS_VERSION "8.17.0"
/** Bumped when a member of "ringwall" changes its meaning or goes away. */
#define ECS_RINGWALL_VERSION 1

/** The event as one line of JSON without the newline, to be freed; or NULL. */
char *ecs_encode(const struct event *event,
		 const struct event_context *context);

/**
 * The same, cut down to what an analyst must have, and marked with
 * ringwall.truncated: for transports with small messages. To be freed; or NULL.
 */
char *ecs_encode_short(const struct event *event,
		       const struct event_context *context);

/** The block "ringwall"; a new reference, or NULL. For ecs.c. */
json_t *ecs_ringwall(const struct event *event,
		     const struct event_context *context);

/** A JSON number: values beyond its range become the largest in it. */
json_int_t ecs_number(uint64_t value);

/**
 * Appends a value and takes it over. Without memory *array becomes NULL, so that
 * the json_pack() around it fails and no record goes out incomplete.
 */
void ecs_append(json_t **array, json_t *value);

#endif
