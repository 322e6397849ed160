/* SPDX-License-Identifier: MIT */
/*
 * Events as syslog messages of RFC 5424: structured data, then "@cee:" and the
 * ECS record. Names are snake case, since rsyslog lower-cases them; no byte-order
 * mark, since one would hide the "@cee:".
 */
#ifndef AGENT_EVENT_RFC5424_H
#define AGENT_EVENT_RFC5424_H

#include "agent/event/event.h"

/** Largest message over UDP, and over everything else. */
#define RFC5424_UDP_MAX 2048
#define RFC5424_MAX	8192

/** The number that RFC 5612 sets aside for documentation: none is registered. */
#define RFC5424_ENTERPRISE "32473"

/** Largest value of meta.sequenceId; after it comes 1 (RFC 5424, 7.3.1). */
#define RFC5424_SEQUENCE_MAX 2147483647u

struct rfc5424 {
	unsigned int facility; /* 0 to 23 */
	uint32_t sequence_id;  /* 1 or more, of this sender's messages */
	uint32_t process_id;
	uint64_t uptime; /* of the host, in hundredths of seconds */
};

/**
 * Writes the message to out, at most size bytes with the NUL; json is what
 * ecs_encode() gave. Where that does not fit it is replaced by the short record
 * and then by the plain sentence, and the structured data say truncated="1".
 * The length without the NUL, or 0 if nothing fits or there is no memory.
 */
size_t rfc5424_encode(const struct rfc5424 *how, const struct event *event,
		      const struct event_context *context, const char *json,
		      char *out, size_t size);

#endif
