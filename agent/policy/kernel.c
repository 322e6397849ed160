/* SPDX-License-Identifier: MIT */
/*
 * A kernel's ELF image through libelf. Must never use a section whose bytes do
 * not lie inside the image, whatever its header says.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gelf.h>

#include "agent/policy/kernel.h"
#include "agent/policy/vmlinuz.h"

#define PAGE 4096ULL
/** A kernel with debug information is large, but not larger. */
#define KERNEL_FILE_MAX (4ULL << 30)

struct kernel_image {
	const uint8_t *image;
	size_t size;
	Elf *elf;
	size_t names; /* index of the section names */
};

static bool problem_elf(struct problem *why, const char *what)
{
	int error = elf_errno();

	problem_set(why, "%s: %s", what,
		    error ? elf_errmsg(error) : "missing or damaged");
	return false;
}

/** Is it an executable for x86-64? */
static bool check_header(struct kernel_image *kernel, struct problem *why)
{
	GElf_Ehdr header;

	if (elf_kind(kernel->elf) != ELF_K_ELF ||
	    gelf_getclass(kernel->elf) != ELFCLASS64 ||
	    !gelf_getehdr(kernel->elf, &header)) {
		problem_set(why, "not an ELF64 file");
		return false;
	}
	if (header.e_ident[EI_DATA] != ELFDATA2LSB ||
	    header.e_machine != EM_X86_64 || header.e_type != ET_EXEC) {
		problem_set(why, "not an x86-64 kernel");
		return false;
	}
	if (elf_getshdrstrndx(kernel->elf, &kernel->names))
		return problem_elf(why, "section names");
	return true;
}

struct kernel_image *kernel_open(const uint8_t *image, size_t size,
				 struct problem *why)
{
	struct kernel_image *kernel = calloc(1, sizeof(*kernel));

	if (!kernel) {
		problem_set(why, "no memory");
		return NULL;
	}
	kernel->image = image;
	kernel->size = size;
	elf_version(EV_CURRENT);
	/* Not const in libelf's interface; it writes only when told to. */
	kernel->elf = elf_memory((char *)(uintptr_t)image, size);
	if (!kernel->elf) {
		problem_elf(why, "ELF file");
	} else if (check_header(kernel, why)) {
		return kernel;
	}
	kernel_close(kernel);
	return NULL;
}

void kernel_close(struct kernel_image *kernel)
{
	elf_end(kernel->elf);
	free(kernel);
}

/** What the header says, if it can be true. */
static bool section_from(const struct kernel_image *kernel,
			 const GElf_Shdr *header, struct kernel_section *ret)
{
	struct kernel_section section = { header->sh_addr, header->sh_size,
					  NULL };

	if (section.size > UINT64_MAX - section.address)
		return false;
	if (header->sh_type != SHT_NOBITS) {
		if (header->sh_offset > kernel->size ||
		    header->sh_size > kernel->size - header->sh_offset)
			return false;
		section.data = kernel->image + header->sh_offset;
	}
	*ret = section;
	return true;
}

bool kernel_section(const struct kernel_image *kernel, const char *name,
		    struct kernel_section *ret, struct problem *why)
{
	Elf_Scn *scn = NULL;
	GElf_Shdr header;

	while ((scn = elf_nextscn(kernel->elf, scn))) {
		const char *found;

		if (!gelf_getshdr(scn, &header) ||
		    !(header.sh_flags & SHF_ALLOC))
			continue;
		found = elf_strptr(kernel->elf, kernel->names, header.sh_name);
		if (!found || strcmp(found, name))
			continue;
		if (section_from(kernel, &header, ret))
			return true;
		problem_set(why, "section %s lies outside the file", name);
		return false;
	}
	problem_set(why, "there is no section %s", name);
	return false;
}

size_t kernel_segments(const struct kernel_image *kernel,
		       struct kernel_section *ret, size_t max)
{
	size_t count, used = 0;
	uint64_t shift = 0;
	GElf_Phdr header;

	if (elf_getphdrnum(kernel->elf, &count))
		return 0;
	for (size_t i = 0; i < count; i++) {
		if (!gelf_getphdr(kernel->elf, (int)i, &header))
			return 0;
		if (header.p_type != PT_LOAD)
			continue;
		if (!used)
			shift = header.p_vaddr - header.p_paddr;
		if (used == max || header.p_offset > kernel->size ||
		    header.p_filesz > kernel->size - header.p_offset ||
		    header.p_filesz > UINT64_MAX - (header.p_paddr + shift))
			return 0;
		ret[used++] = (struct kernel_section){
			header.p_paddr + shift, header.p_filesz,
			kernel->image + header.p_offset
		};
	}
	return used;
}

size_t kernel_elf_size(const struct kernel_image *kernel)
{
	GElf_Ehdr header;
	Elf_Scn *scn = NULL;
	GElf_Shdr section;
	uint64_t end = 0;

	if (!gelf_getehdr(kernel->elf, &header))
		return kernel->size;
	if (header.e_shoff < kernel->size)
		end = header.e_shoff +
		      (uint64_t)header.e_shnum * header.e_shentsize;
	while ((scn = elf_nextscn(kernel->elf, scn))) {
		if (!gelf_getshdr(scn, &section) ||
		    section.sh_type == SHT_NOBITS ||
		    section.sh_offset > kernel->size ||
		    section.sh_size > kernel->size - section.sh_offset)
			continue;
		if (section.sh_offset + section.sh_size > end)
			end = section.sh_offset + section.sh_size;
	}
	return end < kernel->size ? (size_t)end : kernel->size;
}

static uint64_t page_end(uint64_t address)
{
	return (address + PAGE - 1) & ~(PAGE - 1);
}

/** Behind the last byte of the sections from .rodata up to .data. */
static bool rodata_end(const struct kernel_image *kernel, uint64_t rodata,
		       uint64_t data, uint64_t *ret, struct problem *why)
{
	struct kernel_section section;
	Elf_Scn *scn = NULL;
	GElf_Shdr header;

	*ret = 0;
	while ((scn = elf_nextscn(kernel->elf, scn))) {
		if (!gelf_getshdr(scn, &header))
			return problem_elf(why, "section header");
		if (!(header.sh_flags & SHF_ALLOC) || header.sh_addr < rodata ||
		    header.sh_addr >= data)
			continue;
		if (!section_from(kernel, &header, &section)) {
			problem_set(
				why,
				"a section of the read-only data lies outside the file");
			return false;
		}
		if (section.address + section.size > *ret)
			*ret = section.address + section.size;
	}
	return true;
}

/** The GNU build-id among the notes, and where it is in memory. */
static bool find_build_id(const struct kernel_section *notes,
			  struct rw_policy_kernel *ret)
{
	size_t at = 0;
	Elf64_Nhdr note;

	/* Names and descriptions are padded to 4 bytes, elf(5). */
	while (notes->size - at >= sizeof(note)) {
		uint64_t name, description, next;

		memcpy(&note, notes->data + at, sizeof(note));
		name = at + sizeof(note);
		description = name + (((uint64_t)note.n_namesz + 3) & ~3ULL);
		next = description + (((uint64_t)note.n_descsz + 3) & ~3ULL);
		if (next > notes->size)
			return false;
		if (note.n_type == NT_GNU_BUILD_ID &&
		    note.n_namesz == sizeof("GNU") &&
		    note.n_descsz == sizeof(ret->build_id) &&
		    !memcmp(notes->data + name, "GNU", sizeof("GNU"))) {
			memcpy(ret->build_id, notes->data + description,
			       sizeof(ret->build_id));
			ret->build_id_address = notes->address + description;
			return true;
		}
		at = next;
	}
	return false;
}

bool kernel_describe(const struct kernel_image *kernel,
		     struct rw_policy_kernel *ret, struct problem *why)
{
	struct kernel_section text, rodata, data, notes;
	struct rw_policy_kernel result = {
		.record = { RW_RECORD_KERNEL, sizeof(result) },
	};
	uint64_t end;

	if (!kernel_section(kernel, ".text", &text, why) ||
	    !kernel_section(kernel, ".rodata", &rodata, why) ||
	    !kernel_section(kernel, ".data", &data, why) ||
	    !kernel_section(kernel, ".notes", &notes, why) ||
	    !rodata_end(kernel, rodata.address, data.address, &end, why))
		return false;
	result.text_start = text.address;
	result.text_end = page_end(text.address + text.size);
	result.rodata_start = rodata.address;
	result.rodata_end = page_end(end);
	if (text.address % PAGE || rodata.address % PAGE ||
	    result.text_end > rodata.address ||
	    result.rodata_end > data.address) {
		problem_set(
			why,
			".text, .rodata and .data are not in this order on pages of their own");
		return false;
	}
	if (!notes.data || !find_build_id(&notes, &result)) {
		problem_set(why,
			    "no GNU build-id of 20 bytes in section .notes");
		return false;
	}
	*ret = result;
	return true;
}

/** kernel_describe() of a file in memory. */
static bool describe(const uint8_t *data, size_t size,
		     struct rw_policy_kernel *ret, struct problem *why)
{
	struct kernel_image *kernel;
	struct vmlinuz vmlinuz;
	bool good = false;

	if (!vmlinuz_open(data, size, VMLINUZ_MAX, &vmlinuz, why))
		return false;
	kernel = kernel_open(vmlinuz.image, vmlinuz.size, why);
	if (kernel) {
		good = kernel_describe(kernel, ret, why);
		kernel_close(kernel);
	}
	vmlinuz_close(&vmlinuz);
	return good;
}

bool kernel_describe_file(const char *path, struct rw_policy_kernel *ret,
			  struct problem *why)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	void *data = MAP_FAILED;
	struct problem inner;
	struct stat status;
	size_t size = 0;
	bool good;

	if (fd >= 0 && !fstat(fd, &status) && status.st_size > 0 &&
	    (uint64_t)status.st_size <= KERNEL_FILE_MAX) {
		size = (size_t)status.st_size;
		data = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
	}
	if (data == MAP_FAILED) {
		if (fd >= 0)
			problem_set(why,
				    "%s: cannot be read, empty or too large",
				    path);
		else
			problem_errno(why, path);
	}
	if (fd >= 0)
		close(fd);
	if (data == MAP_FAILED)
		return false;
	good = describe(data, size, ret, &inner);
	if (!good)
		problem_set(why, "%s: %s", path, inner.text);
	munmap(data, size);
	return good;
}
