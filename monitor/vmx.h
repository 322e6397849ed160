/* SPDX-License-Identifier: MIT */
/*
 * Bits of the architecture, named as in the SDM, and the computation of VM
 * execution controls from what a CPU allows. Pure: host tests run it on the
 * capability MSRs of real and emulated models.
 */
#ifndef MONITOR_VMX_H
#define MONITOR_VMX_H

#include <ringwall/error.h>
#include <ringwall/types.h>

#define BIT(n) (1ULL << (n))

/* Control registers, RFLAGS, EFER: SDM Vol. 3 2.5, Vol. 1 3.4.3. */
#define CR0_PE	       BIT(0)
#define CR0_TS	       BIT(3)
#define CR0_ET	       BIT(4)
#define CR0_NE	       BIT(5)
#define CR0_WP	       BIT(16)
#define CR0_NW	       BIT(29)
#define CR0_CD	       BIT(30)
#define CR0_PG	       BIT(31)
#define CR4_PAE	       BIT(5)
#define CR4_MCE	       BIT(6)
#define CR4_OSFXSR     BIT(9)
#define CR4_OSXMMEXCPT BIT(10)
#define CR4_UMIP       BIT(11)
#define CR4_LA57       BIT(12)
#define CR4_VMXE       BIT(13)
#define CR4_FSGSBASE   BIT(16)
#define CR4_PCIDE      BIT(17)
#define CR4_OSXSAVE    BIT(18)
#define CR4_SMEP       BIT(20)
#define CR4_SMAP       BIT(21)
#define CR4_PKE	       BIT(22)
#define CR4_CET	       BIT(23)
#define CR4_FRED       BIT(32)
#define RFLAGS_FIXED   BIT(1)
#define RFLAGS_TF      BIT(8)
#define RFLAGS_IF      BIT(9)
#define EFER_LME       BIT(8)
#define EFER_LMA       BIT(10)
#define EFER_NXE       BIT(11)

/* MSRs: SDM Vol. 4. */
#define IA32_APIC_BASE		     0x1b
#define IA32_FEATURE_CONTROL	     0x3a
#define IA32_MTRRCAP		     0xfe
#define IA32_SYSENTER_CS	     0x174
#define IA32_SYSENTER_ESP	     0x175
#define IA32_SYSENTER_EIP	     0x176
#define IA32_MISC_ENABLE	     0x1a0
#define IA32_DEBUGCTL		     0x1d9
#define IA32_PAT		     0x277
#define IA32_PEBS_ENABLE	     0x3f1
#define IA32_VMX_BASIC		     0x480
#define IA32_VMX_MISC		     0x485
#define IA32_VMX_CR0_FIXED0	     0x486
#define IA32_VMX_CR0_FIXED1	     0x487
#define IA32_VMX_CR4_FIXED0	     0x488
#define IA32_VMX_CR4_FIXED1	     0x489
#define IA32_VMX_PROCBASED_CTLS2     0x48b
#define IA32_VMX_EPT_VPID_CAP	     0x48c
#define IA32_VMX_TRUE_PINBASED_CTLS  0x48d
#define IA32_VMX_TRUE_PROCBASED_CTLS 0x48e
#define IA32_VMX_TRUE_EXIT_CTLS	     0x48f
#define IA32_VMX_TRUE_ENTRY_CTLS     0x490
#define IA32_RTIT_CTL		     0x570
#define IA32_EFER		     0xc0000080
#define IA32_LSTAR		     0xc0000082
#define IA32_FS_BASE		     0xc0000100
#define IA32_GS_BASE		     0xc0000101
#define FEATURE_CONTROL_LOCKED	     BIT(0)
#define MISC_ENABLE_NO_PEBS	     BIT(12)
#define RTIT_CTL_TRACE_EN	     BIT(0)
#define XSS_PT			     BIT(8)

#define VMX_BASIC_TRUE_CONTROLS BIT(55)
#define VMX_MISC_WAIT_SIPI	BIT(8)

/* Controls: SDM Vol. 3 25.6 to 25.8. */
#define PIN_NMI_EXITING		 BIT(3)
#define PIN_VIRTUAL_NMIS	 BIT(5)
#define PROC_HLT		 BIT(7)
#define PROC_MWAIT		 BIT(10)
#define PROC_NMI_WINDOW		 BIT(22)
#define PROC_MONITOR_TRAP_FLAG	 BIT(27)
#define PROC_MSR_BITMAPS	 BIT(28)
#define PROC_SECONDARY		 BIT(31)
#define PROC_NOW_AND_THEN	 (PROC_HLT | PROC_MWAIT | PROC_NMI_WINDOW)
#define PROC2_EPT		 BIT(1)
#define PROC2_RDTSCP		 BIT(3)
#define PROC2_VPID		 BIT(5)
#define PROC2_UNRESTRICTED_GUEST BIT(7)
#define PROC2_INVPCID		 BIT(12)
#define PROC2_XSAVES		 BIT(20)
#define PROC2_USER_WAIT_PAUSE	 BIT(26)
#define EXIT_SAVE_DEBUG		 BIT(2)
#define EXIT_HOST_64		 BIT(9)
#define EXIT_SAVE_PAT		 BIT(18)
#define EXIT_LOAD_PAT		 BIT(19)
#define EXIT_SAVE_EFER		 BIT(20)
#define EXIT_LOAD_EFER		 BIT(21)
#define ENTRY_LOAD_DEBUG	 BIT(2)
#define ENTRY_IA32E_GUEST	 BIT(9)
#define ENTRY_LOAD_PAT		 BIT(14)
#define ENTRY_LOAD_EFER		 BIT(15)

/* Interruption information: SDM Vol. 3 tables 25-17, 25-18. */
#define INTR_VALID		     BIT(31)
#define INTR_ERROR_CODE		     BIT(11)
#define INTR_VECTOR_MASK	     0xffu
#define INTR_TYPE_MASK		     (7u << 8)
#define INTR_TYPE_EXTERNAL	     (0u << 8)
#define INTR_TYPE_NMI		     (2u << 8)
#define INTR_TYPE_EXCEPTION	     (3u << 8)
#define INTR_TYPE_INT1		     (5u << 8)
#define INTR_TYPE_SOFTWARE_EXCEPTION (6u << 8)
#define VECTOR_DB		     1
#define VECTOR_NMI		     2
#define VECTOR_UD		     6
#define VECTOR_DF		     8
#define VECTOR_GP		     13
#define VECTOR_PF		     14
#define VECTOR_MC		     18

/* Interruptibility, activity, pending debug: SDM Vol. 3 25.4.2. */
#define BLOCKING_BY_STI	   BIT(0)
#define BLOCKING_BY_MOV_SS BIT(1)
#define BLOCKING_BY_NMI	   BIT(3)
#define ACTIVITY_ACTIVE	   0
#define ACTIVITY_WAIT_SIPI 3
#define PENDING_DEBUG_BS   BIT(14)
#define DEBUG_HITS	   0x80fULL /* B0..B3 and a bus lock */
#define DR6_INIT	   0xffff0ff0ULL

/* Basic exit reasons: SDM Vol. 3 appendix C. */
#define EXIT_EXCEPTION_NMI	  0
#define EXIT_TRIPLE_FAULT	  2
#define EXIT_INIT		  3
#define EXIT_SIPI		  4
#define EXIT_NMI_WINDOW		  8
#define EXIT_CPUID		  10
#define EXIT_GETSEC		  11
#define EXIT_HLT		  12
#define EXIT_INVD		  13
#define EXIT_VMCALL		  18
#define EXIT_VMCLEAR		  19
#define EXIT_VMXON		  27
#define EXIT_CR_ACCESS		  28
#define EXIT_RDMSR		  31
#define EXIT_WRMSR		  32
#define EXIT_MWAIT		  36
#define EXIT_MONITOR_TRAP_FLAG	  37
#define EXIT_EPT_VIOLATION	  48
#define EXIT_EPT_MISCONFIGURATION 49
#define EXIT_INVEPT		  50
#define EXIT_INVVPID		  53
#define EXIT_XSETBV		  55
#define EXIT_VMFUNC		  59
#define EXIT_XSAVES		  63
#define EXIT_XRSTORS		  64
#define EXIT_BASIC_MASK		  0xffffu
#define EXIT_ENTRY_FAILED	  BIT(31)

/* EPT violation qualification: SDM Vol. 3 table 28-7. */
#define EPT_QUAL_READ		BIT(0)
#define EPT_QUAL_WRITE		BIT(1)
#define EPT_QUAL_FETCH		BIT(2)
#define EPT_QUAL_GLA_VALID	BIT(7)
#define EPT_QUAL_TRANSLATED	BIT(8) /* clear: by the guest's page walk */
#define EPT_QUAL_NMI_UNBLOCKING BIT(12)

/** The capability MSRs that decide the controls. */
struct vmx_capabilities {
	uint64_t basic;
	uint64_t pin, proc, proc2, exit, entry; /* the TRUE variants */
	uint64_t ept_vpid;
	uint64_t cr0_fixed0, cr0_fixed1, cr4_fixed0, cr4_fixed1;
};

struct vmx_controls {
	uint32_t pin, proc, proc2, exit, entry;
};

/**
 * Computes the controls: everything Ringwall needs, what the guest had before
 * and can keep (RDTSCP, INVPCID, XSAVES, TPAUSE), and nothing else.
 *
 * Returns RW_E_CAPABILITY, *ret untouched, if the CPU lacks a needed one.
 * Source: SDM Vol. 3 appendix A.
 */
enum rw_error RW_MUST_USE vmx_compute_controls(const struct vmx_capabilities *c,
					       struct vmx_controls *ret);

#endif
