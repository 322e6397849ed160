/* SPDX-License-Identifier: MIT */
/* Lists of tables that a CPU may still walk. */
#include <string.h>

#include "ept/entry.h"
#include "tests/ept/fake.h"

#define COUNT	    5
#define CPU_IGNORES 0x01f0000000000000ULL

static struct fake *fake;
static struct ept ept;
static uint64_t *tables[COUNT];

static int make_tables(void **state)
{
	(void)state;
	fake = fake_new();
	fake_tree(&ept, fake, all_features());
	for (unsigned int i = 0; i < COUNT; i++) {
		tables[i] = fake_ops.page_alloc(fake);
		for (unsigned int j = 0; j < EPT_ENTRIES; j++)
			tables[i][j] = j % 3 ? EPT_EMPTY : 0x123457 + (j << 21);
	}
	return 0;
}

static int end_tables(void **state)
{
	(void)state;
	ept_destroy(&ept);
	fake_delete(fake);
	return 0;
}

static void linking_changes_only_bits_that_the_cpu_ignores(void **state)
{
	struct ept_pages pages = { 0 };
	uint64_t copies[COUNT][EPT_ENTRIES];

	(void)state;
	for (unsigned int i = 0; i < COUNT; i++) {
		memcpy(copies[i], tables[i], sizeof(copies[i]));
		ept_pages_push(&ept, &pages, tables[i]);
	}
	for (unsigned int i = 0; i < COUNT; i++)
		for (unsigned int j = 0; j < EPT_ENTRIES; j++)
			assert_int_equal((tables[i][j] ^ copies[i][j]) &
						 ~CPU_IGNORES,
					 0);
	ept_pages_free(&ept, &pages);
}

static void every_table_of_a_list_is_freed_once(void **state)
{
	struct ept_pages pages = { 0 };

	(void)state;
	for (unsigned int i = 0; i < COUNT; i++)
		ept_pages_push(&ept, &pages, tables[i]);
	assert_int_equal(pages.count, COUNT);
	assert_int_equal(fake->in_use, COUNT + 1);
	ept_pages_free(&ept, &pages);
	assert_int_equal(pages.count, 0);
	assert_int_equal(fake->in_use, 1);
	ept_pages_free(&ept, &pages);
	assert_int_equal(fake->in_use, 1);
}

static void a_list_moves_behind_another(void **state)
{
	struct ept_pages none = { 0 };

	(void)state;
	/* First any number of tables, then the others, then nothing. */
	for (unsigned int first = 0; first <= COUNT; first++) {
		struct ept_pages pages = { 0 };
		struct ept_pages more = { 0 };

		for (unsigned int i = 0; i < COUNT; i++)
			ept_pages_push(&ept, i < first ? &pages : &more,
				       tables[i]);
		ept_pages_append(&ept, &pages, &more);
		ept_pages_append(&ept, &pages, &none);
		assert_int_equal(more.count, 0);
		assert_int_equal(pages.count, COUNT);
		ept_pages_free(&ept, &pages);
		assert_int_equal(fake->in_use, 1);
		for (unsigned int i = 0; i < COUNT; i++)
			tables[i] = fake_ops.page_alloc(fake);
	}
	for (unsigned int i = 0; i < COUNT; i++)
		fake_ops.page_free(fake, tables[i]);
}

static void what_two_trees_share_is_not_collected(void **state)
{
	uint64_t *one = tables[0];
	uint64_t *other = tables[1];
	struct ept_pages pages = { 0 };

	(void)state;
	for (unsigned int j = 0; j < EPT_ENTRIES; j++)
		for (unsigned int i = 0; i < COUNT; i++)
			tables[i][j] = EPT_EMPTY;
	one[0] = other[0] = ept_table_entry(&ept, tables[2]);
	one[511] = ept_table_entry(&ept, tables[3]);
	tables[3][7] = ept_table_entry(&ept, tables[4]);
	ept_pages_collect(&ept, &pages, one, other, 3);
	assert_int_equal(pages.count, 2);
	ept_pages_free(&ept, &pages);
	for (unsigned int i = 0; i < 3; i++)
		fake_ops.page_free(fake, tables[i]);
}

#define PAGES_TEST(name) \
	cmocka_unit_test_setup_teardown(name, make_tables, end_tables)

int main(void)
{
	const struct CMUnitTest tests[] = {
		PAGES_TEST(linking_changes_only_bits_that_the_cpu_ignores),
		PAGES_TEST(every_table_of_a_list_is_freed_once),
		PAGES_TEST(a_list_moves_behind_another),
		PAGES_TEST(what_two_trees_share_is_not_collected),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
