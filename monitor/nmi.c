/* SPDX-License-Identifier: MIT */
#include "monitor/nmi.h"

#include "monitor/vmcs.h"
#include "monitor/vmx.h"

static bool owed(const struct pcpu *cpu)
{
	return __atomic_load_n(&cpu->nmi_pending, __ATOMIC_RELAXED);
}

/*
 * An NMI between the load and the VMWRITE would set the window bit and see it
 * cleared again by us, so look a second time.
 */
static void update(struct pcpu *cpu)
{
	bool window;

	do {
		window = owed(cpu);
		vmcs_write32(PROCESSOR_CONTROLS,
			     cpu->processor_controls |
				     (window ? PROC_NMI_WINDOW : 0));
	} while (window != owed(cpu));
}

void nmi_set_controls(struct pcpu *cpu, uint32_t base)
{
	cpu->processor_controls = base;
	update(cpu);
}

void nmi_in_root(struct pcpu *cpu)
{
	__atomic_store_n(&cpu->nmi_pending, true, __ATOMIC_RELAXED);
	if (cpu->vmx)
		vmcs_write32(PROCESSOR_CONTROLS,
			     cpu->processor_controls | PROC_NMI_WINDOW);
}

/*
 * The exit blocks NMIs until an IRET. The next entry would end that too (SDM
 * Vol. 3, "Interruptibility State" of VM entries), but not in Bochs, where no
 * second NMI ever came.
 */
void nmi_exit(struct pcpu *cpu)
{
	__atomic_store_n(&cpu->nmi_pending, true, __ATOMIC_RELAXED);
	unblock_nmis();
	nmi_deliver(cpu);
}

/*
 * SDM Vol. 3 27.3.1.5: what may be injected under which blocking and where.
 * Blocking by STI is not waited out: on some CPUs the window exit comes under
 * it, and no instruction would ever run. An NMI ends it, as without us.
 */
static bool possible(void)
{
	if (vmcs_read32(GUEST_INTERRUPTIBILITY) &
	    (BLOCKING_BY_NMI | BLOCKING_BY_MOV_SS))
		return false;
	if (vmcs_read32(GUEST_ACTIVITY) == ACTIVITY_WAIT_SIPI)
		return false;
	return !(vmcs_read32(ENTRY_INTERRUPTION_INFO) & INTR_VALID);
}

void nmi_deliver(struct pcpu *cpu)
{
	if (owed(cpu) && !cpu->step.active && possible()) {
		__atomic_store_n(&cpu->nmi_pending, false, __ATOMIC_RELAXED);
		vmcs_write32(GUEST_INTERRUPTIBILITY,
			     vmcs_read32(GUEST_INTERRUPTIBILITY) &
				     ~(uint32_t)BLOCKING_BY_STI);
		vmcs_write32(ENTRY_INTERRUPTION_INFO,
			     INTR_VALID | INTR_TYPE_NMI | VECTOR_NMI);
		cpu->nmis++;
	}
	update(cpu);
}
