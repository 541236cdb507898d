/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BENCH_LAYOUT_LOAD_H
#define BENCH_LAYOUT_LOAD_H

/* Packs items into a tree of some layout, in the orders of rtree/order.h.
 *
 * Thread-safety: the calling thread's. */

#include "bench/layout.h"
#include "rtree/rtree.h"

/* Makes a tree of 'layout' with 'count' items, at least one, in nodes as full
 * as equal shares allow.  ERR_NO_MEMORY. */
int layout_tree_init(struct layout_tree *tree, const struct layout *layout,
		     const struct item *items, uint64_t count,
		     enum rtree_order order);
void layout_tree_fini(struct layout_tree *tree);

/* Levels of a tree with that many items when each node has 'fill' of the
 * entries that it has room for. */
int layout_height(const struct layout *layout, uint64_t count, double fill);

#endif
