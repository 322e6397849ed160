/* SPDX-License-Identifier: MIT */
/*
 * The reader of manifests (<ringwall/manifest.h>), and the judge of a site's
 * bytes. Pure like the policy library: no globals, no heap, general registers
 * only. Works in place on memory that nobody else can change.
 */
#ifndef RINGWALL_POLICY_MANIFEST_H
#define RINGWALL_POLICY_MANIFEST_H

#include <ringwall/error.h>
#include <ringwall/manifest.h>

/** An opened manifest: its tables, in the caller's buffer. */
struct manifest {
	const struct rw_manifest_header *header;
	const struct rw_manifest_page *page;
	const struct rw_manifest_range *range;
	const struct rw_manifest_list *list;
	const uint32_t *target;
	const uint32_t *set;
	const uint32_t *words;
	const struct rw_manifest_site *site;
	const uint16_t *relocation;
};

/** A site with its rule. */
struct manifest_site {
	uint32_t offset; /* of its first byte */
	struct rw_manifest_set set;
	const uint32_t *strings; /* the first string, in words[] */
};

/**
 * Checks all of a manifest of size bytes; data is aligned to 8. On success
 * every index and length in it may be followed. On failure *ret is untouched.
 *   RW_E_MANIFEST          not a manifest, of another version, truncated, or a
 *                          field holds a value that is not allowed
 */
RW_MUST_USE enum rw_error manifest_open(const void *data, size_t size,
					struct manifest *ret);

/** The offset of a page's first byte; page < page_count. */
uint32_t manifest_page_offset(const struct manifest *manifest, uint32_t page);

/** The page an offset lies in, or page_count if it is in none. */
uint32_t manifest_page(const struct manifest *manifest, uint32_t offset);

/** What starts in a page: indices [*ret_first, result). */
uint32_t manifest_sites(const struct manifest *manifest, uint32_t page,
			uint32_t *ret_first);
uint32_t manifest_relocations(const struct manifest *manifest, uint32_t page,
			      uint32_t *ret_first);

/** Site number index of a page, which must be one of manifest_sites(). */
struct manifest_site manifest_site(const struct manifest *manifest,
				   uint32_t page, uint32_t index);

/** The site that covers an offset, if there is one. */
bool manifest_find_site(const struct manifest *manifest, uint32_t offset,
			struct manifest_site *ret);

/** How many 32-bit words a string of that length takes. */
static inline uint32_t manifest_string_words(uint8_t length)
{
	return (uint32_t)sizeof(struct rw_manifest_string) / 4 +
	       (length + 3U) / 4;
}

/**
 * Which of the site's strings do its bytes hold, set.length of them, in a kernel
 * moved by slide? Its number, or -1. RW_FIELD_THUNK is taken for any branch out
 * of the image: *ret_thunk is then its target as an offset from text_start in
 * two's complement, and the caller looks at what is there; else 0.
 */
int manifest_judge(const struct manifest *manifest,
		   const struct manifest_site *site, const uint8_t *bytes,
		   uint64_t slide, int64_t *ret_thunk);

#endif
