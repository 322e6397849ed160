/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Memory given to the running monitor and taken back, in blocks of
 * RW_DONATE_SIZE: asked by root, or by the monitor when it runs low. Frees a
 * block only when the monitor has given it back, or when every CPU is outside.
 */
#ifndef RINGWALL_DRIVER_DONATE_H
#define RINGWALL_DRIVER_DONATE_H

#include <ringwall/error.h>
#include <ringwall/ioctl.h>

/* Every CPU is inside (is about to leave): calls are made (no more) from now. */
void donate_open(void);
void donate_close(void);

/* Every CPU is outside: clears and frees what the monitor still had. */
void donate_release(void);

/* At unload of the module. */
void donate_exit(void);

/*
 * Gives or takes memory->bytes, and says there how many it were. RW_E_ARGUMENT,
 * RW_E_NOT_ENABLED, RW_E_MEMORY_LIMIT, RW_E_NO_MEMORY, RW_E_MEMORY_IN_USE: the
 * monitor keeps the rest; RW_E_BUSY: some CPU has not confirmed the change.
 */
RW_MUST_USE enum rw_error donate_change(struct rw_ioc_memory *memory);

/* The monitor asks for memory. Any context; the donation follows. */
void donate_wanted(void);

/* Bytes that the monitor has by this way. */
u64 donate_bytes(void);

#endif
