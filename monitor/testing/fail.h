/* SPDX-License-Identifier: MIT */
/*
 * Included before every C file of monitor-testing.elf, and of no other image:
 * puts a question in front of each step that can fail while a CPU enters.
 */
#ifndef MONITOR_TESTING_FAIL_H
#define MONITOR_TESTING_FAIL_H

#include "monitor/cpu.h"
#include "monitor/mm/buddy.h"

enum fail_kind {
	FAIL_CHUNK,  /* of memory that is added */
	FAIL_MEMORY, /* an allocation */
	FAIL_VMXON,
	FAIL_VMCLEAR,
	FAIL_VMPTRLD,
	FAIL_VMWRITE,
	FAIL_INVEPT,
	FAIL_INVVPID,
	FAIL_VMLAUNCH,
	FAIL_ENTRY, /* VMLAUNCH works, the guest's state is refused */
	FAIL_KINDS
};

/**
 * Shall this step fail? True for the one that fail_plan names; false outside of
 * an entry, and always without a plan.
 */
bool fail_here(enum fail_kind kind);

#define vmxon(hpa)	      (fail_here(FAIL_VMXON) || vmxon(hpa))
#define vmclear(hpa)	      (fail_here(FAIL_VMCLEAR) || vmclear(hpa))
#define vmptrld(hpa)	      (fail_here(FAIL_VMPTRLD) || vmptrld(hpa))
#define vmwrite(field, value) (fail_here(FAIL_VMWRITE) || vmwrite(field, value))
#define invept(type, eptp)    (fail_here(FAIL_INVEPT) || invept(type, eptp))
#define invvpid_all()	      (fail_here(FAIL_INVVPID) || invvpid_all())
#define buddy_add_chunk(...) \
	(fail_here(FAIL_CHUNK) ? MM_E_CHUNKS : buddy_add_chunk(__VA_ARGS__))
#define buddy_alloc_zeroed(...)                    \
	(fail_here(FAIL_MEMORY) ? MM_E_NO_MEMORY : \
				  buddy_alloc_zeroed(__VA_ARGS__))

#endif
