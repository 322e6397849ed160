/* SPDX-License-Identifier: MIT */
/* The committed tree: making it, asking it. */
#include "tests/ept/fake.h"

struct tree {
	struct fake *fake;
	struct ept ept;
};

static int make_tree(void **state)
{
	static struct tree tree;

	tree.fake = fake_new();
	fake_tree(&tree.ept, tree.fake, all_features());
	*state = &tree;
	return 0;
}

static int end_tree(void **state)
{
	struct tree *tree = *state;

	ept_destroy(&tree->ept);
	fake_delete(tree->fake);
	return 0;
}

static void features_are_read_from_the_capability_bits(void **state)
{
	struct ept_features none = ept_features_from_cap(0);
	struct ept_features all = ept_features_from_cap(~0ULL);
	struct ept_features no_invept = ept_features_from_cap(~(1ULL << 20));

	(void)state;
	assert_false(none.execute_only || none.walk_4 || none.write_back ||
		     none.leaf_2m || none.leaf_1g || none.invept_all ||
		     none.invept_single || none.access_dirty);
	assert_true(all.execute_only && all.walk_4 && all.write_back &&
		    all.leaf_2m && all.leaf_1g && all.invept_all &&
		    all.invept_single && all.access_dirty);
	assert_true(ept_features_from_cap(1ULL << 0).execute_only);
	assert_true(ept_features_from_cap(1ULL << 6).walk_4);
	assert_true(ept_features_from_cap(1ULL << 14).write_back);
	assert_true(ept_features_from_cap(1ULL << 16).leaf_2m);
	assert_true(ept_features_from_cap(1ULL << 17).leaf_1g);
	assert_true(ept_features_from_cap(1ULL << 21).access_dirty);
	assert_false(no_invept.invept_all || no_invept.invept_single);
	assert_true(ept_features_from_cap(1ULL << 20 | 1ULL << 26).invept_all);
	assert_true(
		ept_features_from_cap(1ULL << 20 | 1ULL << 25).invept_single);
}

static void a_cpu_without_what_is_needed_is_refused(void **state)
{
	struct fake *fake = fake_new();
	struct ept_features features;
	struct ept ept;

	(void)state;
	features = all_features();
	features.walk_4 = false;
	assert_int_equal(ept_init(&ept, features, 40, &fake_ops, fake),
			 EPT_ERR_FEATURES);
	features = all_features();
	features.write_back = false;
	assert_int_equal(ept_init(&ept, features, 40, &fake_ops, fake),
			 EPT_ERR_FEATURES);
	features = all_features();
	features.invept_all = false;
	assert_int_equal(ept_init(&ept, features, 40, &fake_ops, fake),
			 EPT_ERR_FEATURES);
	features = all_features();
	assert_int_equal(ept_init(&ept, features, 31, &fake_ops, fake),
			 EPT_ERR_RANGE);
	assert_int_equal(ept_init(&ept, features, 53, &fake_ops, fake),
			 EPT_ERR_RANGE);
	fake->left = 0;
	assert_int_equal(ept_init(&ept, features, 40, &fake_ops, fake),
			 EPT_ERR_NO_MEMORY);
	fake_delete(fake);
}

static void a_new_tree_denies_everything(void **state)
{
	struct tree *tree = *state;

	for (uint64_t at = 0; at < 1ULL << FAKE_WIDTH; at += 256 * GIB) {
		struct walk walk = fake_walk(tree->fake, tree->ept.features,
					     ept_pointer(&tree->ept), at);

		assert_int_equal(walk.outcome, WALK_VIOLATION);
		assert_int_equal(query_error(&tree->ept, at), EPT_ERR_UNMAPPED);
	}
	fake_audit(tree->fake, &tree->ept, 0);
}

static void
the_pointer_says_write_back_four_levels_no_access_flags(void **state)
{
	struct tree *tree = *state;

	/* Memory type 6, walk length less one 3 << 3, bit 6 clear. */
	assert_int_equal(ept_pointer(&tree->ept) & 0xfff, 0x1e);
}

static void a_query_beyond_the_address_width_is_an_error(void **state)
{
	struct tree *tree = *state;
	struct ept_translation answer = { .level = 9 };

	assert_int_equal(ept_query(&tree->ept, gpa(1ULL << FAKE_WIDTH),
				   &answer),
			 EPT_ERR_RANGE);
	assert_int_equal(ept_query(&tree->ept, gpa(UINT64_MAX), &answer),
			 EPT_ERR_RANGE);
	assert_int_equal(ept_query(&tree->ept, gpa(0), &answer),
			 EPT_ERR_UNMAPPED);
	assert_int_equal(answer.level, 9);
}

static void a_query_names_the_byte_behind_every_size_of_leaf(void **state)
{
	struct tree *tree = *state;
	struct ept_update update;
	struct ept_translation found;

	assert_ept_ok(ept_begin(&update, &tree->ept));
	assert_ept_ok(ept_map(&update, gpa(0), hpa(4 * GIB), 4 * KIB, EPT_R,
			      MEMORY_UC));
	assert_ept_ok(ept_map(&update, gpa(2 * MIB), hpa(6 * MIB), 2 * MIB,
			      EPT_R | EPT_X, MEMORY_WT));
	assert_ept_ok(ept_map(&update, gpa(GIB), hpa(3 * GIB), GIB, EPT_RWX,
			      MEMORY_WB));
	publish(&update);

	found = translation(&tree->ept, 0xabc);
	assert_int_equal(found.hpa.v, 4 * GIB + 0xabc);
	assert_int_equal(found.level, 1);
	assert_int_equal(found.permissions, EPT_R);
	assert_int_equal(found.type, MEMORY_UC);
	found = translation(&tree->ept, 2 * MIB + 0x12345);
	assert_int_equal(found.hpa.v, 6 * MIB + 0x12345);
	assert_int_equal(found.level, 2);
	assert_int_equal(found.permissions, EPT_R | EPT_X);
	assert_int_equal(found.type, MEMORY_WT);
	found = translation(&tree->ept, 2 * GIB - 1);
	assert_int_equal(found.hpa.v, 4 * GIB - 1);
	assert_int_equal(found.level, 3);
	assert_int_equal(found.permissions, EPT_RWX);
	assert_int_equal(found.type, MEMORY_WB);
	assert_int_equal(query_error(&tree->ept, 4 * KIB), EPT_ERR_UNMAPPED);
	fake_audit(tree->fake, &tree->ept, 0);
}

static void the_counters_count_tables_and_leaves_by_size(void **state)
{
	struct tree *tree = *state;
	struct ept_stats stats;

	map_identity(&tree->ept, 0, GIB + 2 * MIB + 4 * KIB);
	stats = ept_stats(&tree->ept);
	assert_int_equal(stats.leaves[3], 1);
	assert_int_equal(stats.leaves[2], 1);
	assert_int_equal(stats.leaves[1], 1);
	assert_int_equal(stats.tables, 4);
	fake_audit(tree->fake, &tree->ept, 0);
}

static void every_error_has_a_text(void **state)
{
	(void)state;
	for (int error = 0; error < EPT_ERROR_COUNT; error++)
		assert_non_null(ept_error_text((enum ept_error)error));
	assert_string_equal(ept_error_text(EPT_OK), "no error");
	assert_string_equal(ept_error_text(EPT_ERR_BUSY),
			    "another update is open");
	assert_string_equal(ept_error_text(EPT_ERROR_COUNT), "unknown error");
}

static void addresses_stop_at_48_bits_whatever_the_cpu_has(void **state)
{
	struct fake *fake = fake_new();
	struct ept ept;

	(void)state;
	assert_ept_ok(ept_init(&ept, all_features(), 52, &fake_ops, fake));
	map_identity(&ept, (1ULL << 48) - GIB, GIB);
	assert_int_equal(translation(&ept, (1ULL << 48) - 1).hpa.v,
			 (1ULL << 48) - 1);
	assert_int_equal(query_error(&ept, 1ULL << 48), EPT_ERR_RANGE);
	ept_destroy(&ept);
	fake_delete(fake);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(features_are_read_from_the_capability_bits),
		cmocka_unit_test(a_cpu_without_what_is_needed_is_refused),
		cmocka_unit_test_setup_teardown(a_new_tree_denies_everything,
						make_tree, end_tree),
		cmocka_unit_test_setup_teardown(
			the_pointer_says_write_back_four_levels_no_access_flags,
			make_tree, end_tree),
		cmocka_unit_test_setup_teardown(
			a_query_beyond_the_address_width_is_an_error, make_tree,
			end_tree),
		cmocka_unit_test_setup_teardown(
			a_query_names_the_byte_behind_every_size_of_leaf,
			make_tree, end_tree),
		cmocka_unit_test_setup_teardown(
			the_counters_count_tables_and_leaves_by_size, make_tree,
			end_tree),
		cmocka_unit_test(every_error_has_a_text),
		cmocka_unit_test(
			addresses_stop_at_48_bits_whatever_the_cpu_has),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
