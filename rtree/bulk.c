/* SPDX-License-Identifier: BSD-2-Clause */

/* Bulk loading: puts items in order, cuts them into leaves that are all equally
 * full, and builds what stands above.  Ordering and leaves are shared by
 * threads. */

#include <stdlib.h>

#include "base/err.h"
#include "base/parallel.h"
#include "base/parse.h"
#include "rtree/batch.h"
#include "rtree/order.h"

struct packing {
	struct rtree_batch *batch;
	const struct item *items;
	const struct rtree_pack_options *options;
	struct order_leaves leaves;
	unsigned threads;
	struct order_key *keys;
	node_ref *refs; /* of each leaf */
	_Atomic uint64_t leaves_built;
};

static uint64_t ceil_div(uint64_t a, uint64_t b)
{
	return (a + b - 1) / b;
}

/* --- How large it becomes ------------------------------------------------ */

/* Leaves with 'fill' of their entries, but none too thin to stand alone. */
static uint64_t leaves_for(uint64_t item_count, double fill)
{
	uint64_t each = (uint64_t)(NODE_CAPACITY * fill);

	each = each > 2 * NODE_MIN ? each : 2 * NODE_MIN;
	each = each < NODE_CAPACITY ? each : NODE_CAPACITY;
	return item_count ? ceil_div(item_count, each) : 1;
}

/* Nodes of a tree with that many leaves. */
static uint64_t count_pages(uint64_t leaf_count)
{
	uint64_t sum = leaf_count;

	for (uint64_t nodes = leaf_count; nodes > 1;) {
		nodes = ceil_div(nodes, NODE_CAPACITY);
		sum += nodes;
	}
	/* Shares are rounded at each level, which may cost a node each time. */
	return sum + sum / NODE_CAPACITY + NODE_LEVEL_MAX;
}

uint64_t rtree_size_forecast(uint64_t item_count)
{
	return rtree_size_min() +
	       count_pages(leaves_for(item_count, 1)) * RTREE_PAGE_SIZE;
}

static int root_level(uint64_t leaf_count)
{
	int level = 0;

	for (uint64_t nodes = leaf_count; nodes > 1; level++)
		nodes = ceil_div(nodes, NODE_CAPACITY);
	return level;
}

static void drop_tree(struct rtree_batch *batch, node_ref ref)
{
	const struct node *node = batch_node(batch, ref);

	for (int i = 0; node->header.level && i < node->header.count; i++)
		drop_tree(batch, node->child[i]);
	batch_drop(batch, ref);
}

/* --- Building nodes ------------------------------------------------------ */

static void build_leaf(struct packing *p, uint64_t leaf)
{
	struct node *node = batch_node(p->batch, p->refs[leaf]);
	struct entry entries[NODE_CAPACITY];
	uint64_t begin = order_leaf_begin(&p->leaves, leaf);
	uint64_t end = order_leaf_begin(&p->leaves, leaf + 1);

	for (uint64_t i = begin; i < end; i++) {
		const struct item *item = &p->items[p->keys[i].index];
		entries[i - begin] = (struct entry){
			.rect = item->rect, .value = (uint64_t)item->id};
	}
	node_fill(node, entries, (int)(end - begin));
}

/* The items of a leaf are all over memory: asks for those of a later one. */
static void prefetch_leaf(const struct packing *p, uint64_t leaf)
{
	if (leaf >= p->leaves.leaf_count)
		return;
	uint64_t end = order_leaf_begin(&p->leaves, leaf + 1);
	for (uint64_t i = order_leaf_begin(&p->leaves, leaf); i < end; i++)
		__builtin_prefetch(&p->items[p->keys[i].index]);
}

static void report(struct packing *p, uint64_t leaves_built)
{
	if (p->options->progress)
		p->options->progress(p->options->context,
				     order_leaf_begin(&p->leaves, leaves_built),
				     p->leaves.item_count);
}

static void build_leaves(void *context, unsigned i, uint64_t begin,
			 uint64_t end)
{
	enum { REPORT_EVERY = 1024 };
	struct packing *p = context;

	for (uint64_t leaf = begin; leaf < end; leaf++) {
		prefetch_leaf(p, leaf + 1);
		build_leaf(p, leaf);
		uint64_t built =
			1 + atomic_fetch_add_explicit(&p->leaves_built, 1,
						      memory_order_relaxed);
		/* The last share is the calling thread's. */
		if (i == p->threads - 1 && built % REPORT_EVERY == 0)
			report(p, built);
	}
}

/* Builds the node of 'level' above 'leaf_count' leaves from 'first_leaf' on. */
static node_ref build_node(struct packing *p, int level, uint64_t first_leaf,
			   uint64_t leaf_count)
{
	if (level == 0)
		return p->refs[first_leaf];

	struct entry entries[NODE_CAPACITY];
	uint64_t parts = order_parts(level, leaf_count);
	for (uint64_t i = 0; i < parts; i++) {
		uint64_t begin =
			order_part_begin(first_leaf, leaf_count, parts, i);
		uint64_t end =
			order_part_begin(first_leaf, leaf_count, parts, i + 1);
		node_ref ref = build_node(p, level - 1, begin, end - begin);
		entries[i] = (struct entry){
			.rect = batch_node(p->batch, ref)->bounds,
			.value = ref,
		};
	}
	struct node *node = batch_new_node(p->batch, level);
	node_fill(node, entries, (int)parts);
	return batch_ref(node);
}

static void build_tree(struct packing *p, struct rtree_batch *batch)
{
	uint64_t leaf_count = p->leaves.leaf_count;
	node_ref old = batch->root;

	for (uint64_t i = 0; i < leaf_count; i++)
		p->refs[i] = batch_ref(batch_new_node(batch, 0));
	parallel_shares(build_leaves, p, leaf_count, p->threads);
	batch->root = build_node(p, root_level(leaf_count), 0, leaf_count);
	batch->item_count = p->leaves.item_count;
	drop_tree(batch, old);
	report(p, leaf_count);
}

/* --- Packing ------------------------------------------------------------- */

/* Makes a key of each item and puts them in order. */
static int order_items(struct packing *p, struct order_key *spare)
{
	for (uint64_t i = 0; i < p->leaves.item_count; i++) {
		const struct rect *r = &p->items[i].rect;
		int error = parse_check_rect(r);
		if (error)
			return err_prefix(error, "item %llu",
					  (unsigned long long)i);
		for (int d = 0; d < DIMENSIONS; d++)
			p->keys[i].centre[d] =
				(float)(r->min[d] / 2 + r->max[d] / 2);
		p->keys[i].index = (uint32_t)i;
	}
	if (p->options->order == RTREE_ORDER_TILES) {
		order_by_tiles(p->keys, &p->leaves,
			       root_level(p->leaves.leaf_count), p->threads);
		return 0;
	}
	p->keys = order_by_curve(p->keys, spare, p->leaves.item_count,
				 p->threads);
	return p->keys ? 0 : err_set(ERR_NO_MEMORY, "no memory to sort");
}

static int pack(struct packing *p)
{
	uint64_t count = p->leaves.item_count;
	bool curve = p->options->order == RTREE_ORDER_CURVE;
	struct order_key *keys = malloc((count + 1) * sizeof(*keys));
	struct order_key *spare =
		curve ? malloc((count + 1) * sizeof(*spare)) : NULL;
	int error = 0;

	p->keys = keys;
	p->refs = malloc(p->leaves.leaf_count * sizeof(*p->refs));
	if (!keys || (curve && !spare) || !p->refs)
		error = err_set(ERR_NO_MEMORY, "no memory to load %llu items",
				(unsigned long long)count);
	if (!error)
		error = order_items(p, spare);
	if (!error)
		build_tree(p, p->batch);
	free(keys);
	free(spare);
	free(p->refs);
	return error;
}

int rtree_replace(struct rtree_batch *batch, const struct item *items,
		  uint64_t count, const struct rtree_pack_options *options)
{
	static const struct rtree_pack_options defaults;
	const struct rtree_pack_options *o = options ? options : &defaults;
	struct packing p = {
		.batch = batch,
		.items = items,
		.options = o,
		.leaves = {count, leaves_for(count, o->fill > 0 ? o->fill : 1)},
		.threads = o->threads ? o->threads : parallel_processors(),
	};

	if (count > UINT32_MAX)
		return err_set(ERR_NO_ROOM,
			       "%llu items are more than one load takes",
			       (unsigned long long)count);
	int error = batch_reserve(batch, count_pages(p.leaves.leaf_count),
				  PAGES_RESERVED);
	if (error == ERR_NO_ROOM)
		return err_set(ERR_NO_ROOM,
			       "%llu items need a region of %llu bytes beside "
			       "what it holds",
			       (unsigned long long)count,
			       (unsigned long long)rtree_size_forecast(count));
	return error ? error : pack(&p);
}
