/* SPDX-License-Identifier: MIT */
#include "monitor/inject.h"

#include "monitor/log.h"
#include "monitor/percpu.h"

/*
 * #DE, #TS to #PF, #VE, #CP: #GP while one of them is delivered makes #DF (SDM
 * Vol. 3 table 6-5).
 */
#define CAUSES_DF                                                             \
	(BIT(0) | BIT(10) | BIT(11) | BIT(12) | BIT(13) | BIT(14) | BIT(20) | \
	 BIT(21))

static void inject(uint32_t info, uint32_t error_code)
{
	if (!(vmcs_read(GUEST_CR0) & CR0_PE))
		info &= ~(uint32_t)INTR_ERROR_CODE; /* real mode has none */
	if (info & INTR_ERROR_CODE)
		vmcs_write32(ENTRY_EXCEPTION_ERROR_CODE, error_code);
	vmcs_write32(ENTRY_INTERRUPTION_INFO, info);
}

void inject_ud(void)
{
	inject(INTR_VALID | INTR_TYPE_EXCEPTION | VECTOR_UD, 0);
}

void inject_gp(void)
{
	uint32_t during = vmcs_read32(IDT_VECTORING_INFO);
	uint32_t first = during & INTR_VECTOR_MASK, vector = VECTOR_GP;

	if ((during & (INTR_VALID | INTR_TYPE_MASK)) ==
	    (INTR_VALID | INTR_TYPE_EXCEPTION)) {
		if (first == VECTOR_DF)
			inject_shutdown();
		if (CAUSES_DF >> first & 1)
			vector = VECTOR_DF;
	}
	inject((uint32_t)INTR_VALID | INTR_TYPE_EXCEPTION | INTR_ERROR_CODE |
		       vector,
	       0);
}

void inject_shutdown(void)
{
	struct table_register none = { 0, 0 };

	log_line("CPU %u: triple fault of the guest, rip %x",
		 (uint64_t)this_cpu()->index, vmcs_read(GUEST_RIP));
	write_idtr(none);
	int3();
}

void inject_db(uint64_t dr6)
{
	write_dr6(DR6_INIT ^ dr6); /* bits 11 and 16 are 0 if it happened */
	inject(INTR_VALID | INTR_TYPE_EXCEPTION | VECTOR_DB, 0);
}

void inject_reflect(void)
{
	uint32_t info = vmcs_read32(EXIT_INTERRUPTION_INFO);
	uint32_t vector = info & INTR_VECTOR_MASK;

	if (vector == VECTOR_PF)
		write_cr2(vmcs_read(EXIT_QUALIFICATION));
	/* INT1 has a type of its own, and leaves DR6 alone. */
	if (vector == VECTOR_DB &&
	    (info & INTR_TYPE_MASK) == INTR_TYPE_EXCEPTION) {
		inject_db(vmcs_read(EXIT_QUALIFICATION));
		return;
	}
	vmcs_write32(ENTRY_INSTRUCTION_LENGTH,
		     vmcs_read32(EXIT_INSTRUCTION_LENGTH));
	inject(info & (INTR_VALID | INTR_VECTOR_MASK | INTR_TYPE_MASK |
		       INTR_ERROR_CODE),
	       info & INTR_ERROR_CODE ?
		       vmcs_read32(EXIT_INTERRUPTION_ERROR_CODE) :
		       0);
}

bool inject_again(void)
{
	uint32_t info = vmcs_read32(IDT_VECTORING_INFO);

	if (!(info & INTR_VALID))
		return false;
	if ((info & INTR_TYPE_MASK) == INTR_TYPE_NMI)
		vmcs_write32(GUEST_INTERRUPTIBILITY,
			     vmcs_read32(GUEST_INTERRUPTIBILITY) &
				     ~(uint32_t)BLOCKING_BY_NMI);
	vmcs_write32(ENTRY_INSTRUCTION_LENGTH,
		     vmcs_read32(EXIT_INSTRUCTION_LENGTH));
	inject(info & (INTR_VALID | INTR_VECTOR_MASK | INTR_TYPE_MASK |
		       INTR_ERROR_CODE),
	       info & INTR_ERROR_CODE ? vmcs_read32(IDT_VECTORING_ERROR_CODE) :
					0);
	return true;
}

/* Outside 64-bit mode RIP wraps at 4 GiB; VM entry refuses one beyond. */
static bool in_64_bit_mode(void)
{
	return (vmcs_read64(GUEST_EFER) & EFER_LMA) &&
	       (vmcs_read32(GUEST_CS_ACCESS_RIGHTS) & BIT(13));
}

void skip_instruction(void)
{
	uint32_t blocking = vmcs_read32(GUEST_INTERRUPTIBILITY);
	uint64_t old = vmcs_read(GUEST_RIP);
	uint64_t rip = old + vmcs_read32(EXIT_INSTRUCTION_LENGTH);

	if (__builtin_expect((old ^ rip) >> 32 != 0, 0) && !in_64_bit_mode())
		rip = (uint32_t)rip;
	vmcs_write(GUEST_RIP, rip);
	if (blocking & (BLOCKING_BY_STI | BLOCKING_BY_MOV_SS))
		vmcs_write32(GUEST_INTERRUPTIBILITY,
			     blocking & ~(uint32_t)(BLOCKING_BY_STI |
						    BLOCKING_BY_MOV_SS));
	if (vmcs_read(GUEST_RFLAGS) & RFLAGS_TF)
		vmcs_write(GUEST_PENDING_DEBUG,
			   vmcs_read(GUEST_PENDING_DEBUG) | PENDING_DEBUG_BS);
}
