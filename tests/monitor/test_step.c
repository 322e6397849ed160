/* SPDX-License-Identifier: MIT */
/*
 * The shadow-page step: what the instruction wrote is judged before any other
 * CPU can see it. Every test runs by the monitor trap flag and by RFLAGS.TF.
 */
#include <string.h>

#include "monitor/wall.h"
#include "tests/monitor/fake_kernel.h"

#define AT	 (TEXT_PHYS + 0x2468)
#define EDGE	 (TEXT_PHYS + RW_PAGE_SIZE)
#define BYTES	 8
#define NMI_INFO (INTR_VALID | INTR_TYPE_NMI | VECTOR_NMI)

static struct registers registers;
static uint64_t rip, rsp, flags;
static uint8_t old[2 * RW_PAGE_SIZE]; /* text, from TEXT_PHYS on */

static void arm(void **state, const struct sample_body *body)
{
	kernel_key = sample_key();
	machine_init();
	machine.cpus = 2;
	machine.trap_flag_fires = *state;
	memcpy(machine.boot.key[0], sample_public(kernel_key).point,
	       RW_KEY_POINT_SIZE);
	machine_start();
	assert_int_equal(this_cpu()->step_mtf, *state != NULL);
	kernel_start(0);
	kernel_arm(body);
	assert_int_equal(kernel_event().kind, RW_EVENT_POLICY_LOADED);
	*fake_vmcs(GUEST_RFLAGS) |= RFLAGS_IF;
	memset(&fake->gpr, 0x3c, sizeof(fake->gpr));
	registers = fake->gpr;
	rip = *fake_vmcs(GUEST_RIP);
	rsp = *fake_vmcs(GUEST_RSP);
	flags = *fake_vmcs(GUEST_RFLAGS);
	memcpy(old, physical(TEXT_PHYS), sizeof(old));
}

static void enforce(void **state)
{
	struct sample_body body = kernel_policy(1);

	arm(state, &body);
}

static void audit(void **state)
{
	struct sample_body body = kernel_policy(1);

	body.text.mode = body.rodata.mode = RW_MODE_AUDIT;
	body.text.action = body.rodata.action = RW_ACTION_ALLOW;
	arm(state, &body);
}

static void discard(void **state)
{
	struct sample_body body = kernel_policy(1);

	body.text.action = RW_ACTION_DISCARD;
	arm(state, &body);
}

static uint8_t *text(uint64_t gpa)
{
	return physical(gpa);
}

static void assert_text_as_it_was(void)
{
	assert_memory_equal(physical(TEXT_PHYS), old, sizeof(old));
}

/* Nothing of the step is left behind. */
static void assert_no_step(void)
{
	assert_false(this_cpu()->step.active);
	assert_int_equal(*fake_vmcs(EPT_POINTER), ept_pointer(wall_ept()));
	assert_int_equal(*fake_vmcs(EXCEPTION_BITMAP), 0);
	assert_false(*fake_vmcs(PROCESSOR_CONTROLS) & PROC_MONITOR_TRAP_FLAG);
	assert_int_equal(*fake_vmcs(GUEST_RFLAGS) & (RFLAGS_TF | RFLAGS_IF),
			 flags & (RFLAGS_TF | RFLAGS_IF));
	assert_false(guest_can(AT, EPT_W));
}

static void assert_refused(void)
{
	assert_int_equal(fake->delivered.info,
			 INTR_VALID | INTR_TYPE_EXCEPTION | INTR_ERROR_CODE |
				 VECTOR_GP);
	assert_int_equal(fake->delivered.error_code, 0);
	assert_int_equal(*fake_vmcs(GUEST_RIP), rip);
	assert_int_equal(*fake_vmcs(GUEST_RSP), rsp);
	assert_int_equal(*fake_vmcs(GUEST_RFLAGS), flags);
	assert_memory_equal(&fake->gpr, &registers, sizeof(registers));
	assert_no_step();
}

static void assert_done(void)
{
	assert_int_equal(*fake_vmcs(GUEST_RIP), rip + STORE_LENGTH);
	assert_no_step();
}

/* What an instruction with effects besides its store does. */
static void change_registers(const struct store *s)
{
	(void)s;
	fake->gpr.rax = 1;
	fake->gpr.r15 = 2;
	*fake_vmcs(GUEST_RSP) -= 8;
	*fake_vmcs(GUEST_RFLAGS) |= 1;
}

static void enforce_refuses_and_nothing_has_happened(void **state)
{
	struct store s = store_at(AT, 0xcc, BYTES);

	enforce(state);
	s.meanwhile = change_registers;
	assert_int_equal(guest_store(&s), STORE_FAULT);
	assert_refused();
	assert_text_as_it_was();
}

/* A call through a gate; or another CPU put STI or HLT in its place. */
static void change_mode(const struct store *s)
{
	change_registers(s);
	*fake_vmcs(GUEST_CS_SELECTOR) = 0x33;
	*fake_vmcs(GUEST_CS_BASE) = 0x1000;
	*fake_vmcs(GUEST_CS_LIMIT) = 0xfffff;
	*fake_vmcs(GUEST_CS_ACCESS_RIGHTS) |= 3 << 5;
	*fake_vmcs(GUEST_SS_SELECTOR) = 0x2b;
	*fake_vmcs(GUEST_SS_BASE) = 0x1000;
	*fake_vmcs(GUEST_SS_LIMIT) = 0xfffff;
	*fake_vmcs(GUEST_SS_ACCESS_RIGHTS) |= 3 << 5;
}

static void enforce_refuses_a_change_of_segments_too(void **state)
{
	static const uint32_t fields[] = {
		GUEST_CS_SELECTOR,	GUEST_CS_BASE,		GUEST_CS_LIMIT,
		GUEST_CS_ACCESS_RIGHTS, GUEST_SS_SELECTOR,	GUEST_SS_BASE,
		GUEST_SS_LIMIT,		GUEST_SS_ACCESS_RIGHTS,
	};
	struct store s = store_at(AT, 0xcc, BYTES);
	uint64_t before[8];

	enforce(state);
	for (size_t i = 0; i < 8; i++)
		before[i] = *fake_vmcs(fields[i]);
	s.meanwhile = change_mode;
	assert_int_equal(guest_store(&s), STORE_FAULT);
	assert_refused();
	for (size_t i = 0; i < 8; i++)
		assert_int_equal(*fake_vmcs(fields[i]), before[i]);
}

/* The exit that follows whatever one instruction has run. */
static void end_step(void)
{
	if (this_cpu()->step_mtf)
		machine_exit(
			&(struct vm_exit){ .reason = EXIT_MONITOR_TRAP_FLAG });
	else
		machine_exit(&(struct vm_exit){
			.reason = EXIT_EXCEPTION_NMI,
			.qualification = PENDING_DEBUG_BS,
			.info = INTR_VALID | INTR_TYPE_EXCEPTION | VECTOR_DB });
}

static void another_instruction(uint64_t activity, uint64_t blocking)
{
	struct vm_exit x = violation_exit(AT, GUEST_CODE, EPT_W);

	*fake_vmcs(GUEST_RIP) = rip;
	machine_exit(&x);
	assert_true(this_cpu()->step.active);
	*fake_vmcs(GUEST_RIP) += 1;
	*fake_vmcs(GUEST_ACTIVITY) = activity;
	*fake_vmcs(GUEST_INTERRUPTIBILITY) = blocking;
	end_step();
}

static void what_ran_in_its_place_does_not_fail_the_entry(void **state)
{
	enforce(state);
	flags &= ~RFLAGS_IF;
	*fake_vmcs(GUEST_RFLAGS) = flags;
	another_instruction(1, 0); /* HLT */
	assert_refused();
	another_instruction(ACTIVITY_ACTIVE, BLOCKING_BY_STI);
	assert_refused();
	another_instruction(ACTIVITY_ACTIVE, BLOCKING_BY_MOV_SS);
	assert_refused();
	assert_int_equal(*fake_vmcs(GUEST_INTERRUPTIBILITY), 0);
}

static void nor_does_it_where_it_passes(void **state)
{
	audit(state);
	flags &= ~RFLAGS_IF;
	*fake_vmcs(GUEST_RFLAGS) = flags;
	another_instruction(ACTIVITY_ACTIVE, BLOCKING_BY_STI);
	assert_int_equal(*fake_vmcs(GUEST_RIP), rip + 1);
	assert_no_step();
}

static void the_record_has_what_was_and_what_would_have_been(void **state)
{
	struct store s = store_at(AT, 0xcc, BYTES);
	struct rw_event e;

	enforce(state);
	text(AT)[0] = old[0x2468 % sizeof(old)] = 0xcc; /* no change there */
	guest_store(&s);
	e = kernel_event();
	assert_int_equal(e.kind, RW_EVENT_VIOLATION);
	assert_int_equal(e.verdict, RW_VERDICT_DENIED);
	assert_int_equal(e.rule_id, 1);
	assert_int_equal(e.rule_target, RW_TARGET_KERNEL_TEXT);
	assert_int_equal(e.rule_mode, RW_MODE_ENFORCE);
	assert_int_equal(e.severity, 5);
	assert_string_equal(e.rule_name, "kernel-text");
	assert_int_equal(e.gpa, AT + 1);
	assert_int_equal(e.gva, s.gva.v);
	assert_int_equal(e.size, BYTES - 1);
	assert_memory_equal(e.before, text(AT + 1), BYTES - 1);
	assert_memory_equal(e.attempted, s.bytes, BYTES - 1);
	assert_int_equal(e.rip, rip);
	assert_int_equal(e.cr3, *fake_vmcs(GUEST_CR3));
	assert_int_equal(e.cpl, 0);
	assert_int_equal(e.policy_serial, 1);
	assert_int_equal(e.valid, RW_EVENT_HAS_GPA | RW_EVENT_HAS_GVA |
					  RW_EVENT_HAS_BYTES |
					  RW_EVENT_HAS_CPU_STATE);
	assert_int_equal(kernel_status().rules[0].hits, 1);
}

static void a_record_holds_the_first_bytes_of_a_long_store(void **state)
{
	struct store s = store_at(AT, 0xee, 64);
	struct rw_event e;

	enforce(state);
	assert_int_equal(guest_store(&s), STORE_FAULT);
	e = kernel_event();
	assert_int_equal(e.size, 64);
	assert_memory_equal(e.before, text(AT), RW_EVENT_BYTES);
	assert_memory_equal(e.attempted, s.bytes, RW_EVENT_BYTES);
}

static void audit_lets_through_and_reports(void **state)
{
	struct store s = store_at(AT, 0xcc, BYTES);
	struct rw_event e;

	audit(state);
	s.meanwhile = change_registers;
	assert_int_equal(guest_store(&s), STORE_DONE);
	assert_done();
	assert_memory_equal(text(AT), s.bytes, BYTES);
	assert_int_equal(fake->gpr.rax, 1);
	assert_int_equal(*fake_vmcs(GUEST_RSP), rsp - 8);
	assert_int_equal(*fake_vmcs(GUEST_RFLAGS), flags | 1);
	e = kernel_event();
	assert_int_equal(e.kind, RW_EVENT_VIOLATION);
	assert_int_equal(e.verdict, RW_VERDICT_ALLOWED);
	assert_int_equal(e.rule_mode, RW_MODE_AUDIT);
}

static void only_the_bytes_of_the_store_change(void **state)
{
	struct store s = store_at(TEXT_PHYS + 0x123, 0xcc, 3);

	audit(state);
	guest_store(&s);
	memset(old + 0x123, 0xcc, 3);
	assert_text_as_it_was();
}

static void discard_drops_the_bytes_and_goes_on(void **state)
{
	struct store s = store_at(AT, 0xcc, BYTES);

	discard(state);
	s.meanwhile = change_registers;
	assert_int_equal(guest_store(&s), STORE_DONE);
	assert_done();
	assert_text_as_it_was();
	assert_int_equal(fake->gpr.rax, 1);
	assert_int_equal(kernel_event().verdict, RW_VERDICT_DENIED);
}

/* Other CPUs change the same word while this one steps. */
static void change_neighbours(const struct store *s)
{
	text(s->gpa[0].v)[-1] = 0x11;
	text(s->gpa[0].v)[s->size] = 0x22;
}

static void a_change_beside_the_store_is_not_undone(void **state)
{
	struct store s = store_at(TEXT_PHYS + 0x122, 0xcc, 3);

	audit(state);
	s.meanwhile = change_neighbours;
	guest_store(&s);
	memset(old + 0x122, 0xcc, 3);
	old[0x121] = 0x11;
	old[0x125] = 0x22;
	assert_text_as_it_was();
}

/* In the middle of the step of CPU 0. */
static void look_around(const struct store *s)
{
	assert_text_as_it_was();
	assert_true(guest_can(s->gpa[0].v, EPT_W));
	assert_true(guest_can(s->gpa[0].v, EPT_X));
	assert_false(guest_can(s->gpa[0].v + RW_PAGE_SIZE, EPT_W));
	assert_false(guest_can(MONITOR_START, EPT_R));
	assert_false(*fake_vmcs(GUEST_RFLAGS) & RFLAGS_IF);
	assert_int_equal(*fake_vmcs(EXCEPTION_BITMAP), 0xffffffff);
	machine_use(1);
	assert_false(guest_can(s->gpa[0].v, EPT_W));
	assert_text_as_it_was();
	machine_use(0);
}

static void nobody_else_sees_an_unjudged_byte(void **state)
{
	struct store s = store_at(TEXT_PHYS + 8, 0xcc, BYTES);

	audit(state);
	s.meanwhile = look_around;
	assert_int_equal(guest_store(&s), STORE_DONE);
	assert_done();
	assert_int_equal(this_cpu()->steps, 1);
}

static void a_store_of_the_same_bytes_is_an_attempt(void **state)
{
	struct store s = store_at(AT, 0, BYTES);
	struct rw_event e;

	enforce(state);
	memcpy(s.bytes, text(AT), BYTES);
	assert_int_equal(guest_store(&s), STORE_FAULT);
	assert_refused();
	e = kernel_event();
	assert_int_equal(e.gpa, AT);
	assert_int_equal(e.size, 0);
	assert_int_equal(e.verdict, RW_VERDICT_DENIED);
}

static void a_store_that_straddles_pages_is_judged_on_both(void **state)
{
	struct store s = store_at(EDGE - 3, 0xcc, BYTES);
	struct rw_event e[3];

	enforce(state);
	assert_int_equal(guest_store(&s), STORE_FAULT);
	assert_refused();
	assert_text_as_it_was();
	assert_int_equal(kernel_events(e, 3), 2);
	assert_int_equal(e[0].gpa, EDGE - 3);
	assert_int_equal(e[0].size, 3);
	assert_int_equal(e[1].gpa, EDGE);
	assert_int_equal(e[1].size, 5);
}

static void a_straddling_store_that_passes_is_done_on_both(void **state)
{
	struct store s = store_at(EDGE - 3, 0xcc, BYTES);

	audit(state);
	assert_int_equal(guest_store(&s), STORE_DONE);
	assert_done();
	memset(old + RW_PAGE_SIZE - 3, 0xcc, BYTES);
	assert_text_as_it_was();
}

static void a_third_protected_page_ends_the_step_unseen(void **state)
{
	struct vm_exit x;
	struct rw_event e;

	audit(state);
	for (uint64_t i = 0; i < 3; i++) {
		x = violation_exit(TEXT_PHYS + i * RW_PAGE_SIZE, GUEST_CODE,
				   EPT_W);
		assert_int_equal(this_cpu()->step.active, i > 0);
		machine_exit(&x);
	}
	assert_refused();
	assert_text_as_it_was();
	e = kernel_event();
	assert_int_equal(e.verdict, RW_VERDICT_DENIED);
	assert_int_equal(e.gpa, TEXT_PHYS + 2 * RW_PAGE_SIZE);
	assert_int_equal(e.rule_id, 1);
}

static void the_monitors_memory_in_the_same_instruction_ends_it(void **state)
{
	struct vm_exit x;
	struct rw_event e;

	audit(state);
	x = violation_exit(TEXT_PHYS, GUEST_CODE, EPT_W);
	machine_exit(&x);
	assert_true(this_cpu()->step.active);
	x = violation_exit(MONITOR_START, GUEST_CODE, EPT_R);
	machine_exit(&x);
	assert_refused();
	e = kernel_event();
	assert_int_equal(e.kind, RW_EVENT_SELF_ACCESS);
}

static void an_exception_of_the_instruction_is_the_guests(void **state)
{
	struct store s = store_at(AT, 0xcc, BYTES);

	enforce(state);
	s.exception = VECTOR_UD;
	assert_int_equal(guest_store(&s), STORE_FAULT);
	assert_exception(VECTOR_UD);
	assert_int_equal(*fake_vmcs(GUEST_RIP), rip);
	assert_int_equal(*fake_vmcs(GUEST_RFLAGS), flags);
	assert_no_step();
	assert_text_as_it_was();
}

static void a_machine_check_in_the_step_is_the_guests(void **state)
{
	struct store s = store_at(AT, 0xcc, BYTES);

	enforce(state);
	s.exception = VECTOR_MC;
	assert_int_equal(guest_store(&s), STORE_FAULT);
	assert_exception(VECTOR_MC);
	assert_no_step();
	assert_int_equal(*fake_vmcs(EXCEPTION_BITMAP), 0);
	assert_text_as_it_was();
}

/* The NMI reaches the CPU behind the entry, in front of the store. */
static void an_nmi_ends_the_step_and_the_store_is_judged_later(void **state)
{
	struct store s = store_at(AT, 0xcc, BYTES);
	struct vm_exit x;

	enforce(state);
	x = violation_exit(AT, s.gva.v, EPT_W);
	machine_exit(&x);
	assert_true(this_cpu()->step.active);
	guest_nmi();
	assert_int_equal(fake->delivered.info, NMI_INFO);
	assert_no_step();
	assert_int_equal(*fake_vmcs(GUEST_RFLAGS), flags);
	assert_text_as_it_was();
	guest_iret();
	assert_int_equal(guest_store(&s), STORE_FAULT);
	assert_refused();
	assert_text_as_it_was();
}

static void under_the_guests_own_single_step_it_gets_its_trap(void **state)
{
	struct store s = store_at(AT, 0xcc, BYTES);

	audit(state);
	flags |= RFLAGS_TF;
	*fake_vmcs(GUEST_RFLAGS) = flags;
	assert_int_equal(guest_store(&s), STORE_TRAP);
	assert_done();
	assert_memory_equal(text(AT), s.bytes, BYTES);
	assert_int_equal(*fake_vmcs(GUEST_RFLAGS), flags);
	if (!*state)
		assert_int_equal(fake->dr6, DR6_INIT | PENDING_DEBUG_BS);
}

static void a_refused_store_earns_no_trap(void **state)
{
	struct store s = store_at(AT, 0xcc, BYTES);

	enforce(state);
	flags |= RFLAGS_TF;
	*fake_vmcs(GUEST_RFLAGS) = flags;
	assert_int_equal(guest_store(&s), STORE_FAULT);
	assert_refused();
	assert_int_equal(*fake_vmcs(GUEST_PENDING_DEBUG), 0);
}

/* Both may block in front of a store; with TF they would hide its trap. */
static void blocking_by_sti_or_mov_ss_does_not_hide_the_end(void **state)
{
	static const uint64_t blocking[] = { BLOCKING_BY_STI,
					     BLOCKING_BY_MOV_SS };
	struct store s = store_at(AT, 0, BYTES);

	audit(state);
	for (size_t i = 0; i < 2; i++) {
		memset(s.bytes, 0xc0 + (int)i, BYTES);
		*fake_vmcs(GUEST_RIP) = rip;
		*fake_vmcs(GUEST_INTERRUPTIBILITY) = blocking[i];
		assert_int_equal(guest_store(&s), STORE_DONE);
		assert_done();
		assert_memory_equal(text(AT), s.bytes, BYTES);
	}
}

/* The trap of MOV SS waits for the instruction behind it. */
static void a_trap_that_mov_ss_held_back_is_not_lost(void **state)
{
	struct store s = store_at(AT, 0xcc, BYTES);

	audit(state);
	flags |= RFLAGS_TF;
	*fake_vmcs(GUEST_RFLAGS) = flags;
	*fake_vmcs(GUEST_INTERRUPTIBILITY) = BLOCKING_BY_MOV_SS;
	*fake_vmcs(GUEST_PENDING_DEBUG) = PENDING_DEBUG_BS;
	assert_int_equal(guest_store(&s), STORE_FAULT);
	assert_exception(VECTOR_DB);
	assert_int_equal(*fake_vmcs(GUEST_RIP), rip);
	assert_int_equal(guest_store(&s), STORE_TRAP);
	assert_done();
	assert_memory_equal(text(AT), s.bytes, BYTES);
}

/* Device memory is mapped on demand just when the step's view stands. */
static void grow_the_tree(const char *name, uint64_t operand)
{
	if (!strcmp(name, "VMWRITE") && operand == EXCEPTION_BITMAP &&
	    !wall_rights(gpa(9 * RW_SIZE_1G)))
		assert_int_equal(wall_fill(gpa(9 * RW_SIZE_1G)), RW_OK);
}

static void a_tree_that_changes_meanwhile_changes_nothing(void **state)
{
	struct store s = store_at(EDGE - 3, 0xcc, BYTES);

	audit(state);
	fake->before = grow_the_tree;
	assert_int_equal(guest_store(&s), STORE_DONE);
	fake->before = NULL;
	assert_done();
	memset(old + RW_PAGE_SIZE - 3, 0xcc, BYTES);
	assert_text_as_it_was();
	assert_true(wall_rights(gpa(9 * RW_SIZE_1G)));
}

/* Opened by a policy and donated by the guest, between exit and entry. */
static void take_the_page(const char *name, uint64_t operand)
{
	struct wall_change open = { gpa(TEXT_PHYS), RW_SIZE_2M, EPT_RWX };
	uint64_t generation;

	if (strcmp(name, "VMWRITE") || operand != EXCEPTION_BITMAP ||
	    !wall_rights(open.start))
		return;
	assert_int_equal(wall_apply(&open, 1, &generation), RW_OK);
	assert_int_equal(wall_take(open.start, open.size, &generation), RW_OK);
}

static void a_page_that_is_taken_meanwhile_ends_the_step(void **state)
{
	struct store s = store_at(AT, 0xcc, BYTES);

	audit(state);
	fake->before = take_the_page;
	assert_int_equal(guest_store(&s), STORE_FAULT);
	fake->before = NULL;
	assert_refused();
	assert_text_as_it_was();
}

static struct store other;

static void step_on_the_other_cpu(const struct store *s)
{
	(void)s;
	machine_use(1);
	assert_int_equal(guest_store(&other), STORE_DONE);
	machine_use(0);
	store_exits = 1;
}

static void two_cpus_step_at_once_on_one_page(void **state)
{
	struct store s = store_at(TEXT_PHYS + 0x100, 0xaa, 4);

	audit(state);
	other = store_at(TEXT_PHYS + 0x104, 0xbb, 4);
	s.meanwhile = step_on_the_other_cpu;
	assert_int_equal(guest_store(&s), STORE_DONE);
	memset(old + 0x100, 0xaa, 4);
	memset(old + 0x104, 0xbb, 4);
	assert_text_as_it_was();
}

static void a_step_takes_two_exits(void **state)
{
	struct store s = store_at(AT, 0xcc, BYTES);

	audit(state);
	guest_store(&s);
	assert_int_equal(store_exits, 2);
	guest_store(&s);
	assert_int_equal(store_exits, 2);
	assert_int_equal(this_cpu()->steps, 2);
}

#define BY(test, name, state)                       \
	{                                           \
#test name, test, NULL, NULL, state \
	}
#define BOTH(test) BY(test, ", by MTF", &old), BY(test, ", by TF", NULL)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		BOTH(enforce_refuses_and_nothing_has_happened),
		BOTH(enforce_refuses_a_change_of_segments_too),
		BOTH(what_ran_in_its_place_does_not_fail_the_entry),
		BOTH(nor_does_it_where_it_passes),
		BOTH(the_record_has_what_was_and_what_would_have_been),
		BOTH(a_record_holds_the_first_bytes_of_a_long_store),
		BOTH(audit_lets_through_and_reports),
		BOTH(only_the_bytes_of_the_store_change),
		BOTH(discard_drops_the_bytes_and_goes_on),
		BOTH(a_change_beside_the_store_is_not_undone),
		BOTH(nobody_else_sees_an_unjudged_byte),
		BOTH(a_store_of_the_same_bytes_is_an_attempt),
		BOTH(a_store_that_straddles_pages_is_judged_on_both),
		BOTH(a_straddling_store_that_passes_is_done_on_both),
		BOTH(a_third_protected_page_ends_the_step_unseen),
		BOTH(the_monitors_memory_in_the_same_instruction_ends_it),
		BOTH(an_exception_of_the_instruction_is_the_guests),
		BOTH(a_machine_check_in_the_step_is_the_guests),
		BOTH(an_nmi_ends_the_step_and_the_store_is_judged_later),
		BOTH(under_the_guests_own_single_step_it_gets_its_trap),
		BOTH(a_refused_store_earns_no_trap),
		BOTH(blocking_by_sti_or_mov_ss_does_not_hide_the_end),
		BOTH(a_trap_that_mov_ss_held_back_is_not_lost),
		BOTH(a_tree_that_changes_meanwhile_changes_nothing),
		BOTH(a_page_that_is_taken_meanwhile_ends_the_step),
		BOTH(two_cpus_step_at_once_on_one_page),
		BOTH(a_step_takes_two_exits),
	};

	return machine_run_tests(tests);
}
