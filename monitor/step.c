/* SPDX-License-Identifier: MIT */
#include "monitor/step.h"

#include <string.h>

#include "monitor/arm.h"
#include "monitor/guest.h"
#include "monitor/inject.h"
#include "monitor/memory.h"
#include "monitor/nmi.h"
#include "monitor/panic.h"
#include "monitor/percpu.h"
#include "monitor/violation.h"
#include "monitor/vmcs.h"
#include "monitor/vmx.h"
#include "monitor/wall.h"

#define INVEPT_SINGLE		1
#define ALL_EXCEPTIONS		0xffffffffU
#define CPL_SHIFT		5
#define BLOCKING_BY_INSTRUCTION (BLOCKING_BY_STI | BLOCKING_BY_MOV_SS)
#define WORDS			(RW_PAGE_SIZE / sizeof(uint64_t))
#define HELD_FLAGS		(RFLAGS_TF | RFLAGS_IF)
#define SS			1 /* in struct step */
#define RIGHTS			2

/* Leads page number i of the step to its scratch copy, for this CPU only. */
static bool shadow(struct pcpu *cpu, uint32_t i)
{
	gpa_t page = cpu->step.page[i];

	return !ept_view_replace(&cpu->view, page,
				 page_hpa(cpu->step.scratch[i]),
				 EPT_R | EPT_W | (wall_rights(page) & EPT_X));
}

static bool add_page(struct pcpu *cpu, gpa_t at)
{
	struct step *s = &cpu->step;
	gpa_t page = gpa(at.v & RW_PAGE_MASK);
	const void *real;

	if (s->pages == STEP_PAGES)
		return false;
	real = guest_page(cpu, 0, page, false);
	if (!real)
		return false;
	memcpy(s->original[s->pages], real, RW_PAGE_SIZE);
	memcpy(s->scratch[s->pages], s->original[s->pages], RW_PAGE_SIZE);
	s->page[s->pages] = page;
	if (!shadow(cpu, s->pages))
		return false;
	s->pages++;
	return true;
}

static void use_view(struct pcpu *cpu)
{
	uint64_t eptp = ept_view_pointer(&cpu->view);

	vmcs_write64(EPT_POINTER, eptp);
	CHECK(!invept(INVEPT_SINGLE, eptp));
}

/*
 * One instruction and nothing else: no interrupt, every exception to us, and
 * the trap flag that works here. With RFLAGS.TF, blocking by MOV SS would hide
 * the #DB, so it goes; the instruction after it is the one being stepped.
 */
static void arm_trap(struct pcpu *cpu)
{
	struct step *s = &cpu->step;
	uint64_t flags = s->rflags & ~RFLAGS_IF;

	vmcs_write32(EXCEPTION_BITMAP, ALL_EXCEPTIONS);
	vmcs_write32(GUEST_INTERRUPTIBILITY,
		     (uint32_t)(s->interruptibility &
				~BLOCKING_BY_INSTRUCTION));
	if (cpu->step_mtf)
		nmi_set_controls(cpu, cpu->processor_controls |
					      (uint32_t)PROC_MONITOR_TRAP_FLAG);
	else
		flags |= RFLAGS_TF;
	vmcs_write(GUEST_RFLAGS, flags);
}

/* Of CS; those of SS follow. */
static const uint32_t segment_parts[4] = { GUEST_CS_SELECTOR, GUEST_CS_LIMIT,
					   GUEST_CS_ACCESS_RIGHTS,
					   GUEST_CS_BASE };

static void save_segments(struct step *s)
{
	for (uint32_t i = 0; i < 8; i++)
		s->segment[i / 4][i % 4] =
			vmcs_get(segment_parts[i % 4] + 2 * (i / 4));
}

/*
 * Everything as it is without a step; the guest's own TF and IF come back. If
 * IF was off, blocking by an STI that ran instead would fail the entry.
 */
static void disarm(struct pcpu *cpu)
{
	struct step *s = &cpu->step;
	uint64_t flags = vmcs_read(GUEST_RFLAGS);

	s->active = false;
	vmcs_write64(EPT_POINTER, ept_pointer(wall_ept()));
	/*
	 * Nothing may remember the scratch pages, which hold others next time.
	 * CPUs tag what they remember with the EPTP; Bochs does not.
	 */
	CHECK(!invept(INVEPT_SINGLE, ept_view_pointer(&cpu->view)));
	vmcs_write32(EXCEPTION_BITMAP, 0);
	vmcs_write32(GUEST_INTERRUPTIBILITY,
		     vmcs_read32(GUEST_INTERRUPTIBILITY) &
			     ~(uint32_t)BLOCKING_BY_INSTRUCTION);
	vmcs_write(GUEST_RFLAGS,
		   (flags & ~HELD_FLAGS) | (s->rflags & HELD_FLAGS));
	if (cpu->step_mtf)
		nmi_set_controls(cpu,
				 cpu->processor_controls &
					 ~(uint32_t)PROC_MONITOR_TRAP_FLAG);
}

void step_rebuild(struct pcpu *cpu)
{
	ept_view_begin(&cpu->view);
	for (uint32_t i = 0; i < cpu->step.pages; i++) {
		/* No longer the guest's: the write traps again and says so. */
		if (!shadow(cpu, i)) {
			disarm(cpu);
			return;
		}
	}
	use_view(cpu);
}

bool step_begin(struct pcpu *cpu, gpa_t at, gva_t linear, bool linear_valid)
{
	struct step *s = &cpu->step;

	s->pages = 0;
	s->gpa = at;
	s->gva = linear;
	s->gva_valid = linear_valid;
	ept_view_begin(&cpu->view);
	if (!add_page(cpu, at))
		return false;
	memcpy(s->saved, cpu->regs, sizeof(s->saved));
	s->rip = vmcs_read(GUEST_RIP);
	s->rsp = vmcs_read(GUEST_RSP);
	s->rflags = vmcs_read(GUEST_RFLAGS);
	s->interruptibility = vmcs_read32(GUEST_INTERRUPTIBILITY);
	save_segments(s);
	s->active = true;
	cpu->steps++;
	use_view(cpu);
	arm_trap(cpu);
	return true;
}

/* Finds what changed on page number i; false if nothing. */
static bool compare(const struct step *s, uint32_t i, struct guest_write *w)
{
	const uint8_t *old = s->original[i], *new = s->scratch[i];
	const uint64_t *old_words = s->original[i], *new_words = s->scratch[i];
	uint32_t first = 0, last = RW_PAGE_SIZE;
	uint32_t n;

	while (first < RW_PAGE_SIZE &&
	       old_words[first / 8] == new_words[first / 8])
		first += 8;
	if (first == RW_PAGE_SIZE)
		return false;
	while (old_words[last / 8 - 1] == new_words[last / 8 - 1])
		last -= 8;
	while (old[first] == new[first])
		first++;
	while (old[last - 1] == new[last - 1])
		last--;
	w->gpa = gpa(s->page[i].v + first);
	w->size = last - first;
	n = w->size < RW_EVENT_BYTES ? w->size : RW_EVENT_BYTES;
	memcpy(w->before, old + first, n);
	memcpy(w->attempted, new + first, n);
	return true;
}

/*
 * Makes the changed bytes real, a word at a time, without undoing what another
 * CPU commits to its neighbours meanwhile.
 */
static void commit(struct pcpu *cpu, uint32_t i)
{
	const struct step *s = &cpu->step;
	const uint64_t *old = s->original[i], *new = s->scratch[i];
	uint64_t *real = window_map(cpu, 0, hpa_of_gpa(s->page[i]), true);

	for (uint32_t n = 0; n < WORDS; n++) {
		uint64_t mask = 0, now;

		if (old[n] == new[n])
			continue;
		for (unsigned int b = 0; b < 64; b += 8)
			if ((old[n] ^ new[n]) >> b & 0xff)
				mask |= 0xffULL << b;
		now = __atomic_load_n(&real[n], __ATOMIC_RELAXED);
		while (!__atomic_compare_exchange_n(
			&real[n], &now, (now & ~mask) | (new[n] & mask), false,
			__ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
			continue;
	}
}

static void describe(const struct step *s, struct guest_write *w)
{
	memset(w, 0, sizeof(*w));
	w->gpa = s->gpa;
	w->gva = s->gva;
	w->gva_valid = s->gva_valid;
	w->rip = s->rip;
	w->cr3 = vmcs_read(GUEST_CR3);
	w->cpl = s->segment[SS][RIGHTS] >> CPL_SHIFT & 3;
	w->interrupts_on = s->rflags & RFLAGS_IF;
}

/* Judges every page that changed, or the bare attempt if none did. */
static bool judge(struct pcpu *cpu, enum rw_rule_action *ret_action)
{
	const struct step *s = &cpu->step;
	struct guest_write w[STEP_PAGES];
	uint32_t n = 0;

	for (uint32_t i = 0; i < s->pages; i++) {
		describe(s, &w[n]);
		n += compare(s, i, &w[n]);
	}
	return violation_judge(cpu, w, n ? n : 1, ret_action);
}

/* Debug traps that the instruction itself earned, or the guest's own TF. */
static void debug_traps(const struct pcpu *cpu, uint64_t hits)
{
	uint64_t dr6 = hits & DEBUG_HITS;

	if (cpu->step_mtf)
		return; /* the CPU keeps them pending */
	if (cpu->step.rflags & RFLAGS_TF)
		dr6 |= PENDING_DEBUG_BS;
	if (dr6)
		inject_db(dr6);
}

/*
 * The instruction has not happened: all that one may change which writes to
 * memory, and what would fail the entry if another ran in its place.
 */
static void undo(struct pcpu *cpu)
{
	struct step *s = &cpu->step;

	memcpy(cpu->regs, s->saved, sizeof(s->saved));
	vmcs_write(GUEST_RSP, s->rsp);
	vmcs_write(GUEST_RFLAGS, s->rflags);
	vmcs_write(GUEST_PENDING_DEBUG, 0);
	vmcs_write32(GUEST_INTERRUPTIBILITY,
		     (uint32_t)(s->interruptibility &
				~BLOCKING_BY_INSTRUCTION));
	vmcs_write32(GUEST_ACTIVITY, ACTIVITY_ACTIVE);
	for (uint32_t i = 0; i < 8; i++)
		vmcs_set(segment_parts[i % 4] + 2 * (i / 4),
			 s->segment[i / 4][i % 4]);
}

static void complete(struct pcpu *cpu, uint64_t hits)
{
	struct step *s = &cpu->step;
	uint64_t behind = vmcs_read(GUEST_RIP);
	enum rw_rule_action action = RW_ACTION_FAULT;
	bool allowed;

	disarm(cpu);
	vmcs_write(GUEST_RIP, s->rip); /* where the record says it was */
	allowed = judge(cpu, &action);
	for (uint32_t i = 0; allowed && i < s->pages; i++)
		commit(cpu, i);
	if (allowed || action == RW_ACTION_DISCARD) {
		vmcs_write(GUEST_RIP, behind);
		debug_traps(cpu, hits);
		return;
	}
	undo(cpu);
	inject_gp();
}

/* The same instruction writes a second protected page. */
static bool second_page(struct pcpu *cpu)
{
	uint64_t q = vmcs_read(EXIT_QUALIFICATION);
	gpa_t at = gpa(vmcs_read64(GUEST_PHYSICAL_ADDRESS));
	uint64_t rights = wall_rights(at);
	struct rw_policy_rule rule;

	if (!(q & EPT_QUAL_WRITE) || !(rights & EPT_R) || (rights & EPT_W) ||
	    !wall_is_ram(at))
		return false;
	if (!(vmcs_read32(IDT_VECTORING_INFO) & INTR_VALID) &&
	    arm_rule(at, &rule) && add_page(cpu, at)) {
		use_view(cpu);
		return true;
	}
	disarm(cpu);
	violation_refuse(cpu, at, q);
	return true;
}

bool step_exit(struct pcpu *cpu, uint32_t reason)
{
	uint32_t info;

	switch (reason) {
	case EXIT_MONITOR_TRAP_FLAG:
		complete(cpu, 0);
		return true;
	case EXIT_EXCEPTION_NMI:
		info = vmcs_read32(EXIT_INTERRUPTION_INFO);
		if ((info & (INTR_TYPE_MASK | INTR_VECTOR_MASK)) ==
			    (INTR_TYPE_EXCEPTION | VECTOR_DB) &&
		    !cpu->step_mtf &&
		    (vmcs_read(EXIT_QUALIFICATION) & PENDING_DEBUG_BS)) {
			complete(cpu, vmcs_read(EXIT_QUALIFICATION));
			return true;
		}
		break;
	case EXIT_EPT_VIOLATION:
		if (second_page(cpu))
			return true;
		break;
	default:
		break;
	}
	disarm(cpu);
	return false;
}
