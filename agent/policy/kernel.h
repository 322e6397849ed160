/* SPDX-License-Identifier: MIT */
/*
 * Where a kernel's ELF image puts its text and read-only data, and which build
 * it is. Addresses are those of the link, before KASLR.
 */
#ifndef AGENT_POLICY_KERNEL_H
#define AGENT_POLICY_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ringwall/policy.h>

#include "agent/policy/problem.h"

struct kernel_image; /* an open ELF image */

/** One section; data lies inside the image, NULL if the file has no bytes of it. */
struct kernel_section {
	uint64_t address;
	uint64_t size;
	const uint8_t *data;
};

/**
 * Opens an x86-64 kernel image of size bytes, which must outlive it; NULL if it
 * is none. Bytes behind the ELF file are allowed.
 */
struct kernel_image *kernel_open(const uint8_t *image, size_t size,
				 struct problem *why);

void kernel_close(struct kernel_image *kernel);

/** A section that is loaded into memory, by its name. */
bool kernel_section(const struct kernel_image *kernel, const char *name,
		    struct kernel_section *ret, struct problem *why);

/**
 * What is loaded into memory, in the order of the file: at most max segments,
 * size only as far as the file has bytes, address where the boot code puts it
 * (by its physical address: the per-CPU data's link address is 0). Returns how many, 0 if there are
 * none, more than max, or one lies outside the image.
 */
size_t kernel_segments(const struct kernel_image *kernel,
		       struct kernel_section *ret, size_t max);

/** Where the ELF file ends in the image; what the build appended follows. */
size_t kernel_elf_size(const struct kernel_image *kernel);

/**
 * The kernel record of a policy: text from .text to the page end behind it
 * (_stext .. PFN_ALIGN(_etext)), read-only data from .rodata to the page end of
 * the last section before .data (__start_rodata .. __end_rodata), the build-id
 * and the address of its bytes.
 */
bool kernel_describe(const struct kernel_image *kernel,
		     struct rw_policy_kernel *ret, struct problem *why);

/** vmlinuz_open() and kernel_describe() of a file. */
bool kernel_describe_file(const char *path, struct rw_policy_kernel *ret,
			  struct problem *why);

#endif
