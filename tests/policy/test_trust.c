/* SPDX-License-Identifier: MIT */
/* agent/policy/trust.c: a folder of keys is taken whole or not at all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "agent/policy/keys.h"
#include "agent/policy/trust.h"
#include "tests/policy/scratch.h"

#define MAX 4

/** Makes NAME.pub and removes the private half. */
static void make_key(const char *public, uint8_t point[RW_KEY_POINT_SIZE])
{
	struct problem why;

	if (!key_generate(scratch("private"), scratch(public), point, &why))
		fail_msg("%s", why.text);
	assert_int_equal(scratch_run("rm private log"), 0);
}

/** The reason for refusing path. */
static const char *refusal(const char *path)
{
	static struct problem why;
	uint8_t points[MAX][RW_KEY_POINT_SIZE];
	size_t count = 99;

	why.text[0] = '\0';
	assert_int_equal(trust_load(path, points, MAX, &count, &why),
			 RW_E_TRUST);
	assert_int_equal(count, 99);
	return why.text;
}

static void one_file_is_one_key(void **state)
{
	uint8_t point[RW_KEY_POINT_SIZE], points[MAX][RW_KEY_POINT_SIZE];
	struct problem why;
	size_t count;

	(void)state;
	make_key("k.pub", point);
	assert_int_equal(
		trust_load(scratch("k.pub"), points, MAX, &count, &why), RW_OK);
	assert_int_equal(count, 1);
	assert_memory_equal(points[0], point, sizeof(point));
}

static void a_folder_gives_its_keys_by_name(void **state)
{
	uint8_t point[3][RW_KEY_POINT_SIZE], points[MAX][RW_KEY_POINT_SIZE];
	struct problem why;
	size_t count;

	(void)state;
	make_key("c.pub", point[2]);
	make_key("a.pem", point[0]);
	make_key("b.pub", point[1]);
	scratch_text("README", "not a key");
	scratch_text(".pub", "not a name");
	assert_int_equal(trust_load(scratch(""), points, MAX, &count, &why),
			 RW_OK);
	assert_int_equal(count, 3);
	assert_memory_equal(points, point, sizeof(point));
}

static void the_same_key_twice_counts_once(void **state)
{
	uint8_t point[RW_KEY_POINT_SIZE], points[1][RW_KEY_POINT_SIZE];
	struct problem why;
	size_t count;

	(void)state;
	make_key("a.pub", point);
	assert_int_equal(scratch_run("cp a.pub b.pub"), 0);
	assert_int_equal(trust_load(scratch(""), points, 1, &count, &why),
			 RW_OK);
	assert_int_equal(count, 1);
}

static void one_bad_file_fails_the_folder(void **state)
{
	uint8_t point[RW_KEY_POINT_SIZE];

	(void)state;
	make_key("a.pub", point);
	scratch_text("b.pub", "not a key");
	assert_non_null(strstr(refusal(scratch("")),
			       "/b.pub: no public key in PEM form"));
}

static void a_private_key_is_refused(void **state)
{
	(void)state;
	assert_int_equal(scratch_run("openssl ecparam -name prime256v1 -genkey "
				     "-noout -out k.pem"),
			 0);
	assert_non_null(strstr(refusal(scratch("")),
			       "/k.pem: no public key in PEM form"));
}

static void more_keys_than_there_is_room_for_are_refused(void **state)
{
	static const char *const names[] = { "a.pub", "b.pub", "c.pub", "d.pub",
					     "e.pub" };
	uint8_t point[RW_KEY_POINT_SIZE];

	(void)state;
	for (size_t i = 0; i <= MAX; i++)
		make_key(names[i], point);
	assert_non_null(strstr(refusal(scratch("")),
			       "/e.pub: one key too many, 4 can be trusted"));
}

static void no_key_at_all_is_refused(void **state)
{
	(void)state;
	assert_non_null(strstr(refusal(scratch("")),
			       ": no *.pub or *.pem file in this folder"));
	assert_non_null(strstr(refusal(scratch("none.pub")), "No such file"));
	assert_int_equal(mkdir(scratch("k.pub"), 0700), 0);
	assert_non_null(strstr(refusal(scratch("")), "Is a directory"));
}

#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, scratch_open, scratch_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(one_file_is_one_key),
		TEST(a_folder_gives_its_keys_by_name),
		TEST(the_same_key_twice_counts_once),
		TEST(one_bad_file_fails_the_folder),
		TEST(a_private_key_is_refused),
		TEST(more_keys_than_there_is_room_for_are_refused),
		TEST(no_key_at_all_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
