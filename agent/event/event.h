/* SPDX-License-Identifier: MIT */
/*
 * The one internal event that every output is made from: a record of the
 * monitor, or something the agent itself has to say, with all that is shown of
 * it already looked up and cleaned. Encoders read it and look nothing up.
 */
#ifndef AGENT_EVENT_EVENT_H
#define AGENT_EVENT_EVENT_H

#include <ringwall/event.h>
#include <ringwall/status.h>

#include "agent/event/host.h"
#include "agent/event/kinds.h"
#include "agent/event/symbols.h"

#define EVENT_ID_SIZE  64
#define EVENT_HOPS     10
#define EVENT_HOP_NAME 64

/** What one hop between the monitor and the SIEM has done so far. */
struct event_hop {
	char name[EVENT_HOP_NAME]; /* "agent", "json:/path", "syslog:tcp:..." */
	uint64_t received;
	uint64_t delivered;
	uint64_t dropped;
	uint64_t queued;
};

/** AGENT_RECORDS_MISSING, AGENT_CHAIN_BROKEN: what the proof found. */
struct event_proof {
	uint64_t expected; /* sequence */
	uint64_t found;
};

/** AGENT_RECORDS_DROPPED: since the last event of this kind for the hop. */
struct event_drop {
	char hop[EVENT_HOP_NAME];
	const char *reason;
	uint64_t count;
	uint64_t first; /* monitor sequences, 0: the agent's own events only */
	uint64_t last;
};

/** What the monitor said of its policy when the event was made. */
struct event_policy {
	char name[RW_POLICY_NAME_SIZE + 1];
	char digest[2 * RW_SHA256_SIZE + 1];
	char key_id[2 * RW_KEY_ID_SIZE + 1];
	char build_id[2 * RW_BUILD_ID_SIZE + 1];
	uint64_t serial; /* 0: none in force */
	bool current;	 /* name, digest... belong to this serial */
};

struct event {
	const struct kind_row *kind;
	const struct severity_row *severity;
	uint64_t time;	  /* nanoseconds since 1970 */
	uint64_t created; /* when the agent had it */
	struct rw_event record;
	struct event_policy policy;
	struct symbol target;
	struct symbol rip;
	char id[EVENT_ID_SIZE]; /* the same event has the same id, always */
	char rule[RW_POLICY_NAME_SIZE + 1]; /* cleaned; empty: none */
	char nonce[2 * RW_SHA256_SIZE + 1]; /* empty: monitor never answered */
	bool time_from_tsc;		    /* else time is that of receipt */
	bool from_monitor; /* record holds a record of the monitor */
	bool has_target;   /* target names what was written */
	bool has_rip;	   /* rip names who wrote */
	uint32_t error;	   /* AGENT_MONITOR_SILENT: enum rw_error */

	/* The agent's own, by kind */
	struct event_proof proof;
	struct event_drop drop;
	struct rw_status status;	   /* AGENT_HEARTBEAT */
	struct event_hop hops[EVENT_HOPS]; /* AGENT_HEARTBEAT */
	size_t hop_count;
};

/** What is the same for all events of an agent. */
struct event_context {
	struct host host;
	const char *attack_version; /* of MITRE ATT&CK, a known one */
	unsigned int facility;	    /* of syslog, 0 to 23 */
};

/** Writes one sentence that says it all; cut to size. */
void event_message(const struct event *event, char *out, size_t size);

/** "kernel-text-write" and the like: one word per kind of act; never NULL. */
const char *event_action(const struct event *event);

/** Which attack this is taken for; ATTACK_NONE for a notice. */
enum attack event_attack(const struct event *event);

/** "tcp_v4_connect+0x12", or "evil+0x44" for a module; cut to size. */
void event_symbol(const struct symbol *symbol, char *out, size_t size);

#endif
