/* SPDX-License-Identifier: BSD-2-Clause */

/* Insertion: one path from the root to a leaf is made the batch's own, and
 * nodes that overflow are split on the way back.  No entry is reinserted
 * anywhere else, so nothing but the path is copied (as in the revised R*-tree:
 * Beckmann and Seeger, SIGMOD 2009). */

#include "rtree/insert.h"

#include "base/err.h"
#include "base/parse.h"
#include "rtree/kernel.h"
#include "rtree/split.h"

/* Divides a full node's entries and one more between it and a new node. */
static struct node *split_node(struct rtree_batch *batch, struct node *node,
			       const struct entry *entry)
{
	struct entry entries[NODE_CAPACITY + 1], ordered[NODE_CAPACITY + 1];
	int count = node_gather(batch, node, entries);

	entries[count++] = *entry;
	int first = split_entries(entries, count, ordered);
	struct node *sibling = batch_new_node(batch, node->header.level);
	node_fill(node, ordered, first);
	node_fill(sibling, ordered + first, count - first);
	return sibling;
}

static void grow_root(struct rtree_batch *batch, struct node *left,
		      struct node *right)
{
	struct node *root = batch_new_node(batch, left->header.level + 1);
	const struct entry entries[] = {
		{.rect = left->bounds, .value = batch_ref(left)},
		{.rect = right->bounds, .value = batch_ref(right)},
	};

	node_fill(root, entries, 2);
	batch->root = batch_ref(root);
}

/* One step of the path: a node, its bounds before anything changed below, and
 * which of its children comes next. */
struct step {
	struct node *node;
	struct rect bounds;
	int child;
};

/* Finds the path to the leaf that suits 'rect' best; returns the index of the
 * leaf's step. */
static int choose_path(struct rtree_batch *batch, const struct rect *rect,
		       struct step path[])
{
	node_ref ref = batch->root;

	for (int depth = 0;; depth++) {
		struct node *node = batch_node(batch, ref);
		path[depth].node = node;
		if (node->header.level == 0)
			return depth;
		path[depth].child = kernel->choose(node, rect);
		ref = node->child[path[depth].child];
		if (node->header.level == 1)
			node_prefetch(batch_node(batch, ref));
	}
}

/* Makes the nodes of a path the batch's own, the root first. */
static void own_path(struct rtree_batch *batch, struct step path[], int depth)
{
	node_ref *ref = &batch->root;

	for (int i = 0;; i++) {
		struct node *node = batch_own(batch, ref);
		path[i].node = node;
		path[i].bounds = node->bounds;
		if (i == depth)
			return;
		ref = &node->child[path[i].child];
	}
}

/* Adds an entry to a node, or splits it and returns its new sibling. */
static struct node *add_entry(struct rtree_batch *batch, struct node *node,
			      const struct entry *entry)
{
	if (node->header.count == NODE_CAPACITY)
		return split_node(batch, node, entry);
	node_append(batch, node, entry);
	return NULL;
}

void insert_entry(struct rtree_batch *batch, const struct entry *entry)
{
	struct step path[NODE_LEVEL_MAX + 1];
	int depth = choose_path(batch, &entry->rect, path);
	own_path(batch, path, depth);
	struct node *node = path[depth].node;
	struct node *sibling = add_entry(batch, node, entry);

	while (depth-- > 0) {
		struct node *parent = path[depth].node;
		node_child_changed(batch, parent, path[depth].child,
				   &path[depth + 1].bounds);
		if (sibling)
			sibling = add_entry(
				batch, parent,
				&(struct entry){.rect = sibling->bounds,
						.value = batch_ref(sibling)});
		node = parent;
	}
	if (sibling)
		grow_root(batch, node, sibling);
}

int insert_check_height(const struct rtree_batch *batch)
{
	if (batch_root_level(batch) < NODE_LEVEL_MAX)
		return 0;
	return err_set(ERR_NO_ROOM, "the tree is too high to grow");
}

int rtree_insert(struct rtree_batch *batch, const struct item *item)
{
	int error = parse_check_rect(&item->rect);
	if (!error)
		error = insert_check_height(batch);
	if (!error)
		error = batch_reserve(batch, batch_path_pages(batch),
				      PAGES_RESERVED);
	if (error)
		return error;
	insert_entry(batch, &(struct entry){.rect = item->rect,
					    .value = (uint64_t)item->id});
	batch->item_count++;
	return 0;
}
