/* SPDX-License-Identifier: MIT */
#include "monitor/wall.h"

#include <ringwall/config.h>
#include <string.h>

#include "ept/mtrr.h"
#include "ept/sync.h"
#include "monitor/cpu.h"
#include "monitor/enter.h"
#include "monitor/memory.h"
#include "monitor/panic.h"
#include "monitor/percpu.h"
#include "monitor/spinlock.h"
#include "monitor/vmx.h"

#define MTRR_PHYSBASE0	       0x200
#define MTRR_DEF_TYPE	       0x2ff
#define MTRR_VCNT_MASK	       0xffU
#define MTRR_FIXED_SUPPORTED   BIT(8)
#define INVEPT_ALL	       2
#define FIRST_4G	       (4 * RW_SIZE_1G)
#define FILL_RESERVE	       8 /* tables; one GiB takes three and its odd MTRRs' */
#define CPUID_7_ECX_TME	       BIT(13)
#define IA32_TME_ACTIVATE      0x982
#define TME_LOCKED_ON	       3U
#define TME_KEY_BITS(activate) ((activate) >> 32 & 0xf)

static struct ept ept;
struct ept_sync wall_sync;
static uint64_t seen[CONFIG_RINGWALL_MAX_CPUS];
static struct mtrr_state mtrr;
static struct spinlock lock;
static struct rw_boot_range ram[RW_BOOT_RAM];
static uint32_t ram_count;

/* Under the lock: devices can be mapped when nothing else is left. */
static void *reserve[FILL_RESERVE];
static unsigned int reserved;
static bool filling;

static void *table_alloc(void *ctx)
{
	void *page = page_alloc(0);

	(void)ctx;
	if (!page && filling && reserved)
		page = memset(reserve[--reserved], 0, RW_PAGE_SIZE);
	return page;
}

static void table_free(void *ctx, void *page)
{
	(void)ctx;
	if (reserved < FILL_RESERVE)
		reserve[reserved++] = page;
	else
		page_free(page);
}

static hpa_t table_hpa(void *ctx, const void *page)
{
	(void)ctx;
	return page_hpa(page);
}

static void *table_va(void *ctx, hpa_t page)
{
	(void)ctx;
	return page_va(page);
}

static const struct ept_ops ops = { table_alloc, table_free, table_hpa,
				    table_va };

static void read_mtrrs(void)
{
	static const uint32_t fixed[MTRR_FIXED_COUNT] = {
		0x250, 0x258, 0x259, 0x268, 0x269, 0x26a,
		0x26b, 0x26c, 0x26d, 0x26e, 0x26f,
	};
	uint64_t cap = rdmsr(IA32_MTRRCAP);

	mtrr.def_type = rdmsr(MTRR_DEF_TYPE);
	mtrr.variable_count = cap & MTRR_VCNT_MASK;
	for (uint32_t i = 0; i < mtrr.variable_count && i < MTRR_VARIABLE_MAX;
	     i++) {
		mtrr.variable[i].base = rdmsr(MTRR_PHYSBASE0 + 2 * i);
		mtrr.variable[i].mask = rdmsr(MTRR_PHYSBASE0 + 2 * i + 1);
	}
	if (cap & MTRR_FIXED_SUPPORTED)
		for (uint32_t i = 0; i < MTRR_FIXED_COUNT; i++)
			mtrr.fixed[i] = rdmsr(fixed[i]);
}

/*
 * Where memory encryption has several keys, the upper bits of an address choose
 * one, and a page has more addresses than the one that the tree keeps.
 */
static unsigned int address_width(void)
{
	unsigned int width = cpuid(0x80000008, 0).eax & 0xff;
	uint64_t tme = cpuid(7, 0).ecx & CPUID_7_ECX_TME ?
			       rdmsr(IA32_TME_ACTIVATE) :
			       0;

	return (tme & TME_LOCKED_ON) == TME_LOCKED_ON ?
		       width - (unsigned int)TME_KEY_BITS(tme) :
		       width;
}

static bool take_ram(const struct rw_boot *boot)
{
	uint64_t last = 0;

	for (uint32_t i = 0; i < boot->ram_count; i++) {
		struct rw_boot_range r = boot->ram[i];

		if (((r.start | r.end) & ~RW_PAGE_MASK) || r.start < last ||
		    r.start >= r.end)
			return false;
		last = r.end;
		ram[i] = r;
	}
	ram_count = boot->ram_count;
	return ram_count > 0;
}

static enum rw_error to_rw(enum ept_error error)
{
	switch (error) {
	case EPT_OK:
		return RW_OK;
	case EPT_ERR_NO_MEMORY:
		return RW_E_NO_MEMORY;
	case EPT_ERR_FEATURES:
		return RW_E_CAPABILITY;
	default:
		return RW_E_ADDRESS;
	}
}

static enum ept_error build(struct ept_update *u, const struct rw_boot *boot)
{
	uint64_t top = ram[ram_count - 1].end;
	enum ept_error error;

	top = (top + RW_SIZE_1G - 1) & ~(RW_SIZE_1G - 1);
	if (top < FIRST_4G)
		top = FIRST_4G;
	error = ept_map_identity(u, &mtrr, gpa(0), top, EPT_RWX);
	for (uint32_t i = 0; !error && i < boot->chunk_count; i++)
		error = ept_take(u, gpa(boot->chunk[i].start),
				 boot->chunk[i].end - boot->chunk[i].start);
	if (!error)
		error = ept_protect(u, gpa(boot->doorbell), RW_PAGE_SIZE,
				    EPT_R);
	return error;
}

enum rw_error wall_init(const struct rw_boot *boot)
{
	struct ept_obligation owed;
	struct ept_update u;
	enum ept_error error;

	if (!take_ram(boot))
		return RW_E_BOOT_INFO;
	reserved = 0;
	read_mtrrs();
	error = ept_init(&ept,
			 ept_features_from_cap(rdmsr(IA32_VMX_EPT_VPID_CAP)),
			 address_width(), &ops, NULL);
	if (error)
		return to_rw(error);
	ept_sync_init(&wall_sync, &ept, seen, CONFIG_RINGWALL_MAX_CPUS);
	error = ept_begin(&u, &ept);
	if (error)
		return to_rw(error);
	error = build(&u, boot);
	if (error) {
		ept_cancel(&u);
		return error == EPT_ERR_NO_MEMORY ? RW_E_NO_MEMORY :
						    RW_E_BOOT_INFO;
	}
	owed = ept_commit(&u);
	(void)!ept_discharge(&wall_sync, &owed);
	while (reserved < FILL_RESERVE) {
		void *page = page_alloc(0);

		if (!page)
			return RW_E_NO_MEMORY;
		reserve[reserved++] = page;
	}
	return RW_OK;
}

struct ept *wall_ept(void)
{
	return &ept;
}

void wall_join(struct pcpu *cpu)
{
	cpu->wall_seen = &seen[cpu->index];
	ept_sync_join(&wall_sync, cpu->index);
}

void wall_park(struct pcpu *cpu)
{
	ept_sync_park(&wall_sync, cpu->index);
}

void wall_catch_up(struct pcpu *cpu)
{
	uint64_t generation;

	while (ept_sync_behind(&wall_sync, cpu->index, &generation)) {
		if (cpu->step.active)
			step_rebuild(cpu);
		if (invept(INVEPT_ALL, 0))
			enter_vmx_refused(RW_E_INVEPT);
		write_cr3(read_cr3()); /* a block may have left our tables */
		ept_sync_caught_up(&wall_sync, cpu->index, generation);
	}
}

bool wall_reached(uint64_t generation)
{
	return ept_sync_reached(&wall_sync, generation);
}

/* Ends an update that was begun under the lock, and releases the lock. */
static enum rw_error finish(struct ept_update *u, enum ept_error error,
			    uint64_t *ret_generation)
{
	struct ept_obligation owed;

	if (error) {
		ept_cancel(u);
	} else {
		owed = ept_commit(u);
		*ret_generation = ept_discharge(&wall_sync, &owed);
	}
	ept_sync_reclaim(&wall_sync);
	spin_unlock(&lock);
	return to_rw(error);
}

/* Under the lock, which it releases if it fails. */
static enum rw_error begin_locked(struct ept_update *u)
{
	enum ept_error error = ept_begin(u, &ept);

	if (error)
		spin_unlock(&lock);
	return to_rw(error);
}

static enum rw_error begin(struct ept_update *u)
{
	spin_lock(&lock);
	filling = false;
	return begin_locked(u);
}

enum rw_error wall_fill(gpa_t at)
{
	struct ept_translation t;
	struct ept_update u;
	uint64_t generation;
	enum rw_error error;

	if (ept_query(&ept, at, &t) != EPT_ERR_UNMAPPED)
		return RW_E_ADDRESS;
	spin_lock(&lock);
	filling = true;
	error = begin_locked(&u);
	if (error)
		return error;
	return finish(&u,
		      ept_map_identity(&u, &mtrr, gpa(at.v & ~(RW_SIZE_1G - 1)),
				       RW_SIZE_1G, EPT_RWX),
		      &generation);
}

enum rw_error wall_apply(const struct wall_change *changes, uint32_t count,
			 uint64_t *ret_generation)
{
	enum ept_error failed = EPT_OK;
	struct ept_update u;
	enum rw_error error = begin(&u);

	if (error)
		return error;
	for (uint32_t i = 0; !failed && i < count; i++)
		failed = ept_protect(&u, changes[i].start, changes[i].size,
				     changes[i].rights);
	return finish(&u, failed, ret_generation);
}

/* A page that a rule protects is not taken: it would come back writable. */
enum rw_error wall_take(gpa_t start, uint64_t size, uint64_t *ret_generation)
{
	enum ept_error failed = EPT_OK;
	struct ept_update u;
	enum rw_error error = begin(&u);

	if (error)
		return error;
	for (gpa_t at = start; at.v - start.v < size; at.v += RW_PAGE_SIZE)
		if (!wall_is_ram(at) || wall_rights(at) != EPT_RWX)
			failed = EPT_ERR_TAKEN;
	if (!failed)
		failed = ept_take(&u, start, size);
	return finish(&u, failed, ret_generation);
}

enum rw_error wall_give(gpa_t start, uint64_t size)
{
	struct ept_update u;
	uint64_t generation;
	enum rw_error error = begin(&u);

	if (error)
		return error;
	return finish(&u, ept_give(&u, &mtrr, start, size, EPT_RWX),
		      &generation);
}

void wall_reclaim(void)
{
	spin_lock(&lock);
	ept_sync_reclaim(&wall_sync);
	spin_unlock(&lock);
}

uint64_t wall_rights(gpa_t at)
{
	struct ept_translation t;

	return ept_query(&ept, at, &t) ? 0 : t.permissions;
}

bool wall_is_ram(gpa_t at)
{
	for (uint32_t i = 0; i < ram_count; i++)
		if (at.v >= ram[i].start && at.v < ram[i].end)
			return true;
	return false;
}

void wall_status(struct rw_status *ret)
{
	struct ept_stats stats = ept_stats(&ept);

	ret->ept_tables = stats.tables;
	for (int level = 1; level < EPT_LEVELS; level++)
		ret->ept_leaves[level - 1] = stats.leaves[level];
}
