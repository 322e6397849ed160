/* SPDX-License-Identifier: MIT */
/*
 * Runs a command and says what it took and whether the interrupts came, one
 * "KEY VALUE" a line:
 *
 *   cpuN.instructions  the TSC's share in which CPU N was not idle: in Bochs with
 *                      one CPU that is what it executed, with several nearly so
 *   cpuN.interrupts    timer interrupts CPU N took
 *   cpuN.ticks         as many the scheduler asked for in the time it was busy
 *   cpuN.due           expirations that were due of a timer of our own there
 *   cpuN.expired       those that came
 *   cpuN.missed        those that came so late that the next was due
 *   cpuN.late          of the latest, in microseconds
 *
 *   witness CMD...     ends with the command's status
 */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

#define CPUS_MAX 16
#define PERIOD	 UINT64_C(10000000) /* ns, of the timers */
#define TICK	 UINT64_C(4000000)  /* ns: Debian's kernel has HZ=250 */
#define SECOND	 UINT64_C(1000000000)
#define PRIORITY 50

struct sample {
	uint64_t tsc, ns, idle, interrupts;
};

struct timer {
	pid_t pid;
	int result; /* a pipe that struct outcome comes through */
};

struct outcome {
	uint64_t due, expired, missed, late;
};

static int cpus;
static volatile sig_atomic_t stop;

static void fail(const char *what)
{
	perror(what);
	exit(126);
}

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * SECOND + (uint64_t)t.tv_nsec;
}

static void move_to(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		fail("sched_setaffinity");
}

/* Nanoseconds that the CPU slept in its idle task, with or without I/O. */
static uint64_t idle_of(int cpu)
{
	FILE *list = fopen("/proc/timer_list", "r");
	uint64_t total = 0, ns;
	char line[256];
	int at = -1;

	if (!list)
		fail("/proc/timer_list");
	while (fgets(line, sizeof(line), list)) {
		if (sscanf(line, "cpu: %d", &at) == 1)
			continue;
		if (at == cpu &&
		    (sscanf(line, " .idle_sleeptime : %" SCNu64, &ns) == 1 ||
		     sscanf(line, " .iowait_sleeptime : %" SCNu64, &ns) == 1))
			total += ns;
	}
	fclose(list);
	return total;
}

/* The column of the CPU in the line of the local timer. */
static uint64_t interrupts_of(int cpu)
{
	FILE *table = fopen("/proc/interrupts", "r");
	uint64_t count = 0;
	char line[1024];

	if (!table)
		fail("/proc/interrupts");
	while (fgets(line, sizeof(line), table)) {
		char *at = strstr(line, "LOC:");

		if (!at)
			continue;
		at += strlen("LOC:");
		for (int i = 0; i <= cpu; i++)
			count = strtoull(at, &at, 10);
	}
	fclose(table);
	return count;
}

/* On the CPU itself, so that it is not idle while it is looked at. */
static void take(struct sample samples[])
{
	for (int i = 0; i < cpus; i++) {
		move_to(i);
		samples[i].idle = idle_of(i);
		samples[i].interrupts = interrupts_of(i);
		samples[i].ns = now();
		samples[i].tsc = __rdtsc();
	}
}

static void stopped(int signal)
{
	(void)signal;
	stop = 1;
}

static struct outcome count_expirations(int fd, uint64_t start)
{
	struct outcome o = { 0 };
	uint64_t n, at;

	while (!stop) {
		if (read(fd, &n, sizeof(n)) != sizeof(n))
			continue;
		at = now();
		o.expired += n;
		o.missed += n - 1;
		at -= start + (o.expired - 1) * PERIOD;
		if (at > o.late)
			o.late = at;
	}
	o.due = (now() - start) / PERIOD + 1;
	return o;
}

/* Before whatever else runs there, so that only the interrupt can be late. */
static void watch(int cpu, int result)
{
	struct sched_param priority = { .sched_priority = PRIORITY };
	uint64_t start = now() + PERIOD;
	struct itimerspec every = {
		.it_interval = { 0, PERIOD },
		.it_value = { (time_t)(start / SECOND),
			      (long)(start % SECOND) },
	};
	struct sigaction action = { .sa_handler = stopped };
	struct outcome o;
	int fd;

	move_to(cpu);
	sigaction(SIGTERM, &action, NULL);
	fd = timerfd_create(CLOCK_MONOTONIC, 0);
	if (fd < 0 || sched_setscheduler(0, SCHED_FIFO, &priority) ||
	    timerfd_settime(fd, TFD_TIMER_ABSTIME, &every, NULL))
		fail("timer");
	o = count_expirations(fd, start);
	if (write(result, &o, sizeof(o)) != sizeof(o))
		fail("pipe");
	exit(0);
}

static void start_timer(int cpu, struct timer *t)
{
	int fds[2];

	if (pipe(fds))
		fail("pipe");
	t->pid = fork();
	if (t->pid < 0)
		fail("fork");
	if (!t->pid)
		watch(cpu, fds[1]);
	close(fds[1]);
	t->result = fds[0];
}

static struct outcome end_timer(const struct timer *t)
{
	struct outcome o;

	kill(t->pid, SIGTERM);
	if (read(t->result, &o, sizeof(o)) != sizeof(o))
		fail("a timer did not answer");
	waitpid(t->pid, NULL, 0);
	return o;
}

static int run(char **command, const cpu_set_t *all)
{
	pid_t child = fork();
	int status;

	if (child < 0)
		fail("fork");
	if (!child) {
		sched_setaffinity(0, sizeof(*all), all);
		execvp(command[0], command);
		_exit(127);
	}
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			fail("waitpid");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void report(int cpu, const struct sample *a, const struct sample *b,
		   const struct outcome *o)
{
	uint64_t elapsed = b->ns - a->ns, idle = b->idle - a->idle;
	uint64_t busy = idle < elapsed ? elapsed - idle : 0;
	double share = (double)busy / (double)elapsed;

	printf("cpu%d.instructions %.0f\n", cpu,
	       (double)(b->tsc - a->tsc) * share);
	printf("cpu%d.interrupts %" PRIu64 "\n", cpu,
	       b->interrupts - a->interrupts);
	printf("cpu%d.ticks %" PRIu64 "\n", cpu, busy / TICK);
	printf("cpu%d.due %" PRIu64 "\n", cpu, o->due);
	printf("cpu%d.expired %" PRIu64 "\n", cpu, o->expired);
	printf("cpu%d.missed %" PRIu64 "\n", cpu, o->missed);
	printf("cpu%d.late %" PRIu64 "\n", cpu, o->late / 1000);
}

int main(int argc, char **argv)
{
	struct sample before[CPUS_MAX], after[CPUS_MAX];
	struct timer timers[CPUS_MAX];
	struct outcome outcomes[CPUS_MAX];
	cpu_set_t all;
	int status;

	cpus = (int)sysconf(_SC_NPROCESSORS_ONLN);
	if (argc < 2 || cpus < 1 || cpus > CPUS_MAX ||
	    sched_getaffinity(0, sizeof(all), &all)) {
		fputs("usage: witness CMD...\n", stderr);
		return 126;
	}
	for (int i = 0; i < cpus; i++)
		start_timer(i, &timers[i]);
	take(before);
	status = run(argv + 1, &all);
	take(after);
	for (int i = 0; i < cpus; i++)
		outcomes[i] = end_timer(&timers[i]);
	for (int i = 0; i < cpus; i++)
		report(i, &before[i], &after[i], &outcomes[i]);
	return status;
}
