/* SPDX-License-Identifier: MIT */
/*
 * Every VM exit, told apart once by a table. What is not in the table is
 * refused with #UD and logged; nothing is resumed as if it had not happened.
 */
#ifndef MONITOR_EXIT_H
#define MONITOR_EXIT_H

#include "monitor/percpu.h"

/**
 * entry.S: handles the exits that a host cannot help making, as fast as may be.
 * Only the registers that a call may change and RBX are in *regs. False if it is
 * another exit, or not the time: nothing has happened, exit_handle_all is next.
 */
bool exit_handle(struct registers *regs);

/** entry.S: handles any exit, with all registers in *regs. */
void exit_handle_all(struct registers *regs);

/** entry.S: VMRESUME came back. */
void __attribute__((noreturn)) exit_resume_refused(void);

/* Handlers that have files of their own. */
void exit_cr_access(struct pcpu *cpu);
void exit_rdmsr(struct pcpu *cpu);
void exit_wrmsr(struct pcpu *cpu);
void exit_init(struct pcpu *cpu);
void exit_sipi(struct pcpu *cpu);
void exit_halt(struct pcpu *cpu);
void exit_ept_violation(struct pcpu *cpu);
void exit_vmcall(struct pcpu *cpu);

/** General register by its encoding in qualifications; 4 is RSP. */
uint64_t exit_register(const struct pcpu *cpu, unsigned int number);
void exit_set_register(struct pcpu *cpu, unsigned int number, uint64_t value);

#endif
