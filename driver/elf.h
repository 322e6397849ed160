/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * The loader of the monitor's ELF64 image, in two steps: elf_check() looks at
 * everything and changes nothing, elf_place() then cannot fail. Pure: compiled
 * into the driver and into host tests. Never follows a field of the file that
 * was not checked against the file's end first.
 */
#ifndef RINGWALL_DRIVER_ELF_H
#define RINGWALL_DRIVER_ELF_H

#include <ringwall/error.h>
#include <ringwall/types.h>

#define ELF_PAGE     4096U
#define ELF_SEGMENTS 8		/* PT_LOAD, at most */
#define ELF_HEADERS  16		/* program headers, at most */
#define ELF_SPAN_MAX (2U << 20) /* one page table maps the image */

/** One PT_LOAD. vaddr and offset are page aligned; sizes are in bytes. */
struct elf_segment {
	uint64_t vaddr;
	uint64_t memory_size; /* not 0 */
	uint64_t offset;
	uint64_t file_size; /* at most memory_size */
	bool write;
	bool execute; /* never with write */
};

/** A checked image; refers to the file it was made from, which it outlives not. */
struct elf_image {
	const uint8_t *file;
	uint64_t entry; /* relative to where the image is placed */
	uint64_t span;	/* bytes to place it in, whole pages, from vaddr 0 */
	uint32_t segment_count;
	struct elf_segment segment[ELF_SEGMENTS]; /* ascending */
	uint64_t rela_offset;			  /* in the file */
	uint64_t rela_count;
};

/**
 * Checks every header field and relocation of the ELF file of size bytes and
 * describes it in *ret. Returns RW_OK or the RW_E_IMAGE_* that names the fault;
 * *ret is untouched then.
 */
RW_MUST_USE enum rw_error elf_check(const void *file, uint64_t size,
				    struct elf_image *ret);

/**
 * Writes the image to place (elf->span bytes), for execution at address: copies
 * the segments, zeroes all else, applies the relocations.
 */
void elf_place(const struct elf_image *elf, void *place, uint64_t address);

/** The segment that owns the page at vaddr, or NULL for a gap. */
const struct elf_segment *elf_segment_at(const struct elf_image *elf,
					 uint64_t vaddr);

#endif
