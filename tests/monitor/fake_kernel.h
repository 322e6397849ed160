/* SPDX-License-Identifier: MIT */
/*
 * A guest kernel in memory, as Linux lays itself out, and signed policies for
 * it: page tables of the test's own making, an image, a build-id, LSTAR.
 */
#ifndef TESTS_MONITOR_FAKE_KERNEL_H
#define TESTS_MONITOR_FAKE_KERNEL_H

#include <ringwall/event.h>

#include "tests/monitor/fake_guest.h"
#include "tests/policy/sample.h"

#define KERNEL_CR3	   0x2000000ULL	 /* tables grow up from there */
#define KERNEL_BUFFER	   0x3000000ULL	 /* a page for hypercalls */
#define KERNEL_PHYS	   0x10000000ULL /* of the byte at KERNEL_TEXT */
#define KERNEL_TEXT	   0xffffffff81000000ULL /* link addresses */
#define KERNEL_TEXT_SIZE   0x401000ULL
#define KERNEL_RODATA	   0xffffffff81600000ULL
#define KERNEL_RODATA_SIZE 0x203000ULL
#define KERNEL_DATA_SIZE   0x200000ULL /* behind rodata */
#define KERNEL_BUILD_ID	   (KERNEL_RODATA + 0x1ff010)
#define KERNEL_LSTAR	   (KERNEL_TEXT + 0x1000)
#define TEXT_PHYS	   KERNEL_PHYS
#define RODATA_PHYS	   (KERNEL_PHYS + KERNEL_RODATA - KERNEL_TEXT)
#define DATA_PHYS	   (RODATA_PHYS + KERNEL_RODATA_SIZE)

#define PTE_P	  BIT(0)
#define PTE_W	  BIT(1)
#define PTE_LARGE BIT(7)
#define PTE_NX	  BIT(63)

/**
 * Maps 4 KiB (level 1), 2 MiB (2) or 1 GiB (3) in the tables at cr3, which
 * grow as needed; flags: PTE_W, PTE_NX.
 */
void kernel_map(uint64_t cr3, uint64_t gva, uint64_t gpa, int level,
		uint64_t flags);

/** The entry that maps gva in the tables at cr3; it must exist. */
uint64_t *kernel_entry(uint64_t cr3, uint64_t gva);

/** A page for tables, all zero. */
uint64_t kernel_table(void);

/** The kernel at a slide on every CPU, at KERNEL_PHYS; fetches ENABLED. */
void kernel_start(uint64_t slide);

/** The image's mapping in the tables at cr3, from a physical place. */
void kernel_map_image(uint64_t cr3, uint64_t slide, uint64_t phys);

/** machine_init(), a key the monitor trusts, machine_start(), kernel_start(). */
void kernel_boot(uint32_t cpus, uint64_t slide);

/** The key of kernel_boot(). */
extern EVP_PKEY *kernel_key;

/** A policy for the kernel: text and rodata, enforce and fault, no lock. */
struct sample_body kernel_policy(uint64_t serial);

/** Signs, uploads by hypercalls and commits; returns the commit's RAX. */
uint64_t kernel_load(const struct sample_body *body);

/** The same for the first bytes of the body, which say their size. */
uint64_t kernel_load_some(const struct sample_body *body, uint32_t size);

/** The same for any file. */
uint64_t kernel_load_file(const void *file, uint32_t size);

/** kernel_load(), and every CPU has synchronised: ARMED. */
void kernel_arm(const struct sample_body *body);

/** All records not fetched so far, of which there are at most max. */
uint32_t kernel_events(struct rw_event *to, uint32_t max);

/** Fails the test unless exactly one record is there; returns it. */
struct rw_event kernel_event(void);

/** The monitor's status. */
struct rw_status kernel_status(void);

#endif
