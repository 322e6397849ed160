/* SPDX-License-Identifier: MIT */
/* ringwall manifest inspect: what a manifest holds, in numbers. */
#include <inttypes.h>
#include <stdio.h>

#include "agent/errors.h"
#include "agent/manifest/verbs.h"
#include "agent/policy/command.h"

bool manifest_read(const char *path, struct file *file, struct manifest *ret,
		   struct problem *why)
{
	enum rw_error error;

	if (!file_read(path, RW_MANIFEST_MAX, file, why))
		return false;
	error = manifest_open(file->data, file->size, ret);
	if (!error)
		return true;
	problem_set(why, "%s: %s", path, error_text(error));
	file_free(file);
	return false;
}

const char *manifest_class_name(unsigned int bit)
{
	static const char *const names[] = {
		"jump-label", "static-call", "ftrace", "alternative",
		"paravirt",   "retpoline",   "return", "smp-lock",
	};

	return bit < sizeof(names) / sizeof(names[0]) ? names[bit] : NULL;
}

struct manifest_counts manifest_count(const struct manifest *manifest)
{
	struct manifest_counts counts = { 0 };

	for (uint32_t i = 0; i < manifest->header->site_count; i++) {
		const uint32_t *words =
			&manifest->words[manifest->set[manifest->site[i].set]];
		const struct rw_manifest_set *set = (const void *)words;

		counts.site_bytes += set->length;
		for (unsigned int bit = 0; bit < 8; bit++)
			counts.sites[bit] += set->classes >> bit & 1;
	}
	for (uint32_t i = 0; i < manifest->header->range_count; i++)
		counts.range_bytes +=
			manifest->range[i].end - manifest->range[i].start;
	return counts;
}

static void print_manifest(const struct manifest *manifest)
{
	const struct rw_manifest_header *header = manifest->header;
	struct manifest_counts counts = manifest_count(manifest);

	fputs("build-id     ", stdout);
	print_hex(header->build_id, sizeof(header->build_id));
	printf("\ntext         %#" PRIx64 " .. %#" PRIx64 "\n",
	       header->text_start, header->text_end);
	printf("rodata       %#" PRIx64 " .. %#" PRIx64 "\n",
	       header->rodata_start, header->rodata_end);
	printf("syscall      %#" PRIx64 "\n", header->syscall_entry);
	printf("pages        %" PRIu32 "\n", header->page_count);
	printf("relocations  %" PRIu32 "\n", header->relocation_count);
	printf("sites        %" PRIu32 ", %" PRIu64 " bytes, %" PRIu32
	       " rules\n",
	       header->site_count, counts.site_bytes, header->set_count);
	for (unsigned int bit = 0; bit < 8; bit++)
		printf("  %-11s%" PRIu32 "\n", manifest_class_name(bit),
		       counts.sites[bit]);
	printf("targets      %" PRIu32 "\n", header->target_count);
	printf("unverified   %" PRIu64 " bytes\n", counts.range_bytes);
}

int manifest_inspect(int argc, char **argv)
{
	const char *path = NULL;
	const struct command_line line = { "ringwall manifest inspect FILE.rwm",
					   NULL, 0, &path, NULL };
	struct manifest manifest;
	struct problem why;
	struct file file;
	bool done;
	int status = command_parse(&line, argc, argv, &done);

	if (done)
		return status;
	if (!manifest_read(path, &file, &manifest, &why))
		return command_failed(EXIT_CODE_ERROR, &why);
	print_manifest(&manifest);
	file_free(&file);
	return EXIT_CODE_OK;
}
