/* SPDX-License-Identifier: MIT */
/* agent/cli: status and the other commands, on a fake device. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "agent/cli/cli.h"
#include "agent/cli/status.h"
#include "tests/agent/check.h"
#include "tests/agent/fake_device.h"
#include "tests/agent/samples.h"
#include "tests/policy/scratch.h"

static char out[1 << 16], err[4096];
static json_t *json;

static int setup(void **state)
{
	fake_reset();
	fake.status = sample_status();
	fake_boot(0xa5);
	return scratch_open(state);
}

static int teardown(void **state)
{
	json_decref(json);
	json = NULL;
	return scratch_close(state);
}

static void read_back(const char *name, char *text, size_t size)
{
	FILE *file = fopen(scratch(name), "r");
	size_t got = fread(text, 1, size - 1, file);

	text[got] = '\0';
	fclose(file);
}

/* Puts a stream into a file; the descriptor to put it back with. */
static int divert(FILE *stream, const char *name)
{
	int old = dup(fileno(stream));
	FILE *file = fopen(scratch(name), "w");

	fflush(stream);
	dup2(fileno(file), fileno(stream));
	fclose(file);
	return old;
}

static void restore(FILE *stream, int old)
{
	fflush(stream);
	dup2(old, fileno(stream));
	close(old);
}

/* Runs a command with the words of a line, the last word of the command first. */
static int run(int (*command)(int argc, char **argv), const char *line)
{
	char copy[256], *argv[8], *word, *rest = copy;
	int argc = 0, old_out, old_err, result;

	snprintf(copy, sizeof(copy), "%s", line);
	while ((word = strsep(&rest, " ")))
		argv[argc++] = word;
	argv[argc] = NULL;
	optind = 0;
	old_out = divert(stdout, "out");
	old_err = divert(stderr, "err");
	result = command(argc, argv);
	restore(stdout, old_out);
	restore(stderr, old_err);
	read_back("out", out, sizeof(out));
	read_back("err", err, sizeof(err));
	return result;
}

static int status(void)
{
	int result = run(cmd_status, "status -o json");

	json_decref(json);
	json = json_loads(out, JSON_REJECT_DUPLICATES, NULL);
	return result;
}

static const json_t *at(const char *path)
{
	const json_t *value = json;
	char copy[128], *part, *rest = copy;

	snprintf(copy, sizeof(copy), "%s", path);
	while (value && (part = strsep(&rest, ".")))
		value = json_is_array(value) ?
				json_array_get(value, strtoul(part, NULL, 10)) :
				json_object_get(value, part);
	return value;
}

static void expect_text(const char *path, const char *text)
{
	if (!json_is_string(at(path)))
		fail_msg("no text at %s in %s", path, out);
	assert_string_equal(json_string_value(at(path)), text);
}

static void expect_number(const char *path, json_int_t number)
{
	if (!json_is_integer(at(path)))
		fail_msg("no number at %s in %s", path, out);
	assert_int_equal(json_integer_value(at(path)), number);
}

static void everything_the_monitor_says_is_shown(void **state)
{
	(void)state;
	fake.driver.donated = 8 << 20;
	fake.cpus[1].exits = 77;
	fake.cpus[1].exit[10] = 70;
	fake.cpus[1].exit[48] = 7;
	assert_int_equal(status(), EXIT_CODE_OK);
	expect_text("monitor.state", "armed");
	expect_text("monitor.step", "TF");
	expect_text("monitor.kaslr_slide", "0x1c000000");
	expect_number("monitor.hypercalls", 99);
	expect_number("driver.donated_bytes", 8 << 20);
	expect_text("policy.name", "debian12-baseline");
	expect_number("policy.serial", 42);
	assert_int_equal(strlen(json_string_value(at("policy.digest"))), 64);
	expect_text("policy.rules.0.mode", "enforce");
	expect_text("policy.rules.0.action", "fault");
	expect_text("policy.rules.1.mode", "audit");
	expect_number("policy.rules.1.pages", 200);
	expect_text("cpus.1.state", "inside");
	expect_number("cpus.1.exits", 77);
	expect_number("cpus.1.exits_by_reason.CPUID", 70);
	expect_number("cpus.1.exits_by_reason.EPT violation", 7);
	assert_int_equal(json_object_size(at("cpus.1.exits_by_reason")), 2);
	expect_number("memory.low_water", 1400);
	expect_number("memory.reserve", 128);
	expect_number("memory.donated", 1024);
	expect_number("memory.donations", 3);
	expect_number("memory.returns", 1);
	expect_number("memory.requests", 2);
	expect_number("memory.ept_leaves.2M", 300);
	expect_number("events.coalesced", 3);
	assert_true(json_is_false(at("degraded")));
}

static void a_table_says_it_too(void **state)
{
	(void)state;
	fake.cpus[0].exit[18] = 5;
	assert_int_equal(run(cmd_status, "status"), EXIT_CODE_OK);
	assert_non_null(strstr(out, "state      armed, 2 of 2 CPUs inside"));
	assert_non_null(strstr(out, "debian12-baseline, serial 42"));
	assert_non_null(strstr(out, "18 VMCALL"));
	assert_null(strstr(out, "degraded"));
	assert_string_equal(err, "");
}

static void degraded(const char *why)
{
	assert_int_equal(status(), EXIT_CODE_DEGRADED);
	assert_true(json_is_true(at("degraded")));
	expect_text("reasons.0", why);
	assert_int_equal(json_array_size(at("reasons")), 1);
	assert_int_equal(run(cmd_status, "status -o table"),
			 EXIT_CODE_DEGRADED);
	assert_non_null(strstr(out, why));
}

static void a_stopped_cpu_is_degraded(void **state)
{
	(void)state;
	fake.cpus[1].state = RW_CPU_STOPPED;
	degraded("cpu 1 is stopped");
}

static void arming_is_degraded(void **state)
{
	(void)state;
	fake.status.state = RW_STATE_ARMING;
	degraded("protections are not yet seen by every CPU");
}

static void a_cpu_that_was_not_taken_is_degraded(void **state)
{
	(void)state;
	fake.driver.cpus = 3;
	degraded("2 of 3 CPUs were taken");
}

static void lost_records_are_degraded(void **state)
{
	(void)state;
	fake.status.events_lost = 5;
	degraded("5 records were lost");
}

static void a_rule_that_protects_nothing_is_degraded(void **state)
{
	(void)state;
	fake.status.rules[1].pages = 0;
	degraded("rule kernel-rodata protects no page");
}

static void a_mode_that_is_none_is_degraded(void **state)
{
	(void)state;
	fake.status.rules[0].mode = 9;
	degraded("rule kernel-text has no known mode");
}

static void more_rules_than_fit_are_not_read(void **state)
{
	(void)state;
	fake.status.policy_rules = 4000000000u;
	assert_int_equal(status(), EXIT_CODE_DEGRADED);
	assert_int_equal(json_array_size(at("policy.rules")), RW_STATUS_RULES);
}

static void a_host_without_monitor_is_absent(void **state)
{
	(void)state;
	fake.driver.enabled = 0;
	assert_int_equal(status(), EXIT_CODE_ABSENT);
	assert_true(json_is_null(at("monitor")));
	assert_true(json_is_true(at("driver.loaded")));
	assert_int_equal(run(cmd_status, "status"), EXIT_CODE_ABSENT);
	assert_non_null(strstr(out, "loaded, not enabled"));
	fake.open_errno = ENOENT;
	assert_int_equal(run(cmd_status, "status"), EXIT_CODE_ABSENT);
	assert_non_null(strstr(err, "load the module ringwall"));
	assert_string_equal(out, "");
}

static void a_monitor_with_too_many_cpus_is_not_believed(void **state)
{
	(void)state;
	fake.status.cpus = 4000000000u;
	assert_int_equal(run(cmd_status, "status"), EXIT_CODE_ERROR);
	assert_string_equal(out, "");
}

static void a_wrong_word_is_a_usage_error(void **state)
{
	(void)state;
	assert_int_equal(run(cmd_status, "status -o xml"), EXIT_CODE_USAGE);
	assert_int_equal(run(cmd_status, "status now"), EXIT_CODE_USAGE);
	assert_int_equal(run(cmd_status, "status --no"), EXIT_CODE_USAGE);
	assert_int_equal(run(cmd_monitor_enable, "enable now"),
			 EXIT_CODE_USAGE);
	assert_int_equal(run(cmd_monitor_dump, "dump x"), EXIT_CODE_USAGE);
	assert_int_equal(run(cmd_monitor_load, "load a b"), EXIT_CODE_USAGE);
	assert_int_equal(run(cmd_monitor_memory, "memory"), EXIT_CODE_USAGE);
	assert_int_equal(run(cmd_monitor_memory, "memory --give 2"),
			 EXIT_CODE_USAGE);
	assert_int_equal(run(cmd_monitor_memory, "memory --give -2M"),
			 EXIT_CODE_USAGE);
	assert_int_equal(run(cmd_monitor_memory, "memory --take 2Mi"),
			 EXIT_CODE_USAGE);
	assert_int_equal(run(cmd_monitor_memory, "memory --take 4294967296M"),
			 EXIT_CODE_USAGE);
	assert_int_equal(run(cmd_monitor_memory, "memory --take 2M 4M"),
			 EXIT_CODE_USAGE);
	assert_int_equal(run(cmd_monitor_memory, "memory --give 2M --take 2M"),
			 EXIT_CODE_USAGE);
	assert_int_equal(run(cmd_events, "events all"), EXIT_CODE_USAGE);
	assert_int_equal(run(cmd_test_hook, "test-hook check --cpu x"),
			 EXIT_CODE_USAGE);
	assert_int_equal(run(cmd_test_hook, "test-hook nothing"),
			 EXIT_CODE_USAGE);
	assert_int_equal(fake.opens, 0);
}

static void a_refusal_names_the_cpu_and_sets_the_exit_code(void **state)
{
	(void)state;
	fake.error = RW_E_VTX_LOCKED;
	fake.cpu = 1;
	assert_int_equal(run(cmd_monitor_enable, "enable"), EXIT_CODE_ABSENT);
	assert_string_equal(
		err,
		"ringwall: monitor enable: cpu 1: VT-x is locked off by the firmware (IA32_FEATURE_CONTROL)\n");
	fake.error = RW_E_LOCKED;
	fake.cpu = 0xffffffff;
	assert_int_equal(run(cmd_monitor_disable, "disable"), EXIT_CODE_ERROR);
	assert_non_null(strstr(err, "monitor disable: the policy in force"));
	assert_int_equal(run(cmd_monitor_unload, "unload"), EXIT_CODE_ERROR);
	fake.error = RW_E_UNKNOWN_CALL;
	assert_int_equal(run(cmd_test_hook, "test-hook stack-smash --cpu 1"),
			 EXIT_CODE_ERROR);
}

static void commands_that_work_say_nothing(void **state)
{
	(void)state;
	assert_int_equal(run(cmd_monitor_enable, "enable"), EXIT_CODE_OK);
	assert_int_equal(run(cmd_monitor_disable, "disable"), EXIT_CODE_OK);
	assert_int_equal(run(cmd_monitor_unload, "unload"), EXIT_CODE_OK);
	assert_int_equal(run(cmd_test_alert, "test-alert"), EXIT_CODE_OK);
	assert_int_equal(run(cmd_test_hook, "test-hook check --cpu 1"),
			 EXIT_CODE_OK);
	assert_int_equal(fake.call.cpu, 1);
	assert_string_equal(out, "");
	assert_string_equal(err, "");
}

static void memory_is_given_and_taken_in_whole_sizes(void **state)
{
	(void)state;
	assert_int_equal(run(cmd_monitor_memory, "memory --give 6M"),
			 EXIT_CODE_OK);
	assert_int_equal(fake.request, RW_IOC_MEMORY);
	assert_int_equal(fake.memory.bytes, 6 << 20);
	assert_int_equal(fake.memory.take, 0);
	assert_int_equal(run(cmd_monitor_memory, "memory --take 1G"),
			 EXIT_CODE_OK);
	assert_int_equal(fake.memory.bytes, 1 << 30);
	assert_int_equal(fake.memory.take, 1);
	assert_string_equal(out, "");
	assert_string_equal(err, "");
}

static void memory_that_is_kept_is_said_and_how_much_came_back(void **state)
{
	(void)state;
	fake.error = RW_E_MEMORY_IN_USE;
	fake.memory_done = 4 << 20;
	assert_int_equal(run(cmd_monitor_memory, "memory --take 8M"),
			 EXIT_CODE_ERROR);
	assert_non_null(strstr(err, "4 MiB were taken back"));
	assert_non_null(strstr(err, "the monitor uses this memory"));
	fake.memory_done = 0;
	assert_int_equal(run(cmd_monitor_memory, "memory --give 8M"),
			 EXIT_CODE_ERROR);
	assert_null(strstr(err, "taken back"));
	fake.error = 0;
	fake.ioctl_errno = ENODEV;
	assert_int_equal(run(cmd_monitor_memory, "memory --give 8M"),
			 EXIT_CODE_ABSENT);
	assert_null(strstr(err, "taken back"));
}

static void load_needs_a_trusted_key_and_an_image(void **state)
{
	char line[600];

	(void)state;
	snprintf(line, sizeof(line), "load --trust %s %s", scratch("none"),
		 scratch_text("monitor.elf", "image"));
	assert_int_equal(run(cmd_monitor_load, line), EXIT_CODE_UNTRUSTED);
	assert_int_equal(fake.opens, 0);
	assert_int_equal(
		scratch_run(
			"openssl ecparam -name prime256v1 -genkey -noout -out key.pem && openssl ec -in key.pem -pubout -out key.pub"),
		0);
	snprintf(line, sizeof(line), "load --trust %s %s", scratch("key.pub"),
		 scratch("no-image"));
	assert_int_equal(run(cmd_monitor_load, line), EXIT_CODE_ERROR);
	assert_int_equal(fake.opens, 0);
	snprintf(line, sizeof(line), "load --trust %s %s", scratch("key.pub"),
		 scratch("monitor.elf"));
	assert_int_equal(run(cmd_monitor_load, line), EXIT_CODE_OK);
	assert_int_equal(fake.load.image_size, 5);
	assert_int_equal(fake.load.key_count, 1);
}

static void events_are_printed_and_judged(void **state)
{
	struct rw_event record = sample_record(RW_EVENT_TEST);

	(void)state;
	fake_push(&record);
	fake.sequence++;
	fake_push(&record);
	assert_int_equal(run(cmd_events, "events"), EXIT_CODE_OK);
	assert_non_null(strstr(out, "\"sequence\":1,"));
	assert_non_null(strstr(out, "\"code\":\"RW4003\""));
	assert_non_null(strstr(out, "\"sequence\":3,"));
	assert_int_equal(run(cmd_events, "events"), EXIT_CODE_OK);
	assert_string_equal(out, "");
}

static void a_dump_is_printed_and_a_damaged_one_refused(void **state)
{
	static struct rw_dump_header header = { .magic = RW_DUMP_MAGIC };

	(void)state;
	fake.dump = &header;
	fake.dump_size = sizeof(header);
	assert_int_equal(run(cmd_monitor_dump, "dump"), EXIT_CODE_OK);
	assert_non_null(strstr(out, "no panic recorded"));
	assert_int_equal(run(cmd_monitor_dump, "dump -o json"), EXIT_CODE_OK);
	json = json_loads(out, 0, NULL);
	assert_int_equal(json_array_size(at("panics")), 0);
	fake.dump_size--;
	assert_int_equal(run(cmd_monitor_dump, "dump"), EXIT_CODE_ERROR);
	assert_string_equal(out, "");
}

static void a_full_standard_output_is_an_error(void **state)
{
	int old, result;

	(void)state;
	if (access("/dev/full", W_OK))
		skip();
	old = dup(STDOUT_FILENO);
	fflush(stdout);
	assert_non_null(freopen("/dev/full", "w", stdout));
	result = cli_print_json(json_string("x"), EXIT_CODE_OK);
	clearerr(stdout);
	dup2(old, STDOUT_FILENO);
	close(old);
	assert_int_equal(result, EXIT_CODE_ERROR);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(everything_the_monitor_says_is_shown),
		TEST(a_table_says_it_too),
		TEST(a_stopped_cpu_is_degraded),
		TEST(arming_is_degraded),
		TEST(a_cpu_that_was_not_taken_is_degraded),
		TEST(lost_records_are_degraded),
		TEST(a_rule_that_protects_nothing_is_degraded),
		TEST(a_mode_that_is_none_is_degraded),
		TEST(more_rules_than_fit_are_not_read),
		TEST(a_host_without_monitor_is_absent),
		TEST(a_monitor_with_too_many_cpus_is_not_believed),
		TEST(a_wrong_word_is_a_usage_error),
		TEST(a_refusal_names_the_cpu_and_sets_the_exit_code),
		TEST(memory_is_given_and_taken_in_whole_sizes),
		TEST(memory_that_is_kept_is_said_and_how_much_came_back),
		TEST(commands_that_work_say_nothing),
		TEST(load_needs_a_trusted_key_and_an_image),
		TEST(events_are_printed_and_judged),
		TEST(a_dump_is_printed_and_a_damaged_one_refused),
		TEST(a_full_standard_output_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
