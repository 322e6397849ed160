/* SPDX-License-Identifier: MIT */
/*
 * One EPT entry (SDM Vol. 3, "EPT Translation Mechanism") and the frames that
 * leave the tree. Private to the library. Owns the encoding; must never touch
 * a table that a CPU can reach other than by ept_entry_store().
 */
#ifndef EPT_ENTRY_H
#define EPT_ENTRY_H

#include "ept/ept.h"

#define EPT_TYPE_SHIFT	3
#define EPT_LARGE	(1ULL << 7)	      /* leaf at level 2 or 3 */
#define EPT_ADDRESS	0x000ffffffffff000ULL /* bits 51:12 */
#define EPT_LINK_SHIFT	52		      /* bits 56:52, ignored */
#define EPT_LINK	(31ULL << EPT_LINK_SHIFT)
#define EPT_TAKEN_MARK	(1ULL << 62) /* ours, in non-present entries */
#define EPT_SUPPRESS_VE (1ULL << 63)

#define EPT_EMPTY EPT_SUPPRESS_VE
#define EPT_TAKEN (EPT_SUPPRESS_VE | EPT_TAKEN_MARK)

#define EPTP_WRITE_BACK 6ULL
#define EPTP_WALK_4	(3ULL << 3)

enum ept_kind { EPT_KIND_EMPTY, EPT_KIND_TAKEN, EPT_KIND_LEAF, EPT_KIND_TABLE };

/** What an entry of a table at this level is. */
static inline enum ept_kind ept_kind(uint64_t entry, unsigned int level)
{
	if (!(entry & EPT_RWX))
		return entry & EPT_TAKEN_MARK ? EPT_KIND_TAKEN : EPT_KIND_EMPTY;
	return level == 1 || entry & EPT_LARGE ? EPT_KIND_LEAF : EPT_KIND_TABLE;
}

/** Bytes behind one entry of a table at this level. */
static inline uint64_t ept_size(unsigned int level)
{
	return RW_PAGE_SIZE << 9 * (level - 1);
}

static inline unsigned int ept_index(uint64_t address, unsigned int level)
{
	return address / ept_size(level) % EPT_ENTRIES;
}

/**
 * What entry i of the table has to be that says the same as an entry of this
 * level (2 to 4) that is no table.
 */
static inline uint64_t ept_child(uint64_t entry, unsigned int level,
				 unsigned int i)
{
	if (ept_kind(entry, level) != EPT_KIND_LEAF)
		return entry;
	if (level == 2)
		entry &= ~EPT_LARGE;
	return entry + i * ept_size(level - 1);
}

/** Fills a table that no CPU can reach with what an entry above it says. */
static inline void ept_split(uint64_t *table, uint64_t entry,
			     unsigned int level)
{
	for (unsigned int i = 0; i < EPT_ENTRIES; i++)
		table[i] = ept_child(entry, level, i);
}

static inline uint64_t ept_entry_load(const uint64_t *slot)
{
	return __atomic_load_n(slot, __ATOMIC_ACQUIRE);
}

static inline void ept_entry_store(uint64_t *slot, uint64_t entry)
{
	__atomic_store_n(slot, entry, __ATOMIC_RELEASE);
}

/** The entry that leads to a table. */
static inline uint64_t ept_table_entry(const struct ept *ept,
				       const uint64_t *table)
{
	return ept->ops->to_hpa(ept->ctx, table).v | EPT_RWX | EPT_SUPPRESS_VE;
}

/** The table that an entry leads to, NULL if it leads to none. */
static inline uint64_t *ept_table(const struct ept *ept, uint64_t entry,
				  unsigned int level)
{
	if (ept_kind(entry, level) != EPT_KIND_TABLE)
		return NULL;
	return ept->ops->to_va(ept->ctx, hpa(entry & EPT_ADDRESS));
}

/** Entries of the root that addresses below the limit can use. */
static inline unsigned int ept_root_entries(const struct ept *ept)
{
	return (ept->limit - 1) / ept_size(EPT_LEVELS) + 1;
}

/** EPT_OK, EPT_ERR_ALIGNMENT or EPT_ERR_RANGE. */
enum ept_error ept_check_range(const struct ept *ept, uint64_t from,
			       uint64_t size);

/** EPT_OK or EPT_ERR_PERMISSIONS. */
enum ept_error ept_check_permissions(const struct ept *ept,
				     uint64_t permissions);

/** Puts a table that has left the tree in front of a list. */
void ept_pages_push(const struct ept *ept, struct ept_pages *pages,
		    uint64_t *table);

/** Moves all of a list behind another; from is empty afterwards. */
void ept_pages_append(const struct ept *ept, struct ept_pages *pages,
		      struct ept_pages *from);

/** Frees all of a list; it is empty afterwards. */
void ept_pages_free(const struct ept *ept, struct ept_pages *pages);

/**
 * Pushes the tables below table (of this level) that the same place below
 * other, which may be NULL, does not share.
 */
void ept_pages_collect(const struct ept *ept, struct ept_pages *pages,
		       const uint64_t *table, const uint64_t *other,
		       unsigned int level);

#endif
