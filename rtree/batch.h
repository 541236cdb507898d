/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef RTREE_BATCH_H
#define RTREE_BATCH_H

/* A batch of changes that is on its way to be the next version, and what
 * inserting, deleting and packing need to build it: pages, and nodes that may
 * be written.
 *
 * A node belongs to the batch when it was born in it; such a node is changed
 * where it is, since nobody else can see it yet.  Every other node is copied
 * first (batch_own()), and the page that it was in is dropped: retired once the
 * batch is published.
 *
 * Thread-safety: the one writer's. */

#include <stddef.h>
#include <stdint.h>

#include "base/rect.h"
#include "rtree/node.h"
#include "rtree/region.h"

struct rtree_batch {
	struct region *region;
	uint64_t version; /* that it will be */
	node_ref root;
	uint64_t item_count;
	uint64_t page_count; /* of the tree, if published now */
	bool open;

	/* Room for all the pages of the region, as its lists have. */
	uint32_t *taken; /* from the region, used now or not */
	size_t taken_count;
	uint32_t *spare; /* of these: not used, after all */
	size_t spare_count;
	uint32_t *dropped; /* published pages that the next version lacks */
	size_t dropped_count;
};

struct rtree {
	struct region region;
	struct rtree_batch batch;
	uint64_t page_count; /* of the published tree */
};

enum {
	/* Entries of every node but the root at least, and of a root that is
	 * no leaf: 2. */
	NODE_MIN = NODE_CAPACITY / 4 > 2 ? NODE_CAPACITY / 4 : 2,
	/* Pages that only deletes may take: what a few of them need for copies
	 * before the pages they drop come back. */
	PAGES_RESERVED = 8 * (NODE_LEVEL_MAX + 1),
};

/* An entry of a node, exact, wherever it is kept. */
struct entry {
	struct rect rect;
	uint64_t value; /* id of an item, or node_ref of a child */
};

/* Makes sure that 'pages' can be taken, leaving 'kept' for others.  ERR_AGAIN
 * or ERR_NO_ROOM as rtree.h says. */
int batch_reserve(struct rtree_batch *batch, uint64_t pages, uint64_t kept);

/* What an operation that follows one path takes at most: each level copied or
 * split, or merged with a sibling, and a new root. */
uint64_t batch_path_pages(const struct rtree_batch *batch);

static inline struct node *batch_node(const struct rtree_batch *batch,
				      node_ref ref)
{
	return region_node(batch->region, node_ref_page(ref));
}

static inline int batch_root_level(const struct rtree_batch *batch)
{
	return batch_node(batch, batch->root)->header.level;
}

/* A new, empty node of this batch; its page was reserved. */
struct node *batch_new_node(struct rtree_batch *batch, int level);

/* The ref of a node of this batch. */
static inline node_ref batch_ref(const struct node *node)
{
	return node_ref_make(node->header.page, node->header.birth);
}

/* Makes the node that '*ref' names the batch's own, copying it where it isn't
 * yet and changing '*ref'.  Its page was reserved. */
struct node *batch_own(struct rtree_batch *batch, node_ref *ref);

/* The tree being built has this node no more. */
void batch_drop(struct rtree_batch *batch, node_ref ref);

/* Nor any below it. */
void batch_drop_tree(struct rtree_batch *batch, node_ref ref);

/* --- Changing nodes that the batch owns --------------------------------- */

/* Entry 'i', exact: a leaf has it, for an inner node the child does. */
struct entry node_entry(const struct rtree_batch *batch,
			const struct node *node, int i);

/* All of them, to 'entries'; returns how many. */
int node_gather(const struct rtree_batch *batch, const struct node *node,
		struct entry *entries);

/* Makes these the node's entries, with bounds and grid. */
void node_fill(struct node *node, const struct entry *entries, int count);

/* Adds an entry; there is room. */
void node_append(const struct rtree_batch *batch, struct node *node,
		 const struct entry *entry);

/* Removes entry 'i', whose exact rectangle was 'rect'; the last takes its
 * place. */
void node_remove(const struct rtree_batch *batch, struct node *node, int i,
		 const struct rect *rect);

/* Entry 'i' of an inner node had 'old' bounds; its child has others now. */
void node_child_changed(const struct rtree_batch *batch, struct node *node,
			int i, const struct rect *old);

#endif
