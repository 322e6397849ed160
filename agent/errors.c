/* SPDX-License-Identifier: MIT */
/* The table of errors, made from <ringwall/error.def>. Holds no state. */
#include <stddef.h>

#include "agent/errors.h"

struct error_row {
	uint32_t number;
	int exit_code;
	const char *name;
	const char *text;
};

static const struct error_row error_rows[] = {
#define RW_ERROR(name, number, exit_code, text) \
	{ number, exit_code, #name, text },
#include <ringwall/error.def>
#undef RW_ERROR
};

static const struct error_row error_unknown = {
	0, EXIT_CODE_ERROR, "E_UNKNOWN", "an error this program has no name for"
};

static const struct error_row *error_find(uint32_t error)
{
	for (size_t i = 0; i < sizeof(error_rows) / sizeof(error_rows[0]); i++)
		if (error_rows[i].number == error)
			return &error_rows[i];
	return &error_unknown;
}

const char *error_text(uint32_t error)
{
	return error_find(error)->text;
}

const char *error_name(uint32_t error)
{
	return error_find(error)->name;
}

int error_exit_code(uint32_t error)
{
	return error_find(error)->exit_code;
}
