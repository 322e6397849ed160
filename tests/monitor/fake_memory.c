/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "tests/monitor/fake_memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include "monitor/percpu.h"
#include "tests/monitor/fake_cpu.h"

#define PTE_PRESENT  (1ULL << 0)
#define PTE_WRITE    (1ULL << 1)
#define PTE_NX	     (1ULL << 63)
#define PTE_ADDRESS  0x000ffffffffff000ULL
#define WINDOWS_SIZE (FAKE_CPUS * WINDOWS * RW_PAGE_SIZE)

static int file;
static uint8_t *memory;
static uint64_t root;
static struct rw_boot_range donated;

static void *map(uint64_t va, uint64_t size, int protection, uint64_t hpa)
{
	int where = va ? MAP_FIXED : 0;
	void *p = mmap((void *)va, size, protection,
		       MAP_SHARED | MAP_NORESERVE | where, file, (off_t)hpa);

	assert_ptr_not_equal(p, MAP_FAILED);
	return p;
}

void fake_memory_init(void)
{
	file = memfd_create("memory", 0);
	assert_true(file >= 0);
	assert_int_equal(ftruncate(file, FAKE_MEMORY), 0);
	memory = map(0, FAKE_MEMORY, PROT_READ | PROT_WRITE, 0);
	map(RW_VA_WINDOW, WINDOWS_SIZE, PROT_NONE, 0);
}

void *physical(uint64_t hpa)
{
	return hpa < FAKE_MEMORY ? memory + hpa : NULL;
}

void fake_memory_donate(uint64_t start, uint64_t end)
{
	map(RW_VA_PHYSMAP + start, end - start, PROT_READ | PROT_WRITE, start);
	donated = (struct rw_boot_range){ start, end };
}

bool fake_memory_is_guest_ram(uint64_t hpa)
{
	if (hpa >= donated.start && hpa < donated.end)
		return false;
	return (hpa >= LOW_RAM_START && hpa < LOW_RAM_END) ||
	       (hpa >= RAM_START && hpa < RAM_END) ||
	       (hpa >= HIGH_RAM_START && hpa < HIGH_RAM_END);
}

void fake_memory_root(uint64_t cr3)
{
	root = cr3;
}

/* Walks the monitor's tables, SDM Vol. 3 4.5, and maps what they say. */
void invlpg(const void *va)
{
	uint64_t at = (uint64_t)va, entry = root;

	for (int level = 4; level >= 1; level--) {
		const uint64_t *table = physical(entry & PTE_ADDRESS);

		assert_non_null(table);
		entry = table[at >> (12 + 9 * (level - 1)) & 511];
		assert_true(entry & PTE_PRESENT);
	}
	assert_in_range(at, RW_VA_WINDOW, RW_VA_WINDOW + WINDOWS_SIZE - 1);
	if (!(entry & PTE_NX) || !fake_memory_is_guest_ram(entry & PTE_ADDRESS))
		fail_msg("a window that may execute or is not the guest's RAM");
	map(at, RW_PAGE_SIZE, PROT_READ | (entry & PTE_WRITE ? PROT_WRITE : 0),
	    entry & PTE_ADDRESS);
}
