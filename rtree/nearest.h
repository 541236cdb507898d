/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef RTREE_NEAREST_H
#define RTREE_NEAREST_H

/* The k items nearest to a point, without I/O, fed like a walk:
 *
 *	nearest_begin(&nearest, point, k, root_ref, page_count);
 *	while (nearest_next(&nearest, &wanted)) {
 *		... get the bytes of the node that 'wanted' names ...
 *		int error = nearest_feed(&nearest, &wanted, node);
 *	}
 *	nearest_sort(&nearest);
 *	... nearest.found[0 .. nearest.found_count) ...
 *	nearest_end(&nearest);
 *
 * Best first (Hjaltason and Samet, "Distance Browsing in Spatial Databases",
 * ACM TODS 24(2), 1999): of all nodes seen the one that is nearest comes next,
 * and none that is farther than the k-th item found.  Distances are Euclidean,
 * from the point to the nearest point of the rectangle, and are compared
 * squared; equal ones are ordered by id, so every order of feeding gives the
 * same answer.  Squares beyond the largest double (distances beyond 1e154) are
 * all equal.
 *
 * Nothing that is fed is trusted; see rtree/walk.h.
 *
 * Thread-safety: one search, one thread. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/rect.h"
#include "rtree/walk.h"

struct neighbour {
	double distance2; /* squared */
	struct item item;
};

/* What is still wanted of an inner node that was fed: its children come one by
 * one, the nearest first. */
struct nearest_node {
	double bounds2[NODE_LANES]; /* how near what is below each may be */
	node_ref child[NODE_LANES];
	uint64_t remaining; /* a bit for each child that was not wanted yet */
	int level;	    /* of the children */
};

/* The nearest of these, in the queue of those that come next. */
struct nearest_next {
	double bound2;
	uint32_t node;
	uint32_t child;
};

enum { NEAREST_INLINE = 8, NEAREST_FOUND_INLINE = 16 };

/* Must not be moved while in use. */
struct nearest {
	double point[DIMENSIONS];
	uint64_t k;
	uint64_t page_count;
	uint64_t nodes;		  /* fed so far */
	const struct node *pages; /* of the region, to prefetch; or NULL */

	struct neighbour *found; /* a heap, the farthest on top, until sorted */
	size_t found_count;
	size_t found_capacity;
	size_t sorted; /* of what was found, at its end: the farthest */

	struct nearest_node *inner; /* nodes that were fed */
	size_t inner_count;
	size_t inner_capacity;
	struct nearest_next *queue; /* a heap, the nearest on top */
	size_t queue_count;
	size_t queue_capacity;

	/* What small searches do with. */
	struct neighbour inline_found[NEAREST_FOUND_INLINE];
	struct nearest_node inline_inner[NEAREST_INLINE];
	struct nearest_next inline_queue[NEAREST_INLINE];
};

/* Starts a search for the 'k' items nearest to a finite 'point'.  ERR_DAMAGED
 * when the root names no page, ERR_NO_MEMORY; nothing has to be ended then. */
int nearest_begin(struct nearest *nearest, const double point[DIMENSIONS],
		  uint64_t k, node_ref root, uint64_t page_count);

/* Takes the nearest node that is wanted; false when none can change the answer
 * any more. */
bool nearest_next(struct nearest *nearest, struct walk_wanted *wanted);

/* Feeds the node that 'wanted' names.  ERR_DAMAGED, ERR_NO_MEMORY. */
int nearest_feed(struct nearest *nearest, const struct walk_wanted *wanted,
		 const struct node *node);

/* What the filter of a leaf, its first RTREE_FILTER_SIZE bytes, tells of the
 * leaf that 'wanted' names and that has not been fed: a bit for each entry that
 * may be among the nearest, going by what was found so far.  Without any the
 * leaf needs no feeding. */
uint64_t nearest_filter(const struct nearest *nearest,
			const struct walk_wanted *wanted,
			const struct node *filter);

/* Orders what was found, the nearest first. */
void nearest_sort(struct nearest *nearest);

/* The same in steps of bounded time: puts at most 'count' more in order.  True
 * once all are. */
bool nearest_sort_some(struct nearest *nearest, size_t count);

void nearest_end(struct nearest *nearest);

#endif
