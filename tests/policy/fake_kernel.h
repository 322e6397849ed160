/* SPDX-License-Identifier: MIT */
/* A small kernel image as ELF file and as bzImage, to be spoiled by the tests. */
#ifndef TESTS_POLICY_FAKE_KERNEL_H
#define TESTS_POLICY_FAKE_KERNEL_H

#include <elf.h>
#include <stddef.h>
#include <stdint.h>

enum fake_section {
	FAKE_NULL,
	FAKE_TEXT,
	FAKE_RODATA,
	FAKE_PARAM,
	FAKE_NOTES,
	FAKE_DATA,
	FAKE_NAMES,
	FAKE_SECTIONS
};

/**
 * Text ffffffff81000000 of 0x1234 bytes, rodata ffffffff81200000, __param
 * behind it up to ffffffff81203010, then .notes with two notes, .data at
 * ffffffff81400000. The sections' bytes are all in body.
 */
struct fake_kernel {
	Elf64_Ehdr header;
	Elf64_Shdr section[FAKE_SECTIONS];
	uint8_t text[0x1234];
	uint8_t pad[4];
	struct {
		Elf64_Nhdr first;
		char first_name[8]; /* "Linux" */
		uint8_t first_data[4];
		Elf64_Nhdr header;
		char name[4]; /* "GNU" */
		uint8_t id[20];
	} notes;
	uint8_t rodata[0x400];
	char names[64];
};

#define FAKE_TEXT_START	  0xffffffff81000000ULL
#define FAKE_RODATA_START 0xffffffff81200000ULL
#define FAKE_NOTES_START  0xffffffff81203010ULL
#define FAKE_DATA_START	  0xffffffff81400000ULL

void fake_kernel(struct fake_kernel *ret);

enum fake_packing { FAKE_GZIP, FAKE_XZ, FAKE_ZSTD, FAKE_LZ4, FAKE_PACKINGS };

extern const char *const fake_packing_names[FAKE_PACKINGS];

/** size bytes packed as the kernel build does; the caller frees. */
uint8_t *fake_payload(enum fake_packing packing, const void *data, size_t size,
		      size_t *ret_size);

/** A bzImage (protocol 2.15) around a payload; the caller frees. */
uint8_t *fake_bzimage(const void *payload, size_t size, size_t *ret_size);

#endif
