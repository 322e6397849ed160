/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <sched.h>

#include "monitor/spinlock.h"

#define ROUNDS 20000

static struct spinlock lock;
static uint64_t plain; /* under `lock` */

static void a_lock_of_zeros_is_free(void **state)
{
	struct spinlock l = { 0 };

	(void)state;
	spin_lock(&l);
	assert_false(spin_trylock(&l));
	spin_unlock(&l);
	assert_true(spin_trylock(&l));
	assert_false(spin_trylock(&l));
	spin_unlock(&l);
	assert_int_equal(l.next, l.serving);
}

static void tickets_may_wrap(void **state)
{
	struct spinlock l = { .next = UINT32_MAX, .serving = UINT32_MAX };

	(void)state;
	spin_lock(&l);
	assert_false(spin_trylock(&l));
	spin_unlock(&l);
	assert_int_equal(l.next, 0);
	assert_true(spin_trylock(&l));
	spin_unlock(&l);
	assert_int_equal(l.serving, 1);
}

static void *count(void *unused)
{
	for (int i = 0; i < ROUNDS; i++) {
		if (i % 2)
			spin_lock(&lock);
		else
			while (!spin_trylock(&lock))
				sched_yield();
		plain++;
		spin_unlock(&lock);
	}
	return unused;
}

static void one_holder_at_a_time(void **state)
{
	pthread_t other;

	(void)state;
	assert_int_equal(pthread_create(&other, NULL, count, NULL), 0);
	count(NULL);
	pthread_join(other, NULL);
	assert_int_equal(plain, 2 * ROUNDS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_lock_of_zeros_is_free),
		cmocka_unit_test(tickets_may_wrap),
		cmocka_unit_test(one_holder_at_a_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
