/* SPDX-License-Identifier: MIT */
/* agent/policy/source.c: what may be written, and where an error is shown. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "agent/policy/source.h"

/** Parses an exact-size copy; a failure must set nothing but the reason. */
static bool parse(const char *text, struct policy_source *ret,
		  struct problem *why)
{
	struct policy_source before;
	size_t size = strlen(text);
	uint8_t *copy = malloc(size ? size : 1);
	bool good;

	assert_non_null(copy);
	memcpy(copy, text, size);
	memset(ret, 0x5a, sizeof(*ret));
	before = *ret;
	why->text[0] = '\0';
	good = policy_source_parse("p.yaml", copy, size, ret, why);
	if (!good) {
		assert_memory_equal(ret, &before, sizeof(before));
		assert_true(why->text[0]);
		assert_null(strchr(why->text, '\n'));
	}
	free(copy);
	return good;
}

static const char complete[] = "policy: web-servers\n"
			       "serial: 42\n"
			       "lock: false\n"
			       "rules:\n"
			       "  - id: 7\n"
			       "    name: text\n"
			       "    protect: kernel-text\n"
			       "    mode: enforce\n"
			       "    action: discard\n"
			       "    text-poke: allow\n"
			       "    severity: high\n"
			       "  - severity: info\n"
			       "    mode: audit\n"
			       "    action: allow\n"
			       "    protect: kernel-rodata\n"
			       "    name: rodata\n"
			       "    id: 4294967295\n";

static void every_key_is_read(void **state)
{
	struct policy_source source;
	struct problem why;

	(void)state;
	if (!parse(complete, &source, &why))
		fail_msg("%s", why.text);
	assert_string_equal(source.name, "web-servers");
	assert_int_equal(source.serial, 42);
	assert_int_equal(source.flags, 0);
	assert_int_equal(source.rule_count, 2);
	assert_int_equal(source.rule[0].id, 7);
	assert_string_equal(source.rule[0].name, "text");
	assert_int_equal(source.rule[0].target, RW_TARGET_KERNEL_TEXT);
	assert_int_equal(source.rule[0].mode, RW_MODE_ENFORCE);
	assert_int_equal(source.rule[0].action, RW_ACTION_DISCARD);
	assert_int_equal(source.rule[0].flags, RW_RULE_TEXT_POKE);
	assert_int_equal(source.rule[0].severity, 4);
	assert_int_equal(source.rule[1].id, UINT32_MAX);
	assert_int_equal(source.rule[1].target, RW_TARGET_KERNEL_RODATA);
	assert_int_equal(source.rule[1].mode, RW_MODE_AUDIT);
	assert_int_equal(source.rule[1].action, RW_ACTION_ALLOW);
	assert_int_equal(source.rule[1].flags, 0);
	assert_int_equal(source.rule[1].severity, 1);
}

static void what_is_left_out_has_the_safe_value(void **state)
{
	struct policy_source source;
	struct problem why;

	(void)state;
	assert_true(parse("policy: p\nserial: 1\nrules:\n"
			  "- {id: 1, name: t, protect: kernel-text, "
			  "mode: enforce, severity: critical}\n"
			  "- {id: 2, name: r, protect: kernel-rodata, "
			  "mode: audit, severity: low}\n",
			  &source, &why));
	assert_int_equal(source.flags, RW_POLICY_LOCK);
	assert_int_equal(source.rule[0].action, RW_ACTION_FAULT);
	assert_int_equal(source.rule[0].flags, 0);
	assert_int_equal(source.rule[0].severity, 5);
	assert_int_equal(source.rule[1].action, RW_ACTION_ALLOW);
	assert_int_equal(source.rule[1].severity, 2);
}

static void the_largest_serial_and_longest_name_are_taken(void **state)
{
	struct policy_source source;
	struct problem why;

	(void)state;
	assert_true(parse("policy: ~23456789012345678901234567890~\n"
			  "serial: 18446744073709551615\nrules:\n"
			  "- {id: 1, name: t, protect: kernel-text, "
			  "mode: audit, severity: medium}\n",
			  &source, &why));
	assert_int_equal(source.serial, UINT64_MAX);
	assert_int_equal(strlen(source.name), 31);
	assert_int_equal(source.rule[0].severity, 3);
}

/** A line of the complete source replaced, and the error that must come. */
static const struct {
	const char *from;
	const char *to;
	const char *error;
} wrongs[] = {
	{ "policy: web-servers\n", "", "p.yaml:1:1: policy: is missing" },
	{ "policy: web-servers", "policy: ''",
	  "p.yaml:1:9: policy: must have 1 to 31 characters" },
	{ "policy: web-servers", "policy: 12345678901234567890123456789012",
	  "p.yaml:1:9: policy: must have 1 to 31 characters" },
	{ "policy: web-servers", "policy: web servers",
	  "p.yaml:1:9: policy: may hold printable ASCII without spaces only" },
	{ "policy: web-servers", "policy: w\xc3\xa4sche",
	  "p.yaml:1:9: policy: may hold printable ASCII without spaces only" },
	{ "policy: web-servers", "policy: \"a\\0b\"",
	  "p.yaml:1:9: policy: must have 1 to 31 characters" },
	{ "policy: web-servers", "policy: [a]",
	  "p.yaml:1:9: policy: must have 1 to 31 characters" },
	{ "policy: web-servers", "policy: a\npolicy: b",
	  "p.yaml:2:1: policy: appears a second time" },
	{ "serial: 42\n", "", "p.yaml:1:1: serial: is missing" },
	{ "serial: 42", "serial: 0",
	  "p.yaml:2:9: serial: must be a whole number from 1 to 18446744073709551615" },
	{ "serial: 42", "serial: -1",
	  "p.yaml:2:9: serial: must be a whole number from 1 to 18446744073709551615" },
	{ "serial: 42", "serial: 042",
	  "p.yaml:2:9: serial: must be a whole number from 1 to 18446744073709551615" },
	{ "serial: 42", "serial: 1.5",
	  "p.yaml:2:9: serial: must be a whole number from 1 to 18446744073709551615" },
	{ "serial: 42", "serial: \"42\"",
	  "p.yaml:2:9: serial: must be a whole number from 1 to 18446744073709551615" },
	{ "serial: 42", "serial: 18446744073709551616",
	  "p.yaml:2:9: serial: must be a whole number from 1 to 18446744073709551615" },
	{ "serial: 42", "serial:",
	  "p.yaml:2:8: serial: must be a whole number from 1 to 18446744073709551615" },
	{ "lock: false", "lock: no",
	  "p.yaml:3:7: lock: \"no\" is not one of true, false" },
	{ "lock: false", "loch: false", "p.yaml:3:1: loch: unknown key" },
	{ "lock: false", "[a]: false", "p.yaml:3:1: unknown key" },
	{ "    name: text", "    nome: text",
	  "p.yaml:6:5: rules[0].nome: unknown key" },
	{ "    name: text\n", "", "p.yaml:5:5: rules[0].name: is missing" },
	{ "id: 7", "id: 4294967296",
	  "p.yaml:5:9: rules[0].id: must be a whole number from 1 to 4294967295" },
	{ "id: 7", "id: 4294967295",
	  "p.yaml:17:9: rules[1].id: 4294967295 is the id of rules[0] too" },
	{ "id: 7", "id: seven",
	  "p.yaml:5:9: rules[0].id: must be a whole number from 1 to 4294967295" },
	{ "id: 7", "id: 7\n    id: 8",
	  "p.yaml:6:5: rules[0].id: appears a second time" },
	{ "kernel-text", "kernel",
	  "p.yaml:7:14: rules[0].protect: \"kernel\" is not one of kernel-text, kernel-rodata" },
	{ "kernel-rodata", "kernel-text",
	  "p.yaml:15:14: rules[1].protect: rules[0] protects kernel-text already" },
	{ "mode: enforce", "mode: Enforce",
	  "p.yaml:8:11: rules[0].mode: \"Enforce\" is not one of audit, enforce" },
	{ "mode: enforce", "mode: {}",
	  "p.yaml:8:11: rules[0].mode: \"\" is not one of audit, enforce" },
	{ "    mode: enforce\n", "", "p.yaml:5:5: rules[0].mode: is missing" },
	{ "action: discard", "action: kill",
	  "p.yaml:9:13: rules[0].action: \"kill\" is not one of allow, fault, discard" },
	{ "action: discard", "action: allow",
	  "p.yaml:9:13: rules[0].action: mode enforce cannot allow" },
	{ "action: allow", "action: fault",
	  "p.yaml:14:13: rules[1].action: mode audit cannot fault" },
	{ "text-poke: allow", "text-poke: true",
	  "p.yaml:10:16: rules[0].text-poke: \"true\" is not one of allow, deny" },
	{ "    id: 4294967295", "    id: 9\n    text-poke: allow",
	  "p.yaml:18:16: rules[1].text-poke: only kernel-text is ever patched" },
	{ "severity: high", "severity: 4",
	  "p.yaml:11:15: rules[0].severity: \"4\" is not one of info, low, medium, high, critical" },
	{ "    severity: high\n", "",
	  "p.yaml:5:5: rules[0].severity: is missing" },
	{ "rules:\n", "rules: []\nother:\n",
	  "p.yaml:4:8: rules: must hold at least one rule" },
	{ "rules:\n", "rules: none\nother:\n",
	  "p.yaml:4:8: rules: must be a list of rules" },
	{ "rules:\n", "rules:\n  - a rule\n",
	  "p.yaml:5:5: rules[0]: must be a mapping" },
};

/** complete with one text replaced by another. */
static void replaced(char *ret, size_t size, const char *from, const char *to)
{
	const char *at = strstr(complete, from);

	assert_non_null(at);
	snprintf(ret, size, "%.*s%s%s", (int)(at - complete), complete, to,
		 at + strlen(from));
}

static void every_error_is_shown_at_its_place(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(wrongs) / sizeof(wrongs[0]); i++) {
		char text[sizeof(complete) + 100];
		struct policy_source source;
		struct problem why;

		replaced(text, sizeof(text), wrongs[i].from, wrongs[i].to);
		assert_false(parse(text, &source, &why));
		assert_string_equal(why.text, wrongs[i].error);
	}
}

static void what_is_no_policy_is_refused(void **state)
{
	struct policy_source source;
	struct problem why;

	(void)state;
	assert_false(parse("", &source, &why));
	assert_string_equal(why.text, "p.yaml:1:1: holds no policy");
	assert_false(parse("just words", &source, &why));
	assert_string_equal(why.text, "p.yaml:1:1: must be a mapping");
	assert_false(parse("policy: p\n\tserial: 1\n", &source, &why));
	assert_non_null(strstr(why.text, "p.yaml:2:1: not YAML: "));
	assert_false(parse("policy: \"p\nserial: 1\n", &source, &why));
	assert_non_null(strstr(why.text, ": not YAML: "));
	assert_false(parse("policy: *unknown\n", &source, &why));
	assert_non_null(strstr(why.text, ": not YAML: "));
}

static void a_second_document_is_refused(void **state)
{
	char text[2 * sizeof(complete) + 8];
	struct policy_source source;
	struct problem why;

	(void)state;
	snprintf(text, sizeof(text), "%s---\n%s", complete, complete);
	assert_false(parse(text, &source, &why));
	assert_string_equal(why.text, "p.yaml:18:1: a second document");
	snprintf(text, sizeof(text), "%s---\n\t", complete);
	assert_false(parse(text, &source, &why));
	assert_non_null(strstr(why.text, "not YAML"));
}

static void a_rule_that_contains_itself_is_refused(void **state)
{
	struct policy_source source;
	struct problem why;

	(void)state;
	assert_false(parse("policy: p\nserial: 1\nrules: &a\n- *a\n", &source,
			   &why));
	assert_false(parse("&a policy: *a\n", &source, &why));
	assert_false(parse("&a\npolicy: p\nserial: 1\nrules:\n- *a\n", &source,
			   &why));
}

static void more_rules_than_targets_are_refused(void **state)
{
	struct policy_source source;
	struct problem why;

	(void)state;
	assert_false(parse("policy: p\nserial: 1\nrules:\n"
			   "- &r {id: 1, name: t, protect: kernel-text, "
			   "mode: audit, severity: low}\n- *r\n",
			   &source, &why));
	assert_non_null(strstr(why.text, "rules[1].id: 1 is the id"));
}

static void control_characters_do_not_reach_the_terminal(void **state)
{
	struct policy_source source;
	struct problem why;

	(void)state;
	assert_false(parse("\"a\\e[31mb\": 1\n", &source, &why));
	assert_string_equal(why.text, "p.yaml:1:1: a?[31mb: unknown key");
}

static void every_value_has_its_word(void **state)
{
	(void)state;
	assert_string_equal(policy_source_target(RW_TARGET_KERNEL_RODATA),
			    "kernel-rodata");
	assert_string_equal(policy_source_mode(RW_MODE_AUDIT), "audit");
	assert_string_equal(policy_source_action(RW_ACTION_DISCARD), "discard");
	assert_string_equal(policy_source_severity(5), "critical");
	assert_null(policy_source_target(0));
	assert_null(policy_source_mode(3));
	assert_null(policy_source_action(0));
	assert_null(policy_source_severity(6));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_key_is_read),
		cmocka_unit_test(what_is_left_out_has_the_safe_value),
		cmocka_unit_test(the_largest_serial_and_longest_name_are_taken),
		cmocka_unit_test(every_error_is_shown_at_its_place),
		cmocka_unit_test(what_is_no_policy_is_refused),
		cmocka_unit_test(a_second_document_is_refused),
		cmocka_unit_test(a_rule_that_contains_itself_is_refused),
		cmocka_unit_test(more_rules_than_targets_are_refused),
		cmocka_unit_test(control_characters_do_not_reach_the_terminal),
		cmocka_unit_test(every_value_has_its_word),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
