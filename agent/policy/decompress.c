/* SPDX-License-Identifier: MIT */
/*
 * Four formats behind one function. Must never write more than the room that
 * was made before, nor let a library take more memory than is said here.
 */
#include <stdlib.h>
#include <string.h>

#include <lz4.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

#include "agent/policy/decompress.h"

/** The unpacked size at the payload's end. */
#define TAIL 4
/** The kernel build compresses with a dictionary of 128 MiB at most. */
#define XZ_MEMORY (192ULL << 20)
/** A legacy LZ4 block unpacks to at most this much. */
#define LZ4_BLOCK (8U << 20)

struct input {
	const uint8_t *data;
	size_t size;
};

struct output {
	uint8_t *data;
	size_t size;
};

static uint32_t read32(const uint8_t *at)
{
	return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 |
	       (uint32_t)at[3] << 24;
}

/** gzip ends in its own size field, so nothing was appended to it. */
static bool unpack_gzip(struct input in, struct output out)
{
	z_stream stream = {
		.next_in = (Bytef *)(uintptr_t)in.data,
		.avail_in = (uInt)in.size,
		.next_out = out.data,
		.avail_out = (uInt)out.size,
	};
	bool good;

	if (inflateInit2(&stream, 16 + MAX_WBITS) != Z_OK)
		return false;
	good = inflate(&stream, Z_FINISH) == Z_STREAM_END && !stream.avail_in &&
	       !stream.avail_out;
	inflateEnd(&stream);
	return good;
}

static bool unpack_xz(struct input in, struct output out)
{
	uint64_t memory = XZ_MEMORY;
	size_t used = 0;
	size_t made = 0;

	return lzma_stream_buffer_decode(&memory, 0, NULL, in.data, &used,
					 in.size - TAIL, out.data, &made,
					 out.size) == LZMA_OK &&
	       used == in.size - TAIL && made == out.size;
}

static bool unpack_zstd(struct input in, struct output out)
{
	size_t made =
		ZSTD_decompress(out.data, out.size, in.data, in.size - TAIL);

	return !ZSTD_isError(made) && made == out.size;
}

/** A magic number, then blocks that each say their packed size. */
static bool unpack_lz4(struct input in, struct output out)
{
	const uint8_t *at = in.data + 4;
	size_t left = in.size - 4 - TAIL;
	size_t made = 0;

	while (left) {
		size_t room = out.size - made;
		uint32_t packed;
		int got;

		if (left < 4)
			return false;
		packed = read32(at);
		at += 4;
		left -= 4;
		if (!packed || packed > left ||
		    packed > (uint32_t)LZ4_COMPRESSBOUND(LZ4_BLOCK))
			return false;
		if (room > LZ4_BLOCK)
			room = LZ4_BLOCK;
		got = LZ4_decompress_safe((const char *)at,
					  (char *)out.data + made, (int)packed,
					  (int)room);
		if (got <= 0)
			return false;
		made += (size_t)got;
		at += packed;
		left -= packed;
	}
	return made == out.size;
}

/** By the first bytes; a format without a function is known, but not read. */
static const struct format {
	const char *name;
	uint8_t magic[6];
	size_t magic_size;
	bool (*unpack)(struct input in, struct output out);
} formats[] = {
	{ "gzip", { 0x1f, 0x8b, 8 }, 3, unpack_gzip },
	{ "xz", { 0xfd, '7', 'z', 'X', 'Z', 0 }, 6, unpack_xz },
	{ "zstd", { 0x28, 0xb5, 0x2f, 0xfd }, 4, unpack_zstd },
	{ "lz4", { 0x02, 0x21, 0x4c, 0x18 }, 4, unpack_lz4 },
	{ "bzip2", { 'B', 'Z', 'h' }, 3, NULL },
	{ "lzop", { 0x89, 'L', 'Z', 'O' }, 4, NULL },
	{ "lzma", { 0x5d, 0, 0 }, 3, NULL },
};

static const struct format *find_format(const uint8_t *data, size_t size)
{
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
		if (size >= sizeof(formats[i].magic) + TAIL &&
		    !memcmp(data, formats[i].magic, formats[i].magic_size))
			return &formats[i];
	return NULL;
}

bool decompress_payload(const uint8_t *data, size_t size, size_t max,
			uint8_t **ret, size_t *ret_size, struct problem *why)
{
	const struct format *format = find_format(data, size);
	struct output out;

	if (!format || !format->unpack) {
		problem_set(why, "the payload is packed with %s",
			    format ? format->name : "an unknown format");
		return false;
	}
	out.size = read32(data + size - TAIL);
	if (!out.size || out.size > max) {
		problem_set(why, "the payload says it unpacks to %zu bytes",
			    out.size);
		return false;
	}
	out.data = malloc(out.size);
	if (!out.data) {
		problem_set(why, "no memory to unpack %zu bytes", out.size);
		return false;
	}
	if (!format->unpack((struct input){ data, size }, out)) {
		problem_set(why, "the %s payload is damaged", format->name);
		free(out.data);
		return false;
	}
	*ret = out.data;
	*ret_size = out.size;
	return true;
}
