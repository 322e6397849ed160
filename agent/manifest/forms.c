/* SPDX-License-Identifier: MIT */
/*
 * What the kernel writes at a site of each kind, on any CPU: see docs/patching.md
 * for the kernel functions followed here.
 */
#include <stdlib.h>
#include <string.h>

#include "agent/manifest/sites.h"

#define CALL 0xe8
#define JMP  0xe9
#define JMP8 0xeb
#define INT3 0xcc
#define RET  0xc3
#define FIVE 5

/** The strings of one site, at most. */
struct variants {
	size_t count;
	struct pattern pattern[64];
};

static struct pattern *next(struct variants *variants)
{
	struct pattern *pattern = &variants->pattern[variants->count];

	if (variants->count < 63)
		variants->count++;
	memset(pattern, 0, sizeof(*pattern));
	return pattern;
}

/** opcode and a branch, the rest of the site in one-byte steps of filler. */
static void branch(struct variants *variants, uint8_t opcode,
		   enum rw_field_kind kind, uint32_t value, size_t length,
		   uint8_t filler)
{
	struct pattern *pattern = next(variants);

	pattern_add(pattern, &opcode, 1);
	pattern_add_field(pattern, kind, value);
	pattern_fill(pattern, length, filler);
}

static void nops(struct variants *variants, size_t length)
{
	pattern_fill_nops(next(variants), length);
}

/** What a return becomes: RET and INT3, or a jump to a thunk. */
static void returns(const struct kernel_sites *sites, size_t length,
		    struct variants *variants)
{
	struct pattern *pattern = next(variants);

	pattern_fill(pattern, 1, RET);
	pattern_fill(pattern, length, INT3);
	for (size_t i = 0; i < sites->return_thunk_count; i++)
		branch(variants, JMP, RW_FIELD_TARGET, sites->return_thunk[i],
		       length, INT3);
}

/** Bytes at a site as the file has them. */
static const uint8_t *file(const struct kernel_sites *sites,
			   const struct site *site)
{
	return image_bytes(sites->image, site->address, site->length);
}

/** arch/x86/kernel/jump_label.c */
static void jump_label(const struct kernel_sites *sites,
		       const struct site *site, struct variants *variants)
{
	uint64_t distance = site->other - site->address - 2;
	uint8_t jump[2] = { JMP8, (uint8_t)distance };

	nops(variants, site->length);
	if (site->length == 2)
		pattern_add(next(variants), jump, sizeof(jump));
	else
		branch(variants, JMP, RW_FIELD_TARGET,
		       offset_of(sites, site->other), FIVE, 0);
}

/** arch/x86/kernel/static_call.c */
static void static_call(const struct kernel_sites *sites,
			const struct site *site, struct variants *variants)
{
	static const uint8_t return_0[] = { 0x2e, 0x2e, 0x2e, 0x31, 0xc0 };
	const uint8_t *bytes = file(sites, site);
	uint64_t nothing =
		kallsyms_address(&sites->symbols, "__static_call_return");

	if (site->length == 6) {
		struct pattern *pattern = next(variants);

		pattern_add(pattern, bytes, 2);
		pattern_add_field(pattern, RW_FIELD_LIST, LIST_FUNCTIONS);
		if (nothing) {
			pattern = next(variants);
			pattern_add(pattern, bytes, 2);
			pattern_add_field(pattern, RW_FIELD_TARGET,
					  offset_of(sites, nothing));
		}
	} else if (site->parameter || site->kind == SITE_TRAMPOLINE) {
		branch(variants, JMP, RW_FIELD_LIST, LIST_FUNCTIONS, FIVE, 0);
		returns(sites, FIVE, variants);
	} else {
		branch(variants, CALL, RW_FIELD_LIST, LIST_FUNCTIONS, FIVE, 0);
		nops(variants, FIVE);
		pattern_add(next(variants), return_0, FIVE);
	}
}

/** CALL or JMP through a register. */
static void indirect(struct pattern *pattern, uint8_t opcode, uint8_t reg)
{
	uint8_t bytes[3] = { 0x41, 0xff,
			     (uint8_t)((opcode == CALL ? 0xd0 : 0xe0) |
				       (reg & 7)) };

	pattern_add(pattern, bytes + (reg < 8), 3U - (reg < 8));
}

/** patch_retpoline() of arch/x86/kernel/alternative.c, one of its results. */
static void retpoline_one(const struct site *site, const uint8_t *bytes,
			  bool fence, struct variants *variants)
{
	static const uint8_t lfence[] = { 0x0f, 0xae, 0xe8 };
	struct pattern pattern = { 0 };
	uint8_t opcode = bytes[site->length - FIVE];

	if (site->length == 6 && bytes[0] == 0x0f) {
		uint8_t inverse[2] = { (uint8_t)(0x70 | ((bytes[1] & 15) ^ 1)),
				       (uint8_t)(site->length - 2) };

		pattern_add(&pattern, inverse, sizeof(inverse));
		opcode = JMP;
	}
	if (fence)
		pattern_add(&pattern, lfence, sizeof(lfence));
	indirect(&pattern, opcode, site->parameter);
	if (pattern.length > site->length)
		return;
	if (opcode == JMP && pattern.length < site->length)
		pattern_fill(&pattern, pattern.length + 1U, INT3);
	pattern_fill_nops(&pattern, site->length);
	*next(variants) = pattern;
}

/** A branch to the thunk for CPUs with indirect target selection (ITS). */
static void thunk(const struct kernel_sites *sites, const struct site *site,
		  const uint8_t *bytes, struct variants *variants)
{
	uint64_t array = kallsyms_address(&sites->symbols,
					  "__x86_indirect_its_thunk_array");

	if (!array)
		return;
	for (int made = 0; made < 2; made++) {
		/* The kernel's own are 64 bytes apart, one per register. */
		uint32_t value =
			made ? site->parameter :
			       offset_of(sites, array) + 64U * site->parameter;
		enum rw_field_kind kind = made ? RW_FIELD_THUNK :
						 RW_FIELD_TARGET;
		struct pattern *pattern;

		pattern = next(variants);
		/* The opcode stays, with its prefix or condition. */
		pattern_add(pattern, bytes, site->length - 4U);
		pattern_add_field(pattern, kind, value);
	}
}

static void retpoline(const struct kernel_sites *sites, const struct site *site,
		      struct variants *variants)
{
	const uint8_t *bytes = file(sites, site);

	retpoline_one(site, bytes, false, variants);
	retpoline_one(site, bytes, true, variants);
	thunk(sites, site, bytes, variants);
}

/** apply_paravirt() and paravirt_patch() */
static void paravirt(const struct kernel_sites *sites, const struct site *site,
		     struct variants *variants)
{
	uint64_t nothing = kallsyms_address(&sites->symbols, "_paravirt_nop");
	uint64_t native = site->other;
	uint8_t opcode = CALL;
	struct pattern *pattern;

	if (!native)
		native = kallsyms_address(&sites->symbols, "paravirt_BUG");
	if (native == nothing)
		nops(variants, site->length);
	if (site->length < FIVE)
		return;
	pattern = next(variants);
	pattern_add(pattern, &opcode, 1);
	pattern_add_field(pattern, RW_FIELD_TARGET, offset_of(sites, native));
	pattern_fill_nops(pattern, site->length);
	pattern = next(variants);
	pattern_add(pattern, &opcode, 1);
	pattern_add_field(pattern, RW_FIELD_LIST, LIST_PARAVIRT);
	pattern_fill_nops(pattern, site->length);
}

/** The strings of a site of any kind but alternatives. */
static void site_variants(const struct kernel_sites *sites,
			  const struct site *site, struct variants *variants)
{
	variants->count = 0;
	switch (site->kind) {
	case SITE_PARAVIRT:
		paravirt(sites, site, variants);
		break;
	case SITE_RETPOLINE:
		retpoline(sites, site, variants);
		break;
	case SITE_RETURN:
		returns(sites, site->length, variants);
		break;
	case SITE_SMP_LOCK:
		pattern_add(next(variants), "\xf0", 1);
		pattern_add(next(variants), "\x3e", 1);
		break;
	case SITE_FTRACE:
		nops(variants, FIVE);
		branch(variants, CALL, RW_FIELD_LIST, LIST_TRACERS, FIVE, 0);
		break;
	case SITE_FTRACE_CALL:
		branch(variants, CALL, RW_FIELD_LIST, LIST_FUNCTIONS, FIVE, 0);
		break;
	case SITE_JUMP_LABEL:
		jump_label(sites, site, variants);
		break;
	default:
		static_call(sites, site, variants);
		break;
	}
}

static bool full(const struct kernel_sites *sites, uint64_t address,
		 struct problem *why)
{
	const struct kernel_symbol *symbol =
		kallsyms_find(&sites->symbols, address);

	problem_set(why, "the site at %#jx (%s) has too many forms",
		    (uintmax_t)address, symbol ? symbol->name : "?");
	return false;
}

/** All strings of a replacement, where it lies. */
static bool replacement(const struct kernel_sites *sites,
			const struct site *site, struct pattern_set *ret,
			struct problem *why)
{
	struct pattern pattern;

	ret->count = 0;
	if (!pattern_of_file(sites->image, site->other, site->parameter,
			     &pattern))
		return full(sites, site->address, why);
	pattern_set_add(ret, &pattern);
	for (size_t i = kernel_sites_find(sites, site->other);
	     i < sites->count &&
	     sites->site[i].address < site->other + site->parameter;
	     i++) {
		const struct site *inner = &sites->site[i];

		if (inner->kind == SITE_ALTERNATIVE ||
		    inner->address + inner->length >
			    site->other + site->parameter)
			continue;
		if (!site_apply(sites, inner, site->other, ret, why))
			return false;
	}
	return true;
}

/** recompute_jump(): the jump that the kernel makes short if it can. */
static void short_jump(struct pattern *pattern, int32_t distance)
{
	uint8_t jump[2] = { JMP8, (uint8_t)(distance + 3) };

	pattern->length = 0;
	pattern_add(pattern, jump, sizeof(jump));
	pattern_fill_nops(pattern, FIVE);
}

/** Adds a replacement at its site, padded, and with its NOPs made long. */
static bool place(const struct kernel_sites *sites, const struct site *site,
		  uint64_t start, const struct pattern *base,
		  struct pattern *patch, struct pattern_set *set)
{
	pattern_fill(patch, site->length, 0x90);
	for (size_t i = 0; i < 4; i++) {
		struct pattern pattern = *base;

		if (!pattern_overlay(&pattern, offset_of(sites, start), patch,
				     site->address - start))
			return false;
		pattern_optimize(&pattern, site->address - start, site->length,
				 i & 1 ? 11 : 8, i & 2);
		if (!pattern_set_add(set, &pattern))
			return false;
	}
	return true;
}

/** One string of a replacement, moved to the site as the kernel moves it. */
static bool move(const struct kernel_sites *sites, const struct site *site,
		 uint64_t start, const struct pattern *base,
		 struct pattern *patch, struct pattern_set *set)
{
	int32_t distance;

	pattern_resolve(patch, offset_of(sites, site->other));
	if (patch->length == FIVE && !patch->field[0].kind &&
	    (patch->bytes[0] == CALL || patch->bytes[0] == JMP)) {
		struct pattern jump = *patch;

		memcpy(&distance, patch->bytes + 1, sizeof(distance));
		distance = (int32_t)((uint32_t)distance +
				     (uint32_t)(site->other - site->address));
		memcpy(patch->bytes + 1, &distance, sizeof(distance));
		if (patch->bytes[0] == JMP && distance + FIVE >= 0 &&
		    distance + 3 <= 127) {
			short_jump(&jump, distance);
			if (!place(sites, site, start, base, &jump, set))
				return false;
		}
	}
	return place(sites, site, start, base, patch, set);
}

/** apply_alternatives(): every base as it was, and every replacement. */
static bool alternative(const struct kernel_sites *sites,
			const struct site *site, uint64_t start,
			struct pattern_set *set, struct problem *why)
{
	struct pattern_set *patches = calloc(2, sizeof(*patches));
	struct pattern_set *bases = patches ? patches + 1 : NULL;
	struct pattern nothing = { 0 };
	bool good = patches;

	if (!patches) {
		problem_set(why, "no memory");
		return false;
	}
	*bases = *set;
	if (site->parameter)
		good = replacement(sites, site, patches, why);
	else
		pattern_set_add(patches, &nothing);
	for (size_t i = 0; good && i < bases->count; i++) {
		struct pattern *base = &bases->pattern[i];

		for (size_t mode = 0; good && mode < 4; mode++) {
			struct pattern pattern = *base;

			pattern_optimize(&pattern, site->address - start,
					 site->length, mode & 1 ? 11 : 8,
					 mode & 2);
			good = pattern_set_add(set, &pattern);
		}
		for (size_t j = 0; good && j < patches->count; j++) {
			struct pattern patch = patches->pattern[j];

			good = move(sites, site, start, base, &patch, set);
		}
		if (!good)
			full(sites, site->address, why);
	}
	free(patches);
	return good;
}

bool site_apply(const struct kernel_sites *sites, const struct site *site,
		uint64_t start, struct pattern_set *set, struct problem *why)
{
	struct variants *variants;
	size_t bases = set->count;
	bool good = true;

	if (site->kind == SITE_ALTERNATIVE)
		return alternative(sites, site, start, set, why);
	variants = malloc(sizeof(*variants));
	if (!variants) {
		problem_set(why, "no memory");
		return false;
	}
	site_variants(sites, site, variants);
	for (size_t i = 0; good && i < bases; i++)
		for (size_t j = 0; good && j < variants->count; j++) {
			struct pattern pattern = set->pattern[i];

			good = pattern_overlay(&pattern,
					       offset_of(sites, start),
					       &variants->pattern[j],
					       site->address - start) &&
			       pattern_set_add(set, &pattern);
		}
	free(variants);
	return good || full(sites, site->address, why);
}
