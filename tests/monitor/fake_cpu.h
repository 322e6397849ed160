/* SPDX-License-Identifier: MIT */
/*
 * The processor under the monitor: registers, MSRs, CPUID and the VMX
 * instructions as the SDM says, one struct for each CPU. Whatever would fault
 * in VMX root, and every VMREAD or VMWRITE of a field that monitor/vmcs.def does
 * not name or of a value wider than the field, fails the test. Must never make
 * the monitor's decisions: what is not in the SDM does not belong here.
 */
#ifndef TESTS_MONITOR_FAKE_CPU_H
#define TESTS_MONITOR_FAKE_CPU_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "monitor/leave.h"
#include "monitor/percpu.h"
#include "monitor/vmcs.h"
#include "monitor/vmx.h"
#include "tests/monitor/models.h"

#define FAKE_CPUS 4
#define FAKE_MSRS 128
#define FAKE_TLB  32

enum fake_vmcs_index {
#define VMCS_FIELD(width, name, encoding) FAKE_##name,
#include "monitor/vmcs.def"
#undef VMCS_FIELD
	FAKE_FIELDS
};

struct fake_field {
	uint64_t value;
	bool written; /* since VMCLEAR */
};

struct fake_msr {
	uint32_t number;
	uint64_t value;
};

/** An event as VM entry delivers it; info 0: none. */
struct fake_event {
	uint32_t info, error_code, length;
};

/** A translation that this CPU remembers: SDM Vol. 3, caching of EPT. */
struct fake_translation {
	uint64_t eptp, page, hpa, rights; /* eptp 0: unused */
};

/** How a piece of the monitor's code ended if it did not return. */
enum fake_end {
	FAKE_RETURNED,
	FAKE_STOPPED, /* halt_forever(): a panic */
	FAKE_LEFT,    /* leave_load(): out of VMX */
	FAKE_RESET,   /* int3() with an empty IDT */
};

struct fake_cpu {
	const struct fake_model *model;
	uint32_t index;

	uint32_t features7_ebx; /* CPUID.7.0:EBX */
	uint64_t cr0, cr2, cr3, cr4, dr6, dr7, xcr0, tsc;
	uint16_t es, cs, ss, ds, fs, gs, ldtr, tr;
	struct table_register gdtr, idtr;
	void *fs_base;
	struct fake_msr msr[FAKE_MSRS];
	uint32_t msrs;
	const void *fpu_saved; /* where fxsave() put the guest's state, or NULL */

	bool vmx_on;
	uint64_t vmxon_region, current_vmcs; /* current_vmcs 0: none */
	struct fake_field vmcs[FAKE_FIELDS];
	bool refuse_vmxon, refuse_launch; /* for no reason */
	uint32_t refuse; /* so is the VMX instruction of this number from now */

	bool nmis_blocked;    /* since one exited; an entry does not end it */
	struct registers gpr; /* the guest's */
	struct fake_event delivered; /* by the last VM entry */
	struct leave left;	     /* what leave_load() was given */
	bool left_nmi;		     /* and an NMI was handed on */
	struct fake_translation tlb[FAKE_TLB];
	uint32_t tlb_next;
	uint32_t invept_single, invept_all, invvpid, wbinvd; /* how many */

	/** Instructions in VMX root so far, and what runs before each. */
	uint64_t instructions;
	void (*before)(const char *name, uint64_t operand);
};

extern struct fake_cpu fake_cpus[FAKE_CPUS];
/** The CPU that runs now. */
extern struct fake_cpu *fake;

/** A CPU of this model, as Linux has it in kernel mode. */
void fake_cpu_init(struct fake_cpu *cpu, uint32_t index,
		   const struct fake_model *model);

#define FAKE_LDTR 0x50

/** Gives the running CPU an LDT. */
void fake_ldt(const uint64_t *entries, uint16_t size);

/** A field of the VMCS, and its value, to look at or to change. */
struct fake_field *fake_field(uint32_t field);
uint64_t *fake_vmcs(uint32_t field);

/** The name and width in bits of a field. */
const char *fake_vmcs_name(uint32_t field);
uint32_t fake_vmcs_width(uint32_t field);

/** The MSR's place, or NULL if this CPU has none of that number. */
uint64_t *fake_msr(uint32_t number);

/** Adds or changes an MSR; takes one away. */
void fake_msr_set(uint32_t number, uint64_t value);
void fake_msr_remove(uint32_t number);

/**
 * The first rule of SDM Vol. 3 27.2 and 27.3 that a VM entry would break, or
 * NULL: fake_entry.c.
 */
const char *fake_entry_fault(void);

/** VM entry: fails the test if a rule is broken, delivers what is injected. */
void fake_enter(void);

/** The same as an instruction of the monitor's. */
void fake_vmresume(void);

/**
 * Would an NMI-window exit come before the guest's next instruction? Blocking
 * by STI holds it off on some CPUs, not on this one.
 */
bool fake_nmi_window(void);

/** Starts a stretch that may end without returning; see fake_run(). */
extern jmp_buf fake_out;
extern bool fake_may_end;

/**
 * Runs a statement of monitor code; how it ended goes to the variable `end`.
 */
#define fake_run(end, statement)                  \
	do {                                      \
		int fake_jump = setjmp(fake_out); \
                                                  \
		fake_may_end = true;              \
		if (!fake_jump) {                 \
			statement;                \
		}                                 \
		fake_may_end = false;             \
		(end) = (enum fake_end)fake_jump; \
	} while (0)

/** The statement ends in a panic whose message contains this text. */
#define assert_panics(text, statement)                    \
	do {                                              \
		enum fake_end fake_how;                   \
                                                          \
		fake_run(fake_how, statement);            \
		assert_int_equal(fake_how, FAKE_STOPPED); \
		fake_assert_message(text);                \
	} while (0)

/** The newest panic record's message contains this text. */
void fake_assert_message(const char *text);

#endif
