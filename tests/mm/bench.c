/* SPDX-License-Identifier: MIT */
/*
 * Replays a trace of allocations against one allocator. The figures, in
 * instructions per operation while there are 100,000 blocks, are printed by
 *
 *   tests/mm/figures [-o json] [--all] [--alone] BUILD
 *
 * where BUILD is a build folder without sanitizers; it builds what it needs.
 * With -o json this is one object, keys never renamed:
 *
 *   buddy.mixed_100k.instructions	blocks of 4 KiB to 2 MiB, "mixed steady"
 *   slab.100k.instructions		objects of 16 to 2048 B, "objects steady"
 *
 * and, unless --alone, each with .glibc, .jemalloc and .mimalloc before
 * .instructions: the same trace, counted the same way. --all adds the other
 * traces. A minute; the counts repeat to the instruction.
 *
 * How it counts: callgrind, with --toggle-collect on the functions measured
 * (buddy_alloc and buddy_free, slab_alloc and slab_free, malloc and free), once
 * with N operations and once with none; the difference, divided by N.
 *
 * The trace comes from a fixed seed: 100,000 blocks are allocated, then N
 * operations either free some and allocate as many ("steady"), or do so with
 * half of them ("waves"), then all are freed in random order.
 */
#include "tests/mm/bench.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BURST 128

const unsigned short bench_sizes[BENCH_KINDS] = {
	16,  32,  48,  64,  96,	  128,	192,  256,
	384, 512, 640, 768, 1024, 1280, 1536, 2048,
};

static struct {
	void *p;
	unsigned int kind;
} live[BENCH_LIVE];

static uint64_t state = 0x52696e6777616c6cULL;

/* xorshift64*: the same on every machine. */
static uint32_t draw(uint32_t below)
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return (state * 0x2545f4914f6cdd1dULL >> 32) * below >> 32;
}

/* Each order half as likely as the one below: as much memory in each. */
static unsigned int draw_mixed(void)
{
	return __builtin_ctz(draw(512) | 512);
}

/* Every order from 4 KiB to 2 MiB as likely as any other: 38 GiB in all. */
static unsigned int draw_large(void)
{
	return draw(10);
}

static unsigned int draw_page(void)
{
	return 0;
}

static unsigned int draw_object(void)
{
	return draw(BENCH_KINDS);
}

static const struct trace {
	const char *name;
	unsigned int (*kind)(void);
	int objects;
} traces[] = {
	{ "mixed", draw_mixed, 0 },
	{ "large", draw_large, 0 },
	{ "pages", draw_page, 0 },
	{ "objects", draw_object, 1 },
};

static void renew(const struct trace *t, unsigned int i)
{
	live[i].kind = t->kind();
	live[i].p = bench_alloc(live[i].kind);
	if (live[i].p)
		return;
	fputs("out of memory\n", stderr);
	exit(1);
}

/* Frees n blocks at random, then allocates as many. */
static void replace(const struct trace *t, unsigned int n)
{
	static unsigned int chosen[BENCH_LIVE];

	for (unsigned int j = 0; j < n;) {
		unsigned int i = draw(BENCH_LIVE);

		if (!live[i].p)
			continue;
		bench_free(live[i].p, live[i].kind);
		live[i].p = NULL;
		chosen[j++] = i;
	}
	for (unsigned int j = 0; j < n; j++)
		renew(t, chosen[j]);
}

static void drain(void)
{
	for (unsigned int n = BENCH_LIVE; n; n--) {
		unsigned int i = draw(n);

		bench_free(live[i].p, live[i].kind);
		live[i] = live[n - 1];
	}
}

int main(int argc, char **argv)
{
	const struct trace *t = NULL;
	unsigned long operations = argc == 4 ? strtoul(argv[3], NULL, 0) : 0;
	bool waves = argc == 4 && !strcmp(argv[2], "waves");

	for (size_t i = 0; i < sizeof(traces) / sizeof(traces[0]); i++)
		if (argc == 4 && !strcmp(argv[1], traces[i].name))
			t = &traces[i];
	if (!t || (!waves && strcmp(argv[2], "steady"))) {
		fprintf(stderr,
			"usage: %s mixed|large|pages|objects steady|waves N\n",
			argv[0]);
		return 2;
	}
	bench_init(t->objects);
	for (unsigned int i = 0; i < BENCH_LIVE; i++)
		renew(t, i);
	while (operations) {
		unsigned int n = waves ? BENCH_LIVE / 2 : 1 + draw(BURST);

		if (2 * n > operations)
			n = (operations + 1) / 2;
		replace(t, n);
		operations -= operations < 2 * n ? operations : 2 * n;
	}
	drain();
	return 0;
}
