/* SPDX-License-Identifier: MIT */
/*
 * A folder of a test's own, empty at its start and gone at its end. Paths given
 * back stay good until eight more were asked for.
 */
#ifndef TESTS_POLICY_SCRATCH_H
#define TESTS_POLICY_SCRATCH_H

#include <stdbool.h>
#include <stddef.h>

/** Setup and teardown for cmocka_unit_test_setup_teardown(). */
int scratch_open(void **state);
int scratch_close(void **state);

/** The path of a file in the folder; "" is the folder itself. */
const char *scratch(const char *name);

/** Writes a file and returns its path. */
const char *scratch_write(const char *name, const void *data, size_t size);
const char *scratch_text(const char *name, const char *text);

bool scratch_exists(const char *name);

/** How many files are in the folder. */
size_t scratch_count(void);

/** Runs a shell command in the folder; its exit code. */
int scratch_run(const char *command);

#endif
