/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef RTREE_CHECK_H
#define RTREE_CHECK_H

#include <stdint.h>

#include "rtree/node.h"

/* Verifies the invariants of rtree/README.md in the tree below 'root', whose
 * pages are 'pages'.  Trusts nothing in it.  Counts nodes and items;
 * ERR_DAMAGED with the number of the first invariant that is broken, and
 * where; ERR_NO_MEMORY. */
int check_tree(const struct node *pages, uint64_t page_count, node_ref root,
	       uint64_t version, uint64_t *nodes, uint64_t *items);

#endif
