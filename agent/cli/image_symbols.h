/* SPDX-License-Identifier: MIT */
/*
 * Names of addresses in the monitor image, from its ELF file. Only the very
 * build that made a dump may explain it: the build-id decides.
 */
#ifndef AGENT_CLI_IMAGE_SYMBOLS_H
#define AGENT_CLI_IMAGE_SYMBOLS_H

#include <stddef.h>
#include <stdint.h>

#include <ringwall/policy.h>

#include "agent/policy/problem.h"

struct image_symbols;

/**
 * Opens the ELF file at path. NULL, with *why, if it cannot be read, is no
 * ELF64 file with a symbol table, or has another build-id.
 */
struct image_symbols *
image_symbols_open(const char *path, const uint8_t build_id[RW_BUILD_ID_SIZE],
		   struct problem *why);

/** Closes it; NULL is nothing. */
void image_symbols_close(struct image_symbols *symbols);

/**
 * The function around an offset from the start of the image, and how far into
 * it; NULL if there is none. The name lives as long as symbols, which may be
 * NULL.
 */
const char *image_symbols_find(const struct image_symbols *symbols,
			       uint64_t offset, uint64_t *ret_offset);

#endif
