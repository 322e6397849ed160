/* SPDX-License-Identifier: MIT */
/*
 * The monitor image is what the driver can load and the host cannot abuse:
 * position independent, W^X, whole, without a C library. Each check is shown to
 * find its fault in a damaged copy of the image. Never writes to the image.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <ringwall/config.h>

#include <elf.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define IMAGE_PAGE    4096U

struct image {
	uint8_t *data;
	size_t size;
};

static struct image image;

/* Names that come only with a C library; it would be there by accident. */
static const char *const libc_names[] = {
	"printf", "puts", "malloc", "calloc",  "realloc",
	"free",	  "exit", "abort",  "environ", "errno",
	"stderr", "main", "open",   "syscall", "dl_iterate_phdr",
};

static const char *const libc_prefixes[] = {
	"__libc_", "_IO_", "__GI_", "__asan_", "__ubsan_", "_dl_", "pthread_",
};

/* Bytes [offset, offset + size) of the file, or NULL when it is shorter. */
static void *bytes(const struct image *im, uint64_t offset, uint64_t size)
{
	if (offset > im->size || size > im->size - offset)
		return NULL;
	return im->data + offset;
}

static Elf64_Ehdr *header(const struct image *im)
{
	return bytes(im, 0, sizeof(Elf64_Ehdr));
}

static Elf64_Phdr *segment(const struct image *im, unsigned int index)
{
	const Elf64_Ehdr *eh = header(im);

	return bytes(im, eh->e_phoff + index * sizeof(Elf64_Phdr),
		     sizeof(Elf64_Phdr));
}

static Elf64_Shdr *section(const struct image *im, unsigned int index)
{
	const Elf64_Ehdr *eh = header(im);

	return bytes(im, eh->e_shoff + index * sizeof(Elf64_Shdr),
		     sizeof(Elf64_Shdr));
}

static Elf64_Shdr *section_of_type(const struct image *im, uint32_t type)
{
	for (unsigned int i = 0; i < header(im)->e_shnum; i++)
		if (section(im, i)->sh_type == type)
			return section(im, i);
	return NULL;
}

/* The PT_LOAD that holds [address, address + size) of memory, or NULL. */
static Elf64_Phdr *loaded_at(const struct image *im, uint64_t address,
			     uint64_t size)
{
	for (unsigned int i = 0; i < header(im)->e_phnum; i++) {
		Elf64_Phdr *ph = segment(im, i);

		if (ph->p_type == PT_LOAD && address >= ph->p_vaddr &&
		    size <= ph->p_memsz &&
		    address - ph->p_vaddr <= ph->p_memsz - size)
			return ph;
	}
	return NULL;
}

static const char *header_fault(const struct image *im)
{
	const Elf64_Ehdr *eh = header(im);

	if (!eh || memcmp(eh->e_ident, ELFMAG, SELFMAG) != 0 ||
	    eh->e_ident[EI_CLASS] != ELFCLASS64 ||
	    eh->e_ident[EI_DATA] != ELFDATA2LSB)
		return "not a little-endian ELF64 file";
	if (eh->e_machine != EM_X86_64)
		return "not for x86-64";
	if (eh->e_type != ET_DYN)
		return "not position independent";
	if (!eh->e_phnum || !segment(im, eh->e_phnum - 1U) || !eh->e_shnum ||
	    !section(im, eh->e_shnum - 1U))
		return "tables outside the file";
	return NULL;
}

static const char *load_fault(const struct image *im, const Elf64_Phdr *ph,
			      uint64_t *end)
{
	if (!bytes(im, ph->p_offset, ph->p_filesz) ||
	    ph->p_filesz > ph->p_memsz)
		return "segment outside the file";
	if (ph->p_vaddr % IMAGE_PAGE || ph->p_offset % IMAGE_PAGE ||
	    ph->p_align != IMAGE_PAGE)
		return "segment not page aligned";
	if ((ph->p_flags & (PF_W | PF_X)) == (PF_W | PF_X))
		return "segment writable and executable";
	if (ph->p_vaddr < *end)
		return "segments overlap";
	*end = (ph->p_vaddr + ph->p_memsz + IMAGE_PAGE - 1) &
	       ~(uint64_t)(IMAGE_PAGE - 1);
	return NULL;
}

static const char *segment_fault(const struct image *im)
{
	const Elf64_Phdr *entry;
	uint64_t end = 0;

	for (unsigned int i = 0; i < header(im)->e_phnum; i++) {
		const Elf64_Phdr *ph = segment(im, i);
		const char *fault = NULL;

		if (ph->p_type == PT_INTERP)
			return "asks for an interpreter";
		if (ph->p_type == PT_TLS)
			return "has thread-local data";
		if (ph->p_type == PT_GNU_STACK && (ph->p_flags & PF_X))
			return "asks for an executable stack";
		if (ph->p_type == PT_LOAD)
			fault = load_fault(im, ph, &end);
		if (fault)
			return fault;
	}
	entry = loaded_at(im, header(im)->e_entry, 1);
	if (!entry || !(entry->p_flags & PF_X))
		return "entry point is not code";
	return NULL;
}

static const char *relocation_fault(const struct image *im)
{
	for (unsigned int i = 0; i < header(im)->e_shnum; i++) {
		const Elf64_Shdr *sh = section(im, i);
		const Elf64_Rela *rela;

		if (sh->sh_type == SHT_REL)
			return "relocations without addend";
		if (sh->sh_type != SHT_RELA)
			continue;
		rela = bytes(im, sh->sh_offset, sh->sh_size);
		if (!rela || sh->sh_size % sizeof(*rela))
			return "relocations outside the file";
		for (uint64_t n = sh->sh_size / sizeof(*rela); n; n--, rela++) {
			const Elf64_Phdr *ph = loaded_at(im, rela->r_offset, 8);

			if (ELF64_R_TYPE(rela->r_info) != R_X86_64_RELATIVE)
				return "relocation that is not RELATIVE";
			if (!ph)
				return "relocation outside the segments";
			if (ph->p_flags & PF_X)
				return "relocation in code";
		}
	}
	return NULL;
}

static const char *dynamic_fault(const struct image *im)
{
	const Elf64_Shdr *sh = section_of_type(im, SHT_DYNAMIC);
	const Elf64_Dyn *dyn;

	if (!sh)
		return NULL;
	dyn = bytes(im, sh->sh_offset, sh->sh_size);
	if (!dyn)
		return "dynamic section outside the file";
	for (uint64_t n = sh->sh_size / sizeof(*dyn); n; n--, dyn++)
		if (dyn->d_tag == DT_NEEDED || dyn->d_tag == DT_JMPREL ||
		    dyn->d_tag == DT_INIT || dyn->d_tag == DT_INIT_ARRAY ||
		    dyn->d_tag == DT_TEXTREL)
			return "needs a dynamic linker";
	return NULL;
}

static bool is_libc_name(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(libc_names); i++)
		if (strcmp(name, libc_names[i]) == 0)
			return true;
	for (size_t i = 0; i < ARRAY_SIZE(libc_prefixes); i++)
		if (strncmp(name, libc_prefixes[i], strlen(libc_prefixes[i])) ==
		    0)
			return true;
	return false;
}

/* The exit trace is in an image that was built with it, and in no other. */
#ifdef CONFIG_RINGWALL_EXIT_TRACE
#define HAS_TRACE true
#else
#define HAS_TRACE false
#endif

static const char *symbol_fault(const struct image *im)
{
	const Elf64_Shdr *sh = section_of_type(im, SHT_SYMTAB);
	const Elf64_Shdr *names;
	const Elf64_Sym *sym;
	const char *text;
	bool trace = false;

	if (!sh || !(names = section(im, sh->sh_link)))
		return "has no symbols";
	sym = bytes(im, sh->sh_offset, sh->sh_size);
	text = bytes(im, names->sh_offset, names->sh_size);
	if (!sym || !text || !names->sh_size || text[names->sh_size - 1])
		return "symbols outside the file";
	for (uint64_t i = 1; i < sh->sh_size / sizeof(*sym); i++) {
		if (sym[i].st_name >= names->sh_size)
			return "symbol name outside the file";
		if (sym[i].st_shndx == SHN_UNDEF && text[sym[i].st_name])
			return "undefined symbol";
		if (is_libc_name(text + sym[i].st_name))
			return "symbol of a C library";
		trace = trace || !strncmp(text + sym[i].st_name, "trace_", 6);
	}
	return trace == HAS_TRACE ? NULL : "exit trace";
}

/* What is wrong with the image, or NULL. */
static const char *image_fault(const struct image *im)
{
	static const char *(*const checks[])(const struct image *) = {
		header_fault,  segment_fault, relocation_fault,
		dynamic_fault, symbol_fault,
	};
	const char *fault = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(checks) && !fault; i++)
		fault = checks[i](im);
	return fault;
}

static void fails_with(const struct image *im, const char *expected)
{
	const char *fault = image_fault(im);

	assert_non_null(fault);
	assert_string_equal(fault, expected);
}

/* Tests get a copy that they may damage. */
static int copy_image(void **state)
{
	struct image *im = malloc(sizeof(*im));

	assert_non_null(im);
	im->size = image.size;
	im->data = malloc(im->size);
	assert_non_null(im->data);
	memcpy(im->data, image.data, im->size);
	*state = im;
	return 0;
}

static int drop_image(void **state)
{
	struct image *im = *state;

	free(im->data);
	free(im);
	return 0;
}

/* The first segment of a type whose flags hold the given ones. */
static Elf64_Phdr *find_segment(const struct image *im, uint32_t type,
				uint32_t flags)
{
	for (unsigned int i = 0; i < header(im)->e_phnum; i++) {
		Elf64_Phdr *ph = segment(im, i);

		if (ph->p_type == type && (ph->p_flags & flags) == flags)
			return ph;
	}
	fail_msg("no segment of type %u with flags %u", type, flags);
	return NULL;
}

static Elf64_Rela *first_relocation(const struct image *im)
{
	const Elf64_Shdr *sh = section_of_type(im, SHT_RELA);

	assert_non_null(sh);
	assert_true(sh->sh_size >= sizeof(Elf64_Rela));
	return bytes(im, sh->sh_offset, sizeof(Elf64_Rela));
}

static void the_monitor_image_has_no_fault(void **state)
{
	const char *fault = image_fault(*state);

	if (fault)
		fail_msg("%s: %s", MONITOR_IMAGE, fault);
}

static void a_truncated_image_is_found(void **state)
{
	struct image *im = *state;

	im->size = sizeof(Elf64_Ehdr) - 1;
	fails_with(im, "not a little-endian ELF64 file");
	im->size = sizeof(Elf64_Ehdr);
	fails_with(im, "tables outside the file");
}

static void an_image_of_another_kind_is_found(void **state)
{
	struct image *im = *state;

	header(im)->e_type = ET_EXEC;
	fails_with(im, "not position independent");
	header(im)->e_machine = EM_386;
	fails_with(im, "not for x86-64");
	header(im)->e_ident[EI_CLASS] = ELFCLASS32;
	fails_with(im, "not a little-endian ELF64 file");
}

static void a_writable_and_executable_segment_is_found(void **state)
{
	struct image *im = *state;

	find_segment(im, PT_LOAD, PF_X)->p_flags |= PF_W;
	fails_with(im, "segment writable and executable");
}

static void an_unaligned_segment_is_found(void **state)
{
	struct image *im = *state;

	find_segment(im, PT_LOAD, PF_W)->p_vaddr += 8;
	fails_with(im, "segment not page aligned");
}

static void overlapping_segments_are_found(void **state)
{
	struct image *im = *state;

	find_segment(im, PT_LOAD, PF_W)->p_vaddr =
		find_segment(im, PT_LOAD, PF_X)->p_vaddr;
	fails_with(im, "segments overlap");
}

static void an_executable_stack_is_found(void **state)
{
	struct image *im = *state;

	find_segment(im, PT_GNU_STACK, 0)->p_flags |= PF_X;
	fails_with(im, "asks for an executable stack");
}

static void an_interpreter_is_found(void **state)
{
	struct image *im = *state;

	find_segment(im, PT_GNU_STACK, 0)->p_type = PT_INTERP;
	fails_with(im, "asks for an interpreter");
}

static void an_entry_point_in_data_is_found(void **state)
{
	struct image *im = *state;

	header(im)->e_entry = find_segment(im, PT_LOAD, PF_W)->p_vaddr;
	fails_with(im, "entry point is not code");
}

static void a_relocation_that_is_not_relative_is_found(void **state)
{
	struct image *im = *state;

	first_relocation(im)->r_info = ELF64_R_INFO(1, R_X86_64_GLOB_DAT);
	fails_with(im, "relocation that is not RELATIVE");
}

static void a_relocation_in_the_wrong_place_is_found(void **state)
{
	struct image *im = *state;

	first_relocation(im)->r_offset =
		find_segment(im, PT_LOAD, PF_X)->p_vaddr;
	fails_with(im, "relocation in code");
	first_relocation(im)->r_offset = UINT64_MAX - 3;
	fails_with(im, "relocation outside the segments");
}

static void an_undefined_symbol_is_found(void **state)
{
	struct image *im = *state;
	const Elf64_Shdr *sh = section_of_type(im, SHT_SYMTAB);
	Elf64_Sym *sym = bytes(im, sh->sh_offset, sh->sh_size);
	uint64_t last = sh->sh_size / sizeof(*sym) - 1;

	sym[last].st_shndx = SHN_UNDEF;
	fails_with(im, "undefined symbol");
}

static void a_symbol_of_a_c_library_is_found(void **state)
{
	struct image *im = *state;
	const Elf64_Shdr *sh = section_of_type(im, SHT_SYMTAB);
	const Elf64_Shdr *names = section(im, sh->sh_link);
	char *text = bytes(im, names->sh_offset, names->sh_size);

	assert_true(names->sh_size > sizeof("?malloc"));
	memcpy(text + 1, "malloc", sizeof("malloc"));
	((Elf64_Sym *)bytes(im, sh->sh_offset, sh->sh_size))[1].st_name = 1;
	((Elf64_Sym *)bytes(im, sh->sh_offset, sh->sh_size))[1].st_shndx = 1;
	fails_with(im, "symbol of a C library");
}

static void an_exit_trace_in_a_release_is_found(void **state)
{
	struct image *im = *state;
	const Elf64_Shdr *sh = section_of_type(im, SHT_SYMTAB);
	const Elf64_Shdr *names = section(im, sh->sh_link);
	char *text = bytes(im, names->sh_offset, names->sh_size);

	if (HAS_TRACE)
		skip();
	memcpy(text + 1, "trace_record", sizeof("trace_record"));
	((Elf64_Sym *)bytes(im, sh->sh_offset, sh->sh_size))[1].st_name = 1;
	((Elf64_Sym *)bytes(im, sh->sh_offset, sh->sh_size))[1].st_shndx = 1;
	fails_with(im, "exit trace");
}

/* Reads the whole image before the first test. */
static int read_image(void **state)
{
	FILE *file = fopen(MONITOR_IMAGE, "rb");
	long size;

	(void)state;
	if (!file)
		return -1;
	if (fseek(file, 0, SEEK_END) != 0 || (size = ftell(file)) <= 0)
		goto close;
	rewind(file);
	image.size = (size_t)size;
	image.data = malloc(image.size);
	if (image.data &&
	    fread(image.data, 1, image.size, file) == image.size) {
		fclose(file);
		return 0;
	}
close:
	fclose(file);
	return -1;
}

static int free_image(void **state)
{
	(void)state;
	free(image.data);
	return 0;
}

#define IMAGE_TEST(f) cmocka_unit_test_setup_teardown(f, copy_image, drop_image)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IMAGE_TEST(the_monitor_image_has_no_fault),
		IMAGE_TEST(a_truncated_image_is_found),
		IMAGE_TEST(an_image_of_another_kind_is_found),
		IMAGE_TEST(a_writable_and_executable_segment_is_found),
		IMAGE_TEST(an_unaligned_segment_is_found),
		IMAGE_TEST(overlapping_segments_are_found),
		IMAGE_TEST(an_executable_stack_is_found),
		IMAGE_TEST(an_interpreter_is_found),
		IMAGE_TEST(an_entry_point_in_data_is_found),
		IMAGE_TEST(a_relocation_that_is_not_relative_is_found),
		IMAGE_TEST(a_relocation_in_the_wrong_place_is_found),
		IMAGE_TEST(an_undefined_symbol_is_found),
		IMAGE_TEST(a_symbol_of_a_c_library_is_found),
		IMAGE_TEST(an_exit_trace_in_a_release_is_found),
	};

	return cmocka_run_group_tests(tests, read_image, free_image);
}
