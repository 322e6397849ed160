/* SPDX-License-Identifier: MIT */
/* Pages, the page walk of SDM Vol. 3 ("EPT Translation Mechanism"), audits. */
#include "tests/ept/fake.h"

#include <stdlib.h>
#include <string.h>

#include "ept/sync.h"

#define FAKE_BASE     0x000a5a5a50000000ULL
#define ENTRY_ADDRESS 0x000ffffffffff000ULL

static unsigned int index_of(const struct fake *fake, const void *page)
{
	size_t offset = (const char *)page - (const char *)fake->pages;

	assert_int_equal(offset % RW_PAGE_SIZE, 0);
	assert_in_range(offset / RW_PAGE_SIZE, 0, FAKE_PAGES - 1);
	return offset / RW_PAGE_SIZE;
}

static void *fake_alloc(void *ctx)
{
	struct fake *fake = ctx;

	if (!fake->left)
		return NULL;
	if (fake->left > 0)
		fake->left--;
	for (unsigned int i = 0; i < FAKE_PAGES; i++) {
		unsigned int n = fake->next++ % FAKE_PAGES;

		if (fake->used[n])
			continue;
		fake->used[n] = true;
		fake->in_use++;
		return memset(fake->pages[n], 0, RW_PAGE_SIZE);
	}
	return NULL;
}

/* A freed page becomes entries that a walk reports as misconfigured. */
static void fake_free(void *ctx, void *page)
{
	struct fake *fake = ctx;
	unsigned int n = index_of(fake, page);

	assert_true(fake->used[n]);
	fake->used[n] = false;
	fake->in_use--;
	memset(page, 0xa2, RW_PAGE_SIZE);
}

static hpa_t fake_to_hpa(void *ctx, const void *page)
{
	unsigned int n = index_of(ctx, page);

	assert_true(((struct fake *)ctx)->used[n]);
	return hpa(FAKE_BASE + n * RW_PAGE_SIZE);
}

static void *fake_to_va(void *ctx, hpa_t page)
{
	struct fake *fake = ctx;
	uint64_t n = (page.v - FAKE_BASE) / RW_PAGE_SIZE;

	assert_int_equal(page.v % RW_PAGE_SIZE, 0);
	assert_in_range(n, 0, FAKE_PAGES - 1);
	assert_true(fake->used[n]);
	return fake->pages[n];
}

const struct ept_ops fake_ops = {
	.page_alloc = fake_alloc,
	.page_free = fake_free,
	.to_hpa = fake_to_hpa,
	.to_va = fake_to_va,
};

struct fake *fake_new(void)
{
	struct fake *fake = calloc(1, sizeof(*fake));

	assert_non_null(fake);
	fake->pages = aligned_alloc(RW_PAGE_SIZE, FAKE_PAGES * RW_PAGE_SIZE);
	assert_non_null(fake->pages);
	fake->left = -1;
	return fake;
}

void fake_delete(struct fake *fake)
{
	assert_int_equal(fake->in_use, 0);
	free(fake->pages);
	free(fake);
}

uint64_t fake_hash(const struct fake *fake)
{
	uint64_t hash = fake->in_use;

	for (unsigned int n = 0; n < FAKE_PAGES; n++)
		for (unsigned int i = 0; fake->used[n] && i < 512; i++)
			hash = (hash ^ fake->pages[n][i]) * 0x100000001b3ULL +
			       n + (hash >> 47);
	return hash;
}

static uint64_t size_at(unsigned int level)
{
	return 1ULL << (12 + 9 * (level - 1));
}

static bool type_exists(unsigned int type)
{
	return type < 7 && type != 2 && type != 3;
}

/* Whether the CPU would raise an EPT misconfiguration for a present entry. */
static bool misconfigured(struct ept_features features, uint64_t entry,
			  unsigned int level)
{
	uint64_t permissions = entry & 7;

	if ((permissions & 3) == 2)
		return true;
	if (permissions == 4 && !features.execute_only)
		return true;
	if (level > 1 && !(entry & 0x80))
		return (entry & 0xf8) != 0;
	if ((level == 4) || (level == 3 && !features.leaf_1g) ||
	    (level == 2 && !features.leaf_2m))
		return true;
	return !type_exists(entry >> 3 & 7) ||
	       (entry & ENTRY_ADDRESS) % size_at(level) ||
	       (entry & ENTRY_ADDRESS) >> FAKE_WIDTH;
}

struct walk fake_walk_from(struct fake *fake, struct ept_features features,
			   uint64_t entry, unsigned int level, uint64_t gpa)
{
	uint64_t permissions = 7;

	for (;; level--) {
		const uint64_t *table;

		permissions &= entry;
		if (!(entry & 7))
			return (struct walk){ .outcome = WALK_VIOLATION };
		if (misconfigured(features, entry, level))
			return (struct walk){ .outcome =
						      WALK_MISCONFIGURATION };
		if (level == 1 || entry & 0x80)
			break;
		table = fake_to_va(fake, hpa(entry & ENTRY_ADDRESS));
		entry = table[gpa / size_at(level - 1) % 512];
	}
	return (struct walk){
		.outcome = WALK_LEAF,
		.hpa = (entry & ENTRY_ADDRESS) | gpa % size_at(level),
		.permissions = permissions,
		.type = entry >> 3 & 7,
		.level = level,
	};
}

struct walk fake_walk(struct fake *fake, struct ept_features features,
		      uint64_t eptp, uint64_t gpa)
{
	const uint64_t *root = fake_to_va(fake, hpa(eptp & ENTRY_ADDRESS));

	assert_int_equal(eptp & 0xfff, 0x1e);
	return fake_walk_from(fake, features, root[gpa / size_at(4) % 512], 4,
			      gpa);
}

/* Whether 512 entries of a table could be one entry of this level above it. */
static bool could_be_one(struct ept_features features, const uint64_t *table,
			 unsigned int level)
{
	uint64_t first = table[0];
	bool leaf = first & 7 && (level == 2 || first & 0x80);

	if (first & 7 && !leaf)
		return false;
	if (leaf && ((level == 2 && !features.leaf_2m) ||
		     (level == 3 && !features.leaf_1g) || level == 4 ||
		     (first & ENTRY_ADDRESS) % size_at(level)))
		return false;
	for (unsigned int i = 1; i < 512; i++)
		if (table[i] != first + (leaf ? i * size_at(level - 1) : 0))
			return false;
	return true;
}

static void audit_table(struct fake *fake, const struct ept *ept,
			const uint64_t *table, unsigned int level,
			struct ept_stats *stats)
{
	stats->tables++;
	for (unsigned int i = 0; i < 512; i++) {
		uint64_t entry = table[i];
		const uint64_t *below;

		assert_true(entry >> 63);
		if (!(entry & 7)) {
			assert_int_equal(entry & (ENTRY_ADDRESS | 0xfff), 0);
			continue;
		}
		if (misconfigured(ept->features, entry, level))
			fail_msg("misconfigured: %#lx", (unsigned long)entry);
		if (level == 1 || entry & 0x80) {
			stats->leaves[level]++;
			continue;
		}
		below = fake_to_va(fake, hpa(entry & ENTRY_ADDRESS));
		if (could_be_one(ept->features, below, level))
			fail_msg("a table could be one entry");
		audit_table(fake, ept, below, level - 1, stats);
	}
}

void fake_audit(struct fake *fake, const struct ept *ept, unsigned int extra)
{
	struct ept_stats found = { 0 };
	struct ept_stats counted = ept_stats(ept);
	uint64_t root = ept_pointer(ept) & ENTRY_ADDRESS;

	audit_table(fake, ept, fake_to_va(fake, hpa(root)), 4, &found);
	assert_memory_equal(&found, &counted, sizeof(found));
	assert_int_equal(fake->in_use, found.tables + extra);
}

struct ept_features all_features(void)
{
	/* Bits 0, 6, 14, 16, 17, 20, 21, 25, 26. */
	return ept_features_from_cap(0x06334041);
}

void fake_tree(struct ept *ept, struct fake *fake, struct ept_features features)
{
	assert_ept_ok(ept_init(ept, features, FAKE_WIDTH, &fake_ops, fake));
}

void settle(struct ept *ept, struct ept_obligation *owed)
{
	struct ept_sync sync;
	uint64_t seen;
	uint64_t generation;

	ept_sync_init(&sync, ept, &seen, 1);
	generation = ept_discharge(&sync, owed);
	assert_true(ept_sync_reached(&sync, generation));
	assert_int_equal(ept_sync_reclaim(&sync), 0);
}

void publish(struct ept_update *update)
{
	struct ept *ept = update->ept;
	struct ept_obligation owed = ept_commit(update);

	settle(ept, &owed);
}

void map_identity(struct ept *ept, uint64_t from, uint64_t size)
{
	struct ept_update update;

	assert_ept_ok(ept_begin(&update, ept));
	assert_ept_ok(ept_map(&update, gpa(from), hpa(from), size, EPT_RWX,
			      MEMORY_WB));
	publish(&update);
}

struct ept_translation translation(const struct ept *ept, uint64_t address)
{
	struct ept_translation answer;

	assert_ept_ok(ept_query(ept, gpa(address), &answer));
	return answer;
}

enum ept_error query_error(const struct ept *ept, uint64_t address)
{
	struct ept_translation answer;

	return ept_query(ept, gpa(address), &answer);
}

uint64_t draw(uint64_t *seed)
{
	uint64_t z = *seed += 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}
