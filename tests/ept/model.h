/* SPDX-License-Identifier: MIT */
/*
 * The flat reference model: an address space as an array of cells, each with
 * one state, and the changes as loops over cells. A cell is one page where
 * boundaries are tried densely, and more where only few boundaries are tried.
 */
#ifndef TESTS_EPT_MODEL_H
#define TESTS_EPT_MODEL_H

#include "tests/ept/fake.h"

#define MODEL_CELLS 1200

struct cell {
	uint64_t from;
	uint64_t to;
	enum { CELL_EMPTY, CELL_TAKEN, CELL_MAPPED } state;
	uint64_t offset; /* frame minus page */
	uint64_t permissions;
	enum memory_type type;
};

struct model {
	const struct mtrr_state *mtrr;
	bool coarse; /* frames are whole GiB away: leaves stay large */
	unsigned int cells;
	struct cell cell[MODEL_CELLS];
};

struct request {
	unsigned int first; /* cells [first, last) */
	unsigned int last;
	uint64_t offset;
	uint64_t permissions;
	enum memory_type type;
	enum {
		ASK_MAP,
		ASK_MAP_IDENTITY,
		ASK_PROTECT,
		ASK_TAKE,
		ASK_GIVE
	} what;
};

/** Starts at an address; model_add() continues to the next boundary. */
void model_init(struct model *model, const struct mtrr_state *mtrr);
void model_add(struct model *model, uint64_t from, uint64_t to);

/**
 * The error that a change has to give; if none, the model is changed, and
 * *narrows becomes true if some right goes.
 */
enum ept_error model_change(struct model *model, const struct request *change,
			    bool *narrows);

/** A change that the state of its first cell admits; one in ten goes too far. */
struct request model_draw(const struct model *model, uint64_t *seed);

/** Asks the library for the same change. */
enum ept_error model_request(const struct model *model,
			     const struct request *change,
			     struct ept_update *update);

/** Whether the CPU sees an address as the cell says. */
bool cell_matches(const struct cell *cell, const struct walk *walk,
		  uint64_t gpa);

/** Fails the test if a CPU or ept_query() differs from cells [first, last). */
void model_check(const struct model *model, struct fake *fake,
		 const struct ept *ept, unsigned int first, unsigned int last);

/** Uncacheable from 3 to 4 GiB and in one page at 2 MiB, else write-back. */
extern const struct mtrr_state model_mtrr;

#endif
