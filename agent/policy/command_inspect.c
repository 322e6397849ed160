/* SPDX-License-Identifier: MIT */
/*
 * ringwall policy inspect: what a policy says, signed or not. Must never give
 * the impression that a signature shown here was checked.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "agent/errors.h"
#include "agent/policy/body.h"
#include "agent/policy/command.h"
#include "agent/policy/source.h"
#include "policy/policy.h"

/** Everything that is shown, whatever the form. */
struct view {
	struct policy policy;
	uint8_t digest[RW_SHA256_SIZE];
	bool is_signed;
	uint8_t key_id[RW_KEY_ID_SIZE];
};

static json_t *json_hex(const void *data, size_t size)
{
	char text[2 * RW_SHA256_SIZE + 1];
	const uint8_t *bytes = data;

	for (size_t i = 0; i < size; i++)
		snprintf(text + 2 * i, 3, "%02x", bytes[i]);
	return json_string(text);
}

/** JSON numbers end at 2^53: addresses are text. */
static json_t *json_address(uint64_t address)
{
	char text[19];

	snprintf(text, sizeof(text), "%#018jx", (uintmax_t)address);
	return json_string(text);
}

/** A number, but for serials that a JSON library cannot hold. */
static json_t *json_serial(uint64_t serial)
{
	char text[21];

	if (serial <= INT64_MAX)
		return json_integer((json_int_t)serial);
	snprintf(text, sizeof(text), "%ju", (uintmax_t)serial);
	return json_string(text);
}

static json_t *json_kernel(const struct rw_policy_kernel *kernel)
{
	return json_pack("{s:o,s:[o,o],s:[o,o],s:o}", "build_id",
			 json_hex(kernel->build_id, sizeof(kernel->build_id)),
			 "text", json_address(kernel->text_start),
			 json_address(kernel->text_end), "rodata",
			 json_address(kernel->rodata_start),
			 json_address(kernel->rodata_end), "build_id_address",
			 json_address(kernel->build_id_address));
}

static json_t *json_rules(const struct policy *policy)
{
	json_t *rules = json_array();

	for (uint32_t i = 0; i < policy->rule_count; i++) {
		const struct rw_policy_rule *rule = &policy->rule[i];

		json_array_append_new(
			rules,
			json_pack("{s:I,s:s,s:s,s:s,s:s,s:s,s:s}", "id",
				  (json_int_t)rule->id, "name", rule->name,
				  "protect", policy_source_target(rule->target),
				  "mode", policy_source_mode(rule->mode),
				  "action", policy_source_action(rule->action),
				  "text_poke",
				  rule->flags & RW_RULE_TEXT_POKE ? "allow" :
								    "deny",
				  "severity",
				  policy_source_severity(rule->severity)));
	}
	return rules;
}

static bool print_json(const struct view *view)
{
	const struct rw_policy_header *header = &view->policy.header;
	json_t *root;
	char *text;

	root = json_pack("{s:s,s:o,s:i,s:b,s:o,s:o,s:o,s:o}", "policy",
			 header->name, "serial", json_serial(header->serial),
			 "version", (int)header->version, "lock",
			 (int)(header->flags & RW_POLICY_LOCK), "digest",
			 json_hex(view->digest, sizeof(view->digest)),
			 "signed_by",
			 view->is_signed ?
				 json_hex(view->key_id, sizeof(view->key_id)) :
				 json_null(),
			 "kernel", json_kernel(&view->policy.kernel), "rules",
			 json_rules(&view->policy));
	text = json_dumps(root, JSON_INDENT(2));
	json_decref(root);
	if (!text)
		return false;
	puts(text);
	free(text);
	return true;
}

static void print_kernel(const struct rw_policy_kernel *kernel)
{
	fputs("kernel     build-id ", stdout);
	print_hex(kernel->build_id, sizeof(kernel->build_id));
	printf("\n  text     %016jx - %016jx\n", (uintmax_t)kernel->text_start,
	       (uintmax_t)kernel->text_end);
	printf("  rodata   %016jx - %016jx\n", (uintmax_t)kernel->rodata_start,
	       (uintmax_t)kernel->rodata_end);
	printf("  build-id %016jx\n", (uintmax_t)kernel->build_id_address);
}

static void print_table(const struct view *view)
{
	const struct policy *policy = &view->policy;

	printf("policy     %s\nserial     %ju\nlock       %s\ndigest     ",
	       policy->header.name, (uintmax_t)policy->header.serial,
	       policy->header.flags & RW_POLICY_LOCK ? "yes" : "no");
	print_hex(view->digest, sizeof(view->digest));
	fputs("\nsigned by  ", stdout);
	if (view->is_signed) {
		fputs("key ", stdout);
		print_hex(view->key_id, sizeof(view->key_id));
		fputs(" (not checked here: see policy verify)\n", stdout);
	} else {
		fputs("nobody\n", stdout);
	}
	print_kernel(&policy->kernel);
	printf("%-10s %-31s %-13s %-7s %-7s %-9s %s\n", "rule", "name",
	       "protects", "mode", "action", "text-poke", "severity");
	for (uint32_t i = 0; i < policy->rule_count; i++) {
		const struct rw_policy_rule *rule = &policy->rule[i];

		printf("%-10u %-31s %-13s %-7s %-7s %-9s %s\n", rule->id,
		       rule->name, policy_source_target(rule->target),
		       policy_source_mode(rule->mode),
		       policy_source_action(rule->action),
		       rule->flags & RW_RULE_TEXT_POKE ? "allow" : "deny",
		       policy_source_severity(rule->severity));
	}
}

static int inspect(const char *path, bool json)
{
	struct policy_file file;
	struct problem why;
	struct view view;
	enum rw_error error;
	int status = policy_file_read(path, &file, &why);

	if (status)
		return command_failed(status, &why);
	error = policy_parse(file.file.data, file.body_size, &view.policy);
	policy_digest(file.file.data, file.body_size, view.digest);
	view.is_signed = file.has_trailer;
	if (view.is_signed)
		memcpy(view.key_id, policy_file_trailer(&file).key_id,
		       sizeof(view.key_id));
	file_free(&file.file);
	if (error)
		return command_refused(path, error);
	if (!json) {
		print_table(&view);
	} else if (!print_json(&view)) {
		problem_set(&why, "%s: out of memory", path);
		return command_failed(EXIT_CODE_ERROR, &why);
	}
	return EXIT_CODE_OK;
}

int policy_inspect(int argc, char **argv)
{
	const char *form = NULL, *path = NULL;
	const struct option_row options[] = { { 'o', "output", &form } };
	const struct command_line line = {
		"ringwall policy inspect [-o table|json] FILE.rwp", options, 1,
		&path, NULL
	};
	bool done;
	int status = command_parse(&line, argc, argv, &done);

	if (done)
		return status;
	if (!form)
		form = "table";
	if (strcmp(form, "table") && strcmp(form, "json"))
		return command_misused(&line, "-o %s: neither table nor json",
				       form);
	return inspect(path, !strcmp(form, "json"));
}
