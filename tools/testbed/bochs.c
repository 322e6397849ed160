/* SPDX-License-Identifier: MIT */
/*
 * Drives the prompt of Bochs's debugger from a script, and adds to it what
 * Debian's headless Bochs lacks: saving the machine, and a limit in ticks that
 * holds with several CPUs too (the debugger's own time breakpoint does not).
 * Preloaded, it stands in for readline(), for bind() where the screen nobody
 * looks at wants a port, and for the one function of Bochs that is wrong about a
 * CPU that waits for its start-up IPI.
 *
 * BOCHS_SCRIPT names the script. A line is handed to the debugger each time Bochs
 * stops, except
 *   limit N	ends Bochs N ticks from now
 *   save DIR	saves the machine's state into DIR; a limit is lifted before
 * The end of the script ends Bochs. Nothing here touches the guest, but for one
 * thing: RDRAND and RDSEED, which Bochs makes of rand(), give the same numbers in
 * every run, so that a kernel that draws its own slide draws the same one again.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Members of bx_real_sim_c and bx_pc_system_c, and bx_dbg_exit(), by the names
 * bochs-bin exports them under. */
#define SAVE_STATE "_ZN13bx_real_sim_c10save_stateEPKc"
#define REGISTER_TIMER \
	"_ZN14bx_pc_system_c20register_timer_ticksEPvPFvS0_EmbbPKc"
#define DEACTIVATE_TIMER "_ZN14bx_pc_system_c16deactivate_timerEj"
#define UNREGISTER_TIMER "_ZN14bx_pc_system_c15unregisterTimerEj"
#define EXIT		 "_Z11bx_dbg_exiti"

typedef bool save_state_fn(void *sim, const char *dir);
typedef int register_timer_fn(void *system, void *owner,
			      void (*expired)(void *), uint64_t ticks,
			      bool continuous, bool active, const char *name);
typedef void deactivate_timer_fn(void *system, unsigned int timer);
typedef bool unregister_timer_fn(void *system, unsigned int timer);
typedef void exit_fn(int code);

#define RFB_PORT_FIRST 5900
#define RFB_PORT_LAST  5949

typedef int bind_fn(int fd, const struct sockaddr *address, socklen_t length);

/*
 * Where bx_cpu_c keeps what an INIT changes: read out of deliver_INIT(), which is
 * testb $4, mask; jne; orl $4, pending; movl $1, async, and deliver_SIPI(), where
 * cmpl $3, activity comes within the first bytes. All are 32-bit displacements.
 */
#define DELIVER_INIT  "_ZN8BX_CPU_C12deliver_INITEv"
#define DELIVER_SIPI  "_ZN8BX_CPU_C12deliver_SIPIEj"
#define NMI	      1U
#define SMI	      2U
#define INIT	      4U
#define WAIT_FOR_SIPI 3U

static struct {
	uint32_t mask, pending, async, activity;
} member;

static int limit_timer = -1;
static uint64_t limit_ticks;

char *readline(const char *prompt);

void srand(unsigned int seed)
{
	(void)seed;
}

static void say(const char *text)
{
	printf("\ntestbed: %s\n", text);
	fflush(stdout);
}

static void *symbol(const char *name)
{
	void *found = dlsym(RTLD_DEFAULT, name);

	if (!found) {
		say("this build of Bochs lacks what the test bed calls:");
		say(name);
		exit(1);
	}
	return found;
}

/*
 * The RFB screen takes the first of its ports that it can bind, for all the world
 * to see, and ends Bochs when another Bochs listens on it a moment earlier. Any
 * free port of this host alone does.
 */
int bind(int fd, const struct sockaddr *address, socklen_t length)
{
	bind_fn *next = (bind_fn *)dlsym(RTLD_NEXT, "bind");
	struct sockaddr_in own;
	in_port_t port;

	if (address->sa_family != AF_INET || length != sizeof(own))
		return next(fd, address, length);
	memcpy(&own, address, sizeof(own));
	port = ntohs(own.sin_port);
	if (port >= RFB_PORT_FIRST && port <= RFB_PORT_LAST) {
		own.sin_port = 0;
		own.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	}
	return next(fd, (const struct sockaddr *)&own, length);
}

static uint32_t *field(uint8_t *cpu, uint32_t offset)
{
	return (uint32_t *)(void *)(cpu + offset);
}

/*
 * In place of deliver_INIT(). A CPU that waits for its start-up IPI in VMX
 * non-root operation takes no INIT; Bochs keeps it, lets it exit after the
 * start-up IPI, and never forgets it again. Nor does it end, when the start-up
 * IPI exits, the blocking of SMIs and NMIs that came with the wait: it ends here,
 * with the INIT before that IPI, since whoever waits looks at neither.
 */
static void deliver_init(uint8_t *cpu)
{
	if (*field(cpu, member.activity) == WAIT_FOR_SIPI) {
		*field(cpu, member.mask) &= ~(NMI | SMI);
		return;
	}
	if (*field(cpu, member.mask) & INIT)
		return;
	*field(cpu, member.pending) |= INIT;
	*field(cpu, member.async) = 1;
}

/* The displacement of an instruction that must begin so, or the end of Bochs. */
static uint32_t displacement(const uint8_t *code, uint8_t opcode, uint8_t modrm)
{
	uint32_t found;

	if (code[0] != opcode || code[1] != modrm) {
		say("this build of Bochs delivers INIT by other code than known");
		exit(1);
	}
	memcpy(&found, code + 2, sizeof(found));
	return found;
}

/* jmp *0(%rip), and the address behind it. */
static void put_jump(uint8_t *at, void *to)
{
	static const uint8_t jump[] = { 0xff, 0x25, 0, 0, 0, 0 };
	uintptr_t size = (uintptr_t)sysconf(_SC_PAGESIZE);
	void *page = (void *)((uintptr_t)at & ~(size - 1));

	if (mprotect(page, 2 * size, PROT_READ | PROT_WRITE | PROT_EXEC)) {
		say("Bochs cannot be corrected here: mprotect() failed");
		exit(1);
	}
	memcpy(at, jump, sizeof(jump));
	memcpy(at + sizeof(jump), &to, sizeof(to));
	mprotect(page, 2 * size, PROT_READ | PROT_EXEC);
}

__attribute__((constructor)) static void correct_init(void)
{
	uint8_t *init = symbol(DELIVER_INIT), *sipi = symbol(DELIVER_SIPI);

	unsetenv("LD_PRELOAD"); /* Bochs calls other programs */
	member.mask = displacement(init, 0xf6, 0x87);
	member.pending = displacement(init + 9, 0x83, 0x8f);
	member.async = displacement(init + 16, 0xc7, 0x87);
	member.activity = displacement(sipi + 9, 0x83, 0xbf);
	put_jump(init, (void *)deliver_init);
}

static void limit_reached(void *owner)
{
	exit_fn *end = (exit_fn *)symbol(EXIT);
	char text[80];

	(void)owner;
	snprintf(text, sizeof(text), "ran for %llu ticks without an end",
		 (unsigned long long)limit_ticks);
	say(text);
	end(0);
}

static void limit(uint64_t ticks)
{
	register_timer_fn *add = (register_timer_fn *)symbol(REGISTER_TIMER);
	void *system = symbol("bx_pc_system");

	limit_ticks = ticks;
	limit_timer =
		add(system, system, limit_reached, ticks, false, true, "limit");
}

/* A restored machine would call the timer of a process long gone. */
static void lift_limit(void)
{
	deactivate_timer_fn *stop =
		(deactivate_timer_fn *)symbol(DEACTIVATE_TIMER);
	unregister_timer_fn *drop =
		(unregister_timer_fn *)symbol(UNREGISTER_TIMER);
	void *system = symbol("bx_pc_system");

	if (limit_timer < 0)
		return;
	stop(system, (unsigned int)limit_timer);
	drop(system, (unsigned int)limit_timer);
	limit_timer = -1;
}

static void save(const char *dir)
{
	save_state_fn *save_state = (save_state_fn *)symbol(SAVE_STATE);
	void **sim = symbol("SIM");

	lift_limit();
	if (mkdir(dir, 0755) == 0 && save_state(*sim, dir))
		say("saved");
	else
		say("could not save");
}

char *readline(const char *prompt)
{
	static FILE *script;
	char line[256];

	(void)prompt;
	if (!script) {
		const char *name = getenv("BOCHS_SCRIPT");

		script = name ? fopen(name, "r") : NULL;
	}
	while (script && fgets(line, sizeof(line), script)) {
		line[strcspn(line, "\n")] = '\0';
		if (strncmp(line, "save ", 5) == 0)
			save(line + 5);
		else if (strncmp(line, "limit ", 6) == 0)
			limit(strtoull(line + 6, NULL, 10));
		else
			return strdup(line);
	}
	return strdup("q");
}
