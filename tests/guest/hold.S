/* SPDX-License-Identifier: MIT */
/*
 * void hold(void): loads what hold_in says into every register a program has,
 * the stack pointer included, leaves it there for a while without touching one
 * of them, and writes what it then finds to hold_out. Signals must be blocked.
 * The layout is that of struct held in life.c.
 */
#define GPR(n) (8 * (n))
#define RFLAGS 128
#define FS_BASE 136
#define GS_BASE 144
#define SPIN 152
#define DS 160
#define GS 168
#define THROUGH_GS 176

	.text
	.globl	hold
	.type	hold, @function
hold:
	push	%rbx
	push	%rbp
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	mov	%rsp, own_rsp(%rip)
	rdfsbase %rax
	mov	%rax, own_fs_base(%rip)

	mov	$7, %eax
	xor	%edx, %edx
	xrstor64 hold_vectors_in(%rip)
	mov	hold_in+DS(%rip), %ax
	mov	%ax, %ds
	mov	%ax, %es
	mov	hold_in+GS(%rip), %ax
	mov	%ax, %gs
	test	%ax, %ax		/* a selector brings its base along */
	jnz	1f
	mov	hold_in+GS_BASE(%rip), %rax
	wrgsbase %rax
1:	mov	hold_in+FS_BASE(%rip), %rax
	wrfsbase %rax
	pushq	hold_in+RFLAGS(%rip)
	popfq

	/* Nothing below changes a flag but what restores them. */
	mov	hold_in+GPR(0)(%rip), %rax
	mov	hold_in+GPR(2)(%rip), %rdx
	mov	hold_in+GPR(3)(%rip), %rbx
	mov	hold_in+GPR(4)(%rip), %rsp
	mov	hold_in+GPR(5)(%rip), %rbp
	mov	hold_in+GPR(6)(%rip), %rsi
	mov	hold_in+GPR(7)(%rip), %rdi
	mov	hold_in+GPR(8)(%rip), %r8
	mov	hold_in+GPR(9)(%rip), %r9
	mov	hold_in+GPR(10)(%rip), %r10
	mov	hold_in+GPR(11)(%rip), %r11
	mov	hold_in+GPR(12)(%rip), %r12
	mov	hold_in+GPR(13)(%rip), %r13
	mov	hold_in+GPR(14)(%rip), %r14
	mov	hold_in+GPR(15)(%rip), %r15
	mov	hold_in+SPIN(%rip), %rcx
2:	loop	2b
	mov	hold_in+GPR(1)(%rip), %rcx
	.rept	1000
	nop
	.endr

	mov	%rax, hold_out+GPR(0)(%rip)
	mov	%rcx, hold_out+GPR(1)(%rip)
	mov	%rdx, hold_out+GPR(2)(%rip)
	mov	%rbx, hold_out+GPR(3)(%rip)
	mov	%rsp, hold_out+GPR(4)(%rip)
	mov	%rbp, hold_out+GPR(5)(%rip)
	mov	%rsi, hold_out+GPR(6)(%rip)
	mov	%rdi, hold_out+GPR(7)(%rip)
	mov	%r8, hold_out+GPR(8)(%rip)
	mov	%r9, hold_out+GPR(9)(%rip)
	mov	%r10, hold_out+GPR(10)(%rip)
	mov	%r11, hold_out+GPR(11)(%rip)
	mov	%r12, hold_out+GPR(12)(%rip)
	mov	%r13, hold_out+GPR(13)(%rip)
	mov	%r14, hold_out+GPR(14)(%rip)
	mov	%r15, hold_out+GPR(15)(%rip)
	mov	own_rsp(%rip), %rsp
	pushfq
	popq	hold_out+RFLAGS(%rip)
	pushq	$2
	popfq

	mov	$7, %eax
	xor	%edx, %edx
	xsave64	hold_vectors_out(%rip)
	rdfsbase %rax
	mov	%rax, hold_out+FS_BASE(%rip)
	rdgsbase %rax
	mov	%rax, hold_out+GS_BASE(%rip)
	mov	%ds, hold_out+DS(%rip)
	mov	%es, hold_out+DS+2(%rip)
	mov	%gs, hold_out+GS(%rip)
	mov	%gs, %ax
	test	%ax, %ax
	jz	3f
	mov	%gs:0, %rax
	mov	%rax, hold_out+THROUGH_GS(%rip)

3:	mov	own_fs_base(%rip), %rax
	wrfsbase %rax
	vzeroall
	fninit
	ldmxcsr	usual_mxcsr(%rip)
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbp
	pop	%rbx
	ret
	.size	hold, . - hold

	.data
	.balign	8
own_rsp:
	.quad	0
own_fs_base:
	.quad	0
usual_mxcsr:
	.long	0x1f80

	.section .note.GNU-stack, "", @progbits
