/* SPDX-License-Identifier: MIT */
/*
 * Whole files in, whole files out. A reader never sees half of what is written
 * here, and nothing is overwritten by the functions that create.
 */
#ifndef AGENT_POLICY_FILES_H
#define AGENT_POLICY_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "agent/policy/problem.h"

/** A file in memory; the owner calls file_free(). */
struct file {
	uint8_t *data; /* never NULL after success */
	size_t size;
};

/** Reads all of a regular file or pipe; fails if it is larger than max. */
bool file_read(const char *path, size_t max, struct file *ret,
	       struct problem *why);

void file_free(struct file *file);

/** Writes a new file of that mode in one piece; fails if path exists. */
bool file_create(const char *path, const void *data, size_t size, mode_t mode,
		 struct problem *why);

/**
 * Puts data in the place of path, which may be a regular file: a temporary file
 * beside it is written, synced and renamed. Permissions stay as they were.
 */
bool file_replace(const char *path, const void *data, size_t size,
		  struct problem *why);

#endif
