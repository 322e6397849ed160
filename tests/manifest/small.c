/* SPDX-License-Identifier: MIT */
/* The small manifest: every number is what the format asks for. */
#include <string.h>

#include "tests/manifest/small.h"

static const struct rw_manifest_header header = {
	.magic = RW_MANIFEST_MAGIC,
	.version = RW_MANIFEST_VERSION,
	.header_size = sizeof(struct rw_manifest_header),
	.total_size = sizeof(struct small_manifest),
	.build_id = { 1, 2, 3 },
	.text_start = SMALL_TEXT,
	.text_end = SMALL_TEXT + 0x2000,
	.rodata_start = SMALL_TEXT + 0x4000,
	.rodata_end = SMALL_TEXT + 0x5000,
	.build_id_address = SMALL_TEXT + 0x4010,
	.syscall_entry = SMALL_TEXT + 0x40,
	.page_count = 3,
	.range_count = 1,
	.list_count = 1,
	.target_count = 4,
	.set_count = 4,
	.site_count = 4,
	.relocation_count = 4,
};

static uint32_t words_at(const struct small_manifest *small, const void *set)
{
	return (uint32_t)((const uint8_t *)set -
			  (const uint8_t *)&small->lock) /
	       4;
}

void small_manifest(struct small_manifest *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->header = header;
	ret->header.word_count = words_at(ret, ret->site);
	ret->page[1].first_site = 2;
	ret->page[1].first_relocation = 1;
	ret->page[2].first_site = 4;
	ret->page[2].first_relocation = 3;
	ret->range[0] = (struct rw_manifest_range){ 0x4800, 0x4900 };
	ret->list[0] = (struct rw_manifest_list){ 0, 4 };
	memcpy(ret->target, (uint32_t[]){ 0x40, 0x80, 0x1000, 0x1800 }, 16);
	ret->set[0] = words_at(ret, &ret->lock);
	ret->set[1] = words_at(ret, &ret->call);
	ret->set[2] = words_at(ret, &ret->thunk);
	ret->set[3] = words_at(ret, &ret->field);
	ret->lock.set = (struct rw_manifest_set){ RW_SITE_SMP_LOCK, 1, 2, 0 };
	ret->lock.string[0].bytes[0] = 0xf0;
	ret->lock.string[1].bytes[0] = 0x3e;
	ret->call.set =
		(struct rw_manifest_set){ RW_SITE_STATIC_CALL, 5, 2, 0 };
	ret->call.string[0].string.field[0].kind = RW_FIELD_LIST;
	ret->call.string[0].string.field[0].at = 1;
	ret->call.string[0].bytes[0] = 0xe8;
	memcpy(ret->call.string[1].bytes, "\x0f\x1f\x44\x00\x00", 5);
	ret->thunk.set = (struct rw_manifest_set){ RW_SITE_RETPOLINE, 5, 2, 0 };
	ret->thunk.string[0].string.field[0].kind = RW_FIELD_TARGET;
	ret->thunk.string[0].string.field[0].at = 1;
	ret->thunk.string[0].string.value[0] = 0x1f00;
	ret->thunk.string[0].bytes[0] = 0xe9;
	ret->thunk.string[1].string.field[0].kind = RW_FIELD_THUNK;
	ret->thunk.string[1].string.field[0].at = 1;
	ret->thunk.string[1].string.value[0] = 11;
	ret->thunk.string[1].bytes[0] = 0xe9;
	ret->field.set =
		(struct rw_manifest_set){ RW_SITE_ALTERNATIVE, 8, 2, 0 };
	ret->field.string[0].string.field[0].kind = RW_FIELD_ADD;
	ret->field.string[0].string.value[0] = 0x81004000;
	ret->field.string[0].string.field[1].kind = RW_FIELD_SUBTRACT;
	ret->field.string[0].string.field[1].at = 4;
	ret->field.string[0].string.value[1] = 0x7f000100;
	memset(ret->field.string[1].bytes, 0x90, 8);
	ret->site[0] = (struct rw_manifest_site){ 0x010, 0 };
	ret->site[1] = (struct rw_manifest_site){ 0xffe, 1 };
	ret->site[2] = (struct rw_manifest_site){ 0x100, 2 };
	ret->site[3] = (struct rw_manifest_site){ 0x200, 3 };
	ret->relocation[0] = RW_RELOCATION_32 << 12 | 0x020;
	ret->relocation[1] = RW_RELOCATION_INVERSE_32 << 12 | 0x300;
	ret->relocation[2] = RW_RELOCATION_64 << 12 | 0x308;
	ret->relocation[3] = RW_RELOCATION_64 << 12 | 0xff8;
}
