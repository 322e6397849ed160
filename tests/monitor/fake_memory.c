/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "tests/monitor/fake_memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <ringwall/hypercall.h>

#include "monitor/percpu.h"
#include "tests/monitor/fake_cpu.h"
#include "tests/monitor/fake_guest.h"

#define PTE_PRESENT  (1ULL << 0)
#define PTE_WRITE    (1ULL << 1)
#define PTE_LARGE    (1ULL << 7)
#define PTE_NX	     (1ULL << 63)
#define PTE_ADDRESS  0x000ffffffffff000ULL
#define WINDOWS_SIZE (FAKE_CPUS * WINDOWS * RW_PAGE_SIZE)

static int file;
static uint8_t *memory;
static uint64_t root;
static struct rw_boot_range donated;
static uint64_t blocks[FAKE_BLOCKS]; /* donated at run time, 0: none */

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
	for (int i = 0; i < FAKE_BLOCKS; i++)
		if (blocks[i] && hpa - blocks[i] < RW_DONATE_SIZE)
			return false;
	return (hpa >= LOW_RAM_START && hpa < LOW_RAM_END) ||
	       (hpa >= RAM_START && hpa < RAM_END) ||
	       (hpa >= HIGH_RAM_START && hpa < HIGH_RAM_END);
}

void fake_memory_root(uint64_t cr3)
{
	root = cr3;
}

/* No CPU that runs the guest may reach the block, or remember that it could. */
static void check_out_of_reach(const struct fake_cpu *cpu, uint64_t start)
{
	struct fake_cpu *now = fake;

	fake = (struct fake_cpu *)(uintptr_t)cpu;
	if (*fake_vmcs(GUEST_ACTIVITY) == ACTIVITY_WAIT_SIPI) {
		fake = now;
		return;
	}
	for (uint32_t i = 0; i < FAKE_TLB; i++)
		if (cpu->tlb[i].eptp &&
		    cpu->tlb[i].hpa - start < RW_DONATE_SIZE)
			fail_msg("CPU %u remembers %#llx, now the monitor's",
				 cpu->index,
				 (unsigned long long)cpu->tlb[i].hpa);
	for (uint64_t at = 0; at < RW_DONATE_SIZE; at += RW_PAGE_SIZE)
		if (fake_tree_rights(start + at))
			fail_msg("CPU %u reaches %#llx, now the monitor's",
				 cpu->index, (unsigned long long)(start + at));
	fake = now;
}

/* A block comes into the physmap or leaves it. */
static void map_block(uint64_t at, uint64_t entry, int level)
{
	uint64_t start = at - RW_VA_PHYSMAP;
	int i = 0;

	while (i < FAKE_BLOCKS && blocks[i] != (entry ? 0 : start))
		i++;
	assert_in_range(i, 0, FAKE_BLOCKS - 1);
	assert_int_equal(level, 2);
	blocks[i] = entry ? start : 0;
	map(at, RW_DONATE_SIZE, entry ? PROT_READ | PROT_WRITE : PROT_NONE,
	    start);
	if (!entry)
		return;
	assert_int_equal(entry,
			 start | PTE_PRESENT | PTE_WRITE | PTE_LARGE | PTE_NX);
	for (uint32_t cpu = 0; cpu < FAKE_CPUS; cpu++)
		if (fake_cpus[cpu].vmx_on)
			check_out_of_reach(&fake_cpus[cpu], start);
}

/* Walks the monitor's tables, SDM Vol. 3 4.5, and maps what they say. */
void invlpg(const void *va)
{
	uint64_t at = (uint64_t)va, entry = root;
	int level;

	for (level = 4; level >= 1; level--) {
		const uint64_t *table = physical(entry & PTE_ADDRESS);

		assert_non_null(table);
		entry = table[at >> (12 + 9 * (level - 1)) & 511];
		if (!(entry & PTE_PRESENT) || (entry & PTE_LARGE))
			break;
	}
	if (at >= RW_VA_PHYSMAP && at < RW_VA_WINDOW) {
		map_block(at, entry, level);
		return;
	}
	assert_true(entry & PTE_PRESENT);
	assert_in_range(at, RW_VA_WINDOW, RW_VA_WINDOW + WINDOWS_SIZE - 1);
	if (!(entry & PTE_NX) || !fake_memory_is_guest_ram(entry & PTE_ADDRESS))
		fail_msg("a window that may execute or is not the guest's RAM");
	map(at, RW_PAGE_SIZE, PROT_READ | (entry & PTE_WRITE ? PROT_WRITE : 0),
	    entry & PTE_ADDRESS);
}
