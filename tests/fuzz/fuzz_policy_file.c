/* SPDX-License-Identifier: MIT */
/*
 * A whole policy file through policy_verify() and policy_parse(), as in the
 * monitor. The cryptography behind policy/signature.h is replaced by a sum that
 * a fuzzer can satisfy; signature.c is not linked.
 */
#include <stdlib.h>
#include <string.h>

#include "policy/policy.h"
#include "policy/signature.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

void policy_digest(const void *data, size_t size, uint8_t ret[RW_SHA256_SIZE])
{
	const uint8_t *bytes = data;

	memset(ret, 0, RW_SHA256_SIZE);
	for (size_t i = 0; i < size; i++)
		ret[i % RW_SHA256_SIZE] ^= bytes[i];
}

bool point_is_valid(const uint8_t point[RW_KEY_POINT_SIZE])
{
	return point[1];
}

/** Reads all of what it is given, and calls an even first byte valid. */
bool signature_is_valid(const uint8_t point[RW_KEY_POINT_SIZE],
			const uint8_t digest[RW_SHA256_SIZE],
			const void *signature, size_t size)
{
	uint8_t sum[RW_SHA256_SIZE];

	policy_digest(signature, size, sum);
	(void)digest;
	return point[0] == 4 && !(*(const uint8_t *)signature & 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct policy_key keys[] = {
		{ { 1, 2, 3, 4, 5, 6, 7, 8 }, { 0 } },
		{ { 1, 2, 3, 4, 5, 6, 7, 8 }, { 4 } },
	};
	struct policy_signature result, before;
	struct policy policy;

	memset(&result, 0x5a, sizeof(result));
	before = result;
	if (policy_verify(data, size, keys, 2, &result)) {
		if (memcmp(&result, &before, sizeof(before)))
			abort();
		return 0;
	}
	if (result.body != data ||
	    result.body_size + sizeof(struct rw_policy_trailer) != size)
		abort();
	if (!policy_parse(result.body, result.body_size, &policy) &&
	    policy.header.total_size != result.body_size)
		abort();
	return 0;
}
