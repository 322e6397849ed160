/* SPDX-License-Identifier: MIT */
/* Out of VMX: the host goes on as if it had never been a guest. */
#include <string.h>

#include "monitor/enter.h"
#include "monitor/fault.h"
#include "monitor/memory.h"
#include "monitor/wall.h"
#include "tests/monitor/fake_kernel.h"

#define TSS_BUSY BIT(41)

static struct vm_exit call = { .reason = EXIT_VMCALL, .length = VMCALL_LENGTH };

static void start(void)
{
	kernel_boot(2, 0);
	memset(&fake->gpr, 0x6b, sizeof(fake->gpr));
	fake->gpr.rax = RW_HC_DISABLE;
}

static void leaves(void)
{
	assert_int_equal(machine_exit_to(&call), FAKE_LEFT);
	assert_false(fake->vmx_on);
	assert_int_equal(this_cpu()->state, RW_CPU_OUTSIDE);
	assert_false(this_cpu()->vmx);
}

static void the_cpu_goes_on_with_every_register_as_it_was(void **state)
{
	struct registers gpr;
	struct leave *l;

	(void)state;
	start();
	*fake_vmcs(GUEST_RFLAGS) = 0x246;
	*fake_vmcs(GUEST_FS_BASE) = 0x7f0000001740;
	*fake_vmcs(GUEST_GS_BASE) = 0xffff88803ec00000;
	*fake_vmcs(GUEST_DS_SELECTOR) = 0x2b;
	gpr = fake->gpr;
	gpr.rax = RW_OK;
	leaves();
	l = &fake->left;
	assert_memory_equal(&l->regs, &gpr, sizeof(gpr));
	assert_int_equal(l->rip, KERNEL_TEXT + 0x2345 + VMCALL_LENGTH);
	assert_int_equal(l->rsp, GUEST_STACK);
	assert_int_equal(l->rflags, 0x246);
	assert_int_equal(l->cr0, *fake_vmcs(GUEST_CR0));
	assert_int_equal(l->cr3, *fake_vmcs(GUEST_CR3));
	assert_int_equal(l->cr4, *fake_vmcs(GUEST_CR4) & ~CR4_VMXE);
	assert_int_equal(l->fs_base, 0x7f0000001740);
	assert_int_equal(l->gs_base, 0xffff88803ec00000);
	assert_int_equal(l->cs, 0x10);
	assert_int_equal(l->ss, 0x18);
	assert_int_equal(l->ds, 0x2b);
	assert_int_equal(l->tr, 0x40);
	assert_int_equal(l->gdtr.base, *fake_vmcs(GUEST_GDTR_BASE));
	assert_int_equal(l->gdtr.limit, *fake_vmcs(GUEST_GDTR_LIMIT));
	assert_int_equal(l->idtr.base, *fake_vmcs(GUEST_IDTR_BASE));
	assert_int_equal(l->idtr.limit, *fake_vmcs(GUEST_IDTR_LIMIT));
	assert_int_equal(l->leave_va, machine.boot.leave_va);
}

static void its_msrs_and_debug_register_are_the_guests_again(void **state)
{
	(void)state;
	start();
	*fake_vmcs(GUEST_PAT) = 0x0007010600070106;
	*fake_vmcs(GUEST_DEBUGCTL) = 1;
	*fake_vmcs(GUEST_DR7) = 0x455;
	*fake_vmcs(GUEST_SYSENTER_CS) = 0x18;
	*fake_vmcs(GUEST_SYSENTER_ESP) = 0xfffffe0000005000;
	*fake_vmcs(GUEST_SYSENTER_EIP) = 0xffffffff81a01b00;
	leaves();
	assert_int_equal(*fake_msr(IA32_PAT), 0x0007010600070106);
	assert_int_equal(*fake_msr(IA32_DEBUGCTL), 1);
	assert_int_equal(fake->dr7, 0x455);
	assert_int_equal(*fake_msr(IA32_SYSENTER_CS), 0x18);
	assert_int_equal(*fake_msr(IA32_SYSENTER_ESP), 0xfffffe0000005000);
	assert_int_equal(*fake_msr(IA32_SYSENTER_EIP), 0xffffffff81a01b00);
	assert_int_equal(*fake_msr(IA32_EFER), *fake_vmcs(GUEST_EFER));
}

/* The table in use on the way: kernel above, monitor in its slots. */
static void the_way_out_is_mapped_on_both_sides(void **state)
{
	const uint64_t *table, *kernel, *monitor;

	(void)state;
	start();
	for (uint64_t i = 0; i < 512; i++) {
		((uint64_t *)physical(*fake_vmcs(GUEST_CR3)))[i] |= i << 52;
		((uint64_t *)physical(machine.boot.cr3))[i] |= i << 53;
	}
	leaves();
	table = physical(fake->left.transition);
	kernel = physical(fake->left.cr3);
	monitor = physical(machine.boot.cr3);
	for (int i = 256; i < 512; i++)
		assert_int_equal(table[i], i < 256 + RW_VA_SLOT_COUNT ?
						   monitor[i] :
						   kernel[i]);
	for (int i = 0; i < 256; i++)
		assert_int_equal(table[i], 0);
	/* With page-table isolation Linux flips bit 12 of CR3. */
	assert_int_equal(fake->left.transition & 0x1fff, 0);
}

static void the_task_register_is_loaded_from_a_copy_that_is_not_busy(void **s)
{
	const uint64_t *gdt, *kernels;

	(void)s;
	start();
	leaves();
	gdt = (const uint64_t *)fake->left.ltr_gdtr.base;
	kernels = (const uint64_t *)fake->left.gdtr.base;
	assert_int_equal(fake->left.ltr_gdtr.limit, GDT_ENTRIES * 8 - 1);
	assert_int_equal(gdt[8], kernels[8] & ~TSS_BUSY);
	assert_int_equal(gdt[9], kernels[9]);
}

static void the_cpu_that_left_is_waited_for_no_more(void **state)
{
	struct sample_body body = kernel_policy(1);

	(void)state;
	start();
	machine_use(1);
	fake->gpr.rax = RW_HC_DISABLE;
	leaves();
	machine_use(0);
	assert_int_equal(kernel_status().cpus_inside, 1);
	assert_int_equal(kernel_load(&body), RW_OK);
	assert_int_equal(kernel_status().state, RW_STATE_ARMED);
}

static void a_cpu_that_is_no_kernel_stays_inside(void **state)
{
	static const struct {
		uint32_t field;
		uint64_t value;
	} bad[] = {
		{ GUEST_RIP, 0x401000 },
		{ GUEST_RSP, 0x7ffe00001000 },
		{ GUEST_TR_SELECTOR, 0 },
		{ GUEST_TR_SELECTOR, 0x43 },
		{ GUEST_TR_SELECTOR, 8 * (GDT_ENTRIES - 1) },
		{ GUEST_TR_SELECTOR, 0xfff8 },
		{ GUEST_CR3, MONITOR_START },
		{ GUEST_CR3, MMIO },
		{ GUEST_CR3, RAM_END },
	};

	(void)state;
	start();
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		uint64_t *field = fake_vmcs(bad[i].field), old = *field;

		*field = bad[i].value;
		assert_int_equal(hypercall(RW_HC_DISABLE, 0, 0), RW_E_STATE);
		assert_true(fake->vmx_on);
		assert_int_equal(this_cpu()->state, RW_CPU_INSIDE);
		*field = old;
	}
}

static void a_cpu_outside_long_mode_stays_inside(void **state)
{
	(void)state;
	start();
	machine_use(1);
	machine_exit(&(struct vm_exit){ .reason = EXIT_INIT });
	machine_exit(&(struct vm_exit){ .reason = EXIT_SIPI });
	assert_int_equal(hypercall(RW_HC_DISABLE, 0, 0), RW_E_STATE);
	assert_true(fake->vmx_on);
	/* The end of its address space is where RIP begins again. */
	*fake_vmcs(GUEST_RIP) = 0xfffffffe;
	fake->gpr.rax = RW_HC_DISABLE;
	machine_exit(&(struct vm_exit){ .reason = EXIT_VMCALL,
					.length = VMCALL_LENGTH });
	assert_int_equal(fake->gpr.rax, RW_E_STATE);
	assert_int_equal(*fake_vmcs(GUEST_RIP), 1);
}

static uint64_t countdown;

static void before(const char *name, uint64_t operand)
{
	struct fault_frame frame = { .vector = VECTOR_NMI };

	(void)name;
	(void)operand;
	if (!--countdown)
		fault_handle(&frame);
}

/* Up to LIDT it arrives at the monitor, who has to hand it on. */
static void an_nmi_on_the_way_out_reaches_the_kernel(void **state)
{
	uint64_t n = 0;

	(void)state;
	start();
	for (uint64_t at = 1; !n || at <= n; at++) {
		uint64_t from = fake->instructions;

		countdown = at;
		fake->before = before;
		fake->gpr.rax = RW_HC_DISABLE;
		leaves();
		fake->before = NULL;
		n = fake->instructions - from;
		if (at <= n && !fake->left_nmi)
			fail_msg("an NMI before instruction %llu of %llu is "
				 "lost",
				 (unsigned long long)at, (unsigned long long)n);
		this_cpu()->nmi_pending = false;
		assert_int_equal(machine_enter(0), RW_OK);
		*fake_vmcs(GUEST_CR3) = fake->left.cr3;
	}
}

static void without_an_nmi_the_kernel_is_told_of_none(void **state)
{
	(void)state;
	start();
	leaves();
	assert_false(fake->left_nmi);
}

/* The first entry fails: back to the driver, with the reason. */
static void a_first_entry_that_fails_goes_back_where_it_came_from(void **state)
{
	struct vm_exit x = { .reason = 33 | (uint32_t)EXIT_ENTRY_FAILED };

	(void)state;
	start();
	this_cpu()->self_test = true;
	assert_int_equal(machine_exit_to(&x), FAKE_LEFT);
	assert_false(fake->vmx_on);
	assert_int_equal(fake->left.regs.rax, RW_E_VMENTRY);
	assert_int_equal(fake->left.rip, GUEST_CODE + 0x400);
	assert_int_equal(fake->left.cr3, 0x3000);
	assert_int_equal(this_cpu()->state, RW_CPU_OUTSIDE);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_cpu_goes_on_with_every_register_as_it_was),
		cmocka_unit_test(
			its_msrs_and_debug_register_are_the_guests_again),
		cmocka_unit_test(the_way_out_is_mapped_on_both_sides),
		cmocka_unit_test(
			the_task_register_is_loaded_from_a_copy_that_is_not_busy),
		cmocka_unit_test(the_cpu_that_left_is_waited_for_no_more),
		cmocka_unit_test(a_cpu_that_is_no_kernel_stays_inside),
		cmocka_unit_test(a_cpu_outside_long_mode_stays_inside),
		cmocka_unit_test(an_nmi_on_the_way_out_reaches_the_kernel),
		cmocka_unit_test(without_an_nmi_the_kernel_is_told_of_none),
		cmocka_unit_test(
			a_first_entry_that_fails_goes_back_where_it_came_from),
	};

	return machine_run_tests(tests);
}
