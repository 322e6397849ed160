/* SPDX-License-Identifier: MIT */
/* From the time-stamp counter to the wall clock. */
#include <time.h>
#include <x86intrin.h>

#include "agent/event/clock.h"

static uint64_t read_clock(clockid_t id)
{
	struct timespec now = { 0 };

	clock_gettime(id, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

struct clock_sample clock_now(void)
{
	return (struct clock_sample){
		.tsc = __rdtsc(),
		.monotonic = read_clock(CLOCK_MONOTONIC),
		.real = read_clock(CLOCK_REALTIME),
	};
}

bool clock_of_tsc(const struct clock_sample *base,
		  const struct clock_sample *now, uint64_t tsc,
		  uint64_t *ret_real)
{
	unsigned __int128 age;

	if (now->monotonic < base->monotonic ||
	    now->monotonic - base->monotonic < CLOCK_BASE_MIN ||
	    now->tsc <= base->tsc || tsc > now->tsc)
		return false;
	age = (unsigned __int128)(now->tsc - tsc) *
	      (now->monotonic - base->monotonic) / (now->tsc - base->tsc);
	if (age > now->monotonic || age > now->real)
		return false;
	*ret_real = now->real - (uint64_t)age;
	return true;
}
