/* SPDX-License-Identifier: MIT */
#include "tests/monitor/machine.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "monitor/enter.h"
#include "monitor/exit.h"

#define BOOT_PML4    0x2000
#define BOOT_USED    0x4000
#define TEST_SECONDS 120
#define FS_BASE	     0x7f0000001740ULL

struct machine machine;
extern struct pcpu early_percpu; /* entry.S points FS there */

/* The generator of P-256: a point of the curve that nobody can sign for. */
static const uint8_t some_key[RW_KEY_POINT_SIZE] = {
	0x04, 0x6b, 0x17, 0xd1, 0xf2, 0xe1, 0x2c, 0x42, 0x47, 0xf8, 0xbc,
	0xe6, 0xe5, 0x63, 0xa4, 0x40, 0xf2, 0x77, 0x03, 0x7d, 0x81, 0x2d,
	0xeb, 0x33, 0xa0, 0xf4, 0xa1, 0x39, 0x45, 0xd8, 0x98, 0xc2, 0x96,
	0x4f, 0xe3, 0x42, 0xe2, 0xfe, 0x1a, 0x7f, 0x9b, 0x8e, 0xe7, 0xeb,
	0x4a, 0x7c, 0x0f, 0x9e, 0x16, 0x2b, 0xce, 0x33, 0x57, 0x6b, 0x31,
	0x5e, 0xce, 0xcb, 0xb6, 0x40, 0x68, 0x37, 0xbf, 0x51, 0xf5
};

void machine_init(void)
{
	machine = (struct machine){
		.model = MODEL_corei7_icelake_u,
		.cpus = 1,
		.boot = {
			.magic = RW_BOOT_MAGIC,
			.abi_version = RW_ABI_VERSION,
			.size = sizeof(struct rw_boot),
			.chunk_count = 1,
			.ram_count = 3,
			.key_count = 1,
			.image_va = RW_VA_IMAGE,
			.image_size = 0x40000,
			.cr3 = MONITOR_START + BOOT_PML4,
			.leave_va = GUEST_CODE + 0x800,
			.doorbell = DOORBELL,
			.seed = { 1, 2, 3, 4 },
			.used = BOOT_USED,
			.chunk = { { MONITOR_START,
				     MONITOR_START + MONITOR_SIZE } },
			.ram = { { LOW_RAM_START, LOW_RAM_END },
				 { RAM_START, RAM_END },
				 { HIGH_RAM_START, HIGH_RAM_END } },
		},
	};
	memcpy(machine.boot.key[0], some_key, sizeof(some_key));
	fake_memory_init();
}

void machine_prepare(void)
{
	struct rw_boot *boot = &machine.boot;

	boot->cpu_count = machine.cpus;
	fake_memory_donate(boot->chunk[0].start, boot->chunk[0].end);
	memcpy(physical(MONITOR_START), boot, sizeof(*boot));
	fake_memory_root(boot->cr3);
	for (uint32_t i = 0; i < machine.cpus && i < FAKE_CPUS; i++)
		fake_cpu_init(&fake_cpus[i], i, &fake_models[machine.model]);
}

enum rw_error machine_launch(uint32_t cpu)
{
	struct rw_crossing x = { GUEST_CODE, GUEST_STACK, 0x2000000, 0x3000 };
	uint64_t stack[ENTER_RETURN_SLOT + 1] = { [ENTER_RETURN_SLOT] =
							  GUEST_CODE + 0x400 };
	struct pcpu *block = NULL;
	enum rw_error error;

	fake = &fake_cpus[cpu < machine.cpus ? cpu : 0];
	fake->fs_base = &early_percpu;
	error = enter_prepare(physical(MONITOR_START), cpu, &block);
	if (error)
		return error;
	fake->fs_base = block;
	error = enter_vmcs(block, &x, FS_BASE, stack);
	if (error)
		return error;
	if (fake->refuse_launch)
		return enter_refused(block);
	fake_enter();
	return RW_OK;
}

void machine_first_exit(void)
{
	if (machine.trap_flag_fires &&
	    (*fake_vmcs(PROCESSOR_CONTROLS) & PROC_MONITOR_TRAP_FLAG))
		machine_exit(
			&(struct vm_exit){ .reason = EXIT_MONITOR_TRAP_FLAG });
	assert_int_equal(hypercall(RW_HC_VERSION, 0, 0), RW_OK);
}

enum rw_error machine_enter(uint32_t cpu)
{
	enum rw_error error = machine_launch(cpu);

	if (!error)
		machine_first_exit();
	return error;
}

void machine_start(void)
{
	machine_prepare();
	for (uint32_t i = 0; i < machine.cpus; i++)
		assert_int_equal(machine_enter(i), RW_OK);
	machine_use(0);
}

void machine_use(uint32_t cpu)
{
	fake = &fake_cpus[cpu];
}

/* What the CPU stores and loads on an exit: SDM Vol. 3 28.2 to 28.5. */
static void load_host(const struct vm_exit *x)
{
	*fake_vmcs(EXIT_REASON) = x->reason;
	*fake_vmcs(EXIT_QUALIFICATION) = x->qualification;
	*fake_vmcs(GUEST_PHYSICAL_ADDRESS) = x->gpa;
	*fake_vmcs(GUEST_LINEAR_ADDRESS) = x->gla;
	*fake_vmcs(EXIT_INTERRUPTION_INFO) = x->info;
	*fake_vmcs(EXIT_INTERRUPTION_ERROR_CODE) = x->error_code;
	*fake_vmcs(IDT_VECTORING_INFO) = x->vectoring;
	*fake_vmcs(IDT_VECTORING_ERROR_CODE) = x->vectoring_error;
	*fake_vmcs(EXIT_INSTRUCTION_LENGTH) = x->length;
	fake->cr0 = *fake_vmcs(HOST_CR0);
	fake->cr3 = *fake_vmcs(HOST_CR3);
	fake->cr4 = *fake_vmcs(HOST_CR4);
	fake->fs_base = (void *)*fake_vmcs(HOST_FS_BASE);
	fake->idtr.base = *fake_vmcs(HOST_IDTR_BASE);
	fake->idtr.limit = 0xffff;
	fake->dr7 = 0x400;
	fake_msr_set(IA32_DEBUGCTL, 0);
}

#define NOT_SAVED 0x6e6f742073617665ULL

static void assert_not_touched(const struct registers *regs)
{
	assert_int_equal(regs->rbp, NOT_SAVED);
	assert_int_equal(regs->r12, NOT_SAVED);
	assert_int_equal(regs->r13, NOT_SAVED);
	assert_int_equal(regs->r14, NOT_SAVED);
	assert_int_equal(regs->r15, NOT_SAVED);
}

/* As entry.S: first with what a call may change and RBX, then with all. */
static void handle(struct registers *regs)
{
	struct registers some = *regs;

	some.rbp = some.r12 = some.r13 = some.r14 = some.r15 = NOT_SAVED;
	if (!exit_handle(&some)) {
		exit_handle_all(regs);
		return;
	}
	assert_not_touched(&some);
	some.rbp = regs->rbp;
	memcpy(&some.r12, &regs->r12, 4 * sizeof(regs->r12));
	*regs = some;
}

enum fake_end machine_exit_to(const struct vm_exit *x)
{
	static struct registers regs; /* on the monitor's stack */
	enum fake_end end;

	load_host(x);
	assert_int_equal(fake->cr3, machine.boot.cr3);
	regs = fake->gpr;
	fake_run(end, handle(&regs));
	if (end != FAKE_RETURNED)
		return end;
	fake->gpr = regs;
	fake_vmresume();
	return end;
}

void machine_exit(const struct vm_exit *x)
{
	enum fake_end end = machine_exit_to(x);

	if (end == FAKE_STOPPED)
		fake_assert_message("no panic was expected");
	assert_int_equal(end, FAKE_RETURNED);
}

uint64_t hypercall(uint64_t number, uint64_t rdi, uint64_t rsi)
{
	uint64_t rip = *fake_vmcs(GUEST_RIP);

	fake->gpr.rax = number;
	fake->gpr.rdi = rdi;
	fake->gpr.rsi = rsi;
	machine_exit(&(struct vm_exit){ .reason = EXIT_VMCALL,
					.length = VMCALL_LENGTH });
	assert_skipped(rip, VMCALL_LENGTH);
	*fake_vmcs(GUEST_RIP) = rip; /* it was called from there */
	return fake->gpr.rax;
}

void assert_exception(uint32_t vector)
{
	assert_int_equal(fake->delivered.info & (INTR_VALID | INTR_TYPE_MASK |
						 INTR_VECTOR_MASK),
			 INTR_VALID | INTR_TYPE_EXCEPTION | vector);
}

void assert_skipped(uint64_t from, uint64_t bytes)
{
	assert_int_equal(fake->delivered.info, 0);
	assert_int_equal(*fake_vmcs(GUEST_RIP), from + bytes);
}

int machine_run(const struct CMUnitTest *tests, size_t count)
{
	int failed = 0;

	for (size_t i = 0; i < count; i++) {
		int status = 0;
		pid_t child = fork();

		if (!child) {
			alarm(TEST_SECONDS);
			exit(_cmocka_run_group_tests(tests[i].name, &tests[i],
						     1, NULL, NULL));
		}
		if (child < 0 || waitpid(child, &status, 0) != child || status)
			failed++;
	}
	return failed;
}
