/* SPDX-License-Identifier: MIT */
/*
 * Addresses of a name without waiting for the name server: the question runs
 * beside the loop, which asks now and then whether there is an answer.
 */
#ifndef AGENT_DAEMON_RESOLVE_H
#define AGENT_DAEMON_RESOLVE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

struct resolve;

struct resolve_address {
	struct sockaddr_storage address;
	socklen_t length;
	int family;
};

/** Asks for host and port of a SOCK_ type; NULL without memory. */
struct resolve *resolve_start(const char *host, uint32_t port, int type);

/**
 * Whether there is an answer. With one, *ret_found says whether the name has an
 * address, and *ret_address is number `which` of them, counted round and round.
 */
bool resolve_done(struct resolve *resolve, unsigned int which, bool *ret_found,
		  struct resolve_address *ret_address);

/** Forgets a question, answered or not; NULL is nothing. */
void resolve_free(struct resolve *resolve);

#endif
