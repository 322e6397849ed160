/* SPDX-License-Identifier: MIT */
/* Strings of bytes and fields. Every place is checked against the length. */
#include <string.h>

#include "agent/manifest/pattern.h"

#define NOP	    0x90
#define NOP_LONGEST 11

/** Intel SDM, NOP: the recommended forms; 9 to 11 as the kernel writes them. */
static const uint8_t nops[NOP_LONGEST + 1][NOP_LONGEST] = {
	{ 0 },
	{ 0x90 },
	{ 0x66, 0x90 },
	{ 0x0f, 0x1f, 0x00 },
	{ 0x0f, 0x1f, 0x40, 0x00 },
	{ 0x0f, 0x1f, 0x44, 0x00, 0x00 },
	{ 0x66, 0x0f, 0x1f, 0x44, 0x00, 0x00 },
	{ 0x0f, 0x1f, 0x80, 0x00, 0x00, 0x00, 0x00 },
	{ 0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00 },
	{ 0x66, 0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00 },
	{ 0x66, 0x2e, 0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00 },
	{ 0x66, 0x66, 0x2e, 0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00 },
};

void pattern_add(struct pattern *pattern, const void *bytes, size_t size)
{
	if (size > sizeof(pattern->bytes) - pattern->length)
		size = sizeof(pattern->bytes) - pattern->length;
	memcpy(pattern->bytes + pattern->length, bytes, size);
	pattern->length = (uint8_t)(pattern->length + size);
}

/** Adds a field in the order of places; false if there is no room. */
static bool put_field(struct pattern *pattern, uint8_t kind, uint8_t at,
		      uint32_t value)
{
	size_t i = 0, n = 0;

	while (n < RW_STRING_FIELDS && pattern->field[n].kind)
		n++;
	if (n == RW_STRING_FIELDS)
		return false;
	while (i < n && pattern->field[i].at < at)
		i++;
	memmove(&pattern->field[i + 1], &pattern->field[i],
		(n - i) * sizeof(pattern->field[0]));
	pattern->field[i].kind = kind;
	pattern->field[i].at = at;
	pattern->field[i].value = value;
	return true;
}

void pattern_add_field(struct pattern *pattern, enum rw_field_kind kind,
		       uint32_t value)
{
	if (put_field(pattern, (uint8_t)kind, pattern->length, value))
		pattern_add(pattern, "\0\0\0", 4);
}

void pattern_fill(struct pattern *pattern, size_t length, uint8_t byte)
{
	for (size_t i = pattern->length; i < length; i++)
		pattern_add(pattern, &byte, 1);
}

void pattern_fill_nops(struct pattern *pattern, size_t length)
{
	for (size_t i = pattern->length; i < length;) {
		size_t size = length - i > 8 ? 8 : length - i;

		pattern_add(pattern, nops[size], size);
		i += size;
	}
}

static void remove_field(struct pattern *pattern, size_t i)
{
	memmove(&pattern->field[i], &pattern->field[i + 1],
		(RW_STRING_FIELDS - 1 - i) * sizeof(pattern->field[0]));
	memset(&pattern->field[RW_STRING_FIELDS - 1], 0,
	       sizeof(pattern->field[0]));
}

void pattern_resolve(struct pattern *pattern, uint32_t place)
{
	for (size_t i = 0; i < RW_STRING_FIELDS;) {
		uint8_t at = pattern->field[i].at;
		uint32_t distance;

		if (pattern->field[i].kind != RW_FIELD_TARGET) {
			i++;
			continue;
		}
		distance = pattern->field[i].value - (place + at + 4U);
		memcpy(pattern->bytes + at, &distance, sizeof(distance));
		remove_field(pattern, i);
	}
}

bool pattern_of_file(const struct image *image, uint64_t address, size_t length,
		     struct pattern *ret)
{
	const uint8_t *bytes = image_bytes(image, address, length);
	struct pattern pattern = { .length = (uint8_t)length };

	if (!bytes || !length || length > PATTERN_SIZE)
		return false;
	memcpy(pattern.bytes, bytes, length);
	for (size_t i = image_first_relocation(image, address);
	     i < image->relocation_count &&
	     image->relocation[i].address < address + length;
	     i++) {
		const struct relocation *r = &image->relocation[i];
		uint32_t value;
		size_t at;

		if (r->address < address || r->kind == RW_RELOCATION_64 ||
		    r->address + 4 > address + length)
			return false;
		at = r->address - address;
		memcpy(&value, bytes + at, sizeof(value));
		memset(pattern.bytes + at, 0, sizeof(value));
		if (!put_field(&pattern,
			       r->kind == RW_RELOCATION_32 ? RW_FIELD_ADD :
							     RW_FIELD_SUBTRACT,
			       (uint8_t)at, value))
			return false;
	}
	*ret = pattern;
	return true;
}

bool pattern_overlay(struct pattern *pattern, uint32_t place,
		     const struct pattern *patch, size_t at)
{
	struct pattern over = *patch, result = *pattern;

	if (at + patch->length > pattern->length)
		return false;
	if (over.length != result.length) {
		pattern_resolve(&result, place);
		pattern_resolve(&over, place + (uint32_t)at);
	}
	for (size_t i = 0; i < RW_STRING_FIELDS && result.field[i].kind;) {
		size_t start = result.field[i].at;

		if (start + 4 <= at || start >= at + over.length) {
			i++;
			continue;
		}
		if (start < at || start + 4 > at + over.length)
			return false;
		remove_field(&result, i);
	}
	memcpy(result.bytes + at, over.bytes, over.length);
	for (size_t i = 0; i < RW_STRING_FIELDS && over.field[i].kind; i++)
		if (!put_field(&result, over.field[i].kind,
			       (uint8_t)(at + over.field[i].at),
			       over.field[i].value))
			return false;
	*pattern = result;
	return true;
}

static bool in_field(const struct pattern *pattern, size_t at)
{
	for (size_t i = 0; i < RW_STRING_FIELDS; i++)
		if (pattern->field[i].kind && at >= pattern->field[i].at &&
		    at < pattern->field[i].at + 4U)
			return true;
	return false;
}

void pattern_optimize(struct pattern *pattern, size_t at, size_t length,
		      size_t longest, bool last_only)
{
	size_t end = at + length;

	while (at < end) {
		size_t run = 0;

		while (at + run < end && pattern->bytes[at + run] == NOP &&
		       !in_field(pattern, at + run))
			run++;
		if (run > 1 && (!last_only || at + run == end)) {
			for (size_t done = 0; done < run;) {
				size_t size = run - done;

				if (size > longest)
					size = longest;
				memcpy(pattern->bytes + at + done, nops[size],
				       size);
				done += size;
			}
		}
		at += run ? run : 1;
	}
}

static bool equal(const struct pattern *a, const struct pattern *b)
{
	if (a->length != b->length || memcmp(a->bytes, b->bytes, a->length))
		return false;
	for (size_t i = 0; i < RW_STRING_FIELDS; i++)
		if (a->field[i].kind != b->field[i].kind ||
		    a->field[i].at != b->field[i].at ||
		    a->field[i].value != b->field[i].value)
			return false;
	return true;
}

bool pattern_set_add(struct pattern_set *set, const struct pattern *pattern)
{
	for (size_t i = 0; i < set->count; i++)
		if (equal(&set->pattern[i], pattern))
			return true;
	if (set->count == PATTERN_SET_SIZE)
		return false;
	set->pattern[set->count++] = *pattern;
	return true;
}
