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
 * What is to be done is planned before anything is changed, and the pages that
 * it takes are counted to the last, so it happens whole or not at all. */

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/parallel.h"
#include "base/parse.h"
#include "rtree/grid.h"
#include "rtree/kernel.h"
#include "rtree/pack.h"
#include "rtree/split.h"

enum {
	/* A subtree is packed anew when it holds at most that many times what
	 * comes to it.  Half a million items more for a million took the same
	 * time with 0, 1, 2 and 4; from 4 on the packing of old items is more
	 * than what the new ones are worth. */
	PACKED_RATIO = 2,
	/* Packing fewer items is not worth a second thread. */
	SHARED_MIN = 1 << 14,
	REPORT_EVERY = 1 << 16,
};

/* A node that items come to, in the order in which nodes are visited. */
struct visit {
	node_ref ref;
	uint64_t first; /* of these items in the order */
	uint64_t count;
	uint64_t entries; /* that it will have; or items below, if packed */
	bool is_packed;
};

/* What becomes of a node. */
struct outcome {
	uint64_t nodes; /* that take its place, at its level */
	uint64_t stack; /* nodes that have to be kept meanwhile, at most */
};

struct append {
	struct rtree_batch *batch;
	const struct item *items;
	uint64_t count;
	const struct rtree_pack_options *options;

	/* The plan. */
	uint32_t *order; /* of the items: those of each visit together */
	uint32_t *spare;
	uint8_t *child; /* to which each item of a node goes */
	struct node scratch;
	struct visit *visits;
	size_t visit_count;
	size_t visit_capacity;
	uint64_t pages;
	uint64_t packed_most; /* items or nodes that are packed at once */

	/* Building. */
	struct packing packing;
	struct item *gathered;
	struct item *stack; /* nodes that are built and have no parent yet */
	size_t stack_count;
	size_t next_visit;
	uint64_t done;
	uint64_t reported;
};

/* --- Sharing items out ---------------------------------------------------- */

/* What goes to one child. */
struct share {
	uint64_t count;
	struct rect bounds;
};

/* Copies a node to the scratch one, on a grid on which the items to come can
 * be told apart. */
static void copy_to_scratch(struct append *a, const struct node *node,
			    const struct rect *coming)
{
	struct node *scratch = &a->scratch;

	memcpy(scratch, node, RTREE_INNER_SIZE);
	rect_extend(&scratch->bounds, coming);
	if (grid_suits(scratch))
		return;
	grid_lay(scratch);
	for (int i = 0; i < node->header.count; i++)
		grid_set_entry(scratch, i,
			       &batch_node(a->batch, node->child[i])->bounds);
}

static void widen_cells(struct node *node, int i, const struct rect *rect)
{
	struct grid_box box = grid_box(&node->header, rect);

	for (int d = 0; d < DIMENSIONS; d++) {
		uint8_t *min = &node->cell_min[d][i];
		uint8_t *max = &node->cell_max[d][i];
		*min = box.min[d] < *min ? box.min[d] : *min;
		*max = box.max[d] > *max ? box.max[d] : *max;
	}
}

/* Finds the child for each item.  One that took an item is wider from then on,
 * as after an insertion, so items beyond all of them keep together. */
static void choose_children(struct append *a, const struct visit *v,
			    struct share *shares)
{
	enum { AHEAD = 8 };
	const uint32_t *order = a->order + v->first;
	struct node *scratch = &a->scratch;

	for (uint64_t i = 0; i < v->count; i++) {
		if (i + AHEAD < v->count)
			__builtin_prefetch(&a->items[order[i + AHEAD]].rect);
		const struct rect *rect = &a->items[order[i]].rect;
		int child = kernel->choose(scratch, rect);
		widen_cells(scratch, child, rect);
		rect_extend(&shares[child].bounds, rect);
		shares[child].count++;
		a->child[i] = (uint8_t)child;
	}
}

/* Puts the items of each child together (counting sort). */
static void sort_by_child(struct append *a, const struct visit *v,
			  const struct share *shares)
{
	uint32_t *order = a->order + v->first;
	uint64_t places[NODE_LANES], place = 0;

	for (int i = 0; i < NODE_LANES; i++) {
		places[i] = place;
		place += shares[i].count;
	}
	memcpy(a->spare, order, v->count * sizeof(*order));
	for (uint64_t i = 0; i < v->count; i++)
		order[places[a->child[i]]++] = a->spare[i];
}

static void share_out(struct append *a, const struct node *node,
		      const struct visit *v, const struct rect *coming,
		      struct share shares[NODE_LANES])
{
	for (int i = 0; i < NODE_LANES; i++)
		shares[i] = (struct share){0, rect_empty()};
	copy_to_scratch(a, node, coming);
	choose_children(a, v, shares);
	sort_by_child(a, v, shares);
}

/* --- The plan ------------------------------------------------------------- */

static int plan(struct append *a, struct visit visit, const struct rect *coming,
		struct outcome *outcome);

static int add_visit(struct append *a, const struct visit *visit)
{
	if (a->visit_count == a->visit_capacity) {
		size_t capacity =
			a->visit_capacity ? 2 * a->visit_capacity : 64;
		struct visit *visits =
			realloc(a->visits, capacity * sizeof(*visits));
		if (!visits)
			return err_set(ERR_NO_MEMORY, "no memory for a plan");
		a->visits = visits;
		a->visit_capacity = capacity;
	}
	a->visits[a->visit_count++] = *visit;
	return 0;
}

/* Items below a node; when they are more than 'most', any number that is. */
static uint64_t count_items(const struct append *a, const struct node *node,
			    uint64_t most)
{
	uint64_t sum = 0;

	if (node->header.level == 0)
		return node->header.count;
	for (int i = 0; i < node->header.count && sum <= most; i++)
		sum += count_items(a, batch_node(a->batch, node->child[i]),
				   most - sum);
	return sum;
}

/* Leaves that make a node of this level whose children are enough. */
static uint64_t least_leaves(int level)
{
	uint64_t leaves = level ? NODE_MIN : 1;

	for (int i = 1; i < level; i++)
		leaves *= NODE_CAPACITY;
	return leaves;
}

/* Whether the node is packed anew; 'visit->entries' is then of how many items.
 */
static bool is_packed(const struct append *a, const struct node *node,
		      struct visit *visit)
{
	int level = node->header.level;
	bool is_root = visit->ref == a->batch->root;
	uint64_t most = PACKED_RATIO * visit->count;
	uint64_t old = count_items(a, node, most);

	visit->entries = old + visit->count;
	if (level == 0)
		return is_root || visit->entries > NODE_CAPACITY;
	if (old > most || visit->entries > UINT32_MAX)
		return false;
	return is_root || pack_leaves(visit->entries, a->options->fill) >=
				  least_leaves(level);
}

/* Notes that so many items or nodes will be packed; returns the nodes that
 * 'height' levels above the leaves these become. */
static uint64_t plan_packing(struct append *a, uint64_t count, uint64_t leaves,
			     int height)
{
	uint64_t tops;

	a->pages += pack_count(leaves, height, &tops);
	if (count > a->packed_most)
		a->packed_most = count;
	return tops;
}

static void plan_subtree(struct append *a, const struct node *node,
			 const struct visit *v, struct outcome *outcome)
{
	uint64_t leaves = pack_leaves(v->entries, a->options->fill);
	bool is_root = v->ref == a->batch->root;
	int height = is_root ? pack_height(leaves) : node->header.level;

	outcome->nodes = plan_packing(a, v->entries, leaves, height);
	outcome->stack = outcome->nodes;
}

/* Shares the items out among the children, and plans what becomes of those. */
static int plan_children(struct append *a, const struct node *node,
			 size_t visit, const struct rect *coming,
			 struct outcome *outcome)
{
	struct share shares[NODE_LANES];
	struct outcome below;
	uint64_t first = a->visits[visit].first;

	share_out(a, node, &a->visits[visit], coming, shares);
	*outcome = (struct outcome){0};
	for (int i = 0; i < node->header.count; i++) {
		uint64_t count = shares[i].count;
		if (!count) {
			outcome->nodes++;
			continue;
		}
		int error = plan(a,
				 (struct visit){.ref = node->child[i],
						.first = first,
						.count = count},
				 &shares[i].bounds, &below);
		if (error)
			return error;
		first += count;
		if (outcome->stack < outcome->nodes + below.stack)
			outcome->stack = outcome->nodes + below.stack;
		outcome->nodes += below.nodes;
	}
	if (outcome->stack < outcome->nodes)
		outcome->stack = outcome->nodes;
	a->visits[visit].entries = outcome->nodes;
	return 0;
}

static int plan(struct append *a, struct visit visit, const struct rect *coming,
		struct outcome *outcome)
{
	const struct node *node = batch_node(a->batch, visit.ref);
	size_t index = a->visit_count;

	visit.is_packed = is_packed(a, node, &visit);
	int error = add_visit(a, &visit);
	if (error)
		return error;
	if (visit.is_packed) {
		plan_subtree(a, node, &visit, outcome);
		return 0;
	}
	if (node->header.level) {
		error = plan_children(a, node, index, coming, outcome);
		if (error)
			return error;
		if (outcome->nodes > NODE_CAPACITY) {
			uint64_t nodes = outcome->nodes;
			outcome->nodes = plan_packing(a, nodes,
						      pack_leaves(nodes, 1), 0);
			return 0;
		}
	} else {
		outcome->stack = 1;
	}
	a->pages++;
	outcome->nodes = 1;
	return 0;
}

/* What stands above the root if it is divided. */
static int plan_above(struct append *a, uint64_t nodes)
{
	if (nodes == 1)
		return 0;
	uint64_t parents = pack_leaves(nodes, 1);
	int height = pack_height(parents);
	plan_packing(a, nodes, parents, height);
	if (batch_root_level(a->batch) + 1 + height <= NODE_LEVEL_MAX)
		return 0;
	return err_set(ERR_NO_ROOM, "the tree is too high to grow");
}

static int bound_items(struct append *a, struct rect *coming)
{
	*coming = rect_empty();
	for (uint64_t i = 0; i < a->count; i++) {
		int error = parse_check_rect(&a->items[i].rect);
		if (error)
			return err_prefix(error, "item %llu",
					  (unsigned long long)i);
		rect_extend(coming, &a->items[i].rect);
		a->order[i] = (uint32_t)i;
	}
	return 0;
}

static int no_memory(const struct append *a)
{
	return err_set(ERR_NO_MEMORY, "no memory to add %llu items",
		       (unsigned long long)a->count);
}

static int make_plan(struct append *a, struct outcome *outcome)
{
	struct rect coming;

	a->order = malloc(a->count * sizeof(*a->order));
	a->spare = malloc(a->count * sizeof(*a->spare));
	a->child = malloc(a->count);
	if (!a->order || !a->spare || !a->child)
		return no_memory(a);
	int error = bound_items(a, &coming);
	if (!error)
		error = plan(a,
			     (struct visit){.ref = a->batch->root,
					    .count = a->count},
			     &coming, outcome);
	return error ? error : plan_above(a, outcome->nodes);
}

/* --- Building ------------------------------------------------------------- */

static void push(struct append *a, const struct node *node)
{
	a->stack[a->stack_count++] = (struct item){
		.id = (int64_t)batch_ref(node), .rect = node->bounds};
}

static void report(struct append *a, uint64_t more)
{
	a->done += more;
	if (!a->options->progress ||
	    (a->done < a->reported + REPORT_EVERY && a->done < a->count))
		return;
	a->reported = a->done;
	a->options->progress(a->options->context, a->done, a->count);
}

static void add_to_leaf(struct append *a, const struct visit *v)
{
	node_ref ref = v->ref;
	struct node *leaf = batch_own(a->batch, &ref);

	for (uint64_t i = 0; i < v->count; i++) {
		const struct item *item = &a->items[a->order[v->first + i]];
		node_append(a->batch, leaf,
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
	struct node *left = batch_new_node(a->batch, level);
	struct node *right = batch_new_node(a->batch, level);

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
			count = gather(a, batch_node(a->batch, node->child[i]),
				       count);
		else
			a->gathered[count++] =
				(struct item){node->id[i], node->rect[i]};
	return count;
}

static void pack_subtree(struct append *a, const struct visit *v)
{
	const struct node *node = batch_node(a->batch, v->ref);
	uint64_t count = gather(a, node, 0);
	int height = node->header.level;

	for (uint64_t i = 0; i < v->count; i++)
		a->gathered[count++] = a->items[a->order[v->first + i]];
	assert(count == v->entries);
	if (v->ref == a->batch->root)
		height = pack_height(pack_leaves(count, a->options->fill));
	batch_drop_tree(a->batch, v->ref);
	pack(a, a->gathered, count, a->options->fill, 0, height);
	report(a, v->count);
}

static void build(struct append *a);

/* Whether the next visit is of that node. */
static bool is_next(const struct append *a, node_ref ref)
{
	return a->next_visit < a->visit_count &&
	       a->visits[a->next_visit].ref == ref;
}

/* Gives a node the children that take the place of its own. */
static void change_children(struct append *a, const struct visit *v)
{
	node_ref ref = v->ref;
	struct node *node = batch_own(a->batch, &ref);
	int count = node->header.count;
	size_t base = a->stack_count;

	for (int i = 0; i < count; i++) {
		if (!is_next(a, node->child[i]))
			continue;
		struct rect old = batch_node(a->batch, node->child[i])->bounds;
		build(a);
		node->child[i] = (node_ref)a->stack[base].id;
		node_child_changed(a->batch, node, i, &old);
		for (size_t k = base + 1; k < a->stack_count; k++)
			node_append(a->batch, node,
				    &(struct entry){
					    .rect = a->stack[k].rect,
					    .value = (uint64_t)a->stack[k].id});
		a->stack_count = base;
	}
	push(a, node);
}

/* Packs the children, that are too many, into nodes that take its place. */
static void divide_children(struct append *a, const struct visit *v)
{
	const struct node *node = batch_node(a->batch, v->ref);
	int level = node->header.level;
	size_t base = a->stack_count;

	for (int i = 0; i < node->header.count; i++) {
		if (is_next(a, node->child[i]))
			build(a);
		else
			push(a, batch_node(a->batch, node->child[i]));
	}
	batch_drop(a->batch, v->ref);
	size_t count = a->stack_count - base;
	memcpy(a->gathered, a->stack + base, count * sizeof(*a->stack));
	a->stack_count = base;
	pack(a, a->gathered, count, 1, level, 0);
}

/* Builds what takes the place of the next node to be visited. */
static void build(struct append *a)
{
	const struct visit *v = &a->visits[a->next_visit++];

	if (v->is_packed)
		pack_subtree(a, v);
	else if (batch_node(a->batch, v->ref)->header.level == 0)
		add_to_leaf(a, v);
	else if (v->entries <= NODE_CAPACITY)
		change_children(a, v);
	else
		divide_children(a, v);
}

static int allocate(struct append *a, const struct outcome *outcome)
{
	struct packing *p = &a->packing;
	uint64_t most = a->packed_most + 1;

	p->batch = a->batch;
	p->keys = malloc(most * sizeof(*p->keys));
	p->spare = malloc(most * sizeof(*p->spare));
	p->refs = malloc(most * sizeof(*p->refs));
	a->gathered = malloc(most * sizeof(*a->gathered));
	a->stack = malloc((outcome->stack + 1) * sizeof(*a->stack));
	return p->keys && p->spare && p->refs && a->gathered && a->stack
		       ? 0
		       : no_memory(a);
}

static void build_tree(struct append *a)
{
	struct rtree_batch *batch = a->batch;
	int level = batch_root_level(batch);

	build(a);
	assert(a->next_visit == a->visit_count && a->done == a->count);
	if (a->stack_count > 1) {
		uint64_t count = a->stack_count;
		memcpy(a->gathered, a->stack, count * sizeof(*a->stack));
		a->stack_count = 0;
		pack(a, a->gathered, count, 1, level + 1,
		     pack_height(pack_leaves(count, 1)));
	}
	batch->root = (node_ref)a->stack[0].id;
	batch->item_count += a->count;
}

static int reserve(struct append *a)
{
	struct rtree_batch *batch = a->batch;
	int error = batch_reserve(batch, a->pages, PAGES_RESERVED);

	if (error != ERR_NO_ROOM)
		return error;
	return err_set(ERR_NO_ROOM,
		       "to add %llu items to %llu, both versions need a region "
		       "of %llu bytes; give the server more --memory",
		       (unsigned long long)a->count,
		       (unsigned long long)batch->item_count,
		       (unsigned long long)(1 + batch->page_count + a->pages +
					    PAGES_RESERVED) *
			       RTREE_PAGE_SIZE);
}

int rtree_append(struct rtree_batch *batch, const struct item *items,
		 uint64_t count, const struct rtree_pack_options *options)
{
	static const struct rtree_pack_options defaults;
	struct append a = {
		.batch = batch,
		.items = items,
		.count = count,
		.options = options ? options : &defaults,
	};
	struct outcome outcome;

	if (count == 0)
		return 0;
	if (count > UINT32_MAX)
		return err_set(ERR_NO_ROOM,
			       "%llu items are more than one load takes",
			       (unsigned long long)count);
	int error = make_plan(&a, &outcome);
	if (!error)
		error = reserve(&a);
	if (!error)
		error = allocate(&a, &outcome);
	if (!error) {
		build_tree(&a);
		region_settle(batch->region);
	}
	free(a.order);
	free(a.spare);
	free(a.child);
	free(a.visits);
	free(a.packing.keys);
	free(a.packing.spare);
	free(a.packing.refs);
	free(a.gathered);
	free(a.stack);
	return error;
}
