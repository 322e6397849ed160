/* SPDX-License-Identifier: MIT */
#include "tests/mm/memory.h"

#include <sys/mman.h>

#include "monitor/mm/frame.h"

static struct memory memory;
static uint64_t seed;

void draw_seed(uint64_t value)
{
	seed = value;
}

uint32_t draw(uint32_t below)
{
	seed ^= seed >> 12;
	seed ^= seed << 25;
	seed ^= seed >> 27;
	return (seed * 0x2545f4914f6cdd1dULL >> 32) * below >> 32;
}

struct memory *memory_new(void)
{
	size_t bytes = MEMORY_PAGES * RW_PAGE_SIZE;
	uintptr_t at = (uintptr_t)mmap(NULL, bytes + BUDDY_ALIGN,
				       PROT_READ | PROT_WRITE,
				       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal((void *)at, MAP_FAILED);
	munmap((void *)at, -at % BUDDY_ALIGN);
	at += -at % BUDDY_ALIGN;
	munmap((void *)(at + bytes), -(at + bytes) % BUDDY_ALIGN);
	memory.base = (unsigned char *)at;
	buddy_init(&memory.buddy, at - MEMORY_START);
	draw_seed(0x52696e6777616c6cULL);
	return &memory;
}

void memory_delete(struct memory *m)
{
	munmap(m->base, MEMORY_PAGES * RW_PAGE_SIZE);
}

int memory_setup(void **state)
{
	*state = memory_new();
	return 0;
}

int memory_teardown(void **state)
{
	memory_delete(*state);
	return 0;
}

void memory_donate(struct memory *m, size_t first, size_t pages)
{
	assert_int_equal(
		buddy_add_chunk(&m->buddy,
				hpa(MEMORY_START + first * RW_PAGE_SIZE),
				pages),
		MM_OK);
}

size_t memory_page(const struct memory *m, const void *p)
{
	return ((const unsigned char *)p - m->base) / RW_PAGE_SIZE;
}

struct tally {
	uint64_t pages, overhead, free;
	uint64_t blocks[BUDDY_ORDERS];
	uint64_t owned[BUDDY_OWNERS];
	uint64_t listed[BUDDY_ORDERS];
	uint64_t hot[BUDDY_ORDERS];
};

/* Counts the block that starts at `place`; returns its pages. */
static size_t audit_block(struct tally *t, const struct buddy_chunk *c,
			  size_t place)
{
	const struct buddy_frame *f = chunk_frames(c) + place;
	unsigned int order = f->tag & FRAME_ORDER;
	size_t pages = (size_t)1 << order;
	size_t mate = ((c->base / RW_PAGE_SIZE + place) ^ pages) -
		      c->base / RW_PAGE_SIZE;

	assert_in_range(order, 0, BUDDY_ORDER_MAX);
	assert_int_equal((c->base / RW_PAGE_SIZE + place) % pages, 0);
	assert_true(place + pages <= c->pages);
	for (size_t i = 1; i < pages; i++)
		assert_int_equal(f[i].tag, FRAME_BODY);
	switch (f->tag & FRAME_STATE) {
	case FRAME_USED:
		t->blocks[order]++;
		t->owned[f->tag >> FRAME_OWNER_SHIFT] += pages;
		return pages;
	case FRAME_HOT:
		assert_int_equal(f->tag, FRAME_HOT | order);
		t->hot[order]++;
		break;
	default:
		assert_int_equal(f->tag, FRAME_FREE | order);
		t->listed[order]++;
		if (order < BUDDY_ORDER_MAX && mate < c->pages)
			assert_int_not_equal(chunk_frames(c)[mate].tag, f->tag);
	}
	t->free += pages;
	return pages;
}

static void audit_chunk(struct tally *t, const struct buddy_chunk *c)
{
	size_t place = 0;

	while (chunk_frames(c)[place].tag == FRAME_RECORDS)
		place++;
	assert_int_equal(place, (c->pages * 12 + 4095) / 4096);
	t->pages += c->pages;
	t->overhead += place;
	while (place < c->pages)
		place += audit_block(t, c, place);
}

static const struct buddy_frame *audit_frame(const struct buddy *b, uint32_t n)
{
	const struct buddy_chunk *c = &b->chunk[n >> 16];

	assert_true(c->pages > (n & 0xffff));
	return chunk_frames(c) + (n & 0xffff);
}

static void audit_list(const struct buddy *b, unsigned int order,
		       uint64_t expected)
{
	uint64_t length = 0;

	for (uint32_t n = b->list[order].next; n != order; length++) {
		const struct buddy_frame *f = audit_frame(b, n);

		assert_int_equal(f->tag, FRAME_FREE | order);
		assert_int_equal(audit_frame(b, f->next)->prev, n);
		n = f->next;
	}
	assert_int_equal(length, expected);
	assert_int_equal(b->nonempty >> order & 1, length != 0);
}

void buddy_audit(struct buddy *b)
{
	struct tally t = { 0 };

	for (size_t n = 1; n <= BUDDY_CHUNKS; n++)
		if (b->chunk[n].pages)
			audit_chunk(&t, &b->chunk[n]);
	assert_int_equal(t.pages, b->counters.pages);
	assert_int_equal(t.overhead, b->counters.overhead);
	assert_int_equal(t.free, b->counters.free);
	assert_true(b->counters.low_water <= t.free);
	assert_memory_equal(t.blocks, b->counters.blocks, sizeof(t.blocks));
	assert_memory_equal(t.owned, b->counters.owned, sizeof(t.owned));
	for (unsigned int order = 0; order < BUDDY_ORDERS; order++) {
		audit_list(b, order, t.listed[order]);
		assert_int_equal(b->hot_count[order], t.hot[order]);
		for (uint32_t i = 0; i < b->hot_count[order]; i++)
			assert_int_equal(audit_frame(b, b->hot[order][i])->tag,
					 FRAME_HOT | order);
	}
	assert_true(spin_trylock(&b->lock));
	spin_unlock(&b->lock);
}
