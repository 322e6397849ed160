/* SPDX-License-Identifier: MIT */
/*
 * Tables that have left the tree and wait to be freed. A CPU may still walk
 * them, so they are linked without a change that it could see: the frame number
 * of the next one is spread over bits 56:52, which the CPU ignores in every
 * kind of entry, of the first eight entries. Must never change another bit.
 */
#include "ept/entry.h"

#define LINK_ENTRIES 8
#define LINK_BITS    5

_Static_assert(LINK_ENTRIES *LINK_BITS == 40, "frame numbers have 40 bits");

static void link_to(uint64_t *table, hpa_t next)
{
	uint64_t frame = next.v >> RW_PAGE_SHIFT;

	for (unsigned int i = 0; i < LINK_ENTRIES; i++) {
		uint64_t part = frame >> LINK_BITS * i << EPT_LINK_SHIFT;

		ept_entry_store(&table[i],
				(table[i] & ~EPT_LINK) | (part & EPT_LINK));
	}
}

static hpa_t linked_from(const uint64_t *table)
{
	uint64_t frame = 0;

	for (unsigned int i = 0; i < LINK_ENTRIES; i++)
		frame |= (table[i] & EPT_LINK) >> EPT_LINK_SHIFT
							  << LINK_BITS * i;
	return hpa(frame << RW_PAGE_SHIFT);
}

void ept_pages_push(const struct ept *ept, struct ept_pages *pages,
		    uint64_t *table)
{
	hpa_t page = ept->ops->to_hpa(ept->ctx, table);

	link_to(table, pages->first);
	pages->first = page;
	if (!pages->count++)
		pages->last = page;
}

void ept_pages_append(const struct ept *ept, struct ept_pages *pages,
		      struct ept_pages *from)
{
	if (pages->count && from->count) {
		link_to(ept->ops->to_va(ept->ctx, pages->last), from->first);
		pages->last = from->last;
		pages->count += from->count;
	} else if (from->count) {
		*pages = *from;
	}
	*from = (struct ept_pages){ 0 };
}

void ept_pages_free(const struct ept *ept, struct ept_pages *pages)
{
	while (pages->count) {
		uint64_t *table = ept->ops->to_va(ept->ctx, pages->first);

		pages->first = linked_from(table);
		pages->count--;
		ept->ops->page_free(ept->ctx, table);
	}
	*pages = (struct ept_pages){ 0 };
}

void ept_pages_collect(const struct ept *ept, struct ept_pages *pages,
		       const uint64_t *table, const uint64_t *other,
		       unsigned int level)
{
	unsigned int entries = level == EPT_LEVELS ? ept_root_entries(ept) :
						     EPT_ENTRIES;

	if (level == 1)
		return;
	for (unsigned int i = 0; i < entries; i++) {
		uint64_t *child = ept_table(ept, table[i], level);

		if (!child || (other && other[i] == table[i]))
			continue;
		ept_pages_collect(ept, pages, child,
				  other ? ept_table(ept, other[i], level) :
					  NULL,
				  level - 1);
		ept_pages_push(ept, pages, child);
	}
}
