/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef RTREE_PACK_H
#define RTREE_PACK_H

/* Packing: cuts items that are in order into leaves that are all equally full,
 * and builds as much as is wanted of what stands above.
 *
 * What is packed may as well be nodes of the batch, each an item whose id is
 * its ref; "leaves" are then nodes of a higher level.
 *
 * Thread-safety: the one writer's, who may start threads for the time of the
 * call. */

#include <stdatomic.h>
#include <stdint.h>

#include "rtree/batch.h"
#include "rtree/order.h"
#include "rtree/rtree.h"

struct packing {
	struct rtree_batch *batch;
	const struct rtree_pack_options *options;
	unsigned threads;
	const struct item *items;
	struct order_key *keys;	 /* of the items, in order; for all of them */
	struct order_key *spare; /* room for as many */
	node_ref *refs;		 /* of the leaves; room for all of them */
	struct order_leaves leaves;
	int level; /* of the leaves */
	_Atomic uint64_t leaves_built;
};

/* Leaves for so many items: with 'fill' of their entries (0: all), but none too
 * thin to stand alone. */
uint64_t pack_leaves(uint64_t item_count, double fill);

/* How many levels above its leaves the root of so many stands. */
int pack_height(uint64_t leaf_count);

/* Nodes that packing makes of so many leaves when it builds 'height' levels
 * above them; '*tops' is how many of these are on the last. */
uint64_t pack_count(uint64_t leaf_count, int height, uint64_t *tops);

/* The key of item 'i'. */
static inline struct order_key pack_key(const struct item *items, uint32_t i)
{
	const struct rect *r = &items[i].rect;
	struct order_key key = {.index = i};

	for (int d = 0; d < DIMENSIONS; d++)
		key.centre[d] = (float)(r->min[d] / 2 + r->max[d] / 2);
	return key;
}

/* Puts the keys in the order of tiles. */
void pack_tile(struct packing *packing);

/* Builds the nodes, whose pages were reserved.  Those of the level 'height'
 * above the leaves are put to 'tops', as items; returns how many these are. */
uint64_t pack_build(struct packing *packing, int height, struct item *tops);

#endif
