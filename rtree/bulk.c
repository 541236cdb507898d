/* SPDX-License-Identifier: BSD-2-Clause */

/* Bulk loading: puts items in order and packs them into a tree, which takes the
 * place of the old one. */

#include <stdlib.h>

#include "base/err.h"
#include "base/huge_memory.h"
#include "base/parallel.h"
#include "base/parse.h"
#include "rtree/pack.h"

/* Nodes of a tree with that many leaves. */
static uint64_t count_pages(uint64_t leaf_count)
{
	uint64_t tops;

	return pack_count(leaf_count, pack_height(leaf_count), &tops);
}

uint64_t rtree_size_forecast(uint64_t item_count)
{
	return rtree_size_min() +
	       count_pages(pack_leaves(item_count, 1)) * RTREE_PAGE_SIZE;
}

/* Makes a key of each item; ERR_DATA for one without a valid rectangle. */
static int make_keys(struct packing *p)
{
	for (uint64_t i = 0; i < p->leaves.item_count; i++) {
		int error = parse_check_rect(&p->items[i].rect);
		if (error)
			return err_prefix(error, "item %llu",
					  (unsigned long long)i);
		p->keys[i] = pack_key(p->items, (uint32_t)i);
	}
	return 0;
}

static int order_items(struct packing *p)
{
	int error = make_keys(p);

	if (error)
		return error;
	if (p->options->order == RTREE_ORDER_TILES) {
		pack_tile(p);
		return 0;
	}
	p->keys = order_by_curve(p->keys, p->spare, p->leaves.item_count,
				 p->threads);
	return p->keys ? 0 : err_set(ERR_NO_MEMORY, "no memory to sort");
}

static void replace_tree(struct packing *p)
{
	struct rtree_batch *batch = p->batch;
	node_ref old = batch->root;
	struct item root;

	pack_build(p, pack_height(p->leaves.leaf_count), &root);
	batch->root = (node_ref)root.id;
	batch->item_count = p->leaves.item_count;
	batch_drop_tree(batch, old);
	region_settle(batch->region);
}

static int pack(struct packing *p)
{
	uint64_t count = p->leaves.item_count;
	size_t size = (count + 1) * sizeof(struct order_key);
	struct order_key *keys = huge_memory_map(size);
	struct order_key *spare = huge_memory_map(size);
	int error = 0;

	p->keys = keys;
	p->spare = spare;
	p->refs = malloc(p->leaves.leaf_count * sizeof(*p->refs));
	if (!keys || !spare || !p->refs)
		error = err_set(ERR_NO_MEMORY, "no memory to load %llu items",
				(unsigned long long)count);
	if (!error)
		error = order_items(p);
	if (!error)
		replace_tree(p);
	huge_memory_unmap(keys, size);
	huge_memory_unmap(spare, size);
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
		.leaves = {count, pack_leaves(count, o->fill)},
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
