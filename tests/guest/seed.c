/* SPDX-License-Identifier: MIT */
/*
 * Gives the kernel's random generator what a host's saved seed gives it at boot. Until
 * it has enough it patches the kernel's text once (a static key): seen in a
 * measurement, that would be no steady state.
 */
#include <fcntl.h>
#include <linux/random.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

int main(void)
{
	struct {
		struct rand_pool_info head;
		unsigned char bytes[64];
	} seed = { .head = { .entropy_count = 512, .buf_size = 64 } };
	int device = open("/dev/random", O_WRONLY | O_CLOEXEC);

	memset(seed.bytes, 0x5a, sizeof(seed.bytes)); /* the same in each run */
	if (device < 0 || ioctl(device, RNDADDENTROPY, &seed)) {
		perror("seed");
		return 1;
	}
	return 0;
}
