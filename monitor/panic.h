/* SPDX-License-Identifier: MIT */
/*
 * The end of a CPU: records what it was doing and stops it closed. Owns the
 * panic records; never returns, never takes a lock it could wait on for ever.
 */
#ifndef MONITOR_PANIC_H
#define MONITOR_PANIC_H

#include <ringwall/hypercall.h>

/** Stops this CPU with a message (a string that lives as long as the image). */
void __attribute__((noreturn, cold)) panic(const char *message);

#define PANIC_TEXT2(x) #x
#define PANIC_TEXT(x)  PANIC_TEXT2(x)

/**
 * An invariant of the monitor's own, always compiled in. Never given anything
 * a guest, the driver or a policy decides alone.
 */
#define CHECK(condition)                                                 \
	do {                                                             \
		if (__builtin_expect(!(condition), 0))                   \
			panic(__FILE__                                   \
			      ":" PANIC_TEXT(__LINE__) ": " #condition); \
	} while (0)

/** Records so far and where they are. */
uint32_t panic_records(const struct rw_panic **ret);

#endif
