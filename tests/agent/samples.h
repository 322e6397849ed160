/* SPDX-License-Identifier: MIT */
/* Records and events of every kind, for the tests of the agent. */
#ifndef TESTS_AGENT_SAMPLES_H
#define TESTS_AGENT_SAMPLES_H

#include "agent/event/event.h"

/** A record of one of the monitor's kinds, without sequence and chain. */
struct rw_event sample_record(uint32_t kind);

/** A status with a policy of two rules in force. */
struct rw_status sample_status(void);

/** The number of the monitor's kinds, and each of them. */
size_t sample_kinds(void);
uint32_t sample_kind(size_t i);

/** An event of any kind of either enum, complete as from a source. */
void sample_event(uint32_t kind, struct event *event);

/** A host named web-017. */
struct event_context sample_context(void);

#endif
