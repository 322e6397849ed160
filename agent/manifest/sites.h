/* SPDX-License-Identifier: MIT */
/*
 * The patch sites of a kernel, from its own tables. Must never name a kernel
 * version: a table that is not there has no sites, one that cannot be read is
 * an error.
 */
#ifndef AGENT_MANIFEST_SITES_H
#define AGENT_MANIFEST_SITES_H

#include "agent/manifest/kallsyms.h"
#include "agent/manifest/pattern.h"

/** The order in which the kernel patches, where sites overlap. */
enum site_kind {
	SITE_PARAVIRT,
	SITE_RETPOLINE,
	SITE_RETURN,
	SITE_ALTERNATIVE,
	SITE_SMP_LOCK,
	SITE_FTRACE,
	SITE_FTRACE_CALL, /* the tracers' own calls to the traced functions */
	SITE_JUMP_LABEL,
	SITE_STATIC_CALL,
	SITE_TRAMPOLINE, /* __SCT__ of a static call */
};

/** A row of one table. */
struct site {
	uint64_t address;
	uint8_t length;
	uint8_t kind;	   /* enum site_kind */
	uint8_t parameter; /* retpoline: register; static call: is a tail
				call; alternative: length of the replacement */
	uint64_t other;	   /* jump label: target; alternative: replacement;
				paravirt: the native function, 0 for none */
	uint32_t row;	   /* in its table: alternatives apply in order */
};

/** The lists of targets, and their numbers in the manifest. */
enum target_list {
	LIST_FUNCTIONS, /* functions whose address is taken somewhere */
	LIST_TRACERS,
	LIST_PARAVIRT, /* functions of the hypervisors' paravirt_ops */
	LISTS,
};

struct targets {
	uint32_t *offset; /* sorted, no repeats */
	size_t count;
};

#define THUNKS 8 /* return thunks at most */

/** All that is known of a kernel before its manifest is written. */
struct kernel_sites {
	const struct image *image;
	struct kallsyms symbols;
	struct targets list[LISTS];
	uint32_t return_thunk[THUNKS];
	size_t return_thunk_count;
	struct site *site; /* sorted by address, kind, row */
	size_t count;
};

/** Reads all tables; the caller calls kernel_sites_free() after success. */
bool kernel_sites_read(const struct image *image, struct kernel_sites *ret,
		       struct problem *why);

void kernel_sites_free(struct kernel_sites *sites);

/**
 * The sites that overlap site number first, and all strings they may hold
 * together. *ret_end: the first site behind them.
 */
bool kernel_sites_region(const struct kernel_sites *sites, size_t first,
			 size_t *ret_end, struct pattern_set *ret,
			 uint8_t *ret_classes, struct problem *why);

/** For sites.c and forms.c. */
static inline uint32_t offset_of(const struct kernel_sites *sites,
				 uint64_t address)
{
	return (uint32_t)(address - sites->image->kernel.text_start);
}

/** What one site may hold beside what is there; in forms.c. */
bool site_apply(const struct kernel_sites *sites, const struct site *site,
		uint64_t start, struct pattern_set *set, struct problem *why);

/** Fills the lists and the return thunks; in targets.c. */
bool kernel_targets_read(struct kernel_sites *sites, struct problem *why);

/** Index of the first site at or behind an address. */
size_t kernel_sites_find(const struct kernel_sites *sites, uint64_t address);

#endif
