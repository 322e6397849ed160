/* SPDX-License-Identifier: MIT */
/*
 * /proc/kallsyms as a sorted table. Only the kernel's own symbols are kept;
 * modules come and go, so they are read when they are asked for. Lines that do
 * not look as expected are passed over.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/event/symbols.h"
#include "agent/event/text.h"

/* Below this nothing of the kernel lives: per-CPU offsets, hidden addresses. */
#define KERNEL_HALF 0xffff800000000000ULL
/* A kernel has some 200,000; more than this is no symbol table. */
#define SYMBOLS_MAX (1U << 21)
#define LINE_SIZE   640

struct entry {
	uint64_t address;
	uint32_t name; /* offset in names */
};

struct symbols {
	const struct symbols_paths *paths;
	struct entry *entries; /* ascending */
	size_t count, room;
	char *names;
	size_t names_used, names_room;
	uint64_t start, end; /* of the kernel image: _text and _end */
	uint64_t physical;   /* of _text, 0: not known */
};

const struct symbols_paths symbols_of_kernel = {
	.kallsyms = "/proc/kallsyms",
	.modules = "/proc/modules",
	.iomem = "/proc/iomem",
};

/* Makes room for one more of size bytes each; the old block stays on failure. */
static bool grow(void **block, size_t *room, size_t need, size_t size)
{
	size_t wanted = *room ? *room : 4096;
	void *larger;

	if (need <= *room)
		return true;
	while (wanted < need)
		wanted *= 2;
	larger = realloc(*block, wanted * size);
	if (!larger)
		return false;
	*block = larger;
	*room = wanted;
	return true;
}

static bool add_symbol(struct symbols *symbols, uint64_t address,
		       const char *name)
{
	size_t length = strlen(name) + 1;

	if (symbols->count == SYMBOLS_MAX ||
	    !grow((void **)&symbols->entries, &symbols->room,
		  symbols->count + 1, sizeof(struct entry)) ||
	    !grow((void **)&symbols->names, &symbols->names_room,
		  symbols->names_used + length, 1))
		return false;
	symbols->entries[symbols->count++] = (struct entry){
		.address = address,
		.name = (uint32_t)symbols->names_used,
	};
	memcpy(symbols->names + symbols->names_used, name, length);
	symbols->names_used += length;
	return true;
}

/* "ffffffff81000000 T _text" is the kernel's, with "\t[name]" a module's. */
static void read_kallsyms(struct symbols *symbols, const char *path)
{
	FILE *file = fopen(path, "re");
	char line[LINE_SIZE], name[SYMBOL_NAME_SIZE];

	if (!file)
		return;
	while (fgets(line, sizeof(line), file)) {
		char *end, *text;
		uint64_t address = strtoull(line, &end, 16);

		if (address < KERNEL_HALF || end[0] != ' ' || !end[1] ||
		    end[2] != ' ' || strchr(end, '['))
			continue;
		text = end + 3;
		text[strcspn(text, " \t\r\n")] = '\0';
		text_name(name, sizeof(name), text, strlen(text));
		if (!strcmp(name, "_text"))
			symbols->start = address;
		if (!strcmp(name, "_end"))
			symbols->end = address;
		if (!add_symbol(symbols, address, name))
			break;
	}
	fclose(file);
}

/* "  01000000-01e01a06 : Kernel code" begins where _text lies. */
static void read_iomem(struct symbols *symbols, const char *path)
{
	FILE *file = fopen(path, "re");
	char line[LINE_SIZE];

	if (!file)
		return;
	while (fgets(line, sizeof(line), file))
		if (strstr(line, ": Kernel code"))
			symbols->physical = strtoull(line, NULL, 16);
	fclose(file);
}

static int compare_entries(const void *left, const void *right)
{
	const struct entry *a = left, *b = right;

	if (a->address != b->address)
		return a->address < b->address ? -1 : 1;
	return a->name < b->name ? -1 : a->name > b->name;
}

struct symbols *symbols_load(const struct symbols_paths *paths)
{
	struct symbols *symbols = calloc(1, sizeof(*symbols));

	if (!symbols)
		return NULL;
	symbols->paths = paths;
	read_kallsyms(symbols, paths->kallsyms);
	read_iomem(symbols, paths->iomem);
	if (symbols->count)
		qsort(symbols->entries, symbols->count, sizeof(struct entry),
		      compare_entries);
	return symbols;
}

void symbols_free(struct symbols *symbols)
{
	if (!symbols)
		return;
	free(symbols->entries);
	free(symbols->names);
	free(symbols);
}

uint64_t symbols_count(const struct symbols *symbols)
{
	return symbols ? symbols->count : 0;
}

static bool find_in_kernel(const struct symbols *symbols, uint64_t address,
			   struct symbol *ret_symbol)
{
	size_t low = 0, high = symbols->count;
	const struct entry *entry;

	if (address < symbols->start || address >= symbols->end)
		return false;
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (symbols->entries[middle].address <= address)
			low = middle + 1;
		else
			high = middle;
	}
	if (!low)
		return false;
	entry = &symbols->entries[low - 1];
	while (entry > symbols->entries && entry[-1].address == entry->address)
		entry--;
	snprintf(ret_symbol->name, sizeof(ret_symbol->name), "%s",
		 symbols->names + entry->name);
	strcpy(ret_symbol->module, "vmlinux");
	ret_symbol->offset = address - entry->address;
	return true;
}

/* "name size references users state 0xaddress"; false for another line. */
static bool parse_module(char *line, const char **ret_name, uint64_t *ret_size,
			 uint64_t *ret_start)
{
	char *words[6], *rest = line;

	for (size_t i = 0; i < 6; i++) {
		words[i] = strsep(&rest, " \n");
		if (!words[i])
			return false;
	}
	*ret_name = words[0];
	*ret_size = strtoull(words[1], NULL, 10);
	*ret_start = strtoull(words[5], NULL, 16);
	return *ret_start >= KERNEL_HALF;
}

static bool find_in_modules(const char *path, uint64_t address,
			    struct symbol *ret_symbol)
{
	FILE *file = fopen(path, "re");
	uint64_t size, start;
	bool found = false;
	const char *name;
	char line[4096];

	if (!file)
		return false;
	while (!found && fgets(line, sizeof(line), file)) {
		if (!parse_module(line, &name, &size, &start) ||
		    address < start || address - start >= size)
			continue;
		text_name(ret_symbol->module, sizeof(ret_symbol->module), name,
			  strlen(name));
		ret_symbol->name[0] = '\0';
		ret_symbol->offset = address - start;
		found = true;
	}
	fclose(file);
	return found;
}

bool symbols_find(const struct symbols *symbols, uint64_t address,
		  struct symbol *ret_symbol)
{
	if (!symbols || address < KERNEL_HALF)
		return false;
	return find_in_kernel(symbols, address, ret_symbol) ||
	       find_in_modules(symbols->paths->modules, address, ret_symbol);
}

bool symbols_of_physical(const struct symbols *symbols, uint64_t physical,
			 uint64_t *ret_address)
{
	if (!symbols || !symbols->physical || !symbols->start ||
	    physical < symbols->physical ||
	    physical - symbols->physical >= symbols->end - symbols->start)
		return false;
	*ret_address = symbols->start + (physical - symbols->physical);
	return true;
}
