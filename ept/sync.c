/* SPDX-License-Identifier: MIT */
/*
 * The generations, and the replaced tables in two batches: what waits for a
 * generation, and what was replaced after that wait began. Must never free a
 * table before every CPU has seen a generation made after its replacement.
 */
#include "ept/entry.h"
#include "ept/sync.h"

#define BEHIND 0ULL /* generations start at 1 */

void ept_sync_init(struct ept_sync *sync, struct ept *ept, uint64_t *seen,
		   unsigned int cpus)
{
	*sync = (struct ept_sync){
		.ept = ept,
		.generation = 1,
		.seen = seen,
		.cpus = cpus,
	};
	for (unsigned int cpu = 0; cpu < cpus; cpu++)
		seen[cpu] = EPT_SYNC_PARKED;
}

uint64_t ept_discharge(struct ept_sync *sync, struct ept_obligation *owed)
{
	bool nothing = owed->invalidation == EPT_INVALIDATE_NONE;

	owed->invalidation = EPT_INVALIDATE_NONE;
	if (nothing)
		return 0;
	ept_pages_append(sync->ept, &sync->young, &owed->retired);
	__atomic_store_n(&sync->generation, sync->generation + 1,
			 __ATOMIC_SEQ_CST);
	return sync->generation;
}

void ept_sync_caught_up(struct ept_sync *sync, unsigned int cpu,
			uint64_t generation)
{
	__atomic_store_n(&sync->seen[cpu], generation, __ATOMIC_RELEASE);
}

bool ept_sync_reached(const struct ept_sync *sync, uint64_t generation)
{
	/*
	 * With the fence in ept_sync_join(): either we see that a CPU joined,
	 * or it sees what was published before we looked.
	 */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	for (unsigned int cpu = 0; cpu < sync->cpus; cpu++)
		if (__atomic_load_n(&sync->seen[cpu], __ATOMIC_ACQUIRE) <
		    generation)
			return false;
	return true;
}

void ept_sync_park(struct ept_sync *sync, unsigned int cpu)
{
	__atomic_store_n(&sync->seen[cpu], EPT_SYNC_PARKED, __ATOMIC_RELEASE);
}

void ept_sync_join(struct ept_sync *sync, unsigned int cpu)
{
	__atomic_store_n(&sync->seen[cpu], BEHIND, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

uint64_t ept_sync_reclaim(struct ept_sync *sync)
{
	for (;;) {
		if (!sync->waiting.count) {
			ept_pages_append(sync->ept, &sync->waiting,
					 &sync->young);
			sync->waiting_for = sync->generation;
		}
		if (!sync->waiting.count ||
		    !ept_sync_reached(sync, sync->waiting_for))
			return sync->waiting.count + sync->young.count;
		ept_pages_free(sync->ept, &sync->waiting);
	}
}
