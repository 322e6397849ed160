/* SPDX-License-Identifier: MIT */
/*
 * Linked into the real daemon with the fake device: a monitor with one record of
 * every kind to tell, and one record missing.
 */
#include "tests/agent/fake_device.h"
#include "tests/agent/samples.h"

static void __attribute__((constructor)) start(void)
{
	fake_reset();
	fake.status = sample_status();
	fake_boot(0xa5);
	for (size_t i = 0; i < sample_kinds(); i++) {
		struct rw_event record = sample_record(sample_kind(i));

		if (sample_kind(i) == RW_EVENT_LOST)
			fake_lose(5);
		else
			fake_push(&record);
	}
	fake.sequence++;
	fake_push(&fake.records[0]);
}
