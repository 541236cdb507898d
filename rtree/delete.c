/* SPDX-License-Identifier: BSD-2-Clause */

/* Deletion: the path to the item's leaf is made the batch's own, the entry
 * removed, and a node left with too few entries merged with, or filled up from,
 * the sibling that is nearest to it.  Guttman's R-tree inserts what is left of
 * such a node anew, anywhere; a merge keeps to the path and one sibling for
 * each level, so a delete has a bound on the pages that it takes. */

#include <float.h>

#include "base/err.h"
#include "base/parse.h"
#include "rtree/insert.h"
#include "rtree/kernel.h"
#include "rtree/split.h"

/* Which child, at each level from the root, leads to an entry of a leaf. */
struct trail {
	int slot[NODE_LEVEL_MAX + 1];
	int depth; /* of the leaf, whose slot is the entry */
};

static void prefetch_children(const struct rtree_batch *batch,
			      const struct node *node, uint64_t bits)
{
	for (; bits; bits &= bits - 1)
		node_prefetch(
			batch_node(batch, node->child[__builtin_ctzll(bits)]));
}

/* Looks for an item with this id and exactly this rectangle below 'node'. */
static bool find(const struct rtree_batch *batch, const struct node *node,
		 const struct item *item, int depth, struct trail *trail)
{
	uint64_t possible = kernel->select(node, node->header.count,
					   RELATION_CONTAINS, &item->rect)
				    .possible;

	if (node->header.level == 1)
		prefetch_children(batch, node, possible);
	for (; possible; possible &= possible - 1) {
		int i = __builtin_ctzll(possible);
		trail->slot[depth] = i;
		if (node->header.level == 0) {
			trail->depth = depth;
			if (node->id[i] == item->id &&
			    rect_equal(&node->rect[i], &item->rect))
				return true;
		} else if (find(batch, batch_node(batch, node->child[i]), item,
				depth + 1, trail)) {
			return true;
		}
	}
	return false;
}

/* How much larger than both together the rectangle around both is. */
static double growth(const struct rect *a, const struct rect *b)
{
	double around = 1, area_a = 1, area_b = 1;
	struct rect both = *a;

	rect_extend(&both, b);
	for (int d = 0; d < DIMENSIONS; d++) {
		around *= both.max[d] - both.min[d];
		area_a *= a->max[d] - a->min[d];
		area_b *= b->max[d] - b->min[d];
	}
	return around - area_a - area_b;
}

/* The child of 'parent' that suits child 'i' best. */
static int nearest_sibling(const struct rtree_batch *batch,
			   const struct node *parent, int i)
{
	const struct rect *bounds =
		&batch_node(batch, parent->child[i])->bounds;
	double least = DBL_MAX;
	int best = i ? 0 : 1;

	for (int j = 0; j < parent->header.count; j++) {
		if (j == i)
			continue;
		double g = growth(bounds,
				  &batch_node(batch, parent->child[j])->bounds);
		if (g < least) {
			least = g;
			best = j;
		}
	}
	return best;
}

/* Joins child 'i' of 'parent', which the batch owns, with its nearest sibling:
 * into one node where it can hold both, into two of enough entries otherwise.
 */
static void refill(struct rtree_batch *batch, struct node *parent, int i)
{
	struct entry entries[2 * NODE_CAPACITY], ordered[2 * NODE_CAPACITY];
	int j = nearest_sibling(batch, parent, i);
	struct node *node = batch_own(batch, &parent->child[i]);
	struct rect old = node->bounds;
	struct rect sibling_old = batch_node(batch, parent->child[j])->bounds;
	int count = node_gather(batch, node, entries);

	count += node_gather(batch, batch_node(batch, parent->child[j]),
			     entries + count);
	if (count <= NODE_CAPACITY) {
		node_fill(node, entries, count);
		batch_drop(batch, parent->child[j]);
		node_child_changed(batch, parent, i, &old);
		node_remove(batch, parent, j, &sibling_old);
		return;
	}
	struct node *sibling = batch_own(batch, &parent->child[j]);
	int first = split_entries(entries, count, ordered);
	node_fill(node, ordered, first);
	node_fill(sibling, ordered + first, count - first);
	node_child_changed(batch, parent, i, &old);
	node_child_changed(batch, parent, j, &sibling_old);
}

/* A root with one child gives way to it. */
static void shrink_root(struct rtree_batch *batch)
{
	for (;;) {
		struct node *root = batch_node(batch, batch->root);
		if (root->header.level == 0 || root->header.count > 1)
			return;
		node_ref old = batch->root;
		batch->root = root->child[0];
		batch_drop(batch, old);
		/* Each version has a root that was born in it. */
		batch_own(batch, &batch->root);
	}
}

/* Removes the entry at the end of the trail. */
static void remove_entry(struct rtree_batch *batch, const struct trail *trail)
{
	struct node *path[NODE_LEVEL_MAX + 1];
	struct rect bounds[NODE_LEVEL_MAX + 1];
	node_ref *ref = &batch->root;

	for (int i = 0; i <= trail->depth; i++) {
		path[i] = batch_own(batch, ref);
		bounds[i] = path[i]->bounds;
		ref = &path[i]->child[trail->slot[i]];
	}

	struct node *leaf = path[trail->depth];
	int slot = trail->slot[trail->depth];
	struct rect rect = leaf->rect[slot];
	node_remove(batch, leaf, slot, &rect);
	for (int i = trail->depth; i-- > 0;) {
		node_child_changed(batch, path[i], trail->slot[i],
				   &bounds[i + 1]);
		if (path[i + 1]->header.count < NODE_MIN)
			refill(batch, path[i], trail->slot[i]);
	}
	shrink_root(batch);
}

static int find_item(const struct rtree_batch *batch, const struct item *item,
		     struct trail *trail)
{
	if (find(batch, batch_node(batch, batch->root), item, 0, trail))
		return 0;
	return err_set(ERR_NOT_FOUND, "no item %lld with that rectangle",
		       (long long)item->id);
}

int rtree_delete(struct rtree_batch *batch, const struct item *item)
{
	struct trail trail;
	int error = parse_check_rect(&item->rect);
	if (!error)
		error = find_item(batch, item, &trail);
	if (!error)
		error = batch_reserve(batch, batch_path_pages(batch), 0);
	if (error)
		return error;
	remove_entry(batch, &trail);
	batch->item_count--;
	return 0;
}

int rtree_update(struct rtree_batch *batch, const struct item *item,
		 const struct rect *to)
{
	struct trail trail;
	int error = parse_check_rect(&item->rect);
	if (!error)
		error = parse_check_rect(to);
	if (!error)
		error = find_item(batch, item, &trail);
	if (!error)
		error = insert_check_height(batch);
	if (!error)
		error = batch_reserve(batch, 2 * batch_path_pages(batch),
				      PAGES_RESERVED);
	if (error)
		return error;
	remove_entry(batch, &trail);
	insert_entry(batch,
		     &(struct entry){.rect = *to, .value = (uint64_t)item->id});
	return 0;
}
