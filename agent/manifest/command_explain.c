/* SPDX-License-Identifier: MIT */
/* ringwall manifest explain: what a manifest says about one address. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent/errors.h"
#include "agent/manifest/kallsyms.h"
#include "agent/manifest/verbs.h"
#include "agent/policy/command.h"

/** A manifest, and the symbols of its kernel if there are any. */
struct view {
	const struct manifest *manifest;
	const struct kallsyms *symbols; /* or NULL */
};

static void print_address(const struct view *view, uint32_t offset)
{
	uint64_t address = view->manifest->header->text_start + offset;
	const struct kernel_symbol *symbol = NULL;

	if (view->symbols)
		symbol = kallsyms_find(view->symbols, address);
	printf("%#" PRIx64, address);
	if (symbol)
		printf(" <%s+%#" PRIx64 ">", symbol->name,
		       address - symbol->address);
}

static void print_field(const struct view *view, uint8_t kind, uint32_t value)
{
	switch (kind) {
	case RW_FIELD_TARGET:
		fputs(" [to ", stdout);
		print_address(view, value);
		putchar(']');
		break;
	case RW_FIELD_LIST:
		printf(" [to one of %" PRIu32 " functions, list %" PRIu32 "]",
		       view->manifest->list[value].count, value);
		break;
	case RW_FIELD_THUNK:
		printf(" [to a made thunk, register %" PRIu32 "]", value);
		break;
	default:
		printf(" [%#010" PRIx32 " %c slide]", value,
		       kind == RW_FIELD_ADD ? '+' : '-');
		break;
	}
}

static void print_string(const struct view *view,
			 const struct rw_manifest_string *string,
			 uint8_t length)
{
	const uint8_t *bytes = (const uint8_t *)(string + 1);
	uint32_t field = 0;

	fputs("   ", stdout);
	for (uint32_t at = 0; at < length;) {
		if (field < RW_STRING_FIELDS && string->field[field].kind &&
		    string->field[field].at == at) {
			print_field(view, string->field[field].kind,
				    string->value[field]);
			field++;
			at += 4;
			continue;
		}
		printf(" %02x", bytes[at++]);
	}
	putchar('\n');
}

static void print_site(const struct view *view,
		       const struct manifest_site *site)
{
	uint32_t words = manifest_string_words(site->set.length);

	fputs("site   ", stdout);
	print_address(view, site->offset);
	printf(", %u bytes:", site->set.length);
	for (unsigned int bit = 0; bit < 8; bit++)
		if (site->set.classes >> bit & 1)
			printf(" %s", manifest_class_name(bit));
	putchar('\n');
	for (uint32_t i = 0; i < site->set.count; i++)
		print_string(view, (const void *)(site->strings + i * words),
			     site->set.length);
}

static void print_relocation(const struct view *view, uint32_t page,
			     uint32_t offset)
{
	uint32_t i, end;

	end = manifest_relocations(view->manifest, page, &i);
	for (; i < end; i++) {
		uint16_t r = view->manifest->relocation[i];
		uint32_t start = manifest_page_offset(view->manifest, page) +
				 RW_RELOCATION_AT(r);
		uint32_t size = RW_RELOCATION_KIND(r) == RW_RELOCATION_64 ? 8 :
									    4;

		if (offset < start || offset - start >= size)
			continue;
		fputs("field  ", stdout);
		print_address(view, start);
		printf(", %" PRIu32 " bytes, the slide is %s\n", size,
		       RW_RELOCATION_KIND(r) == RW_RELOCATION_INVERSE_32 ?
			       "subtracted" :
			       "added");
	}
}

static void explain(const struct view *view, uint32_t offset)
{
	const struct manifest *manifest = view->manifest;
	uint32_t page = manifest_page(manifest, offset);
	struct manifest_site site;

	print_address(view, offset);
	printf(" is in %s, page %" PRIu32 "\ndigest ",
	       offset < manifest->header->text_end -
				       manifest->header->text_start ?
		       "the text" :
		       "the read-only data",
	       page);
	print_hex(manifest->page[page].digest, RW_SHA256_SIZE);
	putchar('\n');
	for (uint32_t i = 0; i < manifest->header->range_count; i++)
		if (offset >= manifest->range[i].start &&
		    offset < manifest->range[i].end)
			puts("not verified: not in the file, or written as the kernel boots");
	print_relocation(view, page, offset);
	if (manifest_find_site(manifest, offset, &site))
		print_site(view, &site);
}

static bool read_address(const char *text, const struct manifest *manifest,
			 uint32_t *ret, struct problem *why)
{
	uint64_t start = manifest->header->text_start, address;
	char *end;

	errno = 0;
	address = strtoull(text, &end, 16);
	if (errno || *end || end == text || *text == '-') {
		problem_set(why, "%s: not a hexadecimal address", text);
		return false;
	}
	if (address < start || address - start > UINT32_MAX ||
	    manifest_page(manifest, (uint32_t)(address - start)) ==
		    manifest->header->page_count) {
		problem_set(why, "%s: in neither text nor read-only data",
			    text);
		return false;
	}
	*ret = (uint32_t)(address - start);
	return true;
}

/** With the symbols of a kernel file, if one is given. */
static int explain_with(const char *kernel, const struct manifest *manifest,
			uint32_t offset)
{
	struct view view = { manifest, NULL };
	struct kallsyms symbols;
	struct problem why;
	struct image image;
	struct file file;

	if (!kernel) {
		explain(&view, offset);
		return EXIT_CODE_OK;
	}
	if (!manifest_kernel(kernel, &file, &image, &why))
		return command_failed(EXIT_CODE_ERROR, &why);
	if (!kallsyms_read(&image, &symbols, &why)) {
		image_close(&image);
		file_free(&file);
		return command_failed(EXIT_CODE_ERROR, &why);
	}
	view.symbols = &symbols;
	explain(&view, offset);
	kallsyms_free(&symbols);
	image_close(&image);
	file_free(&file);
	return EXIT_CODE_OK;
}

int manifest_explain(int argc, char **argv)
{
	const char *path = NULL, *address = NULL, *kernel = NULL;
	const struct option_row options[] = { { 'k', "kernel", &kernel } };
	const struct command_line line = {
		"ringwall manifest explain [--kernel VMLINUZ] FILE.rwm ADDRESS",
		options, 1, &path, &address
	};
	struct manifest manifest;
	struct problem why;
	struct file file;
	uint32_t offset;
	bool done;
	int status = command_parse(&line, argc, argv, &done);

	if (done)
		return status;
	if (!manifest_read(path, &file, &manifest, &why))
		return command_failed(EXIT_CODE_ERROR, &why);
	if (read_address(address, &manifest, &offset, &why))
		status = explain_with(kernel, &manifest, offset);
	else
		status = command_failed(EXIT_CODE_ERROR, &why);
	file_free(&file);
	return status;
}
