/* SPDX-License-Identifier: GPL-2.0 OR MIT */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/gfp.h>
#include <linux/io.h>
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <linux/mutex.h>
#include <linux/printk.h>
#include <linux/sizes.h>
#include <linux/string.h>
#include <linux/workqueue.h>
#include <ringwall/config.h>

#include "donate.h"
#include "hypercall.h"
#include "memory.h"

#define BLOCK_ORDER get_order(RW_DONATE_SIZE)
#define BLOCKS_MAX  CONFIG_RINGWALL_MAX_CHUNKS
#define ROUNDS	    4
#define RETRY	    (60 * HZ) /* after a request that could not be met */

static unsigned int memory_max = CONFIG_RINGWALL_MEMORY_MAX;
module_param(memory_max, uint, 0644);
MODULE_PARM_DESC(memory_max,
		 "Most memory given to the monitor after enabling, in MiB");

/* All under the lock. */
static DEFINE_MUTEX(lock);
static bool open;
static struct page *block[BLOCKS_MAX];
static unsigned int blocks;
static unsigned long not_before; /* jiffies: the next answer to a request */

static void free_block(struct page *page)
{
	memory_mark_offline(page_address(page), RW_DONATE_SIZE, false);
	__free_pages(page, BLOCK_ORDER);
}

/* Hands over a block; *ret_taken says whether the guest has lost it. */
static enum rw_error hand_over(struct page *page, bool *ret_taken)
{
	u64 in_use = 0;
	unsigned int round;
	enum rw_error error;

	error = hypercall(RW_HC_DONATE, page_to_phys(page), 0, &in_use);
	*ret_taken = !error;
	for (round = 0; round < ROUNDS && !error && !in_use; round++) {
		hypercall_sync();
		error = hypercall(RW_HC_DONATE, page_to_phys(page), 0, &in_use);
	}
	return error || in_use ? error : RW_E_BUSY;
}

/* A block whose way back fails too is kept: it is freed when all is over. */
static enum rw_error give_block(void)
{
	struct page *page;
	bool taken;
	enum rw_error error;

	if (blocks == BLOCKS_MAX ||
	    (blocks + 1ULL) * RW_DONATE_SIZE > (u64)memory_max * SZ_1M)
		return RW_E_MEMORY_LIMIT;
	/* Try hard, but let no process be killed for it. */
	page = alloc_pages(GFP_KERNEL | __GFP_NOWARN | __GFP_RETRY_MAYFAIL,
			   BLOCK_ORDER);
	if (!page)
		return RW_E_NO_MEMORY;
	memory_mark_offline(page_address(page), RW_DONATE_SIZE, true);
	error = hand_over(page, &taken);
	if (error && taken)
		taken = hypercall(RW_HC_RECLAIM, page_to_phys(page), 0, NULL);
	if (error && !taken)
		free_block(page);
	else
		block[blocks++] = page;
	return error;
}

/* The newest block that the monitor lets go. */
static enum rw_error take_block(void)
{
	enum rw_error error = RW_E_MEMORY_IN_USE;
	unsigned int i = blocks;

	hypercall_sync(); /* old tables in it become free by that */
	while (i--) {
		error = hypercall(RW_HC_RECLAIM, page_to_phys(block[i]), 0,
				  NULL);
		if (error)
			continue;
		free_block(block[i]);
		block[i] = block[--blocks];
		break;
	}
	return error;
}

static enum rw_error give(u64 count, u64 *ret_done)
{
	enum rw_error error = RW_OK;
	u64 done;

	for (done = 0; done < count && !error; done += !error)
		error = give_block();
	while (error && done && !take_block())
		done--;
	*ret_done = done;
	return error;
}

static enum rw_error take(u64 count, u64 *ret_done)
{
	enum rw_error error = RW_OK;
	u64 done;

	for (done = 0; done < count && !error; done += !error)
		error = take_block();
	*ret_done = done;
	return error;
}

enum rw_error donate_change(struct rw_ioc_memory *memory)
{
	u64 done = 0, bytes = memory->bytes, count = bytes / RW_DONATE_SIZE;
	enum rw_error error = RW_E_NOT_ENABLED;

	memory->bytes = 0;
	if (!count || bytes % RW_DONATE_SIZE || memory->take > 1)
		return RW_E_ARGUMENT;
	mutex_lock(&lock);
	if (open)
		error = memory->take ? take(count, &done) : give(count, &done);
	mutex_unlock(&lock);
	memory->bytes = done * RW_DONATE_SIZE;
	return error;
}

static void answer(struct work_struct *work)
{
	enum rw_error error;

	mutex_lock(&lock);
	if (open && !time_before(jiffies, not_before)) {
		error = give_block();
		if (error) {
			not_before = jiffies + RETRY;
			pr_warn_ratelimited(
				"the monitor asks for memory and gets none (error %d)\n",
				error);
		}
	}
	mutex_unlock(&lock);
}

static DECLARE_WORK(answer_work, answer);

void donate_wanted(void)
{
	schedule_work(&answer_work);
}

void donate_open(void)
{
	mutex_lock(&lock);
	open = true;
	not_before = jiffies;
	mutex_unlock(&lock);
}

void donate_close(void)
{
	mutex_lock(&lock);
	open = false;
	mutex_unlock(&lock);
}

void donate_release(void)
{
	mutex_lock(&lock);
	while (blocks) {
		memzero_explicit(page_address(block[--blocks]), RW_DONATE_SIZE);
		free_block(block[blocks]);
	}
	mutex_unlock(&lock);
}

void donate_exit(void)
{
	cancel_work_sync(&answer_work);
}

u64 donate_bytes(void)
{
	return (u64)READ_ONCE(blocks) * RW_DONATE_SIZE;
}
