/* SPDX-License-Identifier: MIT */
#include "monitor/guest.h"

#include <string.h>

#include "monitor/memory.h"
#include "monitor/wall.h"

#define PTE_PRESENT (1ULL << 0)
#define PTE_LARGE   (1ULL << 7)
#define PTE_NX	    (1ULL << 63)
#define PTE_ADDRESS 0x000ffffffffff000ULL
#define LEVELS	    4

void *guest_page(struct pcpu *cpu, unsigned int n, gpa_t page, bool writable)
{
	uint64_t need = writable ? EPT_R | EPT_W : EPT_R;

	if ((page.v & ~RW_PAGE_MASK) || !wall_is_ram(page) ||
	    (wall_rights(page) & need) != need)
		return NULL;
	return window_map(cpu, n, hpa_of_gpa(page), writable);
}

enum rw_error guest_translate(struct pcpu *cpu, uint64_t cr3, gva_t at,
			      struct guest_mapping *ret)
{
	uint64_t entry = cr3, nx = 0;

	for (int level = LEVELS; level >= 1; level--) {
		unsigned int shift = 12 + 9 * (unsigned int)(level - 1);
		uint64_t inside = (1ULL << shift) - 1;
		const uint64_t *table;

		table = guest_page(cpu, 1, gpa(entry & PTE_ADDRESS), false);
		if (!table)
			return RW_E_ADDRESS;
		entry = ((const volatile uint64_t *)table)[at.v >> shift & 511];
		if (!(entry & PTE_PRESENT))
			return RW_E_ADDRESS;
		nx |= entry;
		if (level == 1 ||
		    ((level == 2 || level == 3) && (entry & PTE_LARGE))) {
			ret->gpa = gpa((entry & PTE_ADDRESS & ~inside) |
				       (at.v & inside));
			ret->left = inside + 1 - (at.v & inside);
			ret->executable = !(nx & PTE_NX);
			return RW_OK;
		}
	}
	return RW_E_ADDRESS;
}

enum rw_error guest_read(struct pcpu *cpu, uint64_t cr3, gva_t from, void *to,
			 uint64_t bytes)
{
	uint8_t *out = to;

	while (bytes) {
		uint64_t offset = from.v & ~RW_PAGE_MASK;
		uint64_t n = RW_PAGE_SIZE - offset;
		struct guest_mapping at;
		const uint8_t *page;

		if (n > bytes)
			n = bytes;
		if (guest_translate(cpu, cr3, from, &at))
			return RW_E_ADDRESS;
		page = guest_page(cpu, 1, gpa(at.gpa.v & RW_PAGE_MASK), false);
		if (!page)
			return RW_E_ADDRESS;
		memcpy(out, page + offset, n);
		out += n;
		from.v += n;
		bytes -= n;
	}
	return RW_OK;
}
