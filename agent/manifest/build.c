/* SPDX-License-Identifier: MIT */
/*
 * From sites, relocations and pages to the bytes of a manifest. What comes out is
 * opened once as the monitor will, so that nothing malformed leaves the builder.
 */
#include <stdlib.h>
#include <string.h>

#include "agent/manifest/build.h"
#include "policy/manifest.h"
#include "policy/policy.h"

#define PAGE	 4096U
#define SETS_MAX 65536U

/** A table that grows; failed once is failed for good. */
struct buffer {
	uint8_t *data;
	size_t size, room;
	bool failed;
};

/** A site with its set in words, before equal sets are made one. */
struct region {
	uint32_t offset;
	uint32_t words; /* where its set starts */
	uint32_t count; /* of words */
	uint16_t set;
	uint8_t length;
};

struct builder {
	const struct image *image;
	struct kernel_sites sites;
	struct rw_manifest_header header;
	struct region *region;
	size_t region_count;
	struct buffer every_set; /* words, with repeats */
	struct buffer page, range, list, target, set, words, site, relocation;
};

static void append(struct buffer *buffer, const void *data, size_t size)
{
	if (buffer->failed || size > RW_MANIFEST_MAX * 4U - buffer->size) {
		buffer->failed = true;
		return;
	}
	if (buffer->size + size > buffer->room) {
		size_t room = 2 * (buffer->size + size);
		uint8_t *grown = realloc(buffer->data, room);

		if (!grown) {
			buffer->failed = true;
			return;
		}
		buffer->data = grown;
		buffer->room = room;
	}
	if (size)
		memcpy(buffer->data + buffer->size, data, size);
	buffer->size += size;
}

static void append_pattern(struct buffer *buffer, const struct pattern *pattern)
{
	struct rw_manifest_string string = { 0 };
	uint32_t padding = 0;

	for (size_t i = 0; i < RW_STRING_FIELDS; i++) {
		string.field[i].kind = pattern->field[i].kind;
		string.field[i].at = pattern->field[i].at;
		string.value[i] = pattern->field[i].value;
	}
	append(buffer, &string, sizeof(string));
	append(buffer, pattern->bytes, pattern->length);
	append(buffer, &padding, -pattern->length & 3U);
}

/** Every site in the text, as regions with their sets. */
static bool make_regions(struct builder *b, struct pattern_set *patterns,
			 struct problem *why)
{
	const struct kernel_sites *sites = &b->sites;
	size_t i = 0;

	while (i < sites->count) {
		struct rw_manifest_set set = { 0 };
		struct region *region = &b->region[b->region_count];
		uint64_t address = sites->site[i].address;

		if (!in_text(b->image, address)) {
			i++;
			continue;
		}
		if (!kernel_sites_region(sites, i, &i, patterns, &set.classes,
					 why))
			return false;
		set.length = patterns->pattern[0].length;
		set.count = (uint8_t)patterns->count;
		*region = (struct region){
			.offset = offset_of(sites, address),
			.length = set.length,
			.words = (uint32_t)(b->every_set.size / 4),
		};
		append(&b->every_set, &set, sizeof(set));
		for (size_t j = 0; j < patterns->count; j++)
			append_pattern(&b->every_set, &patterns->pattern[j]);
		region->count =
			(uint32_t)(b->every_set.size / 4) - region->words;
		b->region_count++;
	}
	return true;
}

/** Sets of two regions; the data is the builder's. */
static int compare_sets(const void *a, const void *b, void *data)
{
	const struct region *left = *(const struct region *const *)a;
	const struct region *right = *(const struct region *const *)b;
	const uint8_t *sets = data;

	if (left->count != right->count)
		return left->count < right->count ? -1 : 1;
	return memcmp(sets + 4 * (size_t)left->words,
		      sets + 4 * (size_t)right->words, 4 * left->count);
}

/** Equal sets become one, in the order of their content. */
static bool make_sets(struct builder *b, struct problem *why)
{
	struct region **order =
		calloc(b->region_count + 1, sizeof(struct region *));
	size_t count = 0;

	if (!order || b->every_set.failed) {
		free(order);
		problem_set(why, "no memory");
		return false;
	}
	for (size_t i = 0; i < b->region_count; i++)
		order[i] = &b->region[i];
	qsort_r(order, b->region_count, sizeof(struct region *), compare_sets,
		b->every_set.data);
	for (size_t i = 0; i < b->region_count; i++) {
		if (!i ||
		    compare_sets(&order[i - 1], &order[i], b->every_set.data)) {
			uint32_t start = (uint32_t)(b->words.size / 4);

			append(&b->set, &start, sizeof(start));
			append(&b->words,
			       b->every_set.data + 4 * (size_t)order[i]->words,
			       4 * (size_t)order[i]->count);
			count++;
		}
		order[i]->set = (uint16_t)(count - 1);
	}
	free(order);
	if (count > SETS_MAX)
		problem_set(why, "more than %u kinds of sites", SETS_MAX);
	return count <= SETS_MAX;
}

static void make_lists(struct builder *b)
{
	for (size_t i = 0; i < LISTS; i++) {
		const struct targets *targets = &b->sites.list[i];
		struct rw_manifest_list list = {
			(uint32_t)(b->target.size / 4),
			(uint32_t)targets->count,
		};

		append(&b->list, &list, sizeof(list));
		append(&b->target, targets->offset, 4 * targets->count);
	}
}

/**
 * What the kernel writes before it makes its read-only data read-only, and what
 * lies behind the last byte of the file in the last page: the boot code leaves
 * there what it had unpacked.
 */
static bool make_ranges(struct builder *b, struct problem *why)
{
	const struct rw_policy_kernel *kernel = &b->image->kernel;
	uint64_t start =
		kallsyms_address(&b->sites.symbols, "__start_ro_after_init");
	uint64_t end =
		kallsyms_address(&b->sites.symbols, "__end_ro_after_init");
	uint64_t file_end = kernel->rodata_start +
			    image_bytes_left(b->image, kernel->rodata_start);
	const uint64_t around[][2] = { { start, end },
				       { file_end, kernel->rodata_end } };

	if (end < start || file_end < end ||
	    (start < end && start < kernel->rodata_start)) {
		problem_set(why,
			    "__ro_after_init is not in the read-only data");
		return false;
	}
	for (size_t i = 0; i < 2; i++) {
		struct rw_manifest_range range = {
			offset_of(&b->sites, around[i][0]),
			offset_of(&b->sites, around[i][1]),
		};

		if (around[i][0] < around[i][1])
			append(&b->range, &range, sizeof(range));
	}
	return true;
}

/** Zeroes [start, end) as far as it lies in the page at an offset. */
static void mask(uint8_t page[PAGE], uint32_t offset, uint32_t start,
		 uint32_t end)
{
	if (start < offset)
		start = offset;
	if (end > offset + PAGE)
		end = offset + PAGE;
	if (start < end)
		memset(page + (start - offset), 0, end - start);
}

/** Is a relocated field in a site or a range? *ret_cut: only in part. */
static bool masked(const struct builder *b, uint32_t start, uint32_t end,
		   size_t site, bool *ret_cut)
{
	const struct rw_manifest_range *range = (const void *)b->range.data;

	*ret_cut = false;
	for (size_t i = 0; i < b->range.size / sizeof(*range); i++) {
		if (start >= range[i].end || end <= range[i].start)
			continue;
		*ret_cut = start < range[i].start || end > range[i].end;
		return true;
	}
	/* The last site before, and what starts inside the field. */
	for (size_t i = site ? site - 1 : 0;
	     i < b->region_count && b->region[i].offset < end; i++) {
		const struct region *r = &b->region[i];

		if (r->offset + r->length <= start)
			continue;
		*ret_cut = start < r->offset || end > r->offset + r->length;
		return true;
	}
	return false;
}

/** Index of the first region at or behind an offset. */
static size_t find_region(const struct builder *b, uint32_t offset)
{
	size_t low = 0, high = b->region_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (b->region[middle].offset < offset)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool add_relocations(struct builder *b, uint64_t address,
			    struct problem *why)
{
	const struct image *image = b->image;

	for (size_t i = image_first_relocation(image, address);
	     i < image->relocation_count &&
	     image->relocation[i].address < address + PAGE;
	     i++) {
		const struct relocation *r = &image->relocation[i];
		uint32_t start = offset_of(&b->sites, r->address);
		uint16_t entry = (uint16_t)((r->kind << 12) | start % PAGE);
		bool cut;

		if (r->address < address)
			continue;
		if (!masked(b, start, start + relocation_size(r->kind),
			    find_region(b, start), &cut))
			append(&b->relocation, &entry, sizeof(entry));
		if (cut) {
			problem_set(why,
				    "a site cuts the relocated field at %#jx",
				    (uintmax_t)r->address);
			return false;
		}
	}
	return true;
}

static bool make_page(struct builder *b, uint64_t address, struct problem *why)
{
	const struct rw_manifest_range *range = (const void *)b->range.data;
	uint32_t offset = offset_of(&b->sites, address);
	struct rw_manifest_page page = {
		.first_site = (uint32_t)(b->site.size /
					 sizeof(struct rw_manifest_site)),
		.first_relocation = (uint32_t)(b->relocation.size / 2),
	};
	uint64_t left = image_bytes_left(b->image, address);
	uint8_t bytes[PAGE] = { 0 };
	size_t i = find_region(b, offset);

	if (left > PAGE)
		left = PAGE;
	if (left)
		memcpy(bytes, image_bytes(b->image, address, left), left);
	for (size_t j = 0; j < b->range.size / sizeof(*range); j++)
		mask(bytes, offset, range[j].start, range[j].end);
	if (i)
		mask(bytes, offset, b->region[i - 1].offset,
		     b->region[i - 1].offset + b->region[i - 1].length);
	for (; i < b->region_count && b->region[i].offset < offset + PAGE;
	     i++) {
		const struct region *region = &b->region[i];
		struct rw_manifest_site site = { region->offset % PAGE,
						 region->set };

		mask(bytes, offset, region->offset,
		     region->offset + region->length);
		append(&b->site, &site, sizeof(site));
	}
	if (!add_relocations(b, address, why))
		return false;
	policy_digest(bytes, sizeof(bytes), page.digest);
	append(&b->page, &page, sizeof(page));
	return true;
}

static bool make_pages(struct builder *b, struct problem *why)
{
	const struct rw_policy_kernel *kernel = &b->image->kernel;

	for (uint64_t at = kernel->text_start; at < kernel->text_end;
	     at += PAGE)
		if (!make_page(b, at, why))
			return false;
	for (uint64_t at = kernel->rodata_start; at < kernel->rodata_end;
	     at += PAGE)
		if (!make_page(b, at, why))
			return false;
	return true;
}

static bool make_header(struct builder *b, struct problem *why)
{
	const struct rw_policy_kernel *kernel = &b->image->kernel;
	struct rw_manifest_header *header = &b->header;

	*header = (struct rw_manifest_header){
		.magic = RW_MANIFEST_MAGIC,
		.version = RW_MANIFEST_VERSION,
		.header_size = sizeof(*header),
		.text_start = kernel->text_start,
		.text_end = kernel->text_end,
		.rodata_start = kernel->rodata_start,
		.rodata_end = kernel->rodata_end,
		.build_id_address = kernel->build_id_address,
		.syscall_entry =
			kallsyms_address(&b->sites.symbols, "entry_SYSCALL_64"),
		.page_count = (uint32_t)(b->page.size /
					 sizeof(struct rw_manifest_page)),
		.range_count = (uint32_t)(b->range.size / 8),
		.list_count = (uint32_t)(b->list.size / 8),
		.target_count = (uint32_t)(b->target.size / 4),
		.set_count = (uint32_t)(b->set.size / 4),
		.word_count = (uint32_t)(b->words.size / 4),
		.site_count = (uint32_t)(b->site.size / 4),
		.relocation_count = (uint32_t)(b->relocation.size / 2),
	};
	memcpy(header->build_id, kernel->build_id, sizeof(header->build_id));
	if (!in_text(b->image, header->syscall_entry)) {
		problem_set(why, "there is no symbol entry_SYSCALL_64");
		return false;
	}
	return true;
}

/** All tables one behind the other. */
static bool join(struct builder *b, struct file *ret, struct problem *why)
{
	const struct buffer *const tables[] = { &b->page, &b->range,
						&b->list, &b->target,
						&b->set,  &b->words,
						&b->site, &b->relocation };
	struct buffer out = { 0 };
	uint32_t padding = 0;
	struct manifest manifest;

	append(&out, &b->header, sizeof(b->header));
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		append(&out, tables[i]->data, tables[i]->size);
		out.failed |= tables[i]->failed;
	}
	append(&out, &padding, -out.size & 3U);
	if (!out.failed) {
		uint32_t size = (uint32_t)out.size;

		memcpy(out.data +
			       offsetof(struct rw_manifest_header, total_size),
		       &size, sizeof(size));
	}
	if (out.failed || manifest_open(out.data, out.size, &manifest)) {
		free(out.data);
		problem_set(why, "the manifest of this kernel is too large");
		return false;
	}
	*ret = (struct file){ out.data, out.size };
	return true;
}

static void free_builder(struct builder *b)
{
	struct buffer *const buffers[] = {
		&b->every_set, &b->page,  &b->range, &b->list,	    &b->target,
		&b->set,       &b->words, &b->site,  &b->relocation
	};

	for (size_t i = 0; i < sizeof(buffers) / sizeof(buffers[0]); i++)
		free(buffers[i]->data);
	free(b->region);
	kernel_sites_free(&b->sites);
}

bool manifest_build(const struct image *image, struct file *ret,
		    struct problem *why)
{
	struct pattern_set *patterns = calloc(1, sizeof(*patterns));
	struct builder b = { .image = image };
	bool good;

	if (!patterns || !kernel_sites_read(image, &b.sites, why)) {
		if (!patterns)
			problem_set(why, "no memory");
		free(patterns);
		return false;
	}
	b.region = calloc(b.sites.count + 1, sizeof(*b.region));
	good = b.region && make_regions(&b, patterns, why) &&
	       make_sets(&b, why) && make_ranges(&b, why) &&
	       make_pages(&b, why);
	if (!b.region)
		problem_set(why, "no memory");
	if (good) {
		make_lists(&b);
		good = make_header(&b, why) && join(&b, ret, why);
	}
	free_builder(&b);
	free(patterns);
	return good;
}
