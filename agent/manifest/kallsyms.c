/* SPDX-License-Identifier: MIT */
/*
 * The tables that scripts/kallsyms.c of the kernel writes: 256 tokens and where
 * each starts; symbols as strings of token numbers; a marker for every 256th
 * symbol; offsets from a base. Must never read outside the read-only data.
 */
#include <stdlib.h>
#include <string.h>

#include "agent/manifest/kallsyms.h"

#define TOKENS	      256
#define SYMBOLS_MIN   16U
#define SYMBOLS_MAX   (4U << 20)
#define POOL_MAX      (256U << 20)
#define NAME_MAX_SIZE 1024U

/** The read-only data, and what was found in it, as positions. */
struct tables {
	const uint8_t *data;
	size_t size;
	uint64_t address;
	size_t token_table, token_index;
	size_t names, names_end;
	uint32_t count;
};

static uint16_t read16(const uint8_t *at)
{
	uint16_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

static uint32_t read32(const uint8_t *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

static uint64_t read64(const uint8_t *at)
{
	uint64_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

static size_t align8(size_t position)
{
	return (position + 7) & ~(size_t)7;
}

static const char *token(const struct tables *t, uint8_t number)
{
	return (const char *)t->data + t->token_table +
	       read16(t->data + t->token_index + 2 * number);
}

/** Do the tokens that an index at a position speaks of lie before it? */
static bool find_token_table(struct tables *t, size_t index)
{
	const uint8_t *at = t->data + index;
	size_t last = read16(at + 2 * (TOKENS - 1));

	for (size_t gap = 2; gap < 80; gap++) {
		size_t start = index - last - gap;
		size_t i = 1;

		if (index < last + gap)
			return false;
		if (start % 8)
			continue;
		while (i < TOKENS && !t->data[start + read16(at + 2 * i) - 1])
			i++;
		if (i == TOKENS &&
		    align8(start + last +
			   strnlen((const char *)t->data + start + last, gap) +
			   1) == index) {
			t->token_table = start;
			t->token_index = index;
			return true;
		}
	}
	return false;
}

/** The index starts with 0 and grows by the length of a token each time. */
static bool find_tokens(struct tables *t)
{
	for (size_t at = 0; at + 2 * TOKENS <= t->size; at += 8) {
		size_t i = 1;

		if (read16(t->data + at))
			continue;
		while (i < TOKENS) {
			int step = read16(t->data + at + 2 * i) -
				   read16(t->data + at + 2 * i - 2);

			if (step < 2 - (i > 1) || step > 80)
				break;
			i++;
		}
		if (i == TOKENS && find_token_table(t, at))
			return true;
	}
	return false;
}

/** The length of the name at *at, which moves to its first token; 0: none. */
static size_t name_length(const struct tables *t, size_t *at, size_t end)
{
	size_t length;

	if (*at >= end)
		return 0;
	length = t->data[(*at)++];
	if (length & 0x80) {
		if (*at >= end)
			return 0;
		length = (length & 0x7f) | (size_t)t->data[(*at)++] << 7;
	}
	return length <= end - *at ? length : 0;
}

/** Are there count names at a position, and the markers of them behind? */
static bool check_names(struct tables *t, size_t start, uint32_t count)
{
	size_t end = t->token_table, at = start;
	size_t markers;

	for (uint32_t i = 0; i < count; i++) {
		size_t length = name_length(t, &at, end);
		char type;

		if (!length)
			return false;
		type = token(t, t->data[at])[0];
		if ((type | 0x20) < 'a' || (type | 0x20) > 'z')
			return false;
		at += length;
	}
	markers = align8(at);
	if (markers > end || (count + 255) / 256 > (end - markers) / 4)
		return false;
	t->names_end = at;
	at = start;
	for (uint32_t i = 0; i < count; i++) {
		size_t length;

		if (i % 256 == 0 &&
		    read32(t->data + markers + i / 256 * 4) != at - start)
			return false;
		length = name_length(t, &at, end);
		at += length;
	}
	return true;
}

static bool find_names(struct tables *t)
{
	for (size_t at = t->token_table & ~(size_t)7; at >= 8;) {
		uint64_t count;

		at -= 8;
		count = read64(t->data + at);
		if (count >= SYMBOLS_MIN && count <= SYMBOLS_MAX &&
		    check_names(t, at + 8, (uint32_t)count)) {
			t->names = at + 8;
			t->count = (uint32_t)count;
			return true;
		}
	}
	return false;
}

/** Expands the names into the pool, each terminated, the type first. */
static bool expand(const struct tables *t, struct kallsyms *table, char *pool,
		   size_t room)
{
	size_t at = t->names, used = 0;

	for (uint32_t i = 0; i < t->count; i++) {
		size_t length = name_length(t, &at, t->names_end);
		size_t start = used;

		for (size_t j = 0; j < length; j++) {
			const char *text = token(t, t->data[at + j]);
			size_t size = strnlen(text, NAME_MAX_SIZE);

			if (size >= room - used ||
			    used - start + size > NAME_MAX_SIZE)
				return false;
			memcpy(pool + used, text, size);
			used += size;
		}
		pool[used++] = '\0';
		at += length;
		table->symbol[i].type = pool[start];
		table->symbol[i].name = pool + start + 1;
	}
	return true;
}

/** The two ways of old and new kernels to say where a symbol is. */
static uint64_t decode(uint64_t base, int32_t offset, bool per_cpu)
{
	if (!per_cpu)
		return base + (uint32_t)offset;
	return offset >= 0 ? (uint64_t)offset : base - 1 - (int64_t)offset;
}

/** Right is what puts _text where the text starts. */
static bool read_offsets(const struct tables *t, uint64_t text,
			 struct kallsyms *table, size_t offsets, size_t base)
{
	if (offsets > t->size || base > t->size - 8 ||
	    t->count > (t->size - offsets) / 4)
		return false;
	for (int per_cpu = 1; per_cpu >= 0; per_cpu--) {
		bool good = false;

		for (uint32_t i = 0; i < t->count; i++) {
			struct kernel_symbol *symbol = &table->symbol[i];

			symbol->address = decode(
				read64(t->data + base),
				(int32_t)read32(t->data + offsets + 4 * i),
				per_cpu);
			good |= symbol->address == text &&
				!strcmp(symbol->name, "_text");
		}
		if (good)
			return true;
	}
	return false;
}

/** Before the number of symbols, or (since 6.4) behind the token index. */
static bool find_offsets(const struct tables *t, uint64_t text,
			 struct kallsyms *table)
{
	size_t length = align8(4 * (size_t)t->count);
	size_t after = t->token_index + 2 * TOKENS;

	if (t->names >= 16 + length &&
	    read_offsets(t, text, table, t->names - 16 - length, t->names - 16))
		return true;
	return read_offsets(t, text, table, after, after + length);
}

static int by_address(const void *a, const void *b)
{
	const struct kernel_symbol *left = a, *right = b;

	if (left->address != right->address)
		return left->address < right->address ? -1 : 1;
	return strcmp(left->name, right->name);
}

static int by_name(const void *a, const void *b)
{
	const struct kernel_symbol *left = a, *right = b;
	int order = strcmp(left->name, right->name);

	if (order)
		return order;
	return (left->address > right->address) -
	       (left->address < right->address);
}

static bool fill(const struct tables *t, uint64_t text, struct kallsyms *table)
{
	size_t room = (size_t)t->count * NAME_MAX_SIZE;

	if (room > POOL_MAX)
		room = POOL_MAX;
	table->count = t->count;
	table->symbol = calloc(t->count, sizeof(*table->symbol));
	table->by_name = calloc(t->count, sizeof(*table->by_name));
	table->pool = malloc(room);
	if (!table->symbol || !table->by_name || !table->pool ||
	    !expand(t, table, table->pool, room) ||
	    !find_offsets(t, text, table))
		return false;
	qsort(table->symbol, table->count, sizeof(*table->symbol), by_address);
	memcpy(table->by_name, table->symbol,
	       table->count * sizeof(*table->symbol));
	qsort(table->by_name, table->count, sizeof(*table->by_name), by_name);
	return true;
}

bool kallsyms_read(const struct image *image, struct kallsyms *ret,
		   struct problem *why)
{
	struct tables t = { .address = image->kernel.rodata_start };
	struct kallsyms table = { 0 };

	t.size = image->kernel.rodata_end - t.address;
	if (t.size > image_bytes_left(image, t.address))
		t.size = image_bytes_left(image, t.address);
	t.data = image_bytes(image, t.address, t.size);
	if (!t.data || !find_tokens(&t) || !find_names(&t)) {
		problem_set(why, "no symbol table (kallsyms) in the image");
		return false;
	}
	if (!fill(&t, image->kernel.text_start, &table)) {
		kallsyms_free(&table);
		problem_set(why, "the symbol table (kallsyms) is damaged");
		return false;
	}
	*ret = table;
	return true;
}

void kallsyms_free(struct kallsyms *table)
{
	free(table->symbol);
	free(table->by_name);
	free(table->pool);
}

uint64_t kallsyms_address(const struct kallsyms *table, const char *name)
{
	size_t low = 0, high = table->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(table->by_name[middle].name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == table->count || strcmp(table->by_name[low].name, name) != 0)
		return 0;
	if (low + 1 < table->count &&
	    !strcmp(table->by_name[low + 1].name, name))
		return 0;
	return table->by_name[low].address;
}

const struct kernel_symbol *kallsyms_find(const struct kallsyms *table,
					  uint64_t address)
{
	size_t low = 0, high = table->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (table->symbol[middle].address <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low ? &table->symbol[low - 1] : NULL;
}
