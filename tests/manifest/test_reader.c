/* SPDX-License-Identifier: MIT */
/* policy/manifest.c: a small manifest, the same one damaged, and the judge. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "policy/manifest.h"
#include "tests/manifest/small.h"

static struct small_manifest small;

static int fresh(void **state)
{
	(void)state;
	small_manifest(&small);
	return 0;
}

static struct manifest opened(void)
{
	struct manifest manifest;

	assert_int_equal(manifest_open(&small, sizeof(small), &manifest),
			 RW_OK);
	return manifest;
}

static void assert_refused(size_t size)
{
	struct manifest manifest, before;
	void *copy = malloc(size ? size : 1);

	assert_non_null(copy);
	memcpy(copy, &small, size);
	memset(&manifest, 0x5a, sizeof(manifest));
	before = manifest;
	assert_int_equal(manifest_open(copy, size, &manifest), RW_E_MANIFEST);
	assert_memory_equal(&manifest, &before, sizeof(before));
	free(copy);
}

static void a_whole_manifest_is_opened(void **state)
{
	struct manifest manifest = opened();

	(void)state;
	assert_int_equal(manifest.header->page_count, 3);
	assert_ptr_equal(manifest.page, small.page);
	assert_ptr_equal(manifest.relocation, small.relocation);
}

static void a_manifest_cut_anywhere_is_refused(void **state)
{
	(void)state;
	for (size_t size = 0; size < sizeof(small); size++) {
		small.header.total_size = (uint32_t)size;
		assert_refused(size);
	}
}

/** Sets a field to a bad value, and puts the good one back. */
#define REFUSE(place, bad)                          \
	do {                                        \
		__typeof__(place) good_ = (place);  \
		(place) = (__typeof__(place))(bad); \
		assert_refused(sizeof(small));      \
		(place) = good_;                    \
	} while (0)

static void a_header_out_of_bounds_is_refused(void **state)
{
	struct rw_manifest_header *h = &small.header;

	(void)state;
	REFUSE(h->magic, 1);
	REFUSE(h->version, 2);
	REFUSE(h->header_size, 112);
	REFUSE(h->reserved, 1);
	REFUSE(h->text_start, 0);
	REFUSE(h->text_end, h->text_start);
	REFUSE(h->rodata_start, h->rodata_start + 8);
	REFUSE(h->rodata_end, -4096);
	REFUSE(h->build_id_address, h->rodata_end - 8);
	REFUSE(h->syscall_entry, h->text_end);
	REFUSE(h->page_count, 4);
	REFUSE(h->range_count, UINT32_MAX);
	REFUSE(h->target_count, 0x40000000);
	REFUSE(h->site_count, 5);
	REFUSE(h->word_count, 0);
}

static void a_table_that_points_outside_is_refused(void **state)
{
	(void)state;
	REFUSE(small.page[1].first_site, 5);
	REFUSE(small.page[2].first_site, 1);
	REFUSE(small.page[0].first_relocation, 1);
	REFUSE(small.page[1].first_relocation, 5);
	REFUSE(small.range[0].end, 0x4800);
	REFUSE(small.range[0].end, 0x5001);
	REFUSE(small.list[0].first, 1);
	REFUSE(small.list[0].count, UINT32_MAX);
	REFUSE(small.target[1], 0x40);
	REFUSE(small.set[3], small.header.word_count);
	REFUSE(small.set[3], UINT32_MAX);
	REFUSE(small.site[1].set, 4);
	REFUSE(small.site[0].at, 4096);
	REFUSE(small.relocation[0], 0x020);
	REFUSE(small.relocation[0], 4 << 12 | 0x020);
}

static void sites_and_fields_that_overlap_are_refused(void **state)
{
	(void)state;
	REFUSE(small.site[1].at, 0x010);
	REFUSE(small.site[2].at, 0x002);
	REFUSE(small.site[2].at, 0x1fc);
	REFUSE(small.site[3].at, 0xff9);
	REFUSE(small.relocation[2], RW_RELOCATION_64 << 12 | 0x303);
	REFUSE(small.relocation[3], RW_RELOCATION_64 << 12 | 0xff9);
}

static void a_string_with_bad_fields_is_refused(void **state)
{
	struct rw_manifest_string *string = &small.field.string[0].string;

	(void)state;
	REFUSE(small.lock.set.classes, 0);
	REFUSE(small.lock.set.length, 0);
	REFUSE(small.lock.set.count, 0);
	REFUSE(small.field.set.count, 3);
	REFUSE(small.lock.set.reserved, 1);
	REFUSE(string->field[1].at, 3);
	REFUSE(string->field[1].at, 5);
	REFUSE(string->field[0].kind, 6);
	REFUSE(string->field[0].kind, RW_FIELD_NONE);
	REFUSE(small.call.string[0].string.value[0], 1);
	REFUSE(small.thunk.string[1].string.value[0], 16);
}

static void a_site_is_found_by_each_of_its_bytes_only(void **state)
{
	struct manifest manifest = opened();
	struct manifest_site site;

	(void)state;
	assert_false(manifest_find_site(&manifest, 0xffd, &site));
	for (uint32_t offset = 0xffe; offset < 0x1003; offset++) {
		assert_true(manifest_find_site(&manifest, offset, &site));
		assert_int_equal(site.offset, 0xffe);
		assert_int_equal(site.set.classes, RW_SITE_STATIC_CALL);
	}
	assert_false(manifest_find_site(&manifest, 0x1003, &site));
	assert_false(manifest_find_site(&manifest, 0, &site));
	assert_false(manifest_find_site(&manifest, 0x3000, &site));
	assert_false(manifest_find_site(&manifest, 0x4200, &site));
	assert_false(manifest_find_site(&manifest, UINT32_MAX, &site));
}

static void pages_and_offsets_go_both_ways(void **state)
{
	struct manifest manifest = opened();

	(void)state;
	assert_int_equal(manifest_page(&manifest, 0x1fff), 1);
	assert_int_equal(manifest_page(&manifest, 0x2000), 3);
	assert_int_equal(manifest_page(&manifest, 0x4000), 2);
	assert_int_equal(manifest_page(&manifest, 0x5000), 3);
	assert_int_equal(manifest_page_offset(&manifest, 1), 0x1000);
	assert_int_equal(manifest_page_offset(&manifest, 2), 0x4000);
}

static int judge(uint32_t offset, const void *bytes, uint64_t slide,
		 int64_t *ret_thunk)
{
	struct manifest manifest = opened();
	struct manifest_site site;

	assert_true(manifest_find_site(&manifest, offset, &site));
	return manifest_judge(&manifest, &site, bytes, slide, ret_thunk);
}

static void a_call_may_only_go_to_its_targets(void **state)
{
	uint8_t call[5] = { 0xe8 };
	int64_t thunk;

	(void)state;
	for (int32_t target = 0; target < 0x2000; target++) {
		int32_t distance = target - 0x1003;
		bool good = target == 0x40 || target == 0x80 ||
			    target == 0x1000 || target == 0x1800;

		memcpy(call + 1, &distance, sizeof(distance));
		assert_int_equal(judge(0xffe, call, 0, &thunk), good ? 0 : -1);
	}
	assert_int_equal(judge(0xffe, "\x0f\x1f\x44\x00\x00", 0, &thunk), 1);
	assert_int_equal(judge(0xffe, "\x0f\x1f\x44\x00\x01", 0, &thunk), -1);
	assert_int_equal(judge(0x010, "\x3e", 0, &thunk), 1);
	assert_int_equal(judge(0x010, "\x90", 0, &thunk), -1);
}

static void a_branch_out_of_the_image_is_told(void **state)
{
	uint8_t jump[5] = { 0xe9 };
	int32_t distance = 0x5000 - 0x1105;
	int64_t thunk;

	(void)state;
	memcpy(jump + 1, &distance, sizeof(distance));
	assert_int_equal(judge(0x1100, jump, 0, &thunk), 1);
	assert_int_equal(thunk, 0x5000);
	distance--;
	memcpy(jump + 1, &distance, sizeof(distance));
	assert_int_equal(judge(0x1100, jump, 0, &thunk), -1);
	assert_int_equal(thunk, 0);
	distance = -0x1106;
	memcpy(jump + 1, &distance, sizeof(distance));
	assert_int_equal(judge(0x1100, jump, 0, &thunk), 1);
	assert_int_equal(thunk, -1);
	distance = 0x1f00 - 0x1105;
	memcpy(jump + 1, &distance, sizeof(distance));
	assert_int_equal(judge(0x1100, jump, 0, &thunk), 0);
}

static void a_field_moves_with_the_slide(void **state)
{
	uint32_t bytes[2] = { 0x81004000 + 0x1e000000,
			      0x7f000100 - 0x1e000000 };
	int64_t thunk;

	(void)state;
	assert_int_equal(judge(0x1200, bytes, 0x1e000000, &thunk), 0);
	assert_int_equal(judge(0x1200, bytes, 0x1e001000, &thunk), -1);
	assert_int_equal(judge(0x1200, bytes, 0, &thunk), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_whole_manifest_is_opened, fresh),
		cmocka_unit_test_setup(a_manifest_cut_anywhere_is_refused,
				       fresh),
		cmocka_unit_test_setup(a_header_out_of_bounds_is_refused,
				       fresh),
		cmocka_unit_test_setup(a_table_that_points_outside_is_refused,
				       fresh),
		cmocka_unit_test_setup(
			sites_and_fields_that_overlap_are_refused, fresh),
		cmocka_unit_test_setup(a_string_with_bad_fields_is_refused,
				       fresh),
		cmocka_unit_test_setup(
			a_site_is_found_by_each_of_its_bytes_only, fresh),
		cmocka_unit_test_setup(pages_and_offsets_go_both_ways, fresh),
		cmocka_unit_test_setup(a_call_may_only_go_to_its_targets,
				       fresh),
		cmocka_unit_test_setup(a_branch_out_of_the_image_is_told,
				       fresh),
		cmocka_unit_test_setup(a_field_moves_with_the_slide, fresh),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
