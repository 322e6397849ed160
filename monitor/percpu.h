/* SPDX-License-Identifier: MIT */
/*
 * What one CPU owns in the monitor. FS base points here while the CPU is in
 * VMX root, so offset 0x28 is the stack protector's canary.
 */
#ifndef MONITOR_PERCPU_H
#define MONITOR_PERCPU_H

#include <ringwall/addr.h>
#include <ringwall/boot.h>
#include <ringwall/error.h>
#include <ringwall/status.h>

#include "ept/view.h"
#include "monitor/cpu.h"
#include "monitor/step.h"

/** Guest registers as the exit path saved them, in the order of encodings. */
struct registers {
	uint64_t rax, rcx, rdx, rbx;
	uint64_t unused; /* RSP is in the VMCS */
	uint64_t rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15;
};

/** 64-bit TSS, SDM Vol. 3 figure 8-11. */
struct tss {
	uint32_t reserved0;
	uint64_t rsp[3];
	uint64_t reserved1;
	uint64_t ist[7];
	uint64_t reserved2;
	uint16_t reserved3;
	uint16_t io_map;
} __attribute__((packed));

/*
 * Selectors as Linux has them, so that the host's CS is also a valid kernel CS
 * in the guest's GDT during the few instructions of leaving.
 */
#define SELECTOR_CODE 0x10
#define SELECTOR_TSS  0x40
#define GDT_ENTRIES   16

/* The block: this page, NMI, #MC and fault stacks, the main stack. */
#define PERCPU_ORDER	3
#define PERCPU_BLOCK	(RW_PAGE_SIZE << PERCPU_ORDER)
#define PERCPU_STACK	(PERCPU_BLOCK - sizeof(struct registers)) /* begins */
#define WINDOWS		3 /* two to look at guest memory, one on the doorbell */
#define WINDOW_DOORBELL 2

/*
 * Written by this CPU only, but: state, exits, nmis and steps are read by
 * others for status (each a single word), nmi_pending is also set by this
 * CPU's NMI handler.
 */
struct pcpu {
	struct pcpu *self; /* FS:0 */
	uint64_t reserved[4];
	uint64_t canary; /* FS:0x28 */

	uint32_t index;
	uint32_t apic_id;
	uint32_t state;	       /* enum rw_cpu_state */
	bool vmx;	       /* VMCS loaded: VMREAD and VMWRITE work */
	enum rw_error refused; /* the first instruction, while it enters */
	bool nmi_pending;      /* an NMI is owed to the guest */
	bool self_test; /* first entry: does the monitor trap flag work? */
	bool step_mtf;	/* it does */
	uint32_t processor_controls; /* base value of PROCESSOR_CONTROLS */
	struct registers *regs;	     /* of the exit being handled */

	uint64_t exits[RW_EXIT_REASONS + 1]; /* the last: beyond the table */
	uint64_t nmis;
	uint64_t steps;

	const uint64_t *wall_seen; /* how far this CPU has invalidated: wall.c */
	struct step step;
	struct ept_view view;

	void *vmxon;
	void *vmcs;
	uint64_t *transition;	   /* PML4 for leaving */
	uint64_t *window[WINDOWS]; /* page-table entries of the windows */
	struct rw_doorbell *doorbell;
	uint64_t guest_fs_base;			  /* at crossing */
	uint64_t abort_rip, abort_rsp, abort_cr3; /* crossing failed: go here */

	uint64_t gdt[GDT_ENTRIES];
	struct tss tss;
	uint8_t fpu[512] __attribute__((aligned(16)));
};

_Static_assert(offsetof(struct pcpu, canary) == 0x28, "-fstack-protector");
_Static_assert(sizeof(struct pcpu) <= 4096, "first page of the block");

static inline struct pcpu *this_cpu(void)
{
	return fs_self();
}

/**
 * Allocates and fills what a CPU needs before it can enter. Memory stays until
 * the monitor goes. RW_E_NO_MEMORY, *ret untouched.
 */
enum rw_error percpu_create(uint32_t index, struct pcpu **ret);

/** The CPU's block, or NULL if it never entered. */
struct pcpu *percpu_get(uint32_t index);

/** Are CPUs 0 to count - 1 all in, past their first exit? */
bool percpu_all_inside(uint32_t count);

/** Saves (restores) the guest's SSE state around code that uses it. */
void fpu_begin(void);
void fpu_end(void);

#endif
