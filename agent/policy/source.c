/* SPDX-License-Identifier: MIT */
/*
 * YAML to rules. Each mapping is read by a table of its keys; must never let a
 * key pass that no table names.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <yaml.h>

#include "agent/policy/source.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define PATH_SIZE    64

/** Where the reader stands: "rules[2]" and the file it reads. */
struct reader {
	const char *path;
	yaml_document_t *document;
	struct problem *why;
	char field[PATH_SIZE]; /* without the key at hand */
};

struct word {
	const char *text;
	uint32_t value;
};

static const struct word targets[] = {
	{ "kernel-text", RW_TARGET_KERNEL_TEXT },
	{ "kernel-rodata", RW_TARGET_KERNEL_RODATA },
	{ NULL, 0 },
};

static const struct word modes[] = {
	{ "audit", RW_MODE_AUDIT },
	{ "enforce", RW_MODE_ENFORCE },
	{ NULL, 0 },
};

static const struct word actions[] = {
	{ "allow", RW_ACTION_ALLOW },
	{ "fault", RW_ACTION_FAULT },
	{ "discard", RW_ACTION_DISCARD },
	{ NULL, 0 },
};

static const struct word text_pokes[] = {
	{ "allow", RW_RULE_TEXT_POKE },
	{ "deny", 0 },
	{ NULL, 0 },
};

static const struct word severities[] = {
	{ "info", 1 }, { "low", 2 },	  { "medium", 3 },
	{ "high", 4 }, { "critical", 5 }, { NULL, 0 },
};

/* YAML 1.2 has no other booleans. */
static const struct word booleans[] = {
	{ "true", 1 },
	{ "false", 0 },
	{ NULL, 0 },
};

static const char *word_of(const struct word *words, uint32_t value)
{
	while (words->text && words->value != value)
		words++;
	return words->text;
}

const char *policy_source_target(uint16_t target)
{
	return word_of(targets, target);
}

const char *policy_source_mode(uint8_t mode)
{
	return word_of(modes, mode);
}

const char *policy_source_action(uint8_t action)
{
	return word_of(actions, action);
}

const char *policy_source_severity(uint32_t severity)
{
	return word_of(severities, severity);
}

/** Fails with the place of node, the field's full name and a message. */
static bool wrong(struct reader *reader, const yaml_node_t *node,
		  const char *key, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

static bool wrong(struct reader *reader, const yaml_node_t *node,
		  const char *key, const char *format, ...)
{
	char message[PROBLEM_SIZE / 2];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(message, sizeof(message), format, arguments);
	va_end(arguments);
	problem_set(reader->why, "%s:%zu:%zu: %s%s%s%s%s", reader->path,
		    node->start_mark.line + 1, node->start_mark.column + 1,
		    reader->field, *reader->field && *key ? "." : "", key,
		    *reader->field || *key ? ": " : "", message);
	return false;
}

/** The characters of a scalar without NULs inside, or NULL. */
static const char *scalar(const yaml_node_t *node)
{
	const char *text;

	if (node->type != YAML_SCALAR_NODE)
		return NULL;
	text = (const char *)node->data.scalar.value;
	return strlen(text) == node->data.scalar.length ? text : NULL;
}

/** Digits without a sign or a leading zero (which YAML 1.1 takes for octal). */
static bool read_number(struct reader *reader, const char *key,
			const yaml_node_t *node, uint64_t max, uint64_t *ret)
{
	const char *text = scalar(node);
	uint64_t value = 0;

	if (!text || node->data.scalar.style != YAML_PLAIN_SCALAR_STYLE ||
	    *text == '0')
		text = "";
	for (const char *c = text; *c; c++) {
		unsigned int digit = (unsigned int)*c - '0';

		if (digit > 9 || value > (max - digit) / 10) {
			value = 0;
			break;
		}
		value = value * 10 + digit;
	}
	if (!value)
		return wrong(reader, node, key,
			     "must be a whole number from 1 to %ju",
			     (uintmax_t)max);
	*ret = value;
	return true;
}

static bool read_name(struct reader *reader, const char *key,
		      const yaml_node_t *node, char ret[RW_POLICY_NAME_SIZE])
{
	const char *text = scalar(node);
	size_t length = text ? strlen(text) : 0;

	if (!length || length >= RW_POLICY_NAME_SIZE)
		return wrong(reader, node, key, "must have 1 to %d characters",
			     RW_POLICY_NAME_SIZE - 1);
	for (size_t i = 0; i < length; i++)
		if (text[i] <= ' ' || text[i] > '~')
			return wrong(
				reader, node, key,
				"may hold printable ASCII without spaces only");
	memset(ret, 0, RW_POLICY_NAME_SIZE);
	memcpy(ret, text, length);
	return true;
}

static bool read_word(struct reader *reader, const char *key,
		      const yaml_node_t *node, const struct word *words,
		      uint32_t *ret)
{
	const char *text = scalar(node);
	char choice[128] = "";

	for (const struct word *word = words; word->text; word++) {
		size_t used = strlen(choice);

		if (text && !strcmp(text, word->text)) {
			*ret = word->value;
			return true;
		}
		snprintf(choice + used, sizeof(choice) - used, "%s%s",
			 used ? ", " : "", word->text);
	}
	return wrong(reader, node, key, "\"%.40s\" is not one of %s",
		     text ? text : "", choice);
}

/** A key of a mapping: how it is read, and whether it may be left out. */
struct key {
	const char *name;
	bool required;
	bool (*read)(struct reader *reader, const char *key,
		     const yaml_node_t *node, void *ret);
};

#define MAX_KEYS 8

/** Reads a mapping into *ret; ret_nodes has the node of each key, or NULL. */
static bool read_mapping(struct reader *reader, const yaml_node_t *node,
			 const struct key *keys, size_t count, void *ret,
			 const yaml_node_t *ret_nodes[MAX_KEYS])
{
	const yaml_node_pair_t *pair;

	if (node->type != YAML_MAPPING_NODE)
		return wrong(reader, node, "", "must be a mapping");
	/* NOLINTNEXTLINE(bugprone-sizeof-expression): an array of pointers */
	memset(ret_nodes, 0, MAX_KEYS * sizeof(*ret_nodes));
	for (pair = node->data.mapping.pairs.start;
	     pair < node->data.mapping.pairs.top; pair++) {
		const yaml_node_t *name =
			yaml_document_get_node(reader->document, pair->key);
		const yaml_node_t *value =
			yaml_document_get_node(reader->document, pair->value);
		const char *text = scalar(name);
		size_t i = 0;

		while (i < count && (!text || strcmp(keys[i].name, text)))
			i++;
		if (i == count)
			return wrong(reader, name, text ? text : "",
				     "unknown key");
		if (ret_nodes[i])
			return wrong(reader, name, text,
				     "appears a second time");
		ret_nodes[i] = value;
		if (!keys[i].read(reader, text, value, ret))
			return false;
	}
	for (size_t i = 0; i < count; i++)
		if (keys[i].required && !ret_nodes[i])
			return wrong(reader, node, keys[i].name, "is missing");
	return true;
}

/* The keys of a rule. */

static bool rule_id(struct reader *reader, const char *key,
		    const yaml_node_t *node, void *ret)
{
	struct rw_policy_rule *rule = ret;
	uint64_t value;

	if (!read_number(reader, key, node, UINT32_MAX, &value))
		return false;
	rule->id = (uint32_t)value;
	return true;
}

static bool rule_name(struct reader *reader, const char *key,
		      const yaml_node_t *node, void *ret)
{
	struct rw_policy_rule *rule = ret;

	return read_name(reader, key, node, rule->name);
}

static bool rule_target(struct reader *reader, const char *key,
			const yaml_node_t *node, void *ret)
{
	struct rw_policy_rule *rule = ret;
	uint32_t value = 0;

	if (!read_word(reader, key, node, targets, &value))
		return false;
	rule->target = (uint16_t)value;
	return true;
}

static bool rule_mode(struct reader *reader, const char *key,
		      const yaml_node_t *node, void *ret)
{
	struct rw_policy_rule *rule = ret;
	uint32_t value = 0;

	if (!read_word(reader, key, node, modes, &value))
		return false;
	rule->mode = (uint8_t)value;
	return true;
}

static bool rule_action(struct reader *reader, const char *key,
			const yaml_node_t *node, void *ret)
{
	struct rw_policy_rule *rule = ret;
	uint32_t value = 0;

	if (!read_word(reader, key, node, actions, &value))
		return false;
	rule->action = (uint8_t)value;
	return true;
}

static bool rule_text_poke(struct reader *reader, const char *key,
			   const yaml_node_t *node, void *ret)
{
	struct rw_policy_rule *rule = ret;

	return read_word(reader, key, node, text_pokes, &rule->flags);
}

static bool rule_severity(struct reader *reader, const char *key,
			  const yaml_node_t *node, void *ret)
{
	struct rw_policy_rule *rule = ret;

	return read_word(reader, key, node, severities, &rule->severity);
}

enum { RULE_ID, RULE_NAME, RULE_TARGET, RULE_MODE, RULE_ACTION, RULE_POKE };

static const struct key rule_keys[] = {
	[RULE_ID] = { "id", true, rule_id },
	[RULE_NAME] = { "name", true, rule_name },
	[RULE_TARGET] = { "protect", true, rule_target },
	[RULE_MODE] = { "mode", true, rule_mode },
	[RULE_ACTION] = { "action", false, rule_action },
	[RULE_POKE] = { "text-poke", false, rule_text_poke },
	{ "severity", true, rule_severity },
};

/** What must hold between the keys of a rule, and between rules. */
static bool check_rule(struct reader *reader,
		       const struct policy_source *source,
		       const struct rw_policy_rule *rule,
		       const yaml_node_t *const nodes[MAX_KEYS])
{
	bool allows = rule->action == RW_ACTION_ALLOW;

	if (allows != (rule->mode == RW_MODE_AUDIT))
		return wrong(reader, nodes[RULE_ACTION], "action",
			     "mode %s cannot %s",
			     policy_source_mode(rule->mode),
			     policy_source_action(rule->action));
	if (rule->flags && rule->target != RW_TARGET_KERNEL_TEXT)
		return wrong(reader, nodes[RULE_POKE], "text-poke",
			     "only kernel-text is ever patched");
	for (uint32_t i = 0; i < source->rule_count; i++) {
		if (source->rule[i].id == rule->id)
			return wrong(reader, nodes[RULE_ID], "id",
				     "%u is the id of rules[%u] too", rule->id,
				     i);
		if (source->rule[i].target == rule->target)
			return wrong(reader, nodes[RULE_TARGET], "protect",
				     "rules[%u] protects %s already", i,
				     policy_source_target(rule->target));
	}
	return true;
}

static bool read_rule(struct reader *reader, const yaml_node_t *node,
		      struct policy_source *source)
{
	struct rw_policy_rule rule = {
		.record = { RW_RECORD_RULE, sizeof(rule) },
	};
	const yaml_node_t *nodes[MAX_KEYS];

	if (!read_mapping(reader, node, rule_keys, COUNT(rule_keys), &rule,
			  nodes))
		return false;
	if (!rule.action)
		rule.action = rule.mode == RW_MODE_AUDIT ? RW_ACTION_ALLOW :
							   RW_ACTION_FAULT;
	if (!check_rule(reader, source, &rule, nodes))
		return false;
	source->rule[source->rule_count++] = rule;
	return true;
}

/* The keys of a policy. */

static bool policy_name(struct reader *reader, const char *key,
			const yaml_node_t *node, void *ret)
{
	struct policy_source *source = ret;

	return read_name(reader, key, node, source->name);
}

static bool policy_serial(struct reader *reader, const char *key,
			  const yaml_node_t *node, void *ret)
{
	struct policy_source *source = ret;

	return read_number(reader, key, node, UINT64_MAX, &source->serial);
}

static bool policy_lock(struct reader *reader, const char *key,
			const yaml_node_t *node, void *ret)
{
	struct policy_source *source = ret;
	uint32_t value = 0;

	if (!read_word(reader, key, node, booleans, &value))
		return false;
	source->flags = value ? RW_POLICY_LOCK : 0;
	return true;
}

static bool policy_rules(struct reader *reader, const char *key,
			 const yaml_node_t *node, void *ret)
{
	struct policy_source *source = ret;
	const yaml_node_item_t *item;

	if (node->type != YAML_SEQUENCE_NODE)
		return wrong(reader, node, key, "must be a list of rules");
	if (node->data.sequence.items.start == node->data.sequence.items.top)
		return wrong(reader, node, key, "must hold at least one rule");
	for (item = node->data.sequence.items.start;
	     item < node->data.sequence.items.top; item++) {
		if (source->rule_count == RW_POLICY_MAX_RULES)
			return wrong(reader, node, key,
				     "may hold at most %d rules",
				     RW_POLICY_MAX_RULES);
		snprintf(reader->field, sizeof(reader->field), "%s[%u]", key,
			 source->rule_count);
		if (!read_rule(reader,
			       yaml_document_get_node(reader->document, *item),
			       source))
			return false;
	}
	reader->field[0] = '\0';
	return true;
}

static const struct key policy_keys[] = {
	{ "policy", true, policy_name },
	{ "serial", true, policy_serial },
	{ "lock", false, policy_lock },
	{ "rules", true, policy_rules },
};

static bool read_document(struct reader *reader, struct policy_source *ret)
{
	const yaml_node_t *root = yaml_document_get_root_node(reader->document);
	struct policy_source source = { .flags = RW_POLICY_LOCK };
	const yaml_node_t *nodes[MAX_KEYS];

	if (!root) {
		problem_set(reader->why, "%s:1:1: holds no policy",
			    reader->path);
		return false;
	}
	if (!read_mapping(reader, root, policy_keys, COUNT(policy_keys),
			  &source, nodes))
		return false;
	*ret = source;
	return true;
}

static bool yaml_wrong(const char *path, const yaml_parser_t *parser,
		       struct problem *why)
{
	problem_set(why, "%s:%zu:%zu: not YAML: %s", path,
		    parser->problem_mark.line + 1,
		    parser->problem_mark.column + 1,
		    parser->problem ? parser->problem : "out of memory");
	return false;
}

/** One document is the policy; a second one is an error. */
static bool read_file(const char *path, yaml_parser_t *parser,
		      struct policy_source *ret, struct problem *why)
{
	struct reader reader = { .path = path, .why = why };
	yaml_document_t document, next;
	struct policy_source source;
	bool good;

	if (!yaml_parser_load(parser, &document))
		return yaml_wrong(path, parser, why);
	reader.document = &document;
	good = read_document(&reader, &source);
	yaml_document_delete(&document);
	if (!good)
		return false;
	if (!yaml_parser_load(parser, &next))
		return yaml_wrong(path, parser, why);
	if (yaml_document_get_root_node(&next)) {
		problem_set(why, "%s:%zu:%zu: a second document", path,
			    next.start_mark.line + 1,
			    next.start_mark.column + 1);
		good = false;
	} else {
		*ret = source;
	}
	yaml_document_delete(&next);
	return good;
}

bool policy_source_parse(const char *path, const uint8_t *data, size_t size,
			 struct policy_source *ret, struct problem *why)
{
	yaml_parser_t parser;
	bool good;

	if (!yaml_parser_initialize(&parser)) {
		problem_set(why, "%s: out of memory", path);
		return false;
	}
	yaml_parser_set_input_string(&parser, data, size);
	good = read_file(path, &parser, ret, why);
	yaml_parser_delete(&parser);
	return good;
}
