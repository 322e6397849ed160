/* SPDX-License-Identifier: MIT */
/*
 * A folder of public keys. Must never skip what it cannot read: a key left out
 * in silence, or one let in by accident, is a change of who rules the host.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/policy/keys.h"
#include "agent/policy/trust.h"
#include "policy/policy.h"

static bool is_key_name(const char *name)
{
	const char *end = strrchr(name, '.');

	return end && end != name &&
	       (!strcmp(end, ".pub") || !strcmp(end, ".pem"));
}

static int wanted(const struct dirent *entry)
{
	return is_key_name(entry->d_name);
}

/** Order of bytes, whatever the locale. */
static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

/** Adds the key of one file to *count others. */
static enum rw_error add_file(const char *path,
			      uint8_t (*points)[RW_KEY_POINT_SIZE], size_t max,
			      size_t *count, struct problem *why)
{
	uint8_t point[RW_KEY_POINT_SIZE];
	struct policy_key key;

	if (!key_read_public(path, point, why))
		return RW_E_TRUST;
	if (policy_key_init(point, &key)) {
		problem_set(why, "%s: not a point of the curve P-256", path);
		return RW_E_TRUST;
	}
	for (size_t i = 0; i < *count; i++)
		if (!memcmp(points[i], point, sizeof(point)))
			return RW_OK;
	if (*count == max) {
		problem_set(why, "%s: one key too many, %zu can be trusted",
			    path, max);
		return RW_E_TRUST;
	}
	memcpy(points[(*count)++], point, sizeof(point));
	return RW_OK;
}

static enum rw_error add_folder(const char *path,
				uint8_t (*points)[RW_KEY_POINT_SIZE],
				size_t max, size_t *count, struct problem *why)
{
	enum rw_error error = RW_OK;
	struct dirent **entries;
	int found = scandir(path, &entries, wanted, by_name);
	char file[4096];

	if (found < 0) {
		problem_errno(why, path);
		return RW_E_TRUST;
	}
	for (int i = 0; i < found; i++) {
		int length = snprintf(file, sizeof(file), "%s/%s", path,
				      entries[i]->d_name);

		free(entries[i]);
		if (error)
			continue;
		if (length < 0 || (size_t)length >= sizeof(file)) {
			problem_set(why, "%s: path too long", path);
			error = RW_E_TRUST;
		} else {
			error = add_file(file, points, max, count, why);
		}
	}
	free(entries);
	if (!error && !found) {
		problem_set(why, "%s: no *.pub or *.pem file in this folder",
			    path);
		error = RW_E_TRUST;
	}
	return error;
}

enum rw_error trust_load(const char *path, uint8_t (*points)[RW_KEY_POINT_SIZE],
			 size_t max, size_t *ret_count, struct problem *why)
{
	enum rw_error error;
	struct stat status;
	size_t count = 0;

	if (stat(path, &status)) {
		problem_errno(why, path);
		return RW_E_TRUST;
	}
	if (S_ISDIR(status.st_mode))
		error = add_folder(path, points, max, &count, why);
	else
		error = add_file(path, points, max, &count, why);
	if (!error)
		*ret_count = count;
	return error;
}
