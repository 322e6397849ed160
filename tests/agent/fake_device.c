/* SPDX-License-Identifier: MIT */
/* The fake device. Its file is an eventfd, so that poll() works. */
#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "agent/device_io.h"
#include "tests/agent/fake_device.h"

struct fake_device fake;

static int bell = -1;

void fake_boot(uint8_t nonce)
{
	memset(fake.status.nonce, nonce, RW_SHA256_SIZE);
	memcpy(fake.chain, fake.status.nonce, RW_SHA256_SIZE);
	fake.sequence = 0;
}

void fake_reset(void)
{
	if (bell >= 0)
		close(bell);
	bell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	memset(&fake, 0, sizeof(fake));
	fake.cpu = 0xffffffff;
	fake.driver = (struct rw_ioc_driver){
		.abi_version = RW_ABI_VERSION,
		.loaded = 1,
		.enabled = 1,
		.cpus = 2,
	};
	fake.status = (struct rw_status){
		.abi_version = RW_ABI_VERSION,
		.state = RW_STATE_ENABLED,
		.cpus = 2,
		.cpus_inside = 2,
		.step = 2,
	};
	for (uint32_t i = 0; i < FAKE_CPUS; i++) {
		fake.cpus[i].cpu = i;
		fake.cpus[i].apic_id = 2 * i;
		fake.cpus[i].state = RW_CPU_INSIDE;
	}
	fake_boot(0xa5);
}

static void ring(void)
{
	eventfd_write(bell, 1);
}

void fake_push_raw(const struct rw_event *record)
{
	fake.records[fake.pushed++ % FAKE_RECORDS] = *record;
	ring();
}

void fake_push(const struct rw_event *record)
{
	EVP_MD_CTX *hash = EVP_MD_CTX_new();
	struct rw_event next = *record;

	next.sequence = ++fake.sequence;
	memset(next.chain, 0, sizeof(next.chain));
	EVP_DigestInit_ex(hash, EVP_sha256(), NULL);
	EVP_DigestUpdate(hash, fake.chain, sizeof(fake.chain));
	EVP_DigestUpdate(hash, &next, sizeof(next));
	EVP_DigestFinal_ex(hash, fake.chain, NULL);
	EVP_MD_CTX_free(hash);
	memcpy(next.chain, fake.chain, sizeof(next.chain));
	fake.status.events_last = next.sequence;
	fake_push_raw(&next);
}

void fake_lose(uint64_t count)
{
	struct rw_event lost = {
		.kind = RW_EVENT_LOST,
		.severity = 4,
		.count = count,
		.detail = { fake.sequence + 1, fake.sequence + count },
	};

	fake.sequence += count;
	fake.status.events_lost += count;
	fake_push(&lost);
}

int device_io_open(const char *path, int flags)
{
	fake.opens++;
	fake.open_flags = flags;
	if (strcmp(path, RW_DEVICE) != 0 || fake.open_errno) {
		errno = fake.open_errno ? fake.open_errno : ENOENT;
		return -1;
	}
	return dup(bell);
}

int device_io_close(int fd)
{
	fake.closes++;
	return close(fd);
}

/* RW_IOC_STATUS, RW_IOC_CPU_STATUS and RW_IOC_DUMP. */
static int answer(struct rw_ioc_read *read, const void *data, size_t size)
{
	read->error = fake.error;
	if (fake.error) {
		errno = EINVAL;
		return -1;
	}
	if (size > read->size)
		size = read->size;
	memcpy((void *)(uintptr_t)read->buffer, data, size);
	read->size = fake.read_size ? fake.read_size : size;
	return 0;
}

static int simple(uint32_t *error)
{
	*error = fake.error;
	if (fake.error)
		errno = EINVAL;
	return fake.error ? -1 : 0;
}

static int call(struct rw_ioc_call *call)
{
	fake.call = *call;
	if (fake.error)
		call->cpu = fake.cpu;
	return simple(&call->error);
}

static int read_cpu(struct rw_ioc_read *read)
{
	if (read->cpu >= FAKE_CPUS) {
		errno = EINVAL;
		return -1;
	}
	return answer(read, &fake.cpus[read->cpu], sizeof(fake.cpus[0]));
}

int device_io_ioctl(int fd, unsigned long request, void *argument)
{
	struct rw_ioc_policy *policy = argument;
	struct rw_ioc_load *load = argument;

	(void)fd;
	fake.calls++;
	fake.request = request;
	if (fake.ioctl_errno) {
		errno = fake.ioctl_errno;
		return -1;
	}
	switch (request) {
	case RW_IOC_LOAD:
		fake.load = *load;
		return simple(&load->error);
	case RW_IOC_POLICY_LOAD:
		fake.policy = *policy;
		policy->state = RW_STATE_ARMED;
		return simple(&policy->error);
	case RW_IOC_STATUS:
		return answer(argument, &fake.status, sizeof(fake.status));
	case RW_IOC_CPU_STATUS:
		return read_cpu(argument);
	case RW_IOC_DUMP:
		return answer(argument, fake.dump, fake.dump_size);
	case RW_IOC_DRIVER:
		memcpy(argument, &fake.driver, sizeof(fake.driver));
		return 0;
	case RW_IOC_MEMORY:
		fake.memory = *(struct rw_ioc_memory *)argument;
		if (fake.error)
			((struct rw_ioc_memory *)argument)->bytes =
				fake.memory_done;
		return simple(&((struct rw_ioc_memory *)argument)->error);
	case RW_IOC_UNLOAD:
	case RW_IOC_ENABLE:
	case RW_IOC_DISABLE:
	case RW_IOC_TEST_ALERT:
	case RW_IOC_TEST_HOOK:
		return call(argument);
	default:
		errno = ENOTTY;
		return -1;
	}
}

ssize_t device_io_read(int fd, void *buffer, size_t size)
{
	struct rw_event *events = buffer;
	size_t count = 0;
	eventfd_t ignored;

	(void)fd;
	if (fake.read_errno) {
		errno = fake.read_errno;
		return -1;
	}
	while (fake.read < fake.pushed && (count + 1) * sizeof(*events) <= size)
		events[count++] = fake.records[fake.read++ % FAKE_RECORDS];
	if (fake.read == fake.pushed)
		eventfd_read(bell, &ignored);
	if (!count) {
		errno = EAGAIN;
		return -1;
	}
	return (ssize_t)(count * sizeof(*events) - fake.read_cut);
}
