/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* The errors that cross borders between the parts, from error.def. */
#ifndef RINGWALL_ERROR_H
#define RINGWALL_ERROR_H

#include <ringwall/types.h>

enum rw_error {
#define RW_ERROR(name, number, exit_code, text) RW_##name = (number),
#include <ringwall/error.def>
#undef RW_ERROR
};

#define RW_MUST_USE __attribute__((warn_unused_result))

#endif
