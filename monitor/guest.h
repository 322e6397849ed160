/* SPDX-License-Identifier: MIT */
/*
 * Looking at the guest's memory. Everything the guest passes is an address in
 * the hands of an attacker: only ordinary RAM that the guest itself may read
 * (write) is touched, and what is read is copied once.
 */
#ifndef MONITOR_GUEST_H
#define MONITOR_GUEST_H

#include <ringwall/addr.h>
#include <ringwall/error.h>

struct pcpu;

/**
 * The page at `page` through window n of this CPU, or NULL if it is not page
 * aligned RAM that the guest itself may read (write). Others may write to it
 * at any time: copy, then look.
 */
void *guest_page(struct pcpu *cpu, unsigned int n, gpa_t page, bool writable);

/** Where a linear address leads, by the guest's own tables. */
struct guest_mapping {
	gpa_t gpa;
	uint64_t left; /* bytes from there to the end of the leaf */
	bool executable;
};

/**
 * Translates a linear address by the page tables at cr3, four levels.
 * RW_E_ADDRESS: not present, or the tables are not in the guest's RAM.
 */
enum rw_error guest_translate(struct pcpu *cpu, uint64_t cr3, gva_t at,
			      struct guest_mapping *ret);

/** Copies bytes from linear memory. RW_E_ADDRESS, *to partly written. */
enum rw_error guest_read(struct pcpu *cpu, uint64_t cr3, gva_t from, void *to,
			 uint64_t bytes);

#endif
