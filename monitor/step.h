/* SPDX-License-Identifier: MIT */
/*
 * The shadow-page step: one guest instruction runs on scratch copies of the
 * pages it writes, seen by this CPU alone; then the difference is judged and
 * either committed to the real pages or thrown away. Owns the state between
 * the two VM exits; never lets an unjudged byte reach real memory.
 */
#ifndef MONITOR_STEP_H
#define MONITOR_STEP_H

#include <ringwall/addr.h>

struct pcpu;
struct registers;

#define STEP_PAGES 2 /* an instruction may straddle two */

struct step {
	bool active;
	uint32_t pages;
	gpa_t page[STEP_PAGES];
	void *scratch[STEP_PAGES];  /* what the instruction writes to */
	void *original[STEP_PAGES]; /* the page as the instruction found it */
	gpa_t gpa;		    /* of the first violation */
	gva_t gva;
	bool gva_valid;
	uint64_t saved[16]; /* struct registers before the instruction */
	uint64_t rip, rsp, rflags;
	uint64_t interruptibility;
	uint64_t segment[2][4]; /* CS, SS: selector, limit, rights, base */
};

/**
 * A write to a protected page trapped: sets up the scratch page so that the
 * next entry runs just that instruction. False if that cannot be done; then
 * the write has to be refused unseen.
 */
bool step_begin(struct pcpu *cpu, gpa_t at, gva_t linear, bool linear_valid);

/**
 * Takes an exit that came while a step was active. True: dealt with; false:
 * the step is over or given up and the exit wants its ordinary handler.
 */
bool step_exit(struct pcpu *cpu, uint32_t reason);

/** The tree changed under an active step: builds its view again. */
void step_rebuild(struct pcpu *cpu);

#endif
