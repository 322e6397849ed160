/* SPDX-License-Identifier: MIT */
#include <stddef.h>
#include <string.h>

#include "tests/driver/sample.h"

static Elf64_Phdr segment(uint32_t type, uint32_t flags, uint64_t at,
			  uint64_t file_size, uint64_t memory_size,
			  uint64_t align)
{
	return (Elf64_Phdr){
		.p_type = type,
		.p_flags = flags,
		.p_offset = at,
		.p_vaddr = at,
		.p_paddr = at,
		.p_filesz = file_size,
		.p_memsz = memory_size,
		.p_align = align,
	};
}

static Elf64_Rela relative(uint64_t at, uint64_t to)
{
	return (Elf64_Rela){
		.r_offset = at,
		.r_info = ELF64_R_INFO(0, R_X86_64_RELATIVE),
		.r_addend = (int64_t)to,
	};
}

static void fill_header(Elf64_Ehdr *h)
{
	memcpy(h->e_ident, ELFMAG, SELFMAG);
	h->e_ident[EI_CLASS] = ELFCLASS64;
	h->e_ident[EI_DATA] = ELFDATA2LSB;
	h->e_ident[EI_VERSION] = EV_CURRENT;
	h->e_type = ET_DYN;
	h->e_machine = EM_X86_64;
	h->e_version = EV_CURRENT;
	h->e_entry = SAMPLE_ENTRY;
	h->e_phoff = offsetof(struct sample, segment);
	h->e_shoff = offsetof(struct sample, section);
	h->e_ehsize = sizeof(Elf64_Ehdr);
	h->e_phentsize = sizeof(Elf64_Phdr);
	h->e_phnum = SAMPLE_SEGMENTS;
	h->e_shentsize = sizeof(Elf64_Shdr);
	h->e_shnum = 2;
	h->e_shstrndx = 1;
}

struct sample sample(void)
{
	struct sample s = { 0 };
	const uint64_t headers = offsetof(struct sample, pad0);
	const uint64_t text = offsetof(struct sample, text);
	const uint64_t data = offsetof(struct sample, dynamic);

	fill_header(&s.header);
	s.segment[SAMPLE_HEADERS] =
		segment(PT_LOAD, PF_R, 0, headers, headers, SAMPLE_PAGE);
	s.segment[SAMPLE_TEXT] = segment(PT_LOAD, PF_R | PF_X, text,
					 SAMPLE_PAGE, SAMPLE_PAGE, SAMPLE_PAGE);
	s.segment[SAMPLE_DATA] = segment(PT_LOAD, PF_R | PF_W, data,
					 SAMPLE_DATA_SIZE, SAMPLE_DATA_TOTAL,
					 SAMPLE_PAGE);
	s.segment[SAMPLE_DYNAMIC] = segment(PT_DYNAMIC, PF_R | PF_W, data,
					    sizeof(s.dynamic),
					    sizeof(s.dynamic), 8);
	s.segment[SAMPLE_STACK] =
		segment(PT_GNU_STACK, PF_R | PF_W, 0, 0, 0, 16);

	s.rela[0] = relative(offsetof(struct sample, constant), text);
	s.rela[1] = relative(offsetof(struct sample, pointer),
			     data + SAMPLE_DATA_TOTAL - 1);
	memset(s.text, 0xcc, sizeof(s.text));
	memset(s.data, 0xdd, sizeof(s.data));
	s.pointer = 0xbad;

	s.dynamic[SAMPLE_RELA] =
		(Elf64_Dyn){ DT_RELA,
			     { .d_ptr = offsetof(struct sample, rela) } };
	s.dynamic[SAMPLE_RELASZ] =
		(Elf64_Dyn){ DT_RELASZ, { .d_val = sizeof(s.rela) } };
	s.dynamic[SAMPLE_RELAENT] =
		(Elf64_Dyn){ DT_RELAENT, { .d_val = sizeof(s.rela[0]) } };
	s.dynamic[SAMPLE_DYNAMIC_OTHER] = (Elf64_Dyn){ DT_DEBUG, { 0 } };
	return s;
}
