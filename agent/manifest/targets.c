/* SPDX-License-Identifier: MIT */
/*
 * Where the kernel's own patches may branch to. Must never admit a place that
 * is not the start of a function.
 */
#include <stdlib.h>
#include <string.h>

#include "agent/manifest/sites.h"

static bool is_function(const struct kernel_sites *sites,
			const struct kernel_symbol *symbol)
{
	return in_text(sites->image, symbol->address) &&
	       strchr("tTwW", symbol->type);
}

static bool has_prefix(const char *name, const char *const *prefixes,
		       size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!strncmp(name, prefixes[i], strlen(prefixes[i])))
			return true;
	return false;
}

static int compare(const void *a, const void *b)
{
	uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;

	return (left > right) - (left < right);
}

static void sort(struct targets *list)
{
	size_t used = 0;

	qsort(list->offset, list->count, sizeof(*list->offset), compare);
	for (size_t i = 0; i < list->count; i++)
		if (!i || list->offset[i] != list->offset[i - 1])
			list->offset[used++] = list->offset[i];
	list->count = used;
}

/** Tables that name functions without ever calling them. */
static bool in_register(const struct kernel_sites *sites, uint64_t address)
{
	static const char *const around[][2] = {
		{ "__start_mcount_loc", "__stop_mcount_loc" },
		{ "__start_kprobe_blacklist", "__stop_kprobe_blacklist" },
		{ "__start_error_injection_whitelist",
		  "__stop_error_injection_whitelist" },
	};

	for (size_t i = 0; i < sizeof(around) / sizeof(around[0]); i++)
		if (address >=
			    kallsyms_address(&sites->symbols, around[i][0]) &&
		    address < kallsyms_address(&sites->symbols, around[i][1]))
			return true;
	return false;
}

static uint64_t relocated_value(const struct kernel_sites *sites,
				const struct relocation *r)
{
	const uint8_t *bytes =
		image_bytes(sites->image, r->address, relocation_size(r->kind));
	int32_t narrow;
	uint64_t wide;

	if (r->kind == RW_RELOCATION_64) {
		memcpy(&wide, bytes, sizeof(wide));
		return wide;
	}
	memcpy(&narrow, bytes, sizeof(narrow));
	return (uint64_t)(int64_t)narrow;
}

/** Is there a function at exactly that address? Its name, or NULL. */
static const char *function_at(const struct kernel_sites *sites,
			       uint64_t address)
{
	const struct kernel_symbol *symbol =
		kallsyms_find(&sites->symbols, address);

	while (symbol && symbol->address == address) {
		if (is_function(sites, symbol))
			return symbol->name;
		if (symbol == sites->symbols.symbol)
			break;
		symbol--;
	}
	return NULL;
}

/** Every function whose address a relocated field holds. */
static void find_functions(struct kernel_sites *sites)
{
	static const char *const hypervisors[] = {
		"kvm_", "__kvm_", "xen_",  "__xen_",  "__raw_callee_save_",
		"hv_",	"__hv_",  "__pv_", "vmware_",
	};
	struct targets *list = sites->list;

	for (size_t i = 0; i < sites->image->relocation_count; i++) {
		const struct relocation *r = &sites->image->relocation[i];
		uint64_t value = relocated_value(sites, r);
		const char *name;

		if (!in_text(sites->image, value))
			continue;
		name = function_at(sites, value);
		if (!name || in_register(sites, r->address))
			continue;
		list[LIST_FUNCTIONS].offset[list[LIST_FUNCTIONS].count++] =
			offset_of(sites, value);
		if (has_prefix(name, hypervisors,
			       sizeof(hypervisors) / sizeof(hypervisors[0])))
			list[LIST_PARAVIRT].offset[list[LIST_PARAVIRT].count++] =
				offset_of(sites, value);
	}
}

static bool find_thunks(struct kernel_sites *sites, struct problem *why)
{
	static const char suffix[] = "_return_thunk";

	for (size_t i = 0; i < sites->symbols.count; i++) {
		const struct kernel_symbol *symbol = &sites->symbols.symbol[i];
		size_t length = strlen(symbol->name);

		if (!is_function(sites, symbol) || length < sizeof(suffix) ||
		    strcmp(symbol->name + length - (sizeof(suffix) - 1),
			   suffix) != 0)
			continue;
		if (sites->return_thunk_count == THUNKS) {
			problem_set(why, "too many return thunks");
			return false;
		}
		sites->return_thunk[sites->return_thunk_count++] =
			offset_of(sites, symbol->address);
	}
	return true;
}

bool kernel_targets_read(struct kernel_sites *sites, struct problem *why)
{
	static const char *const tracers[] = { "ftrace_caller",
					       "ftrace_regs_caller" };

	for (size_t i = 0; i < LISTS; i++) {
		sites->list[i].offset = calloc(
			sites->image->relocation_count + 2, sizeof(uint32_t));
		if (!sites->list[i].offset) {
			problem_set(why, "no memory");
			return false;
		}
	}
	for (size_t i = 0; i < 2; i++) {
		struct targets *list = &sites->list[LIST_TRACERS];
		uint64_t address =
			kallsyms_address(&sites->symbols, tracers[i]);

		if (in_text(sites->image, address))
			list->offset[list->count++] = offset_of(sites, address);
	}
	find_functions(sites);
	for (size_t i = 0; i < LISTS; i++)
		sort(&sites->list[i]);
	return find_thunks(sites, why);
}
