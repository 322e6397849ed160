/* SPDX-License-Identifier: MIT */
/* Views: other frames behind two pages, for one CPU. */
#include "ept/view.h"
#include "tests/ept/model.h"

#include <string.h>

static struct fake *fake;
static struct ept ept;
static struct ept_view view;
static void *pages[EPT_VIEW_TABLES];

static int make_view(void **state)
{
	struct ept_update update;

	(void)state;
	fake = fake_new();
	fake_tree(&ept, fake, all_features());
	for (unsigned int i = 0; i < EPT_VIEW_TABLES; i++)
		pages[i] = fake_ops.page_alloc(fake);
	assert_ept_ok(ept_begin(&update, &ept));
	assert_ept_ok(ept_map_identity(&update, &model_mtrr, gpa(0), 2 * GIB,
				       EPT_RWX));
	assert_ept_ok(ept_map_identity(&update, &model_mtrr, gpa(600 * GIB),
				       GIB, EPT_RWX));
	assert_ept_ok(
		ept_protect(&update, gpa(16 * MIB), 16 * MIB, EPT_R | EPT_X));
	assert_ept_ok(ept_take(&update, gpa(64 * MIB), 4 * KIB));
	publish(&update);
	ept_view_init(&view, &ept, pages);
	return 0;
}

static int end_view(void **state)
{
	(void)state;
	ept_destroy(&ept);
	for (unsigned int i = 0; i < EPT_VIEW_TABLES; i++)
		fake_ops.page_free(fake, pages[i]);
	fake_delete(fake);
	return 0;
}

static struct walk in_view(uint64_t address)
{
	return fake_walk(fake, ept.features, ept_view_pointer(&view), address);
}

static struct walk in_tree(uint64_t address)
{
	return fake_walk(fake, ept.features, ept_pointer(&ept), address);
}

static void expect_same(uint64_t address)
{
	struct walk a = in_view(address);
	struct walk b = in_tree(address);

	assert_int_equal(a.outcome, b.outcome);
	assert_int_equal(a.hpa, b.hpa);
	assert_int_equal(a.permissions, b.permissions);
	assert_int_equal(a.type, b.type);
}

/* Everything of interest but the pages that a test replaced. */
static void expect_same_but(uint64_t one, uint64_t two)
{
	const uint64_t around[] = { 0,	      2 * MIB,	 4 * MIB,  16 * MIB,
				    18 * MIB, 32 * MIB,	 64 * MIB, GIB,
				    2 * GIB,  600 * GIB, 601 * GIB };

	for (unsigned int i = 0; i < sizeof(around) / sizeof(*around); i++)
		for (uint64_t at = around[i] < 8 * KIB ? 0 :
							 around[i] - 8 * KIB;
		     at < around[i] + 12 * KIB; at += 4 * KIB)
			if (at != one && at != two)
				expect_same(at + 0x123);
}

static void a_new_view_is_the_tree(void **state)
{
	(void)state;
	assert_int_not_equal(ept_view_pointer(&view), ept_pointer(&ept));
	expect_same_but(1, 1);
}

static void a_replaced_page_leads_elsewhere_with_its_memory_type(void **state)
{
	struct walk walk;

	(void)state;
	assert_ept_ok(ept_view_replace(&view, gpa(16 * MIB), hpa(12 * KIB),
				       EPT_R | EPT_W));
	walk = in_view(16 * MIB + 0xfff);
	assert_int_equal(walk.outcome, WALK_LEAF);
	assert_int_equal(walk.hpa, 12 * KIB + 0xfff);
	assert_int_equal(walk.permissions, EPT_R | EPT_W);
	assert_int_equal(walk.type, MEMORY_WB);
	expect_same_but(16 * MIB, 16 * MIB);

	ept_view_begin(&view);
	assert_ept_ok(
		ept_view_replace(&view, gpa(2 * MIB), hpa(12 * KIB), EPT_R));
	assert_int_equal(in_view(2 * MIB).type, MEMORY_UC);
	expect_same_but(2 * MIB, 2 * MIB);
}

static void two_pages_anywhere_fit(void **state)
{
	static const uint64_t pairs[][2] = {
		{ 16 * MIB, 16 * MIB + 4 * KIB }, /* one table */
		{ 18 * MIB - 4 * KIB, 18 * MIB }, /* neighbours in two */
		{ GIB - 4 * KIB, GIB },		  /* under two of level 3 */
		{ 4 * KIB, 600 * GIB },		  /* under two root entries */
	};

	(void)state;
	for (unsigned int i = 0; i < sizeof(pairs) / sizeof(*pairs); i++) {
		ept_view_begin(&view);
		for (unsigned int j = 0; j < 2; j++)
			assert_ept_ok(ept_view_replace(
				&view, gpa(pairs[i][j]),
				hpa(GIB + (j + 1) * 8 * KIB), EPT_RWX));
		for (unsigned int j = 0; j < 2; j++)
			assert_int_equal(in_view(pairs[i][j]).hpa,
					 GIB + (j + 1) * 8 * KIB);
		expect_same_but(pairs[i][0], pairs[i][1]);
	}
}

static void a_path_too_many_is_an_error_and_changes_nothing(void **state)
{
	(void)state;
	assert_ept_ok(ept_view_replace(&view, gpa(4 * KIB), hpa(0), EPT_R));
	assert_ept_ok(ept_view_replace(&view, gpa(600 * GIB), hpa(0), EPT_R));
	assert_int_equal(ept_view_replace(&view, gpa(GIB), hpa(0), EPT_R),
			 EPT_ERR_VIEW_FULL);
	expect_same_but(4 * KIB, 600 * GIB);
	/* The same pages again need no table. */
	assert_ept_ok(ept_view_replace(&view, gpa(4 * KIB), hpa(GIB), EPT_R));
	assert_int_equal(in_view(4 * KIB).hpa, GIB);
}

static void building_again_forgets_the_last_replacement(void **state)
{
	(void)state;
	assert_ept_ok(ept_view_replace(&view, gpa(16 * MIB), hpa(0), EPT_RWX));
	ept_view_begin(&view);
	expect_same_but(1, 1);
}

static void what_is_not_mapped_cannot_be_replaced(void **state)
{
	(void)state;
	assert_int_equal(ept_view_replace(&view, gpa(64 * MIB), hpa(0), EPT_R),
			 EPT_ERR_TAKEN);
	assert_int_equal(ept_view_replace(&view, gpa(2 * GIB), hpa(0), EPT_R),
			 EPT_ERR_UNMAPPED);
	assert_int_equal(ept_view_replace(&view, gpa(1ULL << FAKE_WIDTH),
					  hpa(0), EPT_R),
			 EPT_ERR_RANGE);
	assert_int_equal(ept_view_replace(&view, gpa(0),
					  hpa(1ULL << FAKE_WIDTH), EPT_R),
			 EPT_ERR_RANGE);
	assert_int_equal(ept_view_replace(&view, gpa(1), hpa(0), EPT_R),
			 EPT_ERR_ALIGNMENT);
	assert_int_equal(ept_view_replace(&view, gpa(0), hpa(1), EPT_R),
			 EPT_ERR_ALIGNMENT);
	assert_int_equal(ept_view_replace(&view, gpa(0), hpa(0), EPT_W),
			 EPT_ERR_PERMISSIONS);
	assert_int_equal(ept_view_replace(&view, gpa(0), hpa(0), 0),
			 EPT_ERR_PERMISSIONS);
	expect_same_but(1, 1);
}

static void
a_view_writes_to_no_table_of_the_tree_and_allocates_nothing(void **state)
{
	uint64_t before;
	uint64_t after;
	unsigned int in_use = fake->in_use;

	(void)state;
	for (unsigned int i = 0; i < EPT_VIEW_TABLES; i++)
		memset(pages[i], 0, RW_PAGE_SIZE);
	before = fake_hash(fake);
	fake->left = 0;
	ept_view_init(&view, &ept, pages);
	assert_ept_ok(ept_view_replace(&view, gpa(4 * KIB), hpa(0), EPT_R));
	assert_ept_ok(ept_view_replace(&view, gpa(600 * GIB), hpa(0), EPT_R));
	fake->left = -1;
	assert_int_equal(fake->in_use, in_use);
	for (unsigned int i = 0; i < EPT_VIEW_TABLES; i++)
		memset(pages[i], 0, RW_PAGE_SIZE);
	after = fake_hash(fake);
	assert_int_equal(after, before);
}

static void a_view_follows_the_tree_when_it_is_built_again(void **state)
{
	struct ept_update update;

	(void)state;
	assert_ept_ok(ept_begin(&update, &ept));
	assert_ept_ok(ept_take(&update, gpa(GIB), GIB));
	publish(&update);
	ept_view_begin(&view);
	assert_int_equal(in_view(GIB).outcome, WALK_VIOLATION);
	expect_same_but(1, 1);
}

#define VIEW_TEST(name) \
	cmocka_unit_test_setup_teardown(name, make_view, end_view)

int main(void)
{
	const struct CMUnitTest tests[] = {
		VIEW_TEST(a_new_view_is_the_tree),
		VIEW_TEST(a_replaced_page_leads_elsewhere_with_its_memory_type),
		VIEW_TEST(two_pages_anywhere_fit),
		VIEW_TEST(a_path_too_many_is_an_error_and_changes_nothing),
		VIEW_TEST(building_again_forgets_the_last_replacement),
		VIEW_TEST(what_is_not_mapped_cannot_be_replaced),
		VIEW_TEST(
			a_view_writes_to_no_table_of_the_tree_and_allocates_nothing),
		VIEW_TEST(a_view_follows_the_tree_when_it_is_built_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
