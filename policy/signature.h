/* SPDX-License-Identifier: MIT */
/*
 * The seam between the policy library and the cryptography under it. Fuzzers
 * put their own signature.c behind it; nobody outside policy/ and its tests
 * includes this file.
 */
#ifndef RINGWALL_POLICY_SIGNATURE_H
#define RINGWALL_POLICY_SIGNATURE_H

#include "policy/policy.h"

/** Is point (65 bytes) an uncompressed point of P-256? */
RW_MUST_USE bool point_is_valid(const uint8_t point[RW_KEY_POINT_SIZE]);

/** Is the DER signature of size bytes one of digest by the owner of point? */
RW_MUST_USE bool signature_is_valid(const uint8_t point[RW_KEY_POINT_SIZE],
				    const uint8_t digest[RW_SHA256_SIZE],
				    const void *signature, size_t size);

#endif
