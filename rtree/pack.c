/* SPDX-License-Identifier: BSD-2-Clause */

/* Packing: leaves by all threads, and then what stands above them. */

#include "rtree/pack.h"

#include "base/parallel.h"

/* --- How much it becomes -------------------------------------------------- */

uint64_t pack_leaves(uint64_t item_count, double fill)
{
	uint64_t each = (uint64_t)(NODE_CAPACITY * (fill > 0 ? fill : 1));

	each = each > 2 * NODE_MIN ? each : 2 * NODE_MIN;
	each = each < NODE_CAPACITY ? each : NODE_CAPACITY;
	return item_count ? (item_count + each - 1) / each : 1;
}

int pack_height(uint64_t leaf_count)
{
	int height = 0;

	while (order_parts(height + 1, leaf_count) > 1)
		height++;
	return height;
}

/* Nodes up to 'height' at and below one that is 'level' above its leaves. */
static uint64_t count_below(uint64_t leaf_count, int level, int height,
			    uint64_t *tops)
{
	*tops = level == height;
	if (level == 0)
		return 1;
	/* All shares are of one size, or one leaf larger. */
	uint64_t parts = order_parts(level, leaf_count);
	uint64_t small = leaf_count / parts, larger = leaf_count % parts;
	uint64_t tops_small, tops_large;
	uint64_t nodes = (parts - larger) *
			 count_below(small, level - 1, height, &tops_small);
	*tops += (parts - larger) * tops_small;
	if (larger) {
		nodes += larger *
			 count_below(small + 1, level - 1, height, &tops_large);
		*tops += larger * tops_large;
	}
	return nodes + (level <= height);
}

uint64_t pack_count(uint64_t leaf_count, int height, uint64_t *tops)
{
	return count_below(leaf_count, pack_height(leaf_count), height, tops);
}

/* --- Order ---------------------------------------------------------------- */

void pack_tile(struct packing *p)
{
	order_by_tiles(p->keys, p->spare, &p->leaves,
		       pack_height(p->leaves.leaf_count), p->threads);
}

/* --- Building nodes ------------------------------------------------------- */

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

/* Builds the node that is 'level' above 'leaf_count' leaves from 'first_leaf'
 * on. */
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
	struct node *node = batch_new_node(p->batch, p->level + level);
	node_fill(node, entries, (int)parts);
	return batch_ref(node);
}

/* Builds the nodes of level 'height' that the node at 'level' above them would
 * have below it, were it built; puts them to 'tops' and returns how many. */
static uint64_t build_tops(struct packing *p, int level, uint64_t first_leaf,
			   uint64_t leaf_count, int height, struct item *tops)
{
	if (level == height) {
		node_ref ref = build_node(p, level, first_leaf, leaf_count);
		tops->id = (int64_t)ref;
		tops->rect = batch_node(p->batch, ref)->bounds;
		return 1;
	}
	uint64_t parts = order_parts(level, leaf_count), count = 0;
	for (uint64_t i = 0; i < parts; i++) {
		uint64_t begin =
			order_part_begin(first_leaf, leaf_count, parts, i);
		uint64_t end =
			order_part_begin(first_leaf, leaf_count, parts, i + 1);
		count += build_tops(p, level - 1, begin, end - begin, height,
				    tops + count);
	}
	return count;
}

uint64_t pack_build(struct packing *p, int height, struct item *tops)
{
	uint64_t leaf_count = p->leaves.leaf_count;

	p->leaves_built = 0;
	for (uint64_t i = 0; i < leaf_count; i++)
		p->refs[i] = batch_ref(batch_new_node(p->batch, p->level));
	parallel_shares(build_leaves, p, leaf_count, p->threads);
	uint64_t count = build_tops(p, pack_height(leaf_count), 0, leaf_count,
				    height, tops);
	report(p, leaf_count);
	return count;
}
