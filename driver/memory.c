/* SPDX-License-Identifier: GPL-2.0 OR MIT */
#include <linux/gfp.h>
#include <linux/ioport.h>
#include <linux/mm.h>
#include <linux/random.h>
#include <linux/sizes.h>
#include <linux/string.h>
#include <ringwall/addr.h>
#include <ringwall/status.h>

#include "entry.h"
#include "memory.h"
#include "paging.h"

#define CHUNK_MAX      SZ_4M /* the buddy allocator's largest block on x86 */
#define MEMORY_BASE    SZ_4M
#define MEMORY_PER_CPU (96 * SZ_1K)
#define TABLES_MIN     SZ_64K /* of page tables, in chunk 0 */
#define IMAGE_SLIDES   ((1ULL << 39) / RW_SIZE_2M) /* places in one PML4 slot */

static_assert(sizeof(struct rw_boot) <= PAGE_SIZE);

void memory_mark_offline(void *start, size_t size, bool offline)
{
	struct page *page = virt_to_page(start);
	size_t i;

	for (i = 0; i < size >> PAGE_SHIFT; i++) {
		if (offline)
			__SetPageOffline(page + i);
		else
			__ClearPageOffline(page + i);
	}
}

static bool add_chunk(struct memory *m, size_t size)
{
	void *start;

	if (m->chunk_count == RW_BOOT_CHUNKS)
		return false;
	/* Try hard, but let no process be killed for it. */
	start = alloc_pages_exact(size, GFP_KERNEL | __GFP_ZERO | __GFP_NOWARN |
						__GFP_RETRY_MAYFAIL);
	if (!start)
		return false;
	memory_mark_offline(start, size, true);
	m->chunk[m->chunk_count].start = start;
	m->chunk[m->chunk_count].size = size;
	m->chunk_count++;
	m->donated += size;
	return true;
}

/* Chunk 0 holds at least first bytes; the rest is as few chunks as there are. */
static bool allocate(struct memory *m, size_t total, size_t first)
{
	size_t size = CHUNK_MAX;

	while (m->donated < total) {
		size = min_t(size_t, size, total - m->donated);
		if (add_chunk(m, size))
			continue;
		size = PAGE_ALIGN(size / 2);
		if (size <= PAGE_SIZE || (!m->chunk_count && size < first))
			return false;
	}
	return true;
}

/* One resource of system RAM; nested ones lie inside the one before. */
static int add_ram(struct resource *resource, void *arg)
{
	u64 start = PAGE_ALIGN(resource->start);
	u64 end = (resource->end + 1) & PAGE_MASK;
	struct rw_boot *boot = arg;
	struct rw_boot_range *last;

	if (start >= end)
		return 0;
	last = boot->ram_count ? &boot->ram[boot->ram_count - 1] : NULL;
	if (last && start <= last->end) {
		last->end = max(last->end, end);
		return 0;
	}
	if (boot->ram_count == RW_BOOT_RAM)
		return -E2BIG;
	boot->ram[boot->ram_count].start = start;
	boot->ram[boot->ram_count].end = end;
	boot->ram_count++;
	return 0;
}

static enum rw_error fill_boot(struct rw_boot *boot, const struct memory *m,
			       const struct image *image)
{
	u32 i;

	boot->magic = RW_BOOT_MAGIC;
	boot->abi_version = RW_ABI_VERSION;
	boot->size = sizeof(*boot);
	boot->leave_va = (u64)rw_leave;
	get_random_bytes(boot->seed, sizeof(boot->seed));

	boot->chunk_count = m->chunk_count;
	for (i = 0; i < m->chunk_count; i++) {
		boot->chunk[i].start = __pa(m->chunk[i].start);
		boot->chunk[i].end = boot->chunk[i].start + m->chunk[i].size;
	}
	boot->key_count = image->key_count;
	memcpy(boot->key, image->key, sizeof(boot->key));
	if (walk_iomem_res_desc(IORES_DESC_NONE,
				IORESOURCE_SYSTEM_RAM | IORESOURCE_BUSY, 0,
				U64_MAX, boot, add_ram))
		return RW_E_BOOT_INFO;
	return RW_OK;
}

/* Places the image behind the boot page and the tables behind the image. */
static enum rw_error fill_chunk(struct memory *m, const struct image *image,
				struct rw_boot *boot)
{
	const struct elf_image *elf = &image->elf;
	u64 place = __pa(boot) + PAGE_SIZE;
	struct paging p = {
		.base = (u8 *)boot,
		.physical = __pa(boot),
		.size = m->chunk[0].size,
		.used = PAGE_SIZE + elf->span,
	};
	enum rw_error error;
	u32 i;

	boot->image_va =
		RW_VA_IMAGE + get_random_u64() % IMAGE_SLIDES * RW_SIZE_2M;
	boot->image_size = elf->span;
	elf_place(elf, (u8 *)boot + PAGE_SIZE, boot->image_va);

	error = paging_begin(&p);
	if (!error)
		error = paging_map_image(&p, elf, place, boot->image_va);
	for (i = 0; i < boot->chunk_count && !error; i++)
		error = paging_map_donated(&p, &boot->chunk[i], elf, place);
	if (error)
		return error;
	boot->cr3 = p.physical + ((u8 *)p.pml4 - p.base);
	boot->used = p.used;

	m->entry = boot->image_va + elf->entry;
	m->boot = RW_VA_PHYSMAP + __pa(boot);
	memcpy(m->slot, p.pml4 + RW_VA_SLOT_FIRST, sizeof(m->slot));
	return RW_OK;
}

enum rw_error memory_donate(struct memory *m, const struct image *image,
			    u32 cpus, u64 doorbell)
{
	size_t total = MEMORY_BASE + (size_t)cpus * MEMORY_PER_CPU;
	size_t first = PAGE_SIZE + image->elf.span + TABLES_MIN;
	struct rw_boot *boot;
	enum rw_error error;

	memset(m, 0, sizeof(*m));
	if (!allocate(m, total, first)) {
		memory_release(m);
		return RW_E_NO_MEMORY;
	}
	boot = m->chunk[0].start;
	boot->cpu_count = cpus;
	boot->doorbell = doorbell;
	error = fill_boot(boot, m, image);
	if (!error)
		error = fill_chunk(m, image, boot);
	if (error)
		memory_release(m);
	return error;
}

void memory_release(struct memory *m)
{
	u32 i;

	for (i = 0; i < m->chunk_count; i++) {
		memzero_explicit(m->chunk[i].start, m->chunk[i].size);
		memory_mark_offline(m->chunk[i].start, m->chunk[i].size, false);
		free_pages_exact(m->chunk[i].start, m->chunk[i].size);
	}
	memset(m, 0, sizeof(*m));
}
