/* SPDX-License-Identifier: MIT */
/* agent/policy/files.c: whole files or none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "agent/policy/files.h"
#include "tests/policy/scratch.h"

static unsigned int mode_of(const char *name)
{
	struct stat status;

	assert_int_equal(stat(scratch(name), &status), 0);
	return status.st_mode & 07777;
}

static void a_file_of_any_size_up_to_max_is_read(void **state)
{
	static const size_t sizes[] = { 0, 1, 65535, 65536, 65537, 200000 };

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		char *data = calloc(1, sizes[i] + 1);
		const char *path;
		struct problem why;
		struct file file;

		assert_non_null(data);
		memset(data, 'x', sizes[i]);
		path = scratch_write("file", data, sizes[i]);
		assert_true(file_read(path, sizes[i], &file, &why));
		assert_non_null(file.data);
		assert_int_equal(file.size, sizes[i]);
		assert_memory_equal(file.data, data, sizes[i]);
		file_free(&file);
		if (sizes[i]) {
			assert_false(
				file_read(path, sizes[i] - 1, &file, &why));
			assert_non_null(strstr(why.text, "larger than"));
		}
		free(data);
	}
}

static void what_cannot_be_read_is_named(void **state)
{
	struct problem why;
	struct file file;

	(void)state;
	assert_false(file_read(scratch("none"), 10, &file, &why));
	assert_non_null(strstr(why.text, "/none: No such file"));
	assert_false(file_read(scratch(""), 10, &file, &why));
	assert_non_null(strstr(why.text, "Is a directory"));
}

static void a_created_file_has_its_mode_from_the_start(void **state)
{
	struct problem why;

	(void)state;
	assert_true(file_create(scratch("new"), "abc", 3, 0600, &why));
	assert_int_equal(mode_of("new"), 0600);
	assert_int_equal(scratch_run("test $(cat new) = abc"), 0);
	assert_false(file_create(scratch("new"), "def", 3, 0600, &why));
	assert_non_null(strstr(why.text, "File exists"));
	assert_int_equal(scratch_run("test $(cat new) = abc"), 0);
}

static void creating_does_not_follow_a_link(void **state)
{
	struct problem why;

	(void)state;
	assert_int_equal(scratch_run("ln -s target new"), 0);
	assert_false(file_create(scratch("new"), "abc", 3, 0600, &why));
	assert_false(scratch_exists("target"));
}

static void a_replaced_file_keeps_its_permissions(void **state)
{
	struct problem why;

	(void)state;
	scratch_text("file", "old");
	assert_int_equal(scratch_run("rm log; chmod 640 file"), 0);
	assert_true(file_replace(scratch("file"), "new", 3, &why));
	assert_int_equal(mode_of("file"), 0640);
	assert_int_equal(scratch_run("test $(cat file) = new"), 0);
	assert_int_equal(scratch_count(), 2); /* and the log */
}

static void a_file_that_was_not_there_obeys_umask(void **state)
{
	struct problem why;

	(void)state;
	umask(027);
	assert_true(file_replace(scratch("file"), "new", 3, &why));
	assert_int_equal(mode_of("file"), 0640);
	umask(022);
	assert_int_equal(scratch_count(), 1);
}

static void what_is_no_regular_file_is_not_replaced(void **state)
{
	struct problem why;

	(void)state;
	assert_int_equal(scratch_run("ln -s target link; mkfifo pipe; rm log"),
			 0);
	scratch_text("target", "precious");
	assert_false(file_replace(scratch("link"), "new", 3, &why));
	assert_non_null(strstr(why.text, "link: not a regular file"));
	assert_false(file_replace(scratch("pipe"), "new", 3, &why));
	assert_int_equal(scratch_count(), 3);
	assert_int_equal(scratch_run("test -L link && test -p pipe && "
				     "test $(cat target) = precious"),
			 0);
}

static void a_failed_replacement_leaves_nothing_behind(void **state)
{
	struct problem why;

	(void)state;
	assert_int_equal(mkdir(scratch("folder"), 0700), 0);
	assert_false(file_replace(scratch("folder"), "new", 3, &why));
	assert_true(why.text[0]);
	assert_int_equal(scratch_count(), 1);
	assert_false(file_replace(scratch("no/file"), "new", 3, &why));
	assert_int_equal(scratch_count(), 1);
}

#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, scratch_open, scratch_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_file_of_any_size_up_to_max_is_read),
		TEST(what_cannot_be_read_is_named),
		TEST(a_created_file_has_its_mode_from_the_start),
		TEST(creating_does_not_follow_a_link),
		TEST(a_replaced_file_keeps_its_permissions),
		TEST(a_file_that_was_not_there_obeys_umask),
		TEST(what_is_no_regular_file_is_not_replaced),
		TEST(a_failed_replacement_leaves_nothing_behind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
