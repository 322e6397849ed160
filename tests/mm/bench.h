/* SPDX-License-Identifier: MIT */
/*
 * What an allocator under measurement provides to bench.c. A kind is an order
 * (traces of blocks) or an index of bench_sizes (traces of objects).
 */
#ifndef TESTS_MM_BENCH_H
#define TESTS_MM_BENCH_H

#include <stddef.h>

#define BENCH_LIVE 100000

/** Sizes of the objects, in bytes: kinds of the trace "objects". */
#define BENCH_KINDS 16
extern const unsigned short bench_sizes[BENCH_KINDS];

/** Called once. @objects: the trace is one of objects, else of blocks. */
void bench_init(int objects);
/** NULL when out of memory. */
void *bench_alloc(unsigned int kind);
void bench_free(void *p, unsigned int kind);

#endif
