/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Memory for the monitor: allocation, the boot information, the image and the
 * page tables in it. Nothing here touches the memory once a CPU is inside.
 */
#ifndef RINGWALL_DRIVER_MEMORY_H
#define RINGWALL_DRIVER_MEMORY_H

#include <linux/mm_types.h>
#include <ringwall/boot.h>
#include <ringwall/error.h>

#include "image.h"

struct memory {
	u32 chunk_count;
	struct {
		void *start;
		size_t size;
	} chunk[RW_BOOT_CHUNKS];
	u64 donated; /* bytes, all chunks */
	u64 entry;   /* linear address of the monitor's entry point */
	u64 boot;    /* linear address, for the monitor, of struct rw_boot */
	u64 slot[RW_VA_SLOT_COUNT]; /* PML4 entries of the monitor */
};

/*
 * Allocates what cpus CPUs need, zeroed, and prepares it; doorbell is the
 * physical address of that page. On failure (RW_E_NO_MEMORY, RW_E_BOOT_INFO,
 * RW_E_ADDRESS) nothing stays allocated.
 */
RW_MUST_USE enum rw_error memory_donate(struct memory *m,
					const struct image *image, u32 cpus,
					u64 doorbell);

/* Zeroes and frees it all. Every CPU must be outside. */
void memory_release(struct memory *m);

/*
 * Marks pages that the monitor has. Offline pages are left alone by whoever
 * walks over all memory: /proc/kcore, hibernation, makedumpfile. They would run
 * into the wall.
 */
void memory_mark_offline(void *start, size_t size, bool offline);

#endif
