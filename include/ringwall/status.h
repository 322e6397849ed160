/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* What the monitor says of itself. Every number comes from VMX root. */
#ifndef RINGWALL_STATUS_H
#define RINGWALL_STATUS_H

#include <ringwall/policy.h>
#include <ringwall/types.h>

/** Bumped with every change of the structures and calls in include/ringwall. */
#define RW_ABI_VERSION 2

enum rw_state {
	RW_STATE_ENABLED = 1, /* CPUs inside, no policy in force */
	RW_STATE_ARMING = 2,  /* protections set, not yet seen by every CPU */
	RW_STATE_ARMED = 3,   /* in force on every CPU */
};

enum rw_cpu_state {
	RW_CPU_OUTSIDE = 0,
	RW_CPU_INSIDE = 1, /* in VMX non-root operation or an exit of it */
	RW_CPU_WAIT_SIPI = 2,
	RW_CPU_STOPPED = 3, /* monitor fault: see the panic record */
};

struct rw_status_rule {
	uint32_t id;
	uint16_t target;
	uint8_t mode;
	uint8_t action;
	uint32_t flags;
	uint32_t severity;
	uint64_t pages; /* 4 KiB pages this rule protects now */
	uint64_t hits;
	char name[RW_POLICY_NAME_SIZE];
};

#define RW_STATUS_RULES 16

struct rw_status {
	uint32_t abi_version;
	uint32_t state; /* enum rw_state */
	uint32_t cpus;	/* taken at enable */
	uint32_t cpus_inside;
	uint8_t nonce[RW_SHA256_SIZE]; /* this boot of the monitor */
	uint8_t step; /* how one instruction is stepped: 1 MTF, 2 TF */
	uint8_t reserved[7];

	uint64_t policy_serial; /* 0: none in force */
	uint32_t policy_flags;
	uint32_t policy_rules;
	uint8_t policy_digest[RW_SHA256_SIZE]; /* of the signed bytes */
	uint8_t policy_key_id[RW_KEY_ID_SIZE];
	char policy_name[RW_POLICY_NAME_SIZE];
	uint8_t policy_build_id[RW_BUILD_ID_SIZE];
	uint32_t reserved2;
	uint64_t kaslr_slide; /* found by the monitor */
	uint64_t text_pages;
	uint64_t rodata_pages;
	struct rw_status_rule rules[RW_STATUS_RULES];

	uint64_t memory_pages; /* donated, 4 KiB */
	uint64_t memory_free;
	uint64_t memory_low_water; /* fewest free pages so far */
	uint64_t ept_tables;
	uint64_t ept_leaves[3]; /* 4 KiB, 2 MiB, 1 GiB */

	uint64_t events_last;  /* sequence of the newest record, 0: none */
	uint64_t events_acked; /* sequence up to which records were fetched */
	uint64_t events_lost;  /* records that found the ring full */
	uint64_t events_coalesced; /* hits counted in an earlier record */
	uint64_t events_ring;	   /* records the ring holds */
	uint8_t events_chain[RW_SHA256_SIZE]; /* of the newest record */
	uint64_t hypercalls;

	uint64_t memory_reserve; /* fewer free pages: the driver is asked */
	uint64_t memory_donated; /* of memory_pages, those given at run time */
	uint64_t memory_donations; /* blocks taken in use at run time, ever */
	uint64_t memory_returns;   /* blocks given back */
	uint64_t memory_requests;  /* times that the reserve was touched */
};

#define RW_EXIT_REASONS 70

struct rw_cpu_status {
	uint32_t cpu;
	uint32_t apic_id;
	uint32_t state; /* enum rw_cpu_state */
	uint32_t reserved;
	uint64_t exits; /* all */
	uint64_t nmis;	/* taken in VMX root or by exit, handed on */
	uint64_t steps; /* shadow-page steps */
	uint64_t exit[RW_EXIT_REASONS]; /* by basic exit reason */
};

_Static_assert(sizeof(struct rw_status) <= 4096, "status fits a page");
_Static_assert(sizeof(struct rw_cpu_status) <= 4096, "status fits a page");

#endif
