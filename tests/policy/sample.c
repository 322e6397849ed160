/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include <openssl/ec.h>

#include "tests/policy/sample.h"

struct sample_body sample_body(void)
{
	struct sample_body body = {
		.header = {
			.magic = RW_POLICY_MAGIC,
			.version = RW_POLICY_VERSION,
			.header_size = sizeof(struct rw_policy_header),
			.total_size = sizeof(struct sample_body),
			.serial = 7,
			.flags = RW_POLICY_LOCK,
			.record_count = 3,
			.name = "sample",
		},
		.kernel = {
			.record = { RW_RECORD_KERNEL,
				    sizeof(struct rw_policy_kernel) },
			.text_start = 0xffffffff81000000,
			.text_end = 0xffffffff81e02000,
			.rodata_start = 0xffffffff82000000,
			.rodata_end = 0xffffffff828eb000,
			.build_id_address = 0xffffffff828ea010,
		},
		.text = {
			.record = { RW_RECORD_RULE,
				    sizeof(struct rw_policy_rule) },
			.id = 1,
			.target = RW_TARGET_KERNEL_TEXT,
			.mode = RW_MODE_ENFORCE,
			.action = RW_ACTION_FAULT,
			.flags = RW_RULE_TEXT_POKE,
			.severity = 5,
			.name = "kernel-text",
		},
		.rodata = {
			.record = { RW_RECORD_RULE,
				    sizeof(struct rw_policy_rule) },
			.id = 2,
			.target = RW_TARGET_KERNEL_RODATA,
			.mode = RW_MODE_ENFORCE,
			.action = RW_ACTION_DISCARD,
			.severity = 4,
			.name = "kernel-rodata",
		},
	};

	for (uint8_t i = 0; i < RW_BUILD_ID_SIZE; i++)
		body.kernel.build_id[i] = (uint8_t)(i * 11);
	return body;
}

EVP_PKEY *sample_key(void)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");

	assert_non_null(key);
	return key;
}

struct policy_key sample_public(EVP_PKEY *key)
{
	uint8_t point[RW_KEY_POINT_SIZE];
	struct policy_key result;
	size_t size;

	assert_int_equal(EVP_PKEY_get_octet_string_param(key, "pub", point,
							 sizeof(point), &size),
			 1);
	assert_int_equal(size, sizeof(point));
	assert_int_equal(policy_key_init(point, &result), RW_OK);
	return result;
}

void sample_sign(void *body, size_t size, EVP_PKEY *key)
{
	struct rw_policy_trailer trailer = {
		.magic = RW_TRAILER_MAGIC,
		.algorithm = RW_SIGN_ECDSA_P256_SHA256,
	};
	struct policy_key public = sample_public(key);
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	size_t used = sizeof(trailer.signature);

	memcpy(trailer.key_id, public.id, sizeof(trailer.key_id));
	assert_int_equal(
		EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, key), 1);
	assert_int_equal(EVP_DigestSign(context, trailer.signature, &used, body,
					size),
			 1);
	EVP_MD_CTX_free(context);
	trailer.signature_size = (uint16_t)used;
	memcpy((uint8_t *)body + size, &trailer, sizeof(trailer));
}

struct sample_file sample_file(EVP_PKEY *key)
{
	struct sample_file file = { .body = sample_body() };

	sample_sign(&file, sizeof(file.body), key);
	return file;
}
