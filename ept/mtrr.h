/* SPDX-License-Identifier: MIT */
/*
 * Memory types from the MTRRs (SDM Vol. 3, "Memory Type Range Registers").
 * Owns the interpretation of the register values; must never read a register.
 */
#ifndef EPT_MTRR_H
#define EPT_MTRR_H

#include <ringwall/types.h>

/** Memory types in the encoding shared by MTRRs, PAT and EPT. */
enum memory_type {
	MEMORY_UC = 0, /* uncacheable */
	MEMORY_WC = 1, /* write combining */
	MEMORY_WT = 4, /* write through */
	MEMORY_WP = 5, /* write protected */
	MEMORY_WB = 6, /* write back */
};

/** Whether a value is one of the five types. */
bool memory_type_valid(uint64_t type);

#define MTRR_FIXED_COUNT  11
#define MTRR_VARIABLE_MAX 64

/** Register values as RDMSR gave them. */
struct mtrr_state {
	/** IA32_MTRR_DEF_TYPE (2FFH). */
	uint64_t def_type;
	/**
	 * The fixed ranges in address order: 250H, 258H, 259H, 268H..26FH.
	 * Zero where IA32_MTRRCAP (FEH) bit 8 says there are none.
	 */
	uint64_t fixed[MTRR_FIXED_COUNT];
	/**
	 * IA32_MTRRCAP bits 7:0. If it exceeds MTRR_VARIABLE_MAX, everything
	 * is taken for uncacheable: slow, never wrong.
	 */
	uint32_t variable_count;
	/** IA32_MTRR_PHYSBASEn (200H + 2n) and IA32_MTRR_PHYSMASKn (201H + 2n). */
	struct {
		uint64_t base;
		uint64_t mask;
	} variable[MTRR_VARIABLE_MAX];
};

/**
 * The memory type of a physical address below 2^52. *ret_end is an address above it up to
 * which the type stays the same (a multiple of 4 KiB, or UINT64_MAX; the type
 * may go on beyond it). A CPU without MTRRs is a state of all zeros.
 */
enum memory_type mtrr_type(const struct mtrr_state *state, uint64_t address,
			   uint64_t *ret_end);

#endif
