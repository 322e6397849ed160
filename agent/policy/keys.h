/* SPDX-License-Identifier: MIT */
/*
 * P-256 keys in PEM files, and signatures, by OpenSSL. The one place of the
 * project that ever holds a private key.
 */
#ifndef AGENT_POLICY_KEYS_H
#define AGENT_POLICY_KEYS_H

#include <stdbool.h>
#include <stddef.h>

#include <ringwall/policy.h>

#include "agent/policy/problem.h"

/**
 * Makes a key: private_path gets PKCS#8 PEM, mode 0600; public_path, unless it
 * is NULL, SubjectPublicKeyInfo PEM. Fails if either exists, and then leaves
 * neither. *ret_point is the public key.
 */
bool key_generate(const char *private_path, const char *public_path,
		  uint8_t ret_point[RW_KEY_POINT_SIZE], struct problem *why);

/** The one public key in a SubjectPublicKeyInfo PEM file. */
bool key_read_public(const char *path, uint8_t ret_point[RW_KEY_POINT_SIZE],
		     struct problem *why);

/** An ECDSA signature in DER, and who made it. */
struct key_signature {
	uint8_t point[RW_KEY_POINT_SIZE];
	uint8_t der[RW_SIGNATURE_MAX];
	size_t size; /* of der */
};

/**
 * Signs size bytes with the private key of a PEM file, as
 * "openssl dgst -sha256 -sign" does. Asks for a passphrase if there is one.
 */
bool key_sign(const char *private_path, const void *data, size_t size,
	      struct key_signature *ret, struct problem *why);

#endif
