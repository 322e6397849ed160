/* SPDX-License-Identifier: MIT */
/* agent/daemon/queue.c: order, bound, and nothing left behind. */
#include <stdio.h>
#include <string.h>

#include "agent/daemon/queue.h"
#include "tests/agent/check.h"

static void messages_leave_as_they_came(void **state)
{
	struct queue queue;
	char text[16];

	(void)state;
	assert_true(queue_open(&queue, 5));
	assert_null(queue_first(&queue));
	/* Twenty times round a ring of five, three at a time. */
	for (unsigned int i = 0; i < 100; i++) {
		snprintf(text, sizeof(text), "message %u", i);
		assert_true(queue_push(&queue, text, strlen(text), i));
		if (i < 3)
			continue;
		snprintf(text, sizeof(text), "message %u", i - 3);
		assert_int_equal(queue_first(&queue)->size, strlen(text));
		assert_memory_equal(queue_first(&queue)->data, text,
				    strlen(text));
		assert_int_equal(queue_first(&queue)->sequence, i - 3);
		queue_pop(&queue);
	}
	assert_int_equal(queue.count, 3);
	queue_close(&queue);
}

static void a_full_queue_refuses_the_new_one(void **state)
{
	struct queue queue;

	(void)state;
	assert_true(queue_open(&queue, 2));
	assert_true(queue_push(&queue, "a", 1, 1));
	assert_true(queue_push(&queue, "b", 1, 2));
	assert_false(queue_push(&queue, "c", 1, 3));
	assert_int_equal(*queue_first(&queue)->data, 'a');
	queue_pop(&queue);
	assert_true(queue_push(&queue, "d", 1, 4));
	queue_pop(&queue);
	assert_int_equal(*queue_first(&queue)->data, 'd');
	queue_close(&queue);
}

static void the_queue_keeps_a_copy(void **state)
{
	char text[] = "first";
	struct queue queue;

	(void)state;
	assert_true(queue_open(&queue, 2));
	assert_true(queue_push(&queue, text, 5, 1));
	assert_true(queue_push(&queue, "", 0, 2));
	memset(text, 'x', 5);
	assert_memory_equal(queue_first(&queue)->data, "first", 5);
	queue_pop(&queue);
	assert_int_equal(queue_first(&queue)->size, 0);
	queue_close(&queue);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_leave_as_they_came),
		cmocka_unit_test(a_full_queue_refuses_the_new_one),
		cmocka_unit_test(the_queue_keeps_a_copy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
