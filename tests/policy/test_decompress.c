/* SPDX-License-Identifier: MIT */
/* agent/policy/decompress.c: four formats, packed here, then damaged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "agent/policy/decompress.h"
#include "tests/policy/fake_kernel.h"

#define SIZE 20000

static uint8_t original[SIZE];

static int fill_original(void **state)
{
	(void)state;
	for (size_t i = 0; i < SIZE; i++)
		original[i] = (uint8_t)((i * 2654435761U >> 13) % 29);
	return 0;
}

/** Unpacks an exact-size copy; a failure must say why and set nothing. */
static bool unpack(const uint8_t *data, size_t size, size_t max, uint8_t **ret,
		   size_t *ret_size, struct problem *why)
{
	uint8_t *copy = malloc(size ? size : 1);
	bool good;

	assert_non_null(copy);
	memcpy(copy, data, size);
	*ret = NULL;
	why->text[0] = '\0';
	good = decompress_payload(copy, size, max, ret, ret_size, why);
	free(copy);
	if (!good) {
		assert_null(*ret);
		assert_true(why->text[0]);
	}
	return good;
}

static bool is_refused(const uint8_t *data, size_t size, struct problem *why)
{
	size_t unpacked;
	uint8_t *out;
	bool good = unpack(data, size, 1 << 20, &out, &unpacked, why);

	free(out);
	return !good;
}

static void every_format_comes_back_as_it_was(void **state)
{
	(void)state;
	for (enum fake_packing p = 0; p < FAKE_PACKINGS; p++) {
		size_t size, unpacked;
		uint8_t *payload = fake_payload(p, original, SIZE, &size);
		struct problem why;
		uint8_t *out;

		assert_true(unpack(payload, size, SIZE, &out, &unpacked, &why));
		assert_int_equal(unpacked, SIZE);
		assert_memory_equal(out, original, SIZE);
		free(out);
		free(payload);
	}
}

static void lz4_of_several_blocks_comes_back(void **state)
{
	const size_t large = (8 << 20) + 12345;
	uint8_t *data = calloc(1, large);
	size_t size, unpacked;
	struct problem why;
	uint8_t *payload, *out;

	(void)state;
	assert_non_null(data);
	data[large - 1] = 7;
	payload = fake_payload(FAKE_LZ4, data, large, &size);
	assert_true(unpack(payload, size, large, &out, &unpacked, &why));
	assert_int_equal(unpacked, large);
	assert_memory_equal(out, data, large);
	free(out);
	free(payload);
	free(data);
}

static void every_truncation_is_refused(void **state)
{
	(void)state;
	for (enum fake_packing p = 0; p < FAKE_PACKINGS; p++) {
		size_t size;
		uint8_t *payload = fake_payload(p, original, SIZE, &size);
		struct problem why;

		for (size_t cut = 0; cut < size; cut += 1 + cut / 64)
			assert_true(is_refused(payload, cut, &why));
		free(payload);
	}
}

static void bytes_behind_the_stream_are_refused(void **state)
{
	(void)state;
	for (enum fake_packing p = 0; p < FAKE_PACKINGS; p++) {
		size_t size;
		uint8_t *payload = fake_payload(p, original, SIZE, &size);
		struct problem why;

		/* There is room behind what was packed. */
		memmove(payload + size, payload + size - 4, 4);
		assert_true(is_refused(payload, size + 4, &why));
		free(payload);
	}
}

static void a_size_that_is_not_what_comes_out_is_refused(void **state)
{
	static const int differences[] = { -1, 1, 100 };

	(void)state;
	for (enum fake_packing p = 0; p < FAKE_PACKINGS; p++)
		for (size_t i = 0; i < 3; i++) {
			size_t size;
			uint8_t *payload =
				fake_payload(p, original, SIZE, &size);
			uint32_t said = SIZE + differences[i];
			struct problem why;

			memcpy(payload + size - 4, &said, 4);
			assert_true(is_refused(payload, size, &why));
			assert_non_null(strstr(why.text, "damaged"));
			free(payload);
		}
}

static void no_more_than_max_is_unpacked(void **state)
{
	(void)state;
	for (enum fake_packing p = 0; p < FAKE_PACKINGS; p++) {
		size_t size, unpacked;
		uint8_t *payload = fake_payload(p, original, SIZE, &size);
		struct problem why;
		uint8_t *out;

		assert_false(
			unpack(payload, size, SIZE - 1, &out, &unpacked, &why));
		assert_string_equal(
			why.text, "the payload says it unpacks to 20000 bytes");
		memset(payload + size - 4, 0, 4);
		assert_false(
			unpack(payload, size, SIZE, &out, &unpacked, &why));
		free(payload);
	}
}

static void damage_that_a_checksum_covers_is_refused(void **state)
{
	/* zstd and LZ4 legacy frames as the kernel build makes carry none. */
	static const enum fake_packing covered[] = { FAKE_GZIP, FAKE_XZ };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		size_t size;
		uint8_t *payload =
			fake_payload(covered[i], original, SIZE, &size);
		struct problem why;

		payload[size / 2] ^= 0x10;
		assert_true(is_refused(payload, size, &why));
		free(payload);
	}
}

static void an_lz4_block_that_lies_about_its_size_is_refused(void **state)
{
	size_t size;
	uint8_t *payload = fake_payload(FAKE_LZ4, original, SIZE, &size);
	uint32_t packed, lies[] = { 0, 1, 0x7fffffff, 0xffffffff };
	struct problem why;

	(void)state;
	memcpy(&packed, payload + 4, 4);
	for (size_t i = 0; i < 4; i++) {
		memcpy(payload + 4, &lies[i], 4);
		assert_true(is_refused(payload, size, &why));
	}
	packed++;
	memcpy(payload + 4, &packed, 4);
	assert_true(is_refused(payload, size, &why));
	free(payload);
}

static void a_format_that_cannot_be_read_is_named(void **state)
{
	static const uint8_t bzip2[16] = "BZh9";
	static const uint8_t lzop[16] = { 0x89, 'L', 'Z', 'O' };
	static const uint8_t lzma[16] = { 0x5d };
	static const uint8_t other[16] = { 1, 2, 3 };
	struct problem why;

	(void)state;
	assert_true(is_refused(bzip2, sizeof(bzip2), &why));
	assert_string_equal(why.text, "the payload is packed with bzip2");
	assert_true(is_refused(lzop, sizeof(lzop), &why));
	assert_string_equal(why.text, "the payload is packed with lzop");
	assert_true(is_refused(lzma, sizeof(lzma), &why));
	assert_string_equal(why.text, "the payload is packed with lzma");
	assert_true(is_refused(other, sizeof(other), &why));
	assert_string_equal(why.text,
			    "the payload is packed with an unknown format");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_format_comes_back_as_it_was),
		cmocka_unit_test(lz4_of_several_blocks_comes_back),
		cmocka_unit_test(every_truncation_is_refused),
		cmocka_unit_test(bytes_behind_the_stream_are_refused),
		cmocka_unit_test(a_size_that_is_not_what_comes_out_is_refused),
		cmocka_unit_test(no_more_than_max_is_unpacked),
		cmocka_unit_test(damage_that_a_checksum_covers_is_refused),
		cmocka_unit_test(
			an_lz4_block_that_lies_about_its_size_is_refused),
		cmocka_unit_test(a_format_that_cannot_be_read_is_named),
	};

	return cmocka_run_group_tests(tests, fill_original, NULL);
}
