/* SPDX-License-Identifier: BSD-2-Clause */

/* Bulk loading: packs items into a tree whose leaves are all equally full.
 *
 * The order is that of sort-tile-recursive packing (STR: Leutenegger, Lopez and
 * Edgington, ICDE 1997), taken from the root downwards as in overlap-minimising
 * top-down loading (OMT: Lee and Lee, CAiSE 2003 Forum): at each level the
 * items are divided into the children's shares, in slices along the longer side
 * first and then across, by selection instead of by sorting, so that every
 * level is tiled and not only the leaves. */

#include <math.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/parse.h"
#include "rtree/batch.h"

/* An item's centre, and which item it is. */
struct key {
	float centre[DIMENSIONS];
	uint32_t index;
};

struct packing {
	struct rtree_batch *batch;
	const struct item *items;
	struct key *keys;
	uint64_t item_count;
	uint64_t leaf_count;
};

static uint64_t ceil_div(uint64_t a, uint64_t b)
{
	return (a + b - 1) / b;
}

/* --- How large it becomes ----------------------------------------------- */

static uint64_t count_leaves(uint64_t item_count)
{
	return item_count ? ceil_div(item_count, NODE_CAPACITY) : 1;
}

static uint64_t count_pages(uint64_t item_count)
{
	uint64_t nodes = count_leaves(item_count), sum = nodes;

	while (nodes > 1) {
		nodes = ceil_div(nodes, NODE_CAPACITY);
		sum += nodes;
	}
	/* Shares are rounded at each level, which may cost a node each time. */
	return sum + sum / NODE_CAPACITY + NODE_LEVEL_MAX;
}

uint64_t rtree_size_forecast(uint64_t item_count)
{
	return rtree_size_min() + count_pages(item_count) * RTREE_PAGE_SIZE;
}

/* --- Dividing items among nodes ----------------------------------------- */

/* Where the items of leaf 'leaf' begin: leaves get equal shares. */
static uint64_t leaf_begin(const struct packing *p, uint64_t leaf)
{
	return (uint64_t)((unsigned __int128)leaf * p->item_count /
			  p->leaf_count);
}

static void swap_keys(struct key *a, struct key *b)
{
	struct key t = *a;
	*a = *b;
	*b = t;
}

static float median_of_three(float a, float b, float c)
{
	return fmaxf(fminf(a, b), fminf(fmaxf(a, b), c));
}

/* Quickselect (Hoare's FIND): orders keys[low, high) along axis 'd' just so far
 * that none before 'nth' is greater than any from there on. */
static void select_keys(struct key *keys, uint64_t low, uint64_t high,
			uint64_t nth, int d)
{
	while (high - low > 1) {
		float pivot =
			median_of_three(keys[low].centre[d],
					keys[low + (high - low) / 2].centre[d],
					keys[high - 1].centre[d]);
		uint64_t i = low, j = high - 1;
		for (;;) {
			while (keys[i].centre[d] < pivot)
				i++;
			while (keys[j].centre[d] > pivot)
				j--;
			if (i >= j)
				break;
			swap_keys(&keys[i++], &keys[j--]);
		}
		/* Below i none is greater than the pivot, from i on none less.
		 */
		if (i == low)
			i++;
		if (nth < i)
			high = i;
		else
			low = i;
	}
}

/* Orders the items between cuts[first] and cuts[last] along axis 'd' so far
 * that each run between two cuts has its own, halving the runs again and again.
 */
static void divide(struct key *keys, const uint64_t *cuts, uint64_t first,
		   uint64_t last, int d)
{
	if (last - first < 2)
		return;
	uint64_t middle = first + (last - first) / 2;
	select_keys(keys, cuts[first], cuts[last], cuts[middle], d);
	divide(keys, cuts, first, middle, d);
	divide(keys, cuts, middle, last, d);
}

/* The least number whose 'power'-th power reaches 'n'. */
static uint64_t root_of(uint64_t n, int power)
{
	for (uint64_t root = 1;; root++) {
		uint64_t product = 1;
		for (int i = 0; i < power; i++)
			product *= root;
		if (product >= n)
			return root;
	}
}

/* Orders the items between cuts[0] and cuts[parts] so that each run between two
 * cuts is a tile: slices along 'axis', each cut across along the axes left. */
static void tile(struct key *keys, const uint64_t *cuts, uint64_t parts,
		 int axis, int axes_left)
{
	if (axes_left == 1) {
		divide(keys, cuts, 0, parts, axis);
		return;
	}
	uint64_t slices = root_of(parts, axes_left);
	uint64_t slice_cuts[NODE_CAPACITY + 1];
	for (uint64_t i = 0; i <= slices; i++)
		slice_cuts[i] = cuts[i * parts / slices];
	divide(keys, slice_cuts, 0, slices, axis);
	for (uint64_t i = 0; i < slices; i++) {
		uint64_t first = i * parts / slices;
		uint64_t last = (i + 1) * parts / slices;
		tile(keys, cuts + first, last - first, (axis + 1) % DIMENSIONS,
		     axes_left - 1);
	}
}

/* The axis along which the centres of keys[begin, end) reach furthest. */
static int longest_axis(const struct key *keys, uint64_t begin, uint64_t end)
{
	float longest = -INFINITY;
	int axis = 0;

	for (int d = 0; d < DIMENSIONS; d++) {
		float min = INFINITY, max = -INFINITY;
		for (uint64_t i = begin; i < end; i++) {
			float c = keys[i].centre[d];
			min = c < min ? c : min;
			max = c > max ? c : max;
		}
		if (max - min > longest) {
			longest = max - min;
			axis = d;
		}
	}
	return axis;
}

/* --- Building nodes ----------------------------------------------------- */

static struct node *build_leaf(const struct packing *p, uint64_t leaf)
{
	struct node *node = batch_new_node(p->batch, 0);
	struct entry entries[NODE_CAPACITY];
	uint64_t begin = leaf_begin(p, leaf), end = leaf_begin(p, leaf + 1);

	for (uint64_t i = begin; i < end; i++) {
		const struct item *item = &p->items[p->keys[i].index];
		entries[i - begin] = (struct entry){
			.rect = item->rect, .value = (uint64_t)item->id};
	}
	node_fill(node, entries, (int)(end - begin));
	return node;
}

/* Leaves below a full node of 'level'. */
static uint64_t leaves_below(int level)
{
	uint64_t leaves = 1;
	for (int i = 0; i < level; i++)
		leaves *= NODE_CAPACITY;
	return leaves;
}

/* Builds the node of 'level' that holds 'leaf_count' leaves from 'first_leaf'
 * on. */
static struct node *build(const struct packing *p, int level,
			  uint64_t first_leaf, uint64_t leaf_count)
{
	if (level == 0)
		return build_leaf(p, first_leaf);

	/* Equal shares of whole leaves for as few children as can be. */
	uint64_t parts = ceil_div(leaf_count, leaves_below(level - 1));
	uint64_t leaves[NODE_CAPACITY + 1], cuts[NODE_CAPACITY + 1];
	for (uint64_t i = 0; i <= parts; i++) {
		leaves[i] = first_leaf + leaf_count * i / parts;
		cuts[i] = leaf_begin(p, leaves[i]);
	}
	tile(p->keys, cuts, parts, longest_axis(p->keys, cuts[0], cuts[parts]),
	     DIMENSIONS);

	struct entry entries[NODE_CAPACITY];
	for (uint64_t i = 0; i < parts; i++) {
		struct node *child = build(p, level - 1, leaves[i],
					   leaves[i + 1] - leaves[i]);
		entries[i] = (struct entry){.rect = child->bounds,
					    .value = batch_ref(child)};
	}
	struct node *node = batch_new_node(p->batch, level);
	node_fill(node, entries, (int)parts);
	return node;
}

static int root_level(uint64_t leaf_count)
{
	int level = 0;
	for (uint64_t nodes = leaf_count; nodes > 1; level++)
		nodes = ceil_div(nodes, NODE_CAPACITY);
	return level;
}

/* --- Replacing a tree --------------------------------------------------- */

static void drop_tree(struct rtree_batch *batch, node_ref ref)
{
	const struct node *node = batch_node(batch, ref);

	for (int i = 0; node->header.level && i < node->header.count; i++)
		drop_tree(batch, node->child[i]);
	batch_drop(batch, ref);
}

static int make_keys(struct packing *p)
{
	if (p->item_count > UINT32_MAX)
		return err_set(ERR_NO_ROOM,
			       "%llu items are more than one bulk "
			       "load takes",
			       (unsigned long long)p->item_count);
	p->keys = malloc((p->item_count + 1) * sizeof(*p->keys));
	if (!p->keys)
		return err_set(ERR_NO_MEMORY, "no memory to load %llu items",
			       (unsigned long long)p->item_count);
	for (uint64_t i = 0; i < p->item_count; i++) {
		const struct rect *r = &p->items[i].rect;
		int error = parse_check_rect(r);
		if (error) {
			free(p->keys);
			return err_prefix(error, "item %llu",
					  (unsigned long long)i);
		}
		for (int d = 0; d < DIMENSIONS; d++)
			p->keys[i].centre[d] =
				(float)(r->min[d] / 2 + r->max[d] / 2);
		p->keys[i].index = (uint32_t)i;
	}
	return 0;
}

int rtree_replace(struct rtree_batch *batch, const struct item *items,
		  uint64_t count)
{
	struct packing p = {
		.batch = batch,
		.items = items,
		.item_count = count,
		.leaf_count = count_leaves(count),
	};
	int error = make_keys(&p);
	if (error)
		return error;
	error = batch_reserve(batch, count_pages(count), PAGES_RESERVED);
	if (error)
		goto free_keys;
	node_ref old = batch->root;
	batch->root =
		batch_ref(build(&p, root_level(p.leaf_count), 0, p.leaf_count));
	batch->item_count = count;
	drop_tree(batch, old);
free_keys:
	free(p.keys);
	return error;
}
