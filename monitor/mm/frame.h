/* SPDX-License-Identifier: MIT */
/*
 * Page records of the buddy allocator: how they are found and read. Private to
 * monitor/mm. Never follows an address that is not in a chunk.
 */
#ifndef MONITOR_MM_FRAME_H
#define MONITOR_MM_FRAME_H

#include "monitor/mm/buddy.h"

#define FRAME_BODY	  0U /* no block starts here */
#define FRAME_FREE	  (1U << 8)
#define FRAME_USED	  (2U << 8)
#define FRAME_RECORDS	  (3U << 8) /* holds page records */
#define FRAME_HOT	  (4U << 8) /* free, not joined with its neighbours yet */
#define FRAME_STATE	  (7U << 8)
#define FRAME_ORDER	  0xffU
#define FRAME_OWNER_SHIFT 16

_Static_assert(sizeof(struct buddy_frame) == 12, "12 bytes for each page");

static inline uint32_t frame_tag_used(unsigned int order, unsigned int owner)
{
	return FRAME_USED | order | owner << FRAME_OWNER_SHIFT;
}

static inline struct buddy_frame *chunk_frames(const struct buddy_chunk *c)
{
	return (struct buddy_frame *)c->base;
}

/** Place in the index where a search for the region of va starts. */
static inline uintptr_t index_start(uintptr_t va)
{
	/* Fibonacci hashing: 2^32 divided by the golden ratio. */
	return (uint32_t)(va / BUDDY_ALIGN) * 0x9e3779b1U >>
	       (32 - BUDDY_INDEX_BITS);
}

static inline uintptr_t index_next(uintptr_t i)
{
	return (i + 1) & ((1U << BUDDY_INDEX_BITS) - 1);
}

/**
 * Finds the chunk that va lies in, and the place of the page in it.
 *
 * Without the lock this may miss a chunk while another is removed, and never
 * finds a wrong one for memory in use: what is read of its chunk cannot change.
 */
static inline bool chunk_find(const struct buddy *b, uintptr_t va,
			      const struct buddy_chunk **ret_chunk,
			      uintptr_t *ret_place)
{
	for (uintptr_t i = index_start(va);; i = index_next(i)) {
		const struct buddy_chunk *c =
			__atomic_load_n(&b->index[i], __ATOMIC_ACQUIRE);

		*ret_chunk = c;
		*ret_place = (va - c->base) >> RW_PAGE_SHIFT;
		if (__builtin_expect(*ret_place < c->pages, 1))
			return true;
		if (c == &b->none)
			return false;
	}
}

#endif
