/* SPDX-License-Identifier: MIT */
/*
 * The wall: the one EPT tree all CPUs run on, and what each of them still has
 * to invalidate. Owns the tree's lock; never gives the guest a page of the
 * monitor.
 */
#ifndef MONITOR_WALL_H
#define MONITOR_WALL_H

#include <ringwall/addr.h>
#include <ringwall/boot.h>
#include <ringwall/error.h>
#include <ringwall/status.h>

#include "ept/sync.h"
#include "monitor/percpu.h"

/** Who has invalidated what; written in wall.c only. */
extern struct ept_sync wall_sync;

/**
 * Builds the tree: all memory one to one with the types of the MTRRs, donated
 * chunks taken away, the doorbell read-only. RW_E_CAPABILITY, RW_E_NO_MEMORY,
 * RW_E_BOOT_INFO.
 */
enum rw_error wall_init(const struct rw_boot *boot);

struct ept *wall_ept(void);

/**
 * This CPU takes part (stops taking part) in invalidation. Parked, it runs
 * nothing of the guest's until it has joined again: outside, waiting for its
 * start-up IPI, or stopped.
 */
void wall_join(struct pcpu *cpu);
void wall_park(struct pcpu *cpu);

/** Does this CPU owe nothing? False is a "perhaps", for wall_before_entry. */
static inline bool wall_settled(const struct pcpu *cpu)
{
	return __atomic_load_n(&wall_sync.generation, __ATOMIC_ACQUIRE) ==
	       *cpu->wall_seen;
}

/** The slow half of the following. */
void wall_catch_up(struct pcpu *cpu);

/** Before VM entry: pays what this CPU owes. */
static inline void wall_before_entry(struct pcpu *cpu)
{
	uint64_t generation;

	if (__builtin_expect(
		    ept_sync_behind(&wall_sync, cpu->index, &generation), 0))
		wall_catch_up(cpu);
}

/**
 * First access above the memory map (a device's large BAR): maps the GiB around
 * it. RW_E_ADDRESS: beyond the CPU's width, taken or mapped; RW_E_NO_MEMORY: not
 * even in reserve.
 */
enum rw_error wall_fill(gpa_t at);

/** What the tree lets the guest do with the page at `at`: EPT_R|W|X, or 0. */
uint64_t wall_rights(gpa_t at);

/** System RAM by the boot information, so that reading it has no side effect. */
bool wall_is_ram(gpa_t at);

/** One stretch of guest memory and the rights it shall have. */
struct wall_change {
	gpa_t start;
	uint64_t size;
	uint64_t rights;
};

/**
 * Makes all changes or none, and says by *ret_generation what every CPU has to
 * reach until they hold everywhere. RW_E_NO_MEMORY, RW_E_ADDRESS.
 */
enum rw_error wall_apply(const struct wall_change *changes, uint32_t count,
			 uint64_t *ret_generation);

/**
 * Takes away what the guest has as ordinary RAM, all rights on every page of
 * it; *ret_generation as for wall_apply(). RW_E_NO_MEMORY, RW_E_ADDRESS.
 */
enum rw_error wall_take(gpa_t start, uint64_t size, uint64_t *ret_generation);

/**
 * Gives back what wall_take() took; the caller has cleared it.
 * RW_E_NO_MEMORY, RW_E_ADDRESS.
 */
enum rw_error wall_give(gpa_t start, uint64_t size);

/** Frees the tables that no CPU can walk any more. */
void wall_reclaim(void);

/** Have all CPUs inside reached that generation? */
bool wall_reached(uint64_t generation);

/** Fills in the EPT part of the status. */
void wall_status(struct rw_status *ret);

#endif
