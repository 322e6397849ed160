/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Address types: a host-physical, a guest-physical and a linear address must
 * never be mixed up, so each is a type of its own. Pure, no code that can fail.
 */
#ifndef RINGWALL_ADDR_H
#define RINGWALL_ADDR_H

#include <ringwall/types.h>

#define RW_PAGE_SHIFT 12
#define RW_PAGE_SIZE  (1ULL << RW_PAGE_SHIFT)
#define RW_PAGE_MASK  (~(RW_PAGE_SIZE - 1))
#define RW_SIZE_2M    (1ULL << 21)
#define RW_SIZE_1G    (1ULL << 30)

/** Host-physical address: what the EPT leads to, what the VMCS is given. */
typedef struct {
	uint64_t v;
} hpa_t;

/** Guest-physical address: what the kernel believes to be physical. */
typedef struct {
	uint64_t v;
} gpa_t;

/** Guest-linear address. */
typedef struct {
	uint64_t v;
} gva_t;

static inline hpa_t hpa(uint64_t v)
{
	return (hpa_t){ v };
}

static inline gpa_t gpa(uint64_t v)
{
	return (gpa_t){ v };
}

static inline gva_t gva(uint64_t v)
{
	return (gva_t){ v };
}

/**
 * The frame behind a guest page. Ringwall maps the host one to one, so this is
 * the one place that says so.
 */
static inline hpa_t hpa_of_gpa(gpa_t a)
{
	return (hpa_t){ a.v };
}

static inline gpa_t gpa_of_hpa(hpa_t a)
{
	return (gpa_t){ a.v };
}

#endif
