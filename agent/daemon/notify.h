/* SPDX-License-Identifier: MIT */
/*
 * The service manager's notification protocol (sd_notify(3)): one datagram of
 * lines to the socket in NOTIFY_SOCKET. Without a manager every call is nothing.
 */
#ifndef AGENT_DAEMON_NOTIFY_H
#define AGENT_DAEMON_NOTIFY_H

#include <stdint.h>

struct notify {
	int fd;		   /* -1: nobody listens */
	uint64_t watchdog; /* nanoseconds between signs of life, 0: none wanted */
};

/** Connects to the manager, as the environment says. */
void notify_open(struct notify *notify);

void notify_close(struct notify *notify);

/** Sends "NAME=value" lines; a lost one is no error. */
void notify_send(const struct notify *notify, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif
