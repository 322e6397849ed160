/* SPDX-License-Identifier: MIT */
/* The compressed payload of a bzImage, unpacked by the formats' own libraries. */
#ifndef AGENT_POLICY_DECOMPRESS_H
#define AGENT_POLICY_DECOMPRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/policy/problem.h"

/**
 * Unpacks a payload of the Linux build: gzip, xz, zstd or LZ4 (legacy frames),
 * told apart by their first bytes. The kernel build puts the unpacked size, 32
 * bits, last; exactly that much must come out, from exactly all of the input.
 * max bounds it. On success the caller frees *ret with free().
 */
bool decompress_payload(const uint8_t *data, size_t size, size_t max,
			uint8_t **ret, size_t *ret_size, struct problem *why);

#endif
