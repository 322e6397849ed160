/* SPDX-License-Identifier: MIT */
/*
 * Segments and relocations of a kernel file. The build appends three lists of
 * 32-bit addresses, each behind a zero: 64-bit fields, 32-bit fields that are
 * relative to the per-CPU area, 32-bit fields (arch/x86/tools/relocs.c); kernels
 * without the second kind have two lists. Must never believe an address of them.
 */
#include <stdlib.h>
#include <string.h>

#include "agent/manifest/image.h"

/** The lists of the largest kernels have some 300,000 entries. */
#define RELOCATIONS_MAX (8U << 20)

uint32_t relocation_size(enum rw_relocation_kind kind)
{
	return kind == RW_RELOCATION_64 ? 8 : 4;
}

static uint32_t read32(const uint8_t *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

static int compare(const void *a, const void *b)
{
	const struct relocation *left = a, *right = b;

	return (left->address > right->address) -
	       (left->address < right->address);
}

/** The kinds of the lists, first to last, by how many there are. */
static const enum rw_relocation_kind kinds[2][3] = {
	{ RW_RELOCATION_64, RW_RELOCATION_32 },
	{ RW_RELOCATION_64, RW_RELOCATION_INVERSE_32, RW_RELOCATION_32 },
};

static bool check_relocations(struct image *image, struct problem *why)
{
	for (size_t i = 0; i < image->relocation_count; i++) {
		const struct relocation *r = &image->relocation[i];

		if (!image_bytes(image, r->address, relocation_size(r->kind)) ||
		    (i && r->address - r[-1].address <
				  relocation_size(r[-1].kind))) {
			problem_set(
				why,
				"the relocation of %#jx is not in the image or overlaps another",
				(uintmax_t)r->address);
			return false;
		}
	}
	return true;
}

static bool read_relocations(struct image *image, const uint8_t *data,
			     size_t size, struct problem *why)
{
	size_t count = size / 4, lists = 0;
	size_t list = 0;

	for (size_t i = 0; i < count; i++)
		lists += !read32(data + 4 * i);
	if (!count || size % 4 || count > RELOCATIONS_MAX || read32(data) ||
	    lists < 2 || lists > 3) {
		problem_set(
			why,
			"no KASLR relocations behind the kernel's ELF file");
		return false;
	}
	image->relocation = calloc(count, sizeof(*image->relocation));
	if (!image->relocation) {
		problem_set(why, "no memory");
		return false;
	}
	for (size_t i = 0; i < count; i++) {
		int32_t entry = (int32_t)read32(data + 4 * i);

		if (!entry)
			list++;
		else
			image->relocation[image->relocation_count++] =
				(struct relocation){
					(uint64_t)(int64_t)entry,
					kinds[lists - 2][list - 1]
				};
	}
	qsort(image->relocation, image->relocation_count,
	      sizeof(*image->relocation), compare);
	return check_relocations(image, why);
}

static bool read_image(struct image *image, struct problem *why)
{
	const struct rw_policy_kernel *kernel = &image->kernel;
	size_t end;

	image->elf =
		kernel_open(image->vmlinuz.image, image->vmlinuz.size, why);
	if (!image->elf || !kernel_describe(image->elf, &image->kernel, why))
		return false;
	image->segment_count =
		kernel_segments(image->elf, image->segment, IMAGE_SEGMENTS);
	if (!image_bytes(image, kernel->text_start,
			 kernel->text_end - kernel->text_start) ||
	    kernel->rodata_end - kernel->text_start > UINT32_MAX) {
		problem_set(why, "no segment holds all of the text");
		return false;
	}
	end = kernel_elf_size(image->elf);
	return read_relocations(image, image->vmlinuz.image + end,
				image->vmlinuz.size - end, why);
}

bool image_open(const uint8_t *data, size_t size, struct image *ret,
		struct problem *why)
{
	struct image image = { 0 };

	if (!vmlinuz_open(data, size, VMLINUZ_MAX, &image.vmlinuz, why))
		return false;
	if (!read_image(&image, why)) {
		image_close(&image);
		return false;
	}
	*ret = image;
	return true;
}

void image_close(struct image *image)
{
	free(image->relocation);
	if (image->elf)
		kernel_close(image->elf);
	vmlinuz_close(&image->vmlinuz);
}

uint64_t image_bytes_left(const struct image *image, uint64_t address)
{
	for (size_t i = 0; i < image->segment_count; i++) {
		const struct kernel_section *segment = &image->segment[i];

		if (address >= segment->address &&
		    address - segment->address < segment->size)
			return segment->size - (address - segment->address);
	}
	return 0;
}

const uint8_t *image_bytes(const struct image *image, uint64_t address,
			   uint64_t size)
{
	for (size_t i = 0; i < image->segment_count; i++) {
		const struct kernel_section *segment = &image->segment[i];

		if (address >= segment->address &&
		    address - segment->address <= segment->size &&
		    size <= segment->size - (address - segment->address))
			return segment->data + (address - segment->address);
	}
	return NULL;
}

size_t image_first_relocation(const struct image *image, uint64_t address)
{
	size_t low = 0, high = image->relocation_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct relocation *r = &image->relocation[middle];

		if (r->address + relocation_size(r->kind) <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}
