/* SPDX-License-Identifier: MIT */
#include "monitor/panic.h"

#include <string.h>

#include "monitor/event.h"
#include "monitor/fault.h"
#include "monitor/log.h"
#include "monitor/trace.h"
#include "monitor/vmx.h"
#include "monitor/vmcs.h"
#include "monitor/wall.h"

#define PANIC_RECORDS 4
#define VECTOR_NONE   0xffffffffu

static struct rw_panic record[PANIC_RECORDS];
static uint32_t records; /* atomic */

uint32_t panic_records(const struct rw_panic **ret)
{
	uint32_t n = __atomic_load_n(&records, __ATOMIC_ACQUIRE);

	*ret = record;
	return n < PANIC_RECORDS ? n : PANIC_RECORDS;
}

/*
 * Follows frame pointers as long as they stay on this CPU's stacks. The first
 * frame saves the guest's RBP, which leads nowhere: all beyond is the registers.
 */
static uint32_t backtrace(const struct pcpu *cpu, uint64_t rbp,
			  uint64_t ret[RW_BACKTRACE])
{
	uint64_t low = (uint64_t)cpu + RW_PAGE_SIZE;
	uint64_t high = (uint64_t)cpu + PERCPU_STACK;
	uint32_t n = 0;

	while (n < RW_BACKTRACE && rbp >= low && rbp <= high - 16 &&
	       !(rbp & 7)) {
		const uint64_t *frame = (const uint64_t *)rbp;

		ret[n++] = frame[1];
		if (frame[0] <= rbp)
			break;
		rbp = frame[0];
	}
	return n;
}

static void read_guest(struct rw_panic *p)
{
	uint64_t v = 0;

	if (!vmread(GUEST_RIP, &v))
		p->guest_rip = v;
	if (!vmread(GUEST_RSP, &v))
		p->guest_rsp = v;
	if (!vmread(GUEST_CR3, &v))
		p->guest_cr3 = v;
	if (!vmread(EXIT_REASON, &v))
		p->exit_reason = (uint32_t)v;
	if (!vmread(EXIT_QUALIFICATION, &v))
		p->exit_qualification = v;
}

/* Fills the next free record; when all are used the first ones are kept. */
static void __attribute__((noreturn))
stop(struct rw_panic *p, uint64_t rbp, const char *message)
{
	struct pcpu *cpu = this_cpu();
	uint32_t n;

	p->cpu = cpu->index;
	p->cr2 = read_cr2();
	p->cr3 = read_cr3();
	if (cpu->vmx)
		read_guest(p);
	p->backtrace_count = backtrace(cpu, rbp, p->backtrace);
	for (n = 0; n < sizeof(p->message) - 1 && message[n]; n++)
		p->message[n] = message[n];

	cpu->state = RW_CPU_STOPPED;
	log_line("panic on CPU %u: %s, rip %x", (uint64_t)cpu->index, message,
		 p->rip);
	trace_log();
	n = __atomic_load_n(&records, __ATOMIC_RELAXED);
	while (n < PANIC_RECORDS &&
	       !__atomic_compare_exchange_n(&records, &n, n + 1, false,
					    __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
		continue;
	if (n < PANIC_RECORDS)
		record[n] = *p;
	event_monitor_fault(cpu);
	if (cpu->vmx)
		wall_park(cpu); /* nobody has to wait for it */
	halt_forever();
}

void panic(const char *message)
{
	static struct rw_panic p; /* a race spoils a record, nothing else */

	memset(&p, 0, sizeof(p));
	p.vector = VECTOR_NONE;
	p.rip = (uint64_t)__builtin_return_address(0);
	p.rsp = (uint64_t)__builtin_frame_address(0);
	p.rflags = read_rflags();
	stop(&p, (uint64_t)__builtin_frame_address(0), message);
}

void panic_fault(const struct fault_frame *f)
{
	static struct rw_panic p;

	memset(&p, 0, sizeof(p));
	p.vector = (uint32_t)f->vector;
	p.error_code = f->error_code;
	p.rip = f->rip;
	p.rsp = f->rsp;
	p.rflags = f->rflags;
	memcpy(p.gpr,
	       ((const uint64_t[]){ f->rax, f->rbx, f->rcx, f->rdx, f->rsi,
				    f->rdi, f->rbp, f->r8, f->r9, f->r10,
				    f->r11, f->r12, f->r13, f->r14, f->r15 }),
	       sizeof(p.gpr));
	stop(&p, f->rbp, "exception in VMX root");
}
