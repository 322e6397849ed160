/* SPDX-License-Identifier: MIT */
/*
 * What the guest does: one instruction that stores bytes, carried out as a CPU
 * under EPT would, with every VM exit it takes on the way; and NMIs that come
 * at any point. Knows nothing of the monitor but the VMCS it has written.
 */
#ifndef TESTS_MONITOR_FAKE_GUEST_H
#define TESTS_MONITOR_FAKE_GUEST_H

#include "tests/monitor/machine.h"

#define STORE_LENGTH 7 /* bytes of the instruction */
#define STORE_MAX    64

/** A store; it may straddle pages, whose frames may lie anywhere. */
struct store {
	gva_t gva;
	gpa_t gpa[3]; /* of the first byte, and of the pages behind */
	uint32_t size;
	uint8_t bytes[STORE_MAX];
	/** Runs once, right after the bytes were stored. */
	void (*meanwhile)(const struct store *s);
	uint32_t exception; /* not 0: the store faults with this vector */
};

/** A store of n bytes of one value at a page offset, GVA in the direct map. */
struct store store_at(uint64_t gpa, uint8_t byte, uint32_t size);

/** How the instruction ended. */
enum store_end {
	STORE_DONE,  /* the next instruction follows */
	STORE_TRAP,  /* done, and an event was delivered behind it */
	STORE_FAULT, /* an event was delivered instead: fake->delivered */
};

enum store_end guest_store(const struct store *s);

/** VM exits the last store took. */
extern uint32_t store_exits;

/** Whether the guest may do that (EPT_R, W or X) by the current EPT pointer. */
bool guest_can(uint64_t gpa, uint64_t access);

/** What the tables of this CPU's EPT pointer let the guest do. */
uint64_t fake_tree_rights(uint64_t gpa);

/** The EPT violation that an access to this address takes. */
struct vm_exit violation_exit(uint64_t gpa, uint64_t gva, uint64_t access);

/** An NMI reaches the CPU while it runs the guest: the VM exit for it. */
void guest_nmi(void);

/** The guest's NMI handler ends with IRET; pending windows exit. */
void guest_iret(void);

#endif
