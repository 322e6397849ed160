/* SPDX-License-Identifier: MIT */
/*
 * Who has invalidated what: the proof that no CPU holds anything stale. Owns
 * the generations and the replaced tables that wait; must never execute INVEPT
 * (the caller does, and says so).
 *
 * Every commit that owes an invalidation makes a new generation. A CPU that is
 * behind invalidates before its next VM entry; when the slowest CPU has caught
 * up, the tables replaced before are freed. On each CPU, before VM entry:
 *
 *	uint64_t generation;
 *
 *	if (ept_sync_behind(sync, cpu, &generation)) {
 *		(build the active view again, if there is one)
 *		invept(all contexts);
 *		ept_sync_caught_up(sync, cpu, generation);
 *	}
 *
 * A generation may appear between this check and the entry: then the CPU is in
 * the guest and behind, and counts as behind. Whoever narrowed rights makes
 * the other CPUs exit (NMI) until ept_sync_reached(sync, generation); only
 * then is the protection in force everywhere.
 */
#ifndef EPT_SYNC_H
#define EPT_SYNC_H

#include "ept/ept.h"

/** In seen: needs nothing, holds nothing, and stays so until it joins. */
#define EPT_SYNC_PARKED UINT64_MAX

/*
 * Legend: L written under the EPT lock, A atomic.
 */
struct ept_sync {
	struct ept *ept;
	uint64_t generation; /* L A: of the newest commit, from 1 */
	uint64_t *seen;	     /* A: per CPU, written by that CPU */
	unsigned int cpus;
	struct ept_pages waiting; /* L: free once all have seen waiting_for */
	uint64_t waiting_for;	  /* L */
	struct ept_pages young;	  /* L: replaced after waiting_for was made */
};

/**
 * Starts with every CPU parked. seen is an array of one word per CPU that
 * lives as long as sync (the library fills it).
 */
void ept_sync_init(struct ept_sync *sync, struct ept *ept, uint64_t *seen,
		   unsigned int cpus);

/**
 * Takes over the debt of a commit (and clears *owed: it is paid once) and
 * returns the generation that every CPU has to reach, 0 when nothing was owed.
 */
EPT_MUST_USE uint64_t ept_discharge(struct ept_sync *sync,
				    struct ept_obligation *owed);

/** Whether this CPU must invalidate before it enters; then *ret is up to where. */
EPT_MUST_USE static inline bool ept_sync_behind(const struct ept_sync *sync,
						unsigned int cpu, uint64_t *ret)
{
	uint64_t generation =
		__atomic_load_n(&sync->generation, __ATOMIC_ACQUIRE);
	uint64_t seen = __atomic_load_n(&sync->seen[cpu], __ATOMIC_RELAXED);

	if (seen == generation || seen == EPT_SYNC_PARKED)
		return false;
	*ret = generation;
	return true;
}

/**
 * This CPU, in root mode, has invalidated all contexts after it was told
 * generation, and holds no view or translation found before that.
 */
void ept_sync_caught_up(struct ept_sync *sync, unsigned int cpu,
			uint64_t generation);

/** Whether every CPU that is not parked has caught up with a generation. */
EPT_MUST_USE bool ept_sync_reached(const struct ept_sync *sync,
				   uint64_t generation);

/**
 * This CPU leaves: it uses no table until it joins again (offline, disabled).
 * What it has cached goes then.
 */
void ept_sync_park(struct ept_sync *sync, unsigned int cpu);

/** This CPU joins, in root mode, before its first look at a table; it is behind. */
void ept_sync_join(struct ept_sync *sync, unsigned int cpu);

/**
 * Frees the replaced tables that no CPU can hold any more and returns how many
 * still wait. Never waits itself; call after commits and on occasion.
 */
uint64_t ept_sync_reclaim(struct ept_sync *sync);

#endif
