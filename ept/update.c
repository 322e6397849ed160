/* SPDX-License-Identifier: MIT */
/*
 * Updates: everything that changes a tree. Owns the private tables of the open
 * update; must never store to a table that a CPU can reach except, in
 * ept_commit(), to an entry of the root.
 */
#include <string.h>

#include "ept/entry.h"

enum operation { MAP, GIVE, PROTECT, TAKE };

/** What every page of the range must be before. */
static const enum ept_kind expected[] = {
	[MAP] = EPT_KIND_EMPTY,
	[GIVE] = EPT_KIND_TAKEN,
	[PROTECT] = EPT_KIND_LEAF,
	[TAKE] = EPT_KIND_LEAF,
};

/** The error if it is something else. */
static const enum ept_error unexpected[] = {
	[EPT_KIND_EMPTY] = EPT_ERR_UNMAPPED,
	[EPT_KIND_TAKEN] = EPT_ERR_TAKEN,
	[EPT_KIND_LEAF] = EPT_ERR_MAPPED,
};

/** One change of a checked range; frames lie at gpa + offset, modulo 2^64. */
struct change {
	enum operation operation;
	uint64_t permissions;
	enum memory_type type;
	uint64_t offset;
};

static enum ept_error apply(struct ept_update *update,
			    const struct change *change, uint64_t *table,
			    const uint64_t *live, unsigned int level,
			    uint64_t from, uint64_t to);

/** Whether the CPU takes a leaf at this level for the frame. */
static bool leaf_fits(const struct ept *ept, unsigned int level, uint64_t frame)
{
	const bool available[] = { false, true, ept->features.leaf_2m,
				   ept->features.leaf_1g, false };

	return available[level] && frame % ept_size(level) == 0;
}

static void count_leaves(struct ept_update *update, uint64_t entry,
			 unsigned int level, int64_t number)
{
	if (ept_kind(entry, level) == EPT_KIND_LEAF)
		update->stats.leaves[level] += number;
}

/** Replaces an entry of the expected kind that the range covers in full. */
static void change_entry(struct ept_update *update, const struct change *change,
			 uint64_t *slot, unsigned int level, uint64_t from)
{
	uint64_t old = *slot;
	uint64_t entry;

	switch (change->operation) {
	case TAKE:
		entry = EPT_TAKEN;
		break;
	case PROTECT:
		entry = (old & ~EPT_RWX) | change->permissions;
		break;
	default:
		entry = (from + change->offset) | change->permissions |
			(uint64_t)change->type << EPT_TYPE_SHIFT |
			(level > 1 ? EPT_LARGE : 0) | EPT_SUPPRESS_VE;
	}
	if (old & ~entry & EPT_RWX)
		update->narrows = true;
	count_leaves(update, old, level, -1);
	count_leaves(update, entry, level, 1);
	*slot = entry;
}

/**
 * The update's own table behind an entry of one of its tables: the one it has,
 * a copy of the live one, or a new one that says what the entry said. NULL if
 * there is no page for it.
 */
static uint64_t *own_table(struct ept_update *update, uint64_t *slot,
			   const uint64_t *live, unsigned int level)
{
	const struct ept *ept = update->ept;
	uint64_t *shared = ept_table(ept, *slot, level);
	uint64_t *table;

	if (shared && shared != live)
		return shared;
	table = ept->ops->page_alloc(ept->ctx);
	if (!table)
		return NULL;
	if (shared) {
		memcpy(table, shared, RW_PAGE_SIZE);
	} else {
		ept_split(table, *slot, level);
		count_leaves(update, *slot, level, -1);
		count_leaves(update, table[0], level - 1, EPT_ENTRIES);
		update->stats.tables++;
	}
	*slot = ept_table_entry(ept, table);
	return table;
}

/** Puts one entry in the place of an own table that says no more than that. */
static void join(struct ept_update *update, uint64_t *slot, uint64_t *table,
		 unsigned int level)
{
	const struct ept *ept = update->ept;
	enum ept_kind kind = ept_kind(table[0], level - 1);
	uint64_t entry = table[0];

	if (kind == EPT_KIND_TABLE)
		return;
	if (kind == EPT_KIND_LEAF) {
		if (!leaf_fits(ept, level, entry & EPT_ADDRESS))
			return;
		entry |= EPT_LARGE;
	}
	for (unsigned int i = 0; i < EPT_ENTRIES; i++)
		if (table[i] != ept_child(entry, level, i))
			return;
	count_leaves(update, table[0], level - 1, -EPT_ENTRIES);
	count_leaves(update, entry, level, 1);
	update->stats.tables--;
	*slot = entry;
	ept->ops->page_free(ept->ctx, table);
}

/** Makes a change below one entry; live is the entry in the committed tree. */
static enum ept_error descend(struct ept_update *update,
			      const struct change *change, uint64_t *slot,
			      uint64_t live, unsigned int level, uint64_t from,
			      uint64_t to)
{
	const uint64_t *live_table = ept_table(update->ept, live, level);
	uint64_t *table = own_table(update, slot, live_table, level);
	enum ept_error error;

	if (!table)
		return EPT_ERR_NO_MEMORY;
	error = apply(update, change, table, live_table, level - 1, from, to);
	if (!error)
		join(update, slot, table, level);
	return error;
}

/**
 * Makes a change in one of the update's own tables. live is the table in its
 * place in the committed tree, or NULL.
 */
static enum ept_error apply(struct ept_update *update,
			    const struct change *change, uint64_t *table,
			    const uint64_t *live, unsigned int level,
			    uint64_t from, uint64_t to)
{
	enum ept_kind expect = expected[change->operation];
	uint64_t size = ept_size(level);
	uint64_t next;

	for (; from < to; from = next) {
		unsigned int i = ept_index(from, level);
		enum ept_kind kind = ept_kind(table[i], level);
		enum ept_error error;

		next = from - from % size + size;
		if (next > to)
			next = to;
		if (kind != EPT_KIND_TABLE && kind != expect)
			return unexpected[kind];
		if (kind == expect && next - from == size &&
		    (kind == EPT_KIND_LEAF ||
		     leaf_fits(update->ept, level, from + change->offset))) {
			change_entry(update, change, &table[i], level, from);
			continue;
		}
		error = descend(update, change, &table[i],
				live ? live[i] : EPT_EMPTY, level, from, next);
		if (error)
			return error;
	}
	return EPT_OK;
}

/** Makes a checked change, or repeats the first error. */
static enum ept_error make(struct ept_update *update,
			   const struct change *change, uint64_t from,
			   uint64_t size, enum ept_error error)
{
	if (update->error)
		return update->error;
	if (!error)
		error = apply(update, change, update->root, update->ept->root,
			      EPT_LEVELS, from, from + size);
	update->error = error;
	return error;
}

enum ept_error ept_begin(struct ept_update *update, struct ept *ept)
{
	uint64_t *root;

	if (ept->open)
		return EPT_ERR_BUSY;
	root = ept->ops->page_alloc(ept->ctx);
	if (!root)
		return EPT_ERR_NO_MEMORY;
	memcpy(root, ept->root, RW_PAGE_SIZE);
	ept->open = true;
	*update = (struct ept_update){
		.ept = ept,
		.root = root,
		.stats = ept->stats,
	};
	return EPT_OK;
}

enum ept_error ept_map(struct ept_update *update, gpa_t gpa, hpa_t hpa,
		       uint64_t size, uint64_t permissions,
		       enum memory_type type)
{
	const struct change change = { MAP, permissions, type, hpa.v - gpa.v };
	enum ept_error error = ept_check_range(update->ept, gpa.v, size);

	if (!error)
		error = ept_check_range(update->ept, hpa.v, size);
	if (!error)
		error = ept_check_permissions(update->ept, permissions);
	if (!error && !memory_type_valid(type))
		error = EPT_ERR_MEMORY_TYPE;
	return make(update, &change, gpa.v, size, error);
}

/** Opens a range one to one, each stretch with its memory type. */
static enum ept_error open_identity(struct ept_update *update,
				    enum operation operation,
				    const struct mtrr_state *mtrr, gpa_t gpa,
				    uint64_t size, uint64_t permissions)
{
	struct change change = { operation, permissions, MEMORY_UC, 0 };
	enum ept_error error = ept_check_range(update->ept, gpa.v, size);
	uint64_t to = gpa.v + size;
	uint64_t next = gpa.v;

	if (!error)
		error = ept_check_permissions(update->ept, permissions);
	do {
		uint64_t from = next;

		change.type = mtrr_type(mtrr, from, &next);
		if (next > to)
			next = to;
		error = make(update, &change, from, next - from, error);
	} while (!error && next < to);
	return error;
}

enum ept_error ept_map_identity(struct ept_update *update,
				const struct mtrr_state *mtrr, gpa_t gpa,
				uint64_t size, uint64_t permissions)
{
	return open_identity(update, MAP, mtrr, gpa, size, permissions);
}

enum ept_error ept_give(struct ept_update *update,
			const struct mtrr_state *mtrr, gpa_t gpa, uint64_t size,
			uint64_t permissions)
{
	return open_identity(update, GIVE, mtrr, gpa, size, permissions);
}

enum ept_error ept_protect(struct ept_update *update, gpa_t gpa, uint64_t size,
			   uint64_t permissions)
{
	const struct change change = { PROTECT, permissions, MEMORY_UC, 0 };
	enum ept_error error = ept_check_range(update->ept, gpa.v, size);

	if (!error)
		error = ept_check_permissions(update->ept, permissions);
	return make(update, &change, gpa.v, size, error);
}

enum ept_error ept_take(struct ept_update *update, gpa_t gpa, uint64_t size)
{
	const struct change change = { TAKE, 0, MEMORY_UC, 0 };
	enum ept_error error = ept_check_range(update->ept, gpa.v, size);

	return make(update, &change, gpa.v, size, error);
}

void ept_cancel(struct ept_update *update)
{
	struct ept *ept = update->ept;
	struct ept_pages pages = { 0 };

	ept_pages_collect(ept, &pages, update->root, ept->root, EPT_LEVELS);
	ept_pages_push(ept, &pages, update->root);
	ept_pages_free(ept, &pages);
	ept->open = false;
}

struct ept_obligation ept_commit(struct ept_update *update)
{
	struct ept *ept = update->ept;
	uint64_t *root = update->root;
	struct ept_obligation owed = { 0 };

	if (update->error) {
		ept_cancel(update);
		return owed;
	}
	/* The tables are filled: make that visible before what leads there. */
	__atomic_thread_fence(__ATOMIC_RELEASE);
	for (unsigned int i = 0; i < ept_root_entries(ept); i++) {
		uint64_t old = ept->root[i];

		if (old == root[i])
			continue;
		ept_entry_store(&ept->root[i], root[i]);
		root[i] = old;
	}
	/* What the private root leads to now and the tree does not is old. */
	ept_pages_collect(ept, &owed.retired, root, ept->root, EPT_LEVELS);
	ept->ops->page_free(ept->ctx, root);
	ept->stats = update->stats;
	ept->open = false;
	if (update->narrows)
		owed.invalidation = EPT_INVALIDATE_NOW;
	else if (owed.retired.count)
		owed.invalidation = EPT_INVALIDATE_LATER;
	return owed;
}
