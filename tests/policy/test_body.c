/* SPDX-License-Identifier: MIT */
/* agent/policy/body.c: from a source to a signed file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "agent/errors.h"
#include "agent/policy/body.h"
#include "tests/policy/sample.h"
#include "tests/policy/scratch.h"

/** The sample policy as a source. */
static struct policy_source sample_source(void)
{
	struct sample_body body = sample_body();
	struct policy_source source = {
		.serial = body.header.serial,
		.flags = body.header.flags,
		.rule_count = 2,
		.rule = { body.text, body.rodata },
	};

	memcpy(source.name, body.header.name, sizeof(source.name));
	return source;
}

static struct key_signature sign(const void *data, size_t size, EVP_PKEY *key)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	struct key_signature result = { .size = sizeof(result.der) };

	memcpy(result.point, sample_public(key).point, sizeof(result.point));
	assert_int_equal(
		EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, key), 1);
	assert_int_equal(EVP_DigestSign(context, result.der, &result.size, data,
					size),
			 1);
	EVP_MD_CTX_free(context);
	return result;
}

static void a_body_is_the_format_to_the_byte(void **state)
{
	struct policy_source source = sample_source();
	struct sample_body expected = sample_body();
	uint8_t body[BODY_MAX];

	(void)state;
	memset(body, 0x5a, sizeof(body));
	assert_int_equal(body_compose(&source, &expected.kernel, body),
			 sizeof(expected));
	assert_memory_equal(body, &expected, sizeof(expected));
	assert_int_equal(body[sizeof(expected)], 0x5a);
}

static void what_the_monitor_would_refuse_is_not_made(void **state)
{
	struct policy_source source = sample_source();
	struct rw_policy_kernel kernel = sample_body().kernel;
	uint8_t body[BODY_MAX];

	(void)state;
	kernel.text_start = 0x1000000;
	assert_int_equal(body_compose(&source, &kernel, body), 0);
	kernel = sample_body().kernel;
	source.serial = 0;
	assert_int_equal(body_compose(&source, &kernel, body), 0);
}

static void a_file_is_split_into_body_and_trailer(void **state)
{
	EVP_PKEY *key = sample_key();
	struct sample_file file = sample_file(key);
	struct rw_policy_trailer trailer;
	struct policy_file policy;
	struct problem why;

	(void)state;
	EVP_PKEY_free(key);
	assert_int_equal(policy_file_read(scratch_write("f", &file.body,
							sizeof(file.body)),
					  &policy, &why),
			 EXIT_CODE_OK);
	assert_false(policy.has_trailer);
	assert_int_equal(policy.body_size, sizeof(file.body));
	file_free(&policy.file);
	assert_int_equal(
		policy_file_read(scratch_write("f", &file, sizeof(file)),
				 &policy, &why),
		EXIT_CODE_OK);
	assert_true(policy.has_trailer);
	assert_int_equal(policy.body_size, sizeof(file.body));
	trailer = policy_file_trailer(&policy);
	assert_memory_equal(&trailer, &file.trailer, sizeof(trailer));
	file_free(&policy.file);
}

static void a_file_of_another_size_is_refused(void **state)
{
	struct {
		struct sample_file file;
		uint8_t more;
	} longer = { { sample_body(), { .magic = RW_TRAILER_MAGIC } }, 0 };
	struct policy_file policy;
	struct problem why;

	(void)state;
	for (size_t size = 0; size <= sizeof(longer.file) + 1; size++) {
		const char *path = scratch_write("f", &longer, size);
		int status = policy_file_read(path, &policy, &why);

		if (size == sizeof(longer.file) ||
		    size == sizeof(longer.file.body)) {
			assert_int_equal(status, EXIT_CODE_OK);
			file_free(&policy.file);
		} else {
			assert_int_equal(status, EXIT_CODE_ERROR);
			assert_non_null(strstr(why.text, "truncated"));
		}
	}
	longer.file.trailer.magic++;
	assert_int_equal(policy_file_read(scratch_write("f", &longer.file,
							sizeof(longer.file)),
					  &policy, &why),
			 EXIT_CODE_ERROR);
	longer.file.body.header.magic++;
	assert_int_equal(policy_file_read(scratch_write("f", &longer.file,
							sizeof(longer.file)),
					  &policy, &why),
			 EXIT_CODE_ERROR);
	assert_non_null(strstr(why.text, "not a Ringwall policy"));
}

static void a_signed_file_verifies(void **state)
{
	EVP_PKEY *key = sample_key();
	struct sample_body body = sample_body();
	struct key_signature signature = sign(&body, sizeof(body), key);
	struct policy_key trusted = sample_public(key);
	struct policy_signature verified;
	struct policy_file policy;
	struct problem why;
	struct file file;

	(void)state;
	EVP_PKEY_free(key);
	assert_int_equal(
		policy_file_read(scratch_write("f", &body, sizeof(body)),
				 &policy, &why),
		EXIT_CODE_OK);
	assert_int_equal(policy_file_write_signed(scratch("s"), &policy,
						  &signature, &why),
			 EXIT_CODE_OK);
	file_free(&policy.file);
	assert_true(file_read(scratch("s"), 10000, &file, &why));
	assert_int_equal(policy_verify(file.data, file.size, &trusted, 1,
				       &verified),
			 RW_OK);
	file_free(&file);
}

static void a_wrong_signature_is_not_written(void **state)
{
	EVP_PKEY *key = sample_key();
	struct sample_body body = sample_body();
	struct key_signature signature = sign(&body, sizeof(body) - 1, key);
	struct policy_file policy;
	struct problem why;

	(void)state;
	EVP_PKEY_free(key);
	assert_int_equal(
		policy_file_read(scratch_write("f", &body, sizeof(body)),
				 &policy, &why),
		EXIT_CODE_OK);
	assert_int_equal(policy_file_write_signed(scratch("s"), &policy,
						  &signature, &why),
			 EXIT_CODE_UNTRUSTED);
	assert_non_null(strstr(why.text, "does not verify"));
	assert_false(scratch_exists("s"));
	signature.size = 0;
	assert_int_equal(policy_file_write_signed(scratch("s"), &policy,
						  &signature, &why),
			 EXIT_CODE_ERROR);
	assert_false(scratch_exists("s"));
	file_free(&policy.file);
}

static void nonsense_is_not_signed(void **state)
{
	EVP_PKEY *key = sample_key();
	struct sample_body body = sample_body();
	struct key_signature signature;
	struct policy_file policy;
	struct problem why;

	(void)state;
	body.text.mode = 9;
	signature = sign(&body, sizeof(body), key);
	EVP_PKEY_free(key);
	assert_int_equal(
		policy_file_read(scratch_write("f", &body, sizeof(body)),
				 &policy, &why),
		EXIT_CODE_OK);
	assert_int_equal(policy_file_write_signed(scratch("s"), &policy,
						  &signature, &why),
			 EXIT_CODE_ERROR);
	assert_false(scratch_exists("s"));
	file_free(&policy.file);
}

#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, scratch_open, scratch_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_body_is_the_format_to_the_byte),
		cmocka_unit_test(what_the_monitor_would_refuse_is_not_made),
		TEST(a_file_is_split_into_body_and_trailer),
		TEST(a_file_of_another_size_is_refused),
		TEST(a_signed_file_verifies),
		TEST(a_wrong_signature_is_not_written),
		TEST(nonsense_is_not_signed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
