/* SPDX-License-Identifier: MIT */
/* getaddrinfo_a(3): glibc asks in a thread of its own. */
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/daemon/resolve.h"

struct resolve {
	struct gaicb question;
	struct addrinfo hints;
	char host[256];
	char port[12];
};

struct resolve *resolve_start(const char *host, uint32_t port, int type)
{
	struct resolve *resolve = calloc(1, sizeof(*resolve));
	struct gaicb *list[1];

	if (!resolve)
		return NULL;
	snprintf(resolve->host, sizeof(resolve->host), "%s", host);
	snprintf(resolve->port, sizeof(resolve->port), "%u", port);
	resolve->hints.ai_socktype = type;
	resolve->hints.ai_flags = AI_NUMERICSERV | AI_NUMERICHOST;
	resolve->question.ar_name = resolve->host;
	resolve->question.ar_service = resolve->port;
	resolve->question.ar_request = &resolve->hints;
	/* An address as digits needs no question. */
	if (!getaddrinfo(resolve->host, resolve->port, &resolve->hints,
			 &resolve->question.ar_result))
		return resolve;
	resolve->hints.ai_flags = AI_NUMERICSERV;
	list[0] = &resolve->question;
	if (getaddrinfo_a(GAI_NOWAIT, list, 1, NULL)) {
		free(resolve);
		return NULL;
	}
	return resolve;
}

bool resolve_done(struct resolve *resolve, unsigned int which, bool *ret_found,
		  struct resolve_address *ret_address)
{
	const struct addrinfo *first = resolve->question.ar_result, *info;
	unsigned int count = 0;

	if (!first && gai_error(&resolve->question) == EAI_INPROGRESS)
		return false;
	first = resolve->question.ar_result;
	for (info = first; info; info = info->ai_next)
		count++;
	*ret_found = count != 0;
	if (!count)
		return true;
	info = first;
	for (which %= count; which; which--)
		info = info->ai_next;
	memset(ret_address, 0, sizeof(*ret_address));
	memcpy(&ret_address->address, info->ai_addr, info->ai_addrlen);
	ret_address->length = info->ai_addrlen;
	ret_address->family = info->ai_family;
	return true;
}

void resolve_free(struct resolve *resolve)
{
	if (!resolve)
		return;
	/* A question on its way cannot be taken back: its memory stays. */
	if (!resolve->question.ar_result &&
	    gai_error(&resolve->question) == EAI_INPROGRESS &&
	    gai_cancel(&resolve->question) != EAI_CANCELED)
		return;
	if (resolve->question.ar_result)
		freeaddrinfo(resolve->question.ar_result);
	free(resolve);
}
