/* SPDX-License-Identifier: MIT */
/* The calls of <ringwall/hypercall.h>, and who may not make them. */
#include <string.h>

#include "monitor/log.h"
#include "tests/monitor/fake_kernel.h"

#define BUFFER	  KERNEL_BUFFER
#define PER_FETCH (RW_PAGE_SIZE / sizeof(struct rw_event))
#define USER	  3

static uint64_t rip;

static void start(void)
{
	kernel_boot(2, 0);
	rip = *fake_vmcs(GUEST_RIP);
}

static void start_armed(uint32_t flags)
{
	struct sample_body body = kernel_policy(1);

	start();
	body.header.flags = flags;
	kernel_arm(&body);
	assert_int_equal(kernel_event().kind, RW_EVENT_POLICY_LOADED);
	rip = *fake_vmcs(GUEST_RIP);
}

static void set_cpl(uint64_t cpl)
{
	*fake_vmcs(GUEST_SS_ACCESS_RIGHTS) &= ~(3ULL << 5);
	*fake_vmcs(GUEST_CS_ACCESS_RIGHTS) &= ~(3ULL << 5);
	*fake_vmcs(GUEST_SS_ACCESS_RIGHTS) |= cpl << 5;
	*fake_vmcs(GUEST_CS_ACCESS_RIGHTS) |= cpl << 5;
}

static void vmcall(void)
{
	machine_exit(&(struct vm_exit){ .reason = EXIT_VMCALL,
					.length = VMCALL_LENGTH });
}

static void assert_recorded(uint64_t number, enum rw_error error)
{
	struct rw_event e = kernel_event();

	assert_int_equal(e.kind, RW_EVENT_HYPERCALL);
	assert_int_equal(e.verdict, RW_VERDICT_DENIED);
	assert_int_equal(e.detail[0], number);
	assert_int_equal(e.detail[1], error);
	fake->tsc += 1ULL << 32; /* the next is a record of its own */
}

static void from_user_mode_vmcall_does_not_exist(void **state)
{
	(void)state;
	start();
	for (uint64_t cpl = 1; cpl <= USER; cpl++) {
		struct registers before;

		set_cpl(cpl);
		fake->gpr.rax = RW_HC_VERSION;
		before = fake->gpr;
		vmcall();
		assert_exception(VECTOR_UD);
		assert_int_equal(*fake_vmcs(GUEST_RIP), rip);
		assert_memory_equal(&fake->gpr, &before, sizeof(before));
		set_cpl(0);
		assert_recorded(RW_HC_VERSION, RW_E_CPL);
	}
}

/* They choose number and place, and must not drown what others did. */
static void user_programs_cannot_fill_the_record(void **state)
{
	struct rw_event e;

	(void)state;
	start();
	set_cpl(USER);
	for (uint64_t i = 0; i < 5000; i++) {
		fake->gpr.rax = i;
		*fake_vmcs(GUEST_RIP) = 0x400000 + i % 77;
		vmcall();
	}
	set_cpl(0);
	assert_int_equal(kernel_events(&e, 1), 1);
	assert_int_equal(kernel_status().events_coalesced, 4999);
}

static void an_unknown_call_is_refused_and_recorded(void **state)
{
	static const uint64_t unknown[] = { 0,
					    1,
					    RW_HC_BASE - 1,
					    RW_HC_END,
					    RW_HC_TEST_HOOK,
					    RW_HC_BASE + (1ULL << 32),
					    UINT64_MAX };

	(void)state;
	start();
	for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
		assert_int_equal(hypercall(unknown[i], 0, 0),
				 RW_E_UNKNOWN_CALL);
		assert_recorded(unknown[i], RW_E_UNKNOWN_CALL);
	}
}

static void the_null_call_tells_the_version(void **state)
{
	(void)state;
	start();
	assert_int_equal(hypercall(RW_HC_VERSION, 1, 2), RW_OK);
	assert_int_equal(fake->gpr.rdx, RW_ABI_VERSION);
}

static void a_call_changes_rax_and_rdx_and_no_other_register(void **state)
{
	(void)state;
	start();
	for (uint64_t n = RW_HC_BASE; n < RW_HC_DISABLE; n++) {
		struct registers before;

		memset(&fake->gpr, 0x7e, sizeof(fake->gpr));
		hypercall(n, BUFFER, 1);
		before = fake->gpr;
		memset(&before, 0x7e, sizeof(before));
		before.rax = fake->gpr.rax;
		before.rdx = fake->gpr.rdx;
		before.rdi = BUFFER;
		before.rsi = 1;
		assert_memory_equal(&fake->gpr, &before, sizeof(before));
	}
}

static bool returns_rdx(uint64_t number)
{
	return number == RW_HC_VERSION || number == RW_HC_POLICY_COMMIT ||
	       number == RW_HC_EVENTS || number == RW_HC_DUMP;
}

static void rdx_changes_only_where_a_call_returns_in_it(void **state)
{
	(void)state;
	start();
	for (uint64_t n = RW_HC_BASE; n < RW_HC_DISABLE; n++) {
		fake->gpr.rdx = 0x123456789;
		hypercall(n, BUFFER, 0);
		if (!returns_rdx(n))
			assert_int_equal(fake->gpr.rdx, 0x123456789);
	}
}

/* Places that are no ordinary memory the guest may write. */
static const uint64_t bad_buffers[] = {
	MONITOR_START,	   MONITOR_START + MONITOR_SIZE - 0x1000,
	TEXT_PHYS,	   RODATA_PHYS + 0x1000,
	DOORBELL,	   MMIO,
	0xa0000,	   BUFFER + 8,
	RAM_END,	   HIGH_RAM_END,
	FAKE_MEMORY,	   1ULL << 52,
	UINT64_MAX - 0xfff
};

static void no_call_writes_where_the_guest_could_not(void **state)
{
	static const uint64_t calls[] = { RW_HC_STATUS, RW_HC_CPU_STATUS,
					  RW_HC_EVENTS, RW_HC_DUMP };

	(void)state;
	start_armed(0);
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		for (size_t j = 0;
		     j < sizeof(bad_buffers) / sizeof(bad_buffers[0]); j++) {
			uint8_t before[RW_PAGE_SIZE], *at;

			at = physical(bad_buffers[j] & RW_PAGE_MASK);
			if (at)
				memcpy(before, at, sizeof(before));
			if (hypercall(calls[i], bad_buffers[j], 0) !=
			    RW_E_ADDRESS)
				fail_msg("call %zu, buffer %#llx", i,
					 (unsigned long long)bad_buffers[j]);
			/* Of the monitor's memory the log and so on change. */
			if (at && bad_buffers[j] != DOORBELL &&
			    fake_memory_is_guest_ram(bad_buffers[j]))
				assert_memory_equal(at, before, sizeof(before));
			assert_recorded(calls[i], RW_E_ADDRESS);
		}
}

static void a_policy_is_read_from_memory_the_guest_may_read(void **state)
{
	static const uint64_t bad[] = { MONITOR_START, MMIO, BUFFER + 8,
					RAM_END };

	(void)state;
	start_armed(0);
	assert_int_equal(hypercall(RW_HC_POLICY_BEGIN, 4096, 0), RW_OK);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(hypercall(RW_HC_POLICY_PUT, bad[i], 8),
				 RW_E_ADDRESS);
		assert_recorded(RW_HC_POLICY_PUT, RW_E_ADDRESS);
	}
	assert_int_equal(hypercall(RW_HC_POLICY_PUT, TEXT_PHYS, 8), RW_OK);
}

static void the_status_counts_cpus_and_calls(void **state)
{
	struct rw_status s;
	uint64_t calls;

	(void)state;
	start();
	s = kernel_status();
	assert_int_equal(s.abi_version, RW_ABI_VERSION);
	assert_int_equal(s.cpus, 2);
	assert_int_equal(s.cpus_inside, 2);
	assert_int_equal(s.state, RW_STATE_ENABLED);
	assert_int_equal(s.step, 2);
	assert_int_equal(s.policy_serial, 0);
	assert_true(s.memory_pages && s.memory_free < s.memory_pages);
	assert_true(s.ept_tables && s.ept_leaves[2]);
	calls = s.hypercalls;
	machine_use(1);
	assert_int_equal(kernel_status().hypercalls, calls + 1);
}

static void the_status_of_a_cpu_has_its_exits_by_reason(void **state)
{
	struct rw_cpu_status s;
	uint64_t sum = 0;

	(void)state;
	start();
	machine_use(1);
	machine_exit(&(struct vm_exit){ .reason = EXIT_CPUID, .length = 2 });
	guest_nmi();
	machine_use(0);
	assert_int_equal(hypercall(RW_HC_CPU_STATUS, BUFFER, 1), RW_OK);
	memcpy(&s, physical(BUFFER), sizeof(s));
	assert_int_equal(s.cpu, 1);
	assert_int_equal(s.apic_id, 1);
	assert_int_equal(s.state, RW_CPU_INSIDE);
	assert_int_equal(s.nmis, 1);
	assert_int_equal(s.exit[EXIT_CPUID], 1);
	assert_int_equal(s.exit[EXIT_EXCEPTION_NMI], 1);
	assert_int_equal(s.exit[EXIT_VMCALL], 1);
	for (int i = 0; i < RW_EXIT_REASONS; i++)
		sum += s.exit[i];
	assert_int_equal(s.exits, sum);
}

static void there_is_no_status_of_a_cpu_that_was_not_taken(void **state)
{
	static const uint64_t bad[] = { 2, 64, 1ULL << 32, UINT64_MAX };

	(void)state;
	start();
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(hypercall(RW_HC_CPU_STATUS, BUFFER, bad[i]),
				 RW_E_ARGUMENT);
}

static void events_come_by_the_page(void **state)
{
	const struct rw_event *e;
	uint64_t first;

	(void)state;
	start();
	e = physical(BUFFER);
	first = kernel_status().events_last + 1;
	for (uint64_t i = 0; i < PER_FETCH + 5; i++) {
		fake->tsc++;
		assert_int_equal(hypercall(RW_HC_TEST_ALERT, 0, 0), RW_OK);
	}
	assert_int_equal(hypercall(RW_HC_EVENTS, BUFFER, first - 1), RW_OK);
	assert_int_equal(fake->gpr.rdx, PER_FETCH);
	assert_int_equal(e[0].sequence, first);
	assert_int_equal(e[0].kind, RW_EVENT_TEST);
	assert_int_equal(hypercall(RW_HC_EVENTS, BUFFER, first + PER_FETCH - 1),
			 RW_OK);
	assert_int_equal(fake->gpr.rdx, 5);
	assert_int_equal(e[0].sequence, first + PER_FETCH);
}

static uint8_t dump[64 * 1024];

static uint64_t read_dump(uint64_t step)
{
	uint64_t size = 0;

	for (;;) {
		assert_int_equal(hypercall(RW_HC_DUMP, BUFFER, size), RW_OK);
		if (!fake->gpr.rdx)
			return size;
		if (fake->gpr.rdx < step)
			step = fake->gpr.rdx;
		memcpy(dump + size, physical(BUFFER), step);
		size += step;
	}
}

static void a_dump_is_the_same_in_pieces_of_any_size(void **state)
{
	static uint8_t whole[sizeof(dump)];
	struct rw_dump_header h;
	uint64_t size;

	(void)state;
	start();
	for (uint64_t i = 0; i < 300; i++)
		log_line("line %u of %s at %x", i, "many", i << 32);
	size = read_dump(RW_PAGE_SIZE);
	memcpy(whole, dump, sizeof(dump));
	memcpy(&h, whole, sizeof(h));
	assert_int_equal(h.magic, RW_DUMP_MAGIC);
	assert_int_equal(h.panics, 0);
	assert_int_equal(h.log_size, log_size());
	assert_int_equal(h.image_base, RW_VA_IMAGE);
	assert_int_equal(h.build_id[0], 0xb1);
	assert_int_equal(h.build_id[19], 0xd2);
	assert_int_equal(size, sizeof(h) + h.log_size);
	assert_non_null(strstr((char *)whole + sizeof(h),
			       "line 255 of many at ff00000000\n"));
	assert_int_equal(read_dump(777), size);
	assert_memory_equal(dump, whole, size);
}

static void a_dump_has_the_panics_between_header_and_log(void **state)
{
	struct rw_dump_header h;
	struct rw_panic p;
	uint64_t size;

	(void)state;
	start();
	machine_use(1);
	assert_panics("the reason", panic("the reason"));
	machine_use(0);
	size = read_dump(RW_PAGE_SIZE);
	memcpy(&h, dump, sizeof(h));
	memcpy(&p, dump + sizeof(h), sizeof(p));
	assert_int_equal(h.panics, 1);
	assert_int_equal(p.cpu, 1);
	assert_string_equal(p.message, "the reason");
	assert_int_equal(size, sizeof(h) + sizeof(p) + h.log_size);
	assert_int_equal(dump[sizeof(h) + sizeof(p)], log_byte(0));
}

static void behind_its_end_a_dump_is_empty(void **state)
{
	(void)state;
	start();
	assert_int_equal(hypercall(RW_HC_DUMP, BUFFER, UINT64_MAX - 2), RW_OK);
	assert_int_equal(fake->gpr.rdx, 0);
	assert_int_equal(hypercall(RW_HC_DUMP, BUFFER, 1ULL << 32), RW_OK);
	assert_int_equal(fake->gpr.rdx, 0);
}

static void a_policy_that_locks_keeps_every_cpu_inside(void **state)
{
	(void)state;
	start_armed(RW_POLICY_LOCK);
	assert_int_equal(hypercall(RW_HC_DISABLE, 0, 0), RW_E_LOCKED);
	assert_recorded(RW_HC_DISABLE, RW_E_LOCKED);
	machine_use(1);
	assert_int_equal(hypercall(RW_HC_DISABLE, 0, 0), RW_E_LOCKED);
	assert_true(fake->vmx_on);
	assert_int_equal(kernel_status().cpus_inside, 2);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(from_user_mode_vmcall_does_not_exist),
		cmocka_unit_test(user_programs_cannot_fill_the_record),
		cmocka_unit_test(an_unknown_call_is_refused_and_recorded),
		cmocka_unit_test(the_null_call_tells_the_version),
		cmocka_unit_test(
			a_call_changes_rax_and_rdx_and_no_other_register),
		cmocka_unit_test(rdx_changes_only_where_a_call_returns_in_it),
		cmocka_unit_test(no_call_writes_where_the_guest_could_not),
		cmocka_unit_test(
			a_policy_is_read_from_memory_the_guest_may_read),
		cmocka_unit_test(the_status_counts_cpus_and_calls),
		cmocka_unit_test(the_status_of_a_cpu_has_its_exits_by_reason),
		cmocka_unit_test(
			there_is_no_status_of_a_cpu_that_was_not_taken),
		cmocka_unit_test(events_come_by_the_page),
		cmocka_unit_test(a_dump_is_the_same_in_pieces_of_any_size),
		cmocka_unit_test(a_dump_has_the_panics_between_header_and_log),
		cmocka_unit_test(behind_its_end_a_dump_is_empty),
		cmocka_unit_test(a_policy_that_locks_keeps_every_cpu_inside),
	};

	return machine_run_tests(tests);
}
