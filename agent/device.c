/* SPDX-License-Identifier: MIT */
/*
 * One function per ioctl. The reason in the structure goes before errno; what
 * comes back is bounds-checked before anybody sees it.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "agent/device.h"
#include "agent/device_io.h"

static enum rw_error error_of_errno(int number)
{
	switch (number) {
	case ENOENT:
	case ENXIO:
		return RW_E_NO_DEVICE;
	case EPERM:
	case EACCES:
		return RW_E_PERMISSION;
	case EBUSY:
		return RW_E_BUSY;
	case ENODEV:
		return RW_E_NOT_ENABLED;
	case ENOMEM:
		return RW_E_NO_MEMORY;
	case ENOTTY:
		return RW_E_ABI;
	default:
		return RW_E_IO;
	}
}

static enum rw_error open_device(int flags, int *ret_fd)
{
	int fd = device_io_open(RW_DEVICE, flags | O_CLOEXEC);

	if (fd < 0)
		return error_of_errno(errno);
	*ret_fd = fd;
	return RW_OK;
}

/* One call on a freshly opened device; *error is the member of *argument. */
static enum rw_error call(unsigned long request, void *argument,
			  const uint32_t *error)
{
	enum rw_error result;
	int fd = -1, number;

	result = open_device(O_RDWR, &fd);
	if (result != RW_OK)
		return result;
	number = device_io_ioctl(fd, request, argument) < 0 ? errno : 0;
	device_io_close(fd);
	if (error && *error != RW_OK)
		return (enum rw_error) * error;
	return number ? error_of_errno(number) : RW_OK;
}

static enum rw_error call_simple(unsigned long request, uint32_t *ret_cpu)
{
	struct rw_ioc_call argument = { .cpu = DEVICE_NO_CPU };
	enum rw_error error = call(request, &argument, &argument.error);

	if (error != RW_OK && ret_cpu)
		*ret_cpu = argument.cpu;
	return error;
}

static enum rw_error call_read(unsigned long request, uint32_t cpu,
			       void *buffer, size_t size, size_t *ret_size)
{
	struct rw_ioc_read argument = {
		.buffer = (uintptr_t)buffer,
		.size = size,
		.cpu = cpu,
	};
	enum rw_error error = call(request, &argument, &argument.error);

	if (error != RW_OK)
		return error;
	if (argument.size > size)
		return RW_E_IO;
	*ret_size = (size_t)argument.size;
	return RW_OK;
}

enum rw_error device_load(const void *image, size_t image_size,
			  const uint8_t (*keys)[RW_KEY_POINT_SIZE],
			  uint32_t key_count)
{
	struct rw_ioc_load argument = {
		.abi_version = RW_ABI_VERSION,
		.image = (uintptr_t)image,
		.image_size = image_size,
		.keys = (uintptr_t)keys,
		.key_count = key_count,
	};

	return call(RW_IOC_LOAD, &argument, &argument.error);
}

enum rw_error device_unload(void)
{
	return call_simple(RW_IOC_UNLOAD, NULL);
}

enum rw_error device_enable(uint32_t *ret_cpu)
{
	return call_simple(RW_IOC_ENABLE, ret_cpu);
}

enum rw_error device_disable(uint32_t *ret_cpu)
{
	return call_simple(RW_IOC_DISABLE, ret_cpu);
}

enum rw_error device_policy_load(const void *data, size_t size,
				 enum rw_state *ret_state)
{
	struct rw_ioc_policy argument = {
		.data = (uintptr_t)data,
		.size = size,
	};
	enum rw_error error;

	error = call(RW_IOC_POLICY_LOAD, &argument, &argument.error);
	if (error != RW_OK)
		return error;
	*ret_state = (enum rw_state)argument.state;
	return RW_OK;
}

enum rw_error device_status(struct rw_status *ret_status)
{
	struct rw_status status;
	enum rw_error error;
	size_t size;

	memset(&status, 0, sizeof(status));
	error = call_read(RW_IOC_STATUS, 0, &status, sizeof(status), &size);
	if (error != RW_OK)
		return error;
	if (size != sizeof(status) || status.abi_version != RW_ABI_VERSION)
		return RW_E_ABI;
	*ret_status = status;
	return RW_OK;
}

enum rw_error device_cpu_status(uint32_t cpu, struct rw_cpu_status *ret_status)
{
	struct rw_cpu_status status;
	enum rw_error error;
	size_t size;

	memset(&status, 0, sizeof(status));
	error = call_read(RW_IOC_CPU_STATUS, cpu, &status, sizeof(status),
			  &size);
	if (error != RW_OK)
		return error;
	if (size != sizeof(status))
		return RW_E_ABI;
	*ret_status = status;
	return RW_OK;
}

enum rw_error device_dump(void *buffer, size_t size, size_t *ret_size)
{
	return call_read(RW_IOC_DUMP, 0, buffer, size, ret_size);
}

enum rw_error device_test_alert(void)
{
	return call_simple(RW_IOC_TEST_ALERT, NULL);
}

enum rw_error device_memory(uint64_t bytes, bool take, uint64_t *ret_bytes)
{
	struct rw_ioc_memory argument = { .bytes = bytes, .take = take };
	enum rw_error error = call(RW_IOC_MEMORY, &argument, &argument.error);

	/* An ioctl that did not get through leaves the argument as it was. */
	*ret_bytes = error == RW_OK || argument.error ? argument.bytes : 0;
	return error;
}

enum rw_error device_driver(struct rw_ioc_driver *ret_driver)
{
	struct rw_ioc_driver driver;
	enum rw_error error;

	memset(&driver, 0, sizeof(driver));
	error = call(RW_IOC_DRIVER, &driver, NULL);
	if (error != RW_OK)
		return error;
	*ret_driver = driver;
	return RW_OK;
}

enum rw_error device_test_hook(enum rw_test_hook what, uint32_t cpu)
{
	struct rw_ioc_call argument = { .cpu = cpu, .value = what };

	return call(RW_IOC_TEST_HOOK, &argument, &argument.error);
}

enum rw_error device_open(int *ret_fd)
{
	return open_device(O_RDWR | O_NONBLOCK, ret_fd);
}

enum rw_error device_read(int fd, struct rw_event *events, size_t max,
			  size_t *ret_count)
{
	ssize_t got;

	do
		got = device_io_read(fd, events, max * sizeof(*events));
	while (got < 0 && errno == EINTR);
	if (got < 0 && errno == EAGAIN) {
		*ret_count = 0;
		return RW_OK;
	}
	if (got < 0)
		return error_of_errno(errno);
	if ((size_t)got % sizeof(*events))
		return RW_E_IO;
	*ret_count = (size_t)got / sizeof(*events);
	return RW_OK;
}

void device_close(int fd)
{
	device_io_close(fd);
}
