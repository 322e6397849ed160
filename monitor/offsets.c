/* SPDX-License-Identifier: MIT */
/* Offsets that entry.S uses; compiled, never linked. */
#include "cmake/asm_offsets.h"
#include "monitor/leave.h"
#include "monitor/percpu.h"

void offsets(void);

void offsets(void)
{
	ASM_OFFSET(REGS_RAX, offsetof(struct registers, rax));
	ASM_OFFSET(REGS_RCX, offsetof(struct registers, rcx));
	ASM_OFFSET(REGS_RDX, offsetof(struct registers, rdx));
	ASM_OFFSET(REGS_RBX, offsetof(struct registers, rbx));
	ASM_OFFSET(REGS_RBP, offsetof(struct registers, rbp));
	ASM_OFFSET(REGS_RSI, offsetof(struct registers, rsi));
	ASM_OFFSET(REGS_RDI, offsetof(struct registers, rdi));
	ASM_OFFSET(REGS_R8, offsetof(struct registers, r8));
	ASM_OFFSET(REGS_R9, offsetof(struct registers, r9));
	ASM_OFFSET(REGS_R10, offsetof(struct registers, r10));
	ASM_OFFSET(REGS_R11, offsetof(struct registers, r11));
	ASM_OFFSET(REGS_R12, offsetof(struct registers, r12));
	ASM_OFFSET(REGS_R13, offsetof(struct registers, r13));
	ASM_OFFSET(REGS_R14, offsetof(struct registers, r14));
	ASM_OFFSET(REGS_R15, offsetof(struct registers, r15));
	ASM_OFFSET(LEAVE_TRANSITION, offsetof(struct leave, transition));
	ASM_OFFSET(LEAVE_CR0, offsetof(struct leave, cr0));
	ASM_OFFSET(LEAVE_CR3, offsetof(struct leave, cr3));
	ASM_OFFSET(LEAVE_CR4, offsetof(struct leave, cr4));
	ASM_OFFSET(LEAVE_RIP, offsetof(struct leave, rip));
	ASM_OFFSET(LEAVE_RSP, offsetof(struct leave, rsp));
	ASM_OFFSET(LEAVE_RFLAGS, offsetof(struct leave, rflags));
	ASM_OFFSET(LEAVE_CS, offsetof(struct leave, cs));
	ASM_OFFSET(LEAVE_SS, offsetof(struct leave, ss));
	ASM_OFFSET(LEAVE_DS, offsetof(struct leave, ds));
	ASM_OFFSET(LEAVE_ES, offsetof(struct leave, es));
	ASM_OFFSET(LEAVE_FS, offsetof(struct leave, fs));
	ASM_OFFSET(LEAVE_GS, offsetof(struct leave, gs));
	ASM_OFFSET(LEAVE_LDTR, offsetof(struct leave, ldtr));
	ASM_OFFSET(LEAVE_TR, offsetof(struct leave, tr));
	ASM_OFFSET(LEAVE_FS_BASE, offsetof(struct leave, fs_base));
	ASM_OFFSET(LEAVE_GS_BASE, offsetof(struct leave, gs_base));
	ASM_OFFSET(LEAVE_GDTR, offsetof(struct leave, gdtr));
	ASM_OFFSET(LEAVE_IDTR, offsetof(struct leave, idtr));
	ASM_OFFSET(LEAVE_LTR_GDTR, offsetof(struct leave, ltr_gdtr));
	ASM_OFFSET(LEAVE_REGS, offsetof(struct leave, regs));
	ASM_OFFSET(LEAVE_LEAVE_VA, offsetof(struct leave, leave_va));
	ASM_OFFSET(LEAVE_NMI, offsetof(struct leave, nmi));
}
