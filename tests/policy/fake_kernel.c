/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include <lz4.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

#include "tests/policy/fake_kernel.h"

#define LZ4_BLOCK (8U << 20)

const char *const fake_packing_names[FAKE_PACKINGS] = { "gzip", "xz", "zstd",
							"lz4" };

static const char names[] =
	"\0.text\0.rodata\0__param\0.notes\0.data\0.shstrtab";

static Elf64_Word name_of(const char *name)
{
	for (size_t i = 1; i < sizeof(names); i += strlen(names + i) + 1)
		if (!strcmp(names + i, name))
			return (Elf64_Word)i;
	return 0;
}

static Elf64_Shdr section(const char *name, Elf64_Word type, Elf64_Xword flags,
			  Elf64_Addr address, size_t offset, size_t size)
{
	return (Elf64_Shdr){
		.sh_name = name_of(name),
		.sh_type = type,
		.sh_flags = flags,
		.sh_addr = address,
		.sh_offset = offset,
		.sh_size = size,
		.sh_addralign = 1,
	};
}

static void fill_notes(struct fake_kernel *ret)
{
	ret->notes.first = (Elf64_Nhdr){ 6, 4, NT_GNU_BUILD_ID };
	strcpy(ret->notes.first_name, "Linux");
	ret->notes.header = (Elf64_Nhdr){ 4, 20, NT_GNU_BUILD_ID };
	strcpy(ret->notes.name, "GNU");
	for (uint8_t i = 0; i < 20; i++)
		ret->notes.id[i] = (uint8_t)(0xa0 + i);
}

void fake_kernel(struct fake_kernel *ret)
{
	const size_t bytes = offsetof(struct fake_kernel, rodata);

	memset(ret, 0, sizeof(*ret));
	memcpy(ret->header.e_ident, ELFMAG, SELFMAG);
	ret->header.e_ident[EI_CLASS] = ELFCLASS64;
	ret->header.e_ident[EI_DATA] = ELFDATA2LSB;
	ret->header.e_ident[EI_VERSION] = EV_CURRENT;
	ret->header.e_type = ET_EXEC;
	ret->header.e_machine = EM_X86_64;
	ret->header.e_version = EV_CURRENT;
	ret->header.e_ehsize = sizeof(Elf64_Ehdr);
	ret->header.e_shoff = offsetof(struct fake_kernel, section);
	ret->header.e_shentsize = sizeof(Elf64_Shdr);
	ret->header.e_shnum = FAKE_SECTIONS;
	ret->header.e_shstrndx = FAKE_NAMES;

	ret->section[FAKE_TEXT] = section(
		".text", SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR,
		FAKE_TEXT_START, offsetof(struct fake_kernel, text), 0x1234);
	ret->section[FAKE_RODATA] = section(".rodata", SHT_PROGBITS, SHF_ALLOC,
					    FAKE_RODATA_START, bytes,
					    sizeof(ret->rodata));
	ret->section[FAKE_PARAM] = section("__param", SHT_NOBITS, SHF_ALLOC,
					   0xffffffff81202000, bytes, 0x1010);
	ret->section[FAKE_NOTES] = section(".notes", SHT_NOTE, SHF_ALLOC,
					   FAKE_NOTES_START,
					   offsetof(struct fake_kernel, notes),
					   sizeof(ret->notes));
	ret->section[FAKE_DATA] = section(".data", SHT_PROGBITS,
					  SHF_ALLOC | SHF_WRITE,
					  FAKE_DATA_START, bytes, 16);
	ret->section[FAKE_NAMES] = section(".shstrtab", SHT_STRTAB, 0, 0,
					   offsetof(struct fake_kernel, names),
					   sizeof(names));
	memcpy(ret->names, names, sizeof(names));
	for (size_t i = 0; i < sizeof(ret->text); i++)
		ret->text[i] = (uint8_t)(i * i >> 5);
	fill_notes(ret);
}

static void put32(uint8_t *at, size_t value)
{
	for (int i = 0; i < 4; i++)
		at[i] = (uint8_t)(value >> 8 * i);
}

static size_t pack_gzip(const void *data, size_t size, uint8_t *ret,
			size_t room)
{
	z_stream stream = { .next_in = (Bytef *)(uintptr_t)data,
			    .avail_in = (uInt)size,
			    .next_out = ret,
			    .avail_out = (uInt)room };

	assert_int_equal(deflateInit2(&stream, 9, Z_DEFLATED, 16 + MAX_WBITS, 8,
				      Z_DEFAULT_STRATEGY),
			 Z_OK);
	assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
	deflateEnd(&stream);
	return room - stream.avail_out;
}

static size_t pack_xz(const void *data, size_t size, uint8_t *ret, size_t room)
{
	size_t used = 0;

	assert_int_equal(lzma_easy_buffer_encode(6, LZMA_CHECK_CRC32, NULL,
						 data, size, ret, &used, room),
			 LZMA_OK);
	return used;
}

static size_t pack_zstd(const void *data, size_t size, uint8_t *ret,
			size_t room)
{
	size_t used = ZSTD_compress(ret, room, data, size, 19);

	assert_false(ZSTD_isError(used));
	return used;
}

static size_t pack_lz4(const void *data, size_t size, uint8_t *ret, size_t room)
{
	size_t used = 4;

	put32(ret, 0x184c2102);
	for (size_t at = 0; at < size; at += LZ4_BLOCK) {
		size_t left = size - at < LZ4_BLOCK ? size - at : LZ4_BLOCK;
		int packed = LZ4_compress_default((const char *)data + at,
						  (char *)ret + used + 4,
						  (int)left,
						  (int)(room - used - 4));

		assert_true(packed > 0);
		put32(ret + used, (size_t)packed);
		used += 4 + (size_t)packed;
	}
	return used;
}

uint8_t *fake_payload(enum fake_packing packing, const void *data, size_t size,
		      size_t *ret_size)
{
	static size_t (*const pack[])(const void *, size_t, uint8_t *,
				      size_t) = {
		pack_gzip,
		pack_xz,
		pack_zstd,
		pack_lz4,
	};
	size_t room = size + size / 8 + 4096;
	uint8_t *payload = malloc(room);

	assert_non_null(payload);
	*ret_size = pack[packing](data, size, payload, room - 4);
	if (packing != FAKE_GZIP) {
		put32(payload + *ret_size, size);
		*ret_size += 4;
	}
	return payload;
}

uint8_t *fake_bzimage(const void *payload, size_t size, size_t *ret_size)
{
	const size_t setup = 2 * 512;
	const size_t offset = 0x40;
	uint8_t *image;

	*ret_size = setup + offset + size + 8;
	image = calloc(1, *ret_size);
	assert_non_null(image);
	image[0x1f1] = 1;
	image[0x1fe] = 0x55;
	image[0x1ff] = 0xaa;
	memcpy(image + 0x202, "HdrS", 4);
	image[0x206] = 0x0f;
	image[0x207] = 0x02;
	put32(image + 0x248, offset);
	put32(image + 0x24c, size);
	memcpy(image + setup + offset, payload, size);
	return image;
}
