/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * The manifest of a kernel, version 1: what every byte of its text and read-only
 * data must be. Little-endian, no padding the compiler chooses.
 *
 *   struct rw_manifest_header
 *   struct rw_manifest_page   [page_count]    text, then read-only data
 *   struct rw_manifest_range  [range_count]   sorted, disjoint
 *   struct rw_manifest_list   [list_count]
 *   uint32_t target           [target_count]  in each list sorted, no repeats
 *   uint32_t set              [set_count]     where it starts in words[]
 *   uint32_t words            [word_count]    the sets
 *   struct rw_manifest_site   [site_count]    by page, sorted, disjoint
 *   uint16_t relocation       [relocation_count]  by page, sorted
 *
 * The last is padded with zeros to 4 bytes. Where
 * something is in the image is said as its distance from text_start ("offset"),
 * which KASLR does not change.
 *
 * A page's digest is SHA-256 of its 4,096 bytes with every relocated field as
 * linked and with 0 for each byte of a site or a range. A site may reach into
 * the next page, as may a relocated field: the fields of a page are those that
 * start in it.
 */
#ifndef RINGWALL_MANIFEST_FORMAT_H
#define RINGWALL_MANIFEST_FORMAT_H

#include <ringwall/policy.h>

#define RW_MANIFEST_MAGIC   0x5453464e414d5752ULL /* "RWMANFST" */
#define RW_MANIFEST_VERSION 1
#define RW_MANIFEST_MAX	    (16U << 20) /* bytes */

struct rw_manifest_header {
	uint64_t magic;
	uint16_t version;
	uint16_t header_size; /* sizeof(struct rw_manifest_header) */
	uint32_t total_size;
	uint8_t build_id[RW_BUILD_ID_SIZE];
	uint32_t reserved;   /* 0 */
	uint64_t text_start; /* link addresses, page aligned, half open */
	uint64_t text_end;
	uint64_t rodata_start;
	uint64_t rodata_end;
	uint64_t build_id_address; /* of the 20 bytes, in the read-only data */
	uint64_t syscall_entry; /* what IA32_LSTAR holds, without the slide */
	uint32_t page_count;
	uint32_t range_count;
	uint32_t list_count;
	uint32_t target_count;
	uint32_t set_count;
	uint32_t word_count;
	uint32_t site_count;
	uint32_t relocation_count;
};

/** What starts in page n is [first, first of page n + 1), or to the count. */
struct rw_manifest_page {
	uint8_t digest[RW_SHA256_SIZE];
	uint32_t first_site;
	uint32_t first_relocation;
};

/**
 * Bytes the manifest says nothing about: what the kernel writes as it boots, and
 * what lies behind the end of the file in the last page.
 */
struct rw_manifest_range {
	uint32_t start; /* offsets, half open */
	uint32_t end;
};

/** Places that a branch may go to: target[first .. first + count). */
struct rw_manifest_list {
	uint32_t first;
	uint32_t count;
};

/** Bytes that the kernel may rewrite: one of the strings of its set. */
struct rw_manifest_site {
	uint16_t at; /* offset in the page */
	uint16_t set;
};

/** A relocation: offset in the page, and in the upper 4 bits its kind. */
#define RW_RELOCATION_AT(r)   ((r)&0xfffU)
#define RW_RELOCATION_KIND(r) ((r) >> 12)

enum rw_relocation_kind {
	RW_RELOCATION_32 = 1,	      /* 4 bytes, the slide is added */
	RW_RELOCATION_INVERSE_32 = 2, /* 4 bytes, the slide is subtracted */
	RW_RELOCATION_64 = 3,	      /* 8 bytes, the slide is added */
};

/** Bits of a set's classes: which of the kernel's tables name the site. */
enum rw_site_class {
	RW_SITE_JUMP_LABEL = 1 << 0,
	RW_SITE_STATIC_CALL = 1 << 1,
	RW_SITE_FTRACE = 1 << 2,
	RW_SITE_ALTERNATIVE = 1 << 3,
	RW_SITE_PARAVIRT = 1 << 4,
	RW_SITE_RETPOLINE = 1 << 5,
	RW_SITE_RETURN = 1 << 6,
	RW_SITE_SMP_LOCK = 1 << 7,
};
#define RW_SITE_CLASSES 0xffU

/** A set in words[]: this, then its strings. */
struct rw_manifest_set {
	uint8_t classes;
	uint8_t length; /* of the site, 1 or more; all strings have it */
	uint8_t count;	/* of strings, 1 or more; the first is the file's */
	uint8_t reserved;
};

/** At most this many fields in a string. */
#define RW_STRING_FIELDS 2

/**
 * A string in words[]: this, then length bytes padded with zeros to 4. The bytes
 * of a field are 0; unused fields are 0. Fields are in the order of their
 * places and do not overlap.
 */
struct rw_manifest_string {
	struct {
		uint8_t kind; /* enum rw_field_kind */
		uint8_t at;   /* in the string */
	} field[RW_STRING_FIELDS];
	uint32_t value[RW_STRING_FIELDS];
};

/** What stands in a field, and what its value means. */
enum rw_field_kind {
	RW_FIELD_NONE = 0,
	/** 4 bytes, a relative branch; the offset it goes to. */
	RW_FIELD_TARGET = 1,
	/** 4 bytes, a relative branch; the list its target is in. */
	RW_FIELD_LIST = 2,
	/**
	 * 4 bytes, a relative branch out of the image, to a thunk that the
	 * kernel made: "jmp *REG; int3"; the register's number.
	 */
	RW_FIELD_THUNK = 3,
	/** 4 bytes, what is linked there; the slide is added, or subtracted. */
	RW_FIELD_ADD = 4,
	RW_FIELD_SUBTRACT = 5,
};

_Static_assert(sizeof(struct rw_manifest_header) == 120, "manifest header");
_Static_assert(sizeof(struct rw_manifest_page) == 40, "manifest page");
_Static_assert(sizeof(struct rw_manifest_range) == 8, "manifest range");
_Static_assert(sizeof(struct rw_manifest_list) == 8, "manifest list");
_Static_assert(sizeof(struct rw_manifest_site) == 4, "manifest site");
_Static_assert(sizeof(struct rw_manifest_set) == 4, "manifest set");
_Static_assert(sizeof(struct rw_manifest_string) == 12, "manifest string");

#endif
