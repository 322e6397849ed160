/* SPDX-License-Identifier: MIT */
/*
 * The machine below the EPT library: pages that can run out and catch misuse,
 * and the CPU's page walk, written from the SDM alone. Must never include the
 * library's private headers.
 */
#ifndef TESTS_EPT_FAKE_H
#define TESTS_EPT_FAKE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ept/ept.h"

#define FAKE_PAGES 4096
#define FAKE_WIDTH 46
#define KIB	   1024ULL
#define MIB	   (1024 * KIB)
#define GIB	   (1024 * MIB)

/** Page memory at host-physical addresses that use all 52 bits. */
struct fake {
	uint64_t (*pages)[512];
	bool used[FAKE_PAGES];
	unsigned int in_use;
	unsigned int next;
	/** Allocations that still succeed; negative: all. */
	int64_t left;
};

extern const struct ept_ops fake_ops;

struct fake *fake_new(void);

/** Fails the test if a page is still in use. */
void fake_delete(struct fake *fake);

/** A number for the contents of all pages in use. */
uint64_t fake_hash(const struct fake *fake);

/** What a CPU makes of a guest-physical address. */
struct walk {
	enum { WALK_LEAF, WALK_VIOLATION, WALK_MISCONFIGURATION } outcome;
	uint64_t hpa;
	uint64_t permissions;
	unsigned int type;
	unsigned int level;
};

/** Walks from an EPTP. */
struct walk fake_walk(struct fake *fake, struct ept_features features,
		      uint64_t eptp, uint64_t gpa);

/** Walks from an entry that the CPU read from a table of a level (4 to 1). */
struct walk fake_walk_from(struct fake *fake, struct ept_features features,
			   uint64_t entry, unsigned int level, uint64_t gpa);

/**
 * Fails the test if any entry of the tree is misconfigured, a table could be
 * one entry, or the counters or the pages in use (extra more than the tree's)
 * are not what the tables say.
 */
void fake_audit(struct fake *fake, const struct ept *ept, unsigned int extra);

/** Everything that a late CPU has. */
struct ept_features all_features(void);

/** A tree over the fake; fails the test on error. */
void fake_tree(struct ept *ept, struct fake *fake,
	       struct ept_features features);

/** Pays a debt at once, as if every CPU had caught up. */
void settle(struct ept *ept, struct ept_obligation *owed);

/** Commits and settles. */
void publish(struct ept_update *update);

/** Maps [from, from + size) one to one, write-back, all permissions. */
void map_identity(struct ept *ept, uint64_t from, uint64_t size);

/** A query that must succeed. */
struct ept_translation translation(const struct ept *ept, uint64_t address);

/** The error of a query. */
enum ept_error query_error(const struct ept *ept, uint64_t address);

/** The next of a repeatable sequence. */
uint64_t draw(uint64_t *seed);

/** The next below a bound. */
static inline uint64_t draw_below(uint64_t *seed, uint64_t bound)
{
	return draw(seed) % bound;
}

#define assert_ept_ok(expression) assert_int_equal((expression), EPT_OK)

#endif
