/* SPDX-License-Identifier: MIT */
/* policy/verify.c and policy/signature.c, with OpenSSL as the signer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/policy/sample.h"

static EVP_PKEY *signer;
static EVP_PKEY *stranger;

static int make_keys(void **state)
{
	(void)state;
	signer = sample_key();
	stranger = sample_key();
	return 0;
}

static int free_keys(void **state)
{
	(void)state;
	EVP_PKEY_free(signer);
	EVP_PKEY_free(stranger);
	return 0;
}

/*
 * Verifies an exact-size copy against the signer's key and checks that a
 * failure left the output alone.
 */
static enum rw_error verify(const void *file, size_t size)
{
	struct policy_key key = sample_public(signer);
	struct policy_signature result, before;
	uint8_t *copy = malloc(size ? size : 1);
	enum rw_error error;

	assert_non_null(copy);
	memcpy(copy, file, size);
	memset(&result, 0x5a, sizeof(result));
	before = result;
	error = policy_verify(copy, size, &key, 1, &result);
	if (error)
		assert_memory_equal(&result, &before, sizeof(before));
	free(copy);
	return error;
}

static void a_signature_of_openssl_verifies(void **state)
{
	struct sample_file file = sample_file(signer);
	struct policy_key key = sample_public(signer);
	struct policy_signature result;
	uint8_t digest[RW_SHA256_SIZE];

	(void)state;
	assert_int_equal(policy_verify(&file, sizeof(file), &key, 1, &result),
			 RW_OK);
	assert_ptr_equal(result.body, &file);
	assert_int_equal(result.body_size, sizeof(file.body));
	assert_memory_equal(result.key_id, key.id, sizeof(key.id));
	assert_int_equal(EVP_Digest(&file, sizeof(file.body), digest, NULL,
				    EVP_sha256(), NULL),
			 1);
	assert_memory_equal(result.digest, digest, sizeof(digest));
}

static void a_key_is_named_by_the_digest_of_its_point(void **state)
{
	struct policy_key key = sample_public(signer);
	uint8_t digest[RW_SHA256_SIZE];

	(void)state;
	assert_int_equal(EVP_Digest(key.point, sizeof(key.point), digest, NULL,
				    EVP_sha256(), NULL),
			 1);
	assert_memory_equal(key.id, digest, sizeof(key.id));
}

static void signatures_of_every_length_verify(void **state)
{
	(void)state;
	for (int i = 0; i < 64; i++) {
		struct sample_file file = sample_file(signer);

		assert_int_equal(verify(&file, sizeof(file)), RW_OK);
	}
}

static void any_of_several_keys_may_have_signed(void **state)
{
	struct policy_key keys[] = { sample_public(stranger),
				     sample_public(signer) };
	struct sample_file file = sample_file(signer);
	struct policy_signature result;

	(void)state;
	assert_int_equal(policy_verify(&file, sizeof(file), keys, 2, &result),
			 RW_OK);
	assert_memory_equal(result.key_id, keys[1].id, sizeof(keys[1].id));
}

static void a_key_that_is_not_trusted_is_refused(void **state)
{
	struct sample_file file = sample_file(stranger);
	struct policy_signature result;

	(void)state;
	assert_int_equal(verify(&file, sizeof(file)), RW_E_POLICY_KEY);
	assert_int_equal(policy_verify(&file, sizeof(file), NULL, 0, &result),
			 RW_E_POLICY_KEY);
}

static void a_stranger_who_writes_a_trusted_key_id_is_refused(void **state)
{
	struct policy_key key = sample_public(signer);
	struct sample_file file = sample_file(stranger);

	(void)state;
	memcpy(file.trailer.key_id, key.id, sizeof(key.id));
	assert_int_equal(verify(&file, sizeof(file)), RW_E_POLICY_SIGNATURE);
}

static void two_keys_of_one_id_are_both_tried(void **state)
{
	struct policy_key keys[] = { sample_public(stranger),
				     sample_public(signer) };
	struct sample_file file = sample_file(signer);
	struct policy_signature result;

	(void)state;
	memcpy(keys[0].id, keys[1].id, sizeof(keys[0].id));
	assert_int_equal(policy_verify(&file, sizeof(file), keys, 2, &result),
			 RW_OK);
	assert_int_equal(policy_verify(&file, sizeof(file), keys, 1, &result),
			 RW_E_POLICY_SIGNATURE);
}

static void a_flipped_bit_in_any_byte_of_the_body_is_refused(void **state)
{
	struct sample_file file = sample_file(signer);
	uint8_t *bytes = (uint8_t *)&file;

	(void)state;
	for (size_t i = 0; i < sizeof(file.body); i++) {
		uint8_t bit = (uint8_t)(1U << i % 8);

		bytes[i] ^= bit;
		assert_int_equal(verify(&file, sizeof(file)),
				 RW_E_POLICY_SIGNATURE);
		bytes[i] ^= bit;
	}
	assert_int_equal(verify(&file, sizeof(file)), RW_OK);
}

static void any_flipped_bit_of_the_trailer_is_refused(void **state)
{
	struct sample_file file = sample_file(signer);
	uint8_t *bytes = (uint8_t *)&file.trailer;

	(void)state;
	for (size_t i = 0; i < sizeof(file.trailer) * 8; i++) {
		uint8_t bit = (uint8_t)(1U << i % 8);
		enum rw_error error;

		bytes[i / 8] ^= bit;
		error = verify(&file, sizeof(file));
		if (i / 8 < sizeof(file.trailer.magic))
			assert_int_equal(error, RW_E_POLICY_SIZE);
		else if (i / 8 < offsetof(struct rw_policy_trailer, key_id))
			assert_int_not_equal(error, RW_OK);
		else if (i / 8 < offsetof(struct rw_policy_trailer, signature))
			assert_int_equal(error, RW_E_POLICY_KEY);
		else if (i / 8 - offsetof(struct rw_policy_trailer, signature) <
			 file.trailer.signature_size)
			assert_int_equal(error, RW_E_POLICY_SIGNATURE);
		else
			assert_int_equal(error, RW_E_POLICY_FIELD);
		bytes[i / 8] ^= bit;
	}
	assert_int_equal(verify(&file, sizeof(file)), RW_OK);
}

static void truncated_at_any_length_is_refused(void **state)
{
	struct sample_file file = sample_file(signer);

	(void)state;
	for (size_t size = 0; size < sizeof(file); size++) {
		enum rw_error error = verify(&file, size);

		/* What is left of it is a policy without signature. */
		if (size == sizeof(file.body))
			assert_int_equal(error, RW_E_POLICY_UNSIGNED);
		else
			assert_int_equal(error, RW_E_POLICY_SIZE);
	}
}

static void a_piece_cut_out_of_the_middle_is_refused(void **state)
{
	struct sample_file file = sample_file(signer);
	size_t cut = sizeof(struct rw_policy_rule);

	(void)state;
	memmove((uint8_t *)&file.trailer - cut, &file.trailer,
		sizeof(file.trailer));
	assert_int_equal(verify(&file, sizeof(file) - cut),
			 RW_E_POLICY_SIGNATURE);
}

static void appended_bytes_are_refused(void **state)
{
	struct {
		struct sample_file file;
		uint64_t more;
	} longer = { sample_file(signer), 0 };

	(void)state;
	assert_int_equal(verify(&longer, sizeof(longer)), RW_E_POLICY_SIZE);
}

static void what_is_no_policy_is_named_so(void **state)
{
	uint8_t zeros[sizeof(struct sample_file)] = { 0 };

	(void)state;
	assert_int_equal(verify(zeros, sizeof(zeros)), RW_E_POLICY_MAGIC);
	assert_int_equal(verify(zeros, sizeof(struct rw_policy_header)),
			 RW_E_POLICY_MAGIC);
	assert_int_equal(verify(zeros, 0), RW_E_POLICY_SIZE);
}

static void the_body_is_not_interpreted_before_the_signature(void **state)
{
	struct sample_file file;

	(void)state;
	/* Signed nonsense is what the signer said: parsing it is not our task. */
	memset(&file.body, 0xff, sizeof(file.body));
	sample_sign(&file, sizeof(file.body), signer);
	assert_int_equal(verify(&file, sizeof(file)), RW_OK);
	/* Nonsense of nobody is a bad signature, whatever it is. */
	memset(&file.body, 0, sizeof(file.body));
	assert_int_equal(verify(&file, sizeof(file)), RW_E_POLICY_SIGNATURE);
}

static void the_shortest_file_is_a_header_and_a_trailer(void **state)
{
	uint8_t file[sizeof(struct rw_policy_header) + 8 +
		     sizeof(struct rw_policy_trailer)] = { 0 };
	size_t body = sizeof(struct rw_policy_header);
	size_t trailer = sizeof(struct rw_policy_trailer);

	(void)state;
	sample_sign(file, body, signer);
	assert_int_equal(verify(file, body + trailer), RW_OK);
	sample_sign(file, body + 4, signer);
	assert_int_equal(verify(file, body + 4 + trailer), RW_E_POLICY_SIZE);
	sample_sign(file, body - 8, signer);
	assert_int_not_equal(verify(file, body - 8 + trailer), RW_OK);
}

static void every_field_of_the_trailer_is_checked(void **state)
{
	struct sample_file file = sample_file(signer);
	struct rw_policy_trailer good = file.trailer;

	(void)state;
	file.trailer.algorithm = 2;
	assert_int_equal(verify(&file, sizeof(file)), RW_E_POLICY_FIELD);
	file.trailer = good;
	file.trailer.reserved = 1;
	assert_int_equal(verify(&file, sizeof(file)), RW_E_POLICY_FIELD);
	file.trailer = good;
	file.trailer.signature_size = RW_SIGNATURE_MAX + 1;
	assert_int_equal(verify(&file, sizeof(file)), RW_E_POLICY_FIELD);
	file.trailer.signature_size = 0xffff;
	assert_int_equal(verify(&file, sizeof(file)), RW_E_POLICY_FIELD);
	file.trailer.signature_size = 0;
	assert_int_equal(verify(&file, sizeof(file)), RW_E_POLICY_FIELD);
	memset(file.trailer.signature, 0, sizeof(file.trailer.signature));
	assert_int_equal(verify(&file, sizeof(file)), RW_E_POLICY_FIELD);
	file.trailer.signature_size = RW_SIGNATURE_MAX;
	assert_int_equal(verify(&file, sizeof(file)), RW_E_POLICY_SIGNATURE);
}

static void a_signature_of_zeros_is_refused(void **state)
{
	/* r = s = 0, the forgery that careless verifiers accept. */
	static const uint8_t zero[] = { 0x30, 6, 2, 1, 0, 2, 1, 0 };
	struct sample_file file = sample_file(signer);

	(void)state;
	memset(file.trailer.signature, 0, sizeof(file.trailer.signature));
	memcpy(file.trailer.signature, zero, sizeof(zero));
	file.trailer.signature_size = sizeof(zero);
	assert_int_equal(verify(&file, sizeof(file)), RW_E_POLICY_SIGNATURE);
}

static void a_key_that_is_no_point_of_the_curve_is_refused(void **state)
{
	struct policy_key key = sample_public(signer);
	struct policy_key result, before;
	uint8_t point[RW_KEY_POINT_SIZE];

	(void)state;
	memset(&result, 0x5a, sizeof(result));
	before = result;
	memcpy(point, key.point, sizeof(point));
	point[0] = 2; /* compressed */
	assert_int_equal(policy_key_init(point, &result), RW_E_TRUST);
	point[0] = 4;
	point[64] ^= 1;
	assert_int_equal(policy_key_init(point, &result), RW_E_TRUST);
	memset(point + 1, 0, sizeof(point) - 1);
	assert_int_equal(policy_key_init(point, &result), RW_E_TRUST);
	memset(point, 0, sizeof(point));
	assert_int_equal(policy_key_init(point, &result), RW_E_TRUST);
	memset(point + 1, 0xff, sizeof(point) - 1);
	point[0] = 4;
	assert_int_equal(policy_key_init(point, &result), RW_E_TRUST);
	assert_memory_equal(&result, &before, sizeof(before));
}

static void an_older_serial_is_refused(void **state)
{
	uint8_t one[RW_SHA256_SIZE] = { 1 };
	uint8_t two[RW_SHA256_SIZE] = { 2 };

	(void)state;
	assert_int_equal(policy_accepts_update(0, one, 1, two), RW_OK);
	assert_int_equal(policy_accepts_update(7, one, 8, two), RW_OK);
	assert_int_equal(policy_accepts_update(7, one, UINT64_MAX, two), RW_OK);
	assert_int_equal(policy_accepts_update(7, one, 6, two),
			 RW_E_POLICY_SERIAL);
	assert_int_equal(policy_accepts_update(7, one, 6, one),
			 RW_E_POLICY_SERIAL);
	assert_int_equal(policy_accepts_update(7, one, 0, one),
			 RW_E_POLICY_SERIAL);
	assert_int_equal(policy_accepts_update(UINT64_MAX, one, 1, two),
			 RW_E_POLICY_SERIAL);
}

static void the_same_serial_is_accepted_for_the_same_policy_only(void **state)
{
	uint8_t one[RW_SHA256_SIZE] = { 1 };
	uint8_t two[RW_SHA256_SIZE] = { 1 };

	(void)state;
	two[RW_SHA256_SIZE - 1] = 1;
	assert_int_equal(policy_accepts_update(7, one, 7, one), RW_OK);
	assert_int_equal(policy_accepts_update(7, one, 7, two),
			 RW_E_POLICY_SERIAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_signature_of_openssl_verifies),
		cmocka_unit_test(a_key_is_named_by_the_digest_of_its_point),
		cmocka_unit_test(signatures_of_every_length_verify),
		cmocka_unit_test(any_of_several_keys_may_have_signed),
		cmocka_unit_test(a_key_that_is_not_trusted_is_refused),
		cmocka_unit_test(
			a_stranger_who_writes_a_trusted_key_id_is_refused),
		cmocka_unit_test(two_keys_of_one_id_are_both_tried),
		cmocka_unit_test(
			a_flipped_bit_in_any_byte_of_the_body_is_refused),
		cmocka_unit_test(any_flipped_bit_of_the_trailer_is_refused),
		cmocka_unit_test(truncated_at_any_length_is_refused),
		cmocka_unit_test(a_piece_cut_out_of_the_middle_is_refused),
		cmocka_unit_test(appended_bytes_are_refused),
		cmocka_unit_test(what_is_no_policy_is_named_so),
		cmocka_unit_test(
			the_body_is_not_interpreted_before_the_signature),
		cmocka_unit_test(the_shortest_file_is_a_header_and_a_trailer),
		cmocka_unit_test(every_field_of_the_trailer_is_checked),
		cmocka_unit_test(a_signature_of_zeros_is_refused),
		cmocka_unit_test(
			a_key_that_is_no_point_of_the_curve_is_refused),
		cmocka_unit_test(an_older_serial_is_refused),
		cmocka_unit_test(
			the_same_serial_is_accepted_for_the_same_policy_only),
	};

	return cmocka_run_group_tests(tests, make_keys, free_keys);
}
