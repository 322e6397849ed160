/* SPDX-License-Identifier: MIT */
/* ringwall manifest as it is typed: exit codes and what comes of bad input. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "agent/errors.h"
#include "agent/manifest/commands.h"
#include "tests/manifest/small.h"
#include "tests/policy/scratch.h"

/** Runs "manifest" with up to five words. */
static int run(const char *a, const char *b, const char *c, const char *d,
	       const char *e)
{
	const char *words[] = { "manifest", a, b, c, d, e, NULL };
	int count = 1;

	while (words[count])
		count++;
	return cmd_manifest(count, (char **)(uintptr_t)words);
}

static const char *write_small(const char *name, uint32_t version)
{
	static struct small_manifest small;

	small_manifest(&small);
	small.header.version = (uint16_t)version;
	return scratch_write(name, &small, sizeof(small));
}

static void a_file_that_is_no_kernel_makes_no_manifest(void **state)
{
	const char *text = scratch_text("text", "not a kernel");

	(void)state;
	assert_int_equal(run("build", "-k", text, "-o", scratch("out")),
			 EXIT_CODE_ERROR);
	assert_false(scratch_exists("out"));
	assert_int_equal(run("build", "-k", text, NULL, NULL), EXIT_CODE_USAGE);
}

static void a_damaged_manifest_is_refused_by_every_verb(void **state)
{
	const char *bad = write_small("bad", RW_MANIFEST_VERSION + 1);
	const char *good = write_small("good", RW_MANIFEST_VERSION);

	(void)state;
	assert_int_equal(run("inspect", bad, NULL, NULL, NULL),
			 EXIT_CODE_ERROR);
	assert_int_equal(run("explain", bad, "ffffffff81000010", NULL, NULL),
			 EXIT_CODE_ERROR);
	assert_int_equal(run("diff", good, bad, NULL, NULL), EXIT_CODE_ERROR);
	assert_int_equal(run("diff", bad, good, NULL, NULL), EXIT_CODE_ERROR);
}

static void a_good_manifest_is_shown(void **state)
{
	const char *good = write_small("good", RW_MANIFEST_VERSION);

	(void)state;
	assert_int_equal(run("inspect", good, NULL, NULL, NULL), EXIT_CODE_OK);
	assert_int_equal(run("explain", good, "ffffffff81001200", NULL, NULL),
			 EXIT_CODE_OK);
	assert_int_equal(run("diff", good, good, NULL, NULL), EXIT_CODE_OK);
}

static void an_address_outside_is_refused(void **state)
{
	static const char *const bad[] = { "ffffffff80ffffff",
					   "ffffffff81003000",
					   "ffffffff81005000",
					   "-1",
					   "text",
					   "" };
	const char *good = write_small("good", RW_MANIFEST_VERSION);

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(run("explain", "--", good, bad[i], NULL),
				 EXIT_CODE_ERROR);
}

static void wrong_arguments_are_a_usage_error(void **state)
{
	(void)state;
	assert_int_equal(run(NULL, NULL, NULL, NULL, NULL), EXIT_CODE_USAGE);
	assert_int_equal(run("paint", NULL, NULL, NULL, NULL), EXIT_CODE_USAGE);
	assert_int_equal(run("diff", "one", NULL, NULL, NULL), EXIT_CODE_USAGE);
	assert_int_equal(run("diff", "one", "two", "three", NULL),
			 EXIT_CODE_USAGE);
	assert_int_equal(run("--help", NULL, NULL, NULL, NULL), EXIT_CODE_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			a_file_that_is_no_kernel_makes_no_manifest,
			scratch_open, scratch_close),
		cmocka_unit_test_setup_teardown(
			a_damaged_manifest_is_refused_by_every_verb,
			scratch_open, scratch_close),
		cmocka_unit_test_setup_teardown(a_good_manifest_is_shown,
						scratch_open, scratch_close),
		cmocka_unit_test_setup_teardown(an_address_outside_is_refused,
						scratch_open, scratch_close),
		cmocka_unit_test(wrong_arguments_are_a_usage_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
