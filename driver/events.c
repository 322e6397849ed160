/* SPDX-License-Identifier: GPL-2.0 OR MIT */
#include <linux/atomic.h>
#include <linux/capability.h>
#include <linux/gfp.h>
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <linux/mutex.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <ringwall/boot.h>
#include <ringwall/event.h>

#include "donate.h"
#include "events.h"
#include "hypercall.h"

#define RECORDS_PER_PAGE (PAGE_SIZE / sizeof(struct rw_event))
#define IDLE_INTERVAL	 round_jiffies_relative(HZ)

static unsigned int poll_ms = 20;
module_param(poll_ms, uint, 0444);
MODULE_PARM_DESC(poll_ms,
		 "How often the doorbell is read while somebody waits, in ms");

/* Only the monitor writes here while it is enabled. */
static struct rw_doorbell *doorbell;

static DEFINE_MUTEX(read_lock);
static u64 delivered; /* written under read_lock */

static DECLARE_WAIT_QUEUE_HEAD(waiters);
static atomic_t watchers; /* files that wait or waited */

static void look(struct work_struct *work);
static DECLARE_DELAYED_WORK(look_work, look);

static bool is_news(void)
{
	return READ_ONCE(doorbell->events_last) > READ_ONCE(delivered);
}

static unsigned long interval(void)
{
	return max(msecs_to_jiffies(poll_ms), 1UL);
}

/*
 * The doorbell is memory: looking at it makes no VM exit. While nobody waits,
 * there may still be a monitor that asks for memory.
 */
static void look(struct work_struct *work)
{
	if (is_news())
		wake_up_interruptible(&waiters);
	if (READ_ONCE(doorbell->memory_wanted))
		donate_wanted();
	if (atomic_read(&watchers))
		schedule_delayed_work(&look_work, interval());
	else if (hypercall_enabled())
		schedule_delayed_work(&look_work, IDLE_INTERVAL);
}

/* file->private_data says that the file is counted in watchers. */
static void watch(struct file *file)
{
	if (cmpxchg(&file->private_data, NULL, &watchers))
		return;
	atomic_inc(&watchers);
	mod_delayed_work(system_wq, &look_work, interval());
}

int events_release(struct inode *inode, struct file *file)
{
	if (file->private_data)
		atomic_dec(&watchers);
	return 0;
}

__poll_t events_poll(struct file *file, struct poll_table_struct *wait)
{
	watch(file);
	poll_wait(file, &waiters, wait);
	return is_news() ? EPOLLIN | EPOLLRDNORM : 0;
}

/*
 * Fetches the next records into page and gives as many whole ones as fit. They
 * count as delivered, and the monitor may drop them, only once they are with
 * the reader.
 */
static ssize_t deliver(struct rw_event *page, char __user *buffer, size_t size)
{
	enum rw_error error;
	u64 count;

	if (!is_news())
		return -EAGAIN;
	error = hypercall(RW_HC_EVENTS, __pa(page), delivered, &count);
	if (error)
		return error == RW_E_NOT_ENABLED ? -ENODEV : -EIO;
	if (!count || count > RECORDS_PER_PAGE)
		return -EIO;
	count = min_t(u64, count, size / sizeof(*page));
	if (copy_to_user(buffer, page, count * sizeof(*page)))
		return -EFAULT;
	WRITE_ONCE(delivered, page[count - 1].sequence);
	hypercall(RW_HC_EVENTS, __pa(page), delivered, NULL);
	return count * sizeof(*page);
}

static ssize_t read_now(char __user *buffer, size_t size)
{
	struct rw_event *page;
	ssize_t result;

	page = (struct rw_event *)get_zeroed_page(GFP_KERNEL);
	if (!page)
		return -ENOMEM;
	mutex_lock(&read_lock);
	result = deliver(page, buffer, size);
	mutex_unlock(&read_lock);
	free_page((unsigned long)page);
	return result;
}

ssize_t events_read(struct file *file, char __user *buffer, size_t size,
		    loff_t *offset)
{
	ssize_t result;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (size < sizeof(struct rw_event))
		return -EINVAL;
	while ((result = read_now(buffer, size)) == -EAGAIN) {
		if (file->f_flags & O_NONBLOCK)
			return -EAGAIN;
		watch(file);
		result = wait_event_interruptible(waiters, is_news());
		if (result)
			return result;
	}
	return result;
}

static void silence(void)
{
	mutex_lock(&read_lock);
	memset(doorbell, 0, PAGE_SIZE);
	WRITE_ONCE(delivered, 0);
	mutex_unlock(&read_lock);
}

u64 events_begin(void)
{
	silence();
	return __pa(doorbell);
}

void events_start(void)
{
	schedule_delayed_work(&look_work, IDLE_INTERVAL);
}

void events_end(void)
{
	silence();
}

u64 events_delivered(void)
{
	return READ_ONCE(delivered);
}

int events_init(void)
{
	doorbell = (struct rw_doorbell *)get_zeroed_page(GFP_KERNEL);
	return doorbell ? 0 : -ENOMEM;
}

void events_exit(void)
{
	cancel_delayed_work_sync(&look_work);
	free_page((unsigned long)doorbell);
}
