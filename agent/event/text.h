/* SPDX-License-Identifier: MIT */
/*
 * Small pieces of text: hexadecimal, cleaned names, times. No allocation; a
 * result that does not fit is cut and always terminated.
 */
#ifndef AGENT_EVENT_TEXT_H
#define AGENT_EVENT_TEXT_H

#include <stddef.h>
#include <stdint.h>

/** Room for text_time(): "2026-11-22T17:00:00.123456Z" and the NUL. */
#define TEXT_TIME_SIZE 28

/** Writes 2 * size lower-case digits and a NUL to out. */
void text_hex(char *out, const void *data, size_t size);

/** Reads exactly 2 * size digits, with nothing behind; 0, or -1. */
int text_unhex(const char *text, void *out, size_t size);

/**
 * Copies a name of at most max bytes, ended by a NUL or not, to out of out_size
 * bytes. A byte that is not printable ASCII, or is a space, becomes '?': what
 * comes from the guest or the monitor cannot break a line of a log.
 */
void text_name(char *out, size_t out_size, const char *name, size_t max);

/** UTC with microseconds, RFC 3339; nanoseconds since 1970. */
void text_time(char out[static TEXT_TIME_SIZE], uint64_t nanoseconds);

#endif
