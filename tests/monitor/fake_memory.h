/* SPDX-License-Identifier: MIT */
/*
 * Physical memory of the host under test, the monitor's view of what was
 * donated to it, and the windows: where a window leads is read from the
 * monitor's own page tables when INVLPG is executed, as a CPU would.
 */
#ifndef TESTS_MONITOR_FAKE_MEMORY_H
#define TESTS_MONITOR_FAKE_MEMORY_H

#include <ringwall/addr.h>
#include <ringwall/boot.h>

#define FAKE_WIDTH  40 /* bits of a physical address */
#define FAKE_MEMORY (6ULL << 30)
#define FAKE_BLOCKS 128 /* of memory donated at run time */

/* The map. */
#define LOW_RAM_START  0x1000ULL
#define LOW_RAM_END    0x9f000ULL
#define RAM_START      0x100000ULL
#define RAM_END	       0x40000000ULL
#define HIGH_RAM_START 0x100000000ULL
#define HIGH_RAM_END   0x140000000ULL
#define MMIO	       0xfed00000ULL /* mapped, and no RAM */
#define MONITOR_START  0x38000000ULL
#define MONITOR_SIZE   0x1000000ULL
#define DOORBELL       0x37fff000ULL

/** Makes the memory, all zero. */
void fake_memory_init(void);

/** A byte of physical memory; NULL beyond its end. */
void *physical(uint64_t hpa);

/** Lets the monitor reach a donated stretch through its physmap. */
void fake_memory_donate(uint64_t start, uint64_t end);

/**
 * Is that RAM, and not the monitor's? What is donated at run time becomes the
 * monitor's when it enters its tables (INVLPG), and fails the test if any CPU
 * that runs the guest still reaches it or remembers that it did.
 */
bool fake_memory_is_guest_ram(uint64_t hpa);

/** The PML4 the monitor runs on, for the windows. */
void fake_memory_root(uint64_t cr3);

#endif
