/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/rtree/random_node.h"

#include <math.h>
#include <string.h>

#include "rtree/batch.h"
#include "rtree/grid.h"

static double random_origin(struct random *random)
{
	static const double special[] = {0.0, -0.0, NAN, INFINITY, -INFINITY};

	if (random_below(random, 16) == 0)
		return special[random_below(random, 5)];
	return shape_rect(SHAPE_MIXED, random).min[0];
}

static double random_scale(struct random *random)
{
	static const double special[] = {0.0, NAN, INFINITY};

	if (random_below(random, 16) == 0)
		return special[random_below(random, 3)];
	if (random_below(random, 2))
		return 1000 * random_unit(random);
	return fabs(shape_rect(SHAPE_HUGE, random).min[0]);
}

void random_grid(struct random *random, struct node_header *header)
{
	for (int d = 0; d < DIMENSIONS; d++) {
		header->origin[d] = random_origin(random);
		header->scale[d] = random_scale(random);
	}
}

void random_leaf(struct random *random, enum shape shape, struct node *leaf)
{
	struct entry entries[NODE_CAPACITY];
	int count = 1 + (int)random_below(random, NODE_CAPACITY);

	for (int i = 0; i < count; i++)
		entries[i] = (struct entry){
			.rect = shape_rect(shape, random),
			.value = random_next(random),
		};
	memset(leaf, 0, sizeof(*leaf));
	leaf->header.kind = NODE_KIND;
	node_fill(leaf, entries, count);
}

void random_regrid(struct random *random, struct node *leaf)
{
	random_grid(random, &leaf->header);
	for (int i = 0; i < leaf->header.count; i++)
		grid_set_entry(leaf, i, &leaf->rect[i]);
}

/* A few of them equal to each other, or at the ends. */
static uint8_t random_cell(struct random *random)
{
	uint64_t bits = random_next(random);

	switch (bits >> 8 & 7) {
	case 0:
		return 0;
	case 1:
		return UINT8_MAX;
	case 2:
	case 3:
		return 100 + (bits & 3);
	default:
		return (uint8_t)bits;
	}
}

void random_cells(struct random *random, struct node *node)
{
	memset(node, 0, sizeof(*node));
	random_grid(random, &node->header);
	for (int d = 0; d < DIMENSIONS; d++)
		for (int i = 0; i < NODE_LANES; i++) {
			uint8_t a = random_cell(random);
			uint8_t b = random_cell(random);
			node->cell_min[d][i] = a < b ? a : b;
			node->cell_max[d][i] = a < b ? b : a;
		}
}
