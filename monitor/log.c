/* SPDX-License-Identifier: MIT */
#include "monitor/log.h"

#include <ringwall/config.h>
#include <stdarg.h>

#include "monitor/cpu.h"

static char ring[CONFIG_RINGWALL_LOG_SIZE];
static uint64_t written; /* bytes ever; atomic */

static void put(char c)
{
	uint64_t at = __atomic_fetch_add(&written, 1, __ATOMIC_RELAXED);

	ring[at % sizeof(ring)] = c;
#ifdef CONFIG_RINGWALL_DEBUG_CONSOLE
	outb(0xe9, (uint8_t)c);
#endif
}

static void put_number(uint64_t v, unsigned int base)
{
	char digits[20];
	unsigned int n = 0;

	do {
		digits[n++] = "0123456789abcdef"[v % base];
		v /= base;
	} while (v);
	while (n)
		put(digits[--n]);
}

void log_line(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	for (; *format; format++) {
		if (*format != '%') {
			put(*format);
			continue;
		}
		switch (*++format) {
		case 's':
			for (const char *s = va_arg(args, const char *); *s;
			     s++)
				put(*s);
			break;
		case 'u':
			put_number(va_arg(args, uint64_t), 10);
			break;
		default:
			put_number(va_arg(args, uint64_t), 16);
			break;
		}
	}
	va_end(args);
	put('\n');
}

uint32_t log_size(void)
{
	uint64_t n = __atomic_load_n(&written, __ATOMIC_RELAXED);

	return n < sizeof(ring) ? (uint32_t)n : sizeof(ring);
}

char log_byte(uint32_t at)
{
	uint64_t n = __atomic_load_n(&written, __ATOMIC_RELAXED);
	uint64_t first = n < sizeof(ring) ? 0 : n;

	return ring[(first + at) % sizeof(ring)];
}
