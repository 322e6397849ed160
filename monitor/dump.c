/* SPDX-License-Identifier: MIT */
#include "monitor/dump.h"

#include <ringwall/hypercall.h>
#include <string.h>

#include "monitor/enter.h"
#include "monitor/log.h"
#include "monitor/panic.h"
#include "monitor/trace.h"

/* ELF note of type NT_GNU_BUILD_ID: name "GNU", 20 bytes behind it. */
#define NOTE_HEADER 16

extern const uint8_t rw_build_id_note[];

uint64_t dump_read(uint64_t offset, uint8_t *to, uint64_t room)
{
	const struct rw_panic *panics;
	struct rw_dump_header header = { .magic = RW_DUMP_MAGIC,
					 .panics = panic_records(&panics),
					 .image_base = enter_boot()->image_va };
	uint64_t log_at = sizeof(header) + header.panics * sizeof(*panics);
	uint64_t n;

	if (!offset)
		trace_log();
	header.log_size = log_size();
	memcpy(header.build_id, rw_build_id_note + NOTE_HEADER,
	       sizeof(header.build_id));
	for (n = 0; n < room; n++) {
		uint64_t at = offset + n;

		if (at < sizeof(header))
			/* NOLINTNEXTLINE(*Assign): the header has no gaps */
			to[n] = ((const uint8_t *)&header)[at];
		else if (at < log_at)
			to[n] = ((const uint8_t *)panics)[at - sizeof(header)];
		else if (at - log_at < header.log_size)
			to[n] = (uint8_t)log_byte((uint32_t)(at - log_at));
		else
			break;
	}
	return n;
}
