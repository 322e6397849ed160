/* SPDX-License-Identifier: MIT */
/* driver/paging.c: what the monitor's first page tables map, and what not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "driver/paging.h"
#include "tests/driver/sample.h"

#define PAGE	       4096ULL
#define LARGE	       (2ULL << 20)
#define ARENA_SIZE     (1ULL << 20)
#define ARENA_PHYSICAL (64 * LARGE)
#define IMAGE_PLACE    (ARENA_PHYSICAL + PAGE)
#define ADDRESS	       (RW_VA_IMAGE + 123 * LARGE)

/* Chunk 0 as the driver lays it out, and one chunk of odd size elsewhere. */
static const struct rw_boot_range chunk[] = {
	{ ARENA_PHYSICAL, ARENA_PHYSICAL + 2 * LARGE },
	{ 5 * LARGE - 3 * PAGE, 6 * LARGE + 21 * PAGE },
};

struct fixture {
	struct sample file;
	struct elf_image elf;
	struct paging paging;
};

static void *new_arena(struct fixture *f, uint64_t size)
{
	void *arena = aligned_alloc(PAGE, size);

	assert_non_null(arena);
	memset(arena, 0, size);
	f->file = sample();
	assert_int_equal(elf_check(&f->file, sizeof(f->file), &f->elf), RW_OK);
	f->paging = (struct paging){
		.base = arena,
		.physical = ARENA_PHYSICAL,
		.size = size,
		.used = PAGE + f->elf.span,
	};
	return arena;
}

static enum rw_error build(struct fixture *f)
{
	enum rw_error error = paging_begin(&f->paging);

	if (!error)
		error = paging_map_image(&f->paging, &f->elf, IMAGE_PLACE,
					 ADDRESS);
	if (!error)
		error = paging_map_donated(&f->paging, &chunk[0], &f->elf,
					   IMAGE_PLACE);
	if (!error)
		error = paging_map_donated(&f->paging, &chunk[1], &f->elf,
					   IMAGE_PLACE);
	return error;
}

static int setup(void **state)
{
	struct fixture *f = malloc(sizeof(*f));

	assert_non_null(f);
	new_arena(f, ARENA_SIZE);
	assert_int_equal(build(f), RW_OK);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	free(f->paging.base);
	free(f);
	return 0;
}

/* The leaf that maps address, and how much it maps; 0 if none does. */
static uint64_t walk(const struct fixture *f, uint64_t address, uint64_t *size)
{
	const uint64_t *table = f->paging.pml4;
	unsigned int shift;

	for (shift = 39;; shift -= 9) {
		uint64_t entry = table[address >> shift & 511];

		*size = 1ULL << shift;
		if (!(entry & PAGING_PRESENT)) {
			assert_true(entry == 0);
			return 0;
		}
		if (shift == 12 || (entry & PAGING_LARGE))
			return entry;
		/* Rights are the leaf's alone. */
		assert_true(entry & PAGING_WRITE);
		assert_false(entry & PAGING_NO_EXECUTE);
		entry &= PAGING_ADDRESS;
		assert_in_range(entry, ARENA_PHYSICAL,
				ARENA_PHYSICAL + f->paging.used - PAGE);
		table = (const uint64_t *)(void *)(f->paging.base +
						   (entry - ARENA_PHYSICAL));
	}
}

static uint64_t leaf_of(const struct fixture *f, uint64_t address)
{
	uint64_t size;

	return walk(f, address, &size);
}

static bool writes(uint64_t leaf)
{
	return leaf & PAGING_WRITE;
}

static bool executes(uint64_t leaf)
{
	return leaf && !(leaf & PAGING_NO_EXECUTE);
}

static void the_image_is_mapped_with_the_rights_of_its_segments(void **state)
{
	const struct fixture *f = *state;
	uint64_t constants = leaf_of(f, ADDRESS);
	uint64_t text = leaf_of(f, ADDRESS + PAGE);
	uint64_t data = leaf_of(f, ADDRESS + 2 * PAGE);
	uint64_t bss = leaf_of(f, ADDRESS + 3 * PAGE);

	assert_true((constants & PAGING_ADDRESS) == IMAGE_PLACE);
	assert_true((text & PAGING_ADDRESS) == IMAGE_PLACE + PAGE);
	assert_true((data & PAGING_ADDRESS) == IMAGE_PLACE + 2 * PAGE);
	assert_true((bss & PAGING_ADDRESS) == IMAGE_PLACE + 3 * PAGE);
	assert_false(writes(constants) || executes(constants));
	assert_false(writes(text));
	assert_true(executes(text));
	assert_true(writes(data) && writes(bss));
	assert_false(executes(data) || executes(bss));
	assert_true(leaf_of(f, ADDRESS - PAGE) == 0);
	assert_true(leaf_of(f, ADDRESS + 4 * PAGE) == 0);
}

static void every_donated_page_is_in_the_physmap_and_nothing_else(void **state)
{
	const struct fixture *f = *state;
	uint64_t pages = 0, at, size;
	size_t i;

	for (i = 0; i < 2; i++) {
		for (at = chunk[i].start; at < chunk[i].end; at += PAGE) {
			uint64_t leaf = walk(f, RW_VA_PHYSMAP + at, &size);

			assert_true((leaf & PAGING_ADDRESS) ==
				    (at & ~(size - 1)));
			assert_false(executes(leaf));
			pages++;
		}
		assert_true(leaf_of(f, RW_VA_PHYSMAP + chunk[i].end) == 0);
		assert_true(leaf_of(f, RW_VA_PHYSMAP + chunk[i].start - PAGE) ==
			    0);
	}
	assert_int_equal(pages, 1024 + 512 + 3 + 21);
}

static void read_only_pages_have_no_writable_alias(void **state)
{
	const struct fixture *f = *state;

	assert_true(writes(leaf_of(f, RW_VA_PHYSMAP + IMAGE_PLACE - PAGE)));
	assert_false(writes(leaf_of(f, RW_VA_PHYSMAP + IMAGE_PLACE)));
	assert_false(writes(leaf_of(f, RW_VA_PHYSMAP + IMAGE_PLACE + PAGE)));
	assert_true(writes(leaf_of(f, RW_VA_PHYSMAP + IMAGE_PLACE + 2 * PAGE)));
}

static void large_pages_are_used_where_no_image_is(void **state)
{
	const struct fixture *f = *state;
	uint64_t size;

	walk(f, RW_VA_PHYSMAP + ARENA_PHYSICAL, &size);
	assert_true(size == PAGE);
	walk(f, RW_VA_PHYSMAP + ARENA_PHYSICAL + LARGE, &size);
	assert_true(size == LARGE);
	walk(f, RW_VA_PHYSMAP + 5 * LARGE, &size);
	assert_true(size == LARGE);
	walk(f, RW_VA_PHYSMAP + 6 * LARGE, &size);
	assert_true(size == PAGE);
}

/* All entries below one table; table levels count from 4 down to 1. */
static void check_table(const struct fixture *f, const uint64_t *table,
			unsigned int level)
{
	const uint64_t user = 1ULL << 2, global = 1ULL << 8;
	size_t i;

	for (i = 0; i < 512; i++) {
		uint64_t entry = table[i];
		bool leaf = level == 1 || (entry & PAGING_LARGE);

		if (!entry)
			continue;
		assert_false(entry & user);
		assert_false(leaf && (entry & global));
		assert_false(leaf && writes(entry) && executes(entry));
		if (!leaf)
			check_table(
				f,
				(const uint64_t *)(void *)(f->paging.base +
							   ((entry &
							     PAGING_ADDRESS) -
							    ARENA_PHYSICAL)),
				level - 1);
	}
}

static void nothing_is_writable_and_executable_or_user_or_global(void **state)
{
	const struct fixture *f = *state;

	check_table(f, f->paging.pml4, 4);
}

static void only_the_hypervisor_s_slots_are_used(void **state)
{
	const struct fixture *f = *state;
	size_t i;

	for (i = 0; i < 512; i++)
		if (i < RW_VA_SLOT_FIRST ||
		    i >= RW_VA_SLOT_FIRST + RW_VA_SLOT_COUNT)
			assert_true(f->paging.pml4[i] == 0);
}

static void an_arena_that_is_too_small_is_refused_at_any_size(void **state)
{
	struct fixture *whole = *state, f;
	uint64_t size;

	for (size = PAGE + SAMPLE_SPAN; size < whole->paging.used;
	     size += PAGE) {
		void *arena = new_arena(&f, size);

		assert_int_equal(build(&f), RW_E_NO_MEMORY);
		assert_true(f.paging.used <= size);
		free(arena);
	}
	free(new_arena(&f, size));
}

static void memory_beyond_the_physmap_is_refused(void **state)
{
	const uint64_t end = RW_VA_WINDOW - RW_VA_PHYSMAP;
	const struct rw_boot_range last = { end - PAGE, end };
	const struct rw_boot_range over = { end - PAGE, end + PAGE };
	const struct rw_boot_range turned = { end, end - PAGE };
	struct fixture *f = *state;

	assert_int_equal(paging_map_donated(&f->paging, &last, &f->elf,
					    IMAGE_PLACE),
			 RW_OK);
	assert_int_equal(paging_map_donated(&f->paging, &over, &f->elf,
					    IMAGE_PLACE),
			 RW_E_ADDRESS);
	assert_int_equal(paging_map_donated(&f->paging, &turned, &f->elf,
					    IMAGE_PLACE),
			 RW_E_ADDRESS);
}

#define TEST(function) \
	cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_image_is_mapped_with_the_rights_of_its_segments),
		TEST(every_donated_page_is_in_the_physmap_and_nothing_else),
		TEST(read_only_pages_have_no_writable_alias),
		TEST(large_pages_are_used_where_no_image_is),
		TEST(nothing_is_writable_and_executable_or_user_or_global),
		TEST(only_the_hypervisor_s_slots_are_used),
		TEST(an_arena_that_is_too_small_is_refused_at_any_size),
		TEST(memory_beyond_the_physmap_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
