/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* Fixed-width integers for the monitor, the kernel driver and user space. */
#ifndef RINGWALL_TYPES_H
#define RINGWALL_TYPES_H

#ifdef __KERNEL__
#include <linux/types.h>
#else
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#endif

#endif
