/* SPDX-License-Identifier: MIT */
/* The dump of <ringwall/hypercall.h>: panic records and log, as one file. */
#ifndef MONITOR_DUMP_H
#define MONITOR_DUMP_H

#include <ringwall/types.h>

/** Copies up to `room` bytes from `offset` on; returns how many. */
uint64_t dump_read(uint64_t offset, uint8_t *to, uint64_t room);

#endif
