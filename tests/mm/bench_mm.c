/* SPDX-License-Identifier: MIT */
/*
 * monitor/mm: blocks from the buddy, objects from one slab cache per size. The
 * memory is donated in chunks of 4 MiB, as the driver does.
 */
#include "tests/mm/bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "monitor/mm/slab.h"

/* Room for the trace "large", address space only: little of it is touched. */
#define POOL (56ULL << 30)

static struct buddy buddy;
static struct slab_cache cache[BENCH_KINDS];
static struct slab_magazine magazine[BENCH_KINDS];
static int objects_only;

static void check(enum mm_error error)
{
	if (!error)
		return;
	fprintf(stderr, "mm error %d\n", error);
	exit(1);
}

static void donate(size_t bytes)
{
	char *pool = mmap(NULL, bytes + BUDDY_ALIGN, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (pool == MAP_FAILED)
		check(MM_E_NO_MEMORY);
	pool += -(uintptr_t)pool % BUDDY_ALIGN;
	buddy_init(&buddy, (uintptr_t)pool);
	for (uint64_t at = 0; at < bytes; at += BUDDY_ALIGN)
		check(buddy_add_chunk(&buddy, hpa(at),
				      BUDDY_ALIGN / RW_PAGE_SIZE));
}

void bench_init(int objects)
{
	objects_only = objects;
	donate(objects ? POOL / 64 : POOL);
	for (unsigned int i = 0; i < BENCH_KINDS; i++)
		check(slab_cache_init(&cache[i], &buddy, bench_sizes[i], 1,
				      &magazine[i], 1));
}

void *bench_alloc(unsigned int kind)
{
	void *p;

	if (objects_only ? slab_alloc(&cache[kind], 0, &p) :
			   buddy_alloc(&buddy, kind, 0, &p))
		return NULL;
	return p;
}

void bench_free(void *p, unsigned int kind)
{
	if (objects_only ? slab_free(&cache[kind], 0, p) :
			   buddy_free(&buddy, p))
		abort();
}
