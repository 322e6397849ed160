/* SPDX-License-Identifier: MIT */
/*
 * The configuration as tables of keys over libyaml's document. The first wrong
 * thing ends the reading; nothing is guessed, no unknown key is passed over.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <yaml.h>

#include "agent/daemon/config.h"
#include "agent/event/kinds.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define DEFAULT_HEARTBEAT 60
#define DEFAULT_STATE	  "/run/ringwall/chain"
#define DEFAULT_JSON	  "/var/log/ringwall/events.json"
#define DEFAULT_SOCKET	  "/dev/log"
#define DEFAULT_PORT	  514
#define DEFAULT_FACILITY  16
#define DEFAULT_QUEUE	  1024

struct parser {
	yaml_document_t document;
	const char *name;
	struct config_error *error;
};

/* One key of a mapping: where its value goes and what it may be. */
struct key {
	const char *name;
	bool (*parse)(struct parser *parser, const yaml_node_t *value,
		      const struct key *key, void *target);
	size_t offset;		  /* in the structure */
	uint32_t low, high;	  /* of a number; high: room of a text */
	const char *const *words; /* of a choice, ends with NULL */
};

static const char *const facilities[] = {
	"kern",	    "user",   "mail",	"daemon",   "auth",
	"syslog",   "lpr",    "news",	"uucp",	    "cron",
	"authpriv", "ftp",    "ntp",	"security", "console",
	"clock",    "local0", "local1", "local2",   "local3",
	"local4",   "local5", "local6", "local7",   NULL,
};
static const char *const fsync_words[] = { "batch", "event", "never", NULL };
static const char *const transport_words[] = { "udp", "tcp", "unix", NULL };

const char *config_facility_name(unsigned int facility)
{
	return facility < COUNT(facilities) ? facilities[facility] : NULL;
}

static bool fail(struct parser *parser, size_t line, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static bool fail(struct parser *parser, size_t line, const char *format, ...)
{
	char *text = parser->error->text;
	size_t size = sizeof(parser->error->text);
	va_list arguments;
	int used;

	used = snprintf(text, size, "%s:%zu: ", parser->name, line + 1);
	if (used < 0 || (size_t)used >= size)
		return false;
	va_start(arguments, format);
	vsnprintf(text + used, size - (size_t)used, format, arguments);
	va_end(arguments);
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			*text = '?';
	return false;
}

static const char *scalar(struct parser *parser, const yaml_node_t *node,
			  const char *key)
{
	const char *text = (const char *)node->data.scalar.value;

	if (node->type != YAML_SCALAR_NODE) {
		fail(parser, node->start_mark.line, "%s must be one value",
		     key);
		return NULL;
	}
	for (size_t i = 0; i < node->data.scalar.length; i++)
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f) {
			fail(parser, node->start_mark.line,
			     "%s holds a control character", key);
			return NULL;
		}
	return text;
}

static bool parse_text(struct parser *parser, const yaml_node_t *value,
		       const struct key *key, void *target)
{
	const char *text = scalar(parser, value, key->name);

	if (!text)
		return false;
	if (!*text || strlen(text) >= key->high)
		return fail(parser, value->start_mark.line,
			    "%s must have 1 to %u bytes", key->name,
			    key->high - 1);
	memcpy(target, text, strlen(text) + 1);
	return true;
}

static bool parse_path(struct parser *parser, const yaml_node_t *value,
		       const struct key *key, void *target)
{
	if (!parse_text(parser, value, key, target))
		return false;
	if (*(const char *)target != '/')
		return fail(parser, value->start_mark.line,
			    "%s must be an absolute path", key->name);
	return true;
}

static bool parse_name(struct parser *parser, const yaml_node_t *value,
		       const struct key *key, void *target)
{
	if (!parse_text(parser, value, key, target))
		return false;
	for (const char *c = target; *c; c++)
		if (*c <= ' ' || *c > '~')
			return fail(parser, value->start_mark.line,
				    "%s must be printable ASCII without space",
				    key->name);
	return true;
}

static bool parse_attack(struct parser *parser, const yaml_node_t *value,
			 const struct key *key, void *target)
{
	if (!parse_text(parser, value, key, target))
		return false;
	if (!attack_version_known(target))
		return fail(parser, value->start_mark.line,
			    "%s: version '%s' of MITRE ATT&CK is not known",
			    key->name, (const char *)target);
	return true;
}

static bool parse_number(struct parser *parser, const yaml_node_t *value,
			 const struct key *key, void *target)
{
	const char *text = scalar(parser, value, key->name);
	unsigned long number;
	char *end;

	if (!text)
		return false;
	errno = 0;
	number = strtoul(text, &end, 10);
	if (*text < '0' || *text > '9' || *end || errno || number < key->low ||
	    number > key->high)
		return fail(parser, value->start_mark.line,
			    "%s must be a number from %u to %u, not '%s'",
			    key->name, key->low, key->high, text);
	*(uint32_t *)target = (uint32_t)number;
	return true;
}

static bool parse_choice(struct parser *parser, const yaml_node_t *value,
			 const struct key *key, void *target)
{
	const char *text = scalar(parser, value, key->name);
	uint32_t i;

	if (!text)
		return false;
	for (i = 0; key->words[i]; i++)
		if (!strcmp(key->words[i], text)) {
			*(uint32_t *)target = i;
			return true;
		}
	return fail(parser, value->start_mark.line,
		    "%s: '%s' is none of its values", key->name, text);
}

static bool parse_bool(struct parser *parser, const yaml_node_t *value,
		       const struct key *key, void *target)
{
	const char *text = scalar(parser, value, key->name);

	if (!text)
		return false;
	if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0)
		return fail(parser, value->start_mark.line,
			    "%s must be true or false", key->name);
	*(bool *)target = !strcmp(text, "true");
	return true;
}

/* The type of an output is read first, by itself. */
static bool parse_type(struct parser *parser, const yaml_node_t *value,
		       const struct key *key, void *target)
{
	(void)parser;
	(void)value;
	(void)key;
	(void)target;
	return true;
}

#define OUTPUT(member) offsetof(struct config_output, member)
static const struct key json_keys[] = {
	{ "type", parse_type, 0, 0, 0, NULL },
	{ "path", parse_path, OUTPUT(path), 0, CONFIG_TEXT, NULL },
	{ "fsync", parse_choice, OUTPUT(fsync), 0, 0, fsync_words },
};
static const struct key network_keys[] = {
	{ "type", parse_type, 0, 0, 0, NULL },
	{ "transport", parse_choice, OUTPUT(transport), 0, 0, transport_words },
	{ "facility", parse_choice, OUTPUT(facility), 0, 0, facilities },
	{ "queue", parse_number, OUTPUT(queue), 16, 65536, NULL },
	{ "host", parse_name, OUTPUT(host), 0, CONFIG_TEXT, NULL },
	{ "port", parse_number, OUTPUT(port), 1, 65535, NULL },
};
static const struct key unix_keys[] = {
	{ "type", parse_type, 0, 0, 0, NULL },
	{ "transport", parse_choice, OUTPUT(transport), 0, 0, transport_words },
	{ "facility", parse_choice, OUTPUT(facility), 0, 0, facilities },
	{ "queue", parse_number, OUTPUT(queue), 16, 65536, NULL },
	{ "path", parse_path, OUTPUT(path), 0, 108, NULL },
};

static bool parse_outputs(struct parser *parser, const yaml_node_t *value,
			  const struct key *key, void *target);

#define CONFIG(member) offsetof(struct config, member)
static const struct key config_keys[] = {
	{ "heartbeat", parse_number, CONFIG(heartbeat), 5, 86400, NULL },
	{ "hostname", parse_name, CONFIG(hostname), 0, CONFIG_TEXT, NULL },
	{ "attack_version", parse_attack, CONFIG(attack_version), 0, 16, NULL },
	{ "state", parse_path, CONFIG(state), 0, CONFIG_TEXT, NULL },
	{ "symbols", parse_bool, CONFIG(symbols), 0, 0, NULL },
	{ "outputs", parse_outputs, 0, 0, 0, NULL },
};

/* Node number i, which libyaml has checked to be there. */
static const yaml_node_t *node(struct parser *parser, int i)
{
	return yaml_document_get_node(&parser->document, i);
}

static bool parse_mapping(struct parser *parser, const yaml_node_t *mapping,
			  const struct key *keys, size_t key_count,
			  void *target)
{
	const yaml_node_pair_t *pair = mapping->data.mapping.pairs.start;
	uint32_t seen = 0;

	for (; pair < mapping->data.mapping.pairs.top; pair++) {
		const yaml_node_t *name = node(parser, pair->key);
		const char *text = scalar(parser, name, "a key");
		size_t i = 0;

		if (!text)
			return false;
		while (i < key_count && strcmp(keys[i].name, text) != 0)
			i++;
		if (i == key_count)
			return fail(parser, name->start_mark.line,
				    "unknown key '%s'", text);
		if (seen & 1u << i)
			return fail(parser, name->start_mark.line,
				    "%s is given twice", text);
		seen |= 1u << i;
		if (!keys[i].parse(parser, node(parser, pair->value), &keys[i],
				   (char *)target + keys[i].offset))
			return false;
	}
	return true;
}

/* The value of a key in a mapping, or NULL: to choose the table of keys. */
static const char *peek(struct parser *parser, const yaml_node_t *mapping,
			const char *key)
{
	const yaml_node_pair_t *pair = mapping->data.mapping.pairs.start;

	for (; pair < mapping->data.mapping.pairs.top; pair++) {
		const yaml_node_t *name = node(parser, pair->key);
		const yaml_node_t *value = node(parser, pair->value);

		if (name->type == YAML_SCALAR_NODE &&
		    value->type == YAML_SCALAR_NODE &&
		    !strcmp((const char *)name->data.scalar.value, key))
			return (const char *)value->data.scalar.value;
	}
	return NULL;
}

static bool parse_json(struct parser *parser, const yaml_node_t *mapping,
		       struct config_output *output)
{
	output->type = CONFIG_JSON;
	strcpy(output->path, DEFAULT_JSON);
	return parse_mapping(parser, mapping, json_keys, COUNT(json_keys),
			     output);
}

static bool parse_syslog(struct parser *parser, const yaml_node_t *mapping,
			 struct config_output *output)
{
	const char *transport = peek(parser, mapping, "transport");

	output->type = CONFIG_SYSLOG;
	output->facility = DEFAULT_FACILITY;
	output->queue = DEFAULT_QUEUE;
	if (transport && !strcmp(transport, "unix")) {
		strcpy(output->path, DEFAULT_SOCKET);
		return parse_mapping(parser, mapping, unix_keys,
				     COUNT(unix_keys), output);
	}
	output->port = DEFAULT_PORT;
	if (!parse_mapping(parser, mapping, network_keys, COUNT(network_keys),
			   output))
		return false;
	if (!output->host[0])
		return fail(parser, mapping->start_mark.line,
			    "a syslog output needs a host");
	return true;
}

static bool parse_output(struct parser *parser, const yaml_node_t *mapping,
			 struct config_output *output)
{
	const char *type;

	if (mapping->type != YAML_MAPPING_NODE)
		return fail(parser, mapping->start_mark.line,
			    "an output must be a mapping with a type");
	memset(output, 0, sizeof(*output));
	type = peek(parser, mapping, "type");
	if (type && !strcmp(type, "json"))
		return parse_json(parser, mapping, output);
	if (type && !strcmp(type, "syslog"))
		return parse_syslog(parser, mapping, output);
	return fail(parser, mapping->start_mark.line,
		    "the type of an output must be json or syslog");
}

static bool parse_outputs(struct parser *parser, const yaml_node_t *value,
			  const struct key *key, void *target)
{
	struct config *config = target;
	const yaml_node_item_t *item = value->data.sequence.items.start;

	if (value->type != YAML_SEQUENCE_NODE)
		return fail(parser, value->start_mark.line, "%s must be a list",
			    key->name);
	for (; item < value->data.sequence.items.top; item++) {
		struct config_output *output =
			&config->outputs[config->output_count];

		if (config->output_count == CONFIG_OUTPUTS)
			return fail(parser,
				    node(parser, *item)->start_mark.line,
				    "more than %d outputs", CONFIG_OUTPUTS);
		if (!parse_output(parser, node(parser, *item), output))
			return false;
		for (size_t i = 0; i < config->output_count; i++)
			if (!memcmp(&config->outputs[i], output,
				    sizeof(*output)))
				return fail(
					parser,
					node(parser, *item)->start_mark.line,
					"this output is given twice");
		config->output_count++;
	}
	return true;
}

static bool parse_document(struct parser *parser, struct config *config)
{
	const yaml_node_t *root =
		yaml_document_get_root_node(&parser->document);

	if (!root || root->type != YAML_MAPPING_NODE)
		return fail(parser, root ? root->start_mark.line : 0,
			    "the file must hold a mapping");
	if (!parse_mapping(parser, root, config_keys, COUNT(config_keys),
			   config))
		return false;
	if (!config->output_count)
		return fail(parser, root->start_mark.line,
			    "there must be at least one output");
	return true;
}

/* Behind the document there is nothing. */
static bool parse_end(struct parser *parser, yaml_parser_t *yaml)
{
	const yaml_node_t *root;
	bool good;

	if (!yaml_parser_load(yaml, &parser->document))
		return fail(parser, yaml->problem_mark.line, "%s",
			    yaml->problem ? yaml->problem : "no YAML");
	root = yaml_document_get_root_node(&parser->document);
	good = !root || fail(parser, root->start_mark.line,
			     "the file holds more than one document");
	yaml_document_delete(&parser->document);
	return good;
}

bool config_parse(struct config *config, const char *text, size_t size,
		  const char *name, struct config_error *error)
{
	struct parser parser = { .name = name, .error = error };
	struct config parsed;
	yaml_parser_t yaml;
	bool good;

	memset(&parsed, 0, sizeof(parsed));
	parsed.heartbeat = DEFAULT_HEARTBEAT;
	parsed.symbols = true;
	strcpy(parsed.attack_version, ATTACK_VERSION_DEFAULT);
	strcpy(parsed.state, DEFAULT_STATE);
	if (!yaml_parser_initialize(&yaml))
		return fail(&parser, 0, "not enough memory");
	yaml_parser_set_input_string(&yaml, (const unsigned char *)text, size);
	if (!yaml_parser_load(&yaml, &parser.document)) {
		fail(&parser, yaml.problem_mark.line, "%s",
		     yaml.problem ? yaml.problem : "no YAML");
		yaml_parser_delete(&yaml);
		return false;
	}
	good = parse_document(&parser, &parsed);
	yaml_document_delete(&parser.document);
	if (good)
		good = parse_end(&parser, &yaml);
	yaml_parser_delete(&yaml);
	if (good)
		*config = parsed;
	return good;
}

bool config_read(struct config *config, const char *path,
		 struct config_error *error)
{
	FILE *file = fopen(path, "re");
	size_t size = 0;
	bool good;
	char *text;

	if (!file) {
		snprintf(error->text, sizeof(error->text), "%s: %s", path,
			 strerror(errno));
		return false;
	}
	text = malloc(CONFIG_FILE_MAX + 1);
	if (text)
		size = fread(text, 1, CONFIG_FILE_MAX + 1, file);
	good = text && !ferror(file) && size <= CONFIG_FILE_MAX;
	fclose(file);
	if (good)
		good = config_parse(config, text, size, path, error);
	else
		snprintf(error->text, sizeof(error->text),
			 "%s: cannot be read, or is larger than %d bytes", path,
			 CONFIG_FILE_MAX);
	free(text);
	return good;
}
