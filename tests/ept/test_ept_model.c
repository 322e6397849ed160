/* SPDX-License-Identifier: MIT */
/*
 * Random updates against the flat model. The seeds are fixed: a failure
 * repeats. Every update is compared with the model at and around its ranges,
 * the whole space and the tables themselves every few updates.
 */
#include "tests/ept/model.h"

struct run {
	struct fake *fake;
	struct ept ept;
	struct model *model;
	struct model *next; /* as the open update will make it */
	uint64_t seed;
	uint64_t changes;
};

#define CHANGES 12

/* Makes the changes; the error is the library's, checked against the model. */
static enum ept_error make_changes(struct run *run, struct ept_update *update,
				   const struct request *changes,
				   unsigned int count, bool *ret_narrows)
{
	enum ept_error expected = EPT_OK;

	*run->next = *run->model;
	*ret_narrows = false;
	for (unsigned int i = 0; i < count; i++) {
		enum ept_error error =
			model_request(run->model, &changes[i], update);

		if (error == EPT_ERR_NO_MEMORY)
			return error;
		if (!expected)
			expected = model_change(run->next, &changes[i],
						ret_narrows);
		assert_int_equal(error, expected);
		run->changes++;
	}
	return expected;
}

/* The same update with every number of pages that is not enough. */
static void run_out_of_memory(struct run *run, const struct request *changes,
			      unsigned int count)
{
	uint64_t hash = fake_hash(run->fake);
	struct ept_update update;
	enum ept_error error = EPT_ERR_NO_MEMORY;
	bool narrows;

	for (unsigned int n = 0; error == EPT_ERR_NO_MEMORY; n++) {
		run->fake->left = n;
		error = ept_begin(&update, &run->ept);
		if (!error) {
			error = make_changes(run, &update, changes, count,
					     &narrows);
			ept_cancel(&update);
		}
		assert_int_equal(fake_hash(run->fake), hash);
	}
	run->fake->left = -1;
}

static void random_update(struct run *run)
{
	unsigned int count = 1 + draw_below(&run->seed, CHANGES);
	struct request changes[CHANGES];
	struct ept_obligation owed;
	struct ept_update update;
	struct model *swap;
	bool narrows;

	/*
	 * Drawn from the model that the changes before would make, so that they
	 * build upon each other.
	 */
	*run->next = *run->model;
	for (unsigned int i = 0; i < count; i++) {
		changes[i] = model_draw(run->next, &run->seed);
		if (model_change(run->next, &changes[i], &narrows))
			count = i + 1;
	}
	if (draw_below(&run->seed, 100) == 0)
		run_out_of_memory(run, changes, count);

	assert_ept_ok(ept_begin(&update, &run->ept));
	if (make_changes(run, &update, changes, count, &narrows)) {
		owed = ept_commit(&update);
		assert_int_equal(owed.invalidation, EPT_INVALIDATE_NONE);
		return;
	}
	if (draw_below(&run->seed, 16) == 0) {
		ept_cancel(&update);
		return;
	}
	owed = ept_commit(&update);
	assert_int_equal(owed.invalidation == EPT_INVALIDATE_NOW, narrows);
	assert_false(owed.invalidation == EPT_INVALIDATE_NONE &&
		     owed.retired.count);
	settle(&run->ept, &owed);
	swap = run->model;
	run->model = run->next;
	run->next = swap;
	for (unsigned int i = 0; i < count; i++) {
		unsigned int first = changes[i].first;
		unsigned int last = changes[i].last;

		model_check(run->model, run->fake, &run->ept,
			    first ? first - 1 : 0, first + 1);
		model_check(run->model, run->fake, &run->ept, last - 1,
			    last < run->model->cells ? last + 1 : last);
	}
}

/* Episodes on a fresh tree each, since nothing ever becomes empty again. */
static void run_episodes(void (*shape)(struct model *model),
			 struct ept_features features, uint64_t seed,
			 unsigned int episodes, unsigned int updates)
{
	static struct model models[2];
	struct run run = {
		.fake = fake_new(),
		.model = &models[0],
		.next = &models[1],
		.seed = seed,
	};

	for (unsigned int i = 0; i < episodes; i++) {
		fake_tree(&run.ept, run.fake, features);
		model_init(run.model, &model_mtrr);
		shape(run.model);
		for (unsigned int j = 1; j <= updates; j++) {
			random_update(&run);
			if (j % 64)
				continue;
			fake_audit(run.fake, &run.ept, 0);
			model_check(run.model, run.fake, &run.ept, 0,
				    run.model->cells);
		}
		ept_destroy(&run.ept);
	}
	fake_delete(run.fake);
	print_message("%lu changes\n", (unsigned long)run.changes);
}

/* Every page of 4 MiB around 1 GiB, and the rest of the two GiB. */
static void pages_around_a_gib(struct model *model)
{
	model_add(model, 0, 2 * MIB);
	model_add(model, 2 * MIB, 2 * MIB + 4 * KIB);
	model_add(model, 2 * MIB + 4 * KIB, GIB - 2 * MIB);
	for (uint64_t at = GIB - 2 * MIB; at < GIB + 2 * MIB; at += 4 * KIB)
		model_add(model, at, at + 4 * KIB);
	model_add(model, GIB + 2 * MIB, 2 * GIB);
}

/* Three pages around each of many boundaries, around 512 GiB. */
static void edges_around_a_root_entry(struct model *model)
{
	const uint64_t steps[] = { 2 * MIB, 64 * KIB, 510 * MIB, GIB, 2 * MIB };
	uint64_t at = 510 * GIB;

	for (unsigned int i = 0; at < 515 * GIB; i++) {
		uint64_t next = at + steps[i % 5];

		next -= next % (i % 5 == 1 ? 64 * KIB : 2 * MIB);
		model_add(model, at, at + 4 * KIB);
		model_add(model, at + 4 * KIB, next - 4 * KIB);
		model_add(model, next - 4 * KIB, next);
		at = next;
	}
}

/* 46 bits, less the GiB that frames may be away, in few pieces. */
static void everything(struct model *model)
{
	const uint64_t cuts[] = {
		0,	    2 * MIB,	       2 * MIB + 4 * KIB,
		GIB,	    3 * GIB,	       4 * GIB,
		510 * GIB,  512 * GIB,	       513 * GIB + 4 * KIB,
		1ULL << 45, (1ULL << 46) - GIB
	};

	model->coarse = true;
	for (unsigned int i = 0; i + 1 < sizeof(cuts) / sizeof(*cuts); i++)
		model_add(model, cuts[i], cuts[i + 1]);
}

static void pages_agree_with_the_model(void **state)
{
	(void)state;
	run_episodes(pages_around_a_gib, all_features(), 1, 130, 1500);
}

static void pages_without_1g_leaves_agree_with_the_model(void **state)
{
	struct ept_features features = all_features();

	(void)state;
	features.leaf_1g = false;
	run_episodes(pages_around_a_gib, features, 2, 60, 500);
}

static void edges_agree_with_the_model(void **state)
{
	(void)state;
	run_episodes(edges_around_a_root_entry, all_features(), 3, 40, 500);
}

static void the_whole_address_space_agrees_with_the_model(void **state)
{
	(void)state;
	run_episodes(everything, all_features(), 4, 6, 64);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pages_agree_with_the_model),
		cmocka_unit_test(pages_without_1g_leaves_agree_with_the_model),
		cmocka_unit_test(edges_agree_with_the_model),
		cmocka_unit_test(the_whole_address_space_agrees_with_the_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
