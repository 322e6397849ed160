/* SPDX-License-Identifier: MIT */
/*
 * Policy files. Must never write one that the policy library, which is also the
 * monitor's, has not accepted first.
 */
#include <stdlib.h>
#include <string.h>

#include <ringwall/config.h>

#include "agent/errors.h"
#include "agent/policy/body.h"
#include "policy/policy.h"

/** Appends size bytes at *at. */
static void put(uint8_t **at, const void *data, size_t size)
{
	memcpy(*at, data, size);
	*at += size;
}

size_t body_compose(const struct policy_source *source,
		    const struct rw_policy_kernel *kernel,
		    uint8_t ret[BODY_MAX])
{
	struct rw_policy_header header = {
		.magic = RW_POLICY_MAGIC,
		.version = RW_POLICY_VERSION,
		.header_size = sizeof(header),
		.serial = source->serial,
		.flags = source->flags,
		.record_count = 1 + source->rule_count,
	};
	struct policy policy;
	uint8_t *at = ret;
	size_t size;

	size = sizeof(header) + sizeof(*kernel) +
	       source->rule_count * sizeof(source->rule[0]);
	header.total_size = (uint32_t)size;
	memcpy(header.name, source->name, sizeof(header.name));
	put(&at, &header, sizeof(header));
	put(&at, kernel, sizeof(*kernel));
	put(&at, source->rule, source->rule_count * sizeof(source->rule[0]));
	return policy_parse(ret, size, &policy) ? 0 : size;
}

/** Where the body ends, and whether a trailer follows. */
static enum rw_error find_body(struct policy_file *policy)
{
	struct rw_policy_header header;
	uint64_t size = policy->file.size;

	if (size < sizeof(header))
		return RW_E_POLICY_SIZE;
	memcpy(&header, policy->file.data, sizeof(header));
	if (header.magic != RW_POLICY_MAGIC)
		return RW_E_POLICY_MAGIC;
	policy->body_size = header.total_size;
	policy->has_trailer = size == (uint64_t)header.total_size +
					      sizeof(struct rw_policy_trailer);
	if (!policy->has_trailer)
		return size == header.total_size ? RW_OK : RW_E_POLICY_SIZE;
	return policy_file_trailer(policy).magic == RW_TRAILER_MAGIC ?
		       RW_OK :
		       RW_E_POLICY_SIZE;
}

int policy_file_read(const char *path, struct policy_file *ret,
		     struct problem *why)
{
	struct policy_file policy = { .file = { NULL, 0 } };
	enum rw_error error;

	if (!file_read(path, CONFIG_RINGWALL_POLICY_MAX_SIZE, &policy.file,
		       why))
		return EXIT_CODE_ERROR;
	error = find_body(&policy);
	if (error) {
		problem_set(why, "%s: %s", path, error_text(error));
		file_free(&policy.file);
		return error_exit_code(error);
	}
	*ret = policy;
	return EXIT_CODE_OK;
}

struct rw_policy_trailer policy_file_trailer(const struct policy_file *policy)
{
	struct rw_policy_trailer trailer;

	memcpy(&trailer, policy->file.data + policy->body_size,
	       sizeof(trailer));
	return trailer;
}

/** Body and trailer in one piece, checked by the policy library. */
static enum rw_error sign_and_check(const struct policy_file *policy,
				    const struct key_signature *signature,
				    uint8_t *ret)
{
	struct rw_policy_trailer trailer = {
		.magic = RW_TRAILER_MAGIC,
		.algorithm = RW_SIGN_ECDSA_P256_SHA256,
		.signature_size = (uint16_t)signature->size,
	};
	size_t size = policy->body_size + sizeof(trailer);
	struct policy_signature verified;
	struct policy_key key;
	struct policy parsed;
	enum rw_error error;

	error = policy_parse(policy->file.data, policy->body_size, &parsed);
	if (!error)
		error = policy_key_init(signature->point, &key);
	if (error)
		return error;
	memcpy(trailer.key_id, key.id, sizeof(trailer.key_id));
	memcpy(trailer.signature, signature->der, signature->size);
	memcpy(ret, policy->file.data, policy->body_size);
	memcpy(ret + policy->body_size, &trailer, sizeof(trailer));
	return policy_verify(ret, size, &key, 1, &verified);
}

int policy_file_write_signed(const char *path, const struct policy_file *policy,
			     const struct key_signature *signature,
			     struct problem *why)
{
	size_t size = policy->body_size + sizeof(struct rw_policy_trailer);
	uint8_t *data = malloc(size);
	int status = EXIT_CODE_OK;
	enum rw_error error;

	if (!data) {
		problem_set(why, "%s: out of memory", path);
		return EXIT_CODE_ERROR;
	}
	error = sign_and_check(policy, signature, data);
	if (error) {
		problem_set(why, "%s: %s", path, error_text(error));
		status = error_exit_code(error);
	} else if (!file_replace(path, data, size, why)) {
		status = EXIT_CODE_ERROR;
	}
	free(data);
	return status;
}
