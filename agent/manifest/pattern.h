/* SPDX-License-Identifier: MIT */
/*
 * The bytes a patch site may hold, with fields that depend on where the site is
 * or on KASLR; and sets of them. Must never grow beyond what the format holds.
 */
#ifndef AGENT_MANIFEST_PATTERN_H
#define AGENT_MANIFEST_PATTERN_H

#include "agent/manifest/image.h"

#define PATTERN_SIZE	 255
#define PATTERN_SET_SIZE 255

/** A string of the manifest. Bytes of fields are 0. */
struct pattern {
	uint8_t bytes[PATTERN_SIZE];
	uint8_t length;
	struct {
		uint8_t kind; /* enum rw_field_kind; RW_FIELD_NONE ends */
		uint8_t at;
		uint32_t value;
	} field[RW_STRING_FIELDS];
};

struct pattern_set {
	size_t count;
	struct pattern pattern[PATTERN_SET_SIZE];
};

/** Appends bytes; what is longer than a site can be is cut off. */
void pattern_add(struct pattern *pattern, const void *bytes, size_t size);

/** Appends a 4-byte field. */
void pattern_add_field(struct pattern *pattern, enum rw_field_kind kind,
		       uint32_t value);

/** Fills up to a length with the one byte. */
void pattern_fill(struct pattern *pattern, size_t length, uint8_t byte);

/** Fills up to a length with the kernel's long NOPs. */
void pattern_fill_nops(struct pattern *pattern, size_t length);

/**
 * What the file has at an address, with its relocations as fields. false: not
 * in the file, or more or other fields than a string can have.
 */
bool pattern_of_file(const struct image *image, uint64_t address, size_t length,
		     struct pattern *ret);

/**
 * Puts patch over pattern, which starts at offset place of the image. false: a
 * relocated field is cut, or there are more fields than a string can have.
 */
bool pattern_overlay(struct pattern *pattern, uint32_t place,
		     const struct pattern *patch, size_t at);

/** Turns branch fields into bytes, for a string at offset place. */
void pattern_resolve(struct pattern *pattern, uint32_t place);

/**
 * What the kernel's optimize_nops() may make of [at, at + length): runs of
 * one-byte NOPs become long ones of at most longest bytes, all of them or only
 * the last run, if it ends the range.
 */
void pattern_optimize(struct pattern *pattern, size_t at, size_t length,
		      size_t longest, bool last_only);

/** Adds a pattern unless it is there; false if the set is full. */
bool pattern_set_add(struct pattern_set *set, const struct pattern *pattern);

#endif
