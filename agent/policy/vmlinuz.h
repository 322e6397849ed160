/* SPDX-License-Identifier: MIT */
/* From a kernel file as distributions install it to the ELF image inside. */
#ifndef AGENT_POLICY_VMLINUZ_H
#define AGENT_POLICY_VMLINUZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/policy/problem.h"

/** Enough for any image: half of the kernel's 1 GiB window. */
#define VMLINUZ_MAX (512ULL << 20)

/** A kernel's ELF file, and behind it what the build appended (relocations). */
struct vmlinuz {
	const uint8_t *image;
	size_t size;
	void *owned; /* memory of image if it was unpacked, else NULL */
};

/**
 * Finds the ELF image in a bzImage (boot protocol 2.08 or later,
 * Documentation/arch/x86/boot.rst) or takes data as one if it is a vmlinux.
 * At most max bytes are unpacked. data must outlive ret; the caller calls
 * vmlinuz_close().
 */
bool vmlinuz_open(const uint8_t *data, size_t size, size_t max,
		  struct vmlinuz *ret, struct problem *why);

void vmlinuz_close(struct vmlinuz *vmlinuz);

#endif
