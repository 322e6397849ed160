/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* Source: SDM vol. 3, 4.5 (4-level paging). */
#include "paging.h"

#define PAGE_BYTES    4096ULL
#define LARGE_BYTES   (2ULL << 20)
#define ENTRIES	      512
#define LEVEL_PAGE    1 /* a page table's entry maps 4 KiB */
#define LEVEL_LARGE   2 /* a page directory's may map 2 MiB */
#define LEVEL_TOP     4
#define PHYSMAP_SLOTS 14ULL
#define PHYSMAP_BYTES (PHYSMAP_SLOTS << 39)

#define LEAF	   (PAGING_PRESENT | PAGING_ACCESSED | PAGING_DIRTY)
#define LEAF_READ  (LEAF | PAGING_NO_EXECUTE)
#define LEAF_WRITE (LEAF_READ | PAGING_WRITE)

static uint64_t *take_table(struct paging *p)
{
	uint64_t *table;

	if (p->size - p->used < PAGE_BYTES)
		return NULL;
	table = (uint64_t *)(void *)(p->base + p->used);
	p->used += PAGE_BYTES;
	return table;
}

static uint64_t physical_of(const struct paging *p, const uint64_t *table)
{
	return p->physical + (uint64_t)((const uint8_t *)table - p->base);
}

static uint64_t *table_of(const struct paging *p, uint64_t entry)
{
	return (uint64_t *)(void *)(p->base +
				    ((entry & PAGING_ADDRESS) - p->physical));
}

/* Writes one leaf at the level given, making the tables above it. */
static enum rw_error map(struct paging *p, uint64_t address, uint64_t leaf,
			 unsigned int leaf_level)
{
	uint64_t *table = p->pml4, *entry;
	unsigned int level;

	for (level = LEVEL_TOP;; level--) {
		entry = &table[(address >> (3 + 9 * level)) % ENTRIES];
		if (level == leaf_level)
			break;
		if (!*entry) {
			table = take_table(p);
			if (!table)
				return RW_E_NO_MEMORY;
			*entry = physical_of(p, table) | PAGING_PRESENT |
				 PAGING_WRITE | PAGING_ACCESSED;
		}
		table = table_of(p, *entry);
	}
	*entry = leaf;
	return RW_OK;
}

enum rw_error paging_begin(struct paging *p)
{
	p->pml4 = take_table(p);
	return p->pml4 ? RW_OK : RW_E_NO_MEMORY;
}

enum rw_error paging_map_image(struct paging *p, const struct elf_image *elf,
			       uint64_t physical, uint64_t address)
{
	const struct elf_segment *s;
	enum rw_error error = RW_OK;
	uint64_t at, leaf;

	for (at = 0; at < elf->span && !error; at += PAGE_BYTES) {
		s = elf_segment_at(elf, at);
		if (!s)
			continue;
		leaf = s->write ? LEAF_WRITE : s->execute ? LEAF : LEAF_READ;
		error = map(p, address + at, (physical + at) | leaf,
			    LEVEL_PAGE);
	}
	return error;
}

/* Rights of a donated page: the image's read-only pages have no other alias. */
static uint64_t donated_leaf(const struct elf_image *elf, uint64_t image,
			     uint64_t physical)
{
	const struct elf_segment *s = NULL;

	if (physical >= image && physical - image < elf->span)
		s = elf_segment_at(elf, physical - image);
	return s && !s->write ? LEAF_READ : LEAF_WRITE;
}

static bool large_page_fits(const struct rw_boot_range *range, uint64_t at,
			    const struct elf_image *elf, uint64_t image)
{
	return at % LARGE_BYTES == 0 && range->end - at >= LARGE_BYTES &&
	       (at + LARGE_BYTES <= image || at >= image + elf->span);
}

enum rw_error paging_map_donated(struct paging *p,
				 const struct rw_boot_range *range,
				 const struct elf_image *elf, uint64_t image)
{
	enum rw_error error = RW_OK;
	uint64_t at, step;

	if (range->start > range->end || range->end > PHYSMAP_BYTES)
		return RW_E_ADDRESS;
	for (at = range->start; at < range->end && !error; at += step) {
		uint64_t address = RW_VA_PHYSMAP + at;

		if (large_page_fits(range, at, elf, image)) {
			step = LARGE_BYTES;
			error = map(p, address, at | LEAF_WRITE | PAGING_LARGE,
				    LEVEL_LARGE);
		} else {
			step = PAGE_BYTES;
			error = map(p, address,
				    at | donated_leaf(elf, image, at),
				    LEVEL_PAGE);
		}
	}
	return error;
}
