/* SPDX-License-Identifier: MIT */
/* agent/device.c and agent/errors.c on a fake device file. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>

#include "agent/device.h"
#include "agent/errors.h"
#include "tests/agent/check.h"
#include "tests/agent/fake_device.h"
#include "tests/agent/samples.h"

static int setup(void **state)
{
	(void)state;
	fake_reset();
	return 0;
}

static void without_a_device_file_every_call_says_so(void **state)
{
	struct rw_ioc_driver driver;
	uint32_t cpu = 7;
	int fd = -5;

	(void)state;
	fake.open_errno = ENOENT;
	assert_int_equal(device_driver(&driver), RW_E_NO_DEVICE);
	assert_int_equal(device_enable(&cpu), RW_E_NO_DEVICE);
	assert_int_equal(cpu, DEVICE_NO_CPU);
	assert_int_equal(device_open(&fd), RW_E_NO_DEVICE);
	assert_int_equal(fd, -5);
	assert_int_equal(error_exit_code(RW_E_NO_DEVICE), EXIT_CODE_ABSENT);
	assert_int_equal(fake.closes, 0);
}

static void each_errno_has_its_error(void **state)
{
	static const struct {
		int number;
		enum rw_error error;
	} table[] = {
		{ EPERM, RW_E_PERMISSION }, { EACCES, RW_E_PERMISSION },
		{ EBUSY, RW_E_BUSY },	    { ENODEV, RW_E_NOT_ENABLED },
		{ ENOMEM, RW_E_NO_MEMORY }, { ENOTTY, RW_E_ABI },
		{ ENXIO, RW_E_NO_DEVICE },  { EFAULT, RW_E_IO },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		fake.ioctl_errno = table[i].number;
		assert_int_equal(device_unload(), table[i].error);
	}
	assert_int_equal(fake.opens, fake.closes);
}

static void the_reason_in_the_structure_goes_before_errno(void **state)
{
	enum rw_state policy_state = RW_STATE_ENABLED;
	struct rw_status status = { .state = 77 };

	(void)state;
	fake.error = RW_E_POLICY_SERIAL;
	assert_int_equal(device_policy_load("x", 1, &policy_state),
			 RW_E_POLICY_SERIAL);
	assert_int_equal(policy_state, RW_STATE_ENABLED);
	assert_int_equal(device_status(&status), RW_E_POLICY_SERIAL);
	assert_int_equal(status.state, 77);
	assert_int_equal(error_exit_code(RW_E_POLICY_SERIAL),
			 EXIT_CODE_ROLLBACK);
}

static void load_passes_image_and_keys(void **state)
{
	uint8_t keys[2][RW_KEY_POINT_SIZE] = { { 4 }, { 4 } };
	char image[100] = "";

	(void)state;
	assert_int_equal(device_load(image, sizeof(image),
				     (const uint8_t(*)[RW_KEY_POINT_SIZE])keys,
				     2),
			 RW_OK);
	assert_int_equal(fake.request, RW_IOC_LOAD);
	assert_int_equal(fake.load.abi_version, RW_ABI_VERSION);
	assert_int_equal(fake.load.image, (uintptr_t)image);
	assert_int_equal(fake.load.image_size, 100);
	assert_int_equal(fake.load.keys, (uintptr_t)keys);
	assert_int_equal(fake.load.key_count, 2);
}

static void a_policy_in_force_returns_its_state(void **state)
{
	enum rw_state policy_state = RW_STATE_ENABLED;

	(void)state;
	assert_int_equal(device_policy_load("policy", 6, &policy_state), RW_OK);
	assert_int_equal(policy_state, RW_STATE_ARMED);
	assert_int_equal(fake.policy.size, 6);
}

static void enable_and_disable_name_the_cpu_that_refused(void **state)
{
	uint32_t cpu = 0;

	(void)state;
	fake.error = RW_E_VMXON;
	fake.cpu = 3;
	assert_int_equal(device_enable(&cpu), RW_E_VMXON);
	assert_int_equal(cpu, 3);
	fake.cpu = 1;
	assert_int_equal(device_disable(&cpu), RW_E_VMXON);
	assert_int_equal(cpu, 1);
}

static void the_simple_calls_are_the_right_ioctls(void **state)
{
	uint32_t cpu;

	(void)state;
	assert_int_equal(device_enable(&cpu), RW_OK);
	assert_int_equal(fake.request, RW_IOC_ENABLE);
	assert_int_equal(device_disable(&cpu), RW_OK);
	assert_int_equal(fake.request, RW_IOC_DISABLE);
	assert_int_equal(device_unload(), RW_OK);
	assert_int_equal(fake.request, RW_IOC_UNLOAD);
	assert_int_equal(device_test_alert(), RW_OK);
	assert_int_equal(fake.request, RW_IOC_TEST_ALERT);
	assert_int_equal(device_test_hook(RW_TEST_CHECK, 1), RW_OK);
	assert_int_equal(fake.request, RW_IOC_TEST_HOOK);
	assert_int_equal(fake.call.cpu, 1);
	assert_int_equal(fake.call.value, RW_TEST_CHECK);
}

static void a_status_of_another_abi_is_refused(void **state)
{
	struct rw_status status;

	(void)state;
	fake.status.abi_version = RW_ABI_VERSION + 1;
	assert_int_equal(device_status(&status), RW_E_ABI);
	fake.status.abi_version = RW_ABI_VERSION;
	fake.read_size = sizeof(status) - 8;
	assert_int_equal(device_status(&status), RW_E_ABI);
	fake.read_size = 0;
	assert_int_equal(device_status(&status), RW_OK);
}

static void a_driver_that_claims_more_than_fits_is_refused(void **state)
{
	struct rw_cpu_status cpu;
	char dump[64];
	size_t size;

	(void)state;
	fake.dump = "0123456789";
	fake.dump_size = 10;
	assert_int_equal(device_dump(dump, sizeof(dump), &size), RW_OK);
	assert_int_equal(size, 10);
	fake.read_size = sizeof(dump) + 1;
	assert_int_equal(device_dump(dump, sizeof(dump), &size), RW_E_IO);
	fake.read_size = sizeof(cpu) - 1;
	assert_int_equal(device_cpu_status(0, &cpu), RW_E_ABI);
}

static void records_are_read_without_waiting(void **state)
{
	struct rw_event events[4], record = sample_record(RW_EVENT_TEST);
	struct pollfd wait = { .events = POLLIN };
	size_t count = 9;
	int fd = -1;

	(void)state;
	assert_int_equal(device_open(&fd), RW_OK);
	assert_true(fake.open_flags & O_NONBLOCK);
	assert_int_equal(device_read(fd, events, 4, &count), RW_OK);
	assert_int_equal(count, 0);
	for (int i = 0; i < 5; i++)
		fake_push(&record);
	wait.fd = fd;
	assert_int_equal(poll(&wait, 1, 0), 1);
	assert_int_equal(device_read(fd, events, 4, &count), RW_OK);
	assert_int_equal(count, 4);
	assert_int_equal(events[3].sequence, 4);
	assert_int_equal(device_read(fd, events, 4, &count), RW_OK);
	assert_int_equal(count, 1);
	assert_int_equal(poll(&wait, 1, 0), 0);
	device_close(fd);
}

static void half_a_record_is_refused(void **state)
{
	struct rw_event events[2], record = sample_record(RW_EVENT_TEST);
	size_t count = 9;
	int fd = -1;

	(void)state;
	fake_push(&record);
	fake.read_cut = 8;
	assert_int_equal(device_open(&fd), RW_OK);
	assert_int_equal(device_read(fd, events, 2, &count), RW_E_IO);
	assert_int_equal(count, 9);
	fake.read_errno = ENODEV;
	assert_int_equal(device_read(fd, events, 2, &count), RW_E_NOT_ENABLED);
	device_close(fd);
}

static void an_unknown_error_still_has_words(void **state)
{
	(void)state;
	assert_string_equal(error_name(RW_E_LOCKED), "E_LOCKED");
	assert_string_equal(error_name(4711), "E_UNKNOWN");
	assert_non_null(error_text(4711));
	assert_int_equal(error_exit_code(4711), EXIT_CODE_ERROR);
	assert_int_equal(error_exit_code(RW_OK), EXIT_CODE_OK);
	assert_int_equal(error_exit_code(RW_E_POLICY_KEY), EXIT_CODE_UNTRUSTED);
	assert_int_equal(error_exit_code(RW_E_POLICY_KERNEL),
			 EXIT_CODE_OTHER_KERNEL);
	assert_int_equal(error_exit_code(RW_E_POLICY_MODE), EXIT_CODE_DEGRADED);
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(without_a_device_file_every_call_says_so),
		TEST(each_errno_has_its_error),
		TEST(the_reason_in_the_structure_goes_before_errno),
		TEST(load_passes_image_and_keys),
		TEST(a_policy_in_force_returns_its_state),
		TEST(enable_and_disable_name_the_cpu_that_refused),
		TEST(the_simple_calls_are_the_right_ioctls),
		TEST(a_status_of_another_abi_is_refused),
		TEST(a_driver_that_claims_more_than_fits_is_refused),
		TEST(records_are_read_without_waiting),
		TEST(half_a_record_is_refused),
		TEST(an_unknown_error_still_has_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
