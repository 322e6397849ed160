/* SPDX-License-Identifier: MIT */
/* The host side of descriptor tables and what arrives through them. */
#ifndef MONITOR_FAULT_H
#define MONITOR_FAULT_H

#include <ringwall/types.h>

#include "monitor/percpu.h"

/** What entry.S pushes; the last five are the CPU's own. */
struct fault_frame {
	uint64_t rax, rbx, rcx, rdx, rsi, rdi, rbp;
	uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
	uint64_t vector, error_code;
	uint64_t rip, cs, rflags, rsp, ss;
};

/** Fills the IDT that all CPUs share. Once, before the first entry. */
void fault_init(void);

/** Fills this CPU's GDT and TSS; block is its STACK layout (percpu.c). */
void fault_init_cpu(struct pcpu *cpu, uint64_t nmi_stack, uint64_t mc_stack,
		    uint64_t fault_stack);

/** Base of the IDT, for HOST_IDTR_BASE. */
uint64_t fault_idt(void);

/** entry.S: every vector in VMX root. Returns only for an NMI. */
void fault_handle(struct fault_frame *frame);

/** panic.c: records a fault and stops this CPU. */
void __attribute__((noreturn)) panic_fault(const struct fault_frame *frame);

#endif
