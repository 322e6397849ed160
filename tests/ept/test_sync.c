/* SPDX-License-Identifier: MIT */
/*
 * Generations, and a model of CPUs that cache all that the SDM lets them cache
 * (Vol. 3, "Information That May Be Cached"): translations and entries of the
 * root, until an INVEPT.
 */
#include "ept/sync.h"
#include "ept/view.h"
#include "tests/ept/fake.h"

#define CPUS	4
#define PAGES	12
#define HISTORY 64

static struct fake *fake;
static struct ept ept;
static struct ept_sync sync;
static uint64_t seen[CPUS];

static int make_tree(void **state)
{
	(void)state;
	fake = fake_new();
	fake_tree(&ept, fake, all_features());
	ept_sync_init(&sync, &ept, seen, CPUS);
	map_identity(&ept, 0, 2 * GIB);
	return 0;
}

static int end_tree(void **state)
{
	(void)state;
	for (unsigned int cpu = 0; cpu < CPUS; cpu++)
		ept_sync_park(&sync, cpu);
	assert_int_equal(ept_sync_reclaim(&sync), 0);
	fake_audit(fake, &ept, 0);
	ept_destroy(&ept);
	fake_delete(fake);
	return 0;
}

static uint64_t change(uint64_t page, uint64_t permissions)
{
	struct ept_obligation owed;
	struct ept_update update;

	assert_ept_ok(ept_begin(&update, &ept));
	assert_ept_ok(ept_protect(&update, gpa(page), 4 * KIB, permissions));
	owed = ept_commit(&update);
	return ept_discharge(&sync, &owed);
}

static void catch_up(unsigned int cpu)
{
	uint64_t generation;

	if (ept_sync_behind(&sync, cpu, &generation))
		ept_sync_caught_up(&sync, cpu, generation);
}

static void join_all(void)
{
	for (unsigned int cpu = 0; cpu < CPUS; cpu++) {
		ept_sync_join(&sync, cpu);
		catch_up(cpu);
	}
}

static void a_cpu_that_joins_has_to_invalidate_first(void **state)
{
	uint64_t generation = 0;

	(void)state;
	ept_sync_join(&sync, 2);
	assert_true(ept_sync_behind(&sync, 2, &generation));
	assert_int_equal(generation, 1);
	ept_sync_caught_up(&sync, 2, generation);
	assert_false(ept_sync_behind(&sync, 2, &generation));
}

static void
a_change_is_in_force_when_the_slowest_cpu_has_caught_up(void **state)
{
	uint64_t generation;

	(void)state;
	join_all();
	generation = change(0, EPT_R);
	for (unsigned int cpu = 0; cpu < CPUS; cpu++) {
		assert_false(ept_sync_reached(&sync, generation));
		catch_up(cpu);
	}
	assert_true(ept_sync_reached(&sync, generation));
}

static void
replaced_tables_are_freed_when_the_slowest_has_caught_up(void **state)
{
	unsigned int in_use;

	(void)state;
	join_all();
	assert_int_not_equal(change(0, EPT_R), 0);
	in_use = fake->in_use;
	for (unsigned int cpu = 0; cpu < CPUS; cpu++) {
		assert_int_equal(ept_sync_reclaim(&sync), 1);
		assert_int_equal(fake->in_use, in_use);
		catch_up(cpu);
	}
	assert_int_equal(ept_sync_reclaim(&sync), 0);
	assert_int_equal(fake->in_use, in_use - 1);
}

static void
a_later_change_does_not_free_the_tables_of_one_too_early(void **state)
{
	uint64_t generation;

	(void)state;
	join_all();
	generation = change(0, EPT_R);
	assert_int_equal(ept_sync_reclaim(&sync), 1);
	for (unsigned int cpu = 0; cpu < CPUS; cpu++)
		ept_sync_caught_up(&sync, cpu, generation);
	/* Nobody has seen the second one. */
	generation = change(GIB, EPT_R);
	assert_int_equal(ept_sync_reclaim(&sync), 1);
	assert_int_equal(ept_sync_reclaim(&sync), 1);
	for (unsigned int cpu = 0; cpu < CPUS; cpu++)
		ept_sync_caught_up(&sync, cpu, generation);
	assert_int_equal(ept_sync_reclaim(&sync), 0);
}

static void a_parked_cpu_holds_up_nobody(void **state)
{
	uint64_t generation;

	(void)state;
	join_all();
	ept_sync_park(&sync, 3);
	generation = change(0, EPT_R);
	for (unsigned int cpu = 0; cpu < 3; cpu++)
		catch_up(cpu);
	assert_true(ept_sync_reached(&sync, generation));
	assert_int_equal(ept_sync_reclaim(&sync), 0);
	/* And it stays so until it joins. */
	assert_false(ept_sync_behind(&sync, 3, &generation));
	ept_sync_join(&sync, 3);
	assert_true(ept_sync_behind(&sync, 3, &generation));
}

static void a_debt_is_paid_once(void **state)
{
	struct ept_obligation owed;
	struct ept_update update;
	uint64_t generation;

	(void)state;
	join_all();
	assert_ept_ok(ept_begin(&update, &ept));
	assert_ept_ok(ept_protect(&update, gpa(0), 4 * KIB, EPT_R));
	owed = ept_commit(&update);
	generation = ept_discharge(&sync, &owed);
	assert_int_equal(generation, 2);
	assert_int_equal(ept_discharge(&sync, &owed), 0);
	assert_int_equal(ept_sync_reclaim(&sync), 1);
	assert_true(ept_sync_reached(&sync, 0));
}

static void nothing_owed_makes_no_generation(void **state)
{
	struct ept_obligation owed;
	struct ept_update update;
	uint64_t generation;

	(void)state;
	join_all();
	assert_ept_ok(ept_begin(&update, &ept));
	assert_ept_ok(ept_map(&update, gpa(1ULL << 40), hpa(0), GIB, EPT_R,
			      MEMORY_WB));
	owed = ept_commit(&update);
	assert_int_equal(ept_discharge(&sync, &owed), 0);
	assert_false(ept_sync_behind(&sync, 0, &generation));
}

/*
 * The model of the machine. Pages are far enough from each other to lie under
 * different tables of all levels; each has the permissions it had in every
 * generation of late, 0 where it was taken.
 */
struct cpu {
	struct walk tlb[PAGES];	  /* outcome WALK_VIOLATION: none cached */
	uint64_t root_entries[2]; /* 0: none cached */
	struct ept_view view;
	void *view_pages[EPT_VIEW_TABLES];
	enum { PARKED, ROOT, GUEST } where;
	bool in_view;
};

static const uint64_t page_at[PAGES] = {
	0,
	4 * KIB,
	8 * KIB,
	2 * MIB,
	4 * MIB,
	4 * MIB + 4 * KIB,
	GIB,
	GIB + 4 * KIB,
	GIB + 2 * MIB,
	2 * GIB - 4 * KIB,
	512 * GIB,
	512 * GIB + 4 * KIB,
};

static struct cpu cpus[CPUS];
static uint64_t allowed[HISTORY][PAGES];
static uint64_t scratch = 8 * GIB;

static uint64_t *now(void)
{
	return allowed[sync.generation % HISTORY];
}

static void forget_all(struct cpu *cpu)
{
	for (unsigned int page = 0; page < PAGES; page++)
		cpu->tlb[page].outcome = WALK_VIOLATION;
	cpu->root_entries[0] = cpu->root_entries[1] = 0;
}

static void build_view(struct cpu *cpu, unsigned int page)
{
	enum ept_error error;

	ept_view_begin(&cpu->view);
	error = ept_view_replace(&cpu->view, gpa(page_at[page]), hpa(scratch),
				 EPT_R | EPT_W);
	/* A page that was taken meanwhile cannot be stepped over. */
	cpu->in_view = error == EPT_OK;
}

/* What the monitor does between an exit and the next entry. */
static void enter(unsigned int n, uint64_t *seed)
{
	struct cpu *cpu = &cpus[n];
	uint64_t generation;

	if (ept_sync_behind(&sync, n, &generation)) {
		if (cpu->in_view)
			build_view(cpu, draw_below(seed, PAGES));
		forget_all(cpu);
		ept_sync_caught_up(&sync, n, generation);
	}
	cpu->where = GUEST;
}

/* The newest generation that every CPU has ever been seen to have reached. */
static uint64_t reached = 1;

static uint64_t oldest(void)
{
	while (reached < sync.generation &&
	       ept_sync_reached(&sync, reached + 1))
		reached++;
	return reached;
}

/* One access: by what is cached, or by a walk, which the CPU may cache. */
static void access_page(struct cpu *cpu, unsigned int page, uint64_t *seed)
{
	uint64_t gpa = page_at[page];
	uint64_t *cached = &cpu->root_entries[gpa / (512 * GIB)];
	uint64_t granted = 0;
	struct walk walk = cpu->tlb[page];

	if (cpu->in_view) {
		/* The view has a context of its own; nothing is cached. */
		walk = fake_walk(fake, ept.features,
				 ept_view_pointer(&cpu->view), gpa);
	} else if (walk.outcome == WALK_VIOLATION) {
		if (!*cached)
			*cached = ept.root[gpa / (512 * GIB)];
		walk = fake_walk_from(fake, ept.features, *cached, 4, gpa);
		if (draw_below(seed, 2))
			*cached = 0;
		if (draw_below(seed, 4))
			cpu->tlb[page] = walk;
	}
	assert_int_not_equal(walk.outcome, WALK_MISCONFIGURATION);
	if (walk.outcome != WALK_LEAF || walk.hpa == scratch)
		return;
	assert_int_equal(walk.hpa, gpa);
	for (uint64_t g = oldest(); g <= sync.generation; g++)
		granted |= allowed[g % HISTORY][page];
	assert_int_equal(walk.permissions & ~granted, 0);
}

static const struct mtrr_state write_back = { .def_type = 1 << 11 | 6 };

/* Changes one page and, when rights go, perhaps waits for every CPU. */
static void random_commit(uint64_t *seed)
{
	static const uint64_t choices[] = { 0, EPT_R, EPT_R | EPT_X, EPT_RWX };
	unsigned int page = draw_below(seed, PAGES);
	uint64_t permissions = choices[draw_below(seed, 4)];
	uint64_t before = now()[page];
	uint64_t generation = sync.generation;
	struct ept_obligation owed;
	struct ept_update update;
	enum ept_error error;

	if (!permissions && !before)
		return;
	assert_ept_ok(ept_begin(&update, &ept));
	if (!permissions)
		error = ept_take(&update, gpa(page_at[page]), 4 * KIB);
	else if (!before)
		error = ept_give(&update, &write_back, gpa(page_at[page]),
				 4 * KIB, permissions);
	else
		error = ept_protect(&update, gpa(page_at[page]), 4 * KIB,
				    permissions);
	assert_ept_ok(error);
	owed = ept_commit(&update);
	assert_int_equal(owed.invalidation == EPT_INVALIDATE_NOW,
			 (before & ~permissions) != 0);
	assert_int_equal(ept_discharge(&sync, &owed), generation + 1);
	for (unsigned int i = 0; i < PAGES; i++)
		now()[i] = allowed[generation % HISTORY][i];
	now()[page] = permissions;
}

static void random_event(uint64_t *seed)
{
	unsigned int n = draw_below(seed, CPUS);
	struct cpu *cpu = &cpus[n];
	unsigned int event = draw_below(seed, 32);

	if (event == 0 && sync.generation - oldest() < HISTORY - 2)
		random_commit(seed);
	else if (event == 1)
		(void)ept_sync_reclaim(&sync);
	else if (event == 2 && cpu->where == PARKED) {
		ept_sync_join(&sync, n);
		cpu->where = ROOT;
	} else if (event == 2 && cpu->where == ROOT && !draw_below(seed, 8)) {
		ept_sync_park(&sync, n);
		cpu->where = PARKED;
		cpu->in_view = false;
	} else if (event < 7 && cpu->where == GUEST) {
		/* Half of the exits are in the middle of a step. */
		cpu->where = ROOT;
		cpu->in_view = cpu->in_view && draw_below(seed, 2);
	} else if (event < 9 && cpu->where == ROOT)
		build_view(cpu, draw_below(seed, PAGES));
	else if (event < 16 && cpu->where == ROOT)
		enter(n, seed);
	else if (cpu->where == GUEST)
		access_page(cpu, draw_below(seed, PAGES), seed);
}

static void no_cpu_uses_a_stale_translation_once_it_is_discharged(void **state)
{
	uint64_t seed = 11;

	(void)state;
	map_identity(&ept, 512 * GIB, GIB);
	for (unsigned int page = 0; page < PAGES; page++)
		now()[page] = EPT_RWX;
	for (unsigned int n = 0; n < CPUS; n++) {
		for (unsigned int i = 0; i < EPT_VIEW_TABLES; i++)
			cpus[n].view_pages[i] = fake_ops.page_alloc(fake);
		ept_view_init(&cpus[n].view, &ept, cpus[n].view_pages);
		forget_all(&cpus[n]);
	}
	for (unsigned int i = 0; i < 2000000; i++)
		random_event(&seed);
	assert_true(sync.generation > 10000);
	for (unsigned int n = 0; n < CPUS; n++)
		for (unsigned int i = 0; i < EPT_VIEW_TABLES; i++)
			fake_ops.page_free(fake, cpus[n].view_pages[i]);
}

#define SYNC_TEST(name) \
	cmocka_unit_test_setup_teardown(name, make_tree, end_tree)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SYNC_TEST(a_cpu_that_joins_has_to_invalidate_first),
		SYNC_TEST(
			a_change_is_in_force_when_the_slowest_cpu_has_caught_up),
		SYNC_TEST(
			replaced_tables_are_freed_when_the_slowest_has_caught_up),
		SYNC_TEST(
			a_later_change_does_not_free_the_tables_of_one_too_early),
		SYNC_TEST(a_parked_cpu_holds_up_nobody),
		SYNC_TEST(a_debt_is_paid_once),
		SYNC_TEST(nothing_owed_makes_no_generation),
		SYNC_TEST(
			no_cpu_uses_a_stale_translation_once_it_is_discharged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
