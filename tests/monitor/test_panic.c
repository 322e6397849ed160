/* SPDX-License-Identifier: MIT */
/* The end of a CPU, and what it leaves for those who look for the reason. */
#include <ringwall/config.h>
#include <string.h>

#include "monitor/fault.h"
#include "monitor/log.h"
#include "tests/monitor/fake_kernel.h"

#define VECTOR_NONE 0xffffffffu
#define KEPT	    4

static void start(void)
{
	kernel_boot(2, 0);
}

static const struct rw_panic *record(uint32_t n)
{
	const struct rw_panic *p;

	assert_true(panic_records(&p) > n);
	return &p[n];
}

/* A chain of stack frames in this CPU's block, as the compiler makes them. */
static uint64_t make_frames(uint32_t count)
{
	uint64_t *at = (uint64_t *)((uint8_t *)this_cpu() + 5 * RW_PAGE_SIZE);
	uint64_t first = (uint64_t)at;

	for (uint32_t i = 0; i < count; i++) {
		at[0] = i + 1 < count ? (uint64_t)(at + 4) : 0;
		at[1] = 0xffff800000001000 + i;
		at += 4;
	}
	return first;
}

static void a_fault_is_recorded_with_every_register(void **state)
{
	struct fault_frame f = { 1,  2,	 3,  4,	 5,  6,	 0,  8,	   9,	 10, 11,
				 12, 13, 14, 15, 13, 20, 30, 0x10, 0x46, 50, 0 };
	const struct rw_panic *p;

	(void)state;
	start();
	f.rbp = make_frames(3);
	fake->cr2 = 0xdead;
	*fake_vmcs(EXIT_REASON) = EXIT_CPUID;
	*fake_vmcs(EXIT_QUALIFICATION) = 0x77;
	assert_panics("exception in VMX root", fault_handle(&f));
	p = record(0);
	assert_int_equal(p->cpu, 0);
	assert_int_equal(p->vector, 13);
	assert_int_equal(p->error_code, 20);
	assert_int_equal(p->rip, 30);
	assert_int_equal(p->rflags, 0x46);
	assert_int_equal(p->rsp, 50);
	assert_int_equal(p->cr2, 0xdead);
	assert_int_equal(p->cr3, machine.boot.cr3);
	for (uint64_t i = 0; i < 15; i++)
		assert_int_equal(p->gpr[i], i == 6 ? f.rbp : i + 1);
	assert_int_equal(p->guest_rip, *fake_vmcs(GUEST_RIP));
	assert_int_equal(p->guest_rsp, *fake_vmcs(GUEST_RSP));
	assert_int_equal(p->guest_cr3, *fake_vmcs(GUEST_CR3));
	assert_int_equal(p->exit_reason, EXIT_CPUID);
	assert_int_equal(p->exit_qualification, 0x77);
	assert_int_equal(p->backtrace_count, 3);
	assert_int_equal(p->backtrace[2], 0xffff800000001002);
	assert_int_equal(this_cpu()->state, RW_CPU_STOPPED);
}

static void fault_with(uint64_t rbp)
{
	struct fault_frame f = { .vector = 14, .rbp = rbp };

	assert_panics("exception in VMX root", fault_handle(&f));
}

static void a_cpu_that_stopped_holds_up_no_policy(void **state)
{
	struct sample_body body = kernel_policy(1);

	(void)state;
	start();
	machine_use(1);
	fault_with(0);
	machine_use(0);
	assert_int_equal(kernel_load(&body), RW_OK);
	assert_int_equal(kernel_status().state, RW_STATE_ARMED);
}

/* What the backtrace follows may be anything by then. */
static void a_backtrace_never_leaves_the_cpus_stacks(void **state)
{
	uint64_t block, frames;

	(void)state;
	start();
	block = (uint64_t)this_cpu();
	frames = make_frames(1);
	fault_with(0);
	assert_int_equal(record(0)->backtrace_count, 0);
	fault_with(block + PERCPU_BLOCK - 8); /* half a frame */
	assert_int_equal(record(1)->backtrace_count, 0);
	fault_with(frames + 4); /* misaligned */
	assert_int_equal(record(2)->backtrace_count, 0);
	*(uint64_t *)frames = frames; /* a ring */
	fault_with(frames);
	assert_int_equal(record(3)->backtrace_count, 1);
}

static void a_long_backtrace_is_cut(void **state)
{
	(void)state;
	start();
	fault_with(make_frames(RW_BACKTRACE + 9));
	assert_int_equal(record(0)->backtrace_count, RW_BACKTRACE);
}

static void a_check_that_fails_says_which(void **state)
{
	const struct rw_panic *p;

	(void)state;
	start();
	assert_panics(": 1 == 2", CHECK(1 == 2));
	p = record(0);
	assert_int_equal(p->vector, VECTOR_NONE);
	assert_non_null(strstr(p->message, "test_panic.c:"));
	assert_non_null(strstr(p->message, ": 1 == 2"));
}

static void a_long_message_is_cut_and_ends(void **state)
{
	static const char text[] =
		"a message that is longer than the place for one in a panic "
		"record, which has 96 bytes and not a single one more";

	(void)state;
	start();
	assert_panics("a message that is", panic(text));
	assert_int_equal(strlen(record(0)->message),
			 sizeof(record(0)->message) - 1);
}

static void the_first_panics_are_kept(void **state)
{
	static const char *const texts[] = { "one", "two", "three", "four",
					     "five" };
	const struct rw_panic *p;

	(void)state;
	start();
	for (int i = 0; i < KEPT + 1; i++) {
		enum fake_end how;

		fake_run(how, panic(texts[i]));
		assert_int_equal(how, FAKE_STOPPED);
	}
	assert_int_equal(panic_records(&p), KEPT);
	for (int i = 0; i < KEPT; i++)
		assert_string_equal(p[i].message, texts[i]);
}

static void the_siem_hears_of_it(void **state)
{
	struct rw_event e;

	(void)state;
	start();
	machine_use(1);
	assert_panics("enough", panic("enough"));
	machine_use(0);
	e = kernel_event();
	assert_int_equal(e.kind, RW_EVENT_MONITOR_FAULT);
	assert_int_equal(e.cpu, 1);
	assert_int_equal(kernel_status().cpus_inside, 1);
}

static void a_cpu_that_is_not_in_vmx_touches_no_vmcs(void **state)
{
	(void)state;
	start();
	this_cpu()->vmx = false;
	fake->vmx_on = false; /* a VMREAD would fail the test */
	assert_panics("outside", panic("outside"));
	assert_int_equal(record(0)->guest_rip, 0);
}

static void the_log_has_a_line_for_it(void **state)
{
	static char text[CONFIG_RINGWALL_LOG_SIZE + 1];

	(void)state;
	start();
	assert_panics("why", panic("why"));
	for (uint32_t i = 0; i < log_size(); i++)
		text[i] = log_byte(i);
	assert_non_null(strstr(text, "panic on CPU 0: why, rip "));
}

/* SDM Vol. 3 6.14.1; each vector has a stub of 16 bytes. */
static void every_vector_has_a_gate_on_a_stack_of_its_own(void **state)
{
	extern const uint8_t fault_stubs[];
	const uint64_t *idt;

	(void)state;
	start();
	idt = (const uint64_t *)fault_idt();
	for (uint64_t v = 0; v < 32; v++) {
		uint64_t low = idt[2 * v];
		uint64_t to = (low & 0xffff) | (low >> 48) << 16 |
			      idt[2 * v + 1] << 32;

		assert_int_equal(to, (uint64_t)fault_stubs + 16 * v);
		assert_int_equal(low >> 16 & 0xffff, SELECTOR_CODE);
		assert_int_equal(low >> 32 & 7, v == VECTOR_NMI ? 1 :
						v == VECTOR_MC	? 2 :
								  3);
		assert_int_equal(low >> 40 & 0xff, 0x8e);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_fault_is_recorded_with_every_register),
		cmocka_unit_test(a_cpu_that_stopped_holds_up_no_policy),
		cmocka_unit_test(a_backtrace_never_leaves_the_cpus_stacks),
		cmocka_unit_test(a_long_backtrace_is_cut),
		cmocka_unit_test(a_check_that_fails_says_which),
		cmocka_unit_test(a_long_message_is_cut_and_ends),
		cmocka_unit_test(the_first_panics_are_kept),
		cmocka_unit_test(the_siem_hears_of_it),
		cmocka_unit_test(a_cpu_that_is_not_in_vmx_touches_no_vmcs),
		cmocka_unit_test(the_log_has_a_line_for_it),
		cmocka_unit_test(every_vector_has_a_gate_on_a_stack_of_its_own),
	};

	return machine_run_tests(tests);
}
