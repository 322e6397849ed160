/* SPDX-License-Identifier: MIT */
/* A manifest from a kernel file. */
#ifndef AGENT_MANIFEST_BUILD_H
#define AGENT_MANIFEST_BUILD_H

#include <stdbool.h>

#include "agent/manifest/sites.h"
#include "agent/policy/files.h"

/**
 * Makes the manifest of an open kernel; the same file gives the same bytes. The
 * caller frees *ret with file_free().
 */
bool manifest_build(const struct image *image, struct file *ret,
		    struct problem *why);

#endif
