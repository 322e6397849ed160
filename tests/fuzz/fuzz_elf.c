/* SPDX-License-Identifier: MIT */
/*
 * driver/elf.c on any bytes: a refusal is an answer; what is accepted must be
 * placed inside its span, be W^X and have its entry in code.
 */
#include <stdint.h>
#include <stdlib.h>

#include "driver/elf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
	if (!condition)
		abort();
}

static void check_segments(const struct elf_image *image)
{
	const struct elf_segment *s;
	uint64_t end = 0;
	uint32_t i;

	for (i = 0; i < image->segment_count; i++) {
		s = &image->segment[i];
		require(!(s->write && s->execute));
		require(s->vaddr >= end && s->vaddr % ELF_PAGE == 0);
		require(s->file_size <= s->memory_size);
		end = s->vaddr + s->memory_size;
	}
	require(end <= image->span && image->span <= ELF_SPAN_MAX);
	s = elf_segment_at(image, image->entry);
	require(s && s->execute);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct elf_image image;
	void *place;

	if (elf_check(data, size, &image))
		return 0;
	check_segments(&image);
	place = malloc(image.span);
	require(place);
	elf_place(&image, place, 0xffff800000000000);
	free(place);
	return 0;
}
