/* SPDX-License-Identifier: MIT */
/*
 * What a manifest says. manifest_open() checks every index once, so that all
 * else may follow them; it must stay the only place that decides what is well
 * formed.
 */
#include "policy/manifest.h"
#include "policy/policy.h"

#define PAGE 4096U

static bool range_is_valid(uint64_t start, uint64_t end)
{
	return start % PAGE == 0 && end % PAGE == 0 && start < end &&
	       start >= POLICY_KERNEL_START && end <= POLICY_KERNEL_END;
}

static bool header_is_valid(const struct rw_manifest_header *header,
			    size_t size)
{
	return header->magic == RW_MANIFEST_MAGIC &&
	       header->version == RW_MANIFEST_VERSION &&
	       header->header_size == sizeof(*header) &&
	       header->total_size == size && !header->reserved &&
	       range_is_valid(header->text_start, header->text_end) &&
	       range_is_valid(header->rodata_start, header->rodata_end) &&
	       header->text_end <= header->rodata_start &&
	       header->build_id_address >= header->rodata_start &&
	       header->build_id_address <=
		       header->rodata_end - RW_BUILD_ID_SIZE &&
	       header->syscall_entry >= header->text_start &&
	       header->syscall_entry < header->text_end &&
	       header->page_count ==
		       (header->text_end - header->text_start +
			header->rodata_end - header->rodata_start) /
			       PAGE;
}

/** The next table, count rows of width bytes; NULL if the file ends before. */
static const void *take(const uint8_t **at, const uint8_t *end, uint32_t count,
			uint32_t width)
{
	uint64_t size = (uint64_t)count * width;
	const uint8_t *table = *at;

	size = (size + 3) & ~(uint64_t)3;
	if (!table || size > (uint64_t)(end - table)) {
		*at = NULL;
		return NULL;
	}
	*at += size;
	return table;
}

static bool find_tables(const uint8_t *data, size_t size, struct manifest *m)
{
	const struct rw_manifest_header *header = m->header;
	const uint8_t *at = data + sizeof(*header);
	const uint8_t *end = data + size;

	m->page = take(&at, end, header->page_count, sizeof(*m->page));
	m->range = take(&at, end, header->range_count, sizeof(*m->range));
	m->list = take(&at, end, header->list_count, sizeof(*m->list));
	m->target = take(&at, end, header->target_count, 4);
	m->set = take(&at, end, header->set_count, 4);
	m->words = take(&at, end, header->word_count, 4);
	m->site = take(&at, end, header->site_count, sizeof(*m->site));
	m->relocation = take(&at, end, header->relocation_count, 2);
	return at == end;
}

static bool lists_are_valid(const struct manifest *m)
{
	for (uint32_t i = 0; i < m->header->list_count; i++) {
		const struct rw_manifest_list *list = &m->list[i];

		if (list->first > m->header->target_count ||
		    list->count > m->header->target_count - list->first)
			return false;
		for (uint32_t j = 1; j < list->count; j++)
			if (m->target[list->first + j - 1] >=
			    m->target[list->first + j])
				return false;
	}
	return true;
}

/** Fields lie in the string, in order, and name a list that is there. */
static bool string_is_valid(const struct manifest *m,
			    const struct rw_manifest_string *string,
			    uint8_t length)
{
	uint32_t end = 0;

	for (uint32_t i = 0; i < RW_STRING_FIELDS; i++) {
		uint8_t kind = string->field[i].kind, at = string->field[i].at;

		if (kind == RW_FIELD_NONE) {
			if (at || string->value[i])
				return false;
			end = 256;
			continue;
		}
		if (kind > RW_FIELD_SUBTRACT || at < end || at + 4U > length ||
		    (kind == RW_FIELD_LIST &&
		     string->value[i] >= m->header->list_count) ||
		    (kind == RW_FIELD_THUNK && string->value[i] > 15))
			return false;
		end = at + 4U;
	}
	return true;
}

static bool sets_are_valid(const struct manifest *m)
{
	for (uint32_t i = 0; i < m->header->set_count; i++) {
		uint32_t at = m->set[i], words;
		struct rw_manifest_set set;

		if (at >= m->header->word_count)
			return false;
		__builtin_memcpy(&set, &m->words[at++], sizeof(set));
		words = manifest_string_words(set.length);
		if (!set.classes || !set.length || !set.count || set.reserved ||
		    set.count * words > m->header->word_count - at)
			return false;
		for (uint32_t j = 0; j < set.count; j++) {
			const void *string = &m->words[at + j * words];

			if (!string_is_valid(m, string, set.length))
				return false;
		}
	}
	return true;
}

static bool ranges_are_valid(const struct manifest *m)
{
	uint64_t size = m->header->rodata_end - m->header->text_start;
	uint32_t end = 0;

	for (uint32_t i = 0; i < m->header->range_count; i++) {
		if (m->range[i].start < end ||
		    m->range[i].start >= m->range[i].end ||
		    m->range[i].end > size)
			return false;
		end = m->range[i].end;
	}
	return true;
}

/** Pages own consecutive runs; in a run places grow; sites do not overlap. */
static bool pages_are_valid(const struct manifest *m)
{
	const struct rw_manifest_header *header = m->header;
	uint32_t text =
		(uint32_t)((header->text_end - header->text_start) / PAGE);
	uint32_t site = 0, relocation = 0, free = 0;

	for (uint32_t i = 0; i < header->page_count; i++) {
		const struct rw_manifest_page *next = &m->page[i + 1];
		bool last = i + 1 == header->page_count;
		uint32_t sites = last ? header->site_count : next->first_site;
		uint32_t relocations = last ? header->relocation_count :
					      next->first_relocation;
		uint32_t room = last || i + 1 == text ? PAGE : 2 * PAGE;

		if (m->page[i].first_site != site ||
		    m->page[i].first_relocation != relocation || sites < site ||
		    sites > header->site_count || relocations < relocation ||
		    relocations > header->relocation_count)
			return false;
		for (; site < sites; site++) {
			uint32_t at = m->site[site].at;

			if (m->site[site].set >= header->set_count ||
			    at >= PAGE || at < free)
				return false;
			free = at + ((const struct rw_manifest_set *)&m
					     ->words[m->set[m->site[site].set]])
					    ->length;
			if (free > room)
				return false;
		}
		free = free > PAGE ? free - PAGE : 0;
		for (uint32_t end = 0; relocation < relocations; relocation++) {
			uint16_t r = m->relocation[relocation];
			uint32_t kind = RW_RELOCATION_KIND(r);

			if (kind < RW_RELOCATION_32 ||
			    kind > RW_RELOCATION_64 ||
			    RW_RELOCATION_AT(r) < end)
				return false;
			end = RW_RELOCATION_AT(r) +
			      (kind == RW_RELOCATION_64 ? 8 : 4);
			if (end > room)
				return false;
		}
	}
	return site == header->site_count &&
	       relocation == header->relocation_count;
}

enum rw_error manifest_open(const void *data, size_t size, struct manifest *ret)
{
	struct manifest m = { .header = data };

	if (size < sizeof(*m.header) || size > RW_MANIFEST_MAX ||
	    (uintptr_t)data % 8 || !header_is_valid(m.header, size) ||
	    !find_tables(data, size, &m) || !lists_are_valid(&m) ||
	    !sets_are_valid(&m) || !ranges_are_valid(&m) ||
	    !pages_are_valid(&m))
		return RW_E_MANIFEST;
	*ret = m;
	return RW_OK;
}

/** How many pages text has, and how far rodata is from them. */
static uint32_t text_pages(const struct manifest *m)
{
	return (uint32_t)((m->header->text_end - m->header->text_start) / PAGE);
}

static uint32_t rodata_page(const struct manifest *m)
{
	return (uint32_t)((m->header->rodata_start - m->header->text_start) /
			  PAGE);
}

uint32_t manifest_page_offset(const struct manifest *m, uint32_t page)
{
	if (page >= text_pages(m))
		page += rodata_page(m) - text_pages(m);
	return page * PAGE;
}

uint32_t manifest_page(const struct manifest *m, uint32_t offset)
{
	uint32_t page = offset / PAGE;

	if (page < text_pages(m))
		return page;
	if (page < rodata_page(m))
		return m->header->page_count;
	page -= rodata_page(m) - text_pages(m);
	return page < m->header->page_count ? page : m->header->page_count;
}

uint32_t manifest_sites(const struct manifest *m, uint32_t page,
			uint32_t *ret_first)
{
	*ret_first = m->page[page].first_site;
	return page + 1 < m->header->page_count ? m->page[page + 1].first_site :
						  m->header->site_count;
}

uint32_t manifest_relocations(const struct manifest *m, uint32_t page,
			      uint32_t *ret_first)
{
	*ret_first = m->page[page].first_relocation;
	return page + 1 < m->header->page_count ?
		       m->page[page + 1].first_relocation :
		       m->header->relocation_count;
}

struct manifest_site manifest_site(const struct manifest *m, uint32_t page,
				   uint32_t index)
{
	const uint32_t *words = &m->words[m->set[m->site[index].set]];
	struct manifest_site site = {
		.offset = manifest_page_offset(m, page) + m->site[index].at,
		.strings = words + 1,
	};

	__builtin_memcpy(&site.set, words, sizeof(site.set));
	return site;
}

/** The last site of a page that starts at or before an offset. */
static bool last_site(const struct manifest *m, uint32_t page, uint32_t offset,
		      struct manifest_site *ret)
{
	uint32_t first, low, high;

	high = manifest_sites(m, page, &first);
	low = first;
	offset -= manifest_page_offset(m, page);
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (m->site[middle].at <= offset)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == first)
		return false;
	*ret = manifest_site(m, page, low - 1);
	return true;
}

bool manifest_find_site(const struct manifest *m, uint32_t offset,
			struct manifest_site *ret)
{
	uint32_t page = manifest_page(m, offset);
	struct manifest_site site;

	if (page == m->header->page_count ||
	    (!last_site(m, page, offset, &site) &&
	     (!page || !last_site(m, page - 1, offset, &site))) ||
	    offset - site.offset >= site.set.length)
		return false;
	*ret = site;
	return true;
}

static bool list_has(const struct manifest *m, uint32_t index, uint32_t target)
{
	uint32_t low = m->list[index].first;
	uint32_t high = low + m->list[index].count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (m->target[middle] == target)
			return true;
		if (m->target[middle] < target)
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}

/** Is found, at offset place in the image, what the field may hold? */
static bool field_matches(const struct manifest *m, uint8_t kind,
			  uint32_t value, uint32_t found, uint32_t place,
			  uint64_t slide, int64_t *ret_thunk)
{
	int64_t target = (int64_t)place + 4 + (int32_t)found;

	switch (kind) {
	case RW_FIELD_TARGET:
		return target == value;
	case RW_FIELD_LIST:
		return target >= 0 && target <= UINT32_MAX &&
		       list_has(m, value, (uint32_t)target);
	case RW_FIELD_THUNK:
		*ret_thunk = target;
		return target < 0 ||
		       (uint64_t)target >=
			       m->header->rodata_end - m->header->text_start;
	case RW_FIELD_ADD:
		return found - (uint32_t)slide == value;
	default:
		return found + (uint32_t)slide == value;
	}
}

static bool string_matches(const struct manifest *m,
			   const struct manifest_site *site,
			   const struct rw_manifest_string *string,
			   const uint8_t *bytes, uint64_t slide,
			   int64_t *ret_thunk)
{
	const uint8_t *expected = (const uint8_t *)(string + 1);
	uint32_t field = 0, at = 0;

	while (at < site->set.length) {
		uint32_t found;

		if (field == RW_STRING_FIELDS || !string->field[field].kind ||
		    string->field[field].at != at) {
			if (bytes[at] != expected[at])
				return false;
			at++;
			continue;
		}
		__builtin_memcpy(&found, bytes + at, sizeof(found));
		if (!field_matches(m, string->field[field].kind,
				   string->value[field], found,
				   site->offset + at, slide, ret_thunk))
			return false;
		field++;
		at += 4;
	}
	return true;
}

int manifest_judge(const struct manifest *m, const struct manifest_site *site,
		   const uint8_t *bytes, uint64_t slide, int64_t *ret_thunk)
{
	uint32_t words = manifest_string_words(site->set.length);

	for (int i = 0; i < site->set.count; i++) {
		const void *string = site->strings + (uint32_t)i * words;

		*ret_thunk = 0;
		if (string_matches(m, site, string, bytes, slide, ret_thunk))
			return i;
	}
	*ret_thunk = 0;
	return -1;
}
