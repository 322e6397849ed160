/* SPDX-License-Identifier: MIT */
/*
 * The driver's device as functions: one per ioctl of <ringwall/ioctl.h>, and
 * the stream of records. Every function returns an enum rw_error; outputs are
 * untouched unless it is RW_OK. Where the driver or the monitor gave a reason it
 * is that one; otherwise the errno of the system call, mapped:
 *
 *   no device file                        RW_E_NO_DEVICE
 *   not root, or without CAP_SYS_ADMIN    RW_E_PERMISSION
 *   EBUSY                                 RW_E_BUSY
 *   ENODEV                                RW_E_NOT_ENABLED
 *   ENOMEM                                RW_E_NO_MEMORY
 *   ENOTTY                                RW_E_ABI
 *   anything else                         RW_E_IO
 *
 * Prints nothing, keeps no state. The calls without a descriptor open the
 * device, make one call and close it.
 */
#ifndef AGENT_DEVICE_H
#define AGENT_DEVICE_H

#include <stdbool.h>
#include <stddef.h>

#include <ringwall/error.h>
#include <ringwall/ioctl.h>

/** The largest dump that device_dump() can give: 256 panics and 1 MiB of log. */
#define DEVICE_DUMP_MAX (2U << 20)

/** "CPU at which it failed" when there is none to name. */
#define DEVICE_NO_CPU UINT32_MAX

/**
 * Gives the driver a monitor image (an ELF file of image_size bytes) and the
 * key_count points whose policies it shall accept, one after the other.
 */
RW_MUST_USE enum rw_error device_load(const void *image, size_t image_size,
				      const uint8_t (*keys)[RW_KEY_POINT_SIZE],
				      uint32_t key_count);

/** Drops the image; only while the monitor is not enabled. */
RW_MUST_USE enum rw_error device_unload(void);

/**
 * Takes every CPU into the monitor. On failure *ret_cpu is the CPU that refused,
 * or DEVICE_NO_CPU: the one output that is set on failure.
 */
RW_MUST_USE enum rw_error device_enable(uint32_t *ret_cpu);

/** Takes every CPU out again; *ret_cpu as for device_enable(). */
RW_MUST_USE enum rw_error device_disable(uint32_t *ret_cpu);

/** Loads a signed policy; RW_OK once it is in force on every CPU. */
RW_MUST_USE enum rw_error device_policy_load(const void *data, size_t size,
					     enum rw_state *ret_state);

/** What the monitor says of itself. RW_E_ABI if its version is not ours. */
RW_MUST_USE enum rw_error device_status(struct rw_status *ret_status);

/** What the monitor says of one CPU, counted from 0 to rw_status.cpus - 1. */
RW_MUST_USE enum rw_error device_cpu_status(uint32_t cpu,
					    struct rw_cpu_status *ret_status);

/**
 * The dump of <ringwall/hypercall.h>, at most size bytes (DEVICE_DUMP_MAX is
 * always enough), *ret_size of them.
 */
RW_MUST_USE enum rw_error device_dump(void *buffer, size_t size,
				      size_t *ret_size);

/** Makes the monitor write a record of kind TEST. */
RW_MUST_USE enum rw_error device_test_alert(void);

/**
 * Gives the monitor `bytes` of memory, or takes back what was given so.
 * *ret_bytes: how many it were, set on failure too.
 */
RW_MUST_USE enum rw_error device_memory(uint64_t bytes, bool take,
					uint64_t *ret_bytes);

/** What the driver knows, also while no monitor is enabled. */
RW_MUST_USE enum rw_error device_driver(struct rw_ioc_driver *ret_driver);

/**
 * Makes the monitor fail on purpose on one CPU. RW_E_UNKNOWN_CALL unless it was
 * built with its test hooks.
 */
RW_MUST_USE enum rw_error device_test_hook(enum rw_test_hook what,
					   uint32_t cpu);

/** Opens the stream of records, not blocking, for poll(2) and device_read(). */
RW_MUST_USE enum rw_error device_open(int *ret_fd);

/**
 * The next records, at most max, *ret_count of them; 0 when there are none now.
 * RW_E_IO if the driver gives half a record.
 */
RW_MUST_USE enum rw_error device_read(int fd, struct rw_event *events,
				      size_t max, size_t *ret_count);

/** Closes what device_open() gave. */
void device_close(int fd);

#endif
