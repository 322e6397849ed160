/* SPDX-License-Identifier: MIT */
/* EPT violations: what they are, and what becomes of them. */
#include <string.h>

#include "monitor/memory.h"
#include "monitor/wall.h"
#include "tests/monitor/fake_kernel.h"

#define AT	  (TEXT_PHYS + 0x2468)
#define EDGE	  (TEXT_PHYS + RW_PAGE_SIZE)
#define POKE_AT	  0x55555a5a1468ULL /* where text_poke maps the page */
#define INTERRUPT (INTR_VALID | INTR_TYPE_EXTERNAL | 0x30)
#define BYTES	  8

static uint64_t rip;

static void arm(const struct sample_body *body)
{
	kernel_boot(1, 0);
	kernel_arm(body);
	assert_int_equal(kernel_event().kind, RW_EVENT_POLICY_LOADED);
	rip = *fake_vmcs(GUEST_RIP);
}

static void enforce(void)
{
	struct sample_body body = kernel_policy(1);

	arm(&body);
}

/* Text may be patched by text_poke; by others it is enforced. */
static void enforce_but_text_poke(void)
{
	struct sample_body body = kernel_policy(1);

	body.text.flags = RW_RULE_TEXT_POKE;
	arm(&body);
}

static struct rw_event access_refused(uint64_t gpa, uint64_t access)
{
	struct vm_exit x =
		violation_exit(gpa, 0xffff888000000000 + gpa, access);
	struct rw_event e;

	assert_false(guest_can(gpa, access));
	machine_exit(&x);
	assert_exception(VECTOR_GP);
	assert_int_equal(*fake_vmcs(GUEST_RIP), rip);
	assert_false(this_cpu()->step.active);
	e = kernel_event();
	assert_int_equal(e.verdict, RW_VERDICT_DENIED);
	assert_int_equal(e.gpa, gpa);
	assert_int_equal(e.gva, 0xffff888000000000 + gpa);
	assert_int_equal(e.valid & RW_EVENT_HAS_GVA, RW_EVENT_HAS_GVA);
	return e;
}

static void
the_monitors_memory_can_be_neither_read_nor_written_nor_run(void **s)
{
	static const uint64_t how[] = { EPT_R, EPT_W, EPT_X };
	static const uint64_t where[] = { MONITOR_START, MONITOR_START + 0x5008,
					  MONITOR_START + MONITOR_SIZE - 1 };

	(void)s;
	enforce();
	for (size_t i = 0; i < 3; i++) {
		struct rw_event e = access_refused(where[i], how[i]);

		assert_int_equal(e.kind, RW_EVENT_SELF_ACCESS);
		assert_int_equal(e.severity, 5);
		assert_int_equal(e.detail[0], how[i]);
		assert_int_equal(e.rule_id, 0);
	}
}

static void no_page_of_the_monitor_is_reachable(void **state)
{
	(void)state;
	enforce();
	for (uint64_t at = MONITOR_START; at < MONITOR_START + MONITOR_SIZE;
	     at += RW_PAGE_SIZE)
		assert_int_equal(wall_rights(gpa(at)), 0);
	assert_int_equal(wall_rights(gpa(MONITOR_START - 0x2000)), EPT_RWX);
	assert_int_equal(wall_rights(gpa(MONITOR_START + MONITOR_SIZE)),
			 EPT_RWX);
}

static void the_doorbell_can_be_read_and_a_write_is_recorded(void **state)
{
	struct store s = store_at(DOORBELL, 0xff, BYTES);
	struct rw_event e;
	uint64_t before;

	(void)state;
	enforce();
	assert_true(guest_can(DOORBELL, EPT_R));
	memcpy(&before, physical(DOORBELL), sizeof(before));
	assert_int_equal(guest_store(&s), STORE_FAULT);
	assert_exception(VECTOR_GP);
	e = kernel_event();
	assert_int_equal(e.kind, RW_EVENT_SELF_ACCESS);
	assert_int_equal(e.gpa, DOORBELL);
	assert_int_equal(((uint8_t *)physical(DOORBELL))[7], 0);
}

/* Under audit the first page would pass; the second is the monitor's. */
static void a_store_from_text_into_the_doorbell_is_refused(void **state)
{
	struct sample_body body = kernel_policy(1);
	struct store s = store_at(EDGE - 4, 0xff, BYTES);
	uint8_t before[4];
	struct rw_event e;

	(void)state;
	body.text.mode = RW_MODE_AUDIT;
	body.text.action = RW_ACTION_ALLOW;
	arm(&body);
	memcpy(before, physical(EDGE - 4), sizeof(before));
	s.gpa[1] = gpa(DOORBELL);
	assert_int_equal(guest_store(&s), STORE_FAULT);
	assert_exception(VECTOR_GP);
	assert_memory_equal(before, physical(EDGE - 4), sizeof(before));
	e = kernel_event();
	assert_int_equal(e.kind, RW_EVENT_SELF_ACCESS);
	assert_int_equal(e.gpa, DOORBELL);
}

static void assert_straddling_store_faults(uint64_t from, uint64_t to)
{
	struct store s = store_at(from + RW_PAGE_SIZE - 3, 0xcc, BYTES);
	uint8_t before[2][BYTES];

	memcpy(before[0], physical(s.gpa[0].v), 3);
	memcpy(before[1], physical(to), BYTES);
	s.gpa[1] = gpa(to);
	assert_int_equal(guest_store(&s), STORE_FAULT);
	assert_exception(VECTOR_GP);
	assert_int_equal(*fake_vmcs(GUEST_RIP), rip);
	assert_memory_equal(before[0], physical(s.gpa[0].v), 3);
	assert_memory_equal(before[1], physical(to), BYTES);
}

/* Text would allow it, rodata does not, and no record says it happened. */
static void one_page_that_refuses_keeps_the_other(void **state)
{
	struct sample_body body = kernel_policy(1);
	struct rw_event e[3];

	(void)state;
	body.text.mode = RW_MODE_AUDIT;
	body.text.action = RW_ACTION_ALLOW;
	arm(&body);
	assert_straddling_store_faults(TEXT_PHYS, RODATA_PHYS);
	assert_int_equal(kernel_events(e, 3), 2);
	assert_int_equal(e[0].rule_mode, RW_MODE_AUDIT);
	assert_int_equal(e[0].verdict, RW_VERDICT_DENIED);
	assert_int_equal(e[1].verdict, RW_VERDICT_DENIED);
}

/* Whichever page comes first. */
static void fault_wins_over_discard(void **state)
{
	struct sample_body body = kernel_policy(1);

	(void)state;
	body.rodata.action = RW_ACTION_DISCARD;
	arm(&body);
	assert_straddling_store_faults(TEXT_PHYS, RODATA_PHYS);
	assert_straddling_store_faults(RODATA_PHYS, TEXT_PHYS);
}

static void protected_memory_can_be_read_and_run(void **state)
{
	(void)state;
	enforce();
	assert_true(guest_can(AT, EPT_R));
	assert_true(guest_can(AT, EPT_X));
	assert_false(guest_can(AT, EPT_W));
	assert_true(guest_can(TEXT_PHYS - 1, EPT_W));
	assert_true(guest_can(TEXT_PHYS + KERNEL_TEXT_SIZE, EPT_W));
	assert_false(guest_can(TEXT_PHYS + KERNEL_TEXT_SIZE - 1, EPT_W));
	assert_false(guest_can(RODATA_PHYS, EPT_W));
	assert_true(guest_can(DATA_PHYS, EPT_W));
}

static void a_write_while_an_event_is_delivered_is_refused_unseen(void **state)
{
	struct vm_exit x;
	struct rw_event e;

	(void)state;
	enforce();
	x = violation_exit(AT, 0xffffffff81002468, EPT_W);
	x.vectoring = INTERRUPT;
	machine_exit(&x);
	assert_exception(VECTOR_GP);
	assert_false(this_cpu()->step.active);
	e = kernel_event();
	assert_int_equal(e.kind, RW_EVENT_VIOLATION);
	assert_int_equal(e.rule_id, 1);
	assert_int_equal(e.size, 0);
	assert_int_equal(kernel_status().rules[0].hits, 1);
}

static void without_a_linear_address_none_is_reported(void **state)
{
	struct vm_exit x;
	struct rw_event e;

	(void)state;
	enforce();
	x = violation_exit(MONITOR_START, 0x1234, EPT_R);
	x.qualification &= ~EPT_QUAL_GLA_VALID;
	machine_exit(&x);
	e = kernel_event();
	assert_int_equal(e.valid & RW_EVENT_HAS_GVA, 0);
	assert_int_equal(e.gva, 0);
}

static void what_was_opened_meanwhile_is_tried_again(void **state)
{
	struct store s = store_at(0x5000, 0x11, BYTES);
	struct vm_exit x;

	(void)state;
	enforce();
	x = violation_exit(s.gpa[0].v, 0, EPT_W);
	machine_exit(&x);
	assert_skipped(rip, 0);
	assert_int_equal(guest_store(&s), STORE_DONE);
	assert_int_equal(store_exits, 0);
}

static void a_device_above_memory_is_mapped_when_it_is_first_used(void **state)
{
	uint64_t bar = 9 * RW_SIZE_1G + 0x123000;
	struct rw_event none;
	struct vm_exit x;

	(void)state;
	enforce();
	assert_false(guest_can(bar, EPT_R));
	x = violation_exit(bar, 0, EPT_R);
	machine_exit(&x);
	assert_skipped(rip, 0);
	assert_true(guest_can(bar, EPT_R));
	assert_true(guest_can(bar + 0x10000, EPT_W));
	assert_false(guest_can(bar + RW_SIZE_1G, EPT_R));
	assert_int_equal(kernel_events(&none, 1), 0);
}

/* The other CPU keeps what was replaced in use, until the reserve is gone. */
static void no_memory_to_map_a_device_is_no_attack(void **state)
{
	uint64_t bar = 9 * RW_SIZE_1G;
	struct rw_event none;
	struct vm_exit x;

	(void)state;
	kernel_boot(2, 0);
	rip = *fake_vmcs(GUEST_RIP);
	while (page_alloc(0))
		continue;
	while (wall_fill(gpa(bar)) == RW_OK)
		bar += RW_SIZE_1G;
	x = violation_exit(bar, 0, EPT_R);
	machine_exit(&x);
	assert_exception(VECTOR_GP);
	assert_int_equal(kernel_events(&none, 1), 0);
	/* What is the monitor's is told apart without memory. */
	assert_int_equal(access_refused(MONITOR_START, EPT_R).kind,
			 RW_EVENT_SELF_ACCESS);
}

static void an_address_beyond_the_width_is_refused(void **state)
{
	(void)state;
	enforce();
	assert_int_equal(access_refused(1ULL << FAKE_WIDTH, EPT_R).kind,
			 RW_EVENT_SELF_ACCESS);
}

/* The rule went with a new policy while the write was on its way. */
static void a_write_that_a_new_policy_allows_is_tried_again(void **state)
{
	struct sample_body body = kernel_policy(1);
	struct store s = store_at(RODATA_PHYS, 0x11, BYTES);
	struct vm_exit x;

	(void)state;
	arm(&body);
	x = violation_exit(RODATA_PHYS, 0, EPT_W);
	body.header.serial = 2;
	body.header.record_count = 2;
	body.header.total_size -= sizeof(body.rodata);
	assert_int_equal(kernel_load_some(&body, body.header.total_size),
			 RW_OK);
	machine_exit(&x);
	assert_skipped(rip, 0);
	assert_int_equal(guest_store(&s), STORE_DONE);
}

static struct store poke(void)
{
	struct store s = store_at(AT, 0xe8, 5);

	s.gva = gva(POKE_AT);
	return s;
}

static void text_poke_passes_where_the_policy_says_so(void **state)
{
	struct store s = poke();
	struct rw_event e;

	(void)state;
	enforce_but_text_poke();
	assert_int_equal(guest_store(&s), STORE_DONE);
	assert_memory_equal(physical(AT), s.bytes, 5);
	e = kernel_event();
	assert_int_equal(e.kind, RW_EVENT_PATCH);
	assert_int_equal(e.verdict, RW_VERDICT_ALLOWED);
	assert_int_equal(e.severity, 1);
	assert_int_equal(e.gpa, AT);
	assert_int_equal(e.size, 5);
	assert_int_equal(kernel_status().rules[0].hits, 0);
}

static void text_poke_is_refused_where_it_does_not(void **state)
{
	struct store s = poke();

	(void)state;
	enforce();
	assert_int_equal(guest_store(&s), STORE_FAULT);
	assert_int_equal(kernel_event().kind, RW_EVENT_VIOLATION);
}

static void assert_no_poke(const struct store *s)
{
	uint8_t before[5];

	memcpy(before, physical(s->gpa[0].v), sizeof(before));
	assert_int_equal(guest_store(s), STORE_FAULT);
	assert_memory_equal(before, physical(s->gpa[0].v), sizeof(before));
	assert_int_equal(kernel_event().kind, RW_EVENT_VIOLATION);
}

static void what_does_not_look_like_text_poke_is_refused(void **state)
{
	struct store s = poke();
	struct vm_exit x;

	(void)state;
	enforce_but_text_poke();
	*fake_vmcs(GUEST_RFLAGS) |= RFLAGS_IF;
	assert_no_poke(&s);
	*fake_vmcs(GUEST_RFLAGS) &= ~RFLAGS_IF;

	s.gva = gva(0xffff888000000000 + AT); /* the direct map */
	fake->tsc += 1ULL << 32;
	assert_no_poke(&s);

	s = poke();
	*fake_vmcs(GUEST_RIP) = KERNEL_TEXT + KERNEL_TEXT_SIZE; /* a module */
	assert_no_poke(&s);
	*fake_vmcs(GUEST_RIP) = KERNEL_TEXT - 1;
	assert_no_poke(&s);
	*fake_vmcs(GUEST_RIP) = rip;

	x = violation_exit(AT, 0, EPT_W);
	x.qualification &= ~EPT_QUAL_GLA_VALID; /* by whatever alias */
	fake->tsc += 1ULL << 32;
	machine_exit(&x);
	assert_true(this_cpu()->step.active);
	assert_no_poke(&s);

	*fake_vmcs(GUEST_SS_ACCESS_RIGHTS) |= 3 << 5;
	*fake_vmcs(GUEST_CS_ACCESS_RIGHTS) |= 3 << 5;
	fake->tsc += 1ULL << 32;
	assert_int_equal(guest_store(&s), STORE_FAULT);
	*fake_vmcs(GUEST_SS_ACCESS_RIGHTS) &= ~(3ULL << 5);
	*fake_vmcs(GUEST_CS_ACCESS_RIGHTS) &= ~(3ULL << 5);
	assert_int_equal(kernel_event().kind, RW_EVENT_VIOLATION);
}

static void text_poke_does_not_reach_read_only_data(void **state)
{
	struct store s = poke();

	(void)state;
	enforce_but_text_poke();
	s.gpa[0] = gpa(RODATA_PHYS + 0x40);
	assert_no_poke(&s);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			the_monitors_memory_can_be_neither_read_nor_written_nor_run),
		cmocka_unit_test(no_page_of_the_monitor_is_reachable),
		cmocka_unit_test(
			the_doorbell_can_be_read_and_a_write_is_recorded),
		cmocka_unit_test(
			a_store_from_text_into_the_doorbell_is_refused),
		cmocka_unit_test(one_page_that_refuses_keeps_the_other),
		cmocka_unit_test(fault_wins_over_discard),
		cmocka_unit_test(protected_memory_can_be_read_and_run),
		cmocka_unit_test(
			a_write_while_an_event_is_delivered_is_refused_unseen),
		cmocka_unit_test(without_a_linear_address_none_is_reported),
		cmocka_unit_test(what_was_opened_meanwhile_is_tried_again),
		cmocka_unit_test(
			a_device_above_memory_is_mapped_when_it_is_first_used),
		cmocka_unit_test(no_memory_to_map_a_device_is_no_attack),
		cmocka_unit_test(an_address_beyond_the_width_is_refused),
		cmocka_unit_test(
			a_write_that_a_new_policy_allows_is_tried_again),
		cmocka_unit_test(text_poke_passes_where_the_policy_says_so),
		cmocka_unit_test(text_poke_is_refused_where_it_does_not),
		cmocka_unit_test(what_does_not_look_like_text_poke_is_refused),
		cmocka_unit_test(text_poke_does_not_reach_read_only_data),
	};

	return machine_run_tests(tests);
}
