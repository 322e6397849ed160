/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * What the driver hands to the monitor at enable, and the monitor's view of
 * linear memory. The structure lies in donated memory; the monitor copies and
 * checks it once, on the first CPU.
 */
#ifndef RINGWALL_BOOT_H
#define RINGWALL_BOOT_H

#include <ringwall/policy.h>
#include <ringwall/types.h>

/*
 * The monitor lives in the 16 PML4 slots that Linux leaves to a hypervisor
 * (Documentation/arch/x86/x86_64/mm.rst: the guard hole at ffff800000000000),
 * so one table can hold the kernel's upper half and the monitor together while
 * a CPU crosses over.
 */
#define RW_VA_SLOT_FIRST 256 /* PML4 slots 256..271 */
#define RW_VA_SLOT_COUNT 16
/** Image: 2 MiB aligned, anywhere in slot 256, at a random slide. */
#define RW_VA_IMAGE 0xffff800000000000ULL
/** Donated memory, one to one: va = RW_VA_PHYSMAP + hpa (slots 257..270). */
#define RW_VA_PHYSMAP 0xffff808000000000ULL
/** Windows to guest memory, made by the monitor (slot 271). */
#define RW_VA_WINDOW 0xffff878000000000ULL

#define RW_BOOT_MAGIC  0x544f4f425752ULL /* "RWBOOT" */
#define RW_BOOT_CHUNKS 64
#define RW_BOOT_RAM    64
#define RW_BOOT_KEYS   8

struct rw_boot_range {
	uint64_t start; /* physical, page aligned */
	uint64_t end;
};

struct rw_boot {
	uint64_t magic;
	uint32_t abi_version;
	uint32_t size;	    /* sizeof(struct rw_boot) */
	uint32_t cpu_count; /* present CPUs, all online */
	uint32_t chunk_count;
	uint32_t ram_count;
	uint32_t key_count;

	uint64_t image_va;   /* where offset 0 of the image is mapped */
	uint64_t image_size; /* of the mapping, whole pages */
	uint64_t cr3;	     /* physical address of the monitor's PML4 */
	uint64_t leave_va; /* driver text: switches CR3 back, see driver/entry.S */
	uint64_t doorbell; /* physical page the guest may only read */
	uint8_t seed[32];  /* from the kernel's random pool */

	/**
	 * Donated memory, all mapped in the physmap. The first `used` bytes of
	 * chunk 0 hold this structure, the image and the page tables; the
	 * rest and every other chunk are zero and free for use.
	 */
	uint64_t used;
	struct rw_boot_range chunk[RW_BOOT_CHUNKS];
	/** System RAM as the kernel's resource tree has it, ascending. */
	struct rw_boot_range ram[RW_BOOT_RAM];
	/** Keys whose policies are accepted. */
	uint8_t key[RW_BOOT_KEYS][RW_KEY_POINT_SIZE];
};

/**
 * Start of the doorbell page, which only the monitor writes. The driver looks
 * at it from time to time; no exit is needed to learn that there is news.
 */
struct rw_doorbell {
	uint64_t events_last;	/* sequence of the newest event record */
	uint64_t memory_wanted; /* pages missing to the reserve; 0: none */
};

/**
 * How a CPU crosses. driver/entry.S fills it on the kernel stack, with the
 * transition table loaded: the kernel's upper half and the monitor's slots.
 * The monitor's ELF entry point has the C signature
 *   uint64_t entry(struct rw_boot *boot, uint32_t cpu, struct rw_crossing *x)
 * and returns only on failure, with an enum rw_error. On success the CPU
 * continues as a guest at x->rip with x->rsp and x->cr3, interrupts off, and
 * RAX = 0; rbx, rbp, r12..r15 are as they were at entry.
 */
struct rw_crossing {
	uint64_t rip;
	uint64_t rsp;
	uint64_t cr3;
	uint64_t transition; /* physical PML4 in use while crossing */
};

#endif
