/* SPDX-License-Identifier: MIT */
/*
 * Who made this policy, and may it replace the one in force. Looks at the
 * trailer alone; must never interpret the body, whose maker is not known yet.
 */
#include "policy/policy.h"
#include "policy/signature.h"

/** DER: SEQUENCE of two INTEGERs of at least one byte. */
#define SIGNATURE_MIN 8

static bool equal(const void *a, const void *b, size_t size)
{
	return !__builtin_memcmp(a, b, size);
}

enum rw_error policy_key_init(const uint8_t point[RW_KEY_POINT_SIZE],
			      struct policy_key *ret)
{
	uint8_t digest[RW_SHA256_SIZE];

	if (point[0] != 4 || !point_is_valid(point))
		return RW_E_TRUST;
	policy_digest(point, RW_KEY_POINT_SIZE, digest);
	__builtin_memcpy(ret->id, digest, sizeof(ret->id));
	__builtin_memcpy(ret->point, point, sizeof(ret->point));
	return RW_OK;
}

/*
 * Why a file has no trailer. Nothing but the choice between refusals depends on
 * the header here.
 */
static enum rw_error without_trailer(const void *file, size_t size)
{
	struct rw_policy_header header;

	__builtin_memcpy(&header, file, sizeof(header));
	if (header.magic != RW_POLICY_MAGIC)
		return RW_E_POLICY_MAGIC;
	return header.total_size == size ? RW_E_POLICY_UNSIGNED :
					   RW_E_POLICY_SIZE;
}

static enum rw_error check_trailer(const struct rw_policy_trailer *trailer)
{
	if (trailer->algorithm != RW_SIGN_ECDSA_P256_SHA256)
		return RW_E_POLICY_FIELD;
	if (trailer->signature_size < SIGNATURE_MIN ||
	    trailer->signature_size > RW_SIGNATURE_MAX || trailer->reserved)
		return RW_E_POLICY_FIELD;
	for (size_t i = trailer->signature_size; i < RW_SIGNATURE_MAX; i++)
		if (trailer->signature[i])
			return RW_E_POLICY_FIELD;
	return RW_OK;
}

enum rw_error policy_verify(const void *file, size_t size,
			    const struct policy_key *keys, size_t key_count,
			    struct policy_signature *ret)
{
	struct policy_signature result = { .body = file };
	enum rw_error refusal = RW_E_POLICY_KEY;
	struct rw_policy_trailer trailer;
	enum rw_error error;

	if (size < sizeof(struct rw_policy_header) || size % 8)
		return RW_E_POLICY_SIZE;
	if (size < sizeof(struct rw_policy_header) + sizeof(trailer))
		return without_trailer(file, size);
	result.body_size = size - sizeof(trailer);
	__builtin_memcpy(&trailer, (const uint8_t *)file + result.body_size,
			 sizeof(trailer));
	if (trailer.magic != RW_TRAILER_MAGIC)
		return without_trailer(file, size);
	error = check_trailer(&trailer);
	if (error)
		return error;
	policy_digest(file, result.body_size, result.digest);
	__builtin_memcpy(result.key_id, trailer.key_id, sizeof(result.key_id));
	for (size_t i = 0; i < key_count; i++) {
		if (!equal(keys[i].id, trailer.key_id, sizeof(keys[i].id)))
			continue;
		if (signature_is_valid(keys[i].point, result.digest,
				       trailer.signature,
				       trailer.signature_size)) {
			*ret = result;
			return RW_OK;
		}
		refusal = RW_E_POLICY_SIGNATURE;
	}
	return refusal;
}

enum rw_error policy_accepts_update(uint64_t serial,
				    const uint8_t digest[RW_SHA256_SIZE],
				    uint64_t new_serial,
				    const uint8_t new_digest[RW_SHA256_SIZE])
{
	if (!serial || new_serial > serial)
		return RW_OK;
	if (new_serial == serial && equal(digest, new_digest, RW_SHA256_SIZE))
		return RW_OK;
	return RW_E_POLICY_SERIAL;
}
