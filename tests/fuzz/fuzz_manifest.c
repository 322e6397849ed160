/* SPDX-License-Identifier: MIT */
/*
 * policy/manifest.c on anything: never reads outside; in what is accepted every
 * page, site and field can be asked for.
 */
#include <stdlib.h>
#include <string.h>

#include "policy/manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool condition)
{
	if (!condition)
		abort();
}

static void ask_page(const struct manifest *manifest, uint32_t page)
{
	uint32_t offset = manifest_page_offset(manifest, page), i, end;
	static const uint8_t bytes[256];
	struct manifest_site found;
	int64_t thunk;

	must(manifest_page(manifest, offset) == page);
	end = manifest_sites(manifest, page, &i);
	for (; i < end; i++) {
		struct manifest_site site = manifest_site(manifest, page, i);

		must(manifest_find_site(manifest,
					site.offset + site.set.length - 1,
					&found) &&
		     found.offset == site.offset);
		must(manifest_judge(manifest, &site, bytes, 0x1000000, &thunk) <
		     site.set.count);
	}
	end = manifest_relocations(manifest, page, &i);
	for (; i < end; i++)
		must(RW_RELOCATION_KIND(manifest->relocation[i]) <=
		     RW_RELOCATION_64);
}

static void open_copy(const uint8_t *data, size_t size, bool repair)
{
	struct manifest manifest, before;
	uint32_t total = (uint32_t)size;
	uint8_t *copy = malloc(size ? size : 1);

	must(copy);
	memcpy(copy, data, size);
	if (repair)
		memcpy(copy + offsetof(struct rw_manifest_header, total_size),
		       &total, sizeof(total));
	memset(&manifest, 0x5a, sizeof(manifest));
	before = manifest;
	if (manifest_open(copy, size, &manifest))
		must(!memcmp(&manifest, &before, sizeof(before)));
	else
		for (uint32_t i = 0; i < manifest.header->page_count; i++)
			ask_page(&manifest, i);
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	open_copy(data, size, false);
	/* Once more with the size right, so that the tables are reached. */
	if (size >= sizeof(struct rw_manifest_header))
		open_copy(data, size, true);
	return 0;
}
