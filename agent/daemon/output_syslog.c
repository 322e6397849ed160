/* SPDX-License-Identifier: MIT */
/*
 * Events as RFC 5424 messages to a syslog server. The socket never blocks; while
 * there is no connection messages wait in a bounded queue. Plain syslog has no
 * acknowledgement: "delivered" means that the kernel took the message, and the
 * sequence in it shows what was lost behind that.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "agent/daemon/output.h"
#include "agent/daemon/queue.h"
#include "agent/daemon/resolve.h"
#include "agent/event/rfc5424.h"

#define SECOND	     1000000000ULL
#define BACKOFF_MAX  (30 * SECOND)
#define CONNECT_TIME (10 * SECOND)
#define LOOK_AGAIN   (SECOND / 10)
/* So many messages at a time, then the device has its turn. */
#define BURST	     256
#define PEER_DEAD_MS 30000u

enum state {
	STATE_CLOSED, /* until wake */
	STATE_RESOLVING,
	STATE_CONNECTING,
	STATE_OPEN,
};

struct output_syslog {
	struct output output;
	struct queue queue;
	struct resolve *resolve;
	enum state state;
	int fd;		      /* -1: none */
	bool blocked;	      /* the socket takes no more for now */
	size_t sent;	      /* bytes of the first message, TCP only */
	uint32_t sequence_id; /* of the last message made */
	unsigned int attempt; /* which address of a name */
	uint64_t backoff;
	uint64_t deadline; /* of RESOLVING and CONNECTING */
};

static bool is_stream(const struct output_syslog *syslog)
{
	return syslog->output.config.transport == CONFIG_TCP;
}

static uint64_t uptime(void)
{
	struct timespec now = { 0 };

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint64_t)now.tv_sec * 100 + (uint64_t)now.tv_nsec / 10000000;
}

static void syslog_submit(struct output *output,
			  const struct output_message *message)
{
	struct output_syslog *syslog = (struct output_syslog *)output;
	const struct event *event = message->event;
	uint64_t sequence = event->from_monitor ? event->record.sequence : 0;
	bool told = event->kind->kind == AGENT_RECORDS_DROPPED;
	struct rfc5424 how = {
		.facility = output->config.facility,
		.sequence_id = syslog->sequence_id % RFC5424_SEQUENCE_MAX + 1,
		.process_id = (uint32_t)getpid(),
		.uptime = uptime(),
	};
	char text[16 + RFC5424_MAX];
	size_t limit, length, prefix = 0;

	limit = output->config.transport == CONFIG_UDP ? RFC5424_UDP_MAX :
							 RFC5424_MAX;
	length = rfc5424_encode(&how, event, message->context, message->json,
				text + 16, limit);
	if (!length) {
		output_drop(output, OUTPUT_TOO_LARGE, sequence, told);
		return;
	}
	if (is_stream(syslog)) {
		char count[16];

		prefix = (size_t)snprintf(count, sizeof(count), "%zu ", length);
		memcpy(text + 16 - prefix, count, prefix);
	}
	if (!queue_push(&syslog->queue, text + 16 - prefix, prefix + length,
			sequence)) {
		output_drop(output, OUTPUT_QUEUE_FULL, sequence, told);
		return;
	}
	syslog->sequence_id = how.sequence_id;
	if (syslog->state == STATE_OPEN && !syslog->blocked)
		output->wake = 0;
}

/* Gives up on this connection and waits, longer each time. */
static void retreat(struct output_syslog *syslog, uint64_t now)
{
	if (syslog->fd >= 0)
		close(syslog->fd);
	syslog->fd = -1;
	resolve_free(syslog->resolve);
	syslog->resolve = NULL;
	syslog->state = STATE_CLOSED;
	syslog->blocked = false;
	syslog->sent = 0;
	syslog->attempt++;
	syslog->output.wake = now + syslog->backoff;
	syslog->backoff *= 2;
	if (syslog->backoff > BACKOFF_MAX)
		syslog->backoff = BACKOFF_MAX;
}

static void set_options(int fd)
{
	unsigned int dead = PEER_DEAD_MS;
	int on = 1;

	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &dead, sizeof(dead));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

static void connect_to(struct output_syslog *syslog,
		       const struct resolve_address *to, uint64_t now)
{
	int type = is_stream(syslog) ? SOCK_STREAM : SOCK_DGRAM;

	syslog->fd = socket(to->family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (syslog->fd < 0) {
		retreat(syslog, now);
		return;
	}
	if (is_stream(syslog))
		set_options(syslog->fd);
	if (!connect(syslog->fd, (const struct sockaddr *)&to->address,
		     to->length)) {
		syslog->state = STATE_OPEN;
		syslog->output.wake = 0;
	} else if (errno == EINPROGRESS) {
		syslog->state = STATE_CONNECTING;
		syslog->deadline = now + CONNECT_TIME;
		syslog->output.wake = syslog->deadline;
	} else {
		retreat(syslog, now);
	}
}

static void start(struct output_syslog *syslog, uint64_t now)
{
	const struct config_output *config = &syslog->output.config;
	struct resolve_address local = { .family = AF_UNIX };
	struct sockaddr_un *address = (struct sockaddr_un *)&local.address;

	if (config->transport == CONFIG_UNIX) {
		address->sun_family = AF_UNIX;
		memcpy(address->sun_path, config->path,
		       sizeof(address->sun_path));
		local.length = sizeof(*address);
		connect_to(syslog, &local, now);
		return;
	}
	syslog->resolve =
		resolve_start(config->host, config->port,
			      is_stream(syslog) ? SOCK_STREAM : SOCK_DGRAM);
	if (!syslog->resolve) {
		retreat(syslog, now);
		return;
	}
	syslog->state = STATE_RESOLVING;
	syslog->deadline = now + CONNECT_TIME;
	syslog->output.wake = 0;
}

static void go_on_resolving(struct output_syslog *syslog, uint64_t now)
{
	struct resolve_address address;
	bool found;

	if (!resolve_done(syslog->resolve, syslog->attempt, &found, &address)) {
		syslog->output.wake = now + LOOK_AGAIN;
		if (now >= syslog->deadline)
			retreat(syslog, now);
		return;
	}
	resolve_free(syslog->resolve);
	syslog->resolve = NULL;
	if (found)
		connect_to(syslog, &address, now);
	else
		retreat(syslog, now);
}

static int socket_error(int fd)
{
	socklen_t size = sizeof(int);
	int error = 0;

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size))
		return errno;
	return error;
}

static void go_on_connecting(struct output_syslog *syslog, uint64_t now)
{
	struct pollfd poll_for = { .fd = syslog->fd, .events = POLLOUT };

	if (poll(&poll_for, 1, 0) > 0) {
		if (socket_error(syslog->fd)) {
			retreat(syslog, now);
			return;
		}
		syslog->state = STATE_OPEN;
		syslog->output.wake = 0;
	} else if (now >= syslog->deadline) {
		retreat(syslog, now);
	}
}

/* Throws away what the peer says; false if it has gone. */
static bool peer_there(struct output_syslog *syslog)
{
	char ignored[512];
	ssize_t got;

	if (socket_error(syslog->fd))
		return false;
	if (!is_stream(syslog))
		return true;
	do
		got = recv(syslog->fd, ignored, sizeof(ignored), MSG_DONTWAIT);
	while (got > 0);
	return got < 0 && (errno == EAGAIN || errno == EINTR);
}

/* One message, or what the socket takes of it; false: not now. */
static bool send_first(struct output_syslog *syslog, uint64_t now)
{
	const struct queue_item *item = queue_first(&syslog->queue);
	ssize_t sent;

	sent = send(syslog->fd, item->data + syslog->sent,
		    item->size - syslog->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (sent < 0 && errno == EMSGSIZE) {
		output_drop(&syslog->output, OUTPUT_TOO_LARGE, item->sequence,
			    false);
		queue_pop(&syslog->queue);
		return true;
	}
	if (sent < 0 && (errno == EAGAIN || errno == EINTR)) {
		syslog->blocked = true;
		return false;
	}
	if (sent < 0 && errno == ENOBUFS) {
		syslog->output.wake = now + LOOK_AGAIN;
		return false;
	}
	if (sent < 0) {
		retreat(syslog, now);
		return false;
	}
	syslog->sent += (size_t)sent;
	if (syslog->sent < item->size)
		return true;
	queue_pop(&syslog->queue);
	syslog->sent = 0;
	syslog->backoff = SECOND;
	syslog->output.delivered++;
	return true;
}

static void syslog_work(struct output *output, uint64_t now)
{
	struct output_syslog *syslog = (struct output_syslog *)output;
	unsigned int left = BURST;

	if (syslog->state == STATE_CLOSED && now >= output->wake)
		start(syslog, now);
	if (syslog->state == STATE_RESOLVING)
		go_on_resolving(syslog, now);
	if (syslog->state == STATE_CONNECTING)
		go_on_connecting(syslog, now);
	if (syslog->state != STATE_OPEN)
		return;
	output->wake = OUTPUT_NEVER;
	syslog->blocked = false;
	if (!peer_there(syslog)) {
		retreat(syslog, now);
		return;
	}
	while (syslog->queue.count && left--)
		if (!send_first(syslog, now))
			return;
	if (syslog->queue.count)
		output->wake = 0;
}

static void syslog_wait_for(struct output *output, struct pollfd *ret_poll)
{
	const struct output_syslog *syslog = (struct output_syslog *)output;

	ret_poll->fd = -1;
	ret_poll->events = 0;
	if (syslog->state == STATE_OPEN) {
		ret_poll->fd = syslog->fd;
		ret_poll->events = is_stream(syslog) ? POLLIN : 0;
		if (syslog->blocked)
			ret_poll->events |= POLLOUT;
	} else if (syslog->state == STATE_CONNECTING) {
		ret_poll->fd = syslog->fd;
		ret_poll->events = POLLOUT;
	}
}

static size_t syslog_queued(const struct output *output)
{
	return ((const struct output_syslog *)output)->queue.count;
}

/* There is no file; the connection stays. */
static bool syslog_reopen(struct output *output)
{
	(void)output;
	return true;
}

static void syslog_close(struct output *output)
{
	struct output_syslog *syslog = (struct output_syslog *)output;

	while (syslog->queue.count) {
		output_drop(output, OUTPUT_CLOSED,
			    queue_first(&syslog->queue)->sequence, false);
		queue_pop(&syslog->queue);
	}
	queue_close(&syslog->queue);
	resolve_free(syslog->resolve);
	if (syslog->fd >= 0)
		close(syslog->fd);
}

static const struct output_ops syslog_ops = {
	.submit = syslog_submit,
	.wait_for = syslog_wait_for,
	.work = syslog_work,
	.reopen = syslog_reopen,
	.queued = syslog_queued,
	.close = syslog_close,
};

struct output *output_syslog_open(const struct config_output *config,
				  struct config_error *error)
{
	struct output_syslog *syslog = calloc(1, sizeof(*syslog));

	if (!syslog || !queue_open(&syslog->queue, config->queue)) {
		snprintf(error->text, sizeof(error->text),
			 "%s: not enough memory", config->host);
		free(syslog);
		return NULL;
	}
	syslog->fd = -1;
	syslog->backoff = SECOND;
	syslog->output.ops = &syslog_ops;
	return &syslog->output;
}
