/* SPDX-License-Identifier: MIT */
/* agent/event/chain.c: what of the proof holds, and what breaks it. */
#include <string.h>

#include "agent/event/chain.h"
#include "tests/agent/check.h"
#include "tests/agent/fake_device.h"
#include "tests/agent/samples.h"
#include "tests/policy/scratch.h"

static struct chain chain;

/* Six records in the fake device, none of them seen yet. */
static int setup(void **state)
{
	struct rw_event record = sample_record(RW_EVENT_VIOLATION);

	fake_reset();
	for (int i = 0; i < 6; i++)
		fake_push(&record);
	chain_start(&chain, fake.status.nonce);
	return scratch_open(state);
}

static enum chain_verdict take(const struct rw_event *record)
{
	enum chain_verdict verdict = chain_check(&chain, record);

	chain_advance(&chain, record);
	return verdict;
}

static void records_in_order_continue_the_chain(void **state)
{
	(void)state;
	for (int i = 0; i < 6; i++)
		assert_int_equal(take(&fake.records[i]), CHAIN_OK);
	assert_int_equal(chain.sequence, 6);
}

static void a_changed_bit_anywhere_breaks_the_chain(void **state)
{
	(void)state;
	for (size_t byte = 8; byte < sizeof(struct rw_event); byte += 5) {
		struct rw_event changed = fake.records[0];

		((uint8_t *)&changed)[byte] ^= 0x10;
		assert_int_equal(chain_check(&chain, &changed), CHAIN_BROKEN);
	}
	assert_int_equal(chain_check(&chain, &fake.records[0]), CHAIN_OK);
}

static void after_a_changed_record_the_next_one_shows_it_too(void **state)
{
	struct rw_event changed = fake.records[0];

	(void)state;
	memset(changed.chain, 1, sizeof(changed.chain));
	assert_int_equal(take(&changed), CHAIN_BROKEN);
	assert_int_equal(take(&fake.records[1]), CHAIN_BROKEN);
	assert_int_equal(take(&fake.records[2]), CHAIN_OK);
}

static void a_missing_record_shows(void **state)
{
	(void)state;
	assert_int_equal(take(&fake.records[0]), CHAIN_OK);
	assert_int_equal(take(&fake.records[2]), CHAIN_MISSING);
	assert_int_equal(take(&fake.records[3]), CHAIN_OK);
}

static void a_missing_first_record_shows(void **state)
{
	(void)state;
	assert_int_equal(take(&fake.records[1]), CHAIN_MISSING);
}

static void a_record_that_comes_twice_shows(void **state)
{
	(void)state;
	assert_int_equal(take(&fake.records[0]), CHAIN_OK);
	assert_int_equal(take(&fake.records[0]), CHAIN_MISSING);
}

static void a_renumbered_record_does_not_hide_a_missing_one(void **state)
{
	struct rw_event renumbered = fake.records[2];

	(void)state;
	assert_int_equal(take(&fake.records[0]), CHAIN_OK);
	renumbered.sequence = 2;
	assert_int_equal(take(&renumbered), CHAIN_BROKEN);
}

static void a_lost_record_explains_its_hole(void **state)
{
	(void)state;
	fake_lose(5);
	fake_push(&fake.records[0]);
	for (int i = 0; i < 8; i++)
		assert_int_equal(take(&fake.records[i]), CHAIN_OK);
	assert_int_equal(chain.sequence, 13);
}

static void a_lost_record_explains_no_other_hole(void **state)
{
	struct rw_event lost;

	(void)state;
	fake_lose(5);
	lost = fake.records[6];
	for (int i = 0; i < 5; i++)
		assert_int_equal(take(&fake.records[i]), CHAIN_OK);
	/* Record 6 is gone; the loss speaks of 7 to 11. */
	assert_int_equal(chain_check(&chain, &lost), CHAIN_MISSING);
	lost.detail[0] = 6;
	assert_int_equal(chain_check(&chain, &lost), CHAIN_BROKEN);
	lost.detail[1]--;
	assert_int_equal(chain_check(&chain, &lost), CHAIN_MISSING);
}

static void another_boot_does_not_continue_the_chain(void **state)
{
	uint8_t nonce[RW_SHA256_SIZE] = { 9 };

	(void)state;
	chain_start(&chain, nonce);
	assert_int_equal(take(&fake.records[0]), CHAIN_BROKEN);
}

static void the_proof_continues_from_a_file(void **state)
{
	const char *path = scratch("chain");
	struct chain loaded;

	(void)state;
	assert_int_equal(chain_load(&loaded, path), -1);
	for (int i = 0; i < 3; i++)
		take(&fake.records[i]);
	assert_int_equal(chain_save(&chain, path), 0);
	assert_int_equal(chain_load(&loaded, path), 0);
	assert_memory_equal(&loaded, &chain, sizeof(chain));
	assert_int_equal(chain_check(&loaded, &fake.records[3]), CHAIN_OK);
}

static void a_damaged_file_is_not_believed(void **state)
{
	static const char *const damaged[] = {
		"",
		"ringwall-chain 1\n",
		"ringwall-chain 2\n00 1 00\n",
		"ringwall-chain 1\nzz\n3\nzz\n",
	};
	struct chain before = chain;

	(void)state;
	for (size_t i = 0; i < sizeof(damaged) / sizeof(damaged[0]); i++) {
		assert_int_equal(chain_load(&chain,
					    scratch_text("chain", damaged[i])),
				 -1);
		assert_memory_equal(&chain, &before, sizeof(chain));
	}
	assert_int_equal(chain_save(&chain, "/nonexistent/chain"), -1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, scratch_close)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(records_in_order_continue_the_chain),
		TEST(a_changed_bit_anywhere_breaks_the_chain),
		TEST(after_a_changed_record_the_next_one_shows_it_too),
		TEST(a_missing_record_shows),
		TEST(a_missing_first_record_shows),
		TEST(a_record_that_comes_twice_shows),
		TEST(a_renumbered_record_does_not_hide_a_missing_one),
		TEST(a_lost_record_explains_its_hole),
		TEST(a_lost_record_explains_no_other_hole),
		TEST(another_boot_does_not_continue_the_chain),
		TEST(the_proof_continues_from_a_file),
		TEST(a_damaged_file_is_not_believed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
