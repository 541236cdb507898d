/* SPDX-License-Identifier: BSD-2-Clause */

/* Batches: pages taken and dropped, nodes copied before they are written, and
 * the changes that a node can undergo. */

#include "rtree/batch.h"

#include <assert.h>
#include <string.h>

#include "base/err.h"
#include "base/guard.h"
#include "rtree/grid.h"
#include "rtree/kernel.h"

/* --- The life of a batch ------------------------------------------------ */

int rtree_batch_begin(struct rtree *tree, struct rtree_batch **batch)
{
	struct rtree_batch *b = &tree->batch;

	assert(!b->open);
	region_reclaim_in_time(&tree->region);
	b->open = true;
	b->region = &tree->region;
	b->version = tree->region.version + 1;
	b->root = tree->region.root;
	b->item_count = tree->region.item_count;
	b->page_count = tree->page_count;
	b->taken_count = b->spare_count = b->dropped_count = 0;
	*batch = b;
	return 0;
}

static struct rtree *tree_of(struct rtree_batch *batch)
{
	void *tree = (char *)batch - offsetof(struct rtree, batch);

	return tree;
}

void rtree_batch_commit(struct rtree_batch *batch, uint64_t *version)
{
	struct region *region = batch->region;

	if (batch->root == region->root) {
		rtree_batch_abort(batch);
		*version = region->version;
		return;
	}
	/* Each version has a root of its own: by its birth it is known. */
	assert(node_ref_birth(batch->root) == node_birth_kept(batch->version));
	region_publish(region, batch->version, batch->root, batch->item_count);
	region_retire(region, batch->dropped, batch->dropped_count);
	for (size_t i = 0; i < batch->spare_count; i++)
		region_give_back_page(region, batch->spare[i]);
	tree_of(batch)->page_count = batch->page_count;
	region_show_pages(region);
	batch->open = false;
	*version = batch->version;
}

void rtree_batch_abort(struct rtree_batch *batch)
{
	for (size_t i = 0; i < batch->taken_count; i++)
		region_give_back_page(batch->region, batch->taken[i]);
	/* There is time for it. */
	region_reclaim_some(batch->region);
	region_show_pages(batch->region);
	batch->open = false;
}

uint64_t rtree_retry_ns(const struct rtree *tree)
{
	return region_retry_ns(&tree->region);
}

/* --- Pages -------------------------------------------------------------- */

uint64_t batch_path_pages(const struct rtree_batch *batch)
{
	return 2 * (uint64_t)(batch_root_level(batch) + 1) + 1;
}

int batch_reserve(struct rtree_batch *batch, uint64_t pages, uint64_t kept)
{
	struct region *region = batch->region;
	uint64_t wanted = pages + kept;

	if (batch->spare_count + region_pages_available(region) >= wanted)
		return 0;
	region_reclaim_all(region);
	if (batch->spare_count + region_pages_available(region) >= wanted)
		return 0;
	/* All that isn't in the tree comes back in the end. */
	if (region->page_count - 1 >= batch->page_count + wanted &&
	    (batch->dropped_count || region_has_retired(region)))
		return err_set(ERR_AGAIN, "waiting for retired pages");
	return err_set(ERR_NO_ROOM,
		       "the region of %llu pages is full: the tree has %llu, "
		       "%llu more are needed; give the server more --memory",
		       (unsigned long long)region->page_count,
		       (unsigned long long)batch->page_count,
		       (unsigned long long)wanted);
}

static uint32_t take_page(struct rtree_batch *batch)
{
	if (batch->spare_count)
		return batch->spare[--batch->spare_count];
	uint32_t page = region_take_page(batch->region);
	batch->taken[batch->taken_count++] = page;
	return page;
}

static bool owns(const struct rtree_batch *batch, const struct node *node)
{
	return node->header.birth == batch->version;
}

void batch_drop(struct rtree_batch *batch, node_ref ref)
{
	const struct node *node = batch_node(batch, ref);

	batch->page_count--;
	if (owns(batch, node))
		batch->spare[batch->spare_count++] = node->header.page;
	else
		batch->dropped[batch->dropped_count++] = node->header.page;
}

void batch_drop_tree(struct rtree_batch *batch, node_ref ref)
{
	const struct node *node = batch_node(batch, ref);

	for (int i = 0; node->header.level && i < node->header.count; i++)
		batch_drop_tree(batch, node->child[i]);
	batch_drop(batch, ref);
}

struct node *batch_new_node(struct rtree_batch *batch, int level)
{
	uint32_t page = take_page(batch);
	struct node *node = region_node(batch->region, page);

	batch->page_count++;
	memset(&node->header, 0, sizeof(node->header));
	node->header.birth = batch->version;
	node->header.page = page;
	node->header.level = (uint8_t)level;
	node->header.kind = NODE_KIND;
	node->bounds = rect_empty();
	return node;
}

/* Copies what a node holds, and not the room for more. */
static void copy_node(struct node *to, const struct node *from)
{
	size_t count = from->header.count;

	memcpy(to, from,
	       offsetof(struct node, child) + count * sizeof(from->child[0]));
	if (from->header.level == 0)
		memcpy(to->rect, from->rect, count * sizeof(from->rect[0]));
}

/* Shows the root before the nodes below it are written: what the guard is there
 * to prevent. */
static void publish_early(const struct rtree_batch *batch)
{
	struct root_record *record = &batch->region->root_page->record;

	atomic_store(&record->version, batch->version);
	atomic_store(&record->root, batch->root);
	GUARD_PAUSE("commit");
}

struct node *batch_own(struct rtree_batch *batch, node_ref *ref)
{
	struct node *node = batch_node(batch, *ref);

	if (owns(batch, node))
		return node;
	uint32_t page = take_page(batch);
	struct node *copy = region_node(batch->region, page);
	copy_node(copy, node);
	copy->header.birth = batch->version;
	copy->header.page = page;
	batch->page_count++;
	batch_drop(batch, *ref);
	*ref = batch_ref(copy);
	if (!GUARD("publish-last", true) && ref == &batch->root)
		publish_early(batch);
	return copy;
}

/* --- Nodes -------------------------------------------------------------- */

struct entry node_entry(const struct rtree_batch *batch,
			const struct node *node, int i)
{
	if (node->header.level == 0)
		return (struct entry){.rect = node->rect[i],
				      .value = (uint64_t)node->id[i]};
	return (struct entry){.rect = batch_node(batch, node->child[i])->bounds,
			      .value = node->child[i]};
}

int node_gather(const struct rtree_batch *batch, const struct node *node,
		struct entry *entries)
{
	for (int i = 0; i < node->header.count; i++)
		entries[i] = node_entry(batch, node, i);
	return node->header.count;
}

/* Entry 'i', but for its cells. */
static void put_entry(struct node *node, int i, const struct entry *entry)
{
	if (node->header.level == 0) {
		node->rect[i] = entry->rect;
		node->id[i] = (int64_t)entry->value;
	} else {
		node->child[i] = entry->value;
	}
}

void node_fill(struct node *node, const struct entry *entries, int count)
{
	node->bounds = rect_empty();
	for (int i = 0; i < count; i++)
		rect_extend(&node->bounds, &entries[i].rect);
	if (count)
		grid_lay(node);
	for (int i = 0; i < count; i++)
		put_entry(node, i, &entries[i]);
	kernel->set_cells(node, &entries->rect, sizeof(*entries),
			  (unsigned)count);
	node->header.count = (uint16_t)count;
}

/* Lays the grid anew where the bounds have left it or shrunk in it.  Cells are
 * always computed from exact coordinates, so nothing drifts. */
static void suit_grid(const struct rtree_batch *batch, struct node *node)
{
	if (!node->header.count || grid_suits(node))
		return;
	grid_lay(node);
	if (node->header.level == 0) {
		kernel->set_cells(node, node->rect, sizeof(*node->rect),
				  node->header.count);
		return;
	}
	for (int i = 0; i < node->header.count; i++) {
		struct entry entry = node_entry(batch, node, i);
		grid_set_entry(node, i, &entry.rect);
	}
}

void node_append(const struct rtree_batch *batch, struct node *node,
		 const struct entry *entry)
{
	assert(node->header.count < NODE_CAPACITY);
	bool fits = rect_contains(&node->bounds, &entry->rect);
	rect_extend(&node->bounds, &entry->rect);
	int i = node->header.count++;
	put_entry(node, i, entry);
	grid_set_entry(node, i, &entry->rect);
	if (!fits)
		suit_grid(batch, node);
}

static bool touches_bounds(const struct node *node, const struct rect *rect)
{
	for (int d = 0; d < DIMENSIONS; d++)
		if (rect->min[d] == node->bounds.min[d] ||
		    rect->max[d] == node->bounds.max[d])
			return true;
	return false;
}

static void shrink_bounds(const struct rtree_batch *batch, struct node *node)
{
	node->bounds = rect_empty();
	for (int i = 0; i < node->header.count; i++) {
		struct entry entry = node_entry(batch, node, i);
		rect_extend(&node->bounds, &entry.rect);
	}
	suit_grid(batch, node);
}

void node_remove(const struct rtree_batch *batch, struct node *node, int i,
		 const struct rect *rect)
{
	int last = --node->header.count;

	/* Ids and refs share their place. */
	node->child[i] = node->child[last];
	if (node->header.level == 0)
		node->rect[i] = node->rect[last];
	grid_move_entry(node, i, last);
	if (touches_bounds(node, rect))
		shrink_bounds(batch, node);
}

void node_child_changed(const struct rtree_batch *batch, struct node *node,
			int i, const struct rect *old)
{
	const struct rect *now = &batch_node(batch, node->child[i])->bounds;

	if (rect_equal(now, old))
		return;
	grid_set_entry(node, i, now);
	if (!rect_contains(now, old) && touches_bounds(node, old)) {
		shrink_bounds(batch, node);
	} else if (!rect_contains(&node->bounds, now)) {
		rect_extend(&node->bounds, now);
		suit_grid(batch, node);
	}
}
