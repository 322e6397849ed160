/* SPDX-License-Identifier: MIT */
/*
 * A small, right monitor image, field by field, for tests to damage: headers
 * and relocations, text, data with a dynamic table, then section headers.
 */
#ifndef RINGWALL_TESTS_DRIVER_SAMPLE_H
#define RINGWALL_TESTS_DRIVER_SAMPLE_H

#include <elf.h>
#include <stdint.h>

#define SAMPLE_PAGE	  4096
#define SAMPLE_DATA_SIZE  0x100	 /* in the file */
#define SAMPLE_DATA_TOTAL 0x1800 /* in memory */
#define SAMPLE_SPAN	  (4 * SAMPLE_PAGE)
#define SAMPLE_ENTRY	  (SAMPLE_PAGE + 8)

enum sample_segment {
	SAMPLE_HEADERS,
	SAMPLE_TEXT,
	SAMPLE_DATA,
	SAMPLE_DYNAMIC,
	SAMPLE_STACK,
	SAMPLE_SEGMENTS
};

enum sample_dynamic {
	SAMPLE_RELA,
	SAMPLE_RELASZ,
	SAMPLE_RELAENT,
	SAMPLE_DYNAMIC_OTHER, /* DT_DEBUG: an entry that does not matter */
	SAMPLE_DYNAMIC_END,
	SAMPLE_DYNAMIC_COUNT
};

struct sample {
	/* offset 0, linear 0: read only */
	Elf64_Ehdr header;
	Elf64_Phdr segment[SAMPLE_SEGMENTS];
	Elf64_Rela rela[2];
	uint64_t constant; /* rela[0]: the address of text */
	uint8_t pad0[SAMPLE_PAGE - sizeof(Elf64_Ehdr) -
		     SAMPLE_SEGMENTS * sizeof(Elf64_Phdr) -
		     2 * sizeof(Elf64_Rela) - sizeof(uint64_t)];
	/* offset 1 page, linear 1 page: executable */
	uint8_t text[SAMPLE_PAGE];
	/* offset 2 pages, linear 2 pages: writable, bss behind it */
	Elf64_Dyn dynamic[SAMPLE_DYNAMIC_COUNT];
	uint64_t pointer; /* rela[1]: the address of the last byte of bss */
	uint8_t data[SAMPLE_DATA_SIZE - SAMPLE_DYNAMIC_COUNT * sizeof(Elf64_Dyn) -
		     sizeof(uint64_t)];
	/* in the file only */
	Elf64_Shdr section[2];
};

_Static_assert(sizeof(struct sample) == 2 * SAMPLE_PAGE + SAMPLE_DATA_SIZE +
						2 * sizeof(Elf64_Shdr),
	       "sample image");

/** The image, right in every field. */
struct sample sample(void);

#endif
