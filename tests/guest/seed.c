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

#define BYTES 64

int main(void)
{
	union {
		struct rand_pool_info head;
		unsigned char room[sizeof(struct rand_pool_info) + BYTES];
	} seed;
	int device = open("/dev/random", O_WRONLY | O_CLOEXEC);

	memset(&seed, 0x5a, sizeof(seed)); /* the same in each run */
	seed.head.entropy_count = 8 * BYTES;
	seed.head.buf_size = BYTES;
	if (device < 0 || ioctl(device, RNDADDENTROPY, &seed)) {
		perror("seed");
		return 1;
	}
	return 0;
}
