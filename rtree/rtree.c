/* SPDX-License-Identifier: BSD-2-Clause */

/* The tree as a whole: creating it, searching it in this process, and looking
 * inside. */

#include "rtree/rtree.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "rtree/batch.h"
#include "rtree/kernel.h"
#include "rtree/statistics.h"
#include "rtree/walk.h"

uint64_t rtree_size_min(void)
{
	return (uint64_t)RTREE_PAGE_SIZE * (1 + 2 * PAGES_RESERVED);
}

static void free_batch(struct rtree_batch *batch)
{
	free(batch->taken);
	free(batch->spare);
	free(batch->dropped);
}

static int allocate_batch(struct rtree_batch *batch, uint64_t page_count)
{
	batch->taken = calloc(page_count, sizeof(*batch->taken));
	batch->spare = calloc(page_count, sizeof(*batch->spare));
	batch->dropped = calloc(page_count, sizeof(*batch->dropped));
	if (batch->taken && batch->spare && batch->dropped)
		return 0;
	free_batch(batch);
	return err_set(ERR_NO_MEMORY, "no memory for a batch");
}

/* Version 1: an empty leaf. */
static void publish_empty(struct rtree *tree)
{
	struct rtree_batch *batch;
	uint64_t version;

	rtree_batch_begin(tree, &batch);
	batch->root = batch_ref(batch_new_node(batch, 0));
	rtree_batch_commit(batch, &version);
}

int rtree_create(const struct rtree_options *options, struct rtree **tree)
{
	if (options->size < rtree_size_min())
		return err_set(ERR_USAGE,
			       "a region of %llu bytes is too small; "
			       "the least is %llu",
			       (unsigned long long)options->size,
			       (unsigned long long)rtree_size_min());
	struct rtree *t = calloc(1, sizeof(*t));
	if (!t)
		return err_set(ERR_NO_MEMORY, "no memory for a tree");
	int error = region_init(&t->region, options->size, options->lease_ns,
				options->is_mappable);
	if (error)
		goto free_tree;
	error = allocate_batch(&t->batch, t->region.page_count);
	if (error)
		goto fini_region;
	publish_empty(t);
	*tree = t;
	return 0;

fini_region:
	region_fini(&t->region);
free_tree:
	free(t);
	return error;
}

void rtree_destroy(struct rtree *tree)
{
	if (!tree)
		return;
	region_fini(&tree->region);
	free_batch(&tree->batch);
	free(tree);
}

void rtree_describe(const struct rtree *tree, struct rtree_region *region)
{
	*region = (struct rtree_region){
		.memory = tree->region.pages,
		.size = tree->region.memory.size,
		.page_count = tree->region.page_count,
		.fd = tree->region.memory.fd,
		.is_reserved = tree->region.memory.is_reserved,
		.identity = tree->region.identity,
		.lease_ns = tree->region.lease_ns,
	};
}

void rtree_reader_joined(struct rtree *tree)
{
	atomic_fetch_add(&tree->region.readers, 1);
}

void rtree_reader_left(struct rtree *tree)
{
	_Atomic uint64_t *last = &tree->region.last_reader_left_ns;
	uint64_t now = clock_now_ns(), before = atomic_load(last);

	/* The time first: whoever sees no reader sees when the last one left.
	 * Of several that leave at once the latest counts, in whatever order
	 * they come to store it. */
	while (before < now &&
	       !atomic_compare_exchange_weak(last, &before, now))
		;
	atomic_fetch_sub(&tree->region.readers, 1);
}

int rtree_pin(struct rtree *tree, struct rtree_pin *pin)
{
	return region_pin(&tree->region, pin);
}

void rtree_unpin(struct rtree *tree, struct rtree_pin *pin)
{
	region_unpin(&tree->region, pin);
}

const struct node *rtree_node(const struct rtree *tree, node_ref ref)
{
	return region_node(&tree->region, node_ref_page(ref));
}

int rtree_search(const struct rtree *tree, const struct root *root,
		 const struct rect *query, enum relation relation,
		 walk_found *found, void *context)
{
	return kernel->search(tree->region.pages, root->ref, query, relation,
			      found, context);
}

int rtree_search_group(const struct rtree *tree, const struct root *root,
		       const struct rect *queries, size_t count,
		       enum relation relation, walk_group_found *found,
		       void *context)
{
	return kernel->search_group(tree->region.pages, root->ref, queries,
				    count, relation, found, context);
}

int rtree_nearest(const struct rtree *tree, const struct root *root,
		  const double point[DIMENSIONS], uint64_t k,
		  struct nearest *nearest)
{
	struct walk_wanted wanted;
	int error = nearest_begin(nearest, point, k, root->ref,
				  tree->region.page_count);
	if (error)
		return error;
	nearest->pages = tree->region.pages;
	while (!error && nearest_next(nearest, &wanted))
		error = nearest_feed(nearest, &wanted,
				     rtree_node(tree, wanted.ref));
	if (error)
		nearest_end(nearest);
	else
		nearest_sort(nearest);
	return error;
}

int rtree_stat(struct rtree *tree, struct rtree_stat *stat)
{
	const struct region *region = &tree->region;
	struct level_counts counts;
	struct rtree_pin pin;
	int error = rtree_pin(tree, &pin);
	if (error)
		return error;
	const struct node *root = rtree_node(tree, pin.root.ref);
	*stat = (struct rtree_stat){
		.root = pin.root,
		.height = root->header.level + 1,
		.page_count = region->page_count,
		.free_pages = atomic_load(&region->free_shown),
		.retired_pages = atomic_load(&region->retired_shown),
		.lease_ns = region->lease_ns,
	};
	statistics_count(tree, pin.root.ref, &counts);
	rtree_unpin(tree, &pin);
	memcpy(stat->nodes, counts.nodes, sizeof(stat->nodes));
	memcpy(stat->entries, counts.entries, sizeof(stat->entries));
	/* The record's may be of another version. */
	stat->root.item_count = counts.entries[0];
	return 0;
}
