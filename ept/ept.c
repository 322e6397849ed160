/* SPDX-License-Identifier: MIT */
/*
 * The committed tree: making it, asking it, ending it. Must never change an
 * entry; that is update.c.
 */
#include "ept/entry.h"

static bool bit(uint64_t value, unsigned int n)
{
	return value >> n & 1;
}

const char *ept_error_text(enum ept_error error)
{
#define TEXT(name, text) [name] = (text),
	static const char *const texts[] = { EPT_ERRORS(TEXT) };
#undef TEXT

	return (unsigned int)error < EPT_ERROR_COUNT ? texts[error] :
						       "unknown error";
}

struct ept_features ept_features_from_cap(uint64_t cap)
{
	return (struct ept_features){
		.execute_only = bit(cap, 0),
		.walk_4 = bit(cap, 6),
		.write_back = bit(cap, 14),
		.leaf_2m = bit(cap, 16),
		.leaf_1g = bit(cap, 17),
		.invept_all = bit(cap, 20) && bit(cap, 26),
		.invept_single = bit(cap, 20) && bit(cap, 25),
		.access_dirty = bit(cap, 21),
	};
}

enum ept_error ept_check_range(const struct ept *ept, uint64_t from,
			       uint64_t size)
{
	if ((from | size) % RW_PAGE_SIZE)
		return EPT_ERR_ALIGNMENT;
	if (!size || size > ept->limit || from > ept->limit - size)
		return EPT_ERR_RANGE;
	return EPT_OK;
}

enum ept_error ept_check_permissions(const struct ept *ept,
				     uint64_t permissions)
{
	bool valid = permissions & EPT_R ||
		     (permissions == EPT_X && ept->features.execute_only);

	return valid && !(permissions & ~EPT_RWX) ? EPT_OK :
						    EPT_ERR_PERMISSIONS;
}

enum ept_error ept_init(struct ept *ept, struct ept_features features,
			unsigned int physical_bits, const struct ept_ops *ops,
			void *ctx)
{
	uint64_t *root;

	if (!features.walk_4 || !features.write_back || !features.invept_all)
		return EPT_ERR_FEATURES;
	if (physical_bits < 32 || physical_bits > 52)
		return EPT_ERR_RANGE;
	root = ops->page_alloc(ctx);
	if (!root)
		return EPT_ERR_NO_MEMORY;
	for (unsigned int i = 0; i < EPT_ENTRIES; i++)
		root[i] = EPT_EMPTY;
	*ept = (struct ept){
		.ops = ops,
		.ctx = ctx,
		.features = features,
		.root = root,
		.limit = 1ULL << (physical_bits < 48 ? physical_bits : 48),
		.stats.tables = 1,
	};
	return EPT_OK;
}

void ept_destroy(struct ept *ept)
{
	struct ept_pages pages = { 0 };

	ept_pages_collect(ept, &pages, ept->root, NULL, EPT_LEVELS);
	ept_pages_push(ept, &pages, ept->root);
	ept_pages_free(ept, &pages);
	*ept = (struct ept){ 0 };
}

uint64_t ept_pointer(const struct ept *ept)
{
	return ept->ops->to_hpa(ept->ctx, ept->root).v | EPTP_WALK_4 |
	       EPTP_WRITE_BACK;
}

struct ept_stats ept_stats(const struct ept *ept)
{
	return ept->stats;
}

enum ept_error ept_query(const struct ept *ept, gpa_t gpa,
			 struct ept_translation *ret)
{
	const uint64_t *table = ept->root;
	unsigned int level = EPT_LEVELS + 1;
	uint64_t entry;

	if (gpa.v >= ept->limit)
		return EPT_ERR_RANGE;
	do {
		level--;
		entry = ept_entry_load(&table[ept_index(gpa.v, level)]);
		table = ept_table(ept, entry, level);
	} while (table);

	switch (ept_kind(entry, level)) {
	case EPT_KIND_LEAF:
		*ret = (struct ept_translation){
			.hpa = hpa((entry & EPT_ADDRESS) |
				   gpa.v % ept_size(level)),
			.permissions = entry & EPT_RWX,
			.type = entry >> EPT_TYPE_SHIFT & 7,
			.level = level,
		};
		return EPT_OK;
	case EPT_KIND_TAKEN:
		return EPT_ERR_TAKEN;
	default:
		return EPT_ERR_UNMAPPED;
	}
}
