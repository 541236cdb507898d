/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef RTREE_APPEND_PLAN_H
#define RTREE_APPEND_PLAN_H

/* The plan of adding many items to a tree: which nodes they come to, what
 * becomes of each of these, and the pages that it takes, counted to the last.
 * The tree isn't changed.  Why it is done so is said in rtree/append.c.
 *
 * Thread-safety: the one writer's. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rtree/batch.h"

/* A node that items come to, in the order in which nodes are visited. */
struct append_visit {
	node_ref ref;
	uint64_t first; /* of these items in the order */
	uint64_t count;
	uint64_t entries; /* that it will have; or items below, if packed */
	bool is_packed;
};

struct append_plan {
	struct rtree_batch *batch;
	const struct item *items;
	uint64_t count;
	double fill; /* of leaves that are packed; 0: all of it */

	uint32_t *order; /* of the items: those of each visit together */
	struct append_visit *visits;
	size_t visit_count;
	uint64_t pages;
	uint64_t packed_most; /* items or nodes that are packed at once */
	uint64_t kept_most;   /* nodes that are built and have no parent yet */

	/* While it is made. */
	size_t visit_capacity;
	uint32_t *spare;
	uint8_t *child; /* to which each item of a node goes */
	struct node scratch;
};

/* Makes the plan for a batch, items and fill that are set, all else being zero.
 * ERR_DATA when an item has no proper rectangle, ERR_NO_ROOM when the tree
 * would become too high, ERR_NO_MEMORY.  append_plan_fini() frees it, also when
 * this failed. */
int append_plan_make(struct append_plan *plan);
void append_plan_fini(struct append_plan *plan);

/* Says that there is no memory to add the items. */
int append_plan_no_memory(const struct append_plan *plan);

#endif
