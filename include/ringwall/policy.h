/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * The policy file, version 1. Little-endian, no padding the compiler chooses.
 *
 *   struct rw_policy_header
 *   record ... record          each struct rw_policy_record + its body,
 *                              size a multiple of 8
 *   struct rw_policy_trailer   the signature over everything before it
 *
 * The signature is ECDSA P-256 with SHA-256, DER encoded, over the first
 * header.total_size bytes of the file: what "openssl dgst -sha256 -sign" makes.
 */
#ifndef RINGWALL_POLICY_FORMAT_H
#define RINGWALL_POLICY_FORMAT_H

#include <ringwall/types.h>

#define RW_POLICY_MAGIC	    0x5943494c4f505752ULL /* "RWPOLICY" */
#define RW_POLICY_VERSION   1
#define RW_POLICY_NAME_SIZE 32 /* with the NUL; unused bytes are 0 */
#define RW_POLICY_MAX_RULES 64
#define RW_BUILD_ID_SIZE    20
#define RW_SHA256_SIZE	    32
#define RW_KEY_ID_SIZE	    8  /* first bytes of SHA-256 of the 65-byte point */
#define RW_KEY_POINT_SIZE   65 /* uncompressed P-256 point: 04 X Y */
#define RW_SIGNATURE_MAX    72

/** header.flags */
#define RW_POLICY_LOCK	(1U << 0) /* no disable, no unload while in force */
#define RW_POLICY_FLAGS RW_POLICY_LOCK

struct rw_policy_header {
	uint64_t magic;
	uint16_t version;
	uint16_t header_size; /* sizeof(struct rw_policy_header) */
	uint32_t total_size;  /* header and records, without the trailer */
	uint64_t serial;      /* 1 or more; may only grow */
	uint32_t flags;
	uint32_t record_count;
	char name[RW_POLICY_NAME_SIZE]; /* printable ASCII without space */
};

enum rw_policy_record_type {
	RW_RECORD_KERNEL = 1, /* exactly one */
	RW_RECORD_RULE = 2,   /* at least one */
};

struct rw_policy_record {
	uint32_t type;
	uint32_t size; /* with this header */
};

/**
 * The kernel the policy is made for, as its file says: link-time addresses,
 * half open. All but notes are page aligned.
 */
struct rw_policy_kernel {
	struct rw_policy_record record;
	uint8_t build_id[RW_BUILD_ID_SIZE]; /* SHA-1 GNU build-id */
	uint32_t reserved;		    /* 0 */
	uint64_t text_start;		    /* _text .. PFN_ALIGN(_etext) */
	uint64_t text_end;
	uint64_t rodata_start; /* __start_rodata .. __end_rodata */
	uint64_t rodata_end;
	uint64_t build_id_address; /* of the 20 bytes, inside .notes */
};

enum rw_rule_target {
	RW_TARGET_KERNEL_TEXT = 1,
	RW_TARGET_KERNEL_RODATA = 2,
};

enum rw_rule_mode {
	RW_MODE_AUDIT = 1,   /* let the write through, report it */
	RW_MODE_ENFORCE = 2, /* block it, report it */
};

/** What the writer sees when its write is blocked. */
enum rw_rule_action {
	RW_ACTION_ALLOW = 1,   /* audit only: the write happens */
	RW_ACTION_FAULT = 2,   /* enforce: #GP at the instruction */
	RW_ACTION_DISCARD = 3, /* enforce: the write is thrown away */
};

/** rule.flags */
#define RW_RULE_TEXT_POKE (1U << 0) /* text_poke's own writes pass, reported */
#define RW_RULE_FLAGS	  RW_RULE_TEXT_POKE

struct rw_policy_rule {
	struct rw_policy_record record;
	uint32_t id; /* unique in the policy, not 0 */
	uint16_t target;
	uint8_t mode;
	uint8_t action;
	uint32_t flags;
	uint32_t severity; /* 1 info .. 5 critical */
	char name[RW_POLICY_NAME_SIZE];
};

#define RW_TRAILER_MAGIC	  0x44454e4749535752ULL /* "RWSIGNED" */
#define RW_SIGN_ECDSA_P256_SHA256 1

struct rw_policy_trailer {
	uint64_t magic;
	uint16_t algorithm;
	uint16_t signature_size; /* DER bytes used */
	uint32_t reserved;	 /* 0 */
	uint8_t key_id[RW_KEY_ID_SIZE];
	uint8_t signature[RW_SIGNATURE_MAX]; /* the rest is 0 */
};

_Static_assert(sizeof(struct rw_policy_header) == 64, "policy header");
_Static_assert(sizeof(struct rw_policy_kernel) == 72, "kernel record");
_Static_assert(sizeof(struct rw_policy_rule) == 56, "rule record");
_Static_assert(sizeof(struct rw_policy_trailer) == 96, "trailer");

#endif
