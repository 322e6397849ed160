/* SPDX-License-Identifier: MIT */
/* The verbs of "ringwall manifest", and what they share. */
#ifndef AGENT_MANIFEST_VERBS_H
#define AGENT_MANIFEST_VERBS_H

#include "agent/manifest/image.h"
#include "agent/policy/files.h"
#include "policy/manifest.h"

/** argv[0] is the verb; each returns an enum agent_exit. */
int manifest_inspect(int argc, char **argv);
int manifest_explain(int argc, char **argv);
int manifest_diff(int argc, char **argv);

/** Reads a manifest; the caller calls file_free() after success. */
bool manifest_read(const char *path, struct file *file, struct manifest *ret,
		   struct problem *why);

/** Reads a kernel; the caller calls image_close() and file_free(). */
bool manifest_kernel(const char *path, struct file *file, struct image *ret,
		     struct problem *why);

/** "jump-label", of one bit of enum rw_site_class by its number; NULL: none. */
const char *manifest_class_name(unsigned int bit);

/** How many sites of each class there are; of several classes: in each. */
struct manifest_counts {
	uint32_t sites[8];
	uint64_t site_bytes, range_bytes;
};
struct manifest_counts manifest_count(const struct manifest *manifest);

#endif
