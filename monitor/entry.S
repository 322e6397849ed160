/* SPDX-License-Identifier: MIT */
/*
 * Every way into and out of the monitor's C code: the crossing at enable, VM
 * exit and entry, faults and NMIs in VMX root, and the way out for good.
 */
#include <ringwall/monitor_offsets.h>

#define IA32_FS_BASE 0xc0000100
#define IA32_GS_BASE 0xc0000101
#define CPU_SELF 0

	.text

/* FS_BASE = RAX; clobbers RCX, RDX. */
.macro load_fs_base
	mov	%rax, %rdx
	shr	$32, %rdx
	mov	$IA32_FS_BASE, %ecx
	wrmsr
.endm

/*
 * ELF entry: uint64_t monitor_entry(boot, cpu, struct rw_crossing *x), called
 * by driver/entry.S with the transition table loaded. Returns on failure only.
 */
	.globl	monitor_entry
	.type	monitor_entry, @function
monitor_entry:
	push	%rbp
	push	%rbx
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	mov	%rdi, %r12
	mov	%rsi, %r13
	mov	%rdx, %r14
	mov	$IA32_FS_BASE, %ecx
	rdmsr
	shl	$32, %rdx
	or	%rdx, %rax
	push	%rax			/* guest's FS base; RSP is aligned now */
	lea	early_percpu(%rip), %rax
	load_fs_base

	mov	%r12, %rdi
	mov	%r13d, %esi
	sub	$16, %rsp
	mov	%rsp, %rdx
	call	enter_prepare		/* -> 0, struct pcpu * at (%rsp) */
	mov	(%rsp), %rbx
	add	$16, %rsp
	test	%rax, %rax
	jnz	.Lrefused

	mov	%rbx, %rax
	load_fs_base
	mov	%rbx, %rdi
	mov	%r14, %rsi
	mov	(%rsp), %rdx
	mov	%rsp, %rcx		/* where the call's stack begins */
	call	enter_vmcs
	test	%rax, %rax
	jnz	.Lrefused

	mov	8(%rsp), %r15
	mov	16(%rsp), %r14
	mov	24(%rsp), %r13
	mov	32(%rsp), %r12
	mov	40(%rsp), %rbx
	mov	48(%rsp), %rbp
	xor	%eax, %eax
	vmlaunch
	mov	%fs:CPU_SELF, %rdi	/* refused before any state was loaded */
	call	enter_refused

.Lrefused:
	mov	%rax, %rbx
	pop	%rax
	load_fs_base
	mov	%rbx, %rax
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbx
	pop	%rbp
	ret
	.size	monitor_entry, . - monitor_entry

/*
 * HOST_RIP. RSP is at this CPU's struct registers, where its stack begins. First
 * the registers that a call may change and RBX, which is enough for the common
 * exits; then, if exit_handle does not take it, all. VM entry needs no RSP.
 */
	.globl	vm_exit
	.type	vm_exit, @function
vm_exit:
	mov	%rax, REGS_RAX(%rsp)
	mov	%rcx, REGS_RCX(%rsp)
	mov	%rdx, REGS_RDX(%rsp)
	mov	%rbx, REGS_RBX(%rsp)
	mov	%rsi, REGS_RSI(%rsp)
	mov	%rdi, REGS_RDI(%rsp)
	mov	%r8, REGS_R8(%rsp)
	mov	%r9, REGS_R9(%rsp)
	mov	%r10, REGS_R10(%rsp)
	mov	%r11, REGS_R11(%rsp)
	mov	%rsp, %rdi
	call	exit_handle
	test	%al, %al
	jz	.Lall
.Lresume:
	mov	REGS_RAX(%rsp), %rax
	mov	REGS_RCX(%rsp), %rcx
	mov	REGS_RDX(%rsp), %rdx
	mov	REGS_RBX(%rsp), %rbx
	mov	REGS_RSI(%rsp), %rsi
	mov	REGS_RDI(%rsp), %rdi
	mov	REGS_R8(%rsp), %r8
	mov	REGS_R9(%rsp), %r9
	mov	REGS_R10(%rsp), %r10
	mov	REGS_R11(%rsp), %r11
	vmresume
	call	exit_resume_refused
	ud2
.Lall:
	mov	%rbp, REGS_RBP(%rsp)
	mov	%r12, REGS_R12(%rsp)
	mov	%r13, REGS_R13(%rsp)
	mov	%r14, REGS_R14(%rsp)
	mov	%r15, REGS_R15(%rsp)
	mov	%rsp, %rdi
	call	exit_handle_all
	mov	REGS_RBP(%rsp), %rbp
	mov	REGS_R12(%rsp), %r12
	mov	REGS_R13(%rsp), %r13
	mov	REGS_R14(%rsp), %r14
	mov	REGS_R15(%rsp), %r15
	jmp	.Lresume
	.size	vm_exit, . - vm_exit

/* Exceptions and NMI in VMX root, each on an IST stack. */
.macro fault vector, has_code
	.balign	16
	.if	\has_code == 0
	push	$0
	.endif
	push	$\vector
	jmp	fault_common
.endm

	.balign	16
	.globl	fault_stubs
fault_stubs:
	.irp	v, 0, 1, 2, 3, 4, 5, 6, 7
	fault	\v, 0
	.endr
	fault	8, 1
	fault	9, 0
	.irp	v, 10, 11, 12, 13, 14
	fault	\v, 1
	.endr
	fault	15, 0
	fault	16, 0
	fault	17, 1
	fault	18, 0
	fault	19, 0
	fault	20, 0
	fault	21, 1
	.irp	v, 22, 23, 24, 25, 26, 27, 28
	fault	\v, 0
	.endr
	fault	29, 1
	fault	30, 1
	fault	31, 0

	.type	fault_common, @function
fault_common:
	push	%r15
	push	%r14
	push	%r13
	push	%r12
	push	%r11
	push	%r10
	push	%r9
	push	%r8
	push	%rbp
	push	%rdi
	push	%rsi
	push	%rdx
	push	%rcx
	push	%rbx
	push	%rax
	mov	%rsp, %rdi
	cld
	sub	$8, %rsp
	call	fault_handle		/* returns for an NMI only */
	add	$8, %rsp
	pop	%rax
	pop	%rbx
	pop	%rcx
	pop	%rdx
	pop	%rsi
	pop	%rdi
	pop	%rbp
	pop	%r8
	pop	%r9
	pop	%r10
	pop	%r11
	pop	%r12
	pop	%r13
	pop	%r14
	pop	%r15
	add	$16, %rsp
	iretq
	.size	fault_common, . - fault_common

/* noreturn leave_load(const struct leave *l): VMX is off. */
	.globl	leave_load
	.type	leave_load, @function
leave_load:
	mov	%rdi, %rbx
	mov	LEAVE_CR4(%rbx), %rax
	mov	%rax, %cr4
	mov	LEAVE_TRANSITION(%rbx), %rax
	mov	%rax, %cr3
	mov	LEAVE_CR0(%rbx), %rax
	mov	%rax, %cr0
	/*
	 * The kernel's GDT may be mapped read-only and its TSS is busy: TR is
	 * loaded from a copy.
	 */
	lgdt	LEAVE_LTR_GDTR(%rbx)
	ltr	LEAVE_TR(%rbx)
	lgdt	LEAVE_GDTR(%rbx)
	lidt	LEAVE_IDTR(%rbx)
	lldt	LEAVE_LDTR(%rbx)
	mov	LEAVE_DS(%rbx), %eax
	mov	%eax, %ds
	mov	LEAVE_ES(%rbx), %eax
	mov	%eax, %es
	mov	LEAVE_FS(%rbx), %eax
	mov	%eax, %fs
	mov	LEAVE_GS(%rbx), %eax
	mov	%eax, %gs
	mov	LEAVE_SS(%rbx), %eax
	mov	%eax, %ss
	mov	LEAVE_FS_BASE(%rbx), %rax
	load_fs_base
	mov	LEAVE_GS_BASE(%rbx), %rax
	mov	%rax, %rdx
	shr	$32, %rdx
	mov	$IA32_GS_BASE, %ecx
	wrmsr

	/* The kernel's own stack: frame for IRETQ, RCX, then its registers. */
	mov	LEAVE_RSP(%rbx), %rsp
	pushq	LEAVE_SS(%rbx)
	pushq	LEAVE_RSP(%rbx)
	pushq	LEAVE_RFLAGS(%rbx)
	pushq	LEAVE_CS(%rbx)
	pushq	LEAVE_RIP(%rbx)
	pushq	(LEAVE_REGS + 8)(%rbx)
	mov	LEAVE_NMI(%rbx), %rax
	cmpb	$0, (%rax)
	je	1f
	int	$2
1:	mov	LEAVE_CR3(%rbx), %rcx
	mov	LEAVE_REGS(%rbx), %rax
	mov	(LEAVE_REGS + 16)(%rbx), %rdx
	mov	(LEAVE_REGS + 40)(%rbx), %rbp
	mov	(LEAVE_REGS + 48)(%rbx), %rsi
	mov	(LEAVE_REGS + 56)(%rbx), %rdi
	mov	(LEAVE_REGS + 64)(%rbx), %r8
	mov	(LEAVE_REGS + 72)(%rbx), %r9
	mov	(LEAVE_REGS + 80)(%rbx), %r10
	mov	(LEAVE_REGS + 88)(%rbx), %r11
	mov	(LEAVE_REGS + 96)(%rbx), %r12
	mov	(LEAVE_REGS + 104)(%rbx), %r13
	mov	(LEAVE_REGS + 112)(%rbx), %r14
	mov	(LEAVE_REGS + 120)(%rbx), %r15
	/* RBX last, and the target through the stack below RCX's slot. */
	pushq	LEAVE_LEAVE_VA(%rbx)
	mov	(LEAVE_REGS + 24)(%rbx), %rbx
	ret
	.size	leave_load, . - leave_load

	.section .note.GNU-stack, "", @progbits
