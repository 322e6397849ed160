/* SPDX-License-Identifier: MIT */
/* What all outputs share: how they are opened, named and counted. */
#include <stdio.h>
#include <stdlib.h>

#include "agent/daemon/output.h"
#include "agent/event/text.h"

static void name_output(struct output *output)
{
	static const char *const transports[] = { "udp", "tcp", "unix" };
	const struct config_output *config = &output->config;
	char name[2 * CONFIG_TEXT];

	if (config->type == CONFIG_JSON)
		snprintf(name, sizeof(name), "json:%s", config->path);
	else if (config->transport == CONFIG_UNIX)
		snprintf(name, sizeof(name), "syslog:unix:%s", config->path);
	else
		snprintf(name, sizeof(name), "syslog:%s:%s:%u",
			 transports[config->transport], config->host,
			 config->port);
	text_name(output->name, sizeof(output->name), name, sizeof(name));
}

struct output *output_open(const struct config_output *config,
			   struct config_error *error)
{
	struct output *output;

	if (config->type == CONFIG_JSON)
		output = output_json_open(config, error);
	else
		output = output_syslog_open(config, error);
	if (!output)
		return NULL;
	output->config = *config;
	name_output(output);
	return output;
}

void output_close(struct output *output, struct output_drops *ret_drops)
{
	output->ops->close(output);
	if (ret_drops)
		*ret_drops = output->untold[OUTPUT_CLOSED];
	free(output);
}

void output_submit(struct output *output, const struct output_message *message)
{
	output->received++;
	output->ops->submit(output, message);
}

void output_drop(struct output *output, enum output_reason reason,
		 uint64_t sequence, bool told)
{
	struct output_drops *drops = &output->untold[reason];

	output->dropped++;
	if (told)
		return;
	drops->count++;
	if (!sequence)
		return;
	if (!drops->first)
		drops->first = sequence;
	drops->last = sequence;
}

const char *output_reason_text(enum output_reason reason)
{
	static const char *const texts[OUTPUT_REASONS] = {
		[OUTPUT_QUEUE_FULL] = "queue full",
		[OUTPUT_WRITE_FAILED] = "write failed",
		[OUTPUT_TOO_LARGE] = "too large",
		[OUTPUT_CLOSED] = "output closed",
	};

	return texts[reason];
}
