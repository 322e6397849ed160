/* SPDX-License-Identifier: MIT */
#include "monitor/mm/buddy.h"

#include <string.h>

#include "monitor/mm/frame.h"

#define NUMBER_SHIFT 16
#define NUMBER_PLACE 0xffffU
#define INDEX_FULL   (1U << (BUDDY_INDEX_BITS - 1)) /* half: short searches */
#define HPA_LIMIT    (1ULL << 52)

_Static_assert(BUDDY_CHUNKS < 0xffff, "a chunk number has 16 bits");
_Static_assert(BUDDY_CHUNK_PAGES_MAX + (1 << BUDDY_ORDER_MAX) <= NUMBER_PLACE,
	       "the place behind the last block fits");

static inline struct buddy_frame *frame_of(const struct buddy *b,
					   uint32_t number)
{
	return chunk_frames(&b->chunk[number >> NUMBER_SHIFT]) +
	       (number & NUMBER_PLACE);
}

/* For a number that may have been overwritten. */
static inline bool number_valid(const struct buddy *b, uint32_t number)
{
	uint32_t n = number >> NUMBER_SHIFT;

	return n <= BUDDY_CHUNKS && (number & NUMBER_PLACE) < b->chunk[n].pages;
}

static uint32_t overhead_of(size_t pages)
{
	return (pages * sizeof(struct buddy_frame) + RW_PAGE_SIZE - 1) >>
	       RW_PAGE_SHIFT;
}

/* Whether the neighbours of a block on a list know it. */
static inline bool list_intact(const struct buddy *b, uint32_t number)
{
	const struct buddy_frame *f = frame_of(b, number);

	return number_valid(b, f->next) && number_valid(b, f->prev) &&
	       frame_of(b, f->next)->prev == number &&
	       frame_of(b, f->prev)->next == number;
}

/* Takes a block off its list; false if the list is damaged. */
static inline bool list_remove(struct buddy *b, uint32_t number,
			       unsigned int order)
{
	uint32_t next = frame_of(b, number)->next;
	uint32_t prev = frame_of(b, number)->prev;

	if (!list_intact(b, number))
		return false;
	frame_of(b, next)->prev = prev;
	frame_of(b, prev)->next = next;
	if (next == prev)
		b->nonempty ^= 1U << order;
	return true;
}

static inline void list_insert(struct buddy *b, uint32_t number,
			       unsigned int order)
{
	struct buddy_frame *f = frame_of(b, number);
	uint32_t next = b->list[order].next;

	f->tag = FRAME_FREE | order;
	f->next = next;
	f->prev = order;
	b->list[order].next = number;
	frame_of(b, next)->prev = number;
	b->nonempty |= 1U << order;
}

/* Ends an operation: counts the error, unlocks, returns it. */
static enum mm_error done(struct buddy *b, enum mm_error error)
{
	struct buddy_counters *k = &b->counters;

	if (error == MM_E_CORRUPT)
		k->corrupt++;
	else if (error == MM_E_NO_MEMORY)
		k->exhausted++;
	else if (error)
		k->refused++;
	spin_unlock(&b->lock);
	return error;
}

/* Joins a block that is on no list with its free mates, and lists it. */
static enum mm_error block_join(struct buddy *b, uint32_t number,
				unsigned int order)
{
	const struct buddy_chunk *c = &b->chunk[number >> NUMBER_SHIFT];
	uint32_t first = c->base >> RW_PAGE_SHIFT;
	uint32_t base = number & ~NUMBER_PLACE;
	enum mm_error error = MM_OK;

	for (; order < BUDDY_ORDER_MAX; order++) {
		uint32_t mate = ((first + number - base) ^ 1U << order) - first;

		if (mate >= c->pages ||
		    chunk_frames(c)[mate].tag != (FRAME_FREE | order))
			break;
		mate |= base;
		if (!list_remove(b, mate, order)) {
			error = MM_E_CORRUPT;
			break;
		}
		frame_of(b, mate > number ? mate : number)->tag = FRAME_BODY;
		number = mate > number ? number : mate;
	}
	list_insert(b, number, order);
	return error;
}

/* Takes the newest hot block, of which there is one; false if damaged. */
static inline bool hot_take(struct buddy *b, unsigned int order,
			    uint32_t *ret_number)
{
	*ret_number = b->hot[order][--b->hot_count[order]];
	return frame_of(b, *ret_number)->tag == (FRAME_HOT | order);
}

/* Joins hot blocks until a block of the order is listed, or all of them. */
static enum mm_error hot_join(struct buddy *b, unsigned int order)
{
	enum mm_error error = MM_OK;
	uint32_t number;

	for (unsigned int o = 0; o < BUDDY_ORDERS; o++) {
		while (!error && b->hot_count[o] && !(b->nonempty >> order))
			error = hot_take(b, o, &number) ?
					block_join(b, number, o) :
					MM_E_CORRUPT;
	}
	return error;
}

/* How many regions a chunk touches. */
static uint32_t regions_of(uintptr_t base, size_t pages)
{
	uintptr_t last = base + (pages << RW_PAGE_SHIFT) - 1;

	return last / BUDDY_ALIGN - base / BUDDY_ALIGN + 1;
}

static void index_clear(struct buddy *b)
{
	b->indexed = 0;
	for (uint32_t i = 0; i < 1U << BUDDY_INDEX_BITS; i++)
		__atomic_store_n(&b->index[i], &b->none, __ATOMIC_RELAXED);
}

static void index_insert(struct buddy *b, const struct buddy_chunk *c)
{
	uint32_t regions = regions_of(c->base, c->pages);

	for (uint32_t r = 0; r < regions; r++) {
		uintptr_t i = index_start(c->base + r * BUDDY_ALIGN);

		while (b->index[i] != &b->none)
			i = index_next(i);
		__atomic_store_n(&b->index[i], c, __ATOMIC_RELEASE);
	}
	b->indexed += regions;
}

void buddy_init(struct buddy *b, uint64_t offset)
{
	memset(b, 0, sizeof(*b));
	b->offset = offset;
	index_clear(b);
	b->chunk[0].base = (uintptr_t)b->list;
	b->chunk[0].pages = BUDDY_ORDERS;
	for (unsigned int order = 0; order < BUDDY_ORDERS; order++)
		b->list[order].next = b->list[order].prev = order;
}

/* A number for the new chunk, or 0 and why not. */
static uint32_t chunk_choose(const struct buddy *b, uintptr_t base,
			     size_t pages, enum mm_error *ret_error)
{
	uint32_t choice = 0;

	*ret_error = MM_E_CHUNKS;
	for (uint32_t n = BUDDY_CHUNKS; n; n--) {
		const struct buddy_chunk *c = &b->chunk[n];

		if (!c->pages) {
			choice = n;
		} else if (base - c->base < c->pages * RW_PAGE_SIZE ||
			   c->base - base < pages * RW_PAGE_SIZE) {
			*ret_error = MM_E_OVERLAP;
			return 0;
		}
	}
	return b->indexed + regions_of(base, pages) <= INDEX_FULL ? choice : 0;
}

/* Lists the pages of a new chunk behind its records, in the largest blocks. */
static void chunk_fill(struct buddy *b, uint32_t n)
{
	const struct buddy_chunk *c = &b->chunk[n];
	struct buddy_frame *frames = chunk_frames(c);
	uint32_t place = overhead_of(c->pages);
	unsigned int order;

	memset(frames, 0, c->pages * sizeof(*frames));
	for (uint32_t i = 0; i < place; i++)
		frames[i].tag = FRAME_RECORDS;
	for (; place < c->pages; place += 1U << order) {
		order = __builtin_ctzll(c->base / RW_PAGE_SIZE + place);
		if (order > BUDDY_ORDER_MAX)
			order = BUDDY_ORDER_MAX;
		while (c->pages - place < 1U << order)
			order--;
		list_insert(b, n << NUMBER_SHIFT | place, order);
	}
}

enum mm_error buddy_add_chunk(struct buddy *b, hpa_t start, size_t pages)
{
	struct buddy_counters *k = &b->counters;
	uintptr_t base = start.v + b->offset;
	enum mm_error error;
	uint32_t n;

	if (b->offset % BUDDY_ALIGN || start.v % RW_PAGE_SIZE ||
	    pages < BUDDY_CHUNK_PAGES_MIN || pages > BUDDY_CHUNK_PAGES_MAX ||
	    start.v > HPA_LIMIT - pages * RW_PAGE_SIZE)
		return MM_E_ARGUMENT;
	spin_lock(&b->lock);
	n = chunk_choose(b, base, pages, &error);
	if (n) {
		bool unused = k->free + k->overhead == k->pages;

		__atomic_store_n(&b->chunk[n].base, base, __ATOMIC_RELAXED);
		__atomic_store_n(&b->chunk[n].pages, pages, __ATOMIC_RELEASE);
		chunk_fill(b, n);
		index_insert(b, &b->chunk[n]);
		k->pages += pages;
		k->overhead += overhead_of(pages);
		k->free += pages - overhead_of(pages);
		if (unused)
			k->low_water = k->free;
		error = MM_OK;
	}
	spin_unlock(&b->lock);
	return error;
}

/* Whether all blocks of a chunk are free and intact; if so, unlinks if asked. */
static enum mm_error chunk_walk(struct buddy *b, uint32_t n, bool unlink)
{
	uint32_t number = n << NUMBER_SHIFT | overhead_of(b->chunk[n].pages);

	while (number_valid(b, number)) {
		uint32_t tag = frame_of(b, number)->tag;
		unsigned int order = tag & FRAME_ORDER;

		if ((tag & FRAME_STATE) == FRAME_USED)
			return MM_E_BUSY;
		if (tag != (FRAME_FREE | order) || order > BUDDY_ORDER_MAX ||
		    !(unlink ? list_remove(b, number, order) :
			       list_intact(b, number)))
			return MM_E_CORRUPT;
		number += 1U << order;
	}
	return MM_OK;
}

/* Takes the blocks of an idle chunk off the lists, and forgets it. */
static enum mm_error chunk_unlink(struct buddy *b, uint32_t n)
{
	struct buddy_counters *k = &b->counters;
	uint32_t pages = b->chunk[n].pages;
	enum mm_error error = hot_join(b, BUDDY_ORDERS);

	if (!error)
		error = chunk_walk(b, n, false);
	if (!error)
		error = chunk_walk(b, n, true);
	if (error)
		return error;
	k->pages -= pages;
	k->overhead -= overhead_of(pages);
	k->free -= pages - overhead_of(pages);
	if (k->free < k->low_water)
		k->low_water = k->free;
	__atomic_store_n(&b->chunk[n].pages, 0, __ATOMIC_RELAXED);
	index_clear(b);
	for (n = 1; n <= BUDDY_CHUNKS; n++)
		if (b->chunk[n].pages)
			index_insert(b, &b->chunk[n]);
	return MM_OK;
}

enum mm_error buddy_remove_chunk(struct buddy *b, hpa_t start,
				 size_t *ret_pages)
{
	void *base = buddy_va(b, start);
	enum mm_error error = MM_E_FOREIGN;
	const struct buddy_chunk *c;
	size_t pages = 0;
	uintptr_t place;

	spin_lock(&b->lock);
	if (chunk_find(b, (uintptr_t)base, &c, &place) && !place) {
		pages = c->pages;
		error = chunk_unlink(b, c - b->chunk);
	}
	if (done(b, error))
		return error;
	memset(base, 0, pages * RW_PAGE_SIZE);
	*ret_pages = pages;
	return MM_OK;
}

void buddy_set_reserve(struct buddy *b, uint64_t pages)
{
	__atomic_store_n(&b->reserve, pages, __ATOMIC_RELAXED);
}

bool buddy_needs_memory(const struct buddy *b)
{
	return __atomic_load_n(&b->counters.free, __ATOMIC_RELAXED) <
	       __atomic_load_n(&b->reserve, __ATOMIC_RELAXED);
}

/* Cuts a block from the lists. */
static enum mm_error block_cut(struct buddy *b, unsigned int order,
			       uint32_t *ret_number)
{
	unsigned int have;
	uint32_t number;

	if (!(b->nonempty >> order)) {
		enum mm_error error = hot_join(b, order);

		if (error)
			return error;
		if (!(b->nonempty >> order))
			return MM_E_NO_MEMORY;
	}
	have = order + __builtin_ctz(b->nonempty >> order);
	number = b->list[have].next;
	if (frame_of(b, number)->tag != (FRAME_FREE | have) ||
	    !list_remove(b, number, have))
		return MM_E_CORRUPT;
	while (have-- > order)
		list_insert(b, number + (1U << have), have);
	*ret_number = number;
	return MM_OK;
}

/* Hands out a block that is on no list. */
static inline void *block_take(struct buddy *b, uint32_t number,
			       unsigned int order, unsigned int owner)
{
	struct buddy_counters *k = &b->counters;
	struct buddy_frame *f = frame_of(b, number);

	f->tag = frame_tag_used(order, owner);
	f->next = ~f->tag;
	k->free -= 1U << order;
	if (k->free < k->low_water)
		k->low_water = k->free;
	k->blocks[order]++;
	k->owned[owner] += 1U << order;
	return (void *)(b->chunk[number >> NUMBER_SHIFT].base +
			(number & NUMBER_PLACE) * RW_PAGE_SIZE);
}

/* As buddy_alloc(), locked, when no block of the order is hot. */
static __attribute__((noinline)) enum mm_error
alloc_cold(struct buddy *b, unsigned int order, unsigned int owner, void **ret)
{
	uint32_t number;
	enum mm_error error = block_cut(b, order, &number);

	if (!error)
		*ret = block_take(b, number, order, owner);
	return done(b, error);
}

enum mm_error buddy_alloc(struct buddy *b, unsigned int order,
			  unsigned int owner, void **ret)
{
	uint32_t number;

	if (order > BUDDY_ORDER_MAX || owner >= BUDDY_OWNERS)
		return MM_E_ARGUMENT;
	spin_lock(&b->lock);
	if (!b->hot_count[order])
		return alloc_cold(b, order, owner, ret);
	if (!hot_take(b, order, &number))
		return done(b, MM_E_CORRUPT);
	*ret = block_take(b, number, order, owner);
	spin_unlock(&b->lock);
	return MM_OK;
}

enum mm_error buddy_alloc_zeroed(struct buddy *b, unsigned int order,
				 unsigned int owner, void **ret)
{
	enum mm_error error = buddy_alloc(b, order, owner, ret);

	if (!error)
		memset(*ret, 0, RW_PAGE_SIZE << order);
	return error;
}

/* What is wrong with an address in chunk c at which no used block starts. */
static enum mm_error block_refuse(const struct buddy_chunk *c, uintptr_t va)
{
	uint32_t first = c->base >> RW_PAGE_SHIFT;

	for (unsigned int order = 0; order <= BUDDY_ORDER_MAX; order++) {
		uint32_t head = (va >> RW_PAGE_SHIFT & ~0U << order) - first;
		uint32_t tag = head < c->pages ? chunk_frames(c)[head].tag : 0;

		if ((tag & FRAME_STATE) == FRAME_RECORDS)
			return MM_E_FOREIGN;
		if (tag == FRAME_BODY || (tag & FRAME_ORDER) < order)
			continue;
		if ((tag & FRAME_STATE) != FRAME_USED)
			return MM_E_DOUBLE_FREE;
		if (c->base + head * RW_PAGE_SIZE != va)
			return MM_E_INTERIOR;
		break;
	}
	return MM_E_CORRUPT;
}

enum mm_error buddy_free(struct buddy *b, void *block)
{
	struct buddy_counters *k = &b->counters;
	const struct buddy_chunk *c;
	struct buddy_frame *f;
	unsigned int order;
	uintptr_t place;

	spin_lock(&b->lock);
	if (!chunk_find(b, (uintptr_t)block, &c, &place))
		return done(b, MM_E_FOREIGN);
	f = chunk_frames(c) + place;
	if ((uintptr_t)block % RW_PAGE_SIZE || f->next != ~f->tag)
		return done(b, block_refuse(c, (uintptr_t)block));
	order = f->tag & FRAME_ORDER;
	k->free += 1U << order;
	k->blocks[order]--;
	k->owned[f->tag >> FRAME_OWNER_SHIFT] -= 1U << order;
	place |= (c - b->chunk) << NUMBER_SHIFT;
	if (b->hot_count[order] == BUDDY_HOT)
		return done(b, block_join(b, place, order));
	f->tag = FRAME_HOT | order;
	b->hot[order][b->hot_count[order]++] = place;
	spin_unlock(&b->lock);
	return MM_OK;
}
