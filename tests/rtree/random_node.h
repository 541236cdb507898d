/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_RTREE_RANDOM_NODE_H
#define TESTS_RTREE_RANDOM_NODE_H

/* Random nodes, on grids that suit them and on others. */

#include "rtree/node.h"
#include "tests/rtree/shape.h"

/* Any origin, and any scale that isn't negative: 0, tiny, huge, infinite and
 * NaN ones too. */
void random_grid(struct random *random, struct node_header *header);

/* A leaf of 1 to NODE_CAPACITY items, on the grid that the tree lays. */
void random_leaf(struct random *random, enum shape shape, struct node *leaf);

/* The same leaf on a random grid. */
void random_regrid(struct random *random, struct node *leaf);

/* Any cells on any grid. */
void random_cells(struct random *random, struct node *node);

#endif
