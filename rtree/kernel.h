/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef RTREE_KERNEL_H
#define RTREE_KERNEL_H

/* What a search does with one node, compiled for each kind of processor and
 * chosen when the program starts.
 *
 * Thread-safety: pure functions on the caller's memory. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/rect.h"
#include "rtree/grid.h"
#include "rtree/rtree.h"
#include "rtree/walk.h"

/* One bit for each entry. */
struct selection {
	uint64_t possible; /* the cells don't rule it out */
	uint64_t certain;  /* of these: the cells alone prove it */
};

struct kernel {
	const char *name; /* "avx512", "avx2" or "portable" */

	/* Entries of 'node' that stand to 'query' in 'relation', going by their
	 * cells; only bits of the first 'count' entries are set.  For an inner
	 * node: whose bounds do. */
	struct selection (*select)(const struct node *node, unsigned count,
				   enum relation relation,
				   const struct rect *query);

	int (*feed)(struct walk *walk, const struct walk_wanted *wanted,
		    const struct node *node, uint64_t *hits);
	int (*run)(const struct walk_pages *pages, node_ref root,
		   const struct rect *query, enum relation relation,
		   walk_found *found, void *context,
		   struct walk_visited *visited);

	/* rtree_search() and rtree_search_group(): of pages that only this
	 * process writes. */
	int (*search)(const struct node *pages, node_ref root,
		      const struct rect *query, enum relation relation,
		      walk_found *found, void *context);
	int (*search_group)(const struct node *pages, node_ref root,
			    const struct rect *queries, size_t count,
			    enum relation relation, walk_group_found *found,
			    void *context);

	/* A lower bound of the squared distance from 'point' to each entry, by
	 * its cells.  Sets the node's level and returns the number of entries;
	 * ERR_DAMAGED when it isn't the node that was wanted. */
	int (*measure)(const struct node *node,
		       const struct walk_wanted *wanted, const double *point,
		       double bounds2[NODE_LANES], int *level);

	/* Which of the values that 'among' has a bit for, at least one, is the
	 * least. */
	unsigned (*least)(const double values[NODE_LANES], uint64_t among);

	/* The child of an inner node to insert 'rect' below: the smallest of
	 * those that hold it, else the one that it enlarges least; by their
	 * margins, the sums of their edges in cells. */
	int (*choose)(const struct node *node, const struct rect *rect);

	/* Puts the node's first 'count' entries, whose exact rectangles are
	 * 'stride' bytes apart, on its grid. */
	void (*set_cells)(struct node *node, const struct rect *rect,
			  size_t stride, unsigned count);
};

/* The fastest that this processor runs, or the one that the environment's
 * CATFISH_KERNEL names; one that doesn't run here, or is unknown, is passed
 * over. */
extern const struct kernel *kernel;

/* Takes another one, before any search.  ERR_USAGE when there is none of that
 * name, ERR_UNSUPPORTED when it doesn't run on this processor. */
int kernel_choose(const char *name);

/* Kernel 'i' of those that were compiled, the fastest first, or NULL behind the
 * last; and whether this processor runs it. */
const struct kernel *kernel_at(unsigned i);
bool kernel_runs_here(const struct kernel *k);

/* --- For the kernels themselves ----------------------------------------- */

/* Says that 'header' is not that of the node that was wanted, or that there
 * are more nodes than pages. */
int walk_wrong_node(node_ref ref, int level, const struct node_header *header);
int walk_wrong_ref(node_ref ref, uint64_t page_count);
int walk_endless(void);

/* Makes room for NODE_LANES more in the stack. */
int walk_grow(struct walk *walk);

#endif
