/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef RTREE_KERNEL_H
#define RTREE_KERNEL_H

/* The inner loop of every search: which of a node's entries can match, and
 * which of these do for certain, by their cells alone.
 *
 * Thread-safety: pure functions, chosen for this processor on first use. */

#include <stdint.h>

#include "base/rect.h"
#include "rtree/grid.h"

/* One bit for each entry. */
struct selection {
	uint64_t possible; /* the cells don't rule it out */
	uint64_t certain;  /* of these: the cells alone prove it */
};

/* Entries of 'node' that stand to a query, of which 'box' are the cells on the
 * node's grid, in 'relation'.  Only bits of the first 'count' entries are set.
 * For an inner node the relation is what its children's bounds must fulfil so
 * that there can be answers below. */
struct selection kernel_select(const struct node *node, unsigned count,
			       enum relation relation,
			       const struct grid_box *box);

/* The name of what runs: "avx512", "avx2" or "portable".  The environment's
 * CATFISH_KERNEL names another; one that this processor can't run, or that is
 * unknown, is passed over. */
const char *kernel_name(void);

#endif
