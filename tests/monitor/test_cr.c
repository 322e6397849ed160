/* SPDX-License-Identifier: MIT */
/* CR0.NE and CR4.VMXE stay, and the guest does not see it. */
#include "monitor/exit.h"
#include "tests/monitor/fake_kernel.h"

#define MOV_TO_CR(cr, gpr) ((cr) | (uint64_t)(gpr) << 8)
#define MOV_FROM_CR(cr)	   ((cr) | 1 << 4)
#define CLTS		   (2 << 4)
#define LMSW		   (3 << 4)
#define RAX		   0
#define RSP		   4
#define R15		   15
#define LONG_CS		   0xa09b
#define COMPATIBILITY_CS   0xc09b
#define TSS_BUSY_16	   0x83
#define CR0_USUAL	   0x80050033ULL

static uint64_t rip;

static void start(void)
{
	machine_init();
	machine_start();
	rip = *fake_vmcs(GUEST_RIP);
}

static void mov_to_cr(uint32_t cr, uint64_t value)
{
	fake->gpr.rax = value;
	machine_exit(&(struct vm_exit){ .reason = EXIT_CR_ACCESS,
					.qualification = MOV_TO_CR(cr, RAX),
					.length = 3 });
}

static void assert_refused(void)
{
	assert_exception(VECTOR_GP);
	assert_int_equal(*fake_vmcs(GUEST_RIP), rip);
}

/* 32-bit code with paging off, below 4 GiB: where a boot loader stands. */
static void leave_long_mode(uint64_t cr4, uint64_t efer)
{
	*fake_vmcs(GUEST_CR0) = CR0_PE | CR0_NE | CR0_ET;
	*fake_vmcs(CR0_READ_SHADOW) = CR0_PE | CR0_ET;
	*fake_vmcs(GUEST_CR4) = CR4_VMXE | cr4;
	*fake_vmcs(GUEST_EFER) = efer;
	*fake_vmcs(ENTRY_CONTROLS) &= ~ENTRY_IA32E_GUEST;
	*fake_vmcs(GUEST_CS_ACCESS_RIGHTS) = COMPATIBILITY_CS;
	*fake_vmcs(GUEST_RIP) = rip = 0x8000;
	assert_null(fake_entry_fault());
}

static void the_masks_cover_ne_and_vmxe_alone(void **state)
{
	(void)state;
	start();
	assert_int_equal(*fake_vmcs(CR0_MASK), CR0_NE);
	assert_int_equal(*fake_vmcs(CR4_MASK), CR4_VMXE);
	assert_true(*fake_vmcs(GUEST_CR0) & CR0_NE);
	assert_true(*fake_vmcs(GUEST_CR4) & CR4_VMXE);
	assert_false(*fake_vmcs(CR4_READ_SHADOW) & CR4_VMXE);
}

static void the_guest_clears_ne_as_far_as_it_can_see(void **state)
{
	(void)state;
	start();
	mov_to_cr(0, CR0_USUAL & ~CR0_NE);
	assert_skipped(rip, 3);
	assert_int_equal(*fake_vmcs(GUEST_CR0), CR0_USUAL);
	assert_false(*fake_vmcs(CR0_READ_SHADOW) & CR0_NE);
}

static void the_rest_of_the_write_happens(void **state)
{
	(void)state;
	start();
	mov_to_cr(0, (CR0_USUAL & ~(CR0_NE | CR0_WP | CR0_ET)) | CR0_TS);
	assert_skipped(rip, 3);
	assert_int_equal(*fake_vmcs(GUEST_CR0),
			 (CR0_USUAL & ~CR0_WP) | CR0_TS | CR0_ET);
	assert_true(*fake_vmcs(CR0_READ_SHADOW) & CR0_ET);
}

static void any_register_may_be_the_source(void **state)
{
	(void)state;
	start();
	fake->gpr.rax = 0;
	fake->gpr.r15 = CR0_USUAL & ~CR0_NE;
	machine_exit(&(struct vm_exit){ .reason = EXIT_CR_ACCESS,
					.qualification = MOV_TO_CR(0, R15),
					.length = 4 });
	assert_skipped(rip, 4);
	assert_false(*fake_vmcs(CR0_READ_SHADOW) & CR0_NE);
	*fake_vmcs(GUEST_RSP) = CR0_USUAL;
	machine_exit(&(struct vm_exit){ .reason = EXIT_CR_ACCESS,
					.qualification = MOV_TO_CR(0, RSP),
					.length = 4 });
	assert_skipped(rip + 4, 4);
	assert_true(*fake_vmcs(CR0_READ_SHADOW) & CR0_NE);
}

static void values_of_cr0_that_no_cpu_takes_fault(void **state)
{
	static const uint64_t bad[] = {
		CR0_USUAL | 1ULL << 32, CR0_USUAL & ~CR0_PE,
		CR0_USUAL | CR0_NW, /* without CD */
	};

	(void)state;
	start();
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		mov_to_cr(0, bad[i] & ~CR0_NE);
		assert_refused();
		assert_int_equal(*fake_vmcs(GUEST_CR0), CR0_USUAL);
		assert_int_equal(*fake_vmcs(CR0_READ_SHADOW), CR0_USUAL);
	}
}

static void paging_goes_on_into_long_mode(void **state)
{
	uint32_t before;

	(void)state;
	start();
	leave_long_mode(CR4_PAE, EFER_LME);
	before = fake->invvpid; /* what was translated without paging */
	mov_to_cr(0, CR0_PG | CR0_PE | CR0_NE);
	assert_skipped(rip, 3);
	assert_int_equal(*fake_vmcs(GUEST_EFER), EFER_LME | EFER_LMA);
	assert_true(*fake_vmcs(ENTRY_CONTROLS) & ENTRY_IA32E_GUEST);
	assert_true(*fake_vmcs(GUEST_CR0) & CR0_PG);
	assert_int_equal(fake->invvpid, before + 1);
}

static void long_mode_needs_pae(void **state)
{
	(void)state;
	start();
	leave_long_mode(0, EFER_LME);
	mov_to_cr(0, CR0_PG | CR0_PE | CR0_NE);
	assert_refused();
	assert_false(*fake_vmcs(GUEST_CR0) & CR0_PG);
}

/* SDM Vol. 3 10.8.5. */
static void paging_does_not_go_on_under_a_64_bit_code_segment(void **state)
{
	(void)state;
	start();
	leave_long_mode(CR4_PAE, EFER_LME);
	*fake_vmcs(GUEST_CS_ACCESS_RIGHTS) = COMPATIBILITY_CS | 1 << 13;
	mov_to_cr(0, CR0_PG | CR0_PE | CR0_NE);
	assert_refused();
}

static void long_mode_needs_a_32_bit_tss(void **state)
{
	(void)state;
	start();
	leave_long_mode(CR4_PAE, EFER_LME);
	*fake_vmcs(GUEST_TR_ACCESS_RIGHTS) = TSS_BUSY_16;
	mov_to_cr(0, CR0_PG | CR0_PE | CR0_NE);
	assert_refused();
}

static void paging_goes_on_without_long_mode(void **state)
{
	(void)state;
	start();
	leave_long_mode(0, 0);
	mov_to_cr(0, CR0_PG | CR0_PE | CR0_NE);
	assert_skipped(rip, 3);
	assert_int_equal(*fake_vmcs(GUEST_EFER), 0);
	assert_false(*fake_vmcs(ENTRY_CONTROLS) & ENTRY_IA32E_GUEST);
}

static void pae_paging_is_refused_for_nobody_loads_its_pdptes(void **state)
{
	(void)state;
	start();
	leave_long_mode(CR4_PAE, 0);
	mov_to_cr(0, CR0_PG | CR0_PE | CR0_NE);
	assert_refused();
}

static void paging_goes_off_from_compatibility_mode(void **state)
{
	(void)state;
	start();
	*fake_vmcs(GUEST_CS_ACCESS_RIGHTS) = COMPATIBILITY_CS;
	*fake_vmcs(GUEST_RIP) = rip = 0x8000;
	mov_to_cr(0, CR0_PE);
	assert_skipped(rip, 3);
	assert_int_equal(*fake_vmcs(GUEST_EFER) & (EFER_LMA | EFER_LME),
			 EFER_LME);
	assert_false(*fake_vmcs(ENTRY_CONTROLS) & ENTRY_IA32E_GUEST);
}

static void paging_does_not_go_off_in_64_bit_mode(void **state)
{
	(void)state;
	start();
	mov_to_cr(0, CR0_PE);
	assert_refused();
	assert_int_equal(*fake_vmcs(GUEST_CR0), CR0_USUAL);
	assert_true(*fake_vmcs(GUEST_EFER) & EFER_LMA);
}

static void paging_does_not_go_off_with_pcids(void **state)
{
	(void)state;
	start();
	*fake_vmcs(GUEST_CS_ACCESS_RIGHTS) = COMPATIBILITY_CS;
	*fake_vmcs(GUEST_RIP) = rip = 0x8000;
	*fake_vmcs(GUEST_CR4) |= CR4_PCIDE;
	mov_to_cr(0, CR0_PE);
	assert_refused();
}

/* Tigerlake has CET: with it on, WP has to stay. */
static void wp_stays_as_long_as_cet_is_on(void **state)
{
	(void)state;
	machine_init();
	machine.model = MODEL_tigerlake;
	machine_start();
	rip = *fake_vmcs(GUEST_RIP);
	*fake_vmcs(GUEST_CR4) |= CR4_CET;
	mov_to_cr(0, CR0_USUAL & ~(CR0_WP | CR0_NE));
	assert_refused();
	mov_to_cr(0, CR0_USUAL & ~CR0_NE);
	assert_skipped(rip, 3);
}

static void vmxe_is_the_guests_only_as_far_as_it_can_see(void **state)
{
	uint64_t cr4;

	(void)state;
	start();
	cr4 = *fake_vmcs(GUEST_CR4);
	mov_to_cr(4, cr4);
	assert_skipped(rip, 3);
	assert_true(*fake_vmcs(CR4_READ_SHADOW) & CR4_VMXE);
	mov_to_cr(4, cr4 & ~CR4_VMXE);
	assert_skipped(rip + 3, 3);
	assert_false(*fake_vmcs(CR4_READ_SHADOW) & CR4_VMXE);
	assert_int_equal(*fake_vmcs(GUEST_CR4), cr4);
}

static void a_write_that_changes_vmxe_and_more_faults(void **state)
{
	uint64_t cr4;

	(void)state;
	start();
	cr4 = *fake_vmcs(GUEST_CR4);
	mov_to_cr(4, cr4 ^ CR4_PCIDE);
	assert_refused();
	assert_int_equal(*fake_vmcs(GUEST_CR4), cr4);
	assert_false(*fake_vmcs(CR4_READ_SHADOW) & CR4_VMXE);
}

static void accesses_that_never_exit_fault(void **state)
{
	static const uint64_t odd[] = { MOV_TO_CR(3, RAX), MOV_TO_CR(8, RAX),
					MOV_FROM_CR(3), CLTS, LMSW };

	(void)state;
	start();
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		fake->gpr.rax = CR0_USUAL;
		machine_exit(&(struct vm_exit){ .reason = EXIT_CR_ACCESS,
						.qualification = odd[i],
						.length = 3 });
		assert_refused();
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_masks_cover_ne_and_vmxe_alone),
		cmocka_unit_test(the_guest_clears_ne_as_far_as_it_can_see),
		cmocka_unit_test(the_rest_of_the_write_happens),
		cmocka_unit_test(any_register_may_be_the_source),
		cmocka_unit_test(values_of_cr0_that_no_cpu_takes_fault),
		cmocka_unit_test(paging_goes_on_into_long_mode),
		cmocka_unit_test(long_mode_needs_pae),
		cmocka_unit_test(
			paging_does_not_go_on_under_a_64_bit_code_segment),
		cmocka_unit_test(long_mode_needs_a_32_bit_tss),
		cmocka_unit_test(paging_goes_on_without_long_mode),
		cmocka_unit_test(
			pae_paging_is_refused_for_nobody_loads_its_pdptes),
		cmocka_unit_test(paging_goes_off_from_compatibility_mode),
		cmocka_unit_test(paging_does_not_go_off_in_64_bit_mode),
		cmocka_unit_test(paging_does_not_go_off_with_pcids),
		cmocka_unit_test(wp_stays_as_long_as_cet_is_on),
		cmocka_unit_test(vmxe_is_the_guests_only_as_far_as_it_can_see),
		cmocka_unit_test(a_write_that_changes_vmxe_and_more_faults),
		cmocka_unit_test(accesses_that_never_exit_fault),
	};

	return machine_run_tests(tests);
}
