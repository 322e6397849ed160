/* SPDX-License-Identifier: MIT */
/* agent/daemon/daemon.c on a fake device: from records to files and sockets. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/daemon/daemon.h"
#include "agent/errors.h"
#include "tests/agent/check.h"
#include "tests/agent/fake_device.h"
#include "tests/agent/samples.h"
#include "tests/policy/scratch.h"

static struct daemon daemon_;
static char text[1 << 18];
static int manager;

/* A service manager that listens. */
static int setup(void **state)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	if (scratch_open(state))
		return -1;
	fake_reset();
	fake.status = sample_status();
	fake_boot(0xa5);
	manager = socket(AF_UNIX, SOCK_DGRAM, 0);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s",
		 scratch("notify"));
	setenv("NOTIFY_SOCKET", address.sun_path, 1);
	unsetenv("WATCHDOG_USEC");
	return bind(manager, (struct sockaddr *)&address, sizeof(address));
}

static int teardown(void **state)
{
	close(manager);
	return scratch_close(state);
}

/* Writes a configuration with one file and one syslog socket. */
static const char *configure(const char *file, const char *more)
{
	char config[1024];

	snprintf(config, sizeof(config),
		 "state: %s\nsymbols: false\n"
		 "outputs:\n"
		 "- {type: json, path: %s}\n"
		 "- {type: syslog, transport: unix, path: %s, queue: 16}\n%s",
		 scratch("chain"), scratch(file), scratch("log"), more);
	return scratch_text("ringwalld.yaml", config);
}

static void start(void)
{
	assert_int_equal(daemon_start(&daemon_, configure("events.json", "")),
			 EXIT_CODE_OK);
}

static void push(uint32_t kind)
{
	struct rw_event record = sample_record(kind);

	fake_push(&record);
}

/* One round of the loop with a look at the monitor in it. */
static void step(void)
{
	bool signal;

	daemon_.tick = 0;
	daemon_.told = 0;
	daemon_step(&daemon_, -1, &signal);
	assert_false(signal);
}

static unsigned int count_in(const char *file, const char *part)
{
	FILE *stream = fopen(scratch(file), "r");
	unsigned int count = 0;
	size_t got;

	if (!stream)
		return 0;
	got = fread(text, 1, sizeof(text) - 1, stream);
	fclose(stream);
	text[got] = '\0';
	for (const char *c = text; (c = strstr(c, part)); c++)
		count++;
	return count;
}

static unsigned int heard(const char *part)
{
	unsigned int count = 0;
	char got[512];
	ssize_t size;

	while ((size = recv(manager, got, sizeof(got) - 1, MSG_DONTWAIT)) > 0) {
		got[size] = '\0';
		count += strstr(got, part) != NULL;
	}
	return count;
}

static void the_first_round_sends_a_heartbeat(void **state)
{
	(void)state;
	start();
	assert_int_equal(heard("READY=1"), 1);
	step();
	assert_int_equal(count_in("events.json", "\"RW4001\""), 1);
	assert_int_equal(count_in("events.json", "\"state\":\"armed\""), 1);
	assert_int_equal(heard("WATCHDOG=1"), 1);
	step();
	assert_int_equal(count_in("events.json", "\"RW4001\""), 1);
	daemon_stop(&daemon_);
	assert_int_equal(heard("STOPPING=1"), 1);
	assert_int_equal(fake.opens, fake.closes);
}

static void every_kind_of_record_reaches_the_file(void **state)
{
	(void)state;
	start();
	for (size_t i = 0; i < sample_kinds(); i++)
		if (sample_kind(i) != RW_EVENT_LOST)
			push(sample_kind(i));
	fake_lose(3);
	step();
	for (size_t i = 0; i < sample_kinds(); i++) {
		char code[32];

		snprintf(code, sizeof(code), "\"code\":\"%s\"",
			 kind_find(sample_kind(i))->code);
		assert_int_equal(count_in("events.json", code), 1);
	}
	assert_int_equal(count_in("events.json", "RW4002"), 0);
	assert_int_equal(count_in("events.json", "RW4003"), 0);
	daemon_stop(&daemon_);
}

static void records_wake_the_loop(void **state)
{
	bool signal;

	(void)state;
	start();
	step();
	push(RW_EVENT_TEST);
	daemon_step(&daemon_, -1, &signal);
	assert_int_equal(count_in("events.json", "\"RW3001\""), 1);
	daemon_stop(&daemon_);
}

static void the_proof_is_kept_across_a_restart(void **state)
{
	(void)state;
	start();
	push(RW_EVENT_TEST);
	step();
	daemon_stop(&daemon_);
	start();
	push(RW_EVENT_TEST);
	step();
	assert_int_equal(count_in("events.json", "\"RW3001\""), 2);
	assert_int_equal(count_in("events.json", "\"RW4003\""), 0);
	daemon_stop(&daemon_);
}

static void without_a_device_or_a_good_file_it_does_not_start(void **state)
{
	(void)state;
	assert_int_equal(daemon_start(&daemon_, scratch("none")),
			 EXIT_CODE_ERROR);
	assert_int_equal(daemon_start(&daemon_,
				      configure("events.json", "bad: 1\n")),
			 EXIT_CODE_ERROR);
	assert_int_equal(daemon_start(&daemon_, configure("no/such", "")),
			 EXIT_CODE_ERROR);
	fake.open_errno = ENOENT;
	assert_int_equal(daemon_start(&daemon_, configure("events.json", "")),
			 EXIT_CODE_ABSENT);
	fake.open_errno = 0;
	fake.error = RW_E_NOT_ENABLED;
	assert_int_equal(daemon_start(&daemon_, configure("events.json", "")),
			 EXIT_CODE_ABSENT);
	assert_int_equal(heard("READY=1"), 0);
}

static void a_silent_monitor_is_said_once_and_starves_the_watchdog(void **state)
{
	(void)state;
	start();
	step();
	assert_true(heard("WATCHDOG=1"));
	fake.error = RW_E_NOT_ENABLED;
	step();
	step();
	assert_int_equal(heard("WATCHDOG=1"), 0);
	assert_int_equal(count_in("events.json", "\"RW4005\""), 1);
	/* As long as it is silent, with each heartbeat. */
	daemon_.heartbeat = 0;
	step();
	assert_int_equal(count_in("events.json", "\"RW4005\""), 2);
	fake.error = 0;
	step();
	assert_int_equal(heard("WATCHDOG=1"), 1);
	daemon_stop(&daemon_);
}

static void a_broken_stream_is_left_alone_until_the_next_look(void **state)
{
	bool signal;

	(void)state;
	start();
	step();
	fake.read_errno = EIO;
	push(RW_EVENT_TEST);
	daemon_step(&daemon_, -1, &signal);
	assert_true(daemon_.stream_bad);
	fake.read_errno = 0;
	step();
	assert_false(daemon_.stream_bad);
	assert_int_equal(count_in("events.json", "\"RW3001\""), 1);
	daemon_stop(&daemon_);
}

static void a_bad_configuration_leaves_the_good_one_in_force(void **state)
{
	(void)state;
	start();
	step();
	configure("other.json", "heartbeat: none\n");
	assert_false(daemon_reload(&daemon_));
	/* Right by itself, but the file cannot be opened. */
	configure("no/such", "");
	assert_false(daemon_reload(&daemon_));
	push(RW_EVENT_TEST);
	step();
	assert_int_equal(count_in("events.json", "\"RW3001\""), 1);
	assert_int_equal(count_in("other.json", ""), 0);
	assert_int_equal(daemon_.output_count, 2);
	daemon_stop(&daemon_);
}

static void a_good_one_takes_over_and_keeps_what_waits(void **state)
{
	size_t waiting;

	(void)state;
	start();
	push(RW_EVENT_TEST);
	step();
	waiting = daemon_.outputs[1]->ops->queued(daemon_.outputs[1]);
	assert_int_equal(waiting, 2);
	heard("");
	configure("other.json", "hostname: renamed\n");
	assert_true(daemon_reload(&daemon_));
	assert_int_equal(daemon_.outputs[1]->ops->queued(daemon_.outputs[1]),
			 waiting);
	push(RW_EVENT_TEST);
	step();
	assert_int_equal(count_in("other.json", "\"RW3001\""), 1);
	assert_int_equal(count_in("other.json", "\"name\":\"renamed\""), 1);
	assert_int_equal(count_in("events.json", "\"RW3001\""), 1);
	daemon_stop(&daemon_);
}

static void an_output_taken_away_says_what_it_had_not_sent(void **state)
{
	char config[512];

	(void)state;
	start();
	push(RW_EVENT_TEST);
	step();
	snprintf(config, sizeof(config),
		 "state: %s\noutputs:\n- {type: json, path: %s}\n",
		 scratch("chain"), scratch("events.json"));
	scratch_text("ringwalld.yaml", config);
	assert_true(daemon_reload(&daemon_));
	assert_int_equal(
		count_in(
			"events.json",
			"\"reason\":\"output closed\",\"count\":2,\"first\":1,\"last\":1"),
		1);
	daemon_stop(&daemon_);
}

static void reload_opens_a_rotated_file_anew(void **state)
{
	(void)state;
	start();
	push(RW_EVENT_TEST);
	step();
	assert_int_equal(rename(scratch("events.json"), scratch("old.json")),
			 0);
	assert_true(daemon_reload(&daemon_));
	push(RW_EVENT_TEST);
	step();
	assert_int_equal(count_in("old.json", "\"RW3001\""), 1);
	assert_int_equal(count_in("events.json", "\"RW3001\""), 1);
	daemon_stop(&daemon_);
}

static void what_an_output_drops_is_reported_with_its_sequences(void **state)
{
	(void)state;
	start();
	step();
	/* One message waits already: the heartbeat. */
	for (int i = 0; i < 25; i++)
		push(RW_EVENT_TEST);
	step();
	assert_int_equal(count_in("events.json", "\"RW3001\""), 25);
	assert_int_equal(count_in("events.json", "\"RW4004\""), 1);
	assert_int_equal(
		count_in(
			"events.json",
			"\"reason\":\"queue full\",\"count\":10,\"first\":16,\"last\":25"),
		1);
	/* The output itself could not be told yet, so it is said again. */
	step();
	assert_int_equal(count_in("events.json", "\"RW4004\""), 2);
	assert_int_equal(daemon_.outputs[1]->untold[OUTPUT_QUEUE_FULL].count,
			 10);
	daemon_stop(&daemon_);
}

/* The server comes back: what waited is sent, and with it the report. */
static void after_an_outage_the_report_reaches_the_server(void **state)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int server = socket(AF_UNIX, SOCK_DGRAM, 0);
	unsigned int records = 0, reports = 0;
	char got[8192];
	ssize_t size;

	(void)state;
	start();
	for (int i = 0; i < 25; i++)
		push(RW_EVENT_TEST);
	step();
	snprintf(address.sun_path, sizeof(address.sun_path), "%s",
		 scratch("log"));
	assert_int_equal(
		bind(server, (struct sockaddr *)&address, sizeof(address)), 0);
	for (int i = 0; i < 40; i++) {
		daemon_.outputs[1]->wake = 0;
		step();
		while ((size = recv(server, got, sizeof(got) - 1,
				    MSG_DONTWAIT)) > 0) {
			got[size] = '\0';
			records += strstr(got, " RW3001 ") != NULL;
			reports += strstr(got, " RW4004 ") != NULL;
		}
	}
	assert_int_equal(records, 16);
	assert_int_equal(reports, 1);
	assert_int_equal(daemon_.outputs[1]->untold[OUTPUT_QUEUE_FULL].count,
			 0);
	daemon_stop(&daemon_);
	close(server);
}

static void a_missing_record_is_loud_in_every_output(void **state)
{
	(void)state;
	start();
	push(RW_EVENT_TEST);
	fake.sequence++;
	push(RW_EVENT_TEST);
	step();
	assert_int_equal(count_in("events.json", "\"RW4003\""), 1);
	assert_int_equal(count_in("events.json", "\"expected\":2,\"found\":3"),
			 1);
	daemon_stop(&daemon_);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(the_first_round_sends_a_heartbeat),
		TEST(every_kind_of_record_reaches_the_file),
		TEST(records_wake_the_loop),
		TEST(the_proof_is_kept_across_a_restart),
		TEST(without_a_device_or_a_good_file_it_does_not_start),
		TEST(a_silent_monitor_is_said_once_and_starves_the_watchdog),
		TEST(a_broken_stream_is_left_alone_until_the_next_look),
		TEST(a_bad_configuration_leaves_the_good_one_in_force),
		TEST(a_good_one_takes_over_and_keeps_what_waits),
		TEST(an_output_taken_away_says_what_it_had_not_sent),
		TEST(reload_opens_a_rotated_file_anew),
		TEST(what_an_output_drops_is_reported_with_its_sequences),
		TEST(after_an_outage_the_report_reaches_the_server),
		TEST(a_missing_record_is_loud_in_every_output),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
