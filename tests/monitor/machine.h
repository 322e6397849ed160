/* SPDX-License-Identifier: MIT */
/*
 * A host with the monitor on it: boot information as the driver makes it, CPUs
 * that enter through the monitor's own enter.c, and VM exits into exit.c. Each
 * VM entry that follows is checked as fake_entry.c says.
 *
 * Every test has a process of its own, so it begins with a monitor that has
 * never run: machine_run().
 */
#ifndef TESTS_MONITOR_MACHINE_H
#define TESTS_MONITOR_MACHINE_H

#include <ringwall/boot.h>

#include "tests/monitor/fake_cpu.h"
#include "tests/monitor/fake_memory.h"

/** What the host is like; change it before machine_start(). */
struct machine {
	enum fake_model_name model;
	uint32_t cpus;
	bool trap_flag_fires; /* the monitor trap flag, where allowed */
	struct rw_boot boot;
};

extern struct machine machine;

/** A VM exit; what is not named is 0. */
struct vm_exit {
	uint32_t reason;
	uint64_t qualification, gpa, gla;
	uint32_t info, error_code;	     /* of the event that exits */
	uint32_t vectoring, vectoring_error; /* being delivered meanwhile */
	uint32_t length;		     /* of the instruction */
};

#define GUEST_CODE    0xffffffffc0100000ULL /* where the guest is */
#define GUEST_STACK   0xffffc90000003000ULL
#define VMCALL_LENGTH 3

/** Memory, and `machine` with one Ice Lake. */
void machine_init(void);

/** Every CPU goes inside; fails the test if one refuses. CPU 0 runs then. */
void machine_start(void);

/** The boot information to memory, and the CPUs as Linux has them. */
void machine_prepare(void);

/** Takes a CPU in as driver/entry.S does; it runs from then on. */
enum rw_error machine_enter(uint32_t cpu);

/** Its two halves: up to the entry, and the call behind it. */
enum rw_error machine_launch(uint32_t cpu);
void machine_first_exit(void);

/** That CPU runs now. */
void machine_use(uint32_t cpu);

/** The running CPU exits, the monitor handles it and enters again. */
void machine_exit(const struct vm_exit *x);

/** The same, and tells how it ended: no entry follows if not FAKE_RETURNED. */
enum fake_end machine_exit_to(const struct vm_exit *x);

/** The guest calls by VMCALL and is back; returns RAX, RDX is in fake->gpr. */
uint64_t hypercall(uint64_t number, uint64_t rdi, uint64_t rsi);

/** The last entry delivered this exception and no other event. */
void assert_exception(uint32_t vector);

/** The last entry delivered nothing, and RIP went on by this many bytes. */
void assert_skipped(uint64_t from, uint64_t bytes);

/** Runs the tests, each in a process of its own. */
int machine_run(const struct CMUnitTest *tests, size_t count);

#define machine_run_tests(tests) \
	machine_run(tests, sizeof(tests) / sizeof((tests)[0]))

#endif
