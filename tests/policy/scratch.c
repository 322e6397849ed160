/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/policy/scratch.h"

#define PATHS 8

static char folder[256];

int scratch_open(void **state)
{
	const char *parent = getenv("TMPDIR");

	(void)state;
	snprintf(folder, sizeof(folder), "%s/ringwall-test.XXXXXX",
		 parent ? parent : "/tmp");
	return mkdtemp(folder) ? 0 : -1;
}

const char *scratch(const char *name)
{
	static char paths[PATHS][512];
	static size_t next;
	char *path = paths[next++ % PATHS];

	snprintf(path, sizeof(paths[0]), "%s%s%s", folder, *name ? "/" : "",
		 name);
	return path;
}

/** Calls remove() for each file if asked to; how many there are. */
static size_t each_file(bool remove_it)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;
	size_t count = 0;

	assert_non_null(dir);
	while ((entry = readdir(dir))) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		count++;
		if (remove_it)
			remove(scratch(entry->d_name));
	}
	closedir(dir);
	return count;
}

int scratch_close(void **state)
{
	(void)state;
	each_file(true);
	return rmdir(folder);
}

size_t scratch_count(void)
{
	return each_file(false);
}

const char *scratch_write(const char *name, const void *data, size_t size)
{
	const char *path = scratch(name);
	FILE *file = fopen(path, "wb");

	assert_non_null(file);
	assert_int_equal(fwrite(data, 1, size, file), size);
	assert_int_equal(fclose(file), 0);
	return path;
}

const char *scratch_text(const char *name, const char *text)
{
	return scratch_write(name, text, strlen(text));
}

bool scratch_exists(const char *name)
{
	return !access(scratch(name), F_OK);
}

int scratch_run(const char *command)
{
	char line[1024];
	int status;

	snprintf(line, sizeof(line), "cd %s && { %s; } >log 2>&1", folder,
		 command);
	status = system(line);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}
