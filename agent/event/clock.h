/* SPDX-License-Identifier: MIT */
/*
 * When a record was made. The monitor stamps the time-stamp counter only; its
 * rate is measured against the kernel's monotonic clock for as long as the agent
 * runs. Until that is long enough, and whenever the result cannot be right, the
 * caller uses the time of receipt and says so.
 */
#ifndef AGENT_EVENT_CLOCK_H
#define AGENT_EVENT_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

/** The three clocks at one moment. */
struct clock_sample {
	uint64_t tsc;
	uint64_t monotonic; /* nanoseconds since boot */
	uint64_t real;	    /* nanoseconds since 1970 */
};

/** Shortest time over which a rate is believed. */
#define CLOCK_BASE_MIN 1000000000ULL

/** Reads the clocks. */
struct clock_sample clock_now(void);

/**
 * The wall-clock time of a past counter value, from the rate between two
 * samples. False if base and now are too close, if a clock ran backwards, or if
 * the value is in the future or before boot; *ret_real is then untouched.
 */
bool clock_of_tsc(const struct clock_sample *base,
		  const struct clock_sample *now, uint64_t tsc,
		  uint64_t *ret_real);

#endif
