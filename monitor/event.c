/* SPDX-License-Identifier: MIT */
#include "monitor/event.h"

#include <ringwall/addr.h>
#include <ringwall/boot.h>
#include <ringwall/config.h>
#include <string.h>

#include "monitor/arm.h"
#include "monitor/cpu.h"
#include "monitor/percpu.h"
#include "monitor/spinlock.h"
#include "monitor/vmcs.h"
#include "monitor/vmx.h"
#include "policy/policy.h"

#define RECORDS		  CONFIG_RINGWALL_EVENT_RECORDS
#define RECENT		  32 /* distinct hits watched for repetition */
#define WINDOW_TSC	  (1ULL << 31) /* about a second */
#define COUNT_MAX	  1024	       /* the guest can hold the TSC back */
#define CPL_SHIFT	  5
#define SEVERITY_INFO	  1
#define SEVERITY_MEDIUM	  3
#define SEVERITY_HIGH	  4
#define SEVERITY_CRITICAL 5

/* A hit that was recorded, and those like it that only counted since. */
struct recent {
	struct rw_event event;
	uint64_t counted;
};

/* All under the lock. */
static struct spinlock lock;
static struct rw_event ring[RECORDS];
static uint64_t last;  /* sequence of the newest record made or lost */
static uint64_t first; /* index of the oldest record in the ring */
static uint32_t held;  /* records in the ring */
static uint64_t lost, lost_first, lost_last; /* of a loss not yet recorded */
static uint64_t acked, coalesced;
static uint8_t chain[RW_SHA256_SIZE];
static struct recent recent[RECENT];
static uint32_t recent_next;

void event_init(const uint8_t nonce[RW_SHA256_SIZE])
{
	memcpy(chain, nonce, sizeof(chain));
}

/* Numbers, chains and stores one record; false if the ring is full. */
static bool append(struct pcpu *cpu, const struct rw_event *e)
{
	uint8_t input[RW_SHA256_SIZE + sizeof(*e)];
	struct rw_event *slot;

	if (held == RECORDS)
		return false;
	slot = &ring[(first + held) % RECORDS];
	*slot = *e;
	slot->sequence = ++last;
	memset(slot->chain, 0, sizeof(slot->chain));
	memcpy(input, chain, sizeof(chain));
	memcpy(input + sizeof(chain), slot, sizeof(*slot));
	fpu_begin();
	policy_digest(input, sizeof(input), chain);
	fpu_end();
	memcpy(slot->chain, chain, sizeof(chain));
	held++;
	__atomic_store_n(&cpu->doorbell->events_last, last, __ATOMIC_RELEASE);
	return true;
}

/* Room again after a loss: the loss itself is the next record. */
static void append_loss(struct pcpu *cpu)
{
	struct rw_event e = { .kind = RW_EVENT_LOST,
			      .severity = SEVERITY_HIGH,
			      .tsc = rdtsc(),
			      .cpu = cpu->index,
			      .count = lost_last - lost_first + 1,
			      .detail = { lost_first, lost_last } };

	if (lost_first && append(cpu, &e))
		lost_first = 0;
}

static void store(struct pcpu *cpu, const struct rw_event *e)
{
	append_loss(cpu);
	if (!lost_first && append(cpu, e))
		return;
	lost_last = ++last;
	if (!lost_first)
		lost_first = lost_last;
	lost++;
}

/* What the record is about, for telling repetitions: page, MSR or call. */
static uint64_t subject(const struct rw_event *e)
{
	return e->valid & RW_EVENT_HAS_GPA ? e->gpa & RW_PAGE_MASK :
					     e->detail[0];
}

static bool users_call(const struct rw_event *e)
{
	return e->kind == RW_EVENT_HYPERCALL && e->cpl;
}

static bool same(const struct rw_event *a, const struct rw_event *b)
{
	/* User programs choose number and place: all of their calls are one. */
	if (users_call(a) && users_call(b))
		return true;
	return a->kind == b->kind && a->rule_id == b->rule_id &&
	       a->verdict == b->verdict && a->rip == b->rip &&
	       a->gva / RW_PAGE_SIZE == b->gva / RW_PAGE_SIZE &&
	       a->policy_serial == b->policy_serial &&
	       subject(a) == subject(b) &&
	       (a->kind == RW_EVENT_REGISTER || a->detail[1] == b->detail[1]);
}

/* Counted hits of an entry become one record that stands for them. */
static void flush(struct pcpu *cpu, struct recent *r)
{
	struct rw_event e = r->event;

	if (!r->counted)
		return;
	e.count = r->counted;
	r->counted = 0;
	store(cpu, &e);
}

/* True: only counted. False: recorded now, and watched from here on. */
static bool repeated(struct pcpu *cpu, const struct rw_event *e)
{
	struct recent *r;

	for (uint32_t i = 0; i < RECENT; i++) {
		r = &recent[i];
		if (!r->event.kind || !same(&r->event, e))
			continue;
		if (e->tsc - r->event.tsc < WINDOW_TSC) {
			coalesced++;
			/* Nor shall they fill the ring a count at a time. */
			if (++r->counted >= COUNT_MAX && !users_call(e))
				flush(cpu, r);
			return true;
		}
		flush(cpu, r);
		r->event = *e;
		return false;
	}
	r = &recent[recent_next++ % RECENT];
	flush(cpu, r);
	r->event = *e;
	return false;
}

static void fill(struct pcpu *cpu, struct rw_event *e)
{
	e->tsc = rdtsc();
	e->cpu = cpu->index;
	e->count = 1;
	e->policy_serial = arm_serial();
	if (!cpu->vmx)
		return;
	e->rip = vmcs_read(GUEST_RIP);
	e->cr3 = vmcs_read(GUEST_CR3);
	e->cpl = vmcs_read32(GUEST_SS_ACCESS_RIGHTS) >> CPL_SHIFT & 3;
	e->valid |= RW_EVENT_HAS_CPU_STATE;
}

void event_record(struct pcpu *cpu, struct rw_event *e)
{
	fill(cpu, e);
	spin_lock(&lock);
	if (!repeated(cpu, e))
		store(cpu, e);
	spin_unlock(&lock);
}

void event_register(struct pcpu *cpu, uint32_t msr, uint64_t value)
{
	struct rw_event e = { .kind = RW_EVENT_REGISTER,
			      .verdict = RW_VERDICT_DENIED,
			      .severity = SEVERITY_HIGH,
			      .detail = { msr, value } };

	event_record(cpu, &e);
}

void event_hypercall(struct pcpu *cpu, uint64_t number, enum rw_error error)
{
	struct rw_event e = { .kind = RW_EVENT_HYPERCALL,
			      .verdict = RW_VERDICT_DENIED,
			      .severity = SEVERITY_MEDIUM,
			      .detail = { number, error } };

	event_record(cpu, &e);
}

void event_notice(struct pcpu *cpu, enum rw_event_kind kind, uint64_t detail0,
		  uint64_t detail1)
{
	struct rw_event e = { .kind = kind,
			      .severity = SEVERITY_INFO,
			      .detail = { detail0, detail1 } };

	if (kind == RW_EVENT_POLICY_REFUSED) {
		e.severity = SEVERITY_HIGH;
		e.verdict = RW_VERDICT_DENIED;
	}
	event_record(cpu, &e);
}

void event_monitor_fault(struct pcpu *cpu)
{
	struct rw_event e = { .kind = RW_EVENT_MONITOR_FAULT,
			      .severity = SEVERITY_CRITICAL };

	if (!cpu->vmx || !spin_trylock(&lock))
		return;
	fill(cpu, &e);
	store(cpu, &e);
	spin_unlock(&lock);
}

/* Summaries whose window is over; under the lock. */
static void flush_old(struct pcpu *cpu)
{
	uint64_t now = rdtsc();

	for (uint32_t i = 0; i < RECENT; i++)
		if (now - recent[i].event.tsc >= WINDOW_TSC)
			flush(cpu, &recent[i]);
	append_loss(cpu);
}

uint32_t event_fetch(uint64_t after, struct rw_event *to, uint32_t max)
{
	struct pcpu *cpu = this_cpu();
	uint32_t n;

	spin_lock(&lock);
	while (held && ring[first % RECORDS].sequence <= after) {
		acked = ring[first % RECORDS].sequence;
		first++;
		held--;
	}
	flush_old(cpu);
	for (n = 0; n < max && n < held; n++)
		to[n] = ring[(first + n) % RECORDS];
	spin_unlock(&lock);
	return n;
}

void event_status(struct rw_status *ret)
{
	spin_lock(&lock);
	flush_old(this_cpu());
	ret->events_last = last;
	ret->events_acked = acked;
	ret->events_lost = lost;
	ret->events_coalesced = coalesced;
	ret->events_ring = RECORDS;
	memcpy(ret->events_chain, chain, sizeof(ret->events_chain));
	spin_unlock(&lock);
}
