/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/system/model.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	CELLS = 64, /* along each side of the unit square */
	/* Items with an edge longer than half a cell, wherever they are. */
	CELL_OF_LARGE = CELLS * CELLS,
	CELL_COUNT,
};

struct slot {
	struct rect rect;
	uint32_t cell;
	uint32_t place; /* in the cell */
	bool present;
	uint64_t tick; /* the last round of ticks that it was in */
};

struct cell {
	uint32_t *slots; /* indices of all writers' slots */
	uint32_t count, capacity;
};

struct model {
	struct slot *slots;
	uint64_t slot_count;
	uint32_t slots_each;
	uint64_t size;
	uint64_t tick;
	struct cell cells[CELL_COUNT];
};

static void *allocate(size_t count, size_t size)
{
	void *memory = calloc(count, size);

	if (!memory) {
		perror("calloc");
		exit(99);
	}
	return memory;
}

struct model *model_create(unsigned writers, uint32_t slots_each)
{
	struct model *model = allocate(1, sizeof(*model));

	model->slots_each = slots_each;
	model->slot_count = (uint64_t)writers * slots_each;
	model->slots = allocate(model->slot_count, sizeof(*model->slots));
	model->tick = 1;
	return model;
}

void model_destroy(struct model *model)
{
	for (int i = 0; i < CELL_COUNT; i++)
		free(model->cells[i].slots);
	free(model->slots);
	free(model);
}

/* --- Cells -------------------------------------------------------------- */

static int column(double v)
{
	int i = (int)(v * CELLS);

	return v < 0 || i < 0 ? 0 : i < CELLS ? i : CELLS - 1;
}

static uint32_t cell_of(const struct rect *rect)
{
	for (int d = 0; d < DIMENSIONS; d++)
		if (rect->max[d] - rect->min[d] > 0.5 / CELLS)
			return CELL_OF_LARGE;
	return (uint32_t)(column(rect->min[1]) * CELLS + column(rect->min[0]));
}

static void put_into_cell(struct model *model, uint32_t index)
{
	struct slot *slot = &model->slots[index];

	slot->cell = cell_of(&slot->rect);
	struct cell *cell = &model->cells[slot->cell];
	if (cell->count == cell->capacity) {
		cell->capacity = cell->capacity ? 2 * cell->capacity : 16;
		cell->slots = realloc(cell->slots,
				      cell->capacity * sizeof(*cell->slots));
		if (!cell->slots) {
			perror("realloc");
			exit(99);
		}
	}
	slot->place = cell->count;
	cell->slots[cell->count++] = index;
}

static void take_from_cell(struct model *model, uint32_t index)
{
	const struct slot *slot = &model->slots[index];
	struct cell *cell = &model->cells[slot->cell];
	uint32_t last = cell->slots[--cell->count];

	cell->slots[slot->place] = last;
	model->slots[last].place = slot->place;
}

void model_apply(struct model *model, unsigned writer,
		 const struct change *change)
{
	uint32_t index = writer * model->slots_each + change->slot;
	struct slot *slot = &model->slots[index];

	assert(change->slot < model->slots_each && index < model->slot_count);
	if (slot->present)
		take_from_cell(model, index);
	model->size -= slot->present;
	slot->present = change->present;
	model->size += slot->present;
	slot->rect = change->rect;
	if (slot->present)
		put_into_cell(model, index);
}

uint64_t model_size(const struct model *model)
{
	return model->size;
}

/* --- Searching ---------------------------------------------------------- */

/* A search on its way through the cells. */
struct search {
	const struct model *model;
	const struct model_query *query;
	model_found *found;
	void *context;
	uint64_t count;
};

static void search_cell(struct search *s, int number)
{
	const struct model *model = s->model;
	const struct cell *cell = &model->cells[number];

	for (uint32_t i = 0; i < cell->count; i++) {
		uint32_t index = cell->slots[i];
		const struct slot *slot = &model->slots[index];
		if (!rect_relation_holds(s->query->relation, &slot->rect,
					 &s->query->rect))
			continue;
		s->count++;
		if (!s->found)
			continue;
		struct item item = {
			.id = model_id(index / model->slots_each,
				       index % model->slots_each),
			.rect = slot->rect,
		};
		s->found(s->context, &item, slot->tick == model->tick);
	}
}

uint64_t model_search(const struct model *model,
		      const struct model_query *query, model_found *found,
		      void *context)
{
	struct search s = {model, query, found, context, 0};
	const struct rect *rect = &query->rect;
	/* An item is in the cell of its lower left corner, and reaches no
	 * further than the next, however its edges were rounded. */
	int left = column(rect->min[0]) - 1, right = column(rect->max[0]);
	int below = column(rect->min[1]) - 1, above = column(rect->max[1]);

	for (int y = below < 0 ? 0 : below; y <= above; y++)
		for (int x = left < 0 ? 0 : left; x <= right; x++)
			search_cell(&s, y * CELLS + x);
	search_cell(&s, CELL_OF_LARGE);
	return s.count;
}

bool model_tick(struct model *model, const struct model_query *query,
		const struct item *item)
{
	uint64_t id = (uint64_t)(item->id < 0 ? -item->id : item->id);
	uint64_t writer = id >> 32;
	uint64_t first = 2 * (id & UINT32_MAX);

	if (first + 1 >= model->slots_each ||
	    writer * model->slots_each >= model->slot_count ||
	    model_id((unsigned)writer, (uint32_t)first) != item->id)
		return false;
	struct slot *slot = &model->slots[writer * model->slots_each + first];
	for (int i = 0; i < 2; i++, slot++) {
		if (!slot->present || slot->tick == model->tick ||
		    !rect_equal(&slot->rect, &item->rect))
			continue;
		slot->tick = model->tick;
		return rect_relation_holds(query->relation, &item->rect,
					   &query->rect);
	}
	return false;
}

void model_untick(struct model *model)
{
	model->tick++;
}
