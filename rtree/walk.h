/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef RTREE_WALK_H
#define RTREE_WALK_H

/* The one search of Catfish, without I/O: a walk names the nodes that it wants
 * next and is fed their bytes.  The server feeds it from memory, the client
 * from READ completions or from a mapped region, tests from arrays.
 *
 *	walk_begin(&walk, &query, relation, root_ref, page_count);
 *	while (walk_next(&walk, &wanted)) {
 *		... get the bytes of the node that 'wanted' names ...
 *		int error = walk_feed(&walk, &wanted, node, &hits);
 *		... 'hits' has a bit for each entry of a leaf that matches ...
 *	}
 *	walk_end(&walk);
 *
 * Several nodes may be wanted at a time, and be fed in any order.  Nothing that
 * is fed is trusted: a node that is not the one that was wanted, or that breaks
 * the format, fails with ERR_DAMAGED; a walk never visits more nodes than the
 * region has pages.
 *
 * Thread-safety: one walk, one thread. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/rect.h"
#include "rtree/node.h"

/* A node that the walk wants. */
struct walk_wanted {
	node_ref ref;
	int32_t level; /* WALK_LEVEL_UNKNOWN for a root */
	bool covered;  /* its bounds lie within the query: all below match */
};

enum { WALK_LEVEL_UNKNOWN = -1 };

struct walk {
	const struct rect *query;
	enum relation relation;
	struct walk_wanted *stack; /* wanted, not yet handed out */
	size_t depth;
	size_t capacity;
	uint64_t page_count;
	uint64_t nodes;		  /* fed so far */
	uint64_t leaves;	  /* of these */
	const struct node *pages; /* of the region, to prefetch; or NULL */
	struct walk_wanted inline_stack[4 * NODE_LANES];
};

/* Starts a walk from a root.  'query' must be valid, and stay where it is until
 * the walk ends; 'page_count' is the region's: every ref that the walk wants
 * names a page below it, and not page 0.  ERR_DAMAGED when the root doesn't;
 * nothing has to be ended then. */
int walk_begin(struct walk *walk, const struct rect *query,
	       enum relation relation, node_ref root, uint64_t page_count);

/* Takes the next node that is wanted, the one wanted last first.  False when
 * there is none now: the walk has ended if none is on its way either. */
static inline bool walk_next(struct walk *walk, struct walk_wanted *wanted)
{
	if (!walk->depth)
		return false;
	/* One by one, as they were stored just now: a load of all of them would
	 * wait for these stores to leave the processor's pipeline. */
	const struct walk_wanted *last = &walk->stack[--walk->depth];
	wanted->ref = last->ref;
	wanted->level = last->level;
	wanted->covered = last->covered;
	return true;
}

/* Whether none is wanted now. */
static inline bool walk_wants_none(const struct walk *walk)
{
	return walk->depth == 0;
}

/* Feeds the bytes of the node that 'wanted' names: node_size(level) of them, or
 * RTREE_PAGE_SIZE when the level was not known.  Sets a bit in '*hits' for each
 * entry that is an answer (always 0 for an inner node).  ERR_DAMAGED when it
 * can't be that node, ERR_NO_MEMORY. */
int walk_feed(struct walk *walk, const struct walk_wanted *wanted,
	      const struct node *node, uint64_t *hits);

/* What the filter of a leaf, its first RTREE_FILTER_SIZE bytes, tells of the
 * leaf that 'wanted' names and that has not been fed: a bit for each entry that
 * may be an answer, and of these for each that is one for certain.  The filter
 * is one that was fed before, as part of a leaf, to any walk.  A leaf without
 * possible entries needs no feeding. */
struct walk_filtered {
	uint64_t possible;
	uint64_t certain;
};
struct walk_filtered walk_filter(const struct walk *walk,
				 const struct walk_wanted *wanted,
				 const struct node *filter);

/* Called with each leaf that has answers, and their bits.  Another value than 0
 * ends the walk and is returned by it. */
typedef int walk_found(void *context, const struct node *leaf, uint64_t hits);

void walk_end(struct walk *walk);

/* --- In memory ---------------------------------------------------------- */

/* Pages that a search may go to: those of a region that is mapped. */
struct walk_pages {
	const struct node *first;
	uint64_t count;
};

/* What a search has visited. */
struct walk_visited {
	uint64_t nodes;
	uint64_t leaves; /* of these */
};

/* A whole walk, from a root to the last leaf, through pages in memory that are
 * trusted as little.  Sets '*visited' in any case.  ERR_DAMAGED, or what
 * 'found' returned. */
int walk_run(const struct walk_pages *pages, node_ref root,
	     const struct rect *query, enum relation relation,
	     walk_found *found, void *context, struct walk_visited *visited);

#endif
