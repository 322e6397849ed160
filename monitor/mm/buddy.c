/* SPDX-License-Identifier: MIT */
#include "monitor/mm/buddy.h"

#include <string.h>

#include "monitor/mm/frame.h"

#define NUMBER_SHIFT 16
#define NUMBER_PLACE 0xffffU
#define INDEX_FULL (1U << (BUDDY_INDEX_BITS - 1)) /* half: short searches */
#define HPA_LIMIT (1ULL << 52)

_Static_assert(BUDDY_CHUNKS < 0xffff, "a chunk number has 16 bits");
_Static_assert(BUDDY_CHUNK_PAGES_MAX <= NUMBER_PLACE + 1, "places fit");

/* NULL if there is no such page. */
static inline struct buddy_frame *frame_of(const struct buddy *b,
					   uint32_t number)
{
	uint32_t n = number >> NUMBER_SHIFT;
	uint32_t place = number & NUMBER_PLACE;

	if (n > BUDDY_CHUNKS || place >= b->chunk[n].pages)
		return NULL;
	return chunk_frames(&b->chunk[n]) + place;
}

static uint32_t overhead_of(size_t pages)
{
	return (pages * sizeof(struct buddy_frame) + RW_PAGE_SIZE - 1) >>
	       RW_PAGE_SHIFT;
}

/*
 * Whether a block is free, of that order, and its neighbours on the list know
 * it; if so and if asked, takes it off.
 */
static inline bool list_check(struct buddy *b, uint32_t number,
			      const struct buddy_frame *f, unsigned int order,
			      bool unlink)
{
	struct buddy_frame *next = frame_of(b, f->next);
	struct buddy_frame *prev = frame_of(b, f->prev);

	if (f->tag != (FRAME_FREE | order) || !next || !prev ||
	    next->prev != number || prev->next != number)
		return false;
	if (!unlink)
		return true;
	next->prev = f->prev;
	prev->next = f->next;
	if (next == prev)
		b->nonempty ^= 1U << order;
	return true;
}

static inline void list_insert(struct buddy *b, uint32_t number,
			       struct buddy_frame *f, unsigned int order)
{
	struct buddy_frame *head = &b->list[order];
	uint32_t next = head->next;

	f->tag = FRAME_FREE | order;
	f->next = next;
	f->prev = order;
	head->next = number;
	chunk_frames(&b->chunk[next >> NUMBER_SHIFT])[next & NUMBER_PLACE].prev =
		number;
	b->nonempty |= 1U << order;
}

/* Joins a block that is on no list with its free mates, and lists it. */
static enum mm_error block_join(struct buddy *b, uint32_t number,
				unsigned int order)
{
	const struct buddy_chunk *c = &b->chunk[number >> NUMBER_SHIFT];
	uint32_t first = c->base >> RW_PAGE_SHIFT;
	uint32_t base = number & ~NUMBER_PLACE;
	uint32_t place = number & NUMBER_PLACE;
	enum mm_error error = MM_OK;

	for (; order < BUDDY_ORDER_MAX; order++) {
		uint32_t mate = ((first + place) ^ 1U << order) - first;
		struct buddy_frame *f = chunk_frames(c) + mate;

		if (mate >= c->pages || f->tag != (FRAME_FREE | order))
			break;
		if (!list_check(b, base | mate, f, order, true)) {
			error = MM_E_CORRUPT;
			break;
		}
		if (mate < place)
			f = chunk_frames(c) + place;
		f->tag = FRAME_BODY;
		place = mate < place ? mate : place;
	}
	list_insert(b, base | place, chunk_frames(c) + place, order);
	return error;
}

/* Joins hot blocks until a block of the order is listed, or all of them. */
static enum mm_error hot_join(struct buddy *b, unsigned int order)
{
	enum mm_error error = MM_OK;

	for (unsigned int o = 0; o < BUDDY_ORDERS; o++) {
		struct buddy_hot *hot = &b->hot[o];

		while (!error && hot->count && !(b->nonempty >> order))
			error = block_join(b, hot->number[--hot->count], o);
	}
	return error;
}

void buddy_init(struct buddy *b, uint64_t offset)
{
	memset(b, 0, sizeof(*b));
	b->offset = offset;
	b->chunk[0].base = (uintptr_t)b->list;
	b->chunk[0].pages = BUDDY_ORDERS;
	for (unsigned int order = 0; order < BUDDY_ORDERS; order++)
		b->list[order].next = b->list[order].prev = order;
}

/* How many regions a chunk touches. */
static uint32_t regions_of(uintptr_t base, size_t pages)
{
	uintptr_t last = base + (pages << RW_PAGE_SHIFT) - 1;

	return last / BUDDY_ALIGN - base / BUDDY_ALIGN + 1;
}

static void index_insert(struct buddy *b, uint32_t n)
{
	const struct buddy_chunk *c = &b->chunk[n];
	uint32_t regions = regions_of(c->base, c->pages);

	for (uint32_t r = 0; r < regions; r++) {
		uint32_t i = index_start(c->base + r * BUDDY_ALIGN);

		while (b->index[i])
			i = index_next(i);
		__atomic_store_n(&b->index[i], n, __ATOMIC_RELEASE);
	}
	b->indexed += regions;
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
		list_insert(b, n << NUMBER_SHIFT | place, frames + place,
			    order);
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
		index_insert(b, n);
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
	const struct buddy_chunk *c = &b->chunk[n];
	uint32_t place = overhead_of(c->pages);

	while (place < c->pages) {
		const struct buddy_frame *f = chunk_frames(c) + place;
		unsigned int order = f->tag & FRAME_ORDER;

		if ((f->tag & FRAME_STATE) == FRAME_USED)
			return MM_E_BUSY;
		if (order > BUDDY_ORDER_MAX ||
		    !list_check(b, n << NUMBER_SHIFT | place, f, order, unlink))
			return MM_E_CORRUPT;
		place += 1U << order;
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
	if (error) {
		k->corrupt += error == MM_E_CORRUPT;
		return error;
	}
	k->pages -= pages;
	k->overhead -= overhead_of(pages);
	k->free -= pages - overhead_of(pages);
	if (k->free < k->low_water)
		k->low_water = k->free;
	__atomic_store_n(&b->chunk[n].pages, 0, __ATOMIC_RELAXED);
	b->indexed = 0;
	memset(b->index, 0, sizeof(b->index));
	for (n = 1; n <= BUDDY_CHUNKS; n++)
		if (b->chunk[n].pages)
			index_insert(b, n);
	return MM_OK;
}

enum mm_error buddy_remove_chunk(struct buddy *b, hpa_t start,
				 size_t *ret_pages)
{
	void *base = buddy_va(b, start);
	enum mm_error error = MM_E_FOREIGN;
	size_t pages = 0;
	uintptr_t place;
	uint32_t n;

	spin_lock(&b->lock);
	n = chunk_find(b, (uintptr_t)base, &place);
	if (n && b->chunk[n].base == (uintptr_t)base) {
		pages = b->chunk[n].pages;
		error = chunk_unlink(b, n);
	}
	spin_unlock(&b->lock);
	if (error)
		return error;
	memset(base, 0, pages * RW_PAGE_SIZE);
	*ret_pages = pages;
	return MM_OK;
}

bool buddy_spare_chunk(struct buddy *b, hpa_t *ret_start)
{
	bool found = false;

	spin_lock(&b->lock);
	if (hot_join(b, BUDDY_ORDERS))
		b->counters.corrupt++;
	for (uint32_t n = 1; n <= BUDDY_CHUNKS && !found; n++) {
		const struct buddy_chunk *c = &b->chunk[n];
		uint32_t usable = c->pages - overhead_of(c->pages);

		found = c->pages && b->counters.free >= b->reserve + usable &&
			!chunk_walk(b, n, false);
		if (found)
			*ret_start = buddy_hpa(b, (void *)c->base);
	}
	spin_unlock(&b->lock);
	return found;
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

/* A block from the lists becomes the only hot one of its order. */
static __attribute__((noinline)) enum mm_error hot_fill(struct buddy *b,
							unsigned int order)
{
	unsigned int have;
	struct buddy_frame *f;
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
	f = frame_of(b, number);
	if (!f || !list_check(b, number, f, have, true))
		return MM_E_CORRUPT;
	while (have-- > order)
		list_insert(b, number + (1U << have), f + (1U << have), have);
	f->tag = FRAME_HOT | order;
	b->hot[order].number[0] = number;
	b->hot[order].count = 1;
	return MM_OK;
}

static inline enum mm_error block_take(struct buddy *b, unsigned int order,
				       unsigned int owner, void **ret)
{
	struct buddy_counters *k = &b->counters;
	struct buddy_hot *hot = &b->hot[order];
	const struct buddy_chunk *c;
	struct buddy_frame *f;
	uint32_t place;

	if (!hot->count) {
		enum mm_error error = hot_fill(b, order);

		if (error)
			return error;
	}
	place = hot->number[hot->count - 1];
	c = &b->chunk[place >> NUMBER_SHIFT];
	place &= NUMBER_PLACE;
	f = chunk_frames(c) + place;
	if (f->tag != (FRAME_HOT | order))
		return MM_E_CORRUPT;
	hot->count--;
	f->tag = frame_tag_used(order, owner);
	f->next = ~f->tag;
	k->free -= 1U << order;
	if (k->free < k->low_water)
		k->low_water = k->free;
	k->blocks[order]++;
	k->owned[owner] += 1U << order;
	*ret = (void *)(c->base + place * RW_PAGE_SIZE);
	return MM_OK;
}

enum mm_error buddy_alloc(struct buddy *b, unsigned int order,
			  unsigned int owner, void **ret)
{
	enum mm_error error;

	if (order > BUDDY_ORDER_MAX || owner >= BUDDY_OWNERS)
		return MM_E_ARGUMENT;
	spin_lock(&b->lock);
	error = block_take(b, order, owner, ret);
	if (error == MM_E_CORRUPT)
		b->counters.corrupt++;
	else if (error)
		b->counters.exhausted++;
	spin_unlock(&b->lock);
	return error;
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
static __attribute__((noinline)) enum mm_error
block_refuse(const struct buddy_chunk *c, uintptr_t va)
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

static inline enum mm_error block_give(struct buddy *b, uintptr_t va)
{
	struct buddy_counters *k = &b->counters;
	uintptr_t place;
	uint32_t n = chunk_find(b, va, &place);
	const struct buddy_chunk *c = &b->chunk[n];
	struct buddy_frame *f;
	struct buddy_hot *hot;
	unsigned int order;

	if (!n)
		return MM_E_FOREIGN;
	f = chunk_frames(c) + place;
	if (va % RW_PAGE_SIZE || f->next != ~f->tag)
		return block_refuse(c, va);
	order = f->tag & FRAME_ORDER;
	k->free += 1U << order;
	k->blocks[order]--;
	k->owned[f->tag >> FRAME_OWNER_SHIFT] -= 1U << order;
	hot = &b->hot[order];
	if (hot->count == BUDDY_HOT)
		return block_join(b, n << NUMBER_SHIFT | place, order);
	f->tag = FRAME_HOT | order;
	hot->number[hot->count++] = n << NUMBER_SHIFT | place;
	return MM_OK;
}

enum mm_error buddy_free(struct buddy *b, void *block)
{
	enum mm_error error;

	spin_lock(&b->lock);
	error = block_give(b, (uintptr_t)block);
	if (error == MM_E_CORRUPT)
		b->counters.corrupt++;
	else if (error)
		b->counters.refused++;
	spin_unlock(&b->lock);
	return error;
}
