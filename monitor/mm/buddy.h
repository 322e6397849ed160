/* SPDX-License-Identifier: MIT */
/*
 * Buddy allocator: blocks of 2^order pages of memory donated at run time. Owns
 * the donated chunks and the record of each of their pages; never touches
 * memory outside of them, whatever address it is given.
 *
 * Contents: a new block holds whatever its pages held before, unless it was
 * asked for zeroed; a freed block keeps its contents until it is used again.
 * They leave the monitor only by buddy_remove_chunk(), which clears all of them.
 *
 * The functions take the lock themselves and may run on any CPU at once, but
 * not in an NMI handler.
 */
#ifndef MONITOR_MM_BUDDY_H
#define MONITOR_MM_BUDDY_H

#include <ringwall/addr.h>
#include <ringwall/config.h>
#include <ringwall/error.h>
#include <ringwall/types.h>

#include "monitor/spinlock.h"

#define BUDDY_ORDER_MAX 10 /* 4 MiB */
#define BUDDY_ORDERS	(BUDDY_ORDER_MAX + 1)
#define BUDDY_ALIGN	(RW_PAGE_SIZE << BUDDY_ORDER_MAX)
/** Free blocks of an order that are kept as they are, for the next request. */
#define BUDDY_HOT 64
/** Who a block belongs to, for the counters; the meaning is the caller's. */
#define BUDDY_OWNERS	      16
#define BUDDY_CHUNK_PAGES_MIN 4
#define BUDDY_CHUNK_PAGES_MAX 32768 /* 128 MiB */
#ifndef BUDDY_CHUNKS
#define BUDDY_CHUNKS CONFIG_RINGWALL_MAX_CHUNKS
#endif

/** Entries of the address index: 4 per chunk, rounded up to a power of 2. */
#define BUDDY_INDEX_BITS             \
	(BUDDY_CHUNKS <= 64   ? 8 :  \
	 BUDDY_CHUNKS <= 256  ? 10 : \
	 BUDDY_CHUNKS <= 1024 ? 12 : \
				16)

/** What buddy and slab calls return; on failure outputs are untouched. */
enum mm_error {
	MM_OK,
	MM_E_ARGUMENT,	/* order, owner, CPU, size or alignment out of range */
	MM_E_NO_MEMORY, /* no free block is large enough */
	MM_E_OVERLAP,	/* the chunk overlaps one that is there */
	MM_E_CHUNKS,	/* as many chunks as this build can hold */
	MM_E_BUSY,	/* the chunk has pages in use */
	MM_E_FOREIGN,	/* not memory of this allocator (or of this cache) */
	MM_E_INTERIOR,	/* inside a block (object), not its start */
	MM_E_DOUBLE_FREE, /* free already */
	MM_E_CORRUPT,	  /* the allocator's own records were overwritten */
};

/**
 * Record of a page: whether a block starts here, and if so which. The number of
 * a page is the number of its chunk << 16 | its place in the chunk.
 */
struct buddy_frame {
	uint32_t next; /* free: number of the next; in use: ~tag */
	uint32_t prev; /* free: number of the previous */
	uint32_t tag;  /* order | state << 8 | owner << 16, see frame.h */
};

/** A donated piece. Its first pages hold the records of all of its pages. */
struct buddy_chunk {
	uintptr_t base; /* linear address */
	uint64_t pages; /* 0: slot unused */
};

struct buddy_counters {
	uint64_t pages;	    /* donated */
	uint64_t overhead;  /* pages that hold page records */
	uint64_t free;	    /* pages */
	uint64_t low_water; /* fewest free pages since the first allocation */
	uint64_t blocks[BUDDY_ORDERS]; /* in use, by order */
	uint64_t owned[BUDDY_OWNERS];  /* pages in use, by owner */
	uint64_t exhausted;	       /* requests that found no memory */
	uint64_t refused;	       /* bad frees */
	uint64_t corrupt; /* times a record was found overwritten */
};

/**
 * All members are under `lock`, and the structure stays where it was initialised.
 * Counters may be read without the lock, each is then right for itself.
 */
struct buddy {
	/** Hash table of 4 MiB regions: a chunk there, or `none`. */
	const struct buddy_chunk *index[1 << BUDDY_INDEX_BITS];
	struct spinlock lock;
	uint32_t nonempty; /* bit per order: list is not empty */
	uint32_t indexed;  /* entries of `index` in use */
	uint64_t offset;   /* linear minus physical address */
	uint64_t reserve;  /* pages, see buddy_needs_memory() */
	struct buddy_counters counters;
	/** Heads of the circular lists of free blocks. */
	struct buddy_frame list[BUDDY_ORDERS];
	/** Numbers of free blocks not yet joined with their neighbours. */
	uint32_t hot_count[BUDDY_ORDERS];
	uint32_t hot[BUDDY_ORDERS][BUDDY_HOT];
	/** 0 stands for the heads, so that they have numbers: their orders. */
	struct buddy_chunk chunk[BUDDY_CHUNKS + 1];
	struct buddy_chunk none; /* has no page */
};

/**
 * Starts without memory.
 * @offset: linear minus physical address of all chunks, a multiple of 4 MiB, so
 * that blocks are aligned to their size in both.
 */
void buddy_init(struct buddy *b, uint64_t offset);

/**
 * Takes a physically contiguous piece of memory, mapped at start + offset, out
 * of the guest's reach already. Its contents are lost. One page in 341 (at least
 * one) is kept for the page records.
 *
 * MM_E_ARGUMENT: start or offset not aligned, address too high, pages not in
 * BUDDY_CHUNK_PAGES_MIN..MAX. MM_E_OVERLAP. MM_E_CHUNKS.
 */
enum mm_error buddy_add_chunk(struct buddy *b, hpa_t start,
			      size_t pages) RW_MUST_USE;

/**
 * Gives back the chunk that begins at start, cleared to zero, to be handed to
 * the guest. Fails unless every block in it is free.
 *
 * MM_E_FOREIGN: no chunk begins there. MM_E_BUSY. MM_E_CORRUPT.
 */
enum mm_error buddy_remove_chunk(struct buddy *b, hpa_t start,
				 size_t *ret_pages) RW_MUST_USE;

/** Sets how many free pages buddy_needs_memory() asks for. */
void buddy_set_reserve(struct buddy *b, uint64_t pages);

/** True if fewer pages than the reserve are free: the driver should donate. */
bool buddy_needs_memory(const struct buddy *b);

/**
 * Allocates 2^order pages, aligned to their size, contents as they are.
 *
 * MM_E_ARGUMENT. MM_E_NO_MEMORY. MM_E_CORRUPT: the record of the free block or
 * of a neighbour on its list was overwritten, the block is not handed out.
 */
enum mm_error buddy_alloc(struct buddy *b, unsigned int order,
			  unsigned int owner, void **ret) RW_MUST_USE;

/** As buddy_alloc(), cleared to zero. */
enum mm_error buddy_alloc_zeroed(struct buddy *b, unsigned int order,
				 unsigned int owner, void **ret) RW_MUST_USE;

/**
 * Frees what buddy_alloc() gave. It is joined with free neighbours at once, or
 * if few of its order are free, when a request finds no block large enough.
 *
 * MM_E_FOREIGN, MM_E_INTERIOR, MM_E_DOUBLE_FREE: refused, nothing changed.
 * MM_E_CORRUPT: the block's record was overwritten and it is not freed, or a
 * neighbour's was and it is free but not joined.
 */
enum mm_error buddy_free(struct buddy *b, void *block) RW_MUST_USE;

/** Physical address of memory in a chunk. */
static inline hpa_t buddy_hpa(const struct buddy *b, const void *p)
{
	return hpa((uintptr_t)p - b->offset);
}

/** Linear address of physical memory in a chunk. */
static inline void *buddy_va(const struct buddy *b, hpa_t a)
{
	return (void *)(uintptr_t)(a.v + b->offset);
}

#endif
