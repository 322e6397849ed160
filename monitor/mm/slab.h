/* SPDX-License-Identifier: MIT */
/*
 * Slab caches: objects of one size, cut from blocks of the buddy allocator.
 * Owns its blocks (slabs), each with a header that records every object; never
 * follows an address that does not lie in a chunk of the buddy allocator.
 *
 * Each CPU has a magazine, a small stack of objects, which it uses without lock
 * and without atomic instruction: interrupts are off in VMX root. Magazines
 * trade objects with the slabs in batches under the cache's lock. Lock order:
 * cache, then buddy. Not for NMI handlers.
 *
 * Contents: a new object holds whatever its memory held before.
 */
#ifndef MONITOR_MM_SLAB_H
#define MONITOR_MM_SLAB_H

#include "monitor/mm/buddy.h"

#define SLAB_SIZE_MIN 16
#define SLAB_SIZE_MAX 2048
#define SLAB_MAGAZINE 31

struct slab_entry {
	uint8_t *state; /* of the object, in the slab's header */
	void *object;
};

/** Objects at hand for one CPU, of at most 32 KiB. */
struct slab_magazine {
	struct slab_entry entry[SLAB_MAGAZINE];
	struct slab_entry *top;	 /* behind the newest */
	struct slab_entry *full; /* where `top` is at most */
} __attribute__((aligned(64)));

_Static_assert(sizeof(struct slab_magazine) == 512, "8 cache lines");

struct slab; /* in-page header, private */

/**
 * (c) constant after slab_cache_init(), (l) under `lock`, magazine[n]: CPU n only.
 */
struct slab_cache {
	struct buddy *buddy;		/* (c) */
	struct slab_magazine *magazine; /* (c) one per CPU */
	uint32_t cpus;			/* (c) */
	uint32_t size;	     /* (c) bytes from one object to the next */
	uint64_t reciprocal; /* (c) 2^32 / size, rounded up */
	uint32_t first;	     /* (c) offset of the first object in a slab */
	uint64_t per_slab;   /* (c) objects */
	uint32_t limit;	     /* (c) objects a magazine may hold */
	uintptr_t mask;	     /* (c) address of an object & mask: its slab */
	uint32_t order;	     /* (c) pages of a slab, as a power of 2 */
	uint32_t owner;	     /* (c) */

	struct spinlock lock;
	struct slab *partial; /* (l) slabs with objects to give */
	uint64_t slabs;	      /* (l) */
	uint64_t taken;	      /* (l) objects in use or in a magazine */
};

/**
 * Makes an empty cache; slabs are taken from the buddy as they are needed.
 * @size: SLAB_SIZE_MIN..SLAB_SIZE_MAX bytes, rounded up to a multiple of 16.
 * Objects are aligned to the largest power of 2 that divides it, at most 64.
 * @owner: the buddy's owner number for the slabs.
 * @magazines: one per CPU, the caller's.
 *
 * MM_E_ARGUMENT.
 */
enum mm_error slab_cache_init(struct slab_cache *c, struct buddy *b,
			      size_t size, unsigned int owner,
			      struct slab_magazine *magazines,
			      unsigned int cpus) RW_MUST_USE;

/**
 * Allocates an object. @cpu is the CPU that runs this.
 *
 * MM_E_ARGUMENT: no such CPU. MM_E_NO_MEMORY. MM_E_CORRUPT: a slab header or the
 * magazine is damaged, nothing is handed out.
 */
enum mm_error slab_alloc(struct slab_cache *c, unsigned int cpu,
			 void **ret) RW_MUST_USE;

/**
 * Frees an object that slab_alloc() of this cache gave, on any CPU. A slab whose
 * objects are all back returns to the buddy. Two CPUs that free one object at
 * the very same time are not told apart from one: the object's user must be
 * one.
 *
 * MM_E_ARGUMENT: no such CPU. MM_E_FOREIGN (also an object freed before whose
 * slab has returned to the buddy), MM_E_INTERIOR, MM_E_DOUBLE_FREE: refused,
 * nothing changed. MM_E_CORRUPT: a slab header is damaged, the object is not
 * freed.
 */
enum mm_error slab_free(struct slab_cache *c, unsigned int cpu,
			void *object) RW_MUST_USE;

/**
 * Empties the magazine of a CPU that runs this or runs nothing (offline). With
 * all magazines drained and all objects free the cache holds no memory, and
 * its `slabs` is 0.
 */
enum mm_error slab_drain(struct slab_cache *c, unsigned int cpu) RW_MUST_USE;

#endif
