/* SPDX-License-Identifier: MIT */
/*
 * Ticket spinlock: first come, first served. Interrupts are off in VMX root, so
 * a holder is never preempted; it must not fault and an NMI handler must not
 * take a lock by anything but spin_trylock(). All zero is an unlocked lock.
 */
#ifndef MONITOR_SPINLOCK_H
#define MONITOR_SPINLOCK_H

#include <ringwall/types.h>

struct spinlock {
	uint32_t next;	  /* ticket of the next CPU to come */
	uint32_t serving; /* ticket of the CPU that holds the lock */
};

static inline void spin_lock(struct spinlock *l)
{
	uint32_t ticket = __atomic_fetch_add(&l->next, 1, __ATOMIC_RELAXED);

	while (__builtin_expect(
		__atomic_load_n(&l->serving, __ATOMIC_ACQUIRE) != ticket, 0))
		__builtin_ia32_pause();
}

/** Takes the lock only if it is free now; true if taken. */
static inline bool spin_trylock(struct spinlock *l)
{
	uint32_t ticket = __atomic_load_n(&l->serving, __ATOMIC_ACQUIRE);

	return __atomic_compare_exchange_n(&l->next, &ticket, ticket + 1, false,
					   __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

static inline void spin_unlock(struct spinlock *l)
{
	__atomic_store_n(&l->serving, l->serving + 1, __ATOMIC_RELEASE);
}

#endif
