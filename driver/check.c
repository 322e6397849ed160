/* SPDX-License-Identifier: GPL-2.0 OR MIT */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cpumask.h>
#include <linux/printk.h>
#include <linux/smp.h>
#include <asm/cpufeature.h>
#include <asm/msr.h>
#include <asm/processor.h>
#include <asm/special_insns.h>
#include <ringwall/boot.h>
#include <ringwall/config.h>

#include "check.h"
#include "compat.h"

#define CPUID_1_ECX_VMX (1U << 5)

/*
 * SDM vol. 3, 23.7: VMXON needs the lock bit and the bit for operation outside
 * SMX. Firmware that left the register open leaves the choice to us.
 */
static enum rw_error check_feature_control(void)
{
	u64 value;

	if (rdmsrl_safe(MSR_IA32_FEAT_CTL, &value))
		return RW_E_NO_VTX;
	if (!(value & FEAT_CTL_LOCKED)) {
		value |= FEAT_CTL_LOCKED | FEAT_CTL_VMX_ENABLED_OUTSIDE_SMX;
		if (wrmsrl_safe(MSR_IA32_FEAT_CTL, value))
			return RW_E_VTX_LOCKED;
		pr_info("CPU %u: firmware left VT-x unlocked, locked it on\n",
			smp_processor_id());
	}
	return value & FEAT_CTL_VMX_ENABLED_OUTSIDE_SMX ? RW_OK :
							  RW_E_VTX_LOCKED;
}

/* The slots that Linux leaves to a hypervisor must be free: Xen takes them. */
static bool slots_are_free(void)
{
	const u64 *pml4 = __va(read_cr3_pa());
	unsigned int i;

	for (i = 0; i < RW_VA_SLOT_COUNT; i++)
		if (pml4[RW_VA_SLOT_FIRST + i])
			return false;
	return true;
}

static enum rw_error check_this_cpu(void)
{
	unsigned long cr4 = native_read_cr4();

	if (!(cpuid_ecx(1) & CPUID_1_ECX_VMX))
		return RW_E_NO_VTX;
	if (cr4 & X86_CR4_LA57)
		return RW_E_LA57;
	if (cr4 & X86_CR4_VMXE)
		return RW_E_VMX_IN_USE;
	if (!boot_cpu_has(X86_FEATURE_NX) || !slots_are_free())
		return RW_E_CAPABILITY;
	return check_feature_control();
}

static void check_by_ipi(void *ret_error)
{
	*(enum rw_error *)ret_error = check_this_cpu();
}

enum rw_error check_cpus(u32 *ret_cpu)
{
	unsigned int cpu, next = 0;

	for_each_present_cpu(cpu) {
		*ret_cpu = cpu;
		if (!cpu_online(cpu))
			return RW_E_CPU_OFFLINE;
		if (cpu != next++ || next > CONFIG_RINGWALL_MAX_CPUS)
			return RW_E_CPU_COUNT;
	}
	for_each_present_cpu(cpu) {
		enum rw_error error = RW_E_CPU_OFFLINE;

		*ret_cpu = cpu;
		smp_call_function_single(cpu, check_by_ipi, &error, 1);
		if (error)
			return error;
	}
	return RW_OK;
}
