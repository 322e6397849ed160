/* SPDX-License-Identifier: MIT */
/* The C library's allocator, or the one that LD_PRELOAD puts in its place. */
#include "tests/mm/bench.h"

#include <stdlib.h>

static size_t sizes[BENCH_KINDS];

void bench_init(int objects)
{
	for (unsigned int i = 0; i < BENCH_KINDS; i++)
		sizes[i] = objects ? bench_sizes[i] : (size_t)4096 << i;
}

void *bench_alloc(unsigned int kind)
{
	return malloc(sizes[kind]);
}

void bench_free(void *p, unsigned int kind)
{
	(void)kind;
	free(p);
}
