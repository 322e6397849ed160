/* SPDX-License-Identifier: MIT */
/*
 * Updates. The sources that store to tables are compiled in here with every
 * atomic store watched, so that a test can look at the tree as a CPU would
 * between any two of them.
 */
#include "tests/ept/model.h"

#include <stdlib.h>
#include <string.h>

static void (*watch)(void);

static void watched_store(uint64_t *slot, uint64_t entry, int order)
{
	assert_int_equal(order, __ATOMIC_RELEASE);
	*slot = entry;
	if (watch)
		watch();
}

#define __atomic_store_n watched_store
/* NOLINTBEGIN(bugprone-suspicious-include) */
#include "ept/pages.c"
#include "ept/update.c"
/* NOLINTEND(bugprone-suspicious-include) */
#undef __atomic_store_n

static struct fake *fake;
static struct ept ept;

static int make_tree(void **state)
{
	(void)state;
	fake = fake_new();
	fake_tree(&ept, fake, all_features());
	return 0;
}

static int end_tree(void **state)
{
	(void)state;
	watch = NULL;
	fake_audit(fake, &ept, 0);
	ept_destroy(&ept);
	fake_delete(fake);
	return 0;
}

static void begin(struct ept_update *update)
{
	enum ept_error error = ept_begin(update, &ept);

	assert_ept_ok(error);
	if (error)
		abort();
}

static void protect(uint64_t from, uint64_t size, uint64_t permissions)
{
	struct ept_update update;

	begin(&update);
	assert_ept_ok(ept_protect(&update, gpa(from), size, permissions));
	publish(&update);
}

static void take(uint64_t from, uint64_t size)
{
	struct ept_update update;

	begin(&update);
	assert_ept_ok(ept_take(&update, gpa(from), size));
	publish(&update);
}

static void give(uint64_t from, uint64_t size)
{
	struct ept_update update;

	begin(&update);
	assert_ept_ok(ept_give(&update, &model_mtrr, gpa(from), size, EPT_RWX));
	publish(&update);
}

static void expect_leaves(uint64_t four_kib, uint64_t two_mib, uint64_t one_gib)
{
	struct ept_stats stats = ept_stats(&ept);

	assert_int_equal(stats.leaves[1], four_kib);
	assert_int_equal(stats.leaves[2], two_mib);
	assert_int_equal(stats.leaves[3], one_gib);
}

static void a_boundary_inside_a_1g_leaf_splits_it_on_its_path_only(void **state)
{
	(void)state;
	map_identity(&ept, 0, 2 * GIB);
	expect_leaves(0, 0, 2);
	protect(4 * KIB, 4 * KIB, EPT_R | EPT_X);
	expect_leaves(512, 511, 1);
	assert_int_equal(translation(&ept, 0).permissions, EPT_RWX);
	assert_int_equal(translation(&ept, 4 * KIB).permissions, EPT_R | EPT_X);
	assert_int_equal(translation(&ept, 8 * KIB).permissions, EPT_RWX);
}

static void a_range_of_whole_leaves_splits_nothing(void **state)
{
	(void)state;
	map_identity(&ept, 0, 2 * GIB);
	protect(GIB, GIB, EPT_R);
	expect_leaves(0, 0, 2);
	protect(2 * MIB, 4 * MIB, EPT_R);
	expect_leaves(0, 512, 1);
}

static void the_leaf_returns_when_the_reason_for_splitting_goes(void **state)
{
	uint64_t tables;

	(void)state;
	map_identity(&ept, 0, 2 * GIB);
	tables = ept_stats(&ept).tables;
	protect(4 * KIB, 4 * KIB, EPT_R);
	protect(GIB - 4 * KIB, 8 * KIB, EPT_R);
	protect(4 * KIB, 4 * KIB, EPT_RWX);
	expect_leaves(1024, 1022, 0);
	protect(GIB - 4 * KIB, 8 * KIB, EPT_RWX);
	expect_leaves(0, 0, 2);
	assert_int_equal(ept_stats(&ept).tables, tables);
}

static void leaves_join_only_where_the_frames_are_aligned(void **state)
{
	struct ept_update update;

	(void)state;
	begin(&update);
	assert_ept_ok(ept_map(&update, gpa(0), hpa(4 * KIB), 2 * MIB, EPT_RWX,
			      MEMORY_WB));
	publish(&update);
	expect_leaves(512, 0, 0);
}

static void without_large_leaves_everything_is_4k(void **state)
{
	struct ept_features features = all_features();

	(void)state;
	ept_destroy(&ept);
	features.leaf_1g = false;
	fake_tree(&ept, fake, features);
	map_identity(&ept, 0, GIB);
	expect_leaves(0, 512, 0);
	ept_destroy(&ept);
	features.leaf_2m = false;
	fake_tree(&ept, fake, features);
	map_identity(&ept, 0, 4 * MIB);
	expect_leaves(1024, 0, 0);
}

static void a_taken_page_leads_nowhere_and_keeps_no_address(void **state)
{
	struct walk walk;

	(void)state;
	map_identity(&ept, 0, GIB);
	take(8 * KIB, 4 * KIB);
	walk = fake_walk(fake, ept.features, ept_pointer(&ept), 8 * KIB);
	assert_int_equal(walk.outcome, WALK_VIOLATION);
	assert_int_equal(query_error(&ept, 8 * KIB), EPT_ERR_TAKEN);
	/* The audit finds any address bit left in a non-present entry. */
	fake_audit(fake, &ept, 0);
}

static void a_taken_range_opens_only_by_giving_it_back(void **state)
{
	struct ept_update update;

	(void)state;
	map_identity(&ept, 0, GIB);
	take(2 * MIB, 4 * MIB);
	begin(&update);
	assert_int_equal(ept_map(&update, gpa(2 * MIB), hpa(2 * MIB), 4 * KIB,
				 EPT_RWX, MEMORY_WB),
			 EPT_ERR_TAKEN);
	ept_cancel(&update);
	begin(&update);
	assert_int_equal(ept_map_identity(&update, &model_mtrr, gpa(2 * MIB),
					  4 * KIB, EPT_RWX),
			 EPT_ERR_TAKEN);
	ept_cancel(&update);
	begin(&update);
	assert_int_equal(ept_protect(&update, gpa(0), GIB, EPT_RWX),
			 EPT_ERR_TAKEN);
	ept_cancel(&update);
	begin(&update);
	assert_int_equal(ept_take(&update, gpa(0), GIB), EPT_ERR_TAKEN);
	ept_cancel(&update);
	give(2 * MIB + 4 * KIB, 4 * MIB - 4 * KIB);
	give(2 * MIB, 4 * KIB);
	/* One page at 2 MiB has a memory type of its own. */
	assert_int_equal(translation(&ept, 2 * MIB).type, MEMORY_UC);
	expect_leaves(512, 511, 0);
}

static void a_taken_gib_needs_no_table(void **state)
{
	(void)state;
	map_identity(&ept, 4 * GIB, 2 * GIB);
	for (uint64_t at = 4 * GIB; at < 5 * GIB; at += 128 * MIB)
		take(at, 128 * MIB);
	expect_leaves(0, 0, 1);
	assert_int_equal(ept_stats(&ept).tables, 2);
	give(4 * GIB, GIB);
	expect_leaves(0, 0, 2);
}

static void a_frame_is_never_remapped(void **state)
{
	struct ept_update update;

	(void)state;
	map_identity(&ept, 0, GIB);
	begin(&update);
	assert_int_equal(ept_map(&update, gpa(GIB - 4 * KIB), hpa(0), 8 * KIB,
				 EPT_R, MEMORY_WB),
			 EPT_ERR_MAPPED);
	ept_cancel(&update);
	begin(&update);
	assert_int_equal(ept_give(&update, &model_mtrr, gpa(0), 4 * KIB,
				  EPT_RWX),
			 EPT_ERR_MAPPED);
	ept_cancel(&update);
	/* Nor by a range that begins where nothing is mapped. */
	map_identity(&ept, 2 * GIB, 4 * KIB);
	begin(&update);
	assert_int_equal(ept_map_identity(&update, &model_mtrr, gpa(GIB),
					  2 * GIB, EPT_RWX),
			 EPT_ERR_MAPPED);
	ept_cancel(&update);
	assert_int_equal(query_error(&ept, GIB), EPT_ERR_UNMAPPED);
}

static void what_was_never_mapped_cannot_be_changed(void **state)
{
	struct ept_update update;

	(void)state;
	map_identity(&ept, 0, GIB);
	begin(&update);
	assert_int_equal(ept_protect(&update, gpa(GIB - 4 * KIB), 8 * KIB,
				     EPT_R),
			 EPT_ERR_UNMAPPED);
	ept_cancel(&update);
	begin(&update);
	assert_int_equal(ept_take(&update, gpa(GIB), 4 * KIB),
			 EPT_ERR_UNMAPPED);
	ept_cancel(&update);
	begin(&update);
	assert_int_equal(ept_give(&update, &model_mtrr, gpa(GIB), 4 * KIB,
				  EPT_RWX),
			 EPT_ERR_UNMAPPED);
	ept_cancel(&update);
}

static enum ept_error try_map(uint64_t from, uint64_t to, uint64_t size,
			      uint64_t permissions, unsigned int type)
{
	struct ept_update update;
	enum ept_error error;

	begin(&update);
	error = ept_map(&update, gpa(from), hpa(to), size, permissions,
			(enum memory_type)type);
	ept_cancel(&update);
	return error;
}

static void a_misaligned_range_is_refused_not_rounded(void **state)
{
	(void)state;
	assert_int_equal(try_map(1, 0, 4096, EPT_R, 6), EPT_ERR_ALIGNMENT);
	assert_int_equal(try_map(0, 2048, 4096, EPT_R, 6), EPT_ERR_ALIGNMENT);
	assert_int_equal(try_map(0, 0, 4097, EPT_R, 6), EPT_ERR_ALIGNMENT);
	assert_int_equal(try_map(0, 0, 4095, EPT_R, 6), EPT_ERR_ALIGNMENT);
}

static void
a_range_that_is_empty_wraps_or_ends_too_high_is_refused(void **state)
{
	const uint64_t limit = 1ULL << FAKE_WIDTH;
	const uint64_t top = UINT64_MAX - 4095;
	struct ept_update update;

	(void)state;
	assert_int_equal(try_map(0, 0, 0, EPT_R, 6), EPT_ERR_RANGE);
	assert_int_equal(try_map(limit, 0, 4096, EPT_R, 6), EPT_ERR_RANGE);
	assert_int_equal(try_map(limit - 4096, 0, 8192, EPT_R, 6),
			 EPT_ERR_RANGE);
	assert_int_equal(try_map(top, 0, 8192, EPT_R, 6), EPT_ERR_RANGE);
	assert_int_equal(try_map(0, limit - 4096, 8192, EPT_R, 6),
			 EPT_ERR_RANGE);
	assert_int_equal(try_map(0, top, 8192, EPT_R, 6), EPT_ERR_RANGE);
	assert_int_equal(try_map(4096, 4096, top, EPT_R, 6), EPT_ERR_RANGE);
	assert_ept_ok(try_map(limit - 4096, 0, 4096, EPT_R, 6));
	begin(&update);
	assert_int_equal(ept_map_identity(&update, &model_mtrr, gpa(top), 8192,
					  EPT_R),
			 EPT_ERR_RANGE);
	ept_cancel(&update);
	begin(&update);
	assert_int_equal(ept_protect(&update, gpa(limit), 4096, EPT_R),
			 EPT_ERR_RANGE);
	ept_cancel(&update);
	begin(&update);
	assert_int_equal(ept_take(&update, gpa(4096), top), EPT_ERR_RANGE);
	ept_cancel(&update);
}

static void permissions_the_cpu_cannot_express_are_refused(void **state)
{
	struct ept_features features = all_features();
	struct ept_update update;

	(void)state;
	assert_int_equal(try_map(0, 0, 4096, 0, 6), EPT_ERR_PERMISSIONS);
	assert_int_equal(try_map(0, 0, 4096, EPT_W, 6), EPT_ERR_PERMISSIONS);
	assert_int_equal(try_map(0, 0, 4096, EPT_W | EPT_X, 6),
			 EPT_ERR_PERMISSIONS);
	assert_int_equal(try_map(0, 0, 4096, EPT_R | 8, 6),
			 EPT_ERR_PERMISSIONS);
	assert_ept_ok(try_map(0, 0, 4096, EPT_X, 6));
	begin(&update);
	assert_int_equal(ept_protect(&update, gpa(0), 4096, 0),
			 EPT_ERR_PERMISSIONS);
	ept_cancel(&update);
	ept_destroy(&ept);
	features.execute_only = false;
	fake_tree(&ept, fake, features);
	assert_int_equal(try_map(0, 0, 4096, EPT_X, 6), EPT_ERR_PERMISSIONS);
}

static void what_is_no_memory_type_is_refused(void **state)
{
	(void)state;
	assert_int_equal(try_map(0, 0, 4096, EPT_R, 2), EPT_ERR_MEMORY_TYPE);
	assert_int_equal(try_map(0, 0, 4096, EPT_R, 3), EPT_ERR_MEMORY_TYPE);
	assert_int_equal(try_map(0, 0, 4096, EPT_R, 7), EPT_ERR_MEMORY_TYPE);
	assert_int_equal(try_map(0, 0, 4096, EPT_R, 8), EPT_ERR_MEMORY_TYPE);
}

static void the_identity_map_has_the_types_of_the_mtrrs(void **state)
{
	struct ept_update update;

	(void)state;
	begin(&update);
	assert_ept_ok(ept_map_identity(&update, &model_mtrr, gpa(0), 6 * GIB,
				       EPT_RWX));
	publish(&update);
	assert_int_equal(translation(&ept, 0).type, MEMORY_WB);
	assert_int_equal(translation(&ept, 2 * MIB).type, MEMORY_UC);
	assert_int_equal(translation(&ept, 2 * MIB + 4 * KIB).type, MEMORY_WB);
	assert_int_equal(translation(&ept, 3 * GIB).type, MEMORY_UC);
	assert_int_equal(translation(&ept, 3 * GIB).level, 3);
	assert_int_equal(translation(&ept, 4 * GIB).type, MEMORY_WB);
	assert_int_equal(translation(&ept, 5 * GIB).hpa.v, 5 * GIB);
	expect_leaves(512, 511, 5);
}

static void a_further_gib_on_demand_takes_one_leaf(void **state)
{
	struct ept_update update;
	uint64_t far = (1ULL << FAKE_WIDTH) - GIB;

	(void)state;
	map_identity(&ept, 0, GIB);
	begin(&update);
	assert_ept_ok(
		ept_map_identity(&update, &model_mtrr, gpa(far), GIB, EPT_RWX));
	publish(&update);
	assert_int_equal(translation(&ept, far + GIB - 1).hpa.v, far + GIB - 1);
	expect_leaves(0, 0, 2);
}

static void nothing_is_visible_before_the_commit(void **state)
{
	struct ept_update update;
	struct ept_stats stats;

	(void)state;
	map_identity(&ept, 0, GIB);
	stats = ept_stats(&ept);
	begin(&update);
	assert_ept_ok(ept_protect(&update, gpa(0), 4 * KIB, EPT_R));
	assert_ept_ok(ept_take(&update, gpa(8 * KIB), 4 * KIB));
	assert_int_equal(translation(&ept, 0).permissions, EPT_RWX);
	assert_int_equal(translation(&ept, 0).level, 3);
	assert_memory_equal(&stats, &ept.stats, sizeof(stats));
	publish(&update);
	assert_int_equal(translation(&ept, 0).permissions, EPT_R);
	assert_int_equal(query_error(&ept, 8 * KIB), EPT_ERR_TAKEN);
}

static void an_update_sees_what_it_changed_before(void **state)
{
	struct ept_update update;

	(void)state;
	begin(&update);
	assert_ept_ok(ept_map_identity(&update, &model_mtrr, gpa(4 * GIB), GIB,
				       EPT_RWX));
	assert_ept_ok(ept_protect(&update, gpa(4 * GIB), 4 * KIB, EPT_R));
	assert_ept_ok(ept_take(&update, gpa(4 * GIB), 8 * KIB));
	assert_int_equal(ept_take(&update, gpa(4 * GIB), 4 * KIB),
			 EPT_ERR_TAKEN);
	ept_cancel(&update);
	assert_int_equal(query_error(&ept, 4 * GIB), EPT_ERR_UNMAPPED);
}

static void a_second_update_has_to_wait_for_the_first(void **state)
{
	struct ept_update first;
	struct ept_update second;

	(void)state;
	begin(&first);
	assert_int_equal(ept_begin(&second, &ept), EPT_ERR_BUSY);
	ept_cancel(&first);
	begin(&second);
	assert_int_equal(ept_begin(&first, &ept), EPT_ERR_BUSY);
	publish(&second);
	begin(&first);
	ept_cancel(&first);
}

static void after_an_error_an_update_publishes_nothing(void **state)
{
	struct ept_obligation owed;
	struct ept_update update;

	(void)state;
	map_identity(&ept, 0, GIB);
	begin(&update);
	assert_ept_ok(ept_protect(&update, gpa(0), 4 * KIB, EPT_R));
	assert_int_equal(ept_protect(&update, gpa(GIB), 4 * KIB, EPT_R),
			 EPT_ERR_UNMAPPED);
	assert_int_equal(ept_protect(&update, gpa(0), 4 * KIB, EPT_R),
			 EPT_ERR_UNMAPPED);
	owed = ept_commit(&update);
	assert_int_equal(owed.invalidation, EPT_INVALIDATE_NONE);
	assert_int_equal(owed.retired.count, 0);
	assert_int_equal(translation(&ept, 0).permissions, EPT_RWX);
	expect_leaves(0, 0, 1);
}

static void no_memory_leaves_everything_as_it_was(void **state)
{
	enum ept_error error = EPT_ERR_NO_MEMORY;
	unsigned int failures = 0;
	uint64_t hash;

	(void)state;
	map_identity(&ept, 0, 2 * GIB);
	hash = fake_hash(fake);
	while (error == EPT_ERR_NO_MEMORY) {
		struct ept_update update;

		fake->left = failures;
		error = ept_begin(&update, &ept);
		if (!error) {
			error = ept_protect(&update, gpa(GIB - 4 * KIB),
					    8 * KIB, EPT_R);
			ept_cancel(&update);
		}
		assert_int_equal(fake_hash(fake), hash);
		failures += error == EPT_ERR_NO_MEMORY;
	}
	fake->left = -1;
	assert_ept_ok(error);
	/* The copy of the root, one table of level 3, two of 2, two of 1. */
	assert_int_equal(failures, 6);
}

static void the_debt_says_what_the_cpus_must_do(void **state)
{
	struct ept_obligation owed;
	struct ept_update update;

	(void)state;
	begin(&update);
	assert_ept_ok(
		ept_map_identity(&update, &model_mtrr, gpa(0), 2 * GIB, EPT_R));
	owed = ept_commit(&update);
	assert_int_equal(owed.invalidation, EPT_INVALIDATE_NONE);

	begin(&update);
	owed = ept_commit(&update);
	assert_int_equal(owed.invalidation, EPT_INVALIDATE_NONE);

	begin(&update);
	assert_ept_ok(ept_protect(&update, gpa(0), 4 * KIB, EPT_RWX));
	owed = ept_commit(&update);
	assert_int_equal(owed.invalidation, EPT_INVALIDATE_LATER);
	assert_int_equal(owed.retired.count, 2);
	settle(&ept, &owed);

	begin(&update);
	assert_ept_ok(ept_protect(&update, gpa(0), 4 * KIB, EPT_R));
	owed = ept_commit(&update);
	assert_int_equal(owed.invalidation, EPT_INVALIDATE_NOW);
	settle(&ept, &owed);

	begin(&update);
	assert_ept_ok(ept_take(&update, gpa(GIB), GIB));
	owed = ept_commit(&update);
	assert_int_equal(owed.invalidation, EPT_INVALIDATE_NOW);
	settle(&ept, &owed);

	begin(&update);
	assert_ept_ok(ept_give(&update, &model_mtrr, gpa(GIB), GIB, EPT_R));
	owed = ept_commit(&update);
	assert_int_equal(owed.invalidation, EPT_INVALIDATE_LATER);
	settle(&ept, &owed);
}

/* What a CPU may see between the stores of the commit that is watched. */
static struct model before;
static struct model after;
static unsigned int looks;

static void look(void)
{
	bool old = false;
	uint64_t half = UINT64_MAX;

	looks++;
	for (unsigned int i = 0; i < before.cells; i++) {
		uint64_t at = before.cell[i].from;
		struct walk walk =
			fake_walk(fake, ept.features, ept_pointer(&ept), at);
		bool is_old = cell_matches(&before.cell[i], &walk, at);
		bool is_new = cell_matches(&after.cell[i], &walk, at);

		assert_true(is_old || is_new);
		if (is_old && is_new)
			continue;
		/* All of the 512 GiB below one root entry change together. */
		if (at / (512 * GIB) == half)
			assert_int_equal(is_old, old);
		half = at / (512 * GIB);
		old = is_old;
	}
}

/* The tables of the tree as they are, reached as a CPU that cached the root. */
static void expect_old(const uint64_t *old_root)
{
	for (unsigned int i = 0; i < before.cells; i++) {
		uint64_t at = before.cell[i].from;
		struct walk walk = fake_walk_from(
			fake, ept.features, old_root[at / (512 * GIB)], 4, at);

		assert_true(cell_matches(&before.cell[i], &walk, at));
	}
}

static void shape(struct model *model)
{
	const uint64_t starts[] = { 0, GIB - 4 * MIB, 512 * GIB - 4 * MIB };
	uint64_t at = 0;

	model_init(model, &model_mtrr);
	for (unsigned int i = 0; i < 3; i++) {
		if (at < starts[i])
			model_add(model, at, starts[i]);
		for (at = starts[i]; at < starts[i] + 8 * MIB; at += 64 * KIB)
			model_add(model, at, at + 64 * KIB);
	}
	model_add(model, at, 513 * GIB);
}

static void a_cpu_sees_all_of_an_update_or_nothing_of_it(void **state)
{
	static const struct mtrr_state mtrr = { .def_type = 1 << 11 | 6 };
	uint64_t seed = 7;
	unsigned int commits = 0;
	bool narrows;

	(void)state;
	shape(&before);
	before.mtrr = &mtrr;
	while (commits < 400) {
		struct ept_update update;
		struct ept_obligation owed;
		uint64_t old_root[512];
		enum ept_error error = EPT_OK;

		begin(&update);
		after = before;
		for (unsigned int i = 0; !error && i < 4; i++) {
			struct request change = model_draw(&after, &seed);

			error = model_request(&after, &change, &update);
			assert_int_equal(error, model_change(&after, &change,
							     &narrows));
		}
		if (error) {
			ept_cancel(&update);
			continue;
		}
		memcpy(old_root, ept.root, sizeof(old_root));
		watch = look;
		owed = ept_commit(&update);
		expect_old(old_root);
		watch = NULL;
		settle(&ept, &owed);
		before = after;
		commits++;
	}
	assert_true(looks > commits);
}

static void preparing_changes_no_byte_of_the_tree(void **state)
{
	struct ept_update update;
	uint64_t *tables[8];
	uint64_t copies[8][512];
	unsigned int count = 0;

	(void)state;
	map_identity(&ept, 0, 2 * GIB);
	protect(4 * KIB, 4 * KIB, EPT_R);
	for (unsigned int n = 0; n < FAKE_PAGES; n++)
		if (fake->used[n]) {
			tables[count] = fake->pages[n];
			memcpy(copies[count++], fake->pages[n], 4096);
		}
	begin(&update);
	assert_ept_ok(ept_protect(&update, gpa(0), GIB + 4 * KIB, EPT_X));
	assert_ept_ok(ept_take(&update, gpa(4 * KIB), GIB));
	for (unsigned int i = 0; i < count; i++)
		assert_memory_equal(tables[i], copies[i], 4096);
	publish(&update);
}

#define TREE_TEST(name) \
	cmocka_unit_test_setup_teardown(name, make_tree, end_tree)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TREE_TEST(
			a_boundary_inside_a_1g_leaf_splits_it_on_its_path_only),
		TREE_TEST(a_range_of_whole_leaves_splits_nothing),
		TREE_TEST(the_leaf_returns_when_the_reason_for_splitting_goes),
		TREE_TEST(leaves_join_only_where_the_frames_are_aligned),
		TREE_TEST(without_large_leaves_everything_is_4k),
		TREE_TEST(a_taken_page_leads_nowhere_and_keeps_no_address),
		TREE_TEST(a_taken_range_opens_only_by_giving_it_back),
		TREE_TEST(a_taken_gib_needs_no_table),
		TREE_TEST(a_frame_is_never_remapped),
		TREE_TEST(what_was_never_mapped_cannot_be_changed),
		TREE_TEST(a_misaligned_range_is_refused_not_rounded),
		TREE_TEST(
			a_range_that_is_empty_wraps_or_ends_too_high_is_refused),
		TREE_TEST(permissions_the_cpu_cannot_express_are_refused),
		TREE_TEST(what_is_no_memory_type_is_refused),
		TREE_TEST(the_identity_map_has_the_types_of_the_mtrrs),
		TREE_TEST(a_further_gib_on_demand_takes_one_leaf),
		TREE_TEST(nothing_is_visible_before_the_commit),
		TREE_TEST(an_update_sees_what_it_changed_before),
		TREE_TEST(a_second_update_has_to_wait_for_the_first),
		TREE_TEST(after_an_error_an_update_publishes_nothing),
		TREE_TEST(no_memory_leaves_everything_as_it_was),
		TREE_TEST(the_debt_says_what_the_cpus_must_do),
		TREE_TEST(a_cpu_sees_all_of_an_update_or_nothing_of_it),
		TREE_TEST(preparing_changes_no_byte_of_the_tree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
