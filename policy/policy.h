/* SPDX-License-Identifier: MIT */
/*
 * The policy library: is this file signed by a key we trust, and what does it
 * say. Pure: no globals, no heap, no printing; the same files run in VMX root,
 * in the tools and under the fuzzers. Reads memory that nobody else can change
 * (the monitor's own copy), and nothing of the body before the signature holds.
 *
 *   policy_key_init     once per trusted key
 *   policy_verify       file -> body, digest, key id
 *   policy_parse        body -> struct policy
 *   policy_accepts_update
 *
 * policy_key_init, policy_verify and policy_digest run BearSSL, whose objects
 * use SSE registers and about 4 KiB of stack: in VMX root the caller saves the
 * guest's FPU state around them. The other functions use general registers only.
 */
#ifndef RINGWALL_POLICY_POLICY_H
#define RINGWALL_POLICY_POLICY_H

#include <ringwall/error.h>
#include <ringwall/policy.h>

/** Smallest and largest link-time kernel address: the 1 GiB kernel image map. */
#define POLICY_KERNEL_START 0xffffffff80000000ULL
#define POLICY_KERNEL_END   0xffffffffc0000000ULL

/** A public key whose signatures are accepted. */
struct policy_key {
	uint8_t id[RW_KEY_ID_SIZE]; /* names the key in a trailer, proves nothing */
	uint8_t point[RW_KEY_POINT_SIZE];
};

/** What a verified signature covers. */
struct policy_signature {
	const void *body; /* inside the caller's file */
	size_t body_size;
	uint8_t digest[RW_SHA256_SIZE]; /* SHA-256 of the body */
	uint8_t key_id[RW_KEY_ID_SIZE]; /* of the key that signed */
};

/**
 * What a policy says, checked in full and independent of the buffer it came
 * from. About 4 KiB: not for the monitor's stack.
 */
struct policy {
	struct rw_policy_header header; /* name is terminated */
	struct rw_policy_kernel kernel;
	uint32_t rule_count; /* 1 .. RW_POLICY_MAX_RULES, ids are unique */
	struct rw_policy_rule rule[RW_POLICY_MAX_RULES]; /* names terminated */
};

/** SHA-256 of size bytes at data. Uses SSE. */
void policy_digest(const void *data, size_t size, uint8_t ret[RW_SHA256_SIZE]);

/**
 * Makes a key of a 65-byte uncompressed P-256 point (04 X Y).
 * RW_E_TRUST: not in that form, or not a point of the curve. Uses SSE.
 */
RW_MUST_USE enum rw_error
policy_key_init(const uint8_t point[RW_KEY_POINT_SIZE], struct policy_key *ret);

/**
 * Checks trailer, key and signature of a whole policy file; size is the file's.
 * On success ret->body points into file. On failure *ret is untouched. Uses SSE.
 *   RW_E_POLICY_SIZE       shorter than a header and a trailer, or size is not
 *                          a multiple of 8 (everything in the format is)
 *   RW_E_POLICY_UNSIGNED   the last 96 bytes are no trailer
 *   RW_E_POLICY_FIELD      unknown algorithm, bad signature size, or reserved
 *                          or unused trailer bytes that are not 0
 *   RW_E_POLICY_KEY        none of keys has the trailer's key id
 *   RW_E_POLICY_SIGNATURE  the signature does not verify
 */
RW_MUST_USE enum rw_error policy_verify(const void *file, size_t size,
					const struct policy_key *keys,
					size_t key_count,
					struct policy_signature *ret);

/**
 * Reads a body (header and records, no trailer) of any alignment. Everything
 * is checked before *ret changes; on failure *ret is untouched.
 *   RW_E_POLICY_SIZE       size differs from header.total_size, or a record or
 *                          the header does not fit or has the wrong size
 *   RW_E_POLICY_MAGIC      no policy
 *   RW_E_POLICY_VERSION    another version of the format
 *   RW_E_POLICY_RECORD     a record of unknown type
 *   RW_E_POLICY_FIELD      a field's value is not allowed
 *   RW_E_POLICY_DUPLICATE  a second kernel record, or a rule id used twice
 *   RW_E_POLICY_MISSING    no kernel record, or no rule
 */
RW_MUST_USE enum rw_error policy_parse(const void *body, size_t size,
				       struct policy *ret);

/**
 * May a policy replace the one in force? RW_E_POLICY_SERIAL: its serial is
 * older, or the same while its digest is another. The very same policy again is
 * accepted. serial 0: none in force, anything is accepted.
 */
RW_MUST_USE enum rw_error
policy_accepts_update(uint64_t serial, const uint8_t digest[RW_SHA256_SIZE],
		      uint64_t new_serial,
		      const uint8_t new_digest[RW_SHA256_SIZE]);

#endif
