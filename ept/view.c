/* SPDX-License-Identifier: MIT */
/*
 * Views: a private root and private paths in front of the shared tables. Must
 * never write to a table that is not the view's own.
 */
#include <string.h>

#include "ept/entry.h"
#include "ept/view.h"

void ept_view_init(struct ept_view *view, const struct ept *ept,
		   void *const tables[EPT_VIEW_TABLES])
{
	uint64_t *root;

	*view = (struct ept_view){ .ept = ept };
	for (unsigned int i = 0; i < EPT_VIEW_TABLES; i++) {
		view->tables[i] = tables[i];
		view->hpa[i] = ept->ops->to_hpa(ept->ctx, tables[i]);
	}
	root = view->tables[0];
	for (unsigned int i = 0; i < EPT_ENTRIES; i++)
		root[i] = EPT_EMPTY;
	ept_view_begin(view);
}

void ept_view_begin(struct ept_view *view)
{
	const struct ept *ept = view->ept;

	for (unsigned int i = 0; i < ept_root_entries(ept); i++)
		view->tables[0][i] = ept_entry_load(&ept->root[i]);
	view->used = 1;
}

/** The view's own table behind an entry (a leaf or a table), NULL if full. */
static uint64_t *own_table(struct ept_view *view, uint64_t *slot,
			   unsigned int level)
{
	const uint64_t *shared = ept_table(view->ept, *slot, level);
	uint64_t *table;

	for (unsigned int i = 1; shared && i < view->used; i++)
		if (view->hpa[i].v == (*slot & EPT_ADDRESS))
			return view->tables[i];
	if (view->used == EPT_VIEW_TABLES)
		return NULL;
	table = view->tables[view->used];
	if (shared)
		memcpy(table, shared, RW_PAGE_SIZE);
	else
		ept_split(table, *slot, level);
	*slot = view->hpa[view->used].v | EPT_RWX | EPT_SUPPRESS_VE;
	view->used++;
	return table;
}

enum ept_error ept_view_replace(struct ept_view *view, gpa_t gpa, hpa_t hpa,
				uint64_t permissions)
{
	const struct ept *ept = view->ept;
	uint64_t *table = view->tables[0];
	enum ept_error error = ept_check_range(ept, gpa.v, RW_PAGE_SIZE);

	if (!error)
		error = ept_check_range(ept, hpa.v, RW_PAGE_SIZE);
	if (!error)
		error = ept_check_permissions(ept, permissions);
	if (error)
		return error;
	/* A copy on the way says what was there, so stopping later is fine. */
	for (unsigned int level = EPT_LEVELS;; level--) {
		uint64_t *slot = &table[ept_index(gpa.v, level)];
		enum ept_kind kind = ept_kind(*slot, level);

		if (kind == EPT_KIND_EMPTY)
			return EPT_ERR_UNMAPPED;
		if (kind == EPT_KIND_TAKEN)
			return EPT_ERR_TAKEN;
		if (level == 1) {
			*slot = (*slot & ~(EPT_ADDRESS | EPT_RWX)) | hpa.v |
				permissions;
			return EPT_OK;
		}
		table = own_table(view, slot, level);
		if (!table)
			return EPT_ERR_VIEW_FULL;
	}
}

uint64_t ept_view_pointer(const struct ept_view *view)
{
	return view->hpa[0].v | EPTP_WALK_4 | EPTP_WRITE_BACK;
}
