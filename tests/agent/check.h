/* SPDX-License-Identifier: MIT */
/* CMocka with the headers it asks for. */
#ifndef TESTS_AGENT_CHECK_H
#define TESTS_AGENT_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#endif
