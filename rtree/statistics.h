/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef RTREE_STATISTICS_H
#define RTREE_STATISTICS_H

/* How many nodes and entries a version has.
 *
 * Thread-safety: for any thread that has the version pinned. */

#include <stdint.h>

#include "rtree/rtree.h"

/* By level. */
struct level_counts {
	uint64_t nodes[NODE_LEVEL_MAX + 1];
	uint64_t entries[NODE_LEVEL_MAX + 1];
};

/* Counts those of the tree below 'root', looking at every node. */
void statistics_count(const struct rtree *tree, node_ref root,
		      struct level_counts *counts);

/* Nodes of all levels. */
uint64_t statistics_nodes(const struct level_counts *counts);

#endif
