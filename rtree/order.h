/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef RTREE_ORDER_H
#define RTREE_ORDER_H

/* The order in which bulk loading puts items into leaves.
 *
 * Leaves are equal shares of the items in order, so an order is all that bulk
 * loading has to find; what stands above the leaves follows from it.
 *
 * Thread-safety: the calling thread's, which may start others for the time of
 * the call. */

#include <stdint.h>

#include "base/rect.h"

/* Which item, and what it is ordered by: its centre, or where that lies on the
 * Hilbert curve. */
struct order_key {
	union {
		float centre[DIMENSIONS];
		uint32_t curve;
	};
	uint32_t index;
};

/* How items are shared out among leaves. */
struct order_leaves {
	uint64_t item_count;
	uint64_t leaf_count;
};

/* Where the items of leaf 'leaf' begin: shares differ by one at most. */
static inline uint64_t order_leaf_begin(const struct order_leaves *leaves,
					uint64_t leaf)
{
	return (uint64_t)((unsigned __int128)leaf * leaves->item_count /
			  leaves->leaf_count);
}

/* How the leaves below a node are shared out among its children: 'parts' equal
 * shares of whole leaves.  Where part 'part' of them begins. */
static inline uint64_t order_part_begin(uint64_t first_leaf,
					uint64_t leaf_count, uint64_t parts,
					uint64_t part)
{
	return first_leaf + leaf_count * part / parts;
}

/* Children of a node of 'level' (at least 1) that holds 'leaf_count' leaves: as
 * few as can be. */
uint64_t order_parts(int level, uint64_t leaf_count);

/* Tiles the items top-down: at each level, from 'root_level' down, the items of
 * a node are divided into its children's shares in slices along the longer side
 * and then across, as in sort-tile-recursive packing (STR: Leutenegger, Lopez
 * and Edgington, ICDE 1997) but from the root downwards (OMT: Lee and Lee,
 * CAiSE 2003 Forum), by distribution and selection instead of by sorting.
 * 'keys' have the centres; 'spare' has room for as many. */
void order_by_tiles(struct order_key *keys, struct order_key *spare,
		    const struct order_leaves *leaves, int root_level,
		    unsigned threads);

/* Sorts the keys by the place of their centres on the Hilbert curve (Kamel and
 * Faloutsos, CIKM 1993), on a grid around all centres.  'spare' has room for as
 * many keys; returns which of the two arrays has them in order, or NULL for no
 * memory.  Faster than tiling, and searches are slower. */
struct order_key *order_by_curve(struct order_key *keys,
				 struct order_key *spare, uint64_t count,
				 unsigned threads);

#endif
