/* SPDX-License-Identifier: MIT */
#include "tests/ept/model.h"

const struct mtrr_state model_mtrr = {
	.def_type = 1 << 11 | MEMORY_WB,
	.variable_count = 2,
	.variable = {
		{ 3 * GIB | MEMORY_UC, 0x3fffc0000800 },
		{ 2 * MIB | MEMORY_UC, 0x3ffffffff800 },
	},
};

void model_init(struct model *model, const struct mtrr_state *mtrr)
{
	model->mtrr = mtrr;
	model->coarse = false;
	model->cells = 0;
}

void model_add(struct model *model, uint64_t from, uint64_t to)
{
	assert_true(model->cells < MODEL_CELLS);
	model->cell[model->cells++] = (struct cell){
		.from = from,
		.to = to,
	};
}

static const int expected_state[] = {
	[ASK_MAP] = CELL_EMPTY,	     [ASK_MAP_IDENTITY] = CELL_EMPTY,
	[ASK_PROTECT] = CELL_MAPPED, [ASK_TAKE] = CELL_MAPPED,
	[ASK_GIVE] = CELL_TAKEN,
};

static void change_cell(const struct model *model, struct cell *cell,
			const struct request *change)
{
	uint64_t end;

	switch (change->what) {
	case ASK_MAP:
		cell->offset = change->offset;
		cell->type = change->type;
		break;
	case ASK_MAP_IDENTITY:
	case ASK_GIVE:
		cell->offset = 0;
		cell->type = mtrr_type(model->mtrr, cell->from, &end);
		assert_true(end >= cell->to);
		break;
	default:
		break;
	}
	cell->state = change->what == ASK_TAKE ? CELL_TAKEN : CELL_MAPPED;
	cell->permissions = change->what == ASK_TAKE ? 0 : change->permissions;
}

enum ept_error model_change(struct model *model, const struct request *change,
			    bool *narrows)
{
	static const enum ept_error errors[] = {
		[CELL_EMPTY] = EPT_ERR_UNMAPPED,
		[CELL_TAKEN] = EPT_ERR_TAKEN,
		[CELL_MAPPED] = EPT_ERR_MAPPED,
	};

	for (unsigned int i = change->first; i < change->last; i++)
		if ((int)model->cell[i].state != expected_state[change->what])
			return errors[model->cell[i].state];
	for (unsigned int i = change->first; i < change->last; i++) {
		struct cell *cell = &model->cell[i];
		uint64_t before = cell->permissions;

		change_cell(model, cell, change);
		if (before & ~cell->permissions)
			*narrows = true;
	}
	return EPT_OK;
}

static uint64_t size_of(const struct model *model, const struct request *change)
{
	return model->cell[change->last - 1].to -
	       model->cell[change->first].from;
}

struct request model_draw(const struct model *model, uint64_t *seed)
{
	static const uint64_t permissions[] = { EPT_RWX, EPT_RWX,
						EPT_RWX, EPT_R | EPT_X,
						EPT_R,	 EPT_R | EPT_W,
						EPT_X };
	static const uint64_t offsets[] = { 0, 0, 4 * KIB, 2 * MIB, GIB };
	static const enum memory_type types[] = { MEMORY_WB, MEMORY_WB,
						  MEMORY_UC, MEMORY_WC,
						  MEMORY_WT, MEMORY_WP };
	struct request change = {
		.first = draw_below(seed, model->cells),
		.offset = offsets[draw_below(seed, 5)],
		.permissions = permissions[draw_below(seed, 7)],
		.type = types[draw_below(seed, 6)],
	};
	uint64_t bits = 1 + draw_below(seed, 11);
	uint64_t length = 1 + draw_below(seed, 1ULL << draw_below(seed, bits));
	bool too_far = draw_below(seed, 10) == 0;
	unsigned int state = model->cell[change.first].state;

	if (state == CELL_EMPTY)
		change.what = draw_below(seed, 2) ? ASK_MAP : ASK_MAP_IDENTITY;
	else if (state == CELL_TAKEN)
		change.what = ASK_GIVE;
	else
		change.what = draw_below(seed, 3) ? ASK_PROTECT : ASK_TAKE;
	change.last = change.first;
	while (length-- && change.last < model->cells &&
	       (too_far || model->cell[change.last].state == state))
		change.last++;
	if (model->coarse)
		change.offset -= change.offset % GIB;
	else if (size_of(model, &change) > 16 * MIB)
		change.offset -= change.offset % (2 * MIB);
	return change;
}

enum ept_error model_request(const struct model *model,
			     const struct request *change,
			     struct ept_update *update)
{
	uint64_t from = model->cell[change->first].from;
	uint64_t size = size_of(model, change);
	uint64_t permissions = change->permissions;

	switch (change->what) {
	case ASK_MAP:
		return ept_map(update, gpa(from), hpa(from + change->offset),
			       size, permissions, change->type);
	case ASK_MAP_IDENTITY:
		return ept_map_identity(update, model->mtrr, gpa(from), size,
					permissions);
	case ASK_PROTECT:
		return ept_protect(update, gpa(from), size, permissions);
	case ASK_TAKE:
		return ept_take(update, gpa(from), size);
	default:
		return ept_give(update, model->mtrr, gpa(from), size,
				permissions);
	}
}

bool cell_matches(const struct cell *cell, const struct walk *walk,
		  uint64_t gpa)
{
	if (cell->state != CELL_MAPPED)
		return walk->outcome == WALK_VIOLATION;
	return walk->outcome == WALK_LEAF && walk->hpa == gpa + cell->offset &&
	       walk->permissions == cell->permissions &&
	       walk->type == cell->type;
}

static void check_address(const struct cell *cell, struct fake *fake,
			  const struct ept *ept, uint64_t address)
{
	static const enum ept_error errors[] = {
		[CELL_EMPTY] = EPT_ERR_UNMAPPED,
		[CELL_TAKEN] = EPT_ERR_TAKEN,
		[CELL_MAPPED] = EPT_OK,
	};
	struct walk walk =
		fake_walk(fake, ept->features, ept_pointer(ept), address);
	struct ept_translation answer;

	assert_int_equal(ept_query(ept, gpa(address), &answer),
			 errors[cell->state]);
	if (!cell_matches(cell, &walk, address))
		fail_msg("%#lx is not as the model says", (long)address);
	if (cell->state != CELL_MAPPED)
		return;
	assert_int_equal(answer.hpa.v, walk.hpa);
	assert_int_equal(answer.permissions, walk.permissions);
	assert_int_equal(answer.type, walk.type);
	assert_int_equal(answer.level, walk.level);
}

void model_check(const struct model *model, struct fake *fake,
		 const struct ept *ept, unsigned int first, unsigned int last)
{
	for (unsigned int i = first; i < last; i++) {
		const struct cell *cell = &model->cell[i];

		check_address(cell, fake, ept, cell->from);
		check_address(cell, fake, ept, cell->to - 1);
	}
}
