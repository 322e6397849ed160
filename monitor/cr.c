/* SPDX-License-Identifier: MIT */
/*
 * Writes to control registers that touch a bit VMX pins: CR0.NE and CR4.VMXE.
 * The guest keeps what it wrote as far as it can see; the real bit stays.
 * Everything else about the write is done as the CPU would have (SDM Vol. 3
 * 2.5, 4.4.1), or refused.
 */
#include "monitor/exit.h"
#include "monitor/inject.h"
#include "monitor/vmcs.h"
#include "monitor/vmx.h"

#define ACCESS_MOV_TO_CR 0
#define CR_NUMBER(q)	 ((q)&0xf)
#define CR_ACCESS(q)	 ((q) >> 4 & 3)
#define CR_REGISTER(q)	 ((unsigned int)((q) >> 8 & 0xf))
#define RIGHTS_TYPE	 0xfU
#define RIGHTS_LONG	 BIT(13) /* of CS: 64-bit code */
#define TSS_BUSY	 11	 /* not of 16 bits */

/* SDM Vol. 3 10.8.5: long mode begins and ends outside 64-bit code. */
static bool long_mode_may_switch(void)
{
	return !(vmcs_read32(GUEST_CS_ACCESS_RIGHTS) & RIGHTS_LONG) &&
	       (vmcs_read32(GUEST_TR_ACCESS_RIGHTS) & RIGHTS_TYPE) == TSS_BUSY;
}

/* Paging goes on or off: EFER.LMA and the entry control follow. */
static bool switch_paging(uint64_t value)
{
	uint64_t efer = vmcs_read64(GUEST_EFER);
	uint32_t entry = vmcs_read32(ENTRY_CONTROLS);

	if ((efer & EFER_LME) && !long_mode_may_switch())
		return false;
	if (value & CR0_PG) {
		/* PAE paging without long mode would need the PDPTEs. */
		if (!(efer & EFER_LME))
			return !(vmcs_read(GUEST_CR4) & CR4_PAE);
		if (!(vmcs_read(GUEST_CR4) & CR4_PAE))
			return false;
		vmcs_write64(GUEST_EFER, efer | EFER_LMA);
		vmcs_write32(ENTRY_CONTROLS, entry | ENTRY_IA32E_GUEST);
	} else {
		if (vmcs_read(GUEST_CR4) & CR4_PCIDE)
			return false;
		vmcs_write64(GUEST_EFER, efer & ~EFER_LMA);
		vmcs_write32(ENTRY_CONTROLS,
			     entry & ~(uint32_t)ENTRY_IA32E_GUEST);
	}
	return true;
}

static bool write_guest_cr0(uint64_t value)
{
	uint64_t old = vmcs_read(GUEST_CR0);

	if (value >> 32 || ((value & CR0_PG) && !(value & CR0_PE)) ||
	    ((value & CR0_NW) && !(value & CR0_CD)) ||
	    (!(value & CR0_WP) && (vmcs_read(GUEST_CR4) & CR4_CET)))
		return false;
	if ((value ^ old) & CR0_PG) {
		if (!switch_paging(value))
			return false;
		CHECK(!invvpid_all()); /* SDM Vol. 3 4.10.4.1 */
	}
	vmcs_write(GUEST_CR0, value | CR0_NE | CR0_ET);
	vmcs_write(CR0_READ_SHADOW, value | CR0_ET);
	return true;
}

/* Only VMXE differs from what the CPU lets through by itself. */
static bool write_guest_cr4(uint64_t value)
{
	uint64_t old = vmcs_read(GUEST_CR4);
	uint64_t real = value | CR4_VMXE;

	if (real != old)
		return false;
	vmcs_write(CR4_READ_SHADOW, value);
	return true;
}

void exit_cr_access(struct pcpu *cpu)
{
	uint64_t q = vmcs_read(EXIT_QUALIFICATION);
	uint64_t value = exit_register(cpu, CR_REGISTER(q));
	bool done = false;

	if (CR_ACCESS(q) == ACCESS_MOV_TO_CR && CR_NUMBER(q) == 0)
		done = write_guest_cr0(value);
	else if (CR_ACCESS(q) == ACCESS_MOV_TO_CR && CR_NUMBER(q) == 4)
		done = write_guest_cr4(value);
	if (done)
		skip_instruction();
	else
		inject_gp();
}
