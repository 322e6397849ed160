/* SPDX-License-Identifier: MIT */
#include "monitor/memory.h"

#include "monitor/cpu.h"
#include "monitor/mm/buddy.h"
#include "monitor/panic.h"
#include "monitor/percpu.h"

/* Page-table entries: SDM Vol. 3 4.5. */
#define PTE_PRESENT (1ULL << 0)
#define PTE_WRITE (1ULL << 1)
#define PTE_NX (1ULL << 63)
#define PTE_ADDRESS 0x000ffffffffff000ULL
#define LEVELS 4

static struct buddy buddy;
static struct spinlock tables_lock;
static uint64_t cr3;

static bool chunk_valid(const struct rw_boot_range *c)
{
	uint64_t limit = RW_VA_WINDOW - RW_VA_PHYSMAP;

	return !((c->start | c->end) & ~RW_PAGE_MASK) && c->start < c->end &&
	       c->end <= limit;
}

enum rw_error memory_init(const struct rw_boot *boot)
{
	buddy_init(&buddy, RW_VA_PHYSMAP);
	cr3 = boot->cr3;
	for (uint32_t i = 0; i < boot->chunk_count; i++) {
		struct rw_boot_range c = boot->chunk[i];

		if (!chunk_valid(&c) ||
		    (i == 0 && boot->used > c.end - c.start))
			return RW_E_BOOT_INFO;
		if (i == 0)
			c.start += boot->used;
		if (c.start == c.end)
			continue;
		if (buddy_add_chunk(&buddy, hpa(c.start),
				    (c.end - c.start) / RW_PAGE_SIZE))
			return RW_E_NO_MEMORY;
	}
	return RW_OK;
}

hpa_t page_hpa(const void *page)
{
	return hpa((uint64_t)page - RW_VA_PHYSMAP);
}

void *page_va(hpa_t a)
{
	return (void *)(a.v + RW_VA_PHYSMAP);
}

void *page_alloc(unsigned int order)
{
	void *page;

	return buddy_alloc_zeroed(&buddy, order, 0, &page) ? NULL : page;
}

void page_free(void *page)
{
	CHECK(!buddy_free(&buddy, page));
}

void memory_status(struct rw_status *ret)
{
	ret->memory_pages = buddy.counters.pages;
	ret->memory_free = buddy.counters.free;
	ret->memory_low_water = buddy.counters.low_water;
}

uint64_t memory_cr3(void)
{
	return cr3;
}

/*
 * The entry that maps va, tables made on the way; NULL without memory. All of
 * the monitor's tables are in donated memory, so their addresses are ours.
 */
static uint64_t *entry_of(uint64_t va)
{
	uint64_t *table = page_va(hpa(cr3));

	for (int level = LEVELS; level > 1; level--) {
		uint64_t *e = &table[va >> (12 + 9 * (level - 1)) & 511];

		if (!(*e & PTE_PRESENT)) {
			void *page = page_alloc(0);

			if (!page)
				return NULL;
			*e = page_hpa(page).v | PTE_PRESENT | PTE_WRITE;
		}
		table = page_va(hpa(*e & PTE_ADDRESS));
	}
	return &table[va >> 12 & 511];
}

static uint64_t window_va(const struct pcpu *cpu, unsigned int n)
{
	return RW_VA_WINDOW + (cpu->index * WINDOWS + n) * RW_PAGE_SIZE;
}

enum rw_error window_create(struct pcpu *cpu)
{
	bool complete = true;

	spin_lock(&tables_lock);
	for (unsigned int n = 0; n < WINDOWS; n++) {
		cpu->window[n] = entry_of(window_va(cpu, n));
		complete = complete && cpu->window[n];
	}
	spin_unlock(&tables_lock);
	return complete ? RW_OK : RW_E_NO_MEMORY;
}

void *window_map(struct pcpu *cpu, unsigned int n, hpa_t page, bool writable)
{
	void *va = (void *)window_va(cpu, n);

	CHECK(n < WINDOWS && !(page.v & ~PTE_ADDRESS));
	*cpu->window[n] = page.v | PTE_PRESENT | PTE_NX |
			  (writable ? PTE_WRITE : 0);
	invlpg(va);
	return va;
}
