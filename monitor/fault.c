/* SPDX-License-Identifier: MIT */
#include "monitor/fault.h"

#include "monitor/nmi.h"
#include "monitor/vmx.h"

#define IDT_VECTORS	    32
#define FAULT_STUB_SIZE	    16
#define GATE_INTERRUPT	    0x8e00ULL /* present, DPL 0, type 14 */
#define IST_NMI		    1
#define IST_MC		    2
#define IST_FAULT	    3
#define DESCRIPTOR_CODE64   0x00af9b000000ffffULL
#define DESCRIPTOR_TSS_BUSY 0x8bULL

extern const uint8_t fault_stubs[];

static uint64_t idt[2 * IDT_VECTORS];

static uint64_t ist_of(unsigned int vector)
{
	switch (vector) {
	case VECTOR_NMI:
		return IST_NMI;
	case VECTOR_MC:
		return IST_MC;
	default:
		return IST_FAULT;
	}
}

void fault_init(void)
{
	for (unsigned int v = 0; v < IDT_VECTORS; v++) {
		uint64_t to = (uint64_t)fault_stubs + v * FAULT_STUB_SIZE;

		idt[2 * v] = (to & 0xffff) | SELECTOR_CODE << 16 |
			     ist_of(v) << 32 | GATE_INTERRUPT << 32 |
			     (to >> 16 & 0xffff) << 48;
		idt[2 * v + 1] = to >> 32;
	}
}

uint64_t fault_idt(void)
{
	return (uint64_t)idt;
}

void fault_init_cpu(struct pcpu *cpu, uint64_t nmi_stack, uint64_t mc_stack,
		    uint64_t fault_stack)
{
	uint64_t tss = (uint64_t)&cpu->tss;
	unsigned int slot = SELECTOR_TSS / 8;

	cpu->tss.ist[IST_NMI - 1] = nmi_stack;
	cpu->tss.ist[IST_MC - 1] = mc_stack;
	cpu->tss.ist[IST_FAULT - 1] = fault_stack;
	cpu->tss.io_map = sizeof(cpu->tss);
	cpu->gdt[SELECTOR_CODE / 8] = DESCRIPTOR_CODE64;
	cpu->gdt[slot] = (sizeof(cpu->tss) - 1) | (tss & 0xffffff) << 16 |
			 DESCRIPTOR_TSS_BUSY << 40 | (tss >> 24 & 0xff) << 56;
	cpu->gdt[slot + 1] = tss >> 32;
}

void fault_handle(struct fault_frame *frame)
{
	if (frame->vector != VECTOR_NMI)
		panic_fault(frame);
	nmi_in_root(this_cpu());
}
