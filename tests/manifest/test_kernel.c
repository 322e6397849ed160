/* SPDX-License-Identifier: MIT */
/*
 * The builder on Debian's own kernels, where the build folder has them: what it
 * makes is held against the image as the boot code leaves it at some slide, the
 * way the monitor will.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "agent/manifest/build.h"
#include "agent/manifest/verbs.h"
#include "policy/policy.h"

#define PAGE  4096U
#define SLIDE 0x1b200000ULL

/** A kernel, its manifest, and its memory from _text on as it runs. */
struct world {
	struct file file;
	struct image image;
	struct file made;
	struct manifest manifest;
	uint8_t *memory;
	size_t size;
};

/** The first kernel of these names that is there. */
static bool find_kernel(const char *name, char path[4096])
{
	const char *build = getenv("RINGWALL_BUILD");

	snprintf(path, 4096, "%s/kernel/%s/vmlinuz",
		 build ? build : KERNEL_BUILD_DIR, name);
	return !access(path, R_OK);
}

static void relocate(uint8_t *at, enum rw_relocation_kind kind, uint64_t slide)
{
	uint64_t wide;
	uint32_t narrow;

	if (kind == RW_RELOCATION_64) {
		memcpy(&wide, at, sizeof(wide));
		wide += slide;
		memcpy(at, &wide, sizeof(wide));
		return;
	}
	memcpy(&narrow, at, sizeof(narrow));
	narrow += kind == RW_RELOCATION_32 ? (uint32_t)slide : -(uint32_t)slide;
	memcpy(at, &narrow, sizeof(narrow));
}

static void boot(struct world *world)
{
	const struct rw_policy_kernel *kernel = &world->image.kernel;
	const struct image *image = &world->image;

	world->size = kernel->rodata_end - kernel->text_start;
	world->memory = malloc(world->size);
	assert_non_null(world->memory);
	memset(world->memory, 0xa5, world->size);
	for (size_t at = 0; at < world->size; at += PAGE) {
		uint64_t address = kernel->text_start + at;
		uint64_t left = image_bytes_left(image, address);

		if (left)
			memcpy(world->memory + at,
			       image_bytes(image, address,
					   left < PAGE ? left : PAGE),
			       left < PAGE ? left : PAGE);
	}
	for (size_t i = 0; i < image->relocation_count; i++) {
		uint64_t at = image->relocation[i].address - kernel->text_start;

		if (at < world->size)
			relocate(world->memory + at, image->relocation[i].kind,
				 SLIDE);
	}
}

static bool open_world(const char *name, struct world *ret)
{
	struct problem why = { "" };
	char path[4096];

	if (!find_kernel(name, path))
		return false;
	if (!manifest_kernel(path, &ret->file, &ret->image, &why) ||
	    !manifest_build(&ret->image, &ret->made, &why))
		fail_msg("%s", why.text);
	assert_int_equal(manifest_open(ret->made.data, ret->made.size,
				       &ret->manifest),
			 RW_OK);
	boot(ret);
	return true;
}

static void close_world(struct world *world)
{
	free(world->memory);
	file_free(&world->made);
	image_close(&world->image);
	file_free(&world->file);
}

/** Is page number page of a running kernel what the manifest says? */
static bool page_holds(const struct world *world, uint32_t page)
{
	const struct manifest *m = &world->manifest;
	uint32_t offset = manifest_page_offset(m, page), i, end;
	uint8_t bytes[3 * PAGE] = { 0 }, digest[RW_SHA256_SIZE];
	size_t behind = world->size - offset;

	memcpy(bytes + PAGE, world->memory + offset,
	       behind < 2 * PAGE ? behind : 2 * PAGE);
	if (page && manifest_page_offset(m, page - 1) == offset - PAGE) {
		memcpy(bytes, world->memory + offset - PAGE, PAGE);
		end = manifest_relocations(m, page - 1, &i);
		for (; i < end; i++)
			relocate(bytes + RW_RELOCATION_AT(m->relocation[i]),
				 RW_RELOCATION_KIND(m->relocation[i]), -SLIDE);
	}
	end = manifest_relocations(m, page, &i);
	for (; i < end; i++)
		relocate(bytes + PAGE + RW_RELOCATION_AT(m->relocation[i]),
			 RW_RELOCATION_KIND(m->relocation[i]), -SLIDE);
	for (uint32_t at = 0; at < PAGE; at++) {
		struct manifest_site site;
		bool open = manifest_find_site(m, offset + at, &site);

		for (uint32_t r = 0; r < m->header->range_count; r++)
			open |= offset + at >= m->range[r].start &&
				offset + at < m->range[r].end;
		if (open)
			bytes[PAGE + at] = 0;
	}
	policy_digest(bytes + PAGE, PAGE, digest);
	return !memcmp(digest, m->page[page].digest, sizeof(digest));
}

static const char *const names[] = { "stock", "cloud" };

/** Runs a check on every kernel that is there. */
static void on_kernels(void (*check)(struct world *world))
{
	int found = 0;

	for (size_t i = 0; i < 2; i++) {
		struct world world = { 0 };

		if (!open_world(names[i], &world))
			continue;
		check(&world);
		close_world(&world);
		found++;
	}
	if (!found)
		skip();
}

static void check_pages(struct world *world)
{
	for (uint32_t i = 0; i < world->manifest.header->page_count; i++)
		if (!page_holds(world, i))
			fail_msg("page %u", i);
}

static void every_page_holds_at_any_slide(void **state)
{
	(void)state;
	on_kernels(check_pages);
}

static void check_change(struct world *world)
{
	const struct manifest *m = &world->manifest;

	for (uint32_t page = 0; page < m->header->page_count; page += 97) {
		uint32_t offset = manifest_page_offset(m, page) + 1234;
		struct manifest_site site;
		bool open = manifest_find_site(m, offset, &site);

		for (uint32_t r = 0; r < m->header->range_count; r++)
			open |= offset >= m->range[r].start &&
				offset < m->range[r].end;
		world->memory[offset] ^= 0x10;
		assert_int_equal(page_holds(world, page), open);
		world->memory[offset] ^= 0x10;
	}
}

static void a_changed_byte_outside_of_sites_is_noticed(void **state)
{
	(void)state;
	on_kernels(check_change);
}

static void check_sites(struct world *world)
{
	const struct manifest *m = &world->manifest;

	for (uint32_t page = 0; page < m->header->page_count; page++) {
		uint32_t i, end = manifest_sites(m, page, &i);

		for (; i < end; i++) {
			struct manifest_site site = manifest_site(m, page, i);
			uint8_t bytes[256];
			int64_t thunk;

			memcpy(bytes, world->memory + site.offset,
			       site.set.length);
			if (manifest_judge(m, &site, bytes, SLIDE, &thunk))
				fail_msg("the file's bytes at %#x",
					 site.offset);
			memset(bytes, 0xf4, site.set.length);
			assert_int_equal(manifest_judge(m, &site, bytes, SLIDE,
							&thunk),
					 -1);
		}
	}
}

static void every_site_admits_the_file_and_no_nonsense(void **state)
{
	(void)state;
	on_kernels(check_sites);
}

static void check_counts(struct world *world)
{
	struct manifest_counts counts = manifest_count(&world->manifest);

	for (unsigned int bit = 0; bit < 8; bit++)
		assert_true(counts.sites[bit] > 1000);
	assert_true(world->made.size < 2U << 20);
}

static void every_class_has_its_sites(void **state)
{
	(void)state;
	on_kernels(check_counts);
}

static void check_again(struct world *world)
{
	struct problem why = { "" };
	struct file again;

	assert_true(manifest_build(&world->image, &again, &why));
	assert_int_equal(again.size, world->made.size);
	assert_memory_equal(again.data, world->made.data, again.size);
	file_free(&again);
}

static void two_builds_are_equal(void **state)
{
	(void)state;
	on_kernels(check_again);
}

static void check_symbols(struct world *world)
{
	const struct rw_policy_kernel *kernel = &world->image.kernel;
	struct problem why = { "" };
	struct kallsyms table;

	assert_true(kallsyms_read(&world->image, &table, &why));
	assert_int_equal(kallsyms_address(&table, "_text"), kernel->text_start);
	assert_int_equal(kallsyms_address(&table, "__start_rodata"),
			 kernel->rodata_start);
	assert_int_equal(kallsyms_address(&table, "__end_rodata"),
			 kernel->rodata_end);
	assert_int_equal(kallsyms_address(&table, "no_such_symbol"), 0);
	assert_string_equal(
		kallsyms_find(&table,
			      kallsyms_address(&table, "entry_SYSCALL_64") + 1)
			->name,
		"entry_SYSCALL_64");
	kallsyms_free(&table);
}

static void the_symbols_agree_with_the_sections(void **state)
{
	(void)state;
	on_kernels(check_symbols);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_page_holds_at_any_slide),
		cmocka_unit_test(a_changed_byte_outside_of_sites_is_noticed),
		cmocka_unit_test(every_site_admits_the_file_and_no_nonsense),
		cmocka_unit_test(every_class_has_its_sites),
		cmocka_unit_test(two_builds_are_equal),
		cmocka_unit_test(the_symbols_agree_with_the_sections),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
