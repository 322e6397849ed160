/* SPDX-License-Identifier: MIT */
#include "monitor/percpu.h"

#include <ringwall/config.h>

#include "monitor/cpu.h"
#include "monitor/enter.h"
#include "monitor/fault.h"
#include "monitor/memory.h"
#include "monitor/wall.h"

#define BLOCK_NMI_TOP	(2 * RW_PAGE_SIZE)
#define BLOCK_MC_TOP	(3 * RW_PAGE_SIZE)
#define BLOCK_FAULT_TOP (4 * RW_PAGE_SIZE)

/* What FS points to until a CPU has a block of its own. */
struct pcpu early_percpu = { .self = &early_percpu,
			     .canary = 0x9d2c5680ca6b00ff };

static struct pcpu *blocks[CONFIG_RINGWALL_MAX_CPUS];

struct pcpu *percpu_get(uint32_t index)
{
	if (index >= CONFIG_RINGWALL_MAX_CPUS)
		return NULL;
	return __atomic_load_n(&blocks[index], __ATOMIC_ACQUIRE);
}

static bool alloc_pages(struct pcpu *cpu)
{
	void *tables[EPT_VIEW_TABLES];

	for (unsigned int i = 0; i < EPT_VIEW_TABLES; i++) {
		tables[i] = page_alloc(0);
		if (!tables[i])
			return false;
	}
	ept_view_init(&cpu->view, wall_ept(), tables);
	for (unsigned int i = 0; i < STEP_PAGES; i++) {
		cpu->step.scratch[i] = page_alloc(0);
		cpu->step.original[i] = page_alloc(0);
		if (!cpu->step.scratch[i] || !cpu->step.original[i])
			return false;
	}
	cpu->vmxon = page_alloc(0);
	cpu->vmcs = page_alloc(0);
	/*
	 * Two pages, the first used: with page-table isolation Linux takes bit
	 * 12 of CR3 for "on the user's tables".
	 */
	cpu->transition = page_alloc(1);
	return cpu->vmxon && cpu->vmcs && cpu->transition;
}

/* A failure here fails the enable, and all memory goes back with that. */
enum rw_error percpu_create(uint32_t index, struct pcpu **ret)
{
	struct pcpu *cpu = percpu_get(index);
	uint64_t base;

	if (cpu) {
		*ret = cpu;
		return RW_OK;
	}
	cpu = page_alloc(PERCPU_ORDER);
	if (!cpu)
		return RW_E_NO_MEMORY;
	base = (uint64_t)cpu;
	cpu->self = cpu;
	cpu->index = index;
	if (!alloc_pages(cpu) || window_create(cpu))
		return RW_E_NO_MEMORY;
	cpu->doorbell = window_map(cpu, WINDOW_DOORBELL,
				   hpa(enter_boot()->doorbell), true);
	cpu->canary = enter_canary();
	fault_init_cpu(cpu, base + BLOCK_NMI_TOP, base + BLOCK_MC_TOP,
		       base + BLOCK_FAULT_TOP);
	__atomic_store_n(&blocks[index], cpu, __ATOMIC_RELEASE);
	*ret = cpu;
	return RW_OK;
}

bool percpu_all_inside(uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		const struct pcpu *cpu = percpu_get(i);

		if (!cpu || cpu->state != RW_CPU_INSIDE || cpu->self_test)
			return false;
	}
	return true;
}

void fpu_begin(void)
{
	fxsave(this_cpu()->fpu);
}

void fpu_end(void)
{
	fxrstor(this_cpu()->fpu);
}
