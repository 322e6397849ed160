/* SPDX-License-Identifier: MIT */
/* The public keys whose policies are accepted, from files. */
#ifndef AGENT_POLICY_TRUST_H
#define AGENT_POLICY_TRUST_H

#include <stddef.h>

#include <ringwall/error.h>
#include <ringwall/policy.h>

#include "agent/policy/problem.h"

/**
 * Reads path, a PEM file with a P-256 public key, or a folder: then every file
 * in it that ends in .pub or .pem, in the order of their names; the same key
 * twice counts once. One bad file fails the whole.
 * RW_E_TRUST: cannot be read, not a key, not P-256, a private key, none at all,
 * or more than max; *why says which file. Nothing else is returned but RW_OK.
 */
RW_MUST_USE enum rw_error trust_load(const char *path,
				     uint8_t (*points)[RW_KEY_POINT_SIZE],
				     size_t max, size_t *ret_count,
				     struct problem *why);

#endif
