/* SPDX-License-Identifier: MIT */
/* driver/elf.c: a good image is placed right, a damaged one refused by name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <ringwall/ioctl.h>

#include "driver/elf.h"
#include "tests/driver/sample.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define ADDRESS	      0xffff800000200000ULL

/*
 * Checks an exact-size copy, so that a sanitizer sees a read behind the end,
 * and that a refusal left the output alone.
 */
static enum rw_error check(const void *file, uint64_t size)
{
	struct elf_image image, before;
	uint8_t *copy = malloc(size ? size : 1);
	enum rw_error error;

	assert_non_null(copy);
	memcpy(copy, file, size);
	memset(&image, 0x5a, sizeof(image));
	before = image;
	error = elf_check(copy, size, &image);
	if (error)
		assert_memory_equal(&image, &before, sizeof(before));
	free(copy);
	return error;
}

static void a_good_image_is_described(void **state)
{
	struct sample s = sample();
	struct elf_image image;

	(void)state;
	assert_int_equal(elf_check(&s, sizeof(s), &image), RW_OK);
	assert_ptr_equal(image.file, &s);
	assert_int_equal(image.entry, SAMPLE_ENTRY);
	assert_int_equal(image.span, SAMPLE_SPAN);
	assert_int_equal(image.segment_count, 3);
	assert_int_equal(image.rela_count, 2);
	assert_false(image.segment[SAMPLE_HEADERS].write);
	assert_false(image.segment[SAMPLE_HEADERS].execute);
	assert_false(image.segment[SAMPLE_TEXT].write);
	assert_true(image.segment[SAMPLE_TEXT].execute);
	assert_true(image.segment[SAMPLE_DATA].write);
	assert_false(image.segment[SAMPLE_DATA].execute);
}

static void a_good_image_is_placed_and_relocated(void **state)
{
	struct sample s = sample();
	struct elf_image image;
	uint8_t *place = malloc(SAMPLE_SPAN);
	struct sample *placed = (struct sample *)(void *)place;
	size_t i;

	(void)state;
	assert_non_null(place);
	memset(place, 0x77, SAMPLE_SPAN);
	assert_int_equal(elf_check(&s, sizeof(s), &image), RW_OK);
	elf_place(&image, place, ADDRESS);

	assert_memory_equal(&placed->header, &s.header, sizeof(s.header));
	assert_memory_equal(placed->text, s.text, sizeof(s.text));
	assert_memory_equal(placed->data, s.data, sizeof(s.data));
	assert_true(placed->constant == ADDRESS + SAMPLE_PAGE);
	assert_true(placed->pointer ==
		    ADDRESS + 2 * SAMPLE_PAGE + SAMPLE_DATA_TOTAL - 1);
	for (i = 2 * SAMPLE_PAGE + SAMPLE_DATA_SIZE; i < SAMPLE_SPAN; i++)
		assert_int_equal(place[i], 0);
	for (i = offsetof(struct sample, pad0); i < SAMPLE_PAGE; i++)
		assert_int_equal(place[i], 0);
	free(place);
}

static void an_image_without_relocations_is_placed_as_it_is(void **state)
{
	struct sample s = sample();
	struct elf_image image;
	uint8_t *place = malloc(SAMPLE_SPAN);

	(void)state;
	assert_non_null(place);
	s.segment[SAMPLE_DYNAMIC].p_type = PT_NULL;
	assert_int_equal(elf_check(&s, sizeof(s), &image), RW_OK);
	assert_int_equal(image.rela_count, 0);
	elf_place(&image, place, ADDRESS);
	assert_memory_equal(place + 2 * SAMPLE_PAGE, s.dynamic,
			    SAMPLE_DATA_SIZE);
	free(place);
}

static void a_page_belongs_to_its_segment_and_a_gap_to_none(void **state)
{
	struct sample s = sample();
	struct elf_image image;

	(void)state;
	s.segment[SAMPLE_DATA].p_vaddr += SAMPLE_PAGE;
	s.segment[SAMPLE_DYNAMIC].p_type = PT_NULL;
	assert_int_equal(elf_check(&s, sizeof(s), &image), RW_OK);
	assert_ptr_equal(elf_segment_at(&image, 0), &image.segment[0]);
	assert_ptr_equal(elf_segment_at(&image, SAMPLE_PAGE - 1),
			 &image.segment[0]);
	assert_ptr_equal(elf_segment_at(&image, SAMPLE_PAGE),
			 &image.segment[1]);
	assert_null(elf_segment_at(&image, 2 * SAMPLE_PAGE));
	assert_ptr_equal(elf_segment_at(&image, 3 * SAMPLE_PAGE),
			 &image.segment[2]);
	assert_ptr_equal(elf_segment_at(&image, 5 * SAMPLE_PAGE - 1),
			 &image.segment[2]);
	assert_null(elf_segment_at(&image, 5 * SAMPLE_PAGE));
}

static void an_image_cut_anywhere_is_refused(void **state)
{
	struct sample s = sample();
	size_t size;

	(void)state;
	for (size = 0; size < sizeof(s); size++)
		assert_int_equal(check(&s, size), RW_E_IMAGE_SIZE);
}

static void an_image_cut_in_a_segment_is_refused_without_sections(void **state)
{
	struct sample s = sample();
	const size_t end = offsetof(struct sample, section);

	(void)state;
	s.header.e_shoff = 0;
	s.header.e_shnum = 0;
	s.header.e_shstrndx = 0;
	assert_int_equal(check(&s, end), RW_OK);
	assert_int_equal(check(&s, end - 1), RW_E_IMAGE_SEGMENT);
	assert_int_equal(check(&s, SAMPLE_PAGE), RW_E_IMAGE_SEGMENT);
}

static void an_oversized_image_is_refused(void **state)
{
	struct sample s = sample();
	uint8_t *big = calloc(1, RW_IMAGE_MAX + 1);

	(void)state;
	assert_non_null(big);
	memcpy(big, &s, sizeof(s));
	assert_int_equal(check(big, RW_IMAGE_MAX), RW_OK);
	assert_int_equal(check(big, RW_IMAGE_MAX + 1), RW_E_IMAGE_SIZE);
	free(big);
}

static void more_segments_than_the_loader_holds_are_refused(void **state)
{
	struct sample s = sample();
	Elf64_Phdr *many = (Elf64_Phdr *)(void *)s.text;
	uint32_t i;

	(void)state;
	for (i = 0; i < ELF_SEGMENTS + 1; i++) {
		many[i] = s.segment[SAMPLE_TEXT];
		many[i].p_vaddr = (1 + i) * SAMPLE_PAGE;
	}
	s.header.e_phoff = offsetof(struct sample, text);
	s.header.e_phnum = ELF_SEGMENTS;
	assert_int_equal(check(&s, sizeof(s)), RW_OK);
	s.header.e_phnum = ELF_SEGMENTS + 1;
	assert_int_equal(check(&s, sizeof(s)), RW_E_IMAGE_SEGMENT);
}

static void an_image_without_a_segment_is_refused(void **state)
{
	struct sample s = sample();
	uint32_t i;

	(void)state;
	for (i = 0; i < SAMPLE_SEGMENTS; i++)
		s.segment[i].p_type = PT_NULL;
	assert_int_equal(check(&s, sizeof(s)), RW_E_IMAGE_SEGMENT);
}

/* One field of the sample set to a value, and the error that names it. */
struct refusal {
	size_t offset;
	size_t size;
	uint64_t value;
	enum rw_error error;
};

static void refused(void **state)
{
	const struct refusal *r = *state;
	struct sample s = sample();

	assert_int_equal(check(&s, sizeof(s)), RW_OK);
	memcpy((uint8_t *)&s + r->offset, &r->value, r->size);
	assert_int_equal(check(&s, sizeof(s)), r->error);
}

#define FIELD_SIZE(field) sizeof(((struct sample *)0)->field)

#define REFUSED(sentence, field, bad, why)                                   \
	{                                                                    \
		.name = #sentence, .test_func = refused,                     \
		.initial_state = &(struct refusal)                           \
		{                                                            \
			.offset = offsetof(struct sample, field),            \
			.size = FIELD_SIZE(field), .value = (uint64_t)(bad), \
			.error = (why),                                      \
		}                                                            \
	}

static const struct CMUnitTest header_tests[] = {
	REFUSED(a_wrong_magic_is_refused, header.e_ident[EI_MAG1], 'F',
		RW_E_IMAGE_MAGIC),
	REFUSED(a_32_bit_image_is_refused, header.e_ident[EI_CLASS], ELFCLASS32,
		RW_E_IMAGE_MAGIC),
	REFUSED(a_big_endian_image_is_refused, header.e_ident[EI_DATA],
		ELFDATA2MSB, RW_E_IMAGE_MAGIC),
	REFUSED(an_unknown_header_version_is_refused,
		header.e_ident[EI_VERSION], 2, RW_E_IMAGE_MAGIC),
	REFUSED(an_image_for_an_operating_system_is_refused,
		header.e_ident[EI_OSABI], ELFOSABI_GNU, RW_E_IMAGE_MACHINE),
	REFUSED(bytes_in_the_padding_of_the_identity_are_refused,
		header.e_ident[EI_NIDENT - 1], 1, RW_E_IMAGE_MACHINE),
	REFUSED(an_image_of_fixed_address_is_refused, header.e_type, ET_EXEC,
		RW_E_IMAGE_MACHINE),
	REFUSED(an_object_file_is_refused, header.e_type, ET_REL,
		RW_E_IMAGE_MACHINE),
	REFUSED(an_image_for_another_machine_is_refused, header.e_machine,
		EM_AARCH64, RW_E_IMAGE_MACHINE),
	REFUSED(an_unknown_version_is_refused, header.e_version, 2,
		RW_E_IMAGE_MACHINE),
	REFUSED(unknown_machine_flags_are_refused, header.e_flags, 1,
		RW_E_IMAGE_HEADER),
	REFUSED(a_header_of_wrong_size_is_refused, header.e_ehsize, 63,
		RW_E_IMAGE_HEADER),
	REFUSED(program_headers_of_wrong_size_are_refused, header.e_phentsize,
		32, RW_E_IMAGE_HEADER),
	REFUSED(no_program_headers_are_refused, header.e_phnum, 0,
		RW_E_IMAGE_HEADER),
	REFUSED(too_many_program_headers_are_refused, header.e_phnum,
		ELF_HEADERS + 1, RW_E_IMAGE_HEADER),
	REFUSED(program_headers_over_the_header_are_refused, header.e_phoff, 8,
		RW_E_IMAGE_HEADER),
	REFUSED(misaligned_program_headers_are_refused, header.e_phoff, 68,
		RW_E_IMAGE_HEADER),
	REFUSED(program_headers_behind_the_end_are_refused, header.e_phoff,
		sizeof(struct sample) - 8, RW_E_IMAGE_SIZE),
	REFUSED(program_headers_that_wrap_around_are_refused, header.e_phoff,
		-8LL, RW_E_IMAGE_SIZE),
	REFUSED(section_headers_that_wrap_around_are_refused, header.e_shoff,
		-8LL, RW_E_IMAGE_SIZE),
	REFUSED(section_headers_over_the_header_are_refused, header.e_shoff, 8,
		RW_E_IMAGE_HEADER),
	REFUSED(section_headers_of_wrong_size_are_refused, header.e_shentsize,
		40, RW_E_IMAGE_HEADER),
	REFUSED(a_name_section_that_is_not_there_is_refused, header.e_shstrndx,
		2, RW_E_IMAGE_HEADER),
	REFUSED(a_place_of_no_section_headers_is_refused, header.e_shnum, 0,
		RW_E_IMAGE_HEADER),
	REFUSED(an_entry_in_data_is_refused, header.e_entry, 2 * SAMPLE_PAGE,
		RW_E_IMAGE_ENTRY),
	REFUSED(an_entry_in_constants_is_refused, header.e_entry, 0,
		RW_E_IMAGE_ENTRY),
	REFUSED(an_entry_outside_is_refused, header.e_entry, SAMPLE_SPAN,
		RW_E_IMAGE_ENTRY),
	REFUSED(an_entry_at_the_top_of_memory_is_refused, header.e_entry, -1LL,
		RW_E_IMAGE_ENTRY),
};

static const struct CMUnitTest segment_tests[] = {
	REFUSED(writable_text_is_refused, segment[SAMPLE_TEXT].p_flags,
		PF_R | PF_W | PF_X, RW_E_IMAGE_WX),
	REFUSED(executable_data_is_refused, segment[SAMPLE_DATA].p_flags,
		PF_R | PF_W | PF_X, RW_E_IMAGE_WX),
	REFUSED(an_executable_stack_is_refused, segment[SAMPLE_STACK].p_flags,
		PF_R | PF_W | PF_X, RW_E_IMAGE_WX),
	REFUSED(a_segment_without_read_is_refused, segment[SAMPLE_TEXT].p_flags,
		PF_X, RW_E_IMAGE_HEADER),
	REFUSED(unknown_rights_are_refused, segment[SAMPLE_TEXT].p_flags,
		PF_R | 8, RW_E_IMAGE_HEADER),
	REFUSED(an_interpreter_is_refused, segment[SAMPLE_STACK].p_type,
		PT_INTERP, RW_E_IMAGE_HEADER),
	REFUSED(thread_local_storage_is_refused, segment[SAMPLE_STACK].p_type,
		PT_TLS, RW_E_IMAGE_HEADER),
	REFUSED(relocation_to_read_only_is_refused,
		segment[SAMPLE_STACK].p_type, PT_GNU_RELRO, RW_E_IMAGE_HEADER),
	REFUSED(a_segment_of_unknown_type_is_refused,
		segment[SAMPLE_STACK].p_type, 0x12345, RW_E_IMAGE_HEADER),
	REFUSED(two_dynamic_tables_are_refused, segment[SAMPLE_STACK].p_type,
		PT_DYNAMIC, RW_E_IMAGE_HEADER),
	REFUSED(a_misaligned_address_is_refused, segment[SAMPLE_TEXT].p_vaddr,
		SAMPLE_PAGE + 16, RW_E_IMAGE_ALIGN),
	REFUSED(a_misaligned_offset_is_refused, segment[SAMPLE_TEXT].p_offset,
		SAMPLE_PAGE + 16, RW_E_IMAGE_ALIGN),
	REFUSED(an_alignment_below_a_page_is_refused,
		segment[SAMPLE_TEXT].p_align, 16, RW_E_IMAGE_ALIGN),
	REFUSED(an_alignment_that_is_no_power_of_two_is_refused,
		segment[SAMPLE_TEXT].p_align, 3 * SAMPLE_PAGE,
		RW_E_IMAGE_ALIGN),
	REFUSED(an_alignment_above_the_image_s_is_refused,
		segment[SAMPLE_TEXT].p_align, 2 * ELF_SPAN_MAX,
		RW_E_IMAGE_ALIGN),
	REFUSED(overlapping_segments_are_refused, segment[SAMPLE_TEXT].p_memsz,
		SAMPLE_PAGE + 1, RW_E_IMAGE_SEGMENT),
	REFUSED(segments_that_share_a_page_are_refused,
		segment[SAMPLE_DATA].p_vaddr, SAMPLE_PAGE, RW_E_IMAGE_SEGMENT),
	REFUSED(segments_out_of_order_are_refused, segment[SAMPLE_DATA].p_vaddr,
		0, RW_E_IMAGE_SEGMENT),
	REFUSED(an_empty_segment_is_refused, segment[SAMPLE_TEXT].p_memsz, 0,
		RW_E_IMAGE_SEGMENT),
	REFUSED(a_segment_smaller_than_its_file_part_is_refused,
		segment[SAMPLE_TEXT].p_memsz, SAMPLE_PAGE - 1,
		RW_E_IMAGE_SEGMENT),
	REFUSED(a_segment_behind_the_end_of_the_file_is_refused,
		segment[SAMPLE_DATA].p_filesz, SAMPLE_DATA_SIZE + 129,
		RW_E_IMAGE_SEGMENT),
	REFUSED(a_segment_at_the_top_of_memory_is_refused,
		segment[SAMPLE_DATA].p_vaddr, -4096LL, RW_E_IMAGE_SEGMENT),
	REFUSED(a_segment_that_wraps_around_memory_is_refused,
		segment[SAMPLE_DATA].p_memsz, -1LL, RW_E_IMAGE_SEGMENT),
	REFUSED(a_segment_that_wraps_around_the_file_is_refused,
		segment[SAMPLE_DATA].p_offset, -4096LL, RW_E_IMAGE_SEGMENT),
	REFUSED(an_image_larger_than_its_page_table_is_refused,
		segment[SAMPLE_DATA].p_memsz,
		ELF_SPAN_MAX - 2 * SAMPLE_PAGE + 1, RW_E_IMAGE_SEGMENT),
};

static const struct CMUnitTest relocation_tests[] = {
	REFUSED(a_dynamic_table_behind_the_end_is_refused,
		segment[SAMPLE_DYNAMIC].p_offset, sizeof(struct sample) - 8,
		RW_E_IMAGE_RELOC),
	REFUSED(a_dynamic_table_that_wraps_around_is_refused,
		segment[SAMPLE_DYNAMIC].p_filesz, -1LL, RW_E_IMAGE_RELOC),
	REFUSED(a_dynamic_table_without_an_end_is_refused,
		segment[SAMPLE_DYNAMIC].p_filesz, 4 * sizeof(Elf64_Dyn),
		RW_E_IMAGE_RELOC),
	REFUSED(a_library_that_is_needed_is_refused,
		dynamic[SAMPLE_DYNAMIC_OTHER].d_tag, DT_NEEDED,
		RW_E_IMAGE_RELOC),
	REFUSED(a_table_without_addends_is_refused,
		dynamic[SAMPLE_DYNAMIC_OTHER].d_tag, DT_REL, RW_E_IMAGE_RELOC),
	REFUSED(a_compact_table_is_refused, dynamic[SAMPLE_DYNAMIC_OTHER].d_tag,
		36 /* DT_RELR */, RW_E_IMAGE_RELOC),
	REFUSED(a_procedure_linkage_table_is_refused,
		dynamic[SAMPLE_DYNAMIC_OTHER].d_tag, DT_JMPREL,
		RW_E_IMAGE_RELOC),
	REFUSED(relocations_of_text_are_refused,
		dynamic[SAMPLE_DYNAMIC_OTHER].d_tag, DT_TEXTREL,
		RW_E_IMAGE_RELOC),
	REFUSED(code_to_run_at_load_is_refused,
		dynamic[SAMPLE_DYNAMIC_OTHER].d_tag, DT_INIT_ARRAY,
		RW_E_IMAGE_RELOC),
	REFUSED(a_relocation_table_outside_is_refused,
		dynamic[SAMPLE_RELA].d_un.d_ptr, SAMPLE_SPAN, RW_E_IMAGE_RELOC),
	REFUSED(a_relocation_table_in_bss_is_refused,
		dynamic[SAMPLE_RELA].d_un.d_ptr,
		2 * SAMPLE_PAGE + SAMPLE_DATA_SIZE, RW_E_IMAGE_RELOC),
	REFUSED(a_relocation_table_at_the_top_of_memory_is_refused,
		dynamic[SAMPLE_RELA].d_un.d_ptr, -24LL, RW_E_IMAGE_RELOC),
	REFUSED(a_relocation_table_of_half_an_entry_is_refused,
		dynamic[SAMPLE_RELASZ].d_un.d_val, 36, RW_E_IMAGE_RELOC),
	REFUSED(a_relocation_table_that_wraps_around_is_refused,
		dynamic[SAMPLE_RELASZ].d_un.d_val, -24LL, RW_E_IMAGE_RELOC),
	REFUSED(relocations_of_wrong_size_are_refused,
		dynamic[SAMPLE_RELAENT].d_un.d_val, 16, RW_E_IMAGE_RELOC),
	REFUSED(an_unknown_relocation_is_refused, rela[1].r_info,
		ELF64_R_INFO(0, R_X86_64_64), RW_E_IMAGE_RELOC),
	REFUSED(a_relocation_with_a_symbol_is_refused, rela[1].r_info,
		ELF64_R_INFO(1, R_X86_64_RELATIVE), RW_E_IMAGE_RELOC),
	REFUSED(a_relocation_in_text_is_refused, rela[1].r_offset,
		SAMPLE_PAGE + 8, RW_E_IMAGE_RELOC),
	REFUSED(a_relocation_over_the_end_of_a_segment_is_refused,
		rela[1].r_offset, 2 * SAMPLE_PAGE + SAMPLE_DATA_SIZE - 7,
		RW_E_IMAGE_RELOC),
	REFUSED(a_relocation_outside_is_refused, rela[1].r_offset, SAMPLE_SPAN,
		RW_E_IMAGE_RELOC),
	REFUSED(a_relocation_at_the_top_of_memory_is_refused, rela[1].r_offset,
		-8LL, RW_E_IMAGE_RELOC),
	REFUSED(a_relocation_to_behind_the_image_is_refused, rela[1].r_addend,
		SAMPLE_SPAN + 1, RW_E_IMAGE_RELOC),
	REFUSED(a_relocation_to_before_the_image_is_refused, rela[1].r_addend,
		-1LL, RW_E_IMAGE_RELOC),
};

static const struct CMUnitTest image_tests[] = {
	cmocka_unit_test(a_good_image_is_described),
	cmocka_unit_test(a_good_image_is_placed_and_relocated),
	cmocka_unit_test(an_image_without_relocations_is_placed_as_it_is),
	cmocka_unit_test(a_page_belongs_to_its_segment_and_a_gap_to_none),
	cmocka_unit_test(an_image_cut_anywhere_is_refused),
	cmocka_unit_test(an_image_cut_in_a_segment_is_refused_without_sections),
	cmocka_unit_test(an_oversized_image_is_refused),
	cmocka_unit_test(more_segments_than_the_loader_holds_are_refused),
	cmocka_unit_test(an_image_without_a_segment_is_refused),
};

int main(void)
{
	int failed = 0;

	failed += cmocka_run_group_tests(image_tests, NULL, NULL);
	failed += cmocka_run_group_tests(header_tests, NULL, NULL);
	failed += cmocka_run_group_tests(segment_tests, NULL, NULL);
	failed += cmocka_run_group_tests(relocation_tests, NULL, NULL);
	return failed != 0;
}
