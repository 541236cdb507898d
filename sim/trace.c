/* SPDX-License-Identifier: BSD-2-Clause */

/* What searches cost, by walking through the tree that is searched. */

#include "sim/trace.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "datasets/csv.h"
#include "rtree/rtree.h"

static int append(struct trace_set *set, size_t *room, const struct item *item);
static int pack(const struct trace_set *items, struct rtree **tree);
static int fill(struct rtree *tree, const struct item *items, uint64_t count);
static int count_costs(struct rtree *tree, const struct item *queries,
		       struct trace *trace);
static int count_cost(const struct rtree *tree, const struct root *root,
		      uint64_t page_count, const struct rect *query,
		      struct cost *cost);
static void count_leaf(const struct walk *walk,
		       const struct walk_wanted *wanted,
		       const struct node *leaf, struct cost *cost);

int trace_make(const struct trace_set *items, const struct trace_set *queries,
	       struct trace *trace)
{
	struct rtree *tree;

	if (!items->count || !queries->count)
		return err_set(ERR_USAGE, "there are no %s",
			       items->count ? "queries" : "items");
	int error = pack(items, &tree);
	if (error)
		return error;
	trace->count = queries->count;
	trace->costs = calloc(queries->count, sizeof(*trace->costs));
	error = trace->costs ? count_costs(tree, queries->items, trace)
			     : err_set(ERR_NO_MEMORY, "no memory for a trace");
	if (error)
		trace_fini(trace);
	rtree_destroy(tree);
	return error;
}

void trace_fini(struct trace *trace)
{
	free(trace->costs);
	trace->costs = NULL;
}

/* --- Sets --------------------------------------------------------------- */

int trace_set_generate(const struct generate_options *options,
		       struct trace_set *set)
{
	struct generator generator;
	int error = generate_begin(&generator, options);

	if (error)
		return error;
	set->count = options->count;
	set->items = calloc(options->count, sizeof(*set->items));
	if (!set->items)
		return err_set(ERR_NO_MEMORY, "no memory for items");
	struct item *next = set->items;
	while (generate_next(&generator, next))
		next++;
	return 0;
}

int trace_set_read(const char *path, struct trace_set *set)
{
	struct csv_reader *reader;
	struct item item;
	size_t room = 0;
	int error = csv_open(path, CSV_ITEMS, &reader);

	if (error)
		return error;
	*set = (struct trace_set){0};
	while ((error = csv_next_item(reader, &item)) > 0) {
		error = append(set, &room, &item);
		if (error)
			break;
	}
	csv_close(reader);
	if (error)
		trace_set_fini(set);
	return error;
}

static int append(struct trace_set *set, size_t *room, const struct item *item)
{
	if (set->count == *room) {
		size_t more = *room ? 2 * *room : 1024;
		struct item *items =
			reallocarray(set->items, more, sizeof(*items));
		if (!items)
			return err_set(ERR_NO_MEMORY, "no memory for items");
		set->items = items;
		*room = more;
	}
	set->items[set->count++] = *item;
	return 0;
}

void trace_set_fini(struct trace_set *set)
{
	free(set->items);
	*set = (struct trace_set){0};
}

/* --- Counting ----------------------------------------------------------- */

static int pack(const struct trace_set *items, struct rtree **tree)
{
	const struct rtree_options region = {
		.size = rtree_size_forecast(items->count) + rtree_size_min(),
		.lease_ns = NS_PER_S,
	};
	int error = rtree_create(&region, tree);

	if (!error) {
		error = fill(*tree, items->items, items->count);
		if (error)
			rtree_destroy(*tree);
	}
	return error;
}

static int fill(struct rtree *tree, const struct item *items, uint64_t count)
{
	struct rtree_batch *batch;
	uint64_t version;
	int error = rtree_batch_begin(tree, &batch);

	if (error)
		return error;
	error = rtree_replace(batch, items, count, NULL);
	if (error)
		rtree_batch_abort(batch);
	else
		rtree_batch_commit(batch, &version);
	return error;
}

static int count_costs(struct rtree *tree, const struct item *queries,
		       struct trace *trace)
{
	struct rtree_region region;
	struct rtree_stat stat;
	struct rtree_pin pin;
	int error = rtree_stat(tree, &stat);

	if (!error)
		error = rtree_pin(tree, &pin);
	if (error)
		return error;
	trace->height = (unsigned)stat.height;
	rtree_describe(tree, &region);
	for (size_t i = 0; !error && i < trace->count; i++)
		error = count_cost(tree, &pin.root, region.page_count,
				   &queries[i].rect, &trace->costs[i]);
	rtree_unpin(tree, &pin);
	return error;
}

static int count_cost(const struct rtree *tree, const struct root *root,
		      uint64_t page_count, const struct rect *query,
		      struct cost *cost)
{
	struct walk walk;
	struct walk_wanted wanted;
	int error = walk_begin(&walk, query, RELATION_INTERSECTS, root->ref,
			       page_count);

	if (error)
		return error;
	while (!error && walk_next(&walk, &wanted)) {
		const struct node *node = rtree_node(tree, wanted.ref);
		uint64_t hits;
		if (!node->header.level)
			count_leaf(&walk, &wanted, node, cost);
		error = walk_feed(&walk, &wanted, node, &hits);
		cost->items += (uint32_t)__builtin_popcountll(hits);
	}
	cost->nodes = (uint32_t)walk.nodes;
	cost->inner = (uint32_t)(walk.nodes - walk.leaves);
	walk_end(&walk);
	return error;
}

/* As client/offload_copy.c reads it: with the filter, as far as the last entry
 * that may be an answer. */
static void count_leaf(const struct walk *walk,
		       const struct walk_wanted *wanted,
		       const struct node *leaf, struct cost *cost)
{
	uint64_t possible = walk_filter(walk, wanted, leaf).possible;

	cost->leaf_reads++;
	cost->leaf_bytes += RTREE_PAGE_SIZE;
	if (!possible)
		return;
	unsigned last = 63 - (unsigned)__builtin_clzll(possible);
	cost->filtered_reads++;
	cost->filtered_bytes += (uint32_t)node_leaf_size(last + 1);
}
