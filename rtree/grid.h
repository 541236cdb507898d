/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef RTREE_GRID_H
#define RTREE_GRID_H

/* A node's grid: where its entries' 8-bit cells lie (see rtree/node.h).
 *
 * Thread-safety: pure functions; the setters change a node that only its writer
 * sees. */

#include <stdbool.h>
#include <stdint.h>

#include "rtree/node.h"

/* The cell of a coordinate: never falls when v grows, whatever the grid is. */
static inline uint8_t grid_cell(double v, double origin, double scale)
{
	double cell = (v - origin) * scale;
	cell = cell > 0 ? cell : 0; /* a NaN too */
	cell = cell < GRID_CELLS - 1 ? cell : GRID_CELLS - 1;
	return (uint8_t)(int)cell;
}

/* A rectangle put on a grid. */
struct grid_box {
	uint8_t min[DIMENSIONS];
	uint8_t max[DIMENSIONS];
};

static inline struct grid_box grid_box(const struct node_header *header,
				       const struct rect *rect)
{
	struct grid_box box;
	for (int d = 0; d < DIMENSIONS; d++) {
		box.min[d] = grid_cell(rect->min[d], header->origin[d],
				       header->scale[d]);
		box.max[d] = grid_cell(rect->max[d], header->origin[d],
				       header->scale[d]);
	}
	return box;
}

/* Puts entry 'i' on the node's grid. */
static inline void grid_set_entry(struct node *node, int i,
				  const struct rect *rect)
{
	struct grid_box box = grid_box(&node->header, rect);
	for (int d = 0; d < DIMENSIONS; d++) {
		node->cell_min[d][i] = box.min[d];
		node->cell_max[d][i] = box.max[d];
	}
}

/* Copies the cells of entry 'from' to entry 'to'. */
static inline void grid_move_entry(struct node *node, int to, int from)
{
	for (int d = 0; d < DIMENSIONS; d++) {
		node->cell_min[d][to] = node->cell_min[d][from];
		node->cell_max[d][to] = node->cell_max[d][from];
	}
}

/* Lays the grid around the node's exact bounds, with a margin in which the
 * bounds may grow.  The cells of all entries have to be set anew. */
void grid_lay(struct node *node);

/* Whether the grid still suits the bounds: they lie within its cells 1 to 254,
 * so that what is beyond the node is told apart by its cell, and it is at most
 * about twice as wide as one laid anew would be. */
bool grid_suits(const struct node *node);

#endif
