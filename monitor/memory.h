/* SPDX-License-Identifier: MIT */
/*
 * The monitor's memory: pages from the donated chunks, the monitor's own page
 * tables, and windows through which a CPU looks at guest memory. Owns the buddy
 * allocator's instance and its lock; never maps anything both writable and
 * executable.
 */
#ifndef MONITOR_MEMORY_H
#define MONITOR_MEMORY_H

#include <ringwall/addr.h>
#include <ringwall/boot.h>
#include <ringwall/error.h>
#include <ringwall/status.h>

struct pcpu;

/** Takes the chunks of the boot information. RW_E_BOOT_INFO, RW_E_NO_MEMORY. */
enum rw_error memory_init(const struct rw_boot *boot);

/** 2^order pages, zeroed, or NULL. */
void *page_alloc(unsigned int order);

/** Gives back what page_alloc gave; a wrong address stops the monitor. */
void page_free(void *page);

/**
 * Takes the RW_DONATE_SIZE bytes from start away from the guest, or, called
 * again when every CPU has invalidated, takes them in use: *ret_in_use.
 *
 * RW_E_ARGUMENT: not aligned, or beyond the physmap. RW_E_ADDRESS: not RAM that
 * the guest has all rights on. RW_E_BUSY: another block is on its way.
 * RW_E_MEMORY_LIMIT. RW_E_NO_MEMORY.
 */
enum rw_error memory_donate(gpa_t start, bool *ret_in_use);

/**
 * Gives a block of memory_donate() back to the guest, cleared, or as it was if
 * it never came in use.
 *
 * RW_E_ARGUMENT: no such block. RW_E_MEMORY_IN_USE: not all of it is free, or
 * the reserve would be touched. RW_E_BUSY: another block is on its way in.
 * RW_E_NO_MEMORY.
 */
enum rw_error memory_reclaim(gpa_t start);

/** Physical address of anything in donated memory, and back. */
hpa_t page_hpa(const void *page);
void *page_va(hpa_t a);

/** Fills in the memory part of the status. */
void memory_status(struct rw_status *ret);

/** Makes the page tables behind this CPU's windows. RW_E_NO_MEMORY. */
enum rw_error window_create(struct pcpu *cpu);

/**
 * Maps a physical page at window number n of this CPU, until the next call with
 * the same n. The caller knows what lies there.
 */
void *window_map(struct pcpu *cpu, unsigned int n, hpa_t page, bool writable);

/** Physical address of the PML4 that the monitor runs on. */
uint64_t memory_cr3(void);

#endif
