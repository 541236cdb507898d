/* SPDX-License-Identifier: BSD-2-Clause */

/* Adding many items to a tree that holds some, as one batch.
 *
 * All items go down the tree together.  At each node they are shared out among
 * its children as insertion would do it, one after the other, and so on below,
 * until they meet a subtree that holds about as few items as come to it: that
 * one is packed anew, old items and new ones together, into as many nodes as it
 * takes.  So the tree is read and written once wherever the items are dense,
 * and nothing but the leaves that they go to where they are thin.
 *
 * Items that travel in bulk from node to node are the buffer tree's (Arge,
 * Hinrichs, Vahrenhold and Vitter, "Efficient Bulk Operations on Dynamic
 * R-Trees", Algorithmica 33, 2002); that whole subtrees are packed where the
 * new data are dense is from the small-tree-large-tree approach (Chen, Choubey
 * and Rundensteiner, ACM GIS 1998), which packs the new items apart from the
 * old ones, and so has both overlap.
 *
 * What is to be done is planned before anything is changed
 * (rtree/append_plan.h), and the pages that it takes are counted to the last,
 * so it happens whole or not at all. */

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/parallel.h"
#include "rtree/append_plan.h"
#include "rtree/pack.h"
#include "rtree/split.h"

enum {
	/* Packing fewer items is not worth a second thread. */
	SHARED_MIN = 1 << 14,
	REPORT_EVERY = 1 << 16,
};

struct append {
	struct append_plan plan;
	const struct rtree_pack_options *options;
	struct packing packing;
	struct item *gathered;
	struct item *stack; /* nodes that are built and have no parent yet */
	size_t stack_count;
	size_t next_visit;
	uint64_t done;
	uint64_t reported;
};
static void push(struct append *a, const struct node *node)
{
	a->stack[a->stack_count++] = (struct item){
		.id = (int64_t)batch_ref(node), .rect = node->bounds};
}

static void report(struct append *a, uint64_t more)
{
	a->done += more;
	if (!a->options->progress ||
	    (a->done < a->reported + REPORT_EVERY && a->done < a->plan.count))
		return;
	a->reported = a->done;
	a->options->progress(a->options->context, a->done, a->plan.count);
}

static void add_to_leaf(struct append *a, const struct append_visit *v)
{
	node_ref ref = v->ref;
	struct node *leaf = batch_own(a->plan.batch, &ref);

	for (uint64_t i = 0; i < v->count; i++) {
		const struct item *item =
			&a->plan.items[a->plan.order[v->first + i]];
		node_append(a->plan.batch, leaf,
			    &(struct entry){.rect = item->rect,
					    .value = (uint64_t)item->id});
	}
	push(a, leaf);
	report(a, v->count);
}

/* Divides items, or nodes of the level below, between two nodes of 'level'. */
static void split(struct append *a, const struct item *items, uint64_t count,
		  int level)
{
	struct entry entries[2 * NODE_CAPACITY], ordered[2 * NODE_CAPACITY];
	struct node *left = batch_new_node(a->plan.batch, level);
	struct node *right = batch_new_node(a->plan.batch, level);

	for (uint64_t i = 0; i < count; i++)
		entries[i] = (struct entry){.rect = items[i].rect,
					    .value = (uint64_t)items[i].id};
	int first = split_entries(entries, (int)count, ordered);
	node_fill(left, ordered, first);
	node_fill(right, ordered + first, (int)count - first);
	push(a, left);
	push(a, right);
}

/* Packs items, or nodes of the level below, into nodes of 'level' and, up to
 * 'height' above, what holds them; puts the last to the stack. */
static void pack(struct append *a, const struct item *items, uint64_t count,
		 double fill, int level, int height)
{
	static const struct rtree_pack_options silent;
	struct packing *p = &a->packing;

	p->options = &silent;
	p->items = items;
	p->leaves = (struct order_leaves){count, pack_leaves(count, fill)};
	if (p->leaves.leaf_count == 2 && height == 0) {
		split(a, items, count, level);
		return;
	}
	p->level = level;
	p->threads = count < SHARED_MIN	   ? 1
		     : a->options->threads ? a->options->threads
					   : parallel_processors();
	for (uint64_t i = 0; i < count; i++)
		p->keys[i] = pack_key(items, (uint32_t)i);
	pack_tile(p);
	a->stack_count += pack_build(p, height, a->stack + a->stack_count);
}

static uint64_t gather(struct append *a, const struct node *node,
		       uint64_t count)
{
	for (int i = 0; i < node->header.count; i++)
		if (node->header.level)
			count = gather(
				a, batch_node(a->plan.batch, node->child[i]),
				count);
		else
			a->gathered[count++] =
				(struct item){node->id[i], node->rect[i]};
	return count;
}

static void pack_subtree(struct append *a, const struct append_visit *v)
{
	const struct node *node = batch_node(a->plan.batch, v->ref);
	uint64_t count = gather(a, node, 0);
	int height = node->header.level;

	for (uint64_t i = 0; i < v->count; i++)
		a->gathered[count++] =
			a->plan.items[a->plan.order[v->first + i]];
	assert(count == v->entries);
	if (v->ref == a->plan.batch->root)
		height = pack_height(pack_leaves(count, a->options->fill));
	batch_drop_tree(a->plan.batch, v->ref);
	pack(a, a->gathered, count, a->options->fill, 0, height);
	report(a, v->count);
}

static void build(struct append *a);

/* Whether the next visit is of that node. */
static bool is_next(const struct append *a, node_ref ref)
{
	return a->next_visit < a->plan.visit_count &&
	       a->plan.visits[a->next_visit].ref == ref;
}

/* Gives a node the children that take the place of its own. */
static void change_children(struct append *a, const struct append_visit *v)
{
	node_ref ref = v->ref;
	struct node *node = batch_own(a->plan.batch, &ref);
	int count = node->header.count;
	size_t base = a->stack_count;

	for (int i = 0; i < count; i++) {
		if (!is_next(a, node->child[i]))
			continue;
		struct rect old =
			batch_node(a->plan.batch, node->child[i])->bounds;
		build(a);
		node->child[i] = (node_ref)a->stack[base].id;
		node_child_changed(a->plan.batch, node, i, &old);
		for (size_t k = base + 1; k < a->stack_count; k++)
			node_append(a->plan.batch, node,
				    &(struct entry){
					    .rect = a->stack[k].rect,
					    .value = (uint64_t)a->stack[k].id});
		a->stack_count = base;
	}
	push(a, node);
}

/* Packs the children, that are too many, into nodes that take its place. */
static void divide_children(struct append *a, const struct append_visit *v)
{
	const struct node *node = batch_node(a->plan.batch, v->ref);
	int level = node->header.level;
	size_t base = a->stack_count;

	for (int i = 0; i < node->header.count; i++) {
		if (is_next(a, node->child[i]))
			build(a);
		else
			push(a, batch_node(a->plan.batch, node->child[i]));
	}
	batch_drop(a->plan.batch, v->ref);
	size_t count = a->stack_count - base;
	memcpy(a->gathered, a->stack + base, count * sizeof(*a->stack));
	a->stack_count = base;
	pack(a, a->gathered, count, 1, level, 0);
}

/* Builds what takes the place of the next node to be visited. */
static void build(struct append *a)
{
	const struct append_visit *v = &a->plan.visits[a->next_visit++];

	if (v->is_packed)
		pack_subtree(a, v);
	else if (batch_node(a->plan.batch, v->ref)->header.level == 0)
		add_to_leaf(a, v);
	else if (v->entries <= NODE_CAPACITY)
		change_children(a, v);
	else
		divide_children(a, v);
}

static int allocate(struct append *a)
{
	struct packing *p = &a->packing;
	uint64_t most = a->plan.packed_most + 1;

	p->batch = a->plan.batch;
	p->keys = malloc(most * sizeof(*p->keys));
	p->spare = malloc(most * sizeof(*p->spare));
	p->refs = malloc(most * sizeof(*p->refs));
	a->gathered = malloc(most * sizeof(*a->gathered));
	a->stack = malloc((a->plan.kept_most + 1) * sizeof(*a->stack));
	return p->keys && p->spare && p->refs && a->gathered && a->stack
		       ? 0
		       : append_plan_no_memory(&a->plan);
}

static void build_tree(struct append *a)
{
	struct rtree_batch *batch = a->plan.batch;
	int level = batch_root_level(batch);

	build(a);
	assert(a->next_visit == a->plan.visit_count &&
	       a->done == a->plan.count);
	if (a->stack_count > 1) {
		uint64_t count = a->stack_count;
		memcpy(a->gathered, a->stack, count * sizeof(*a->stack));
		a->stack_count = 0;
		pack(a, a->gathered, count, 1, level + 1,
		     pack_height(pack_leaves(count, 1)));
	}
	batch->root = (node_ref)a->stack[0].id;
	batch->item_count += a->plan.count;
}

static int reserve(struct append *a)
{
	struct rtree_batch *batch = a->plan.batch;
	int error = batch_reserve(batch, a->plan.pages, PAGES_RESERVED);

	if (error != ERR_NO_ROOM)
		return error;
	return err_set(ERR_NO_ROOM,
		       "to add %llu items to %llu, both versions need a region "
		       "of %llu bytes; give the server more --memory",
		       (unsigned long long)a->plan.count,
		       (unsigned long long)batch->item_count,
		       (unsigned long long)(1 + batch->page_count +
					    a->plan.pages + PAGES_RESERVED) *
			       RTREE_PAGE_SIZE);
}

int rtree_append(struct rtree_batch *batch, const struct item *items,
		 uint64_t count, const struct rtree_pack_options *options)
{
	static const struct rtree_pack_options defaults;
	struct append a = {.options = options ? options : &defaults};

	if (count == 0)
		return 0;
	if (count > UINT32_MAX)
		return err_set(ERR_NO_ROOM,
			       "%llu items are more than one load takes",
			       (unsigned long long)count);
	a.plan.batch = batch;
	a.plan.items = items;
	a.plan.count = count;
	a.plan.fill = a.options->fill;
	int error = append_plan_make(&a.plan);
	if (!error)
		error = reserve(&a);
	if (!error)
		error = allocate(&a);
	if (!error) {
		build_tree(&a);
		region_settle(batch->region);
	}
	append_plan_fini(&a.plan);
	free(a.packing.keys);
	free(a.packing.spare);
	free(a.packing.refs);
	free(a.gathered);
	free(a.stack);
	return error;
}
