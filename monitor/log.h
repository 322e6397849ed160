/* SPDX-License-Identifier: MIT */
/*
 * The monitor's own words: a ring of text, oldest overwritten. Meant for the
 * people who read a dump; nothing in it is part of the alert path.
 */
#ifndef MONITOR_LOG_H
#define MONITOR_LOG_H

#include <ringwall/types.h>

/**
 * Adds one line. Understands %s, %u and %x, the numbers being uint64_t.
 * Callable on any CPU in any state, NMI included: a line may then be mixed with
 * another, never lost memory-unsafely.
 */
void log_line(const char *format, ...);

/** Bytes the ring holds now. */
uint32_t log_size(void);

/** Byte number `at` of the text, oldest first; at < log_size(). */
char log_byte(uint32_t at);

#endif
