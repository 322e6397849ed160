/* SPDX-License-Identifier: GPL-2.0 OR MIT */
#include <linux/cpu.h>
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <linux/uaccess.h>
#include <ringwall/config.h>

#include "hypercall.h"
#include "policy.h"

#define ARMING_ROUNDS 4

/* The monitor copies each page before it looks at any of it. */
static int upload(const struct rw_ioc_policy *policy, void *page)
{
	u64 at, bytes;
	int error = hypercall(RW_HC_POLICY_BEGIN, policy->size, 0, NULL);

	for (at = 0; at < policy->size && !error; at += bytes) {
		bytes = min_t(u64, policy->size - at, PAGE_SIZE);
		if (copy_from_user(page, u64_to_user_ptr(policy->data + at),
				   bytes))
			return -EFAULT;
		error = hypercall(RW_HC_POLICY_PUT, __pa(page), bytes, NULL);
	}
	return error;
}

static int read_state(u32 *ret_state)
{
	struct rw_status *status = kmalloc(sizeof(*status), GFP_KERNEL);
	int error;

	if (!status)
		return -ENOMEM;
	error = hypercall_page(RW_HC_STATUS, 0, status, sizeof(*status));
	if (!error)
		*ret_state = status->state;
	kfree(status);
	return error;
}

/* Every CPU discharges what it owes, until the monitor has seen them all. */
static int arm(u32 *ret_state)
{
	unsigned int round;
	int error = read_state(ret_state);

	for (round = 0; round < ARMING_ROUNDS; round++) {
		if (error || *ret_state != RW_STATE_ARMING)
			break;
		hypercall_sync();
		error = read_state(ret_state);
	}
	if (!error && *ret_state != RW_STATE_ARMED)
		error = RW_E_POLICY_MODE;
	return error;
}

int policy_load(struct rw_ioc_policy *policy)
{
	void *page;
	int error;

	if (!hypercall_enabled())
		return RW_E_NOT_ENABLED;
	if (!policy->size || policy->size > CONFIG_RINGWALL_POLICY_MAX_SIZE)
		return RW_E_POLICY_SIZE;
	page = (void *)get_zeroed_page(GFP_KERNEL);
	if (!page)
		return -ENOMEM;
	error = upload(policy, page);
	free_page((unsigned long)page);
	if (!error)
		error = hypercall(RW_HC_POLICY_COMMIT, 0, 0, NULL);
	if (!error)
		error = arm(&policy->state);
	return error;
}
