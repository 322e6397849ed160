/* SPDX-License-Identifier: MIT */
/* Into VMX: the host as it stood, or a refusal that leaves it as it was. */
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ept/ept.h"
#include "monitor/enter.h"
#include "monitor/fault.h"
#include "monitor/msr.h"
#include "monitor/wall.h"
#include "tests/monitor/fake_kernel.h"

static struct fake_cpu host; /* before it was entered */

static void prepare(void)
{
	machine_init();
	machine_prepare();
	host = fake_cpus[0];
}

static void assert_refused(enum rw_error error)
{
	assert_int_equal(machine_enter(0), error);
	assert_false(fake->vmx_on);
	assert_int_equal(fake->cr4, host.cr4);
	assert_int_equal(fake->cr3, host.cr3);
	assert_null(fake->fpu_saved);
}

static void the_guest_is_the_host_as_it_stood(void **state)
{
	static const uint32_t selectors[] = { GUEST_CS_SELECTOR, 0x10,
					      GUEST_SS_SELECTOR, 0x18,
					      GUEST_DS_SELECTOR, 0,
					      GUEST_TR_SELECTOR, 0x40 };

	(void)state;
	prepare();
	assert_int_equal(machine_enter(0), RW_OK);
	assert_int_equal(*fake_vmcs(GUEST_CR0), host.cr0);
	assert_int_equal(*fake_vmcs(CR0_READ_SHADOW), host.cr0);
	assert_int_equal(*fake_vmcs(GUEST_CR3), 0x2000000);
	assert_int_equal(*fake_vmcs(GUEST_CR4), host.cr4 | CR4_VMXE);
	assert_int_equal(*fake_vmcs(CR4_READ_SHADOW), host.cr4);
	assert_int_equal(*fake_vmcs(GUEST_RSP), GUEST_STACK);
	assert_int_equal(*fake_vmcs(GUEST_RIP), GUEST_CODE);
	assert_int_equal(*fake_vmcs(GUEST_RFLAGS), RFLAGS_FIXED);
	assert_int_equal(*fake_vmcs(GUEST_DR7), host.dr7);
	assert_int_equal(*fake_vmcs(GUEST_EFER), *fake_msr(IA32_EFER));
	assert_int_equal(*fake_vmcs(GUEST_PAT), *fake_msr(IA32_PAT));
	assert_int_equal(*fake_vmcs(GUEST_SYSENTER_EIP),
			 *fake_msr(IA32_SYSENTER_EIP));
	assert_int_equal(*fake_vmcs(GUEST_FS_BASE), 0x7f0000001740);
	assert_int_equal(*fake_vmcs(GUEST_GS_BASE), *fake_msr(IA32_GS_BASE));
	assert_int_equal(*fake_vmcs(GUEST_GDTR_BASE), host.gdtr.base);
	assert_int_equal(*fake_vmcs(GUEST_IDTR_LIMIT), host.idtr.limit);
	for (size_t i = 0; i < sizeof(selectors) / sizeof(selectors[0]); i += 2)
		assert_int_equal(*fake_vmcs(selectors[i]), selectors[i + 1]);
}

static void its_segments_are_as_its_descriptors_say(void **state)
{
	(void)state;
	prepare();
	assert_int_equal(machine_enter(0), RW_OK);
	assert_int_equal(*fake_vmcs(GUEST_CS_ACCESS_RIGHTS), 0xa09b);
	assert_int_equal(*fake_vmcs(GUEST_CS_LIMIT), 0xffffffff);
	assert_int_equal(*fake_vmcs(GUEST_SS_ACCESS_RIGHTS), 0xc093);
	assert_int_equal(*fake_vmcs(GUEST_DS_ACCESS_RIGHTS), 0x10000);
	assert_int_equal(*fake_vmcs(GUEST_LDTR_ACCESS_RIGHTS), 0x10000);
	assert_int_equal(*fake_vmcs(GUEST_TR_ACCESS_RIGHTS), 0x8b);
	assert_int_equal(*fake_vmcs(GUEST_TR_LIMIT), 0x4087);
	assert_int_equal(*fake_vmcs(GUEST_TR_BASE), 0xfffffe0000003000);
}

static void a_segment_of_the_ldt_is_one_in_its_first_entry_too(void **state)
{
	static const uint64_t ldt[2] = { 0x1240f35678000007,
					 0x0040f30000000fff };

	(void)state;
	prepare();
	fake_ldt(ldt, sizeof(ldt));
	fake_cpus[0].gs = 7;
	fake_cpus[0].fs = 0xf;
	fake_cpus[0].es = 3; /* null, whatever its RPL */
	assert_int_equal(machine_enter(0), RW_OK);
	assert_int_equal(*fake_vmcs(GUEST_LDTR_SELECTOR), FAKE_LDTR);
	assert_int_equal(*fake_vmcs(GUEST_LDTR_ACCESS_RIGHTS), 0x82);
	assert_int_equal(*fake_vmcs(GUEST_LDTR_BASE), (uint64_t)ldt);
	assert_int_equal(*fake_vmcs(GUEST_GS_ACCESS_RIGHTS), 0x40f3);
	assert_int_equal(*fake_vmcs(GUEST_GS_LIMIT), 7);
	assert_int_equal(*fake_vmcs(GUEST_FS_ACCESS_RIGHTS), 0x40f3);
	assert_int_equal(*fake_vmcs(GUEST_FS_LIMIT), 0xfff);
	assert_int_equal(*fake_vmcs(GUEST_ES_ACCESS_RIGHTS), 0x10000);
}

static void a_data_segment_of_the_ldt_has_the_base_it_says(void **state)
{
	static const uint64_t ldt[1] = { 0x1240f35678000007 };

	(void)state;
	prepare();
	fake_ldt(ldt, sizeof(ldt));
	fake_cpus[0].ds = 7;
	assert_int_equal(machine_enter(0), RW_OK);
	assert_int_equal(*fake_vmcs(GUEST_DS_BASE), 0x12567800);
}

static void the_monitor_has_a_state_of_its_own(void **state)
{
	struct pcpu *cpu;

	(void)state;
	prepare();
	fake_cpus[0].cr4 |= CR4_UMIP | CR4_PKE;
	assert_int_equal(machine_enter(0), RW_OK);
	cpu = this_cpu();
	assert_int_equal(*fake_vmcs(HOST_CR3), machine.boot.cr3);
	assert_int_equal(*fake_vmcs(HOST_FS_BASE), (uint64_t)cpu);
	assert_int_equal(*fake_vmcs(HOST_RSP), (uint64_t)cpu + PERCPU_STACK);
	assert_int_equal(*fake_vmcs(HOST_RIP), (uint64_t)vm_exit);
	assert_int_equal(*fake_vmcs(HOST_IDTR_BASE), fault_idt());
	assert_int_equal(*fake_vmcs(HOST_GDTR_BASE), (uint64_t)cpu->gdt);
	assert_int_equal(*fake_vmcs(HOST_TR_BASE), (uint64_t)&cpu->tss);
	assert_false(*fake_vmcs(HOST_CR0) & CR0_TS);
	assert_true(*fake_vmcs(HOST_CR0) & CR0_WP);
	assert_int_equal(*fake_vmcs(HOST_CR4),
			 CR4_PAE | CR4_MCE | CR4_OSFXSR | CR4_OSXMMEXCPT |
				 CR4_UMIP | CR4_VMXE | CR4_FSGSBASE |
				 CR4_OSXSAVE | CR4_SMEP | CR4_SMAP);
	assert_true(cpu->canary && !(cpu->canary & 0xff));
	/* Faults, NMI and #MC each on a stack of their own in the block. */
	for (int i = 0; i < 3; i++)
		for (int j = 0; j < i; j++)
			assert_int_not_equal(cpu->tss.ist[i], cpu->tss.ist[j]);
	for (int i = 0; i < 3; i++)
		assert_in_range(cpu->tss.ist[i],
				(uint64_t)cpu + 2 * RW_PAGE_SIZE,
				(uint64_t)cpu + 4 * RW_PAGE_SIZE);
}

static void every_cpu_has_a_block_and_a_vmcs_of_its_own(void **state)
{
	(void)state;
	machine_init();
	machine.cpus = 4;
	machine_start();
	for (uint32_t i = 0; i < 4; i++) {
		assert_int_equal(percpu_get(i)->index, i);
		assert_int_equal(percpu_get(i)->apic_id, i);
		assert_int_equal(percpu_get(i)->canary, percpu_get(0)->canary);
		for (uint32_t j = 0; j < i; j++) {
			assert_ptr_not_equal(percpu_get(i), percpu_get(j));
			assert_int_not_equal(fake_cpus[i].current_vmcs,
					     fake_cpus[j].current_vmcs);
		}
	}
	assert_null(percpu_get(4));
	assert_null(percpu_get(UINT32_MAX));
}

static void all_cpus_share_the_tree_and_the_bitmap(void **state)
{
	(void)state;
	machine_init();
	machine.cpus = 2;
	machine_start();
	for (uint32_t i = 0; i < 2; i++) {
		machine_use(i);
		assert_int_equal(*fake_vmcs(EPT_POINTER),
				 ept_pointer(wall_ept()));
		assert_int_equal(*fake_vmcs(MSR_BITMAP), msr_bitmap().v);
		assert_true(fake->invept_all && fake->invvpid);
	}
}

static void a_cpu_without_vtx_is_refused_as_such(void **state)
{
	struct fake_model model = fake_models[MODEL_corei7_icelake_u];

	(void)state;
	prepare();
	model.features &= ~(uint32_t)BIT(5);
	fake_cpus[0].model = &model;
	assert_refused(RW_E_NO_VTX);
}

static void vtx_that_the_firmware_locked_off_is_refused_as_such(void **state)
{
	static const uint64_t off[] = { 0, 1, 4 };

	(void)state;
	prepare();
	for (size_t i = 0; i < sizeof(off) / sizeof(off[0]); i++) {
		*fake_msr(IA32_FEATURE_CONTROL) = off[i];
		assert_refused(RW_E_VTX_LOCKED);
	}
}

static void five_level_paging_is_refused_as_such(void **state)
{
	(void)state;
	prepare();
	fake_cpus[0].cr4 |= CR4_LA57;
	host.cr4 = fake_cpus[0].cr4;
	assert_refused(RW_E_LA57);
}

static void fred_is_refused_as_such(void **state)
{
	(void)state;
	prepare();
	fake_cpus[0].cr4 |= CR4_FRED;
	host.cr4 = fake_cpus[0].cr4;
	assert_refused(RW_E_FRED);
}

static void vmx_in_the_hands_of_another_is_refused_as_such(void **state)
{
	(void)state;
	prepare();
	fake_cpus[0].cr4 |= CR4_VMXE;
	host.cr4 = fake_cpus[0].cr4;
	assert_refused(RW_E_VMX_IN_USE);
}

/* It could not be switched off any more: its MSRs are denied to the guest. */
static void a_cpu_that_is_being_traced_is_refused_as_such(void **state)
{
	(void)state;
	prepare();
	fake_msr_set(IA32_RTIT_CTL, 0x2501); /* on */
	fake->features7_ebx |= BIT(25);
	assert_refused(RW_E_TRACING);
	*fake_msr(IA32_RTIT_CTL) &= ~1ULL;
	assert_int_equal(machine_enter(0), RW_OK);
}

static void a_cpu_that_records_for_perf_is_refused_as_such(void **state)
{
	(void)state;
	prepare();
	fake_msr_set(IA32_PEBS_ENABLE, 1);
	*fake_msr(IA32_MISC_ENABLE) &= ~BIT(12);
	assert_refused(RW_E_TRACING);
	*fake_msr(IA32_PEBS_ENABLE) = 0;
	assert_int_equal(machine_enter(0), RW_OK);
}

static void a_cpu_that_lacks_ept_is_refused_as_such(void **state)
{
	(void)state;
	machine_init();
	machine.model = MODEL_core2_penryn_t9600;
	machine_prepare();
	host = fake_cpus[0];
	fake_msr_set(IA32_VMX_EPT_VPID_CAP, 0);
	assert_refused(RW_E_CAPABILITY);
}

static void a_cpu_that_cannot_wait_for_a_sipi_is_refused_as_such(void **state)
{
	(void)state;
	prepare();
	*fake_msr(IA32_VMX_MISC) &= ~BIT(8);
	assert_refused(RW_E_CAPABILITY);
}

static void a_vmxon_that_fails_leaves_the_host_as_it_was(void **state)
{
	(void)state;
	prepare();
	fake_cpus[0].refuse_vmxon = true;
	assert_refused(RW_E_VMXON);
}

static void
any_vmx_instruction_that_fails_leaves_the_host_as_it_was(void **state)
{
	static const enum rw_error errors[] = { RW_E_VMXON,   RW_E_VMCLEAR,
						RW_E_VMPTRLD, RW_E_VMWRITE,
						RW_E_INVEPT,  RW_E_INVVPID };
	uint32_t seen[RW_E_INVVPID + 1] = { 0 };
	enum rw_error error;

	(void)state;
	prepare();
	for (uint32_t n = 1;; n++) {
		fake_cpus[0].refuse = n;
		error = machine_launch(0);
		if (!error)
			break;
		assert_int_equal(fake->refuse, 0);
		assert_in_range(error, RW_OK, RW_E_INVVPID);
		seen[error]++;
		assert_false(fake->vmx_on);
		assert_int_equal(fake->cr4, host.cr4);
		assert_int_equal(percpu_get(0)->state, RW_CPU_OUTSIDE);
	}
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		assert_true(seen[errors[i]]);
	assert_in_range(seen[RW_E_VMWRITE], 80, 200);
}

static void exceptions_and_machine_checks_go_straight_to_the_guest(void **state)
{
	(void)state;
	prepare();
	assert_int_equal(machine_enter(0), RW_OK);
	assert_int_equal(*fake_vmcs(EXCEPTION_BITMAP), 0);
}

static void a_vmwrite_that_fails_inside_stops_the_cpu(void **state)
{
	static const struct vm_exit x = { .reason = EXIT_GETSEC, .length = 2 };

	(void)state;
	machine_init();
	machine_start();
	fake->refuse = 1;
	assert_int_equal(machine_exit_to(&x), FAKE_STOPPED);
	fake_assert_message("VMWRITE refused");
}

static void a_vmlaunch_that_fails_leaves_the_host_as_it_was(void **state)
{
	(void)state;
	prepare();
	fake_cpus[0].refuse_launch = true;
	assert_refused(RW_E_VMENTRY);
	assert_int_equal(percpu_get(0)->state, RW_CPU_OUTSIDE);
	/* It may try again. */
	fake_cpus[0].refuse_launch = false;
	assert_int_equal(machine_enter(0), RW_OK);
}

static void a_cpu_that_did_not_get_in_is_not_waited_for(void **state)
{
	struct wall_change change = { gpa(TEXT_PHYS), RW_PAGE_SIZE, EPT_R };
	uint64_t generation;

	(void)state;
	machine_init();
	machine.cpus = 2;
	machine_prepare();
	assert_int_equal(machine_enter(0), RW_OK);
	fake_cpus[1].refuse_launch = true;
	assert_int_equal(machine_enter(1), RW_E_VMENTRY);
	machine_use(0);
	assert_int_equal(wall_apply(&change, 1, &generation), RW_OK);
	wall_before_entry(this_cpu());
	assert_true(wall_reached(generation));
}

static void a_cpu_beyond_those_announced_is_refused(void **state)
{
	(void)state;
	prepare();
	assert_int_equal(machine_enter(1), RW_E_CPU_COUNT);
	assert_int_equal(machine_enter(0), RW_OK);
}

/* Each field of the boot information that can be wrong, alone. */
static void boot_information_that_is_inconsistent_is_refused(void **state)
{
	static const struct {
		size_t offset;
		uint64_t value;
		size_t size;
		enum rw_error error;
	} bad[] = {
#define BAD(field, v, error)                  \
	{ offsetof(struct rw_boot, field), v, \
	  sizeof(((struct rw_boot *)0)->field), error }
		BAD(magic, 1, RW_E_BOOT_INFO),
		BAD(abi_version, RW_ABI_VERSION + 1, RW_E_ABI),
		BAD(size, sizeof(struct rw_boot) - 8, RW_E_BOOT_INFO),
		BAD(cpu_count, 0, RW_E_BOOT_INFO),
		BAD(cpu_count, 100000, RW_E_CPU_COUNT),
		BAD(chunk_count, 0, RW_E_BOOT_INFO),
		BAD(chunk_count, RW_BOOT_CHUNKS + 1, RW_E_BOOT_INFO),
		BAD(ram_count, 0, RW_E_BOOT_INFO),
		BAD(ram_count, RW_BOOT_RAM + 1, RW_E_BOOT_INFO),
		BAD(key_count, 0, RW_E_BOOT_INFO),
		BAD(key_count, RW_BOOT_KEYS + 1, RW_E_BOOT_INFO),
		BAD(cr3, MONITOR_START + 0x2008, RW_E_BOOT_INFO),
		BAD(doorbell, DOORBELL + 8, RW_E_BOOT_INFO),
		BAD(doorbell, MONITOR_START + 0x5000, RW_E_BOOT_INFO),
		BAD(used, MONITOR_SIZE + 0x1000, RW_E_BOOT_INFO),
		BAD(chunk[0].start, MONITOR_START + 1, RW_E_BOOT_INFO),
		BAD(chunk[0].end, MONITOR_START, RW_E_BOOT_INFO),
		BAD(chunk[0].end, UINT64_MAX & RW_PAGE_MASK, RW_E_BOOT_INFO),
		BAD(ram[0].start, 0x1001, RW_E_BOOT_INFO),
		BAD(ram[1].start, LOW_RAM_END - 0x1000, RW_E_BOOT_INFO),
		BAD(ram[2].end, HIGH_RAM_START, RW_E_BOOT_INFO),
		BAD(key[0][0], 2, RW_E_TRUST),
		BAD(key[0][9], 0, RW_E_TRUST),
#undef BAD
	};
	struct rw_boot *boot;

	(void)state;
	prepare();
	boot = physical(MONITOR_START);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		enum rw_error error;

		memcpy((uint8_t *)boot + bad[i].offset, &bad[i].value,
		       bad[i].size);
		error = machine_enter(0);
		if (error != bad[i].error)
			fail_msg("case %zu: error %d", i, (int)error);
		*boot = machine.boot;
	}
}

/* Keys and seed came from memory the host could read before. */
static void the_secrets_come_from_the_seed_and_it_is_forgotten(void **state)
{
	static const uint8_t zero[32];
	uint8_t nonce[RW_SHA256_SIZE];

	(void)state;
	prepare();
	policy_digest(machine.boot.seed, sizeof(machine.boot.seed), nonce);
	assert_int_equal(machine_enter(0), RW_OK);
	assert_memory_equal(enter_nonce(), nonce, sizeof(nonce));
	assert_memory_equal(enter_boot()->seed, zero, sizeof(zero));
	assert_memory_not_equal(&percpu_get(0)->canary, nonce,
				sizeof(uint64_t));
}

static void without_memory_the_host_is_not_taken(void **state)
{
	(void)state;
	machine_init();
	for (uint64_t pages = 5; pages < 64; pages++) {
		pid_t child = fork();
		int status;

		if (!child) {
			machine.boot.chunk[0].end =
				MONITOR_START + pages * RW_PAGE_SIZE;
			machine_prepare();
			host = fake_cpus[0];
			switch (machine_enter(0)) {
			case RW_OK:
				_exit(1);
			case RW_E_NO_MEMORY:
				_exit(fake->vmx_on ? 3 : 0);
			default:
				_exit(2);
			}
		}
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) < 2);
		if (WEXITSTATUS(status)) {
			assert_in_range(pages, 30, 63);
			return;
		}
	}
	fail_msg("64 pages are too few for one CPU");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_guest_is_the_host_as_it_stood),
		cmocka_unit_test(its_segments_are_as_its_descriptors_say),
		cmocka_unit_test(
			a_segment_of_the_ldt_is_one_in_its_first_entry_too),
		cmocka_unit_test(
			a_data_segment_of_the_ldt_has_the_base_it_says),
		cmocka_unit_test(the_monitor_has_a_state_of_its_own),
		cmocka_unit_test(every_cpu_has_a_block_and_a_vmcs_of_its_own),
		cmocka_unit_test(all_cpus_share_the_tree_and_the_bitmap),
		cmocka_unit_test(a_cpu_without_vtx_is_refused_as_such),
		cmocka_unit_test(
			vtx_that_the_firmware_locked_off_is_refused_as_such),
		cmocka_unit_test(five_level_paging_is_refused_as_such),
		cmocka_unit_test(fred_is_refused_as_such),
		cmocka_unit_test(
			vmx_in_the_hands_of_another_is_refused_as_such),
		cmocka_unit_test(a_cpu_that_is_being_traced_is_refused_as_such),
		cmocka_unit_test(
			a_cpu_that_records_for_perf_is_refused_as_such),
		cmocka_unit_test(a_cpu_that_lacks_ept_is_refused_as_such),
		cmocka_unit_test(
			a_cpu_that_cannot_wait_for_a_sipi_is_refused_as_such),
		cmocka_unit_test(a_vmxon_that_fails_leaves_the_host_as_it_was),
		cmocka_unit_test(
			exceptions_and_machine_checks_go_straight_to_the_guest),
		cmocka_unit_test(
			any_vmx_instruction_that_fails_leaves_the_host_as_it_was),
		cmocka_unit_test(a_vmwrite_that_fails_inside_stops_the_cpu),
		cmocka_unit_test(
			a_vmlaunch_that_fails_leaves_the_host_as_it_was),
		cmocka_unit_test(a_cpu_that_did_not_get_in_is_not_waited_for),
		cmocka_unit_test(a_cpu_beyond_those_announced_is_refused),
		cmocka_unit_test(
			boot_information_that_is_inconsistent_is_refused),
		cmocka_unit_test(
			the_secrets_come_from_the_seed_and_it_is_forgotten),
		cmocka_unit_test(without_memory_the_host_is_not_taken),
	};

	return machine_run_tests(tests);
}
