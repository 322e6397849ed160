/* SPDX-License-Identifier: MIT */
/*
 * The kernel's site tables, found by their symbols, and what overlaps. Must
 * never take a row on trust: a site lies in the file and holds what its kind
 * begins with.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/manifest/sites.h"

/** Rows of all tables together; Debian's kernels have some 120,000. */
#define SITES_MAX   (1U << 21)
#define REGION_MAX  32
#define TABLE_BYTES (64U << 20)

/** A table that is being read. */
struct table {
	struct kernel_sites *sites;
	const uint8_t *data;
	uint64_t address;
	uint64_t size;
	const char *name;
	struct problem *why;
};

static uint64_t read64(const uint8_t *at)
{
	uint64_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

/** A 32-bit distance from its own place, as an address. */
static uint64_t read_relative(const struct table *table, uint64_t at)
{
	int32_t distance;

	memcpy(&distance, table->data + at, sizeof(distance));
	return table->address + at + (uint64_t)(int64_t)distance;
}

static bool bad_row(const struct table *table, uint64_t at)
{
	problem_set(table->why, "the table %s is damaged at %#jx", table->name,
		    (uintmax_t)(table->address + at));
	return false;
}

static bool add(struct table *table, uint64_t at, struct site site)
{
	struct kernel_sites *sites = table->sites;

	if (sites->count == SITES_MAX ||
	    !image_bytes(sites->image, site.address, site.length) ||
	    !site.length)
		return bad_row(table, at);
	site.row = (uint32_t)sites->count;
	sites->site[sites->count++] = site;
	return true;
}

static const uint8_t *bytes_at(const struct table *table, uint64_t address,
			       size_t size)
{
	return image_bytes(table->sites->image, address, size);
}

static bool read_paravirt(struct table *table)
{
	uint64_t ops = kallsyms_address(&table->sites->symbols, "pv_ops");

	for (uint64_t at = 0; at + 16 <= table->size; at += 16) {
		const uint8_t *row = table->data + at;
		const uint8_t *native = bytes_at(table, ops + 8U * row[8], 8);

		if (!ops || !native ||
		    !add(table, at,
			 (struct site){ .address = read64(row),
					.length = row[9],
					.kind = SITE_PARAVIRT,
					.other = read64(native) }))
			return bad_row(table, at);
	}
	return true;
}

/** The register of the thunk at an address; -1 if there is none. */
static int thunk_register(const struct kernel_sites *sites, uint64_t address)
{
	static const char *const names[] = {
		"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
		"r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15",
	};

	for (int i = 0; i < 16; i++) {
		char name[40];

		snprintf(name, sizeof(name), "__x86_indirect_thunk_%s",
			 names[i]);
		if (kallsyms_address(&sites->symbols, name) == address)
			return i;
	}
	return -1;
}

static bool read_retpolines(struct table *table)
{
	for (uint64_t at = 0; at + 4 <= table->size; at += 4) {
		struct site site = { .address = read_relative(table, at),
				     .kind = SITE_RETPOLINE };
		const uint8_t *bytes = bytes_at(table, site.address, 6);
		int32_t distance;
		int reg;

		if (!bytes)
			return bad_row(table, at);
		site.length = bytes[0] == 0xe8 || bytes[0] == 0xe9 ? 5 : 6;
		if (site.length == 6 &&
		    (bytes[0] != 0x0f || bytes[1] >> 4 != 8) &&
		    (bytes[0] != 0x2e || (bytes[1] & 0xfe) != 0xe8))
			return bad_row(table, at);
		memcpy(&distance, bytes + site.length - 4, sizeof(distance));
		reg = thunk_register(table->sites,
				     site.address + site.length +
					     (uint64_t)(int64_t)distance);
		site.parameter = (uint8_t)reg;
		if (reg < 0 || !add(table, at, site))
			return bad_row(table, at);
	}
	return true;
}

static bool read_returns(struct table *table)
{
	for (uint64_t at = 0; at + 4 <= table->size; at += 4) {
		struct site site = { .address = read_relative(table, at),
				     .length = 5,
				     .kind = SITE_RETURN };
		const uint8_t *bytes = bytes_at(table, site.address, 5);

		if (!bytes || bytes[0] != 0xe9 || !add(table, at, site))
			return bad_row(table, at);
	}
	return true;
}

static bool read_smp_locks(struct table *table)
{
	for (uint64_t at = 0; at + 4 <= table->size; at += 4) {
		struct site site = { .address = read_relative(table, at),
				     .length = 1,
				     .kind = SITE_SMP_LOCK };
		const uint8_t *bytes = bytes_at(table, site.address, 1);

		if (!in_text(table->sites->image, site.address))
			continue;
		if (!bytes || (bytes[0] != 0xf0 && bytes[0] != 0x3e) ||
		    !add(table, at, site))
			return bad_row(table, at);
	}
	return true;
}

static bool read_ftrace(struct table *table)
{
	static const uint8_t nop[] = { 0x0f, 0x1f, 0x44, 0x00, 0x00 };

	for (uint64_t at = 0; at + 8 <= table->size; at += 8) {
		struct site site = { .address = read64(table->data + at),
				     .length = 5,
				     .kind = SITE_FTRACE };
		const uint8_t *bytes = bytes_at(table, site.address, 5);

		if (!in_text(table->sites->image, site.address))
			continue;
		if (!bytes ||
		    (bytes[0] != 0xe8 && memcmp(bytes, nop, sizeof(nop))) ||
		    !add(table, at, site))
			return bad_row(table, at);
	}
	return true;
}

static bool read_jump_labels(struct table *table)
{
	for (uint64_t at = 0; at + 16 <= table->size; at += 16) {
		struct site site = { .address = read_relative(table, at),
				     .other = read_relative(table, at + 4),
				     .kind = SITE_JUMP_LABEL };
		const uint8_t *bytes = bytes_at(table, site.address, 2);
		int64_t distance = (int64_t)(site.other - site.address - 2);

		if (!in_text(table->sites->image, site.address))
			continue;
		if (!bytes)
			return bad_row(table, at);
		site.length = bytes[0] == 0xeb || bytes[0] == 0x66 ? 2 : 5;
		if ((site.length == 5 && bytes[0] != 0xe9 &&
		     bytes[0] != 0x0f) ||
		    (site.length == 2 &&
		     (distance < INT8_MIN || distance > INT8_MAX)) ||
		    !in_text(table->sites->image, site.other) ||
		    !add(table, at, site))
			return bad_row(table, at);
	}
	return true;
}

static bool read_static_calls(struct table *table)
{
	for (uint64_t at = 0; at + 8 <= table->size; at += 8) {
		struct site site = { .address = read_relative(table, at),
				     .length = 5,
				     .kind = SITE_STATIC_CALL };
		const uint8_t *bytes = bytes_at(table, site.address, 2);

		if (!in_text(table->sites->image, site.address))
			continue;
		if (!bytes)
			return bad_row(table, at);
		if (bytes[0] == 0x0f && bytes[1] >> 4 == 8)
			site.length = 6;
		site.parameter = read_relative(table, at + 4) & 1;
		if ((site.length == 5 && bytes[0] != 0xe8 &&
		     bytes[0] != 0xe9) ||
		    !add(table, at, site))
			return bad_row(table, at);
	}
	return true;
}

/** Do rows of that many bytes make sense throughout? */
static bool alternatives_fit(const struct table *table, uint64_t row)
{
	if (!table->size || table->size % row)
		return false;
	for (uint64_t at = 0; at < table->size; at += row) {
		uint8_t length = table->data[at + row - 2];
		uint8_t replacement = table->data[at + row - 1];

		if (replacement > length ||
		    !bytes_at(table, read_relative(table, at), length) ||
		    !bytes_at(table, read_relative(table, at + 4), replacement))
			return false;
	}
	return true;
}

/** Rows of 12 bytes, of 14 since flags have 16 bits of their own. */
static bool read_alternatives(struct table *table)
{
	uint64_t row = alternatives_fit(table, 12) ? 12 : 14;

	if (!alternatives_fit(table, row))
		return bad_row(table, 0);
	for (uint64_t at = 0; at < table->size; at += row) {
		struct site site = { .address = read_relative(table, at),
				     .length = table->data[at + row - 2],
				     .parameter = table->data[at + row - 1],
				     .other = read_relative(table, at + 4),
				     .kind = SITE_ALTERNATIVE };

		if (in_text(table->sites->image, site.address) &&
		    !add(table, at, site))
			return false;
	}
	return true;
}

/** Every table of sites, by the symbols around it. */
static const struct table_row {
	const char *start, *end;
	bool (*read)(struct table *table);
} tables[] = {
	{ "__parainstructions", "__parainstructions_end", read_paravirt },
	{ "__retpoline_sites", "__retpoline_sites_end", read_retpolines },
	{ "__return_sites", "__return_sites_end", read_returns },
	{ "__alt_instructions", "__alt_instructions_end", read_alternatives },
	{ "__smp_locks", "__smp_locks_end", read_smp_locks },
	{ "__start_mcount_loc", "__stop_mcount_loc", read_ftrace },
	{ "__start___jump_table", "__stop___jump_table", read_jump_labels },
	{ "__start_static_call_sites", "__stop_static_call_sites",
	  read_static_calls },
};

static bool read_table(struct kernel_sites *sites, const struct table_row *row,
		       struct problem *why)
{
	uint64_t start = kallsyms_address(&sites->symbols, row->start);
	uint64_t end = kallsyms_address(&sites->symbols, row->end);
	struct table table = {
		.sites = sites,
		.address = start,
		.size = end - start,
		.name = row->start,
		.why = why,
	};

	if (!start && !end)
		return true;
	if (start && end >= start && table.size <= TABLE_BYTES)
		table.data = image_bytes(sites->image, start, table.size);
	if (!table.data)
		return bad_row(&table, 0);
	return row->read(&table);
}

/** Trampolines of static calls, and the calls inside the tracers. */
static bool read_symbol_sites(struct kernel_sites *sites, struct problem *why)
{
	struct table table = { .sites = sites, .name = "kallsyms", .why = why };

	for (size_t i = 0; i < sites->symbols.count; i++) {
		const struct kernel_symbol *symbol = &sites->symbols.symbol[i];
		bool call = !strcmp(symbol->name, "ftrace_call") ||
			    !strcmp(symbol->name, "ftrace_regs_call");
		struct site site = {
			.address = symbol->address,
			.length = 5,
			.kind = call ? SITE_FTRACE_CALL : SITE_TRAMPOLINE,
		};

		if (!in_text(sites->image, symbol->address) ||
		    (!call && strncmp(symbol->name, "__SCT__", 7) != 0))
			continue;
		table.address = symbol->address;
		if (!add(&table, 0, site))
			return false;
	}
	return true;
}

static int compare_sites(const void *a, const void *b)
{
	const struct site *left = a, *right = b;

	if (left->address != right->address)
		return left->address < right->address ? -1 : 1;
	if (left->kind != right->kind)
		return left->kind < right->kind ? -1 : 1;
	return (left->row > right->row) - (left->row < right->row);
}

bool kernel_sites_read(const struct image *image, struct kernel_sites *ret,
		       struct problem *why)
{
	struct kernel_sites sites = { .image = image };

	if (!kallsyms_read(image, &sites.symbols, why))
		return false;
	sites.site = calloc(SITES_MAX, sizeof(*sites.site));
	if (!sites.site) {
		problem_set(why, "no memory");
		goto fail;
	}
	if (!kernel_targets_read(&sites, why))
		goto fail;
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		if (!read_table(&sites, &tables[i], why))
			goto fail;
	if (!read_symbol_sites(&sites, why))
		goto fail;
	qsort(sites.site, sites.count, sizeof(*sites.site), compare_sites);
	*ret = sites;
	return true;
fail:
	kernel_sites_free(&sites);
	return false;
}

void kernel_sites_free(struct kernel_sites *sites)
{
	for (size_t i = 0; i < LISTS; i++)
		free(sites->list[i].offset);
	free(sites->site);
	kallsyms_free(&sites->symbols);
}

size_t kernel_sites_find(const struct kernel_sites *sites, uint64_t address)
{
	size_t low = 0, high = sites->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (sites->site[middle].address < address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/** A branch at the start is a field, so that many sites share one set. */
static void make_target(const struct kernel_sites *sites, uint64_t address,
			struct pattern *pattern)
{
	uint32_t place = offset_of(sites, address) + 5, distance;
	struct pattern branch = { 0 };

	if (pattern->length < 5 || pattern->field[0].kind ||
	    (pattern->bytes[0] & 0xfe) != 0xe8)
		return;
	memcpy(&distance, pattern->bytes + 1, sizeof(distance));
	pattern_add(&branch, pattern->bytes, 1);
	pattern_add_field(&branch, RW_FIELD_TARGET, place + distance);
	pattern_add(&branch, pattern->bytes + 5, pattern->length - 5U);
	*pattern = branch;
}

static int compare_order(const void *a, const void *b)
{
	const struct site *left = *(const struct site *const *)a;
	const struct site *right = *(const struct site *const *)b;

	if (left->kind != right->kind)
		return left->kind < right->kind ? -1 : 1;
	return (left->row > right->row) - (left->row < right->row);
}

/** The class of a kind, for policies and people. */
static uint8_t class_of(uint8_t kind)
{
	static const uint8_t classes[] = {
		[SITE_PARAVIRT] = RW_SITE_PARAVIRT,
		[SITE_RETPOLINE] = RW_SITE_RETPOLINE,
		[SITE_RETURN] = RW_SITE_RETURN,
		[SITE_ALTERNATIVE] = RW_SITE_ALTERNATIVE,
		[SITE_SMP_LOCK] = RW_SITE_SMP_LOCK,
		[SITE_FTRACE] = RW_SITE_FTRACE,
		[SITE_FTRACE_CALL] = RW_SITE_FTRACE,
		[SITE_JUMP_LABEL] = RW_SITE_JUMP_LABEL,
		[SITE_STATIC_CALL] = RW_SITE_STATIC_CALL,
		[SITE_TRAMPOLINE] = RW_SITE_STATIC_CALL,
	};

	return classes[kind];
}

bool kernel_sites_region(const struct kernel_sites *sites, size_t first,
			 size_t *ret_end, struct pattern_set *ret,
			 uint8_t *ret_classes, struct problem *why)
{
	uint64_t start = sites->site[first].address, end = start;
	const struct site *order[REGION_MAX];
	struct pattern pattern;
	size_t count = 0;

	*ret_classes = 0;
	for (size_t i = first;
	     i < sites->count && (i == first || sites->site[i].address < end);
	     i++) {
		const struct site *site = &sites->site[i];

		if (count == REGION_MAX) {
			problem_set(why, "too many sites overlap at %#jx",
				    (uintmax_t)start);
			return false;
		}
		order[count++] = site;
		if (site->address + site->length > end)
			end = site->address + site->length;
		*ret_classes |= class_of(site->kind);
	}
	*ret_end = first + count;
	if (!pattern_of_file(sites->image, start, end - start, &pattern)) {
		problem_set(why, "the bytes at %#jx fit in no string",
			    (uintmax_t)start);
		return false;
	}
	make_target(sites, start, &pattern);
	ret->count = 0;
	pattern_set_add(ret, &pattern);
	qsort(order, count, sizeof(struct site *), compare_order);
	for (size_t i = 0; i < count; i++)
		if (!site_apply(sites, order[i], start, ret, why))
			return false;
	return true;
}
