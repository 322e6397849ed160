/* SPDX-License-Identifier: MIT */
/* ringwall manifest diff: what changed from one kernel to another. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent/errors.h"
#include "agent/manifest/verbs.h"
#include "agent/policy/command.h"

static void print_number(const char *what, uint64_t old, uint64_t new)
{
	if (old != new)
		printf("%-16s %" PRIu64 " -> %" PRIu64 "\n", what, old, new);
}

static void print_extent(const char *what, uint64_t old, uint64_t new)
{
	if (old != new)
		printf("%-16s %#" PRIx64 " -> %#" PRIx64 "\n", what, old, new);
}

static void diff_headers(const struct rw_manifest_header *old,
			 const struct rw_manifest_header *new)
{
	if (memcmp(old->build_id, new->build_id, sizeof(old->build_id))) {
		printf("%-16s ", "build-id");
		print_hex(old->build_id, sizeof(old->build_id));
		fputs(" -> ", stdout);
		print_hex(new->build_id, sizeof(new->build_id));
		putchar('\n');
	}
	print_extent("text start", old->text_start, new->text_start);
	print_extent("text end", old->text_end, new->text_end);
	print_extent("rodata start", old->rodata_start, new->rodata_start);
	print_extent("rodata end", old->rodata_end, new->rodata_end);
	print_extent("syscall", old->syscall_entry, new->syscall_entry);
	print_number("pages", old->page_count, new->page_count);
	print_number("relocations", old->relocation_count,
		     new->relocation_count);
	print_number("targets", old->target_count, new->target_count);
}

static void diff_sites(const struct manifest *old, const struct manifest *new)
{
	struct manifest_counts a = manifest_count(old);
	struct manifest_counts b = manifest_count(new);

	for (unsigned int bit = 0; bit < 8; bit++)
		print_number(manifest_class_name(bit), a.sites[bit],
			     b.sites[bit]);
	print_number("unverified", a.range_bytes, b.range_bytes);
}

/** Do the pages have the same sites, at the same places, with equal rules? */
static bool same_sites(const struct manifest *old, const struct manifest *new,
		       uint32_t old_page, uint32_t new_page)
{
	uint32_t i, j, end_i, end_j;

	end_i = manifest_sites(old, old_page, &i);
	end_j = manifest_sites(new, new_page, &j);
	if (end_i - i != end_j - j)
		return false;
	for (; i < end_i; i++, j++) {
		struct manifest_site a = manifest_site(old, old_page, i);
		struct manifest_site b = manifest_site(new, new_page, j);

		if (a.offset != b.offset ||
		    memcmp(&a.set, &b.set, sizeof(a.set)) ||
		    memcmp(a.strings, b.strings,
			   4U * a.set.count *
				   manifest_string_words(a.set.length)))
			return false;
	}
	return true;
}

/** Pages at the same offset from the start of the text. */
static void diff_pages(const struct manifest *old, const struct manifest *new)
{
	uint32_t bytes = 0, rules = 0, common = 0;

	for (uint32_t i = 0; i < old->header->page_count; i++) {
		uint32_t j = manifest_page(new, manifest_page_offset(old, i));

		if (j == new->header->page_count)
			continue;
		common++;
		bytes += memcmp(old->page[i].digest, new->page[j].digest,
				RW_SHA256_SIZE) != 0;
		rules += !same_sites(old, new, i, j);
	}
	printf("of %" PRIu32 " pages at the same place, %" PRIu32
	       " hold other bytes and %" PRIu32 " other rules\n",
	       common, bytes, rules);
}

int manifest_diff(int argc, char **argv)
{
	const char *old_path = NULL, *new_path = NULL;
	const struct command_line line = {
		"ringwall manifest diff OLD.rwm NEW.rwm", NULL, 0, &old_path,
		&new_path
	};
	struct manifest old, new;
	struct file old_file, new_file;
	struct problem why;
	bool done;
	int status = command_parse(&line, argc, argv, &done);

	if (done)
		return status;
	if (!manifest_read(old_path, &old_file, &old, &why))
		return command_failed(EXIT_CODE_ERROR, &why);
	if (!manifest_read(new_path, &new_file, &new, &why)) {
		file_free(&old_file);
		return command_failed(EXIT_CODE_ERROR, &why);
	}
	if (old_file.size == new_file.size &&
	    !memcmp(old_file.data, new_file.data, old_file.size)) {
		puts("no difference");
	} else {
		diff_headers(old.header, new.header);
		diff_sites(&old, &new);
		diff_pages(&old, &new);
	}
	file_free(&old_file);
	file_free(&new_file);
	return EXIT_CODE_OK;
}
