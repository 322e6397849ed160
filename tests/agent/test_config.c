/* SPDX-License-Identifier: MIT */
/* agent/daemon/config.c: what is taken, and what is said of what is not. */
#include <stdio.h>
#include <string.h>

#include "agent/daemon/config.h"
#include "tests/agent/check.h"
#include "tests/policy/scratch.h"

static struct config config;
static struct config_error error;

static bool parse(const char *text)
{
	memset(&config, 0xee, sizeof(config));
	error.text[0] = '\0';
	return config_parse(&config, text, strlen(text), "d.yaml", &error);
}

static void refuse(const char *text, const char *why)
{
	if (parse(text))
		fail_msg("taken: %s", text);
	if (strncmp(error.text, why, strlen(why)) != 0)
		fail_msg("'%s' does not begin with '%s'", error.text, why);
	/* Nothing of it was used. */
	for (size_t i = 0; i < sizeof(config); i++)
		assert_int_equal(((uint8_t *)&config)[i], 0xee);
}

static void what_is_left_out_has_its_default(void **state)
{
	(void)state;
	assert_true(parse("outputs:\n- type: json\n"
			  "- type: syslog\n  host: siem\n"
			  "- type: syslog\n  transport: unix\n"));
	assert_int_equal(config.heartbeat, 60);
	assert_true(config.symbols);
	assert_string_equal(config.hostname, "");
	assert_string_equal(config.attack_version, "19");
	assert_string_equal(config.state, "/run/ringwall/chain");
	assert_int_equal(config.output_count, 3);
	assert_string_equal(config.outputs[0].path,
			    "/var/log/ringwall/events.json");
	assert_int_equal(config.outputs[0].fsync, CONFIG_FSYNC_BATCH);
	assert_int_equal(config.outputs[1].transport, CONFIG_UDP);
	assert_int_equal(config.outputs[1].port, 514);
	assert_int_equal(config.outputs[1].facility, 16);
	assert_int_equal(config.outputs[1].queue, 1024);
	assert_string_equal(config.outputs[2].path, "/dev/log");
}

static void every_key_is_read(void **state)
{
	(void)state;
	assert_true(parse("heartbeat: 30\n"
			  "hostname: web-017\n"
			  "attack_version: \"18\"\n"
			  "state: /var/lib/ringwall/chain\n"
			  "symbols: false\n"
			  "outputs:\n"
			  "  - type: json\n"
			  "    path: /srv/e.json\n"
			  "    fsync: never\n"
			  "  - type: syslog\n"
			  "    transport: tcp\n"
			  "    host: 192.0.2.7\n"
			  "    port: 6514\n"
			  "    facility: authpriv\n"
			  "    queue: 64\n"));
	assert_int_equal(config.heartbeat, 30);
	assert_string_equal(config.hostname, "web-017");
	assert_string_equal(config.attack_version, "18");
	assert_string_equal(config.state, "/var/lib/ringwall/chain");
	assert_false(config.symbols);
	assert_int_equal(config.outputs[0].fsync, CONFIG_FSYNC_NEVER);
	assert_int_equal(config.outputs[1].transport, CONFIG_TCP);
	assert_string_equal(config.outputs[1].host, "192.0.2.7");
	assert_int_equal(config.outputs[1].port, 6514);
	assert_string_equal(config_facility_name(config.outputs[1].facility),
			    "authpriv");
	assert_int_equal(config.outputs[1].queue, 64);
}

#define JSON "outputs:\n- type: json\n"

static void an_error_names_file_and_line(void **state)
{
	(void)state;
	refuse(JSON "heartbeat: 4\n",
	       "d.yaml:3: heartbeat must be a number from 5 to 86400, not '4'");
	refuse(JSON "heartbeat: 60s\n", "d.yaml:3: heartbeat");
	refuse(JSON "heartbeat: -60\n", "d.yaml:3: heartbeat");
	refuse(JSON "heartbeat: 99999999999999999999\n", "d.yaml:3: heartbeat");
	refuse(JSON "heartbeat: [60]\n",
	       "d.yaml:3: heartbeat must be one value");
	refuse(JSON "\n\nhartbeat: 60\n", "d.yaml:5: unknown key 'hartbeat'");
	refuse(JSON "symbols: maybe\n",
	       "d.yaml:3: symbols must be true or false");
	refuse(JSON "attack_version: 17\n",
	       "d.yaml:3: attack_version: version '17'");
	refuse(JSON "state: chain\n",
	       "d.yaml:3: state must be an absolute path");
	refuse(JSON "hostname: \"a b\"\n",
	       "d.yaml:3: hostname must be printable");
	refuse(JSON "hostname: \"\"\n",
	       "d.yaml:3: hostname must have 1 to 255 bytes");
	refuse(JSON "heartbeat: 60\nheartbeat: 60\n",
	       "d.yaml:4: heartbeat is given twice");
}

static void a_wrong_output_is_named(void **state)
{
	(void)state;
	refuse("outputs: []\n", "d.yaml:1: there must be at least one output");
	refuse("heartbeat: 60\n",
	       "d.yaml:1: there must be at least one output");
	refuse("outputs: json\n", "d.yaml:1: outputs must be a list");
	refuse("outputs:\n- json\n", "d.yaml:2: an output must be a mapping");
	refuse("outputs:\n- type: kafka\n", "d.yaml:2: the type of an output");
	refuse("outputs:\n- path: /x\n", "d.yaml:2: the type of an output");
	refuse("outputs:\n- type: syslog\n",
	       "d.yaml:2: a syslog output needs a host");
	refuse("outputs:\n- type: syslog\n  host: h\n  port: 0\n",
	       "d.yaml:4: port");
	refuse("outputs:\n- type: syslog\n  host: h\n  port: 65536\n",
	       "d.yaml:4: port");
	refuse("outputs:\n- type: syslog\n  host: h\n  transport: tls\n",
	       "d.yaml:4: transport: 'tls' is none of its values");
	refuse("outputs:\n- type: syslog\n  host: h\n  facility: local8\n",
	       "d.yaml:4: facility");
	refuse("outputs:\n- type: syslog\n  transport: unix\n  host: h\n",
	       "d.yaml:4: unknown key 'host'");
	refuse("outputs:\n- type: syslog\n  host: h\n  path: /dev/log\n",
	       "d.yaml:4: unknown key 'path'");
	refuse("outputs:\n- type: json\n  fsync: often\n", "d.yaml:3: fsync");
	refuse("outputs:\n- type: json\n- type: json\n",
	       "d.yaml:3: this output is given twice");
}

static void too_many_outputs_are_refused(void **state)
{
	char text[1024] = "outputs:\n";

	(void)state;
	for (int i = 0; i < CONFIG_OUTPUTS; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text),
			 "- {type: json, path: /x%d}\n", i);
	assert_true(parse(text));
	snprintf(text + strlen(text), sizeof(text) - strlen(text),
		 "- {type: json, path: /y}\n");
	refuse(text, "d.yaml:10: more than 8 outputs");
}

static void what_is_no_yaml_is_refused_with_its_line(void **state)
{
	(void)state;
	refuse("", "d.yaml:1: the file must hold a mapping");
	refuse("just a word\n", "d.yaml:1: the file must hold a mapping");
	refuse("a: 1\n\tb: 2\n", "d.yaml:2: ");
	refuse("a: \"unfinished\n", "d.yaml:2: ");
	refuse("a: \xff\n", "d.yaml:1: ");
	refuse(JSON "---\n" JSON,
	       "d.yaml:4: the file holds more than one document");
	refuse("? [a]\n: b\n", "d.yaml:1: a key must be one value");
}

static void a_hostile_value_cannot_spoil_the_message(void **state)
{
	(void)state;
	refuse("outputs:\n- type: syslog\n  host: \"a\\ePb\"\n",
	       "d.yaml:3: host holds a control character");
	refuse("\"\\e[2J\": 1\n", "d.yaml:1: a key holds a control character");
}

static void a_file_is_read_up_to_its_limit(void **state)
{
	static char large[CONFIG_FILE_MAX + 2];

	(void)state;
	assert_true(config_read(&config, scratch_text("a.yaml", JSON), &error));
	memset(large, '\n', sizeof(large) - 1);
	memcpy(large, JSON, strlen(JSON));
	assert_false(
		config_read(&config, scratch_text("b.yaml", large), &error));
	assert_non_null(strstr(error.text, "larger than"));
	large[CONFIG_FILE_MAX] = '\0';
	assert_true(
		config_read(&config, scratch_text("b.yaml", large), &error));
	assert_false(config_read(&config, scratch("none"), &error));
	assert_non_null(strstr(error.text, "No such file"));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_left_out_has_its_default),
		cmocka_unit_test(every_key_is_read),
		cmocka_unit_test(an_error_names_file_and_line),
		cmocka_unit_test(a_wrong_output_is_named),
		cmocka_unit_test(too_many_outputs_are_refused),
		cmocka_unit_test(what_is_no_yaml_is_refused_with_its_line),
		cmocka_unit_test(a_hostile_value_cannot_spoil_the_message),
		cmocka_unit_test_setup_teardown(a_file_is_read_up_to_its_limit,
						scratch_open, scratch_close),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
