/* SPDX-License-Identifier: MIT */
/*
 * agent/policy/kernel.c: a small kernel, the same one damaged, and Debian's own
 * where the build folder has them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "agent/policy/kernel.h"
#include "policy/policy.h"
#include "tests/policy/fake_kernel.h"
#include "tests/policy/scratch.h"

/** Describes an exact-size copy of an image. */
static bool describe(const void *image, size_t size,
		     struct rw_policy_kernel *ret, struct problem *why)
{
	uint8_t *copy = malloc(size ? size : 1);
	struct kernel_image *kernel;
	bool good = false;

	assert_non_null(copy);
	memcpy(copy, image, size);
	kernel = kernel_open(copy, size, why);
	if (kernel) {
		good = kernel_describe(kernel, ret, why);
		kernel_close(kernel);
	}
	free(copy);
	return good;
}

static const char *refusal(const struct fake_kernel *fake)
{
	static struct problem why;
	struct rw_policy_kernel result, before;

	memset(&result, 0x5a, sizeof(result));
	before = result;
	why.text[0] = '\0';
	assert_false(describe(fake, sizeof(*fake), &result, &why));
	assert_memory_equal(&result, &before, sizeof(before));
	assert_true(why.text[0]);
	return why.text;
}

static void check_fake(const struct rw_policy_kernel *kernel)
{
	assert_int_equal(kernel->record.type, RW_RECORD_KERNEL);
	assert_int_equal(kernel->record.size, sizeof(*kernel));
	assert_int_equal(kernel->text_start, FAKE_TEXT_START);
	assert_int_equal(kernel->text_end, FAKE_TEXT_START + 0x2000);
	assert_int_equal(kernel->rodata_start, FAKE_RODATA_START);
	assert_int_equal(kernel->rodata_end, FAKE_RODATA_START + 0x4000);
	assert_int_equal(kernel->build_id[0], 0xa0);
	assert_int_equal(kernel->build_id[19], 0xb3);
	/* Behind the first note: 12 + 8 + 4, then 12 + 4 of its own. */
	assert_int_equal(kernel->build_id_address, FAKE_NOTES_START + 40);
}

static void a_kernel_is_described(void **state)
{
	struct rw_policy_kernel result;
	struct fake_kernel fake;
	struct problem why;

	(void)state;
	fake_kernel(&fake);
	assert_true(describe(&fake, sizeof(fake), &result, &why));
	check_fake(&result);
}

static void relocations_behind_the_elf_file_do_not_matter(void **state)
{
	struct {
		struct fake_kernel fake;
		uint32_t relocations[100];
	} image = { .relocations = { 1 } };
	struct rw_policy_kernel result;
	struct problem why;

	(void)state;
	fake_kernel(&image.fake);
	assert_true(describe(&image, sizeof(image), &result, &why));
	check_fake(&result);
}

static void a_kernel_file_of_every_packing_is_described(void **state)
{
	struct fake_kernel fake;

	(void)state;
	fake_kernel(&fake);
	for (enum fake_packing p = 0; p < FAKE_PACKINGS; p++) {
		size_t payload_size, size;
		uint8_t *payload =
			fake_payload(p, &fake, sizeof(fake), &payload_size);
		uint8_t *image = fake_bzimage(payload, payload_size, &size);
		const char *path =
			scratch_write(fake_packing_names[p], image, size);
		struct rw_policy_kernel result;
		struct problem why;

		assert_true(kernel_describe_file(path, &result, &why));
		check_fake(&result);
		free(image);
		free(payload);
	}
}

static void a_file_that_is_no_kernel_is_named(void **state)
{
	const char *empty = scratch_text("empty", "");
	const char *text = scratch_text("text", "not a kernel");
	struct rw_policy_kernel result;
	struct problem why;
	char expected[600];

	(void)state;
	assert_false(kernel_describe_file(scratch("none"), &result, &why));
	assert_non_null(strstr(why.text, "none: No such file"));
	assert_false(kernel_describe_file(empty, &result, &why));
	assert_non_null(strstr(why.text, "empty: cannot be read, empty"));
	assert_false(kernel_describe_file(scratch(""), &result, &why));
	assert_false(kernel_describe_file(text, &result, &why));
	snprintf(expected, sizeof(expected),
		 "%s: neither a bzImage nor an ELF file", text);
	assert_string_equal(why.text, expected);
}

static void another_machine_class_or_type_is_refused(void **state)
{
	struct fake_kernel fake;

	(void)state;
	fake_kernel(&fake);
	fake.header.e_machine = EM_AARCH64;
	assert_string_equal(refusal(&fake), "not an x86-64 kernel");
	fake_kernel(&fake);
	fake.header.e_type = ET_REL;
	assert_string_equal(refusal(&fake), "not an x86-64 kernel");
	fake_kernel(&fake);
	fake.header.e_ident[EI_CLASS] = ELFCLASS32;
	refusal(&fake);
	fake_kernel(&fake);
	fake.header.e_ident[EI_DATA] = ELFDATA2MSB;
	refusal(&fake);
	fake_kernel(&fake);
	fake.header.e_ident[0] = 0;
	assert_string_equal(refusal(&fake), "not an ELF64 file");
}

static void a_missing_section_is_named(void **state)
{
	static const enum fake_section needed[] = { FAKE_TEXT, FAKE_RODATA,
						    FAKE_DATA, FAKE_NOTES };
	static const char *const names[] = { ".text", ".rodata", ".data",
					     ".notes" };

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		struct fake_kernel fake;
		char expected[64];

		snprintf(expected, sizeof(expected), "there is no section %s",
			 names[i]);
		fake_kernel(&fake);
		fake.section[needed[i]].sh_name = 0;
		assert_string_equal(refusal(&fake), expected);
		/* One that is not loaded does not count. */
		fake_kernel(&fake);
		fake.section[needed[i]].sh_flags = 0;
		assert_string_equal(refusal(&fake), expected);
	}
}

static void a_section_outside_the_file_is_refused(void **state)
{
	struct fake_kernel fake;

	(void)state;
	fake_kernel(&fake);
	fake.section[FAKE_TEXT].sh_offset = sizeof(fake) - 0x1233;
	assert_string_equal(refusal(&fake),
			    "section .text lies outside the file");
	fake_kernel(&fake);
	fake.section[FAKE_NOTES].sh_offset = UINT64_MAX - 8;
	assert_string_equal(refusal(&fake),
			    "section .notes lies outside the file");
	fake_kernel(&fake);
	fake.section[FAKE_NOTES].sh_size = UINT64_MAX - 8;
	assert_string_equal(refusal(&fake),
			    "section .notes lies outside the file");
	fake_kernel(&fake);
	fake.section[FAKE_RODATA].sh_type = SHT_NOBITS;
	fake.section[FAKE_RODATA].sh_size = 0x7effffff;
	assert_string_equal(refusal(&fake),
			    "section .rodata lies outside the file");
	fake_kernel(&fake);
	fake.section[FAKE_PARAM].sh_size = UINT64_MAX - 8;
	assert_string_equal(
		refusal(&fake),
		"a section of the read-only data lies outside the file");
}

static void sections_in_another_order_are_refused(void **state)
{
	static const char order[] =
		".text, .rodata and .data are not in this order on pages of their own";
	struct fake_kernel fake;

	(void)state;
	fake_kernel(&fake);
	fake.section[FAKE_TEXT].sh_addr = FAKE_DATA_START + 0x10000;
	assert_string_equal(refusal(&fake), order);
	fake_kernel(&fake);
	fake.section[FAKE_TEXT].sh_addr += 8;
	assert_string_equal(refusal(&fake), order);
	fake_kernel(&fake);
	fake.section[FAKE_RODATA].sh_addr += 8;
	assert_string_equal(refusal(&fake), order);
	fake_kernel(&fake);
	fake.section[FAKE_RODATA].sh_addr = FAKE_TEXT_START + 0x1000;
	assert_string_equal(refusal(&fake), order);
	/* Read-only data that shares its last page with what is written. */
	fake_kernel(&fake);
	fake.section[FAKE_DATA].sh_addr = FAKE_RODATA_START + 0x3800;
	assert_string_equal(refusal(&fake), order);
}

static void regions_may_touch(void **state)
{
	struct rw_policy_kernel result;
	struct fake_kernel fake;
	struct problem why;

	(void)state;
	fake_kernel(&fake);
	fake.section[FAKE_TEXT].sh_addr = FAKE_RODATA_START - 0x2000;
	fake.section[FAKE_DATA].sh_addr = FAKE_RODATA_START + 0x4000;
	assert_true(describe(&fake, sizeof(fake), &result, &why));
	assert_int_equal(result.text_end, result.rodata_start);
	assert_int_equal(result.rodata_end, FAKE_RODATA_START + 0x4000);
}

static void a_damaged_note_is_refused(void **state)
{
	static const char none[] =
		"no GNU build-id of 20 bytes in section .notes";
	struct fake_kernel fake;

	(void)state;
	fake_kernel(&fake);
	fake.notes.header.n_type = NT_GNU_ABI_TAG;
	assert_string_equal(refusal(&fake), none);
	fake_kernel(&fake);
	fake.notes.header.n_descsz = 16;
	assert_string_equal(refusal(&fake), none);
	fake_kernel(&fake);
	fake.notes.header.n_descsz = 0xffffffff;
	assert_string_equal(refusal(&fake), none);
	fake_kernel(&fake);
	fake.notes.header.n_namesz = 0xffffffff;
	assert_string_equal(refusal(&fake), none);
	fake_kernel(&fake);
	fake.notes.first.n_namesz = 0xfffffffd;
	assert_string_equal(refusal(&fake), none);
	fake_kernel(&fake);
	fake.notes.name[0] = 'g';
	assert_string_equal(refusal(&fake), none);
	fake_kernel(&fake);
	fake.section[FAKE_NOTES].sh_size -= 1;
	assert_string_equal(refusal(&fake), none);
	fake_kernel(&fake);
	fake.section[FAKE_NOTES].sh_size = 0;
	assert_string_equal(refusal(&fake), none);
	fake_kernel(&fake);
	fake.section[FAKE_NOTES].sh_type = SHT_NOBITS;
	assert_string_equal(refusal(&fake), none);
}

static void every_truncation_is_refused(void **state)
{
	struct rw_policy_kernel result;
	struct fake_kernel fake;
	struct problem why;

	(void)state;
	fake_kernel(&fake);
	/* What is cut last are the section names. */
	for (size_t size = 0; size < sizeof(fake) - sizeof(fake.names);
	     size += 7)
		assert_false(describe(&fake, size, &result, &why));
}

/** The policy library must take what was read from a real kernel. */
static void check_real(const char *name, const char *path)
{
	struct rw_policy_kernel kernel;
	struct problem why;
	struct {
		struct rw_policy_header header;
		struct rw_policy_kernel kernel;
		struct rw_policy_rule rule;
	} body = {
		{ RW_POLICY_MAGIC, RW_POLICY_VERSION, sizeof(body.header),
		  sizeof(body), 1, 0, 2, "real" },
		.rule = { { RW_RECORD_RULE, sizeof(body.rule) },
			  1,
			  RW_TARGET_KERNEL_TEXT,
			  RW_MODE_ENFORCE,
			  RW_ACTION_FAULT,
			  0,
			  1,
			  "text" },
	};
	struct policy policy;

	if (!kernel_describe_file(path, &kernel, &why))
		fail_msg("%s: %s", name, why.text);
	body.kernel = kernel;
	assert_int_equal(policy_parse(&body, sizeof(body), &policy), RW_OK);
	assert_int_equal(kernel.text_start, 0xffffffff81000000);
	assert_true(kernel.text_end - kernel.text_start > 8 << 20);
	assert_true(kernel.rodata_end - kernel.rodata_start > 4 << 20);
}

static void debians_kernels_are_described(void **state)
{
	const char *build = getenv("RINGWALL_BUILD");
	static const char *const names[] = { "stock", "cloud" };
	char path[4096];
	int found = 0;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/kernel/%s/vmlinuz",
			 build ? build : KERNEL_BUILD_DIR, names[i]);
		if (access(path, R_OK))
			continue;
		check_real(names[i], path);
		found++;
	}
	if (!found)
		skip();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_kernel_is_described),
		cmocka_unit_test(relocations_behind_the_elf_file_do_not_matter),
		cmocka_unit_test_setup_teardown(
			a_kernel_file_of_every_packing_is_described,
			scratch_open, scratch_close),
		cmocka_unit_test_setup_teardown(
			a_file_that_is_no_kernel_is_named, scratch_open,
			scratch_close),
		cmocka_unit_test(another_machine_class_or_type_is_refused),
		cmocka_unit_test(a_missing_section_is_named),
		cmocka_unit_test(a_section_outside_the_file_is_refused),
		cmocka_unit_test(sections_in_another_order_are_refused),
		cmocka_unit_test(regions_may_touch),
		cmocka_unit_test(a_damaged_note_is_refused),
		cmocka_unit_test(every_truncation_is_refused),
		cmocka_unit_test(debians_kernels_are_described),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
