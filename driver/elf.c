/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* Source: System V ABI, ELF-64 object file format, and its x86-64 supplement. */
#ifdef __KERNEL__
#include <linux/elf.h>
#include <linux/string.h>
#else
#include <elf.h>
#include <string.h>
#endif
#include <ringwall/ioctl.h>

#include "elf.h" /* NOLINT(readability-duplicate-include): not <elf.h> */

#define TAG_INIT_ARRAY	  25
#define TAG_FINI_ARRAY	  26
#define TAG_FLAGS	  30
#define TAG_PREINIT_ARRAY 32
#define TAG_RELR	  36
#define FLAG_TEXTREL	  4

/* The file and what has been learned of it so far. */
struct check {
	const uint8_t *file;
	uint64_t size;
	Elf64_Ehdr header;
	Elf64_Phdr dynamic; /* p_type is PT_NULL if there is none */
	struct elf_image image;
};

/* Whether [start, start + length) lies in [0, end); no sum can overflow. */
static bool within(uint64_t start, uint64_t length, uint64_t end)
{
	return start <= end && length <= end - start;
}

static uint64_t page_up(uint64_t v)
{
	return (v + ELF_PAGE - 1) & ~(uint64_t)(ELF_PAGE - 1);
}

static enum rw_error check_ident(const struct check *c)
{
	static const uint8_t zero[EI_NIDENT - EI_OSABI];
	const uint8_t *ident = c->header.e_ident;

	if (memcmp(ident, ELFMAG, SELFMAG) != 0 ||
	    ident[EI_CLASS] != ELFCLASS64 || ident[EI_DATA] != ELFDATA2LSB ||
	    ident[EI_VERSION] != EV_CURRENT)
		return RW_E_IMAGE_MAGIC;
	if (memcmp(ident + EI_OSABI, zero, sizeof(zero)) != 0)
		return RW_E_IMAGE_MACHINE;
	if (c->header.e_type != ET_DYN || c->header.e_machine != EM_X86_64 ||
	    c->header.e_version != EV_CURRENT)
		return RW_E_IMAGE_MACHINE;
	return RW_OK;
}

/* The section headers are not used, but a linker puts them last: where they
 * are missing, the file was cut. */
static enum rw_error check_tables(const struct check *c)
{
	const Elf64_Ehdr *h = &c->header;

	if (h->e_ehsize != sizeof(Elf64_Ehdr) || h->e_flags ||
	    h->e_phentsize != sizeof(Elf64_Phdr) || !h->e_phnum ||
	    h->e_phnum > ELF_HEADERS || h->e_phoff < sizeof(Elf64_Ehdr) ||
	    h->e_phoff % sizeof(uint64_t))
		return RW_E_IMAGE_HEADER;
	if (!within(h->e_phoff, h->e_phnum * sizeof(Elf64_Phdr), c->size))
		return RW_E_IMAGE_SIZE;
	if (!h->e_shnum)
		return h->e_shoff || h->e_shstrndx ? RW_E_IMAGE_HEADER : RW_OK;
	if (h->e_shentsize != sizeof(Elf64_Shdr) ||
	    h->e_shstrndx >= h->e_shnum || h->e_shoff < sizeof(Elf64_Ehdr) ||
	    h->e_shoff % sizeof(uint64_t))
		return RW_E_IMAGE_HEADER;
	if (!within(h->e_shoff, h->e_shnum * sizeof(Elf64_Shdr), c->size))
		return RW_E_IMAGE_SIZE;
	return RW_OK;
}

static enum rw_error add_segment(struct check *c, const Elf64_Phdr *p)
{
	struct elf_image *image = &c->image;

	if ((p->p_flags & ~(PF_R | PF_W | PF_X)) || !(p->p_flags & PF_R))
		return RW_E_IMAGE_HEADER;
	if ((p->p_flags & PF_W) && (p->p_flags & PF_X))
		return RW_E_IMAGE_WX;
	if (p->p_align < ELF_PAGE || (p->p_align & (p->p_align - 1)) ||
	    p->p_align > ELF_SPAN_MAX || p->p_vaddr % ELF_PAGE ||
	    p->p_offset % ELF_PAGE)
		return RW_E_IMAGE_ALIGN;
	if (image->segment_count == ELF_SEGMENTS || !p->p_memsz ||
	    p->p_filesz > p->p_memsz ||
	    !within(p->p_offset, p->p_filesz, c->size) ||
	    p->p_vaddr < image->span ||
	    !within(p->p_vaddr, p->p_memsz, ELF_SPAN_MAX))
		return RW_E_IMAGE_SEGMENT;

	image->segment[image->segment_count++] = (struct elf_segment){
		.vaddr = p->p_vaddr,
		.memory_size = p->p_memsz,
		.offset = p->p_offset,
		.file_size = p->p_filesz,
		.write = p->p_flags & PF_W,
		.execute = p->p_flags & PF_X,
	};
	image->span = page_up(p->p_vaddr + p->p_memsz);
	return RW_OK;
}

static enum rw_error check_program_header(struct check *c, const Elf64_Phdr *p)
{
	switch (p->p_type) {
	case PT_LOAD:
		return add_segment(c, p);
	case PT_DYNAMIC:
		if (c->dynamic.p_type == PT_DYNAMIC)
			return RW_E_IMAGE_HEADER;
		c->dynamic = *p;
		return RW_OK;
	case PT_GNU_STACK:
		return p->p_flags & PF_X ? RW_E_IMAGE_WX : RW_OK;
	case PT_NULL:
	case PT_NOTE:
	case PT_PHDR:
	case PT_GNU_EH_FRAME:
	case PT_GNU_PROPERTY:
		return RW_OK;
	default:
		/* PT_INTERP, PT_TLS, PT_GNU_RELRO: they ask for what this
		 * loader does not do. */
		return RW_E_IMAGE_HEADER;
	}
}

static enum rw_error check_segments(struct check *c)
{
	enum rw_error error;
	Elf64_Phdr p;
	uint32_t i;

	for (i = 0; i < c->header.e_phnum; i++) {
		memcpy(&p, c->file + c->header.e_phoff + i * sizeof(p),
		       sizeof(p));
		error = check_program_header(c, &p);
		if (error)
			return error;
	}
	return c->image.segment_count ? RW_OK : RW_E_IMAGE_SEGMENT;
}

/* The segment whose bytes in the file hold [vaddr, vaddr + length), or NULL. */
static const struct elf_segment *in_file(const struct elf_image *image,
					 uint64_t vaddr, uint64_t length)
{
	const struct elf_segment *s = elf_segment_at(image, vaddr);

	return s && within(vaddr - s->vaddr, length, s->file_size) ? s : NULL;
}

static enum rw_error check_entry(struct check *c)
{
	const struct elf_segment *s = in_file(&c->image, c->header.e_entry, 1);

	if (!s || !s->execute)
		return RW_E_IMAGE_ENTRY;
	c->image.entry = c->header.e_entry;
	return RW_OK;
}

/* One entry of the dynamic table. What would need more than a table of
 * relative relocations, or would run code at load, is refused. */
static bool dynamic_entry_allowed(const Elf64_Dyn *d)
{
	switch (d->d_tag) {
	case DT_RELAENT:
		return d->d_un.d_val == sizeof(Elf64_Rela);
	case TAG_FLAGS:
		return !(d->d_un.d_val & FLAG_TEXTREL);
	case DT_NEEDED:
	case DT_PLTRELSZ:
	case DT_INIT:
	case DT_FINI:
	case DT_REL:
	case DT_TEXTREL:
	case DT_JMPREL:
	case TAG_INIT_ARRAY:
	case TAG_FINI_ARRAY:
	case TAG_PREINIT_ARRAY:
	case TAG_RELR:
		return false;
	default:
		return true;
	}
}

/* Finds the relocation table: its address and size in bytes; 0 if none. */
static enum rw_error read_dynamic(const struct check *c, uint64_t *ret_rela,
				  uint64_t *ret_size)
{
	const Elf64_Phdr *p = &c->dynamic;
	uint64_t at;
	Elf64_Dyn d;

	*ret_rela = 0;
	*ret_size = 0;
	if (!within(p->p_offset, p->p_filesz, c->size))
		return RW_E_IMAGE_RELOC;
	for (at = 0; within(at, sizeof(d), p->p_filesz); at += sizeof(d)) {
		memcpy(&d, c->file + p->p_offset + at, sizeof(d));
		if (d.d_tag == DT_NULL)
			return RW_OK;
		if (!dynamic_entry_allowed(&d))
			return RW_E_IMAGE_RELOC;
		if (d.d_tag == DT_RELA)
			*ret_rela = d.d_un.d_ptr;
		else if (d.d_tag == DT_RELASZ)
			*ret_size = d.d_un.d_val;
	}
	return RW_E_IMAGE_RELOC;
}

static Elf64_Rela relocation(const struct elf_image *image, uint64_t i)
{
	Elf64_Rela r;

	memcpy(&r, image->file + image->rela_offset + i * sizeof(r), sizeof(r));
	return r;
}

static enum rw_error check_relocations(struct check *c)
{
	struct elf_image *image = &c->image;
	const struct elf_segment *s;
	uint64_t rela, size, i;
	enum rw_error error;

	if (c->dynamic.p_type != PT_DYNAMIC)
		return RW_OK;
	error = read_dynamic(c, &rela, &size);
	if (error || !size)
		return error;
	s = in_file(image, rela, size);
	if (!s || size % sizeof(Elf64_Rela))
		return RW_E_IMAGE_RELOC;
	image->rela_offset = s->offset + (rela - s->vaddr);
	image->rela_count = size / sizeof(Elf64_Rela);

	for (i = 0; i < image->rela_count; i++) {
		Elf64_Rela r = relocation(image, i);

		s = in_file(image, r.r_offset, sizeof(uint64_t));
		if (r.r_info != R_X86_64_RELATIVE || !s || s->execute ||
		    (uint64_t)r.r_addend > image->span)
			return RW_E_IMAGE_RELOC;
	}
	return RW_OK;
}

enum rw_error elf_check(const void *file, uint64_t size, struct elf_image *ret)
{
	struct check c = { .file = file, .size = size, .image.file = file };
	enum rw_error error;

	if (size < sizeof(c.header) || size > RW_IMAGE_MAX)
		return RW_E_IMAGE_SIZE;
	memcpy(&c.header, file, sizeof(c.header));
	error = check_ident(&c);
	if (!error)
		error = check_tables(&c);
	if (!error)
		error = check_segments(&c);
	if (!error)
		error = check_entry(&c);
	if (!error)
		error = check_relocations(&c);
	if (!error)
		*ret = c.image;
	return error;
}

const struct elf_segment *elf_segment_at(const struct elf_image *elf,
					 uint64_t vaddr)
{
	uint32_t i;

	for (i = 0; i < elf->segment_count; i++) {
		const struct elf_segment *s = &elf->segment[i];

		if (vaddr >= s->vaddr &&
		    vaddr - s->vaddr < page_up(s->memory_size))
			return s;
	}
	return NULL;
}

void elf_place(const struct elf_image *elf, void *place, uint64_t address)
{
	uint8_t *to = place;
	uint64_t i;

	memset(to, 0, elf->span);
	for (i = 0; i < elf->segment_count; i++) {
		const struct elf_segment *s = &elf->segment[i];

		memcpy(to + s->vaddr, elf->file + s->offset, s->file_size);
	}
	for (i = 0; i < elf->rela_count; i++) {
		Elf64_Rela r = relocation(elf, i);
		uint64_t value = address + (uint64_t)r.r_addend;

		memcpy(to + r.r_offset, &value, sizeof(value));
	}
}
