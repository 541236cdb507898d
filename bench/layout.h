/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BENCH_LAYOUT_H
#define BENCH_LAYOUT_H

/* One way to lay out the nodes of a tree, of those that bench/layouts compares.
 * layout_variants.c makes them from layout_body.h, each as a static tree that
 * is packed once and searched; what they have in common is here.
 *
 * Thread-safety: one tree, one thread. */

#include <stddef.h>
#include <stdint.h>

#include "base/rect.h"

enum { LAYOUT_FANOUT_MAX = 128 };

/* Where the exact boxes of an inner node's children are, which are needed to
 * lay its grid anew, and not for a search. */
enum layout_boxes {
	BOXES_NONE, /* not needed: the node has them, or none rounded anew */
	BOXES_IN_CHILD, /* a cache line of each child */
	BOXES_IN_NODE,	/* before the refs */
	BOXES_BEHIND,	/* the refs, where a READ need not reach */
};

/* One cache line. */
struct __attribute__((aligned(64))) layout_header {
	double origin[DIMENSIONS]; /* of the grid */
	double scale[DIMENSIONS];
	uint64_t exact; /* of a leaf of two pages: where the second is */
	uint32_t count; /* entries */
};

/* An entry to be put into a node: an item, or a child that is there. */
struct layout_entry {
	struct rect rect;
	uint64_t value; /* id, or where the child is */
};

/* A node that a search wants. */
struct layout_wanted {
	uint64_t node;
	size_t query;
};

struct layout_frontier {
	struct layout_wanted *wanted;
	size_t count;
	size_t capacity;
};

struct layout_tree {
	const struct layout *layout;
	char *memory; /* nodes are named by their offsets */
	size_t size;
	size_t capacity;
	uint64_t root;
	int height; /* levels */

	struct layout_frontier now, next; /* of a search */
};

/* What searches found, and what they looked at. */
struct layout_answer {
	uint64_t hits;
	uint64_t checksum; /* over hits, (query + 1) * (id + 1) */
	uint64_t inner_visits;
	uint64_t leaf_visits;
	uint64_t leaf_matches; /* visits in which the boxes left a match open */
};

struct layout {
	const char *name;
	const char *cells; /* the type of the numbers of boxes */
	unsigned fanout;
	unsigned pages; /* of a leaf */
	enum layout_boxes boxes;

	/* Bytes. */
	size_t inner_size;
	size_t inner_read;  /* of these, what a READ has to carry */
	size_t leaf_size;   /* of all its pages */
	size_t filter_read; /* of a leaf: what rules out most searches */
	size_t exact_read;  /* the rest, if it is read by itself */

	/* Adds a node and returns where it is. */
	uint64_t (*add_leaf)(struct layout_tree *tree,
			     const struct layout_entry *entries,
			     unsigned count);
	uint64_t (*add_inner)(struct layout_tree *tree,
			      const struct layout_entry *entries,
			      unsigned count);

	/* Searches for what intersects each query, with 'first' the number of
	 * the first.  All nodes of a level are asked for while those of the
	 * level above are looked at.  Adds to '*answer'.  ERR_NO_MEMORY. */
	int (*search)(struct layout_tree *tree, const struct rect *queries,
		      size_t count, size_t first, struct layout_answer *answer);
};

/* All layouts, and NULL. */
extern const struct layout *const layouts[];

/* --- For the layouts themselves ------------------------------------------ */

/* Takes the next 'size' bytes, all 0; there must be as many. */
uint64_t layout_take(struct layout_tree *tree, size_t size);

/* Lays the grid of a node with these bounds and that many cells a side, as
 * rtree/grid.h does. */
void layout_lay_grid(struct layout_header *header, const struct rect *bounds,
		     int cells);

/* Makes room in a frontier. */
int layout_reserve(struct layout_frontier *frontier, size_t more);

#endif
