/* SPDX-License-Identifier: MIT */
/*
 * The loop of ringwalld: waits for records, signals and sockets, hands events to
 * the outputs, tells the service manager that all is well only when the monitor
 * has just said so. Decides nothing about protection.
 */
#ifndef AGENT_DAEMON_DAEMON_H
#define AGENT_DAEMON_DAEMON_H

#include "agent/daemon/notify.h"
#include "agent/daemon/output.h"
#include "agent/event/source.h"

struct daemon {
	const char *path; /* of the configuration */
	struct config config;
	struct source source;
	struct event_context context;
	struct output *outputs[CONFIG_OUTPUTS];
	size_t output_count;
	struct notify notify;
	bool stream_bad; /* the last read failed: do not poll until the next tick */
	bool silent;	 /* the monitor did not answer last time */
	uint64_t lost;	    /* events that no output was given: no memory */
	uint64_t tick;	    /* next, nanoseconds since boot */
	uint64_t heartbeat; /* next */
	uint64_t told;	    /* last report of drops */
};

/**
 * Reads the configuration, opens outputs and device, and asks the monitor. An
 * enum agent_exit; after a failure, with the reason on standard error, nothing
 * is left open.
 */
int daemon_start(struct daemon *daemon, const char *path);

/** Waits at most until the next thing is due, and does it. signals: -1 or a
 * descriptor that also ends the wait; *ret_signal: whether it did. */
void daemon_step(struct daemon *daemon, int signals, bool *ret_signal);

/**
 * Reads the configuration again. If it is good it replaces the old one, files
 * are opened anew, outputs that stayed keep what waits in them; if not, the old
 * one stays in force, standard error says why, and false is returned.
 */
bool daemon_reload(struct daemon *daemon);

/** Sends what still can be sent without much waiting, and closes everything. */
void daemon_stop(struct daemon *daemon);

#endif
