/* SPDX-License-Identifier: MIT */
/* agent/policy/vmlinuz.c: the setup header of a bzImage, true and false. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "agent/policy/vmlinuz.h"
#include "tests/policy/fake_kernel.h"

static const char content[] =
	"the content of a kernel image, repeated, repeated";

static uint8_t *bzimage(size_t *ret_size)
{
	size_t size;
	uint8_t *payload =
		fake_payload(FAKE_ZSTD, content, sizeof(content), &size);
	uint8_t *image = fake_bzimage(payload, size, ret_size);

	free(payload);
	return image;
}

/** Opens an exact-size copy that must be refused; says why. */
static const char *refusal(const uint8_t *data, size_t size)
{
	static struct problem why;
	struct vmlinuz vmlinuz;
	uint8_t *copy = malloc(size ? size : 1);

	assert_non_null(copy);
	memcpy(copy, data, size);
	assert_false(vmlinuz_open(copy, size, 1 << 20, &vmlinuz, &why));
	free(copy);
	return why.text;
}

static void a_bzimage_of_every_packing_is_opened(void **state)
{
	(void)state;
	for (enum fake_packing p = 0; p < FAKE_PACKINGS; p++) {
		size_t payload_size, size;
		uint8_t *payload = fake_payload(p, content, sizeof(content),
						&payload_size);
		uint8_t *image = fake_bzimage(payload, payload_size, &size);
		struct vmlinuz vmlinuz;
		struct problem why;

		assert_true(vmlinuz_open(image, size, 1 << 20, &vmlinuz, &why));
		assert_int_equal(vmlinuz.size, sizeof(content));
		assert_memory_equal(vmlinuz.image, content, sizeof(content));
		vmlinuz_close(&vmlinuz);
		assert_null(vmlinuz.image);
		free(image);
		free(payload);
	}
}

static void zero_setup_sectors_mean_four(void **state)
{
	size_t size;
	uint8_t *image = bzimage(&size);
	uint8_t *longer = calloc(1, size + 3 * 512);
	struct vmlinuz vmlinuz;
	struct problem why;

	(void)state;
	assert_non_null(longer);
	memcpy(longer, image, 1024);
	memcpy(longer + 5 * 512, image + 1024, size - 1024);
	longer[0x1f1] = 0;
	assert_true(
		vmlinuz_open(longer, size + 3 * 512, 1 << 20, &vmlinuz, &why));
	assert_int_equal(vmlinuz.size, sizeof(content));
	vmlinuz_close(&vmlinuz);
	free(longer);
	free(image);
}

static void an_elf_file_is_taken_as_it_is(void **state)
{
	static const uint8_t elf[] = { 0x7f, 'E', 'L', 'F' };
	struct vmlinuz vmlinuz;
	struct problem why;

	(void)state;
	assert_true(vmlinuz_open(elf, sizeof(elf), 1, &vmlinuz, &why));
	assert_ptr_equal(vmlinuz.image, elf);
	assert_null(vmlinuz.owned);
	vmlinuz_close(&vmlinuz);
}

static void what_is_no_bzimage_is_refused(void **state)
{
	size_t size;
	uint8_t *image = bzimage(&size);

	(void)state;
	assert_string_equal(refusal(image, 0),
			    "neither a bzImage nor an ELF file");
	assert_string_equal(refusal(image, 0x24f),
			    "neither a bzImage nor an ELF file");
	image[0x1fe] = 0;
	assert_string_equal(refusal(image, size),
			    "neither a bzImage nor an ELF file");
	image[0x1fe] = 0x55;
	image[0x202] = 'h';
	assert_string_equal(refusal(image, size),
			    "neither a bzImage nor an ELF file");
	free(image);
}

static void an_old_boot_protocol_is_refused(void **state)
{
	size_t size;
	uint8_t *image = bzimage(&size);
	struct vmlinuz vmlinuz;
	struct problem why;

	(void)state;
	image[0x206] = 7;
	assert_string_equal(refusal(image, size),
			    "boot protocol 0x207 is older than 2.08");
	image[0x206] = 8;
	assert_true(vmlinuz_open(image, size, 1 << 20, &vmlinuz, &why));
	vmlinuz_close(&vmlinuz);
	free(image);
}

static void a_payload_outside_the_file_is_refused(void **state)
{
	static const char outside[] =
		"payload_offset and payload_length lie outside the file";
	size_t size;
	uint8_t *image = bzimage(&size);
	uint32_t length, all = 0xffffffff;

	(void)state;
	memcpy(&length, image + 0x24c, 4);
	/* The fake image has 8 bytes behind the payload. */
	length += 9;
	memcpy(image + 0x24c, &length, 4);
	assert_string_equal(refusal(image, size), outside);
	memcpy(image + 0x24c, &all, 4);
	assert_string_equal(refusal(image, size), outside);
	memcpy(image + 0x248, &all, 4);
	assert_string_equal(refusal(image, size), outside);
	image[0x1f1] = 0xff;
	memset(image + 0x248, 0, 8);
	assert_string_equal(refusal(image, size), outside);
	free(image);
}

static void every_truncation_is_refused(void **state)
{
	size_t size;
	uint8_t *image = bzimage(&size);

	(void)state;
	for (size_t cut = 0; cut < size - 8; cut++)
		refusal(image, cut);
	free(image);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_bzimage_of_every_packing_is_opened),
		cmocka_unit_test(zero_setup_sectors_mean_four),
		cmocka_unit_test(an_elf_file_is_taken_as_it_is),
		cmocka_unit_test(what_is_no_bzimage_is_refused),
		cmocka_unit_test(an_old_boot_protocol_is_refused),
		cmocka_unit_test(a_payload_outside_the_file_is_refused),
		cmocka_unit_test(every_truncation_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
