/* SPDX-License-Identifier: MIT */
/* The monitor's .symtab through libelf, which checks the file's bounds. */
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <gelf.h>
#include <libelf.h>

#include "agent/cli/image_symbols.h"

struct image_symbols {
	int fd;
	Elf *elf;
	Elf_Data *table;
	size_t count;
	size_t strings; /* section index of the names */
};

/* The GNU build-id note of a section of notes. */
static bool note_matches(Elf_Data *data,
			 const uint8_t build_id[RW_BUILD_ID_SIZE])
{
	size_t offset = 0, name, description;
	GElf_Nhdr note;

	while ((offset = gelf_getnote(data, offset, &note, &name,
				      &description)) > 0) {
		const char *bytes = data->d_buf;

		if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 &&
		    !memcmp(bytes + name, "GNU", 4) &&
		    note.n_descsz == RW_BUILD_ID_SIZE &&
		    !memcmp(bytes + description, build_id, RW_BUILD_ID_SIZE))
			return true;
	}
	return false;
}

/* Finds the symbol table; whether the build-id is the one asked for. */
static bool scan_sections(struct image_symbols *symbols,
			  const uint8_t build_id[RW_BUILD_ID_SIZE])
{
	Elf_Scn *section = NULL;
	bool matches = false;
	GElf_Shdr header;

	while ((section = elf_nextscn(symbols->elf, section))) {
		if (!gelf_getshdr(section, &header))
			continue;
		if (header.sh_type == SHT_NOTE) {
			Elf_Data *data = elf_getdata(section, NULL);

			matches |= data && note_matches(data, build_id);
		}
		if (header.sh_type == SHT_SYMTAB && header.sh_entsize) {
			symbols->table = elf_getdata(section, NULL);
			symbols->count = header.sh_size / header.sh_entsize;
			symbols->strings = header.sh_link;
		}
	}
	return matches;
}

struct image_symbols *
image_symbols_open(const char *path, const uint8_t build_id[RW_BUILD_ID_SIZE],
		   struct problem *why)
{
	struct image_symbols *symbols = calloc(1, sizeof(*symbols));
	bool matches = false;

	if (!symbols) {
		problem_errno(why, path);
		return NULL;
	}
	symbols->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (symbols->fd < 0) {
		problem_errno(why, path);
		goto fail;
	}
	elf_version(EV_CURRENT);
	symbols->elf = elf_begin(symbols->fd, ELF_C_READ, NULL);
	if (symbols->elf && elf_kind(symbols->elf) == ELF_K_ELF &&
	    gelf_getclass(symbols->elf) == ELFCLASS64)
		matches = scan_sections(symbols, build_id);
	if (!symbols->table) {
		problem_set(why, "%s: no ELF64 file with a symbol table", path);
		goto fail;
	}
	if (!matches) {
		problem_set(
			why,
			"%s: not the image that is loaded (build-id differs)",
			path);
		goto fail;
	}
	return symbols;
fail:
	image_symbols_close(symbols);
	return NULL;
}

void image_symbols_close(struct image_symbols *symbols)
{
	if (!symbols)
		return;
	elf_end(symbols->elf);
	if (symbols->fd >= 0)
		close(symbols->fd);
	free(symbols);
}

/* Whether a symbol is code that holds this offset, as far as it tells. */
static bool holds(const GElf_Sym *symbol, uint64_t offset)
{
	unsigned int type = GELF_ST_TYPE(symbol->st_info);

	return (type == STT_FUNC || type == STT_NOTYPE) && symbol->st_name &&
	       symbol->st_shndx != SHN_UNDEF &&
	       symbol->st_shndx < SHN_LORESERVE && symbol->st_value <= offset &&
	       (!symbol->st_size ||
		offset - symbol->st_value < symbol->st_size);
}

const char *image_symbols_find(const struct image_symbols *symbols,
			       uint64_t offset, uint64_t *ret_offset)
{
	GElf_Sym symbol, nearest = { 0 };

	for (size_t i = 0; symbols && i < symbols->count; i++)
		if (gelf_getsym(symbols->table, (int)i, &symbol) &&
		    holds(&symbol, offset) &&
		    (!nearest.st_name || symbol.st_value >= nearest.st_value))
			nearest = symbol;
	if (!nearest.st_name)
		return NULL;
	*ret_offset = offset - nearest.st_value;
	return elf_strptr(symbols->elf, symbols->strings, nearest.st_name);
}
