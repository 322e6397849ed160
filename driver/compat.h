/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Every difference between kernel versions. Built and tested with 6.1; nothing
 * else in driver/ may ask for the version.
 */
#ifndef RINGWALL_DRIVER_COMPAT_H
#define RINGWALL_DRIVER_COMPAT_H

#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 1, 0)
#error "Ringwall needs Linux 6.1 or newer"
#endif

/* The MSR accessors were renamed. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 16, 0)
#define rdmsrl_safe rdmsrq_safe
#define wrmsrl_safe wrmsrq_safe
#endif

#endif
