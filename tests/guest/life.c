/* SPDX-License-Identifier: MIT */
/*
 *	life N
 *
 * Enables and disables the loaded monitor N times under a load of processes
 * that check themselves, some of each kind on every CPU:
 *
 *   registers	hold known values in every register of a program
 *   ldt	the same, with a local descriptor table and a segment in it
 *   arithmetic	x87, SSE, AVX and integer sums whose results are known
 *   watch	a hardware watchpoint that has to fire each time
 *   calls	fork, pipes, memory, signals, time
 *
 * Between two changes each of them ends a round, so all are seen to work inside
 * and outside. Prints what was wrong and what it took; status 0: nothing wrong.
 */
#define _GNU_SOURCE
#include <asm/ldt.h>
#include <fcntl.h>
#include <immintrin.h>
#include <linux/hw_breakpoint.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <ringwall/ioctl.h>

#define MAX_WORKERS	 64
#define PATIENCE_S	 20	    /* of the guest's time, for one round */
#define FLAGS_HELD	 0x240cd5UL /* ID AC DF SF ZF AF PF CF */
#define FLAGS_SEEN	 0x240ed7UL /* with IF and the bit that is always set */
#define SELECTOR_USER_DS 0x2b
#define SELECTOR_LDT0	 7

/* As hold.S has it. */
struct held {
	uint64_t gpr[16];
	uint64_t rflags, fs_base, gs_base, spin;
	uint16_t ds, es, unused[2];
	uint16_t gs, unused2[3];
	uint64_t through_gs;
};

/* XSAVE area, standard format (SDM Vol. 1 13.4): x87, SSE, AVX. */
struct vectors {
	uint16_t fcw, fsw;
	uint8_t ftw, unused;
	uint16_t fop;
	uint64_t fip, fdp;
	uint32_t mxcsr, mxcsr_mask;
	uint8_t st[8][16];
	uint64_t xmm[16][2];
	uint8_t unused2[96];
	uint64_t present, compact, unused3[6];
	uint64_t ymm_high[16][2];
} __attribute__((aligned(64)));

struct held hold_in, hold_out;
struct vectors hold_vectors_in, hold_vectors_out;
void hold(void);

struct worker {
	const char *kind;
	int cpu;
	pid_t pid;
	volatile uint64_t rounds;
	volatile uint64_t wrong;
	char first[160]; /* what was wrong first */
};

static struct shared {
	volatile bool stop;
	unsigned int count;
	struct worker worker[MAX_WORKERS];
} * shared;

static struct worker *self;

static void __attribute__((format(printf, 1, 2))) wrong(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	if (!self->wrong)
		vsnprintf(self->first, sizeof(self->first), format, arguments);
	va_end(arguments);
	self->wrong++;
}

static void same(const char *what, uint64_t wanted, uint64_t got)
{
	if (wanted != got)
		wrong("%s: wanted %llx, got %llx", what,
		      (unsigned long long)wanted, (unsigned long long)got);
}

/* Values that differ in each register, process and round. */
static uint64_t pattern(uint64_t n)
{
	uint64_t x = (self->rounds << 20 | (uint64_t)self->pid << 8 | n) + 1;

	x *= 0x9e3779b97f4a7c15;
	return x ^ x >> 29;
}

static void fill_held(bool ldt, const uint64_t *cell)
{
	struct vectors *v = &hold_vectors_in;

	for (unsigned int i = 0; i < 16; i++)
		hold_in.gpr[i] = pattern(i);
	hold_in.rflags = FLAGS_HELD;
	hold_in.fs_base = pattern(16) >> 18; /* canonical */
	hold_in.gs_base = ldt ? (uint64_t)cell : pattern(17) >> 18;
	hold_in.spin = 10000;
	hold_in.ds = hold_in.es = SELECTOR_USER_DS;
	hold_in.gs = ldt ? SELECTOR_LDT0 : 0;
	hold_in.through_gs = ldt ? *cell : 0;

	memset(v, 0, sizeof(*v));
	v->fcw = 0x0f7f; /* toward zero, 64 bits, all masked */
	v->fsw = 0x0100; /* C0 */
	v->ftw = 0xff;
	v->mxcsr = 0x7fbf; /* toward zero, all masked, every flag raised */
	v->present = 7;
	for (unsigned int i = 0; i < 8; i++) {
		uint64_t mantissa = pattern(20 + i) | 1ULL << 63;
		uint16_t exponent = (uint16_t)(0x3fff + i);

		memcpy(v->st[i], &mantissa, 8);
		memcpy(v->st[i] + 8, &exponent, 2);
	}
	for (unsigned int i = 0; i < 32; i++) {
		v->xmm[i / 2][i % 2] = pattern(40 + i);
		v->ymm_high[i / 2][i % 2] = pattern(80 + i);
	}
}

static void compare_held(void)
{
	static const char *const names[16] = { "rax", "rcx", "rdx", "rbx",
					       "rsp", "rbp", "rsi", "rdi",
					       "r8",  "r9",  "r10", "r11",
					       "r12", "r13", "r14", "r15" };
	const struct vectors *in = &hold_vectors_in, *out = &hold_vectors_out;

	for (unsigned int i = 0; i < 16; i++)
		same(names[i], hold_in.gpr[i], hold_out.gpr[i]);
	same("rflags", FLAGS_SEEN, hold_out.rflags);
	same("fs base", hold_in.fs_base, hold_out.fs_base);
	same("gs base", hold_in.gs_base, hold_out.gs_base);
	same("ds", hold_in.ds, hold_out.ds);
	same("es", hold_in.es, hold_out.es);
	same("gs", hold_in.gs, hold_out.gs);
	same("a word through gs", hold_in.through_gs, hold_out.through_gs);
	same("fcw", in->fcw, out->fcw);
	same("fsw", in->fsw, out->fsw);
	same("ftw", in->ftw, out->ftw);
	same("mxcsr", in->mxcsr, out->mxcsr);
	same("xstate", 7, out->present & 7);
	for (unsigned int i = 0; i < 8; i++)
		if (memcmp(in->st[i], out->st[i], 10) != 0)
			wrong("st(%u) differs", i);
	for (unsigned int i = 0; i < 32; i++) {
		same("xmm", in->xmm[i / 2][i % 2], out->xmm[i / 2][i % 2]);
		same("ymm, upper half", in->ymm_high[i / 2][i % 2],
		     out->ymm_high[i / 2][i % 2]);
	}
}

static void hold_round(bool ldt, const uint64_t *cell)
{
	fill_held(ldt, cell);
	memset(&hold_out, 0, sizeof(hold_out));
	memset(&hold_vectors_out, 0, sizeof(hold_vectors_out));
	hold();
	compare_held();
}

static void registers(void)
{
	hold_round(false, NULL);
}

/* The segment begins at a word of ours, which static linking puts below 4 GiB. */
static void ldt(void)
{
	static uint64_t cell;
	struct user_desc d = { .base_addr = (unsigned int)(uintptr_t)&cell,
			       .limit = 7,
			       .seg_32bit = 1,
			       .useable = 1 };

	if (!cell && syscall(SYS_modify_ldt, 1, &d, sizeof(d)) != 0)
		wrong("modify_ldt is refused");
	cell = pattern(18);
	hold_round(true, &cell);
}

/* 1 + 2 + ... + n in each of four lanes, products and roots, all exact. */
static void __attribute__((target("avx"))) sums(uint64_t n)
{
	__m256d sum = _mm256_setzero_pd(), roots = sum, i = sum;
	__m256d one = _mm256_set1_pd(1.0);
	__m128i words = _mm_setzero_si128(), k = words;
	double lane[8];
	uint32_t word[4];

	for (uint64_t c = 0; c < n; c++) {
		i = _mm256_add_pd(i, one);
		sum = _mm256_add_pd(sum, i);
		roots = _mm256_add_pd(roots,
				      _mm256_sqrt_pd(_mm256_mul_pd(i, i)));
		k = _mm_add_epi32(k, _mm_set1_epi32(1));
		words = _mm_add_epi32(words, k);
	}
	_mm256_storeu_pd(lane, sum);
	_mm256_storeu_pd(lane + 4, roots);
	_mm_storeu_si128((__m128i *)word, words);
	_mm256_zeroupper();
	for (unsigned int c = 0; c < 8; c++)
		same("avx sum", n * (n + 1) / 2, (uint64_t)lane[c]);
	for (unsigned int c = 0; c < 4; c++)
		same("sse sum", n * (n + 1) / 2, word[c]);
}

static void x87_sums(uint64_t n)
{
	volatile long double sum = 0, i = 0;

	for (uint64_t c = 0; c < n; c++) {
		i += 1;
		sum += __builtin_sqrtl(i * i) * 3 - i * 2;
	}
	same("x87 sum", n * (n + 1) / 2, (uint64_t)sum);
}

/* Multiplying by the inverse takes every product back. */
static void products(uint64_t n)
{
	uint64_t start = pattern(0), x = start;

	for (uint64_t c = 0; c < n; c++)
		x = x * 0x9e3779b97f4a7c15 + c;
	for (uint64_t c = n; c-- > 0;)
		x = (x - c) * 0xf1de83e19937733d;
	same("products", start, x);
}

static void arithmetic(void)
{
	sums(800);
	x87_sums(400);
	products(1000);
}

static void watch(void)
{
	static volatile uint64_t watched;
	static int fd = -1;
	struct perf_event_attr attr = {
		.type = PERF_TYPE_BREAKPOINT,
		.size = sizeof(attr),
		.bp_type = HW_BREAKPOINT_W,
		.bp_addr = (uint64_t)&watched,
		.bp_len = HW_BREAKPOINT_LEN_8,
		.exclude_kernel = 1,
	};
	uint64_t before, after;

	if (fd < 0)
		fd = (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0);
	if (fd < 0 || read(fd, &before, 8) != 8) {
		wrong("there is no watchpoint to be had");
		return;
	}
	for (unsigned int i = 0; i < 20; i++) {
		watched = i;
		for (volatile int spin = 0; spin < 50; spin++)
			continue;
	}
	if (read(fd, &after, 8) != 8)
		wrong("the watchpoint cannot be read");
	same("hits of the watchpoint", before + 20, after);
}

static void ping_pong(void)
{
	uint64_t sent = pattern(0), got = 0;
	int to[2], status = -1;
	pid_t child;

	if (pipe(to) != 0) {
		wrong("there is no pipe");
		return;
	}
	child = fork();
	if (child == 0) {
		_exit(read(to[0], &got, 8) == 8 && got == sent ? 42 : 1);
	}
	if (write(to[1], &sent, 8) != 8)
		wrong("the pipe takes nothing");
	waitpid(child, &status, 0);
	same("status of a child", 42,
	     WIFEXITED(status) ? WEXITSTATUS(status) : 255);
	close(to[0]);
	close(to[1]);
}

static volatile sig_atomic_t caught;

static void catch (int number)
{
	caught += number;
}

static void calls(void)
{
	static struct timespec last;
	struct timespec now, shortly = { .tv_nsec = 1000 };
	uint64_t *page;

	ping_pong();
	page = mmap(NULL, 65536, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (page == MAP_FAILED) {
		wrong("there is no memory");
		return;
	}
	for (unsigned int i = 0; i < 16; i++)
		page[512 * i] = pattern(i);
	nanosleep(&shortly, NULL);
	for (unsigned int i = 0; i < 16; i++)
		same("memory", pattern(i), page[512 * i]);
	munmap(page, 65536);
	caught = 0;
	signal(SIGUSR1, catch);
	raise(SIGUSR1);
	same("signal", SIGUSR1, (uint64_t)caught);
	clock_gettime(CLOCK_MONOTONIC, &now);
	if (now.tv_sec < last.tv_sec ||
	    (now.tv_sec == last.tv_sec && now.tv_nsec < last.tv_nsec))
		wrong("time goes back");
	last = now;
}

/* Who sleeps goes first when it wakes, else its rounds would take the longest. */
static const struct {
	const char *name;
	void (*round)(void);
	int nice;
} kinds[] = {
	{ "registers", registers, 0 },	 { "ldt", ldt, 0 },
	{ "arithmetic", arithmetic, 0 }, { "watch", watch, 0 },
	{ "calls", calls, -10 },
};

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static void begin_worker(unsigned int number, int cpu, unsigned int kind)
{
	cpu_set_t set;

	self = &shared->worker[number];
	self->kind = kinds[kind].name;
	self->cpu = cpu;
	self->pid = fork();
	if (self->pid != 0)
		return;
	self->pid = getpid();
	CPU_ZERO(&set);
	CPU_SET((size_t)cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
	if (setpriority(PRIO_PROCESS, 0, kinds[kind].nice) != 0)
		wrong("there is no priority to be had");
	while (!shared->stop) {
		kinds[kind].round();
		self->rounds++;
		sched_yield();
	}
	_exit(0);
}

static bool begin_workers(void)
{
	int cpus = (int)sysconf(_SC_NPROCESSORS_ONLN);

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED || cpus * (int)KINDS > MAX_WORKERS)
		return false;
	for (int cpu = 0; cpu < cpus; cpu++)
		for (unsigned int kind = 0; kind < KINDS; kind++)
			begin_worker(shared->count++, cpu, kind);
	return true;
}

/* Every worker ends the round it is in: what it held, it held across the change. */
static bool all_go_on(void)
{
	uint64_t from[MAX_WORKERS];
	time_t end = time(NULL) + PATIENCE_S;

	for (unsigned int i = 0; i < shared->count; i++)
		from[i] = shared->worker[i].rounds;
	for (unsigned int i = 0; i < shared->count; i++)
		while (shared->worker[i].rounds < from[i] + 1) {
			if (time(NULL) > end || waitpid(shared->worker[i].pid,
							NULL, WNOHANG) != 0) {
				printf("stuck: %s on CPU %d\n",
				       shared->worker[i].kind,
				       shared->worker[i].cpu);
				return false;
			}
			usleep(500);
		}
	return true;
}

struct cost {
	uint64_t most, total;
};

static bool change(int device, unsigned long request, const char *name,
		   struct cost *cost)
{
	struct rw_ioc_call call = { 0 };
	uint64_t start = __rdtsc(), took;

	if (ioctl(device, request, &call) != 0) {
		printf("%s is refused: error %u on CPU %d\n", name, call.error,
		       (int)call.cpu);
		return false;
	}
	took = __rdtsc() - start;
	cost->total += took;
	cost->most = took > cost->most ? took : cost->most;
	return all_go_on();
}

/* The cycles that went well. */
static unsigned int run_cycles(int device, unsigned int wanted)
{
	struct cost enable = { 0 }, disable = { 0 };
	uint64_t start = __rdtsc();
	unsigned int n = 0;

	if (!all_go_on())
		return 0;
	while (n < wanted && change(device, RW_IOC_ENABLE, "enable", &enable) &&
	       change(device, RW_IOC_DISABLE, "disable", &disable))
		n++;
	if (n)
		printf("cycles=%u enable=%llu most=%llu disable=%llu most=%llu cycle=%llu\n",
		       n, (unsigned long long)(enable.total / n),
		       (unsigned long long)enable.most,
		       (unsigned long long)(disable.total / n),
		       (unsigned long long)disable.most,
		       (unsigned long long)((__rdtsc() - start) / n));
	return n;
}

/* True if all ended well and nothing was wrong. */
static bool end_workers(void)
{
	bool good = true;

	shared->stop = true;
	for (unsigned int i = 0; i < shared->count; i++) {
		struct worker *w = &shared->worker[i];
		int status = -1;

		if (waitpid(w->pid, &status, 0) != w->pid || status != 0)
			w->wrong++;
		printf("%s on CPU %d: rounds=%llu wrong=%llu status=%d %s\n",
		       w->kind, w->cpu, (unsigned long long)w->rounds,
		       (unsigned long long)w->wrong, status, w->first);
		good = good && !w->wrong;
	}
	return good;
}

int main(int argc, char **argv)
{
	unsigned int wanted = argc == 2 ? (unsigned int)atoi(argv[1]) : 0;
	int device = open(RW_DEVICE, O_RDWR | O_CLOEXEC);
	unsigned int done;

	if (!wanted || device < 0) {
		fputs("usage: life N, with the monitor loaded\n", stderr);
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!begin_workers())
		return 2;
	setpriority(PRIO_PROCESS, 0, -20);
	done = run_cycles(device, wanted);
	return end_workers() && done == wanted ? 0 : 1;
}
