/* SPDX-License-Identifier: MIT */
/*
 * ECDSA P-256 and SHA-256 by BearSSL: the only file that knows it. Verifies;
 * must never hold a private key or sign.
 */
#include <bearssl.h>

#include "policy/signature.h"

/* Debian's build has no faster P-256 than this one; it asks no CPU feature. */
#define P256 br_ec_p256_m31

void policy_digest(const void *data, size_t size, uint8_t ret[RW_SHA256_SIZE])
{
	br_sha256_context context;

	br_sha256_init(&context);
	br_sha256_update(&context, data, size);
	br_sha256_out(&context, ret);
}

bool point_is_valid(const uint8_t point[RW_KEY_POINT_SIZE])
{
	static const uint8_t one[] = { 1 };
	uint8_t copy[RW_KEY_POINT_SIZE];

	/* Multiplying is how BearSSL offers the test for being on the curve. */
	__builtin_memcpy(copy, point, sizeof(copy));
	return P256.mul(copy, sizeof(copy), one, sizeof(one),
			BR_EC_secp256r1) == 1;
}

bool signature_is_valid(const uint8_t point[RW_KEY_POINT_SIZE],
			const uint8_t digest[RW_SHA256_SIZE],
			const void *signature, size_t size)
{
	uint8_t q[RW_KEY_POINT_SIZE];
	br_ec_public_key key = { BR_EC_secp256r1, q, sizeof(q) };

	__builtin_memcpy(q, point, sizeof(q));
	return br_ecdsa_i31_vrfy_asn1(&P256, digest, RW_SHA256_SIZE, &key,
				      signature, size) == 1;
}
