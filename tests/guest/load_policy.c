/* SPDX-License-Identifier: MIT */
/*
 * Loads a signed policy as `ringwall policy load` does and prints the TSC's delta
 * around the ioctl (in Bochs with one CPU, the instructions until it is in force)
 * and, after it, the TSC when the ioctl was back.
 *
 *   load_policy FILE
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>
#include <x86intrin.h>

#include <ringwall/ioctl.h>

static unsigned char policy[1 << 20];

int main(int argc, char **argv)
{
	struct rw_ioc_policy call = { .data = (uintptr_t)policy };
	int device = open(RW_DEVICE, O_RDWR | O_CLOEXEC);
	int file = argc == 2 ? open(argv[1], O_RDONLY | O_CLOEXEC) : -1;
	ssize_t size = file < 0 ? -1 : read(file, policy, sizeof(policy));
	uint64_t start, end;

	if (device < 0 || size <= 0) {
		perror("load_policy");
		return 1;
	}
	call.size = (uint64_t)size;
	start = __rdtsc();
	if (ioctl(device, RW_IOC_POLICY_LOAD, &call)) {
		fprintf(stderr, "load_policy: error %" PRIu32 "\n", call.error);
		return 1;
	}
	end = __rdtsc();
	if (call.state != RW_STATE_ARMED) {
		fprintf(stderr, "load_policy: state %" PRIu32 "\n", call.state);
		return 1;
	}
	printf("%" PRIu64 " %" PRIu64 "\n", end - start, end);
	return 0;
}
