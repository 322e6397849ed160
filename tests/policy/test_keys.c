/* SPDX-License-Identifier: MIT */
/* agent/policy/keys.c, with the openssl program on the other side. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "agent/policy/keys.h"
#include "tests/policy/scratch.h"

static unsigned int mode_of(const char *name)
{
	struct stat status;

	assert_int_equal(stat(scratch(name), &status), 0);
	return status.st_mode & 07777;
}

static void a_new_key_is_private_and_its_public_half_is_not(void **state)
{
	uint8_t point[RW_KEY_POINT_SIZE], read[RW_KEY_POINT_SIZE];
	struct problem why;

	(void)state;
	umask(022);
	assert_true(
		key_generate(scratch("k.pem"), scratch("k.pub"), point, &why));
	assert_int_equal(mode_of("k.pem"), 0600);
	assert_int_equal(mode_of("k.pub"), 0644);
	assert_int_equal(point[0], 4);
	assert_true(key_read_public(scratch("k.pub"), read, &why));
	assert_memory_equal(point, read, sizeof(point));
}

static void openssl_reads_both_halves(void **state)
{
	uint8_t point[RW_KEY_POINT_SIZE];
	struct problem why;

	(void)state;
	assert_true(
		key_generate(scratch("k.pem"), scratch("k.pub"), point, &why));
	assert_int_equal(
		scratch_run("openssl pkey -in k.pem -pubout | cmp - k.pub"), 0);
	assert_int_equal(scratch_run("openssl pkey -in k.pem -text -noout | "
				     "grep -q prime256v1"),
			 0);
}

static void nothing_is_overwritten(void **state)
{
	const char *private = scratch_text("k.pem", "precious");
	const char *public = scratch("k.pub");
	uint8_t point[RW_KEY_POINT_SIZE];
	struct problem why;

	(void)state;
	assert_false(key_generate(private, public, point, &why));
	assert_non_null(strstr(why.text, "k.pem: File exists"));
	assert_false(scratch_exists("k.pub"));
	assert_int_equal(scratch_run("test $(cat k.pem) = precious"), 0);
	assert_false(key_generate(scratch("new.pem"), private, point, &why));
	assert_false(scratch_exists("new.pem"));
	assert_int_equal(scratch_run("test $(cat k.pem) = precious"), 0);
}

static void a_folder_that_is_not_there_is_named(void **state)
{
	uint8_t point[RW_KEY_POINT_SIZE];
	struct problem why;

	(void)state;
	assert_false(key_generate(scratch("no/k.pem"), NULL, point, &why));
	assert_non_null(strstr(why.text, "no/k.pem: No such file"));
}

static void openssl_verifies_our_signature(void **state)
{
	static const char data[] = "what is signed";
	uint8_t point[RW_KEY_POINT_SIZE];
	struct key_signature signature;
	struct problem why;

	(void)state;
	assert_true(
		key_generate(scratch("k.pem"), scratch("k.pub"), point, &why));
	scratch_write("data", data, sizeof(data));
	assert_true(key_sign(scratch("k.pem"), data, sizeof(data), &signature,
			     &why));
	assert_memory_equal(signature.point, point, sizeof(point));
	scratch_write("sig", signature.der, signature.size);
	assert_int_equal(scratch_run("openssl dgst -sha256 -verify k.pub "
				     "-signature sig data"),
			 0);
}

static void keys_of_openssl_in_their_usual_forms_are_read(void **state)
{
	/* SEC1 private key; public key with a compressed point. */
	static const char make[] =
		"openssl ecparam -name prime256v1 -genkey -noout -out sec1.pem && "
		"openssl pkey -in sec1.pem -pubout -out k.pub && "
		"openssl ec -in sec1.pem -pubout -conv_form compressed -out short.pub";
	uint8_t point[RW_KEY_POINT_SIZE], same[RW_KEY_POINT_SIZE];
	struct key_signature signature;
	struct problem why;

	(void)state;
	assert_int_equal(scratch_run(make), 0);
	assert_true(key_read_public(scratch("k.pub"), point, &why));
	if (!key_read_public(scratch("short.pub"), same, &why))
		fail_msg("%s", why.text);
	assert_memory_equal(point, same, sizeof(point));
	assert_true(key_sign(scratch("sec1.pem"), "x", 1, &signature, &why));
	assert_memory_equal(point, signature.point, sizeof(point));
}

/** A file that is not what is wanted of it, made by a command. */
static void refused_public(const char *command, const char *reason)
{
	uint8_t point[RW_KEY_POINT_SIZE], before[RW_KEY_POINT_SIZE];
	struct problem why;

	memset(point, 0x5a, sizeof(point));
	memcpy(before, point, sizeof(point));
	assert_int_equal(scratch_run(command), 0);
	assert_false(key_read_public(scratch("k.pub"), point, &why));
	assert_non_null(strstr(why.text, reason));
	assert_memory_equal(point, before, sizeof(point));
}

static void a_public_key_of_another_kind_is_refused(void **state)
{
	static const char other[] = "not a key on the curve P-256";
	static const char none[] = "no public key in PEM form";

	(void)state;
	refused_public("openssl ecparam -name secp384r1 -genkey -noout | "
		       "openssl pkey -pubout -out k.pub",
		       other);
	refused_public("openssl ecparam -name secp256k1 -genkey -noout | "
		       "openssl pkey -pubout -out k.pub",
		       other);
	refused_public("openssl genpkey -algorithm ed25519 | "
		       "openssl pkey -pubout -out k.pub",
		       other);
	refused_public("openssl genrsa 1024 | openssl pkey -pubout -out k.pub",
		       other);
	refused_public("openssl ecparam -name prime256v1 -genkey -noout "
		       "-out k.pub",
		       none);
	refused_public(": >k.pub", none);
	refused_public("echo words >k.pub", none);
	refused_public("openssl ecparam -name prime256v1 -genkey -noout | "
		       "openssl pkey -pubout -out one && cat one one >k.pub",
		       "more than one key in one file");
	refused_public("head -c 70000 /dev/zero >k.pub",
		       "larger than 65536 bytes");
}

static void a_private_key_of_another_kind_does_not_sign(void **state)
{
	struct key_signature signature;
	struct problem why;

	(void)state;
	assert_false(key_sign(scratch("none"), "x", 1, &signature, &why));
	assert_int_equal(scratch_run("openssl genpkey -algorithm ed25519 "
				     "-out k.pem"),
			 0);
	assert_false(key_sign(scratch("k.pem"), "x", 1, &signature, &why));
	assert_non_null(strstr(why.text, "not a key on the curve P-256"));
	scratch_text("k.pem", "words");
	assert_false(key_sign(scratch("k.pem"), "x", 1, &signature, &why));
	assert_non_null(strstr(why.text, "no private key in PEM form"));
}

#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, scratch_open, scratch_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_new_key_is_private_and_its_public_half_is_not),
		TEST(openssl_reads_both_halves),
		TEST(nothing_is_overwritten),
		TEST(a_folder_that_is_not_there_is_named),
		TEST(openssl_verifies_our_signature),
		TEST(keys_of_openssl_in_their_usual_forms_are_read),
		TEST(a_public_key_of_another_kind_is_refused),
		TEST(a_private_key_of_another_kind_does_not_sign),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
