/* SPDX-License-Identifier: MIT */
/*
 * agent/daemon/output.c, output_json.c and output_syslog.c on files and on
 * sockets of the loopback. Time is given by the test, so nothing waits.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/daemon/output.h"
#include "agent/event/ecs.h"
#include "agent/event/rfc5424.h"
#include "tests/agent/check.h"
#include "tests/agent/samples.h"
#include "tests/policy/scratch.h"

#define SECOND 1000000000ULL

static struct config_error error;
static struct output *output;
static struct event event;

static void submit(void)
{
	struct event_context context = sample_context();
	struct output_message message = {
		.event = &event,
		.context = &context,
		.json = ecs_encode(&event, &context),
	};

	output_submit(output, &message);
	free((void *)message.json);
}

static void submit_many(unsigned int count)
{
	sample_event(RW_EVENT_VIOLATION, &event);
	for (unsigned int i = 1; i <= count; i++) {
		event.record.sequence = i;
		submit();
	}
}

static size_t read_file(const char *path, char *text, size_t size)
{
	FILE *file = fopen(path, "r");
	size_t got;

	assert_non_null(file);
	got = fread(text, 1, size - 1, file);
	fclose(file);
	text[got] = '\0';
	return got;
}

static unsigned int count_lines(const char *text)
{
	unsigned int lines = 0;

	for (; *text; text++)
		lines += *text == '\n';
	return lines;
}

static void open_json(const char *path)
{
	struct config_output config = { .type = CONFIG_JSON };

	snprintf(config.path, sizeof(config.path), "%s", path);
	output = output_open(&config, &error);
	assert_non_null(output);
}

static void events_are_lines_of_a_file_nobody_else_reads(void **state)
{
	const char *path = scratch("events.json");
	static char text[65536];
	struct stat info;

	(void)state;
	open_json(path);
	submit_many(5);
	output->ops->commit(output);
	assert_int_equal(output->delivered, 5);
	output_close(output, NULL);
	/* What is there stays. */
	open_json(path);
	submit_many(1);
	output_close(output, NULL);
	read_file(path, text, sizeof(text));
	assert_int_equal(count_lines(text), 6);
	assert_int_equal(stat(path, &info), 0);
	assert_int_equal(info.st_mode & 0007, 0);
}

static void a_rotated_file_is_left_behind(void **state)
{
	const char *path = scratch("events.json"), *old = scratch("old.json");
	static char text[65536];

	(void)state;
	open_json(path);
	submit_many(2);
	assert_int_equal(rename(path, old), 0);
	submit_many(1);
	assert_true(output->ops->reopen(output));
	submit_many(1);
	output_close(output, NULL);
	read_file(old, text, sizeof(text));
	assert_int_equal(count_lines(text), 3);
	read_file(path, text, sizeof(text));
	assert_int_equal(count_lines(text), 1);
}

static void a_full_disk_is_counted_with_its_records(void **state)
{
	struct output_drops *drops;

	(void)state;
	if (access("/dev/full", W_OK))
		skip();
	open_json("/dev/full");
	submit_many(3);
	drops = &output->untold[OUTPUT_WRITE_FAILED];
	assert_int_equal(output->dropped, 3);
	assert_int_equal(drops->count, 3);
	assert_int_equal(drops->first, 1);
	assert_int_equal(drops->last, 3);
	/* A report about drops is not reported itself. */
	sample_event(AGENT_RECORDS_DROPPED, &event);
	submit();
	assert_int_equal(output->dropped, 4);
	assert_int_equal(drops->count, 3);
	output_close(output, NULL);
}

static void a_file_that_cannot_be_opened_is_named(void **state)
{
	struct config_output config = { .type = CONFIG_JSON,
					.path = "/nonexistent/events.json" };

	(void)state;
	assert_null(output_open(&config, &error));
	assert_non_null(strstr(error.text, "/nonexistent/events.json"));
}

/* A server on the loopback at a port the kernel chooses. */
static int serve(int type, uint32_t *ret_port)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, type, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
	if (type == SOCK_STREAM)
		assert_int_equal(listen(fd, 4), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size),
			 0);
	*ret_port = ntohs(address.sin_port);
	return fd;
}

static void open_syslog(enum config_transport transport, uint32_t port,
			uint32_t queue)
{
	struct config_output config = {
		.type = CONFIG_SYSLOG,
		.transport = transport,
		.facility = 16,
		.queue = queue,
		.port = port,
	};

	if (transport == CONFIG_UNIX)
		snprintf(config.path, sizeof(config.path), "%s",
			 scratch("log"));
	else
		strcpy(config.host, "127.0.0.1");
	output = output_open(&config, &error);
	assert_non_null(output);
}

/* Works until nothing is due now; the loopback answers at once. */
static void work(uint64_t now)
{
	struct pollfd wait = { .fd = -1 };

	for (int i = 0; i < 50; i++) {
		output->ops->wait_for(output, &wait);
		if (output->wake > now &&
		    (wait.fd < 0 || poll(&wait, 1, 0) <= 0))
			return;
		output->ops->work(output, now);
	}
}

static void datagrams_hold_one_message_of_at_most_2_kib(void **state)
{
	char text[4096];
	uint32_t port;
	int server = serve(SOCK_DGRAM, &port);

	(void)state;
	open_syslog(CONFIG_UDP, port, 16);
	submit_many(3);
	work(SECOND);
	assert_int_equal(output->delivered, 3);
	for (int i = 0; i < 3; i++) {
		ssize_t got = recv(server, text, sizeof(text), 0);

		assert_in_range(got, 100, RFC5424_UDP_MAX);
		assert_memory_equal(text, "<129>1 2026-", 12);
	}
	output_close(output, NULL);
	close(server);
}

static void a_stream_counts_octets(void **state)
{
	static char text[65536];
	size_t got = 0, offset = 0;
	unsigned int messages = 0;
	uint32_t port;
	int server = serve(SOCK_STREAM, &port), peer;

	(void)state;
	open_syslog(CONFIG_TCP, port, 16);
	submit_many(4);
	work(SECOND);
	peer = accept(server, NULL, NULL);
	assert_true(peer >= 0);
	work(SECOND);
	assert_int_equal(output->delivered, 4);
	output_close(output, NULL);
	for (ssize_t more = 1; more > 0; got += (size_t)more)
		more = recv(peer, text + got, sizeof(text) - got, 0);
	while (offset < got) {
		char *end;
		size_t length = strtoul(text + offset, &end, 10);

		assert_int_equal(*end, ' ');
		assert_memory_equal(end + 1, "<129>1 ", 7);
		assert_int_equal(end[length], '}');
		offset = (size_t)(end + 1 - text) + length;
		messages++;
	}
	assert_int_equal(messages, 4);
	close(peer);
	close(server);
}

static void a_local_socket_gets_datagrams(void **state)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int server = socket(AF_UNIX, SOCK_DGRAM, 0);
	char text[RFC5424_MAX];

	(void)state;
	snprintf(address.sun_path, sizeof(address.sun_path), "%s",
		 scratch("log"));
	assert_int_equal(
		bind(server, (struct sockaddr *)&address, sizeof(address)), 0);
	open_syslog(CONFIG_UNIX, 0, 16);
	submit_many(1);
	work(SECOND);
	assert_true(recv(server, text, sizeof(text), MSG_DONTWAIT) > 100);
	output_close(output, NULL);
	close(server);
}

static void without_a_server_messages_wait_and_then_are_dropped(void **state)
{
	struct output_drops *drops, closed;

	(void)state;
	open_syslog(CONFIG_UNIX, 0, 16);
	submit_many(20);
	work(SECOND);
	drops = &output->untold[OUTPUT_QUEUE_FULL];
	assert_int_equal(output->delivered, 0);
	assert_int_equal(output->ops->queued(output), 16);
	assert_int_equal(drops->count, 4);
	assert_int_equal(drops->first, 17);
	assert_int_equal(drops->last, 20);
	output_close(output, &closed);
	assert_int_equal(closed.count, 16);
	assert_int_equal(closed.first, 1);
	assert_int_equal(closed.last, 16);
}

static void retries_come_less_and_less_often(void **state)
{
	uint64_t now = SECOND, before;

	(void)state;
	open_syslog(CONFIG_UNIX, 0, 16);
	for (uint64_t wait = 1; wait <= 16; wait *= 2) {
		output->ops->work(output, now);
		assert_int_equal(output->wake, now + wait * SECOND);
		now = output->wake;
	}
	for (int i = 0; i < 3; i++) {
		before = now;
		output->ops->work(output, now);
		now = output->wake;
		assert_int_equal(now - before, 30 * SECOND);
	}
	output_close(output, NULL);
}

static void after_an_outage_what_waited_is_sent(void **state)
{
	static char text[65536];
	uint32_t port;
	int server = serve(SOCK_STREAM, &port), peer;

	(void)state;
	open_syslog(CONFIG_TCP, port, 16);
	work(SECOND);
	peer = accept(server, NULL, NULL);
	work(SECOND);
	/* The server goes away, messages come, it accepts again. */
	close(peer);
	work(2 * SECOND);
	submit_many(2);
	assert_int_equal(output->delivered, 0);
	work(2 * SECOND);
	assert_int_equal(output->delivered, 0);
	work(60 * SECOND);
	peer = accept(server, NULL, NULL);
	work(60 * SECOND);
	assert_int_equal(output->delivered, 2);
	assert_true(recv(peer, text, sizeof(text), 0) > 0);
	assert_non_null(strstr(text, "sequenceId=\"1\""));
	output_close(output, NULL);
	close(peer);
	close(server);
}

static void a_slow_server_costs_no_message_its_head(void **state)
{
	static char text[1 << 20];
	size_t got = 0, offset = 0;
	unsigned int messages = 0;
	uint32_t port;
	int server = serve(SOCK_STREAM, &port), peer, small = 4096;

	(void)state;
	setsockopt(server, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	open_syslog(CONFIG_TCP, port, 4096);
	work(SECOND);
	peer = accept(server, NULL, NULL);
	submit_many(4096);
	work(SECOND);
	/* The socket is full: some is sent, most waits, nothing is lost. */
	assert_true(output->ops->queued(output) > 0);
	assert_int_equal(output->dropped, 0);
	for (int round = 0; messages < 4096; round++) {
		char *end;
		size_t length;
		ssize_t more = recv(peer, text + got, sizeof(text) - got - 1,
				    MSG_DONTWAIT);

		assert_true(round < 100000);
		if (more > 0)
			got += (size_t)more;
		text[got] = '\0';
		for (;;) {
			length = strtoul(text + offset, &end, 10);
			if (*end != ' ' ||
			    (size_t)(end - text) + 1 + length > got)
				break;
			assert_memory_equal(end + 1, "<129>1 ", 7);
			offset = (size_t)(end - text) + 1 + length;
			messages++;
		}
		memmove(text, text + offset, got - offset);
		got -= offset;
		offset = 0;
		work(SECOND);
	}
	assert_int_equal(output->delivered, 4096);
	output_close(output, NULL);
	close(peer);
	close(server);
}

static void a_name_is_resolved_beside_the_loop(void **state)
{
	struct config_output config = {
		.type = CONFIG_SYSLOG,
		.transport = CONFIG_UDP,
		.queue = 16,
		.host = "localhost",
	};
	int server = serve(SOCK_DGRAM, &config.port);

	(void)state;
	output = output_open(&config, &error);
	submit_many(1);
	for (uint64_t now = SECOND; now < 9 * SECOND && !output->delivered;
	     now += SECOND / 10) {
		work(now);
		usleep(1000);
	}
	output_close(output, NULL);
	close(server);
}

static void names_tell_outputs_apart(void **state)
{
	(void)state;
	open_syslog(CONFIG_TCP, 514, 16);
	assert_string_equal(output->name, "syslog:tcp:127.0.0.1:514");
	output_close(output, NULL);
	open_syslog(CONFIG_UNIX, 0, 16);
	assert_memory_equal(output->name, "syslog:unix:/", 13);
	output_close(output, NULL);
}

#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, scratch_open, scratch_close)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(events_are_lines_of_a_file_nobody_else_reads),
		TEST(a_rotated_file_is_left_behind),
		TEST(a_full_disk_is_counted_with_its_records),
		TEST(a_file_that_cannot_be_opened_is_named),
		TEST(datagrams_hold_one_message_of_at_most_2_kib),
		TEST(a_stream_counts_octets),
		TEST(a_local_socket_gets_datagrams),
		TEST(without_a_server_messages_wait_and_then_are_dropped),
		TEST(retries_come_less_and_less_often),
		TEST(after_an_outage_what_waited_is_sent),
		TEST(a_slow_server_costs_no_message_its_head),
		TEST(a_name_is_resolved_beside_the_loop),
		TEST(names_tell_outputs_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
