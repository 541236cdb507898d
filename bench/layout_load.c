/* SPDX-License-Identifier: BSD-2-Clause */

/* Packing items into a tree of any fan-out.  rtree/order.h tiles a node with as
 * many children as rtree/node.h has; here each node is tiled by a call of its
 * own. */

#include "bench/layout_load.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/err.h"
#include "rtree/order.h"

struct loading {
	struct layout_tree *tree;
	const struct item *items;
	struct order_key *keys;
	struct order_key *spare;
	enum rtree_order order;
};

/* Nodes have at most this many tiles; what has more is tiled in two steps. */
enum { TILES_MAX = 64, TILES_FIRST = 16 };

static int reserve(struct layout_tree *tree, uint64_t count);
static int order_items(struct loading *l, uint64_t count);
static struct layout_entry load_node(struct loading *l, int level,
				     uint64_t begin, uint64_t end);

int layout_tree_init(struct layout_tree *tree, const struct layout *layout,
		     const struct item *items, uint64_t count,
		     enum rtree_order order)
{
	struct loading l = {.tree = tree, .items = items, .order = order};

	*tree = (struct layout_tree){
		.layout = layout,
		.height = layout_height(layout, count, 1),
	};
	int error = reserve(tree, count);
	if (error)
		return error;
	error = order_items(&l, count);
	if (!error)
		tree->root = load_node(&l, tree->height - 1, 0, count).value;
	else
		layout_tree_fini(tree);
	free(l.keys);
	free(l.spare);
	return error;
}

void layout_tree_fini(struct layout_tree *tree)
{
	if (tree->memory)
		munmap(tree->memory, tree->capacity);
	free(tree->now.wanted);
	free(tree->next.wanted);
	*tree = (struct layout_tree){0};
}

int layout_height(const struct layout *layout, uint64_t count, double fill)
{
	double each = layout->fanout * fill, nodes = (double)count / each;
	int height = 1;

	for (; nodes > 1; nodes /= each)
		height++;
	return height;
}

/* Addresses for more than the nodes can need, of memory like a region's. */
static int reserve(struct layout_tree *tree, uint64_t count)
{
	const struct layout *layout = tree->layout;
	size_t nodes = 4 * (size_t)count / layout->fanout + 64;

	tree->capacity = nodes * (layout->leaf_size + layout->inner_size);
	tree->memory = mmap(NULL, tree->capacity, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (tree->memory != MAP_FAILED)
		return 0;
	tree->memory = NULL;
	return err_set(ERR_NO_MEMORY, "no memory for a tree of %llu items",
		       (unsigned long long)count);
}

/* --- Order --------------------------------------------------------------- */

/* Makes the items' keys; along the curve they are in order then. */
static int order_items(struct loading *l, uint64_t count)
{
	struct order_key *keys = malloc(count * sizeof(*keys));
	struct order_key *spare = malloc(count * sizeof(*spare));

	l->keys = keys;
	l->spare = spare;
	if (!keys || !spare)
		return err_set(ERR_NO_MEMORY, "no memory to order items");
	for (uint64_t i = 0; i < count; i++) {
		const struct rect *r = &l->items[i].rect;
		for (int d = 0; d < DIMENSIONS; d++)
			keys[i].centre[d] =
				(float)(r->min[d] / 2 + r->max[d] / 2);
		keys[i].index = (uint32_t)i;
	}
	if (l->order != RTREE_ORDER_CURVE)
		return 0;
	l->keys = order_by_curve(keys, spare, count, 1);
	if (!l->keys) {
		l->keys = keys;
		return err_set(ERR_NO_MEMORY, "no memory to order items");
	}
	l->spare = l->keys == keys ? spare : keys;
	return 0;
}

static void tile(struct loading *l, uint64_t begin, uint64_t end,
		 uint64_t parts)
{
	const struct order_leaves shares = {end - begin, parts};

	if (l->order == RTREE_ORDER_TILES)
		order_by_tiles(l->keys + begin, l->spare + begin, &shares, 1,
			       1);
}

/* Where 'parts' equal shares of [begin, end) begin, and the end. */
static void cut(uint64_t begin, uint64_t end, uint64_t parts, uint64_t *cuts)
{
	const struct order_leaves shares = {end - begin, parts};

	for (uint64_t i = 0; i <= parts; i++)
		cuts[i] = begin + order_leaf_begin(&shares, i);
}

/* Puts the items of a node's children apart; returns how many there are. */
static uint64_t divide(struct loading *l, uint64_t begin, uint64_t end,
		       uint64_t parts, uint64_t cuts[LAYOUT_FANOUT_MAX + 1])
{
	if (parts <= TILES_MAX) {
		tile(l, begin, end, parts);
		cut(begin, end, parts, cuts);
		return parts;
	}
	uint64_t each = (parts + TILES_FIRST - 1) / TILES_FIRST;
	uint64_t tiles[TILES_FIRST + 1];

	tile(l, begin, end, TILES_FIRST);
	cut(begin, end, TILES_FIRST, tiles);
	for (uint64_t i = 0; i < TILES_FIRST; i++) {
		tile(l, tiles[i], tiles[i + 1], each);
		cut(tiles[i], tiles[i + 1], each, cuts + i * each);
	}
	return TILES_FIRST * each;
}

/* --- Nodes --------------------------------------------------------------- */

static struct rect bounds_of(const struct layout_entry *entries, unsigned count)
{
	struct rect bounds = rect_empty();

	for (unsigned i = 0; i < count; i++)
		rect_extend(&bounds, &entries[i].rect);
	return bounds;
}

static struct layout_entry load_leaf(struct loading *l, uint64_t begin,
				     uint64_t end)
{
	struct layout_entry entries[LAYOUT_FANOUT_MAX];
	unsigned count = (unsigned)(end - begin);

	assert(count <= l->tree->layout->fanout);
	for (unsigned i = 0; i < count; i++) {
		const struct item *item = &l->items[l->keys[begin + i].index];
		entries[i] =
			(struct layout_entry){item->rect, (uint64_t)item->id};
	}
	return (struct layout_entry){
		bounds_of(entries, count),
		l->tree->layout->add_leaf(l->tree, entries, count)};
}

/* Items that a child of a node of 'level' has room for. */
static uint64_t child_capacity(const struct layout *layout, int level)
{
	uint64_t capacity = 1;

	for (int i = 0; i < level; i++)
		capacity *= layout->fanout;
	return capacity;
}

static struct layout_entry load_node(struct loading *l, int level,
				     uint64_t begin, uint64_t end)
{
	if (level == 0)
		return load_leaf(l, begin, end);

	const struct layout *layout = l->tree->layout;
	struct layout_entry entries[LAYOUT_FANOUT_MAX];
	uint64_t cuts[LAYOUT_FANOUT_MAX + 1];
	uint64_t each = child_capacity(layout, level);
	uint64_t parts =
		divide(l, begin, end, (end - begin + each - 1) / each, cuts);

	for (uint64_t i = 0; i < parts; i++)
		entries[i] = load_node(l, level - 1, cuts[i], cuts[i + 1]);
	unsigned count = (unsigned)parts;
	return (struct layout_entry){
		bounds_of(entries, count),
		layout->add_inner(l->tree, entries, count)};
}
