/* SPDX-License-Identifier: MIT */
/*
 *	faults monitor IMAGE	each step that can fail in the monitor
 *	faults driver IMAGE	each call of the driver that can fail: faults.ko
 *
 * Loads the image and enables it, again and again; each time the next step
 * fails, until there is none left and the enable succeeds. After each failure
 * the host runs on every CPU, all are as they were (cpustate.ko), and nothing is
 * kept. IMAGE is monitor-testing.elf. Status 0: all of that is true.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <unistd.h>

#include <ringwall/error.h>
#include <ringwall/ioctl.h>
#include <ringwall/policy.h>

#define MAX_STEPS  3000
#define MAX_ERRORS 100
#define MAX_CPUS   8
#define STATE_MAX  65536
#define LEAK_MAX \
	(2UL << 20) /* of the kernel's own; the least chunk is twice that */
#define PARAMETERS "/sys/module/faults/parameters/"

/* The generator of P-256: as good a point as any for a key never used. */
static const uint8_t key[RW_KEY_POINT_SIZE] = {
	0x04, 0x6b, 0x17, 0xd1, 0xf2, 0xe1, 0x2c, 0x42, 0x47, 0xf8, 0xbc,
	0xe6, 0xe5, 0x63, 0xa4, 0x40, 0xf2, 0x77, 0x03, 0x7d, 0x81, 0x2d,
	0xeb, 0x33, 0xa0, 0xf4, 0xa1, 0x39, 0x45, 0xd8, 0x98, 0xc2, 0x96,
	0x4f, 0xe3, 0x42, 0xe2, 0xfe, 0x1a, 0x7f, 0x9b, 0x8e, 0xe7, 0xeb,
	0x4a, 0x7c, 0x0f, 0x9e, 0x16, 0x2b, 0xce, 0x33, 0x57, 0x6b, 0x31,
	0x5e, 0xce, 0xcb, 0xb6, 0x40, 0x68, 0x37, 0xbf, 0x51, 0xf5
};

static int device;
static uint8_t *image;
static size_t image_size;
static char state_before[STATE_MAX], state_now[STATE_MAX];
static unsigned int tally[MAX_ERRORS][MAX_CPUS + 1]; /* the last: no CPU */
static unsigned int complaints;
static bool driver_fails; /* the steps are calls of the driver */
static int calls_left;	  /* until one fails; -1: it has */

static void complain(unsigned int step, const char *what)
{
	printf("step %u: %s\n", step, what);
	complaints++;
}

static size_t read_whole(const char *path, void *to, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t used = 0;
	ssize_t n;

	if (fd < 0)
		return 0;
	while ((n = read(fd, (char *)to + used, size - used)) > 0)
		used += (size_t)n;
	close(fd);
	return used;
}

static void read_state(char *to)
{
	to[read_whole("/proc/cpustate", to, STATE_MAX - 1)] = '\0';
}

static bool runs_on(int cpu)
{
	int status = -1;
	pid_t child = fork();

	if (child == 0) {
		cpu_set_t set;

		CPU_ZERO(&set);
		CPU_SET((size_t)cpu, &set);
		_exit(sched_setaffinity(0, sizeof(set), &set) ||
		      sched_getcpu() != cpu);
	}
	return waitpid(child, &status, 0) == child && status == 0;
}

/* The host as it was before anything was enabled. */
static void check_host(unsigned int step)
{
	struct rw_ioc_driver driver = { 0 };
	int cpus = (int)sysconf(_SC_NPROCESSORS_ONLN);

	for (int cpu = 0; cpu < cpus; cpu++)
		if (!runs_on(cpu))
			complain(step, "a CPU does not run programs");
	read_state(state_now);
	if (strcmp(state_before, state_now) != 0)
		complain(step, "a CPU is not as it was");
	if (ioctl(device, RW_IOC_DRIVER, &driver) != 0)
		complain(step, "the driver does not answer");
	if (driver.enabled || driver.donated)
		complain(step,
			 "the driver holds memory, or thinks it is enabled");
}

static int load(void)
{
	struct rw_ioc_load l = { .abi_version = RW_ABI_VERSION,
				 .image = (uint64_t)image,
				 .image_size = image_size,
				 .keys = (uint64_t)key,
				 .key_count = 1 };

	return ioctl(device, RW_IOC_LOAD, &l);
}

static bool call(unsigned long request, struct rw_ioc_call *c)
{
	memset(c, 0, sizeof(*c));
	return ioctl(device, request, c) == 0;
}

static void count(unsigned int step, const struct rw_ioc_call *c)
{
	uint32_t cpu = c->cpu < MAX_CPUS ? c->cpu : MAX_CPUS;

	if (!c->error || c->error >= MAX_ERRORS)
		complain(step, "the failure has no name");
	else
		tally[c->error][cpu]++;
}

static void write_parameter(int value)
{
	FILE *f = fopen(PARAMETERS "fail", "w");

	if (!f || fprintf(f, "%d", value) < 0 || fclose(f) != 0)
		complain((unsigned int)value, "faults.ko does not take it");
}

static void read_parameter(const char *path, char *to, size_t size)
{
	to[read_whole(path, to, size - 1)] = '\0';
	to[strcspn(to, "\n")] = '\0';
}

/* One attempt. True if it got in; it is out again at the end. */
static bool attempt(unsigned int step)
{
	struct rw_ioc_call c;
	char left[16];
	bool in;

	if (load() != 0) {
		check_host(step);
		return false;
	}
	in = call(RW_IOC_ENABLE, &c);
	if (driver_fails) {
		read_parameter(PARAMETERS "fail", left, sizeof(left));
		calls_left = atoi(left);
		write_parameter(-1); /* from here on all is well */
	}
	if (!in)
		count(step, &c);
	else if (!call(RW_IOC_DISABLE, &c))
		complain(step, "it cannot be disabled");
	if (!call(RW_IOC_UNLOAD, &c))
		complain(step, "the image cannot be unloaded");
	check_host(step);
	return in;
}

static unsigned int run_monitor(void)
{
	static const char magic[] = "ringwall-fail-at";
	uint8_t *at = memmem(image, image_size, magic, sizeof(magic) - 1);
	uint64_t plan[3] = { 0 }; /* kinds, kind, number */
	unsigned int steps = 0;

	if (!at) {
		complain(0, "the image has no plan to fail");
		return 0;
	}
	at += sizeof(magic) - 1;
	memcpy(plan, at, sizeof(plan));
	for (plan[1] = 0; plan[1] < plan[0]; plan[1]++)
		for (plan[2] = 0; steps < MAX_STEPS; plan[2]++, steps++) {
			memcpy(at, plan, sizeof(plan));
			if (!attempt(steps))
				continue;
			printf("kind %u: %u steps\n", (unsigned int)plan[1],
			       (unsigned int)plan[2]);
			break;
		}
	return steps;
}

/* A call may fail and the driver get by, so success alone is no end. */
static unsigned int run_driver(void)
{
	unsigned int step;
	char name[64];
	bool in;

	for (step = 0; step < MAX_STEPS; step++) {
		calls_left = -1;
		write_parameter((int)step);
		in = attempt(step);
		if (calls_left >= 0)
			break;
		read_parameter(PARAMETERS "name", name, sizeof(name));
		printf("%s fails: %s\n", name, in ? "got by" : "refused");
	}
	if (!in)
		complain(step, "without a failure it is not enabled");
	return step;
}

static void print_tally(void)
{
	for (unsigned int e = 0; e < MAX_ERRORS; e++)
		for (unsigned int cpu = 0; cpu <= MAX_CPUS; cpu++)
			if (tally[e][cpu])
				printf("error %u on CPU %d: %u times\n", e,
				       cpu == MAX_CPUS ? -1 : (int)cpu,
				       tally[e][cpu]);
}

int main(int argc, char **argv)
{
	unsigned long free_before, free_after;
	unsigned int steps;
	struct sysinfo info;

	device = open(RW_DEVICE, O_RDWR | O_CLOEXEC);
	image = malloc(RW_IMAGE_MAX);
	if (argc != 3 || device < 0 || !image) {
		fputs("usage: faults monitor|driver IMAGE\n", stderr);
		return 2;
	}
	image_size = read_whole(argv[2], image, RW_IMAGE_MAX);
	read_state(state_before);
	if (!strchr(state_before, '\n'))
		complain(0, "cpustate.ko is not there");
	sysinfo(&info);
	free_before = info.freeram;
	driver_fails = !strcmp(argv[1], "driver");
	steps = driver_fails ? run_driver() : run_monitor();
	sysinfo(&info);
	free_after = info.freeram;
	print_tally();
	printf("steps=%u complaints=%u free before=%lu after=%lu\n", steps,
	       complaints, free_before, free_after);
	if (free_after + LEAK_MAX < free_before)
		complain(steps, "memory is lost");
	return steps && steps < MAX_STEPS && !complaints ? 0 : 1;
}
