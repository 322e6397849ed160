/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * The module and its device. Every call is checked for its right and copied
 * here, and handed to the file that owns the subject; nothing is decided here.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/build_bug.h>
#include <linux/capability.h>
#include <linux/cpumask.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/uaccess.h>
#include <ringwall/ioctl.h>

#include "compat.h"
#include "donate.h"
#include "enable.h"
#include "events.h"
#include "hotplug.h"
#include "hypercall.h"
#include "image.h"
#include "policy.h"
#include "report.h"

union argument {
	struct rw_ioc_load load;
	struct rw_ioc_call call;
	struct rw_ioc_policy policy;
	struct rw_ioc_read read;
	struct rw_ioc_driver driver;
	struct rw_ioc_memory memory;
};

/*
 * One call. run() returns 0, an enum rw_error, or a negative errno. error is
 * where in the argument the enum rw_error goes.
 */
struct operation {
	unsigned int command;
	const char *name; /* for the line that reports a refusal, or NULL */
	int (*run)(union argument *arg);
	bool locked; /* under the mutex */
	size_t error;
};

#define NO_ERROR_FIELD SIZE_MAX

/* One change of state at a time: load, enable, policy and their opposites. */
static DEFINE_MUTEX(lock);

static const char *error_text(int error)
{
	switch (error) {
#define RW_ERROR(name, number, exit_code, text) \
	case number:                            \
		return text;
#include <ringwall/error.def>
#undef RW_ERROR
	default:
		return "unknown error";
	}
}

static int run_load(union argument *arg)
{
	return image_load(&arg->load);
}

static int run_unload(union argument *arg)
{
	return hypercall_enabled() ? RW_E_ALREADY_ENABLED : image_unload();
}

static int run_enable(union argument *arg)
{
	int error = enable(&arg->call.cpu);

	if (!error)
		pr_info("enabled on %u CPUs\n", num_present_cpus());
	else if (arg->call.cpu == NO_CPU)
		pr_err("enable refused: %s\n", error_text(error));
	else
		pr_err("enable refused: %s (CPU %u)\n", error_text(error),
		       arg->call.cpu);
	return error;
}

static int run_disable(union argument *arg)
{
	int error = disable(&arg->call.cpu);

	if (!error)
		pr_info("disabled\n");
	return error;
}

static int run_policy_load(union argument *arg)
{
	return policy_load(&arg->policy);
}

static int run_status(union argument *arg)
{
	return report_status(&arg->read);
}

static int run_cpu_status(union argument *arg)
{
	return report_cpu_status(&arg->read);
}

static int run_dump(union argument *arg)
{
	return report_dump(&arg->read);
}

static int run_test_alert(union argument *arg)
{
	return report_test_alert();
}

static int run_test_hook(union argument *arg)
{
	return report_test_hook(&arg->call);
}

static int run_driver(union argument *arg)
{
	arg->driver = (struct rw_ioc_driver){
		.abi_version = RW_ABI_VERSION,
		.loaded = image_loaded() != NULL,
		.enabled = hypercall_enabled(),
		.cpus = num_present_cpus(),
		.delivered = events_delivered(),
		.donated = enable_donated(),
	};
	return 0;
}

static int run_memory(union argument *arg)
{
	return donate_change(&arg->memory);
}

#define ERROR_IN(member) offsetof(union argument, member.error)

static const struct operation operations[] = {
	{ RW_IOC_LOAD, "load", run_load, true, ERROR_IN(load) },
	{ RW_IOC_UNLOAD, "unload", run_unload, true, ERROR_IN(call) },
	{ RW_IOC_ENABLE, NULL, run_enable, true, ERROR_IN(call) },
	{ RW_IOC_DISABLE, "disable", run_disable, true, ERROR_IN(call) },
	{ RW_IOC_POLICY_LOAD, "policy", run_policy_load, true,
	  ERROR_IN(policy) },
	{ RW_IOC_STATUS, NULL, run_status, false, ERROR_IN(read) },
	{ RW_IOC_CPU_STATUS, NULL, run_cpu_status, false, ERROR_IN(read) },
	{ RW_IOC_DUMP, NULL, run_dump, false, ERROR_IN(read) },
	{ RW_IOC_TEST_ALERT, NULL, run_test_alert, false, ERROR_IN(call) },
	{ RW_IOC_DRIVER, NULL, run_driver, false, NO_ERROR_FIELD },
	{ RW_IOC_TEST_HOOK, "test hook", run_test_hook, true, ERROR_IN(call) },
	{ RW_IOC_MEMORY, "memory", run_memory, true, ERROR_IN(memory) },
};

static const struct operation *find_operation(unsigned int command)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(operations); i++)
		if (operations[i].command == command)
			return &operations[i];
	return NULL;
}

/* The nearest errno; the structure's error field says it exactly. */
static int errno_of(int error)
{
	switch (error) {
	case RW_OK:
		return 0;
	case RW_E_NO_MEMORY:
		return -ENOMEM;
	case RW_E_BUSY:
		return -EBUSY;
	case RW_E_NOT_ENABLED:
	case RW_E_NOT_LOADED:
		return -ENODEV;
	case RW_E_LOCKED:
		return -EPERM;
	default:
		return error < 0 ? error : -EINVAL;
	}
}

static int run_operation(const struct operation *op, union argument *arg)
{
	int error;

	if (!op->locked)
		return op->run(arg);
	if (mutex_lock_interruptible(&lock))
		return -ERESTARTSYS;
	error = op->run(arg);
	if (error > 0 && op->name)
		pr_err("%s refused: %s\n", op->name, error_text(error));
	mutex_unlock(&lock);
	return error;
}

static long device_ioctl(struct file *file, unsigned int command,
			 unsigned long address)
{
	const struct operation *op = find_operation(command);
	void __user *user = (void __user *)address;
	union argument arg = {};
	u32 field;
	int error;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (!op)
		return -ENOTTY;
	if (copy_from_user(&arg, user, _IOC_SIZE(command)))
		return -EFAULT;
	error = run_operation(op, &arg);
	if (op->error != NO_ERROR_FIELD) {
		field = error > 0 ? error : RW_OK;
		memcpy((u8 *)&arg + op->error, &field, sizeof(field));
	}
	if (error != -ERESTARTSYS &&
	    copy_to_user(user, &arg, _IOC_SIZE(command)))
		return -EFAULT;
	return errno_of(error);
}

static int device_open(struct inode *inode, struct file *file)
{
	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	file->private_data = NULL; /* misc_open() left the device there */
	return stream_open(inode, file);
}

static const struct file_operations device_operations = {
	.owner = THIS_MODULE,
	.open = device_open,
	.release = events_release,
	.read = events_read,
	.poll = events_poll,
	.unlocked_ioctl = device_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

static struct miscdevice device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "ringwall",
	.mode = 0600,
	.fops = &device_operations,
};

static int __init ringwall_init(void)
{
	int error = events_init();

	if (error)
		return error;
	error = hotplug_init();
	if (error)
		goto no_hotplug;
	error = misc_register(&device);
	if (error)
		goto no_device;
	return 0;

no_device:
	hotplug_exit();
no_hotplug:
	events_exit();
	return error;
}

/* Not reached while a CPU is inside: enabling holds the module. */
static void __exit ringwall_exit(void)
{
	misc_deregister(&device);
	hotplug_exit();
	image_unload();
	events_exit();
	donate_exit();
}

module_init(ringwall_init);
module_exit(ringwall_exit);

MODULE_AUTHOR("The Ringwall project");
MODULE_DESCRIPTION("Launches the Ringwall monitor under the running kernel");
MODULE_LICENSE("Dual MIT/GPL");
