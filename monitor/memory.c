/* SPDX-License-Identifier: MIT */
#include "monitor/memory.h"

#include <ringwall/hypercall.h>

#include "monitor/cpu.h"
#include "monitor/mm/buddy.h"
#include "monitor/panic.h"
#include "monitor/percpu.h"
#include "monitor/wall.h"

/* Page-table entries: SDM Vol. 3 4.5. */
#define PTE_PRESENT  (1ULL << 0)
#define PTE_WRITE    (1ULL << 1)
#define PTE_LARGE    (1ULL << 7)
#define PTE_NX	     (1ULL << 63)
#define PTE_ADDRESS  0x000ffffffffff000ULL
#define LEVELS	     4
#define PHYSMAP_SIZE (RW_VA_WINDOW - RW_VA_PHYSMAP)
#define BLOCK_PAGES  (RW_DONATE_SIZE / RW_PAGE_SIZE)

_Static_assert(RW_DONATE_SIZE == RW_SIZE_2M, "a block is one large page");

static struct buddy buddy;

/* All under the lock, which comes before those of the wall and the buddy. */
static struct spinlock lock;
static uint64_t cr3;		     /* (constant) and the tables behind it */
static uint64_t block[BUDDY_CHUNKS]; /* donated at run time */
static uint32_t blocks;
static uint64_t leaving; /* 0, or when the newest has left the guest's tables */
static uint64_t donations, returns, requests;

static bool chunk_valid(const struct rw_boot_range *c)
{
	return !((c->start | c->end) & ~RW_PAGE_MASK) && c->start < c->end &&
	       c->end <= PHYSMAP_SIZE;
}

enum rw_error memory_init(const struct rw_boot *boot)
{
	buddy_init(&buddy, RW_VA_PHYSMAP);
	buddy_set_reserve(&buddy, CONFIG_RINGWALL_MEMORY_RESERVE);
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

/* Says on the doorbell page how much is missing; the driver may donate it. */
static void tell_driver(void)
{
	struct rw_doorbell *doorbell = this_cpu()->doorbell;
	uint64_t free = __atomic_load_n(&buddy.counters.free, __ATOMIC_RELAXED);
	uint64_t wanted = buddy_needs_memory(&buddy) ? buddy.reserve - free : 0;

	if (!doorbell)
		return; /* this CPU is on its way in */
	if (wanted && !doorbell->memory_wanted)
		__atomic_fetch_add(&requests, 1, __ATOMIC_RELAXED);
	__atomic_store_n(&doorbell->memory_wanted, wanted, __ATOMIC_RELAXED);
}

void *page_alloc(unsigned int order)
{
	void *page = NULL;
	enum mm_error error = buddy_alloc_zeroed(&buddy, order, 0, &page);

	tell_driver();
	return error ? NULL : page;
}

void page_free(void *page)
{
	CHECK(!buddy_free(&buddy, page));
	tell_driver();
}

void memory_status(struct rw_status *ret)
{
	ret->memory_pages = buddy.counters.pages;
	ret->memory_free = buddy.counters.free;
	ret->memory_low_water = buddy.counters.low_water;
	ret->memory_reserve = buddy.reserve;
	ret->memory_donated = (blocks - !!leaving) * BLOCK_PAGES;
	ret->memory_donations = donations;
	ret->memory_returns = returns;
	ret->memory_requests = requests;
}

uint64_t memory_cr3(void)
{
	return cr3;
}

/*
 * The entry of a level that maps va, tables made on the way; NULL without
 * memory. All of the monitor's tables are in donated memory, so their addresses
 * are ours.
 */
static uint64_t *entry_of(uint64_t va, int leaf)
{
	uint64_t *table = page_va(hpa(cr3));

	for (int level = LEVELS; level > leaf; level--) {
		uint64_t *e = &table[va >> (12 + 9 * (level - 1)) & 511];

		if (!(*e & PTE_PRESENT)) {
			void *page = page_alloc(0);

			if (!page)
				return NULL;
			*e = page_hpa(page).v | PTE_PRESENT | PTE_WRITE;
		}
		table = page_va(hpa(*e & PTE_ADDRESS));
	}
	return &table[va >> (12 + 9 * (leaf - 1)) & 511];
}

/* Sets the entry of a block in the physmap; its tables are there. */
static void map_block(gpa_t start, uint64_t flags)
{
	void *va = page_va(hpa_of_gpa(start));
	uint64_t *e = entry_of((uint64_t)va, 2);

	CHECK(e);
	*e = flags ? start.v | flags | PTE_LARGE : 0;
	invlpg(va);
}

/* The block leaves the guest's tables; nothing else may fail behind that. */
static enum rw_error take_block(gpa_t start)
{
	enum rw_error error;

	if (start.v % RW_DONATE_SIZE || start.v >= PHYSMAP_SIZE)
		return RW_E_ARGUMENT;
	if (blocks == BUDDY_CHUNKS)
		return RW_E_MEMORY_LIMIT;
	if (!wall_is_ram(start))
		return RW_E_ADDRESS;
	if (!entry_of(RW_VA_PHYSMAP + start.v, 2))
		return RW_E_NO_MEMORY;
	error = wall_take(start, RW_DONATE_SIZE, &leaving);
	if (!error)
		block[blocks++] = start.v;
	return error;
}

/* No CPU reaches the block any more: now, and not before, it is the buddy's. */
static enum rw_error use_block(gpa_t start)
{
	map_block(start, PTE_PRESENT | PTE_WRITE | PTE_NX);
	if (buddy_add_chunk(&buddy, hpa_of_gpa(start), BLOCK_PAGES)) {
		map_block(start, 0);
		return RW_E_MEMORY_LIMIT;
	}
	leaving = 0;
	tell_driver();
	return RW_OK;
}

enum rw_error memory_donate(gpa_t start, bool *ret_in_use)
{
	enum rw_error error = RW_OK;

	spin_lock(&lock);
	if (!leaving)
		error = take_block(start);
	else if (block[blocks - 1] != start.v)
		error = RW_E_BUSY;
	if (!error && wall_reached(leaving)) {
		error = use_block(start);
		donations += !error;
	}
	if (!error)
		*ret_in_use = !leaving;
	spin_unlock(&lock);
	return error;
}

/* Cleared and unmapped, and only then the guest's again. */
static enum rw_error return_block(gpa_t start)
{
	enum rw_error error;
	size_t pages;

	wall_reclaim();
	if (buddy.counters.free < buddy.reserve + BLOCK_PAGES ||
	    buddy_remove_chunk(&buddy, hpa_of_gpa(start), &pages))
		return RW_E_MEMORY_IN_USE;
	map_block(start, 0);
	error = wall_give(start, RW_DONATE_SIZE);
	if (error)
		CHECK(!use_block(start));
	else
		returns++;
	return error;
}

enum rw_error memory_reclaim(gpa_t start)
{
	enum rw_error error = RW_E_ARGUMENT;
	uint32_t i = 0;

	spin_lock(&lock);
	while (i < blocks && block[i] != start.v)
		i++;
	if (i < blocks && !leaving)
		error = return_block(start);
	else if (i < blocks)
		error = i == blocks - 1 ? wall_give(start, RW_DONATE_SIZE) :
					  RW_E_BUSY;
	if (!error) {
		block[i] = block[--blocks];
		leaving = 0;
	}
	spin_unlock(&lock);
	return error;
}

static uint64_t window_va(const struct pcpu *cpu, unsigned int n)
{
	return RW_VA_WINDOW + (cpu->index * WINDOWS + n) * RW_PAGE_SIZE;
}

enum rw_error window_create(struct pcpu *cpu)
{
	bool complete = true;

	spin_lock(&lock);
	for (unsigned int n = 0; n < WINDOWS; n++) {
		cpu->window[n] = entry_of(window_va(cpu, n), 1);
		complete = complete && cpu->window[n];
	}
	spin_unlock(&lock);
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
