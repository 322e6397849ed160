/* SPDX-License-Identifier: MIT */
/*
 * The reader of kernel files on anything: setup header, the four decompressors,
 * sections and notes.
 */
#include <stdlib.h>

#include "agent/policy/kernel.h"
#include "agent/policy/vmlinuz.h"

/** Little, so that a claim of much memory is refused quickly. */
#define UNPACKED_MAX (1U << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/** Every byte that a section claims to have. */
static void touch(const struct kernel_section *section)
{
	volatile uint8_t last;

	if (!section->data || !section->size)
		return;
	last = section->data[0];
	last = section->data[section->size - 1];
	(void)last;
}

static void read_kernel(const uint8_t *image, size_t size)
{
	static const char *const names[] = { ".text", ".rodata", ".BTF",
					     "__param" };
	struct kernel_section section;
	struct rw_policy_kernel record;
	struct kernel_image *kernel;
	struct problem why;

	kernel = kernel_open(image, size, &why);
	if (!kernel)
		return;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (kernel_section(kernel, names[i], &section, &why))
			touch(&section);
	if (kernel_describe(kernel, &record, &why) &&
	    (record.text_end > record.rodata_start ||
	     record.record.size != sizeof(record)))
		abort();
	kernel_close(kernel);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vmlinuz vmlinuz;
	struct problem why;

	if (!vmlinuz_open(data, size, UNPACKED_MAX, &vmlinuz, &why))
		return 0;
	read_kernel(vmlinuz.image, vmlinuz.size);
	vmlinuz_close(&vmlinuz);
	return 0;
}
