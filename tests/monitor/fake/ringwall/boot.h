/* SPDX-License-Identifier: MIT */
/*
 * Stands before <ringwall/boot.h>: the monitor's own memory and its windows lie
 * where a process may map something.
 */
#ifndef TESTS_MONITOR_BOOT_H
#define TESTS_MONITOR_BOOT_H

#include_next <ringwall/boot.h>

#undef RW_VA_PHYSMAP
#undef RW_VA_WINDOW
#define RW_VA_PHYSMAP 0x200000000000ULL
#define RW_VA_WINDOW  0x280000000000ULL

#endif
