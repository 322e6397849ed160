/* SPDX-License-Identifier: MIT */
/*
 * The configuration parser on any bytes: no crash, an error that names the file,
 * and what it takes keeps every limit.
 */
#include <stdlib.h>
#include <string.h>

#include "agent/daemon/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct config *config)
{
	if (!config->output_count || config->output_count > CONFIG_OUTPUTS ||
	    config->heartbeat < 5 || config->state[0] != '/')
		abort();
	for (size_t i = 0; i < config->output_count; i++) {
		const struct config_output *output = &config->outputs[i];

		if (output->type == CONFIG_SYSLOG &&
		    (output->queue < 16 || output->queue > 65536 ||
		     output->facility > 23 ||
		     (output->transport == CONFIG_UNIX) == !output->path[0]))
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config_error error;
	struct config config;

	if (size > CONFIG_FILE_MAX)
		return 0;
	if (config_parse(&config, (const char *)data, size, "f", &error))
		check(&config);
	else if (strncmp(error.text, "f:", 2) != 0)
		abort();
	return 0;
}
