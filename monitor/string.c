/* SPDX-License-Identifier: MIT */
/*
 * The memory functions that compilers and BearSSL expect. REP forms: short, and
 * by words, since where REP is slow it is slow per element.
 */
#include <string.h>

#include "monitor/panic.h"

void *__memcpy_chk(void *to, const void *from, size_t n, size_t room);
void *__memset_chk(void *to, int c, size_t n, size_t room);
void __stack_chk_fail(void);

/* <string.h> is libc's: NOLINTBEGIN(*-declaration-parameter-name) */
void *memcpy(void *restrict to, const void *restrict from, size_t n)
{
	void *ret = to;
	size_t words = n / 8;

	n %= 8;
	__asm__ volatile("rep movsq\n\tmov %3, %2\n\trep movsb"
			 : "+D"(to), "+S"(from), "+c"(words)
			 : "r"(n)
			 : "memory");
	return ret;
}

void *memmove(void *to, const void *from, size_t n)
{
	unsigned char *t = to;
	const unsigned char *f = from;

	if (t <= f || t >= f + n)
		return memcpy(to, from, n);
	while (n--)
		t[n] = f[n];
	return to;
}

void *memset(void *to, int c, size_t n)
{
	void *ret = to;
	size_t words = n / 8;

	n %= 8;
	__asm__ volatile("rep stosq\n\tmov %3, %1\n\trep stosb"
			 : "+D"(to), "+c"(words)
			 : "a"((unsigned char)c * 0x0101010101010101ULL), "r"(n)
			 : "memory");
	return ret;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const unsigned char *x = a, *y = b;

	for (size_t i = 0; i < n; i++)
		if (x[i] != y[i])
			return x[i] - y[i];
	return 0;
}

/* NOLINTEND(*-declaration-parameter-name) */

size_t strlen(const char *s)
{
	size_t n = 0;

	while (s[n])
		n++;
	return n;
}

void *__memcpy_chk(void *to, const void *from, size_t n, size_t room)
{
	CHECK(n <= room);
	return memcpy(to, from, n);
}

void *__memset_chk(void *to, int c, size_t n, size_t room)
{
	CHECK(n <= room);
	return memset(to, c, n);
}

void __stack_chk_fail(void)
{
	panic("stack protector: a return address was about to be overwritten");
}
