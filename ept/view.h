/* SPDX-License-Identifier: MIT */
/*
 * Views for the shadow-page step: a private root for one CPU that shares all
 * tables with the tree except the paths to at most two pages, which lead to
 * other frames. Owns the seven pages it is given; must never allocate, and
 * never write to a table of the tree.
 *
 *	ept_view_begin(view);
 *	error = ept_view_replace(view, page, scratch, EPT_R | EPT_W);
 *	EPTP = ept_view_pointer(view); invept(that context); one instruction;
 *	EPTP = ept_pointer(ept);
 *
 * A view holds for the generation it was built in: when ept_sync_behind() says
 * true before an entry, it is built again (or the step given up) before
 * ept_sync_caught_up(). The page may have been taken meanwhile: replacing it
 * then fails, and the step has to be given up. Each building owes an INVEPT of
 * the view's context on this CPU, since the CPU may remember its last use.
 */
#ifndef EPT_VIEW_H
#define EPT_VIEW_H

#include "ept/ept.h"

#define EPT_VIEW_PAGES	2
#define EPT_VIEW_TABLES (1 + EPT_VIEW_PAGES * (EPT_LEVELS - 1))

/** One CPU's view; used by that CPU only. */
struct ept_view {
	const struct ept *ept;
	uint64_t *tables[EPT_VIEW_TABLES];
	hpa_t hpa[EPT_VIEW_TABLES];
	unsigned int used;
};

/**
 * Prepares a view over seven pages of the tree's page_alloc, which stay the
 * caller's to free.
 */
void ept_view_init(struct ept_view *view, const struct ept *ept,
		   void *const tables[EPT_VIEW_TABLES]);

/** Starts anew: the view is the tree as committed. Copies 512 entries. */
void ept_view_begin(struct ept_view *view);

/**
 * Leads one mapped 4 KiB page to another frame, with its memory type kept.
 * Copies at most three tables; replacing the same page again costs none.
 *
 * Errors, the view translating as before: EPT_ERR_ALIGNMENT, EPT_ERR_RANGE,
 * EPT_ERR_PERMISSIONS, EPT_ERR_UNMAPPED, EPT_ERR_TAKEN, EPT_ERR_VIEW_FULL.
 */
EPT_MUST_USE enum ept_error ept_view_replace(struct ept_view *view, gpa_t gpa,
					     hpa_t hpa, uint64_t permissions);

/** The EPTP of the view. */
uint64_t ept_view_pointer(const struct ept_view *view);

#endif
