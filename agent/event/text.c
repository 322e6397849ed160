/* SPDX-License-Identifier: MIT */
/* Text for logs: what comes out is printable ASCII on one line. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "agent/event/text.h"

void text_hex(char *out, const void *data, size_t size)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *bytes = data;

	for (size_t i = 0; i < size; i++) {
		*out++ = digits[bytes[i] >> 4];
		*out++ = digits[bytes[i] & 15];
	}
	*out = '\0';
}

static int digit_value(char digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	if (digit >= 'a' && digit <= 'f')
		return digit - 'a' + 10;
	if (digit >= 'A' && digit <= 'F')
		return digit - 'A' + 10;
	return -1;
}

int text_unhex(const char *text, void *out, size_t size)
{
	uint8_t *bytes = out;

	if (strlen(text) != 2 * size)
		return -1;
	for (size_t i = 0; i < size; i++) {
		int high = digit_value(text[2 * i]);
		int low = digit_value(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return -1;
		bytes[i] = (uint8_t)(high << 4 | low);
	}
	return 0;
}

void text_name(char *out, size_t out_size, const char *name, size_t max)
{
	size_t i;

	for (i = 0; i + 1 < out_size && i < max && name[i]; i++)
		out[i] = name[i] > ' ' && name[i] <= '~' ? name[i] : '?';
	out[i] = '\0';
}

void text_time(char out[static TEXT_TIME_SIZE], uint64_t nanoseconds)
{
	time_t seconds = (time_t)(nanoseconds / 1000000000u);
	unsigned int micro = (unsigned int)(nanoseconds / 1000u % 1000000u);
	struct tm tm;
	size_t used;

	memset(&tm, 0, sizeof(tm));
	gmtime_r(&seconds, &tm);
	used = strftime(out, TEXT_TIME_SIZE, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(out + used, TEXT_TIME_SIZE - used, ".%06uZ", micro);
}
