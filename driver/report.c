/* SPDX-License-Identifier: GPL-2.0 OR MIT */
#include <linux/completion.h>
#include <linux/gfp.h>
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/smp.h>
#include <linux/uaccess.h>
#include <ringwall/status.h>

#include "enable.h"
#include "hypercall.h"
#include "report.h"

/* One page from the monitor to user space: what a structure of size needs. */
static int relay(struct rw_ioc_read *read, enum rw_hypercall number, u64 b,
		 size_t size)
{
	void *page;
	int error;

	if (read->size < size)
		return RW_E_ARGUMENT;
	page = (void *)get_zeroed_page(GFP_KERNEL);
	if (!page)
		return -ENOMEM;
	error = hypercall(number, __pa(page), b, NULL);
	if (!error && copy_to_user(u64_to_user_ptr(read->buffer), page, size))
		error = -EFAULT;
	if (!error)
		read->size = size;
	free_page((unsigned long)page);
	return error;
}

int report_status(struct rw_ioc_read *read)
{
	return relay(read, RW_HC_STATUS, 0, sizeof(struct rw_status));
}

int report_cpu_status(struct rw_ioc_read *read)
{
	return relay(read, RW_HC_CPU_STATUS, read->cpu,
		     sizeof(struct rw_cpu_status));
}

/* The dump is as long as it is: it ends where the monitor gives no more. */
static int dump_pages(struct rw_ioc_read *read, void *page, u64 *ret_size)
{
	u64 bytes, at = 0;
	int error;

	while (at < read->size) {
		error = hypercall(RW_HC_DUMP, __pa(page), at, &bytes);
		if (error)
			return error;
		bytes = min3(bytes, (u64)PAGE_SIZE, read->size - at);
		if (!bytes)
			break;
		if (copy_to_user(u64_to_user_ptr(read->buffer + at), page,
				 bytes))
			return -EFAULT;
		at += bytes;
	}
	*ret_size = at;
	return 0;
}

int report_dump(struct rw_ioc_read *read)
{
	void *page = (void *)get_zeroed_page(GFP_KERNEL);
	u64 size;
	int error;

	if (!page)
		return -ENOMEM;
	error = dump_pages(read, page, &size);
	if (!error)
		read->size = size;
	free_page((unsigned long)page);
	return error;
}

int report_test_alert(void)
{
	return hypercall(RW_HC_TEST_ALERT, 0, 0, NULL);
}

/* Static: a CPU that stops in the hook never lets go of it. */
static struct {
	struct completion done;
	u32 what;
	enum rw_error error;
} hook;

static void hook_this_cpu(void *unused)
{
	hook.error = hypercall(RW_HC_TEST_HOOK, hook.what, 0, NULL);
	complete(&hook.done);
}

int report_test_hook(const struct rw_ioc_call *call)
{
	unsigned int cpu = call->cpu == NO_CPU ? raw_smp_processor_id() :
						 call->cpu;

	if (!hypercall_enabled())
		return RW_E_NOT_ENABLED;
	if (cpu >= nr_cpu_ids || !cpu_online(cpu))
		return RW_E_ARGUMENT;
	init_completion(&hook.done);
	hook.what = call->value;
	if (smp_call_function_single(cpu, hook_this_cpu, NULL, 0))
		return RW_E_ARGUMENT;
	if (!wait_for_completion_timeout(&hook.done, HZ))
		return 0;
	return hook.error;
}
