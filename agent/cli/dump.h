/* SPDX-License-Identifier: MIT */
/*
 * The monitor's dump made readable: panic records with their registers and
 * backtraces, then the log. Takes the bytes as they came and believes no count
 * in them.
 */
#ifndef AGENT_CLI_DUMP_H
#define AGENT_CLI_DUMP_H

#include <stdbool.h>
#include <stdio.h>

#include <jansson.h>

#include <ringwall/hypercall.h>

#include "agent/cli/image_symbols.h"

/** The parts of a dump, all inside the buffer it was opened on. */
struct dump {
	const struct rw_dump_header *header;
	const struct rw_panic *panics; /* header->panics of them */
	const char *log; /* header->log_size bytes, not terminated */
};

/** Checks size bytes, 8-byte aligned; false if they are no complete dump. */
bool dump_open(struct dump *dump, const void *buffer, size_t size);

/** Writes it as text; symbols may be NULL. */
void dump_print(FILE *to, const struct dump *dump,
		const struct image_symbols *symbols);

/** The same as JSON with stable keys; a new reference, or NULL. */
json_t *dump_json(const struct dump *dump, const struct image_symbols *symbols);

/** What the SDM calls a basic exit reason; NULL for a number it does not name. */
const char *exit_reason_name(uint32_t reason);

#endif
