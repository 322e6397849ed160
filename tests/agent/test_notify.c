/* SPDX-License-Identifier: MIT */
/* agent/daemon/notify.c: with a manager, with an abstract one, with none. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/daemon/notify.h"
#include "tests/agent/check.h"
#include "tests/policy/scratch.h"

static struct notify notify;

static int setup(void **state)
{
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
	return scratch_open(state);
}

/* A manager that listens at a path, '@' first: in the abstract namespace. */
static int listen_at(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	socklen_t size;

	strncpy(address.sun_path, path, sizeof(address.sun_path) - 1);
	size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
			   strlen(path));
	if (*path == '@')
		address.sun_path[0] = '\0';
	assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
	setenv("NOTIFY_SOCKET", path, 1);
	return fd;
}

static void expect(int fd, const char *text)
{
	char got[256] = "";

	assert_int_equal(recv(fd, got, sizeof(got) - 1, MSG_DONTWAIT),
			 strlen(text));
	assert_string_equal(got, text);
}

static void the_manager_gets_each_message_whole(void **state)
{
	int fd = listen_at(scratch("notify"));

	(void)state;
	notify_open(&notify);
	notify_send(&notify, "READY=1\nSTATUS=%d records", 3);
	expect(fd, "READY=1\nSTATUS=3 records");
	notify_close(&notify);
	close(fd);
}

static void a_manager_in_the_abstract_namespace_is_found(void **state)
{
	char path[64];
	int fd;

	(void)state;
	snprintf(path, sizeof(path), "@ringwall-test-%d", (int)getpid());
	fd = listen_at(path);
	notify_open(&notify);
	notify_send(&notify, "WATCHDOG=1");
	expect(fd, "WATCHDOG=1");
	notify_close(&notify);
	close(fd);
}

static void without_a_manager_nothing_happens(void **state)
{
	(void)state;
	notify_open(&notify);
	assert_int_equal(notify.fd, -1);
	assert_int_equal(notify.watchdog, 0);
	notify_send(&notify, "READY=1");
	notify_close(&notify);
	setenv("NOTIFY_SOCKET", "relative", 1);
	notify_open(&notify);
	assert_int_equal(notify.fd, -1);
	setenv("NOTIFY_SOCKET", scratch("nobody"), 1);
	notify_open(&notify);
	assert_int_equal(notify.fd, -1);
}

static void the_watchdog_is_for_this_process_only(void **state)
{
	char pid[16];

	(void)state;
	setenv("WATCHDOG_USEC", "30000000", 1);
	notify_open(&notify);
	assert_int_equal(notify.watchdog, 30000000000);
	setenv("WATCHDOG_PID", "1", 1);
	notify_open(&notify);
	assert_int_equal(notify.watchdog, 0);
	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	setenv("WATCHDOG_PID", pid, 1);
	notify_open(&notify);
	assert_int_equal(notify.watchdog, 30000000000);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, scratch_close)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(the_manager_gets_each_message_whole),
		TEST(a_manager_in_the_abstract_namespace_is_found),
		TEST(without_a_manager_nothing_happens),
		TEST(the_watchdog_is_for_this_process_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
