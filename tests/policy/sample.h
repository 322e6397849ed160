/* SPDX-License-Identifier: MIT */
/*
 * A good policy to be spoiled by the tests, and OpenSSL as the signer: the
 * policy library itself cannot sign.
 */
#ifndef TESTS_POLICY_SAMPLE_H
#define TESTS_POLICY_SAMPLE_H

#include <openssl/evp.h>

#include "policy/policy.h"

/** Header, kernel, then two rules: text (id 1) and rodata (id 2). */
struct sample_body {
	struct rw_policy_header header;
	struct rw_policy_kernel kernel;
	struct rw_policy_rule text;
	struct rw_policy_rule rodata;
};

struct sample_file {
	struct sample_body body;
	struct rw_policy_trailer trailer;
};

/** The good policy, serial 7, enforce. */
struct sample_body sample_body(void);

/** A fresh P-256 key; freed by EVP_PKEY_free(). */
EVP_PKEY *sample_key(void);

/** The public half. */
struct policy_key sample_public(EVP_PKEY *key);

/** size bytes of body and a trailer at body + size, signed with key. */
void sample_sign(void *body, size_t size, EVP_PKEY *key);

/** sample_body(), signed with key. */
struct sample_file sample_file(EVP_PKEY *key);

#endif
