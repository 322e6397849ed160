/* SPDX-License-Identifier: MIT */
#include "tests/mm/memory.h"

#include "monitor/mm/frame.h"

#define OWNER 3

static void *take(struct memory *m, unsigned int order)
{
	void *p = NULL;

	assert_int_equal(buddy_alloc(&m->buddy, order, OWNER, &p), MM_OK);
	return p;
}

static void give(struct memory *m, void *p)
{
	assert_int_equal(buddy_free(&m->buddy, p), MM_OK);
}

static hpa_t page_hpa(size_t page)
{
	return hpa(MEMORY_START + page * RW_PAGE_SIZE);
}

/* Takes all there is in blocks of one order; how many. */
static size_t take_all(struct memory *m, unsigned int order, void **blocks)
{
	size_t n = 0;

	while (!buddy_alloc(&m->buddy, order, OWNER, &blocks[n]))
		n++;
	return n;
}

static void a_block_is_aligned_in_linear_and_in_physical_memory(void **state)
{
	struct memory *m = *state;

	memory_donate(m, 5, 8000);
	for (unsigned int order = 0; order < BUDDY_ORDERS; order++) {
		void *p = take(m, order);

		assert_int_equal((uintptr_t)p % (RW_PAGE_SIZE << order), 0);
		assert_int_equal(
			buddy_hpa(&m->buddy, p).v % (RW_PAGE_SIZE << order), 0);
		assert_ptr_equal(buddy_va(&m->buddy, buddy_hpa(&m->buddy, p)),
				 p);
	}
	buddy_audit(&m->buddy);
}

static void without_memory_every_request_fails(void **state)
{
	struct memory *m = *state;
	void *p = m;

	assert_int_equal(buddy_alloc(&m->buddy, 0, 0, &p), MM_E_NO_MEMORY);
	assert_int_equal(buddy_free(&m->buddy, m->base), MM_E_FOREIGN);
	assert_ptr_equal(p, m);
	buddy_audit(&m->buddy);
}

static void an_order_or_owner_out_of_range_is_refused(void **state)
{
	struct memory *m = *state;
	void *p = m;

	memory_donate(m, 0, 2048);
	assert_int_equal(buddy_alloc(&m->buddy, BUDDY_ORDERS, 0, &p),
			 MM_E_ARGUMENT);
	assert_int_equal(buddy_alloc(&m->buddy, 32, 0, &p), MM_E_ARGUMENT);
	assert_int_equal(buddy_alloc(&m->buddy, ~0U, 0, &p), MM_E_ARGUMENT);
	assert_int_equal(buddy_alloc(&m->buddy, 0, BUDDY_OWNERS, &p),
			 MM_E_ARGUMENT);
	assert_ptr_equal(p, m);
	buddy_audit(&m->buddy);
}

static void
a_chunk_of_any_size_gives_every_page_behind_its_records(void **state)
{
	static const size_t sizes[] = { 4, 5, 341, 342, 343, 611, 1023, 3001 };
	void *blocks[3001];

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct memory *m = *state;
		size_t n;

		buddy_init(&m->buddy, m->buddy.offset);
		memory_donate(m, 37 * i + 1, sizes[i]);
		n = take_all(m, 0, blocks);
		assert_int_equal(n, sizes[i] - (sizes[i] * 12 + 4095) / 4096);
		assert_int_equal(m->buddy.counters.free, 0);
		buddy_audit(&m->buddy);
	}
}

static void zeroed_blocks_are_zero_in_every_byte(void **state)
{
	struct memory *m = *state;
	unsigned char *p;
	void *q;

	memory_donate(m, 0, 64);
	p = take(m, 3);
	memset(p, 0xa5, 8 * RW_PAGE_SIZE);
	give(m, p);
	assert_int_equal(buddy_alloc_zeroed(&m->buddy, 3, OWNER, &q), MM_OK);
	assert_ptr_equal(p, q);
	for (size_t i = 0; i < 8 * RW_PAGE_SIZE; i++)
		assert_int_equal(p[i], 0);
}

static void a_chunk_that_is_not_as_it_must_be_is_refused(void **state)
{
	struct memory *m = *state;
	struct buddy *b = &m->buddy;
	hpa_t start = page_hpa(0);

	assert_int_equal(buddy_add_chunk(b, hpa(start.v + 8), 16),
			 MM_E_ARGUMENT);
	assert_int_equal(buddy_add_chunk(b, start, 0), MM_E_ARGUMENT);
	assert_int_equal(buddy_add_chunk(b, start, BUDDY_CHUNK_PAGES_MIN - 1),
			 MM_E_ARGUMENT);
	assert_int_equal(buddy_add_chunk(b, start, BUDDY_CHUNK_PAGES_MAX + 1),
			 MM_E_ARGUMENT);
	assert_int_equal(buddy_add_chunk(b, start, SIZE_MAX), MM_E_ARGUMENT);
	assert_int_equal(buddy_add_chunk(b, hpa(-16 * RW_PAGE_SIZE), 16),
			 MM_E_ARGUMENT);
	assert_int_equal(buddy_add_chunk(b, hpa((1ULL << 52) - 4096), 16),
			 MM_E_ARGUMENT);
	buddy_audit(b);
	buddy_init(b, b->offset + RW_PAGE_SIZE);
	assert_int_equal(buddy_add_chunk(b, start, 16), MM_E_ARGUMENT);
}

static void a_chunk_that_overlaps_another_is_refused(void **state)
{
	struct memory *m = *state;
	struct buddy *b = &m->buddy;

	memory_donate(m, 100, 100);
	assert_int_equal(buddy_add_chunk(b, page_hpa(100), 100), MM_E_OVERLAP);
	assert_int_equal(buddy_add_chunk(b, page_hpa(96), 5), MM_E_OVERLAP);
	assert_int_equal(buddy_add_chunk(b, page_hpa(199), 8), MM_E_OVERLAP);
	assert_int_equal(buddy_add_chunk(b, page_hpa(150), 4), MM_E_OVERLAP);
	assert_int_equal(buddy_add_chunk(b, page_hpa(0), 4000), MM_E_OVERLAP);
	buddy_audit(b);
	memory_donate(m, 96, 4);
	memory_donate(m, 200, 4);
	buddy_audit(b);
}

static void more_chunks_than_the_build_can_hold_are_refused(void **state)
{
	struct memory *m = *state;
	size_t pages;

	for (size_t i = 0; i < BUDDY_CHUNKS; i++)
		memory_donate(m, 8 * i, 5);
	assert_int_equal(buddy_add_chunk(&m->buddy, page_hpa(8 * BUDDY_CHUNKS),
					 5),
			 MM_E_CHUNKS);
	buddy_audit(&m->buddy);
	assert_int_equal(buddy_remove_chunk(&m->buddy, page_hpa(16), &pages),
			 MM_OK);
	memory_donate(m, 8 * BUDDY_CHUNKS, 5);
	buddy_audit(&m->buddy);
}

static void a_chunk_that_would_fill_the_index_is_refused(void **state)
{
	size_t regions = 1 << (BUDDY_INDEX_BITS - 1);
	size_t per_chunk = MEMORY_PAGES * RW_PAGE_SIZE / BUDDY_ALIGN;
	struct memory *m = *state;

	m->buddy.indexed = regions - per_chunk + 1;
	assert_int_equal(buddy_add_chunk(&m->buddy, page_hpa(0), MEMORY_PAGES),
			 MM_E_CHUNKS);
	m->buddy.indexed--;
	memory_donate(m, 0, MEMORY_PAGES);
}

static void exhaustion_fails_the_request_and_loses_nothing(void **state)
{
	struct memory *m = *state;
	void *blocks[64];
	void *p = m;
	size_t n;

	memory_donate(m, 1000, 200);
	n = take_all(m, 2, blocks);
	assert_in_range(n, 48, 49);
	assert_int_equal(buddy_alloc(&m->buddy, 2, OWNER, &p), MM_E_NO_MEMORY);
	assert_int_equal(buddy_alloc(&m->buddy, 10, OWNER, &p), MM_E_NO_MEMORY);
	assert_ptr_equal(p, m);
	assert_int_equal(m->buddy.counters.exhausted, 3);
	buddy_audit(&m->buddy);
	give(m, blocks[7]);
	assert_ptr_equal(take(m, 2), blocks[7]);
	buddy_audit(&m->buddy);
}

static void freed_in_any_order_memory_joins_to_what_it_was(void **state)
{
	static void *blocks[MEMORY_PAGES];
	struct memory *m = *state;
	size_t before[BUDDY_ORDERS];
	size_t n;

	memory_donate(m, 77, 5000);
	memory_donate(m, 6000, 2049);
	for (unsigned int order = 0; order < BUDDY_ORDERS; order++) {
		before[order] = take_all(m, order, blocks);
		for (n = 0; n < before[order]; n++)
			give(m, blocks[n]);
	}
	for (int round = 0; round < 4; round++) {
		n = take_all(m, 0, blocks);
		assert_int_equal(n, before[0]);
		while (n) {
			size_t i = draw(n--);

			give(m, blocks[i]);
			blocks[i] = blocks[n];
		}
		buddy_audit(&m->buddy);
	}
	for (unsigned int order = BUDDY_ORDERS; order--;) {
		assert_int_equal(take_all(m, order, blocks), before[order]);
		while (before[order])
			give(m, blocks[--before[order]]);
	}
}

static void a_block_freed_twice_is_refused(void **state)
{
	struct memory *m = *state;
	unsigned int order;
	void *blocks[2 * BUDDY_HOT];

	memory_donate(m, 0, 4096);
	for (order = 0; order < 5; order++) {
		for (size_t i = 0; i < 2 * BUDDY_HOT; i++)
			blocks[i] = take(m, order);
		for (size_t i = 0; i < 2 * BUDDY_HOT; i++)
			give(m, blocks[i]);
		for (size_t i = 0; i < 2 * BUDDY_HOT; i++)
			assert_int_equal(buddy_free(&m->buddy, blocks[i]),
					 MM_E_DOUBLE_FREE);
		buddy_audit(&m->buddy);
	}
	assert_int_equal(m->buddy.counters.refused, 5 * 2 * BUDDY_HOT);
}

static void an_address_inside_a_block_is_refused(void **state)
{
	struct memory *m = *state;
	char *p;

	memory_donate(m, 0, 2048);
	p = take(m, 4);
	for (size_t i = 1; i < 16; i++)
		assert_int_equal(buddy_free(&m->buddy, p + i * RW_PAGE_SIZE),
				 MM_E_INTERIOR);
	for (size_t i = 1; i < RW_PAGE_SIZE; i += 17)
		assert_int_equal(buddy_free(&m->buddy, p + i), MM_E_INTERIOR);
	buddy_audit(&m->buddy);
	give(m, p);
	for (size_t i = 0; i < 16; i++)
		assert_int_equal(buddy_free(&m->buddy, p + i * RW_PAGE_SIZE),
				 MM_E_DOUBLE_FREE);
	buddy_audit(&m->buddy);
}

static void memory_of_others_is_refused(void **state)
{
	struct memory *m = *state;
	struct buddy *b = &m->buddy;
	int local;

	memory_donate(m, 1024, 1024);
	assert_int_equal(buddy_free(b, NULL), MM_E_FOREIGN);
	assert_int_equal(buddy_free(b, &local), MM_E_FOREIGN);
	assert_int_equal(buddy_free(b, b), MM_E_FOREIGN);
	for (size_t i = 0; i < sizeof(*b); i += 4)
		assert_int_equal(buddy_free(b, (char *)b + i), MM_E_FOREIGN);
	assert_int_equal(buddy_free(b, (void *)~0xfffUL), MM_E_FOREIGN);
	assert_int_equal(buddy_free(b, m->base + 1023 * RW_PAGE_SIZE),
			 MM_E_FOREIGN);
	assert_int_equal(buddy_free(b, m->base + 2048 * RW_PAGE_SIZE),
			 MM_E_FOREIGN);
	for (size_t i = 0; i < 3; i++) /* the page records */
		assert_int_equal(
			buddy_free(b, m->base + (1024 + i) * RW_PAGE_SIZE),
			MM_E_FOREIGN);
	for (size_t i = 3; i < 1024; i++)
		assert_int_equal(
			buddy_free(b, m->base + (1024 + i) * RW_PAGE_SIZE),
			MM_E_DOUBLE_FREE);
	buddy_audit(b);
}

static void a_chunk_in_use_is_not_removed(void **state)
{
	struct memory *m = *state;
	size_t pages = 99;
	void *p;

	memory_donate(m, 10, 100);
	p = take(m, 0);
	assert_int_equal(buddy_remove_chunk(&m->buddy, page_hpa(10), &pages),
			 MM_E_BUSY);
	assert_int_equal(buddy_remove_chunk(&m->buddy, page_hpa(11), &pages),
			 MM_E_FOREIGN);
	assert_int_equal(buddy_remove_chunk(&m->buddy, page_hpa(500), &pages),
			 MM_E_FOREIGN);
	assert_int_equal(pages, 99);
	buddy_audit(&m->buddy);
	give(m, p);
	assert_int_equal(buddy_remove_chunk(&m->buddy, page_hpa(10), &pages),
			 MM_OK);
	assert_int_equal(pages, 100);
	buddy_audit(&m->buddy);
}

static void a_removed_chunk_holds_nothing_but_zeros(void **state)
{
	static void *blocks[2048];
	struct memory *m = *state;
	size_t pages = 0;
	size_t n;

	memory_donate(m, 0, 700);
	memory_donate(m, 3000, 1024);
	n = take_all(m, 0, blocks);
	while (n) {
		memset(blocks[--n], 0xee, RW_PAGE_SIZE);
		give(m, blocks[n]);
	}
	assert_int_equal(buddy_remove_chunk(&m->buddy, page_hpa(3000), &pages),
			 MM_OK);
	assert_int_equal(pages, 1024);
	for (size_t i = 0; i < 1024 * RW_PAGE_SIZE; i++)
		assert_int_equal(m->base[3000 * RW_PAGE_SIZE + i], 0);
	buddy_audit(&m->buddy);
	assert_int_equal(m->buddy.counters.pages, 700);
	assert_int_equal(buddy_free(&m->buddy, m->base + 3100 * RW_PAGE_SIZE),
			 MM_E_FOREIGN);
	assert_int_equal(take_all(m, 0, blocks), 700 - 3);
}

static void low_memory_is_said_in_time_and_remembered(void **state)
{
	struct memory *m = *state;
	void *p, *q;

	assert_false(buddy_needs_memory(&m->buddy));
	buddy_set_reserve(&m->buddy, 50);
	assert_true(buddy_needs_memory(&m->buddy));
	memory_donate(m, 0, 65);
	assert_int_equal(m->buddy.counters.low_water, 64);
	assert_false(buddy_needs_memory(&m->buddy));
	p = take(m, 3);
	assert_false(buddy_needs_memory(&m->buddy));
	q = take(m, 3);
	assert_true(buddy_needs_memory(&m->buddy));
	give(m, p);
	give(m, q);
	assert_false(buddy_needs_memory(&m->buddy));
	assert_int_equal(m->buddy.counters.low_water, 48);
	assert_int_equal(m->buddy.counters.free, 64);
}

/*
 * The model: for each page of the memory, who holds it. A request may fail only
 * if no aligned run of free pages is long enough.
 */
#define NOT_OURS UINT32_MAX
#define LIVE	 4096

struct model {
	uint32_t holder[MEMORY_PAGES]; /* 0: free */
	struct {
		void *p;
		unsigned int order;
	} live[LIVE + 1];
	size_t count;
};

static struct model model;

static void model_take(struct memory *m, void *p, unsigned int order)
{
	size_t page = memory_page(m, p);

	for (size_t i = 0; i < (size_t)1 << order; i++) {
		assert_int_equal(model.holder[page + i], 0);
		model.holder[page + i] = model.count + 1;
	}
	model.live[model.count].p = p;
	model.live[model.count++].order = order;
}

static void *model_give(struct memory *m, size_t i)
{
	void *p = model.live[i].p;
	size_t page = memory_page(m, p);

	for (size_t k = 0; k < (size_t)1 << model.live[i].order; k++)
		model.holder[page + k] = 0;
	model.live[i] = model.live[--model.count];
	return p;
}

static bool model_has_room(unsigned int order)
{
	size_t pages = (size_t)1 << order;

	for (size_t at = 0; at < MEMORY_PAGES; at += pages) {
		size_t k = 0;

		while (k < pages && !model.holder[at + k])
			k++;
		if (k == pages)
			return true;
	}
	return false;
}

static void model_start(void)
{
	for (size_t i = 0; i < MEMORY_PAGES; i++)
		model.holder[i] = NOT_OURS;
	model.count = 0;
}

static void model_donate(struct memory *m, size_t first, size_t pages)
{
	memory_donate(m, first, pages);
	for (size_t i = (pages * 12 + 4095) / 4096; i < pages; i++)
		model.holder[first + i] = 0;
}

/* Small orders are likelier, so that there are many blocks. */
static unsigned int draw_order(void)
{
	return draw(4) ? draw(4) : draw(BUDDY_ORDERS);
}

static void random_requests_agree_with_a_flat_model(void **state)
{
	struct memory *m = *state;
	uint32_t bias = 8;

	model_start();
	model_donate(m, 0, 1024);
	model_donate(m, 1100, 611);
	model_donate(m, 2047, 5003);
	model_donate(m, 9000, 4);
	for (size_t step = 0; step < 3000000; step++) {
		unsigned int order = draw_order();
		enum mm_error error;
		void *p;

		if (step % 20000 == 0) {
			bias = 6 + draw(5);
			buddy_audit(&m->buddy);
		}
		if (model.count && draw(16) >= bias) {
			p = model_give(m, draw(model.count));
			give(m, p);
			continue;
		}
		if (model.count == LIVE)
			continue;
		error = buddy_alloc(&m->buddy, order, draw(BUDDY_OWNERS), &p);
		if (error) {
			assert_int_equal(error, MM_E_NO_MEMORY);
			assert_false(model_has_room(order));
		} else {
			model_take(m, p, order);
		}
	}
	assert_true(m->buddy.counters.exhausted > 1000);
	while (model.count)
		give(m, model_give(m, 0));
	buddy_audit(&m->buddy);
	assert_int_equal(m->buddy.counters.free + m->buddy.counters.overhead,
			 m->buddy.counters.pages);
}

static void every_flipped_bit_of_a_used_block_is_noticed(void **state)
{
	struct memory *m = *state;
	struct buddy_frame *f;
	void *p;

	memory_donate(m, 0, 64);
	p = take(m, 2);
	f = (struct buddy_frame *)m->base + memory_page(m, p);
	for (unsigned int bit = 0; bit < 32; bit++) {
		f->tag ^= 1U << bit;
		assert_int_not_equal(buddy_free(&m->buddy, p), MM_OK);
		f->tag ^= 1U << bit;
		f->next ^= 1U << bit;
		assert_int_equal(buddy_free(&m->buddy, p), MM_E_CORRUPT);
		f->next ^= 1U << bit;
	}
	assert_in_range(m->buddy.counters.corrupt, 32, 64);
	buddy_audit(&m->buddy);
	give(m, p);
}

static void a_block_whose_list_is_damaged_is_not_handed_out(void **state)
{
	struct memory *m = *state;
	struct buddy *b = &m->buddy;
	struct buddy_frame *f, copy;
	void *p = NULL;

	memory_donate(m, 0, 1024);
	f = (struct buddy_frame *)m->base + (b->list[9].next & 0xffff);
	copy = *f;
	for (unsigned int bit = 0; bit < 96; bit++) {
		((uint32_t *)f)[bit / 32] ^= 1U << bit % 32;
		assert_int_equal(buddy_alloc(b, 9, OWNER, &p), MM_E_CORRUPT);
		assert_null(p);
		assert_int_equal(b->counters.corrupt, bit + 1);
		*f = copy;
	}
	buddy_audit(b);
	take(m, 9);
}

static void a_block_that_was_damaged_while_hot_is_not_handed_out(void **state)
{
	struct memory *m = *state;
	struct buddy_frame *f;
	void *p;

	memory_donate(m, 0, 1024);
	for (unsigned int bit = 0; bit < 32; bit++) {
		void *q = NULL;

		p = take(m, 1);
		f = (struct buddy_frame *)m->base + memory_page(m, p);
		give(m, p);
		f->tag ^= 1U << bit;
		assert_int_equal(buddy_alloc(&m->buddy, 1, OWNER, &q),
				 MM_E_CORRUPT);
		assert_null(q);
	}
}

static void a_chunk_with_damaged_records_is_not_removed(void **state)
{
	struct memory *m = *state;
	struct buddy_frame *f;
	size_t pages;

	memory_donate(m, 0, 1024);
	f = (struct buddy_frame *)m->base + 512;
	for (unsigned int bit = 0; bit < 96; bit++) {
		((uint32_t *)f)[bit / 32] ^= 1U << bit % 32;
		assert_int_not_equal(buddy_remove_chunk(&m->buddy, page_hpa(0),
							&pages),
				     MM_OK);
		((uint32_t *)f)[bit / 32] ^= 1U << bit % 32;
		buddy_audit(&m->buddy);
	}
	assert_int_equal(buddy_remove_chunk(&m->buddy, page_hpa(0), &pages),
			 MM_OK);
}

/*
 * Whatever bit of the records is flipped, no page is handed out twice and no
 * memory outside of the chunks is touched (which the sanitizer or the lack of a
 * mapping would tell).
 */
static void no_flipped_bit_leads_to_a_page_with_two_holders(void **state)
{
	struct memory *m = *state;
	size_t noticed = 0;

	for (size_t round = 0; round < 3000; round++) {
		uint32_t *record = (uint32_t *)m->base;

		buddy_init(&m->buddy, m->buddy.offset);
		model_start();
		model_donate(m, 0, 128);
		for (size_t step = 0; step < 600; step++) {
			unsigned int order = draw(4);
			void *p;

			if (step == 300)
				record[draw(128 * 3)] ^= 1U << draw(32);
			if (model.count && draw(2)) {
				p = model_give(m, draw(model.count));
				noticed += !!buddy_free(&m->buddy, p);
			} else if (!buddy_alloc(&m->buddy, order, 0, &p)) {
				model_take(m, p, order);
			}
		}
		noticed += m->buddy.counters.corrupt;
	}
	assert_true(noticed > 500);
}

int main(void)
{
#define TEST(f) \
	cmocka_unit_test_setup_teardown(f, memory_setup, memory_teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_block_is_aligned_in_linear_and_in_physical_memory),
		TEST(without_memory_every_request_fails),
		TEST(an_order_or_owner_out_of_range_is_refused),
		TEST(a_chunk_of_any_size_gives_every_page_behind_its_records),
		TEST(zeroed_blocks_are_zero_in_every_byte),
		TEST(a_chunk_that_is_not_as_it_must_be_is_refused),
		TEST(a_chunk_that_overlaps_another_is_refused),
		TEST(more_chunks_than_the_build_can_hold_are_refused),
		TEST(a_chunk_that_would_fill_the_index_is_refused),
		TEST(exhaustion_fails_the_request_and_loses_nothing),
		TEST(freed_in_any_order_memory_joins_to_what_it_was),
		TEST(a_block_freed_twice_is_refused),
		TEST(an_address_inside_a_block_is_refused),
		TEST(memory_of_others_is_refused),
		TEST(a_chunk_in_use_is_not_removed),
		TEST(a_removed_chunk_holds_nothing_but_zeros),
		TEST(low_memory_is_said_in_time_and_remembered),
		TEST(random_requests_agree_with_a_flat_model),
		TEST(every_flipped_bit_of_a_used_block_is_noticed),
		TEST(a_block_whose_list_is_damaged_is_not_handed_out),
		TEST(a_block_that_was_damaged_while_hot_is_not_handed_out),
		TEST(a_chunk_with_damaged_records_is_not_removed),
		TEST(no_flipped_bit_leads_to_a_page_with_two_holders),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
