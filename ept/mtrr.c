/* SPDX-License-Identifier: MIT */
/*
 * The type that the MTRRs give an address (SDM Vol. 3, "MTRR Precedences" and
 * "Example Base and Mask Calculations"). Pure arithmetic on register values;
 * must never guess: what the manual calls undefined is uncacheable.
 */
#include <ringwall/addr.h>

#include "ept/mtrr.h"

#define DEF_TYPE_FIXED_ENABLE (1ULL << 10)
#define DEF_TYPE_ENABLE	      (1ULL << 11)
#define MASK_VALID	      (1ULL << 11)
#define TYPE_MASK	      0xffULL
#define ADDRESS_MASK	      0x000ffffffffff000ULL

#define FIXED_END 0x100000ULL

/** Fixed-range registers of one granule; each has eight ranges. */
struct fixed_block {
	uint64_t start;
	uint64_t granule;
	unsigned int first; /* register */
};

static const struct fixed_block fixed_blocks[] = {
	{ 0xc0000, 0x1000, 3 },
	{ 0x80000, 0x4000, 1 },
	{ 0x00000, 0x10000, 0 },
};

bool memory_type_valid(uint64_t type)
{
	return type == MEMORY_UC || type == MEMORY_WC || type == MEMORY_WT ||
	       type == MEMORY_WP || type == MEMORY_WB;
}

static enum memory_type type_or_uc(uint64_t type)
{
	return memory_type_valid(type) ? (enum memory_type)type : MEMORY_UC;
}

static enum memory_type fixed_type(const struct mtrr_state *state,
				   uint64_t address, uint64_t *ret_end)
{
	const struct fixed_block *block = fixed_blocks;
	uint64_t n;

	while (address < block->start)
		block++;
	n = (address - block->start) / block->granule;
	*ret_end = block->start + (n + 1) * block->granule;
	return type_or_uc(state->fixed[block->first + n / 8] >> 8 * (n % 8) &
			  TYPE_MASK);
}

/**
 * The first address above one that does not match for which
 * (address & mask) == base, UINT64_MAX if there is none. Masks with holes match
 * many separate stretches, and are allowed.
 */
static uint64_t next_match(uint64_t address, uint64_t base, uint64_t mask)
{
	uint64_t match = (address & ~mask) | base;
	uint64_t differs = match ^ address;
	uint64_t below = ~0ULL >> __builtin_clzll(differs);

	if (match < address) {
		/* Carry into the bits outside the mask that are higher. */
		address = (address | mask | below) + 1;
		if (!address)
			return UINT64_MAX;
		return (address & ~mask) | base;
	}
	return match & (mask | ~below);
}

/** One type where two ranges overlap. */
static enum memory_type combine(enum memory_type a, enum memory_type b)
{
	if (a == b)
		return a;
	if ((a == MEMORY_WT && b == MEMORY_WB) ||
	    (a == MEMORY_WB && b == MEMORY_WT))
		return MEMORY_WT;
	return MEMORY_UC;
}

static enum memory_type variable_type(const struct mtrr_state *state,
				      uint64_t address, uint64_t *ret_end)
{
	enum memory_type type = MEMORY_UC;
	uint64_t end = UINT64_MAX;
	bool found = false;

	for (uint32_t i = 0; i < state->variable_count; i++) {
		uint64_t mask = state->variable[i].mask & ADDRESS_MASK;
		uint64_t base = state->variable[i].base & mask;
		uint64_t range_end = UINT64_MAX;

		if (!(state->variable[i].mask & MASK_VALID))
			continue;
		if ((address & mask) == base) {
			enum memory_type its =
				type_or_uc(state->variable[i].base & TYPE_MASK);

			type = found ? combine(type, its) : its;
			found = true;
			if (mask)
				range_end =
					(address | ((mask & -mask) - 1)) + 1;
		} else {
			range_end = next_match(address, base, mask);
		}
		if (range_end < end)
			end = range_end;
	}
	*ret_end = end;
	return found ? type : type_or_uc(state->def_type & TYPE_MASK);
}

enum memory_type mtrr_type(const struct mtrr_state *state, uint64_t address,
			   uint64_t *ret_end)
{
	if (!(state->def_type & DEF_TYPE_ENABLE) ||
	    state->variable_count > MTRR_VARIABLE_MAX) {
		*ret_end = UINT64_MAX;
		return MEMORY_UC;
	}
	if (address < FIXED_END && state->def_type & DEF_TYPE_FIXED_ENABLE)
		return fixed_type(state, address, ret_end);
	return variable_type(state, address, ret_end);
}
