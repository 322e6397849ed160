/* SPDX-License-Identifier: MIT */
/* A small manifest with one of everything, to be spoiled by the tests. */
#ifndef TESTS_MANIFEST_SMALL_H
#define TESTS_MANIFEST_SMALL_H

#include <ringwall/manifest.h>

#define SMALL_TEXT 0xffffffff81000000ULL

/**
 * Two pages of text, a hole of two, one page of read-only data. Sites: 0x010 an
 * SMP lock; 0xffe, reaching into page 1, a static call to list 0; 0x1100 a
 * thunk; 0x1200 a string with a relocated field.
 */
struct small_manifest {
	struct rw_manifest_header header;
	struct rw_manifest_page page[3];
	struct rw_manifest_range range[1];
	struct rw_manifest_list list[1];
	uint32_t target[4]; /* 0x40, 0x80, 0x1000, 0x1800 */
	uint32_t set[4];
	struct {
		struct rw_manifest_set set;
		struct {
			struct rw_manifest_string string;
			uint8_t bytes[4];
		} string[2];
	} lock;
	struct {
		struct rw_manifest_set set;
		struct {
			struct rw_manifest_string string;
			uint8_t bytes[8];
		} string[2];
	} call, thunk, field;
	struct rw_manifest_site site[4];
	uint16_t relocation[4];
};

void small_manifest(struct small_manifest *ret);

_Static_assert(sizeof(struct small_manifest) == 480, "no padding");

#endif
