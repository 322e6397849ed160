/* SPDX-License-Identifier: MIT */
/*
 * Makes one step of an enable fail, as the plan in this image says. The steps of
 * a kind are counted as they come, so a test that asks for one after the other
 * until the enable succeeds has had them all. Linked into monitor-testing.elf
 * only, with enter_prepare() and enter_vmcs() wrapped.
 */
#include "monitor/enter.h"
#include "monitor/vmcs.h"
#include "monitor/vmx.h"

#define CR3_TARGETS_TOO_MANY 0xffff

/** A test finds it in the file by the magic and writes the last two. */
struct fail_plan {
	char magic[16];
	uint64_t kinds;	 /* how many there are */
	uint64_t kind;	 /* enum fail_kind; beyond: none fails */
	uint64_t number; /* of the step of that kind, from 0, over all CPUs */
};

volatile struct fail_plan fail_plan = { "ringwall-fail-at", FAIL_KINDS,
					FAIL_KINDS, 0 };

static const void *entering; /* block of the CPU that enters */
static uint64_t steps;	     /* of the kind that shall fail */

enum rw_error __real_enter_prepare(const struct rw_boot *from, uint32_t index,
				   struct pcpu **ret);
enum rw_error __wrap_enter_prepare(const struct rw_boot *from, uint32_t index,
				   struct pcpu **ret);
enum rw_error __real_enter_vmcs(struct pcpu *cpu, const struct rw_crossing *x,
				uint64_t fs_base, const uint64_t *stack);
enum rw_error __wrap_enter_vmcs(struct pcpu *cpu, const struct rw_crossing *x,
				uint64_t fs_base, const uint64_t *stack);

bool fail_here(enum fail_kind kind)
{
	return __atomic_load_n(&entering, __ATOMIC_RELAXED) == fs_self() &&
	       kind == fail_plan.kind && steps++ == fail_plan.number;
}

enum rw_error __wrap_enter_prepare(const struct rw_boot *from, uint32_t index,
				   struct pcpu **ret)
{
	enum rw_error error;

	__atomic_store_n(&entering, fs_self(), __ATOMIC_RELAXED);
	error = __real_enter_prepare(from, index, ret);
	__atomic_store_n(&entering, NULL, __ATOMIC_RELAXED);
	return error;
}

/*
 * VMLAUNCH and the entry itself cannot be intercepted: they are given what the
 * CPU refuses, too many CR3 targets (SDM Vol. 3 27.2.1.1) and RFLAGS of 0
 * (27.3.1.4).
 */
enum rw_error __wrap_enter_vmcs(struct pcpu *cpu, const struct rw_crossing *x,
				uint64_t fs_base, const uint64_t *stack)
{
	enum rw_error error;

	__atomic_store_n(&entering, fs_self(), __ATOMIC_RELAXED);
	error = __real_enter_vmcs(cpu, x, fs_base, stack);
	if (!error && fail_here(FAIL_VMLAUNCH))
		vmcs_write32(CR3_TARGET_COUNT, CR3_TARGETS_TOO_MANY);
	if (!error && fail_here(FAIL_ENTRY))
		vmcs_write(GUEST_RFLAGS, 0);
	__atomic_store_n(&entering, NULL, __ATOMIC_RELAXED);
	return error;
}
