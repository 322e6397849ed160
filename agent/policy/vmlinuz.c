/* SPDX-License-Identifier: MIT */
/*
 * The setup header of a bzImage. Must never believe an offset or a length of it
 * before it was held against the file's size.
 */
#include <stdlib.h>
#include <string.h>

#include "agent/policy/decompress.h"
#include "agent/policy/vmlinuz.h"

/* Offsets in the file, Documentation/arch/x86/boot.rst. */
#define SETUP_SECTS    0x1f1 /* 1 byte; 0 means 4 */
#define BOOT_FLAG      0x1fe /* 2 bytes */
#define HEADER	       0x202 /* 4 bytes */
#define VERSION	       0x206 /* 2 bytes */
#define PAYLOAD_OFFSET 0x248 /* 4 bytes, from the protected-mode code on */
#define PAYLOAD_LENGTH 0x24c /* 4 bytes */
#define SETUP_END      0x250

#define SECTOR		     512
#define BOOT_FLAG_VALUE	     0xaa55
#define VERSION_WITH_PAYLOAD 0x0208

static uint16_t read16(const uint8_t *at)
{
	return (uint16_t)(at[0] | at[1] << 8);
}

static uint32_t read32(const uint8_t *at)
{
	return read16(at) | (uint32_t)read16(at + 2) << 16;
}

/** The packed payload of a bzImage. */
static bool find_payload(const uint8_t *data, size_t size,
			 const uint8_t **ret_payload, size_t *ret_length,
			 struct problem *why)
{
	size_t sectors, start, length;

	if (size < SETUP_END || read16(data + BOOT_FLAG) != BOOT_FLAG_VALUE ||
	    memcmp(data + HEADER, "HdrS", 4)) {
		problem_set(why, "neither a bzImage nor an ELF file");
		return false;
	}
	if (read16(data + VERSION) < VERSION_WITH_PAYLOAD) {
		problem_set(why, "boot protocol %#x is older than 2.08",
			    read16(data + VERSION));
		return false;
	}
	sectors = data[SETUP_SECTS] ? data[SETUP_SECTS] : 4;
	start = (sectors + 1) * SECTOR + (size_t)read32(data + PAYLOAD_OFFSET);
	length = read32(data + PAYLOAD_LENGTH);
	if (start > size || length > size - start) {
		problem_set(
			why,
			"payload_offset and payload_length lie outside the file");
		return false;
	}
	*ret_payload = data + start;
	*ret_length = length;
	return true;
}

bool vmlinuz_open(const uint8_t *data, size_t size, size_t max,
		  struct vmlinuz *ret, struct problem *why)
{
	const uint8_t *payload;
	uint8_t *image;
	size_t length;

	if (size >= 4 && !memcmp(data, "\177ELF", 4)) {
		*ret = (struct vmlinuz){ data, size, NULL };
		return true;
	}
	if (!find_payload(data, size, &payload, &length, why) ||
	    !decompress_payload(payload, length, max, &image, &length, why))
		return false;
	*ret = (struct vmlinuz){ image, length, image };
	return true;
}

void vmlinuz_close(struct vmlinuz *vmlinuz)
{
	free(vmlinuz->owned);
	*vmlinuz = (struct vmlinuz){ NULL, 0, NULL };
}
