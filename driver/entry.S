/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* See entry.h. Must never touch memory other than the stack. */
#include <linux/linkage.h>
#include <linux/objtool.h>
#include <asm/nospec-branch.h>
#include <asm/unwind_hints.h>

#include "entry.h"

.text

/* u64 rw_cross(u64 entry, u64 boot, u32 cpu, u64 transition) */
SYM_FUNC_START(rw_cross)
	pushq	%rbp
	movq	%rsp, %rbp
	pushq	%rbx
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	pushfq
	cli
	subq	$CROSSING_SIZE, %rsp
	andq	$-16, %rsp		/* the monitor is built for that */

	leaq	.Llanding(%rip), %rax
	movq	%rax, CROSSING_RIP(%rsp)
	movq	%rsp, CROSSING_RSP(%rsp)
	movq	%cr3, %rbx
	movq	%rbx, CROSSING_CR3(%rsp)
	movq	%rcx, CROSSING_TRANSITION(%rsp)

	movq	%rdi, %rax
	movq	%rsi, %rdi		/* struct rw_boot *boot */
	movl	%edx, %esi		/* uint32_t cpu */
	movq	%rsp, %rdx		/* struct rw_crossing *x */
	UNWIND_HINT_SAVE		/* the landing has the same frame */
	movq	%rcx, %cr3
	ANNOTATE_RETPOLINE_SAFE
	call	*%rax

	/* Only a failure comes back here, and EAX says which. */
	movq	%rbx, %cr3
	testl	%eax, %eax
	jnz	.Lout
	movl	$CROSSING_FAILED, %eax
	jmp	.Lout

	/*
	 * A guest from here on, with CR3 as it was. The first exit is where
	 * the monitor tests how it steps, over the NOPs.
	 */
.Llanding:
	UNWIND_HINT_RESTORE
	nop
	nop
	nop
	nop
	movl	$CROSSING_SYNC, %eax
	vmcall
	xorl	%eax, %eax

.Lout:
	leaq	-48(%rbp), %rsp
	popfq
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbx
	popq	%rbp
	RET
SYM_FUNC_END(rw_cross)

SYM_CODE_START(rw_leave)
	UNWIND_HINT_IRET_REGS offset=8
	movq	%rcx, %cr3
	popq	%rcx
	UNWIND_HINT_IRET_REGS
	iretq
SYM_CODE_END(rw_leave)
