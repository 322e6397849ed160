/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Builds the monitor's own page tables in donated memory: the image, W^X, and
 * the physmap of all donated memory, in which nothing is executable and the
 * image's read-only pages are read-only too. Pure: compiled into the driver and
 * into host tests. Never touches the kernel's tables, never sets the user or
 * the global bit.
 */
#ifndef RINGWALL_DRIVER_PAGING_H
#define RINGWALL_DRIVER_PAGING_H

#include <ringwall/boot.h>
#include <ringwall/error.h>
#include <ringwall/types.h>

#include "elf.h"

/* SDM vol. 3, 4.5: bits of a paging-structure entry. */
#define PAGING_PRESENT	  (1ULL << 0)
#define PAGING_WRITE	  (1ULL << 1)
#define PAGING_ACCESSED	  (1ULL << 5)
#define PAGING_DIRTY	  (1ULL << 6)
#define PAGING_LARGE	  (1ULL << 7)
#define PAGING_NO_EXECUTE (1ULL << 63)
#define PAGING_ADDRESS	  0x000ffffffffff000ULL

/**
 * One physically contiguous piece of zeroed memory that tables are taken from.
 * base is where this code sees it, physical where the CPU does; both are page
 * aligned. `used` bytes from its start are in use.
 */
struct paging {
	uint8_t *base;
	uint64_t physical;
	uint64_t size;
	uint64_t used;
	uint64_t *pml4;
};

/** Takes the PML4. RW_E_NO_MEMORY if the arena is full, here and below. */
RW_MUST_USE enum rw_error paging_begin(struct paging *p);

/** Maps elf, placed at physical, at address: text RX, rodata R, data RW. */
RW_MUST_USE enum rw_error paging_map_image(struct paging *p,
					   const struct elf_image *elf,
					   uint64_t physical, uint64_t address);

/**
 * Maps the donated range in the physmap; image is where elf is placed.
 * RW_E_ADDRESS if the range lies beyond the physmap's slots.
 */
RW_MUST_USE enum rw_error paging_map_donated(struct paging *p,
					     const struct rw_boot_range *range,
					     const struct elf_image *elf,
					     uint64_t image);

#endif
