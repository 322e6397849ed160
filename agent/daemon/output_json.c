/* SPDX-License-Identifier: MIT */
/*
 * Events as lines of a file, each written whole by one write() to its end. After
 * a failed write the next line begins on a line of its own, so that one bad
 * moment costs one line.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "agent/daemon/output.h"

struct output_json {
	struct output output;
	int fd;
	bool torn;  /* the last line has no end */
	bool dirty; /* written, not yet synced */
};

static int open_file(const char *path)
{
	return open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY,
		    0640);
}

static void json_commit(struct output *output)
{
	struct output_json *json = (struct output_json *)output;

	if (json->dirty && output->config.fsync != CONFIG_FSYNC_NEVER)
		fdatasync(json->fd);
	json->dirty = false;
}

static void json_submit(struct output *output,
			const struct output_message *message)
{
	struct output_json *json = (struct output_json *)output;
	const struct event *event = message->event;
	size_t length = strlen(message->json);
	struct iovec parts[3] = {
		{ (char *)"\n", json->torn ? 1 : 0 },
		{ (char *)message->json, length },
		{ (char *)"\n", 1 },
	};
	ssize_t wanted = (ssize_t)(parts[0].iov_len + length + 1);
	ssize_t written;

	do
		written = writev(json->fd, parts, 3);
	while (written < 0 && errno == EINTR);
	if (written != wanted) {
		json->torn = json->torn || written > 0;
		output_drop(output, OUTPUT_WRITE_FAILED,
			    event->from_monitor ? event->record.sequence : 0,
			    event->kind->kind == AGENT_RECORDS_DROPPED);
		return;
	}
	json->torn = false;
	json->dirty = true;
	output->delivered++;
	if (output->config.fsync == CONFIG_FSYNC_EVENT)
		json_commit(output);
}

static bool json_reopen(struct output *output)
{
	struct output_json *json = (struct output_json *)output;
	int fd = open_file(output->config.path);

	if (fd < 0)
		return false;
	json_commit(output);
	close(json->fd);
	json->fd = fd;
	json->torn = false;
	return true;
}

static size_t json_queued(const struct output *output)
{
	(void)output;
	return 0;
}

static void json_close(struct output *output)
{
	struct output_json *json = (struct output_json *)output;

	json_commit(output);
	close(json->fd);
}

static const struct output_ops json_ops = {
	.submit = json_submit,
	.commit = json_commit,
	.reopen = json_reopen,
	.queued = json_queued,
	.close = json_close,
};

struct output *output_json_open(const struct config_output *config,
				struct config_error *error)
{
	struct output_json *json = calloc(1, sizeof(*json));

	if (json)
		json->fd = open_file(config->path);
	if (!json || json->fd < 0) {
		snprintf(error->text, sizeof(error->text), "%s: %s",
			 config->path, strerror(errno));
		free(json);
		return NULL;
	}
	json->output.ops = &json_ops;
	json->output.wake = OUTPUT_NEVER;
	return &json->output;
}
