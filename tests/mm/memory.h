/* SPDX-License-Identifier: MIT */
/*
 * Memory to donate in the tests of monitor/mm, and what must hold of a buddy
 * allocator after any call.
 */
#ifndef TESTS_MM_MEMORY_H
#define TESTS_MM_MEMORY_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "monitor/mm/buddy.h"

/** Physical memory that exists: MEMORY_PAGES from MEMORY_START. */
#define MEMORY_START 0x140000000ULL
#define MEMORY_PAGES 16384U

struct memory {
	struct buddy buddy;
	unsigned char *base; /* where MEMORY_START is mapped */
};

/** The memory, with an empty buddy allocator. One at a time. */
struct memory *memory_new(void);
void memory_delete(struct memory *m);

/** cmocka set-up and tear-down with a struct memory as state. */
int memory_setup(void **state);
int memory_teardown(void **state);

/** Donates pages first..first + pages - 1 of the memory; must succeed. */
void memory_donate(struct memory *m, size_t first, size_t pages);

/** Number of the page that an address lies in. */
size_t memory_page(const struct memory *m, const void *p);

/** Fails the test unless records, lists, counters and lock agree. */
void buddy_audit(struct buddy *b);

/** A number below `below`, from a fixed seed. */
uint32_t draw(uint32_t below);
void draw_seed(uint64_t seed);

#endif
