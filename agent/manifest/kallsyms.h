/* SPDX-License-Identifier: MIT */
/*
 * The symbols inside a kernel image (CONFIG_KALLSYMS, base relative), found by
 * what must be true of the tables and not by a version.
 */
#ifndef AGENT_MANIFEST_KALLSYMS_H
#define AGENT_MANIFEST_KALLSYMS_H

#include "agent/manifest/image.h"

struct kernel_symbol {
	uint64_t address;
	const char *name; /* in the table's pool */
	char type;	  /* as nm(1) prints it */
};

struct kallsyms {
	struct kernel_symbol *symbol; /* sorted by address */
	size_t count;
	struct kernel_symbol *by_name; /* the same, sorted by name */
	char *pool;
};

/** Reads the table; the caller calls kallsyms_free() after success. */
bool kallsyms_read(const struct image *image, struct kallsyms *ret,
		   struct problem *why);

void kallsyms_free(struct kallsyms *table);

/** The address of the only symbol of that name; 0 if none or several. */
uint64_t kallsyms_address(const struct kallsyms *table, const char *name);

/** The last symbol at or before an address; NULL if there is none. */
const struct kernel_symbol *kallsyms_find(const struct kallsyms *table,
					  uint64_t address);

#endif
