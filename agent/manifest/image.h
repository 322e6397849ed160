/* SPDX-License-Identifier: MIT */
/*
 * A kernel file as the manifest builder reads it: bytes by link address, and the
 * fields that KASLR relocates. Must never give out bytes the file does not have.
 */
#ifndef AGENT_MANIFEST_IMAGE_H
#define AGENT_MANIFEST_IMAGE_H

#include <ringwall/manifest.h>

#include "agent/policy/kernel.h"
#include "agent/policy/vmlinuz.h"

#define IMAGE_SEGMENTS 32

struct relocation {
	uint64_t address;
	enum rw_relocation_kind kind;
};

struct image {
	struct rw_policy_kernel kernel; /* extents and build-id */
	struct kernel_section segment[IMAGE_SEGMENTS];
	size_t segment_count;
	struct relocation *relocation; /* sorted by address, disjoint */
	size_t relocation_count;
	struct kernel_image *elf;
	struct vmlinuz vmlinuz;
};

/**
 * Opens a bzImage or vmlinux of size bytes with its relocations behind it; data
 * outlives the image. The caller calls image_close() after success.
 */
bool image_open(const uint8_t *data, size_t size, struct image *ret,
		struct problem *why);

void image_close(struct image *image);

/** size bytes at a link address; NULL if the file does not have them all. */
const uint8_t *image_bytes(const struct image *image, uint64_t address,
			   uint64_t size);

/** How many bytes there are from an address on, in its segment. */
uint64_t image_bytes_left(const struct image *image, uint64_t address);

/** Index of the first relocation that ends behind an address. */
size_t image_first_relocation(const struct image *image, uint64_t address);

/** The size of a relocated field. */
uint32_t relocation_size(enum rw_relocation_kind kind);

static inline bool in_text(const struct image *image, uint64_t address)
{
	return address >= image->kernel.text_start &&
	       address < image->kernel.text_end;
}

#endif
