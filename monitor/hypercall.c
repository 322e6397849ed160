/* SPDX-License-Identifier: MIT */
/*
 * The calls of <ringwall/hypercall.h>. Each decodes and checks its arguments
 * before anything changes; whatever is refused from outside kernel mode, is
 * unknown or points where the guest may not write leaves a record.
 */
#include <ringwall/config.h>
#include <ringwall/hypercall.h>
#include <string.h>

#include "monitor/arm.h"
#include "monitor/dump.h"
#include "monitor/enter.h"
#include "monitor/event.h"
#include "monitor/exit.h"
#include "monitor/guest.h"
#include "monitor/inject.h"
#include "monitor/leave.h"
#include "monitor/memory.h"
#include "monitor/startup.h"
#include "monitor/vmcs.h"
#include "monitor/vmx.h"
#include "monitor/wall.h"

#define CPL_SHIFT 5

typedef enum rw_error call_fn(struct pcpu *cpu, struct registers *regs);

static enum rw_error call_version(struct pcpu *cpu, struct registers *regs)
{
	(void)cpu;
	regs->rdx = RW_ABI_VERSION;
	return RW_OK;
}

/* The guest's buffer page, which it must itself be able to write. */
static void *buffer(struct pcpu *cpu, const struct registers *regs)
{
	return guest_page(cpu, 0, gpa(regs->rdi), true);
}

static enum rw_error call_status(struct pcpu *cpu, struct registers *regs)
{
	struct rw_status *to = buffer(cpu, regs);
	struct rw_status s;

	if (!to)
		return RW_E_ADDRESS;
	memset(&s, 0, sizeof(s));
	s.abi_version = RW_ABI_VERSION;
	s.cpus = enter_boot()->cpu_count;
	s.step = cpu->step_mtf ? 1 : 2;
	memcpy(s.nonce, enter_nonce(), sizeof(s.nonce));
	for (uint32_t i = 0; i < s.cpus; i++) {
		const struct pcpu *c = percpu_get(i);

		if (!c)
			continue;
		s.cpus_inside += c->state == RW_CPU_INSIDE ||
				 c->state == RW_CPU_WAIT_SIPI;
		s.hypercalls += c->exits[EXIT_VMCALL];
	}
	arm_status(&s);
	memory_status(&s);
	wall_status(&s);
	event_status(&s);
	memcpy(to, &s, sizeof(s));
	return RW_OK;
}

static enum rw_error call_cpu_status(struct pcpu *cpu, struct registers *regs)
{
	const struct pcpu *c = regs->rsi < enter_boot()->cpu_count ?
				       percpu_get((uint32_t)regs->rsi) :
				       NULL;
	struct rw_cpu_status *to;
	struct rw_cpu_status s;

	if (!c)
		return RW_E_ARGUMENT;
	to = buffer(cpu, regs);
	if (!to)
		return RW_E_ADDRESS;
	memset(&s, 0, sizeof(s));
	s.cpu = c->index;
	s.apic_id = c->apic_id;
	s.state = c->state;
	s.nmis = c->nmis;
	s.steps = c->steps;
	for (uint32_t i = 0; i < RW_EXIT_REASONS; i++) {
		s.exit[i] = c->exits[i];
		s.exits += c->exits[i];
	}
	memcpy(to, &s, sizeof(s));
	return RW_OK;
}

static enum rw_error call_sync(struct pcpu *cpu, struct registers *regs)
{
	(void)regs;
	wall_before_entry(cpu);
	wall_reclaim();
	arm_sync(cpu);
	return RW_OK;
}

static enum rw_error call_policy_begin(struct pcpu *cpu, struct registers *regs)
{
	(void)cpu;
	return arm_begin(regs->rdi);
}

static enum rw_error call_policy_put(struct pcpu *cpu, struct registers *regs)
{
	const void *page;

	if (!regs->rsi || regs->rsi > RW_PAGE_SIZE)
		return RW_E_ARGUMENT;
	page = guest_page(cpu, 0, gpa(regs->rdi), false);
	return page ? arm_put(page, regs->rsi) : RW_E_ADDRESS;
}

static enum rw_error call_policy_commit(struct pcpu *cpu,
					struct registers *regs)
{
	enum rw_error error = arm_commit(cpu);

	if (!error)
		call_sync(cpu, regs);
	regs->rdx = arm_state();
	return error;
}

static enum rw_error call_events(struct pcpu *cpu, struct registers *regs)
{
	struct rw_event *to = buffer(cpu, regs);

	if (!to)
		return RW_E_ADDRESS;
	regs->rdx = event_fetch(regs->rsi, to, RW_PAGE_SIZE / sizeof(*to));
	return RW_OK;
}

static enum rw_error call_test_alert(struct pcpu *cpu, struct registers *regs)
{
	(void)regs;
	event_notice(cpu, RW_EVENT_TEST, rdtsc(), 0);
	return RW_OK;
}

static enum rw_error call_dump(struct pcpu *cpu, struct registers *regs)
{
	uint8_t *to = buffer(cpu, regs);

	if (!to)
		return RW_E_ADDRESS;
	regs->rdx = dump_read(regs->rsi, to, RW_PAGE_SIZE);
	return RW_OK;
}

static enum rw_error call_disable(struct pcpu *cpu, struct registers *regs)
{
	uint64_t rip = vmcs_read(GUEST_RIP);
	enum rw_error error;

	(void)regs;
	if (arm_locked())
		return RW_E_LOCKED;
	skip_instruction();
	error = leave(cpu, RW_OK);
	/* Still inside: RIP goes back so that the caller's skip is right. */
	vmcs_write(GUEST_RIP, rip);
	return error;
}

static enum rw_error call_donate(struct pcpu *cpu, struct registers *regs)
{
	bool in_use = false;
	enum rw_error error = memory_donate(gpa(regs->rdi), &in_use);

	(void)cpu;
	if (!error)
		regs->rdx = in_use;
	return error;
}

static enum rw_error call_reclaim(struct pcpu *cpu, struct registers *regs)
{
	(void)cpu;
	return memory_reclaim(gpa(regs->rdi));
}

static enum rw_error call_offline(struct pcpu *cpu, struct registers *regs)
{
	if (regs->rdi > 1)
		return RW_E_ARGUMENT;
	startup_announce(cpu, regs->rdi);
	return RW_OK;
}

#ifdef CONFIG_RINGWALL_TEST_HOOKS
static void __attribute__((noinline)) smash(volatile uint8_t *at, uint32_t n)
{
	while (n--)
		*at++ = 0xee;
}

/* Pages that nobody needs, in a list through their first words. */
static void **eaten;

static enum rw_error eat_memory(const struct pcpu *cpu)
{
	void **page = NULL;

	while (!cpu->doorbell->memory_wanted && (page = page_alloc(0))) {
		*page = eaten;
		eaten = page;
	}
	return page ? RW_OK : RW_E_NO_MEMORY;
}

static enum rw_error free_eaten(void)
{
	while (eaten) {
		void **page = eaten;

		eaten = *page;
		page_free(page);
	}
	return RW_OK;
}

static enum rw_error call_test_hook(struct pcpu *cpu, struct registers *regs)
{
	volatile uint8_t victim[16];

	switch (regs->rdi) {
	case RW_TEST_EAT_MEMORY:
		return eat_memory(cpu);
	case RW_TEST_FREE_MEMORY:
		return free_eaten();
	case RW_TEST_NULL_POINTER:
		__asm__ volatile("movl $1, 8" ::: "memory");
		break;
	case RW_TEST_CHECK:
		CHECK(regs->rdi != RW_TEST_CHECK);
		break;
	case RW_TEST_STACK_SMASH:
		smash(victim, sizeof(victim) + 32);
		break;
	default:
		break;
	}
	return RW_E_ARGUMENT;
}
#endif

static call_fn *const calls[RW_HC_END - RW_HC_BASE] = {
	[RW_HC_VERSION - RW_HC_BASE] = call_version,
	[RW_HC_STATUS - RW_HC_BASE] = call_status,
	[RW_HC_CPU_STATUS - RW_HC_BASE] = call_cpu_status,
	[RW_HC_SYNC - RW_HC_BASE] = call_sync,
	[RW_HC_POLICY_BEGIN - RW_HC_BASE] = call_policy_begin,
	[RW_HC_POLICY_PUT - RW_HC_BASE] = call_policy_put,
	[RW_HC_POLICY_COMMIT - RW_HC_BASE] = call_policy_commit,
	[RW_HC_EVENTS - RW_HC_BASE] = call_events,
	[RW_HC_TEST_ALERT - RW_HC_BASE] = call_test_alert,
	[RW_HC_DUMP - RW_HC_BASE] = call_dump,
	[RW_HC_DISABLE - RW_HC_BASE] = call_disable,
	[RW_HC_DONATE - RW_HC_BASE] = call_donate,
	[RW_HC_RECLAIM - RW_HC_BASE] = call_reclaim,
	[RW_HC_OFFLINE - RW_HC_BASE] = call_offline,
#ifdef CONFIG_RINGWALL_TEST_HOOKS
	[RW_HC_TEST_HOOK - RW_HC_BASE] = call_test_hook,
#endif
};

/* From user mode VMCALL is what it is on a CPU without VMX. */
void exit_vmcall(struct pcpu *cpu)
{
	struct registers *regs = cpu->regs;
	uint64_t number = regs->rax - RW_HC_BASE;
	enum rw_error error = RW_E_UNKNOWN_CALL;

	if (vmcs_read32(GUEST_SS_ACCESS_RIGHTS) >> CPL_SHIFT & 3) {
		event_hypercall(cpu, regs->rax, RW_E_CPL);
		inject_ud();
		return;
	}
	if (number < RW_HC_END - RW_HC_BASE && calls[number])
		error = calls[number](cpu, regs);
	if (__builtin_expect(error == RW_E_UNKNOWN_CALL ||
				     error == RW_E_ADDRESS ||
				     error == RW_E_LOCKED,
			     0))
		event_hypercall(cpu, regs->rax, error);
	regs->rax = error;
	if (!skip_simply())
		skip_instruction();
}
