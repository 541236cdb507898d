/* SPDX-License-Identifier: BSD-2-Clause */

/* The phases of rtree-bench that read the tree. */

#include "bench/rtree_bench.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "bench/serialise.h"

enum { NEAREST_COUNT = 10, GROUP = 32 };

static int reserve_ids(struct bench *b, size_t more)
{
	if (b->ids_count + more <= b->ids_capacity)
		return 0;
	b->ids_capacity = 2 * (b->ids_count + more);
	int64_t *ids = realloc(b->ids, b->ids_capacity * sizeof(*ids));
	if (!ids)
		return err_set(ERR_NO_MEMORY, "no memory for ids");
	b->ids = ids;
	return 0;
}

int bench_store_ids(void *context, const struct node *leaf, uint64_t hits)
{
	struct bench *b = context;
	int error = reserve_ids(b, NODE_LANES);
	if (error)
		return error;
	int64_t *to = b->ids + b->ids_count;
	if (hits == ~UINT64_C(0)) {
		memcpy(to, leaf->id, sizeof(leaf->id));
		to += NODE_LANES;
		hits = 0;
	}
	for (; hits; hits &= hits - 1)
		*to++ = leaf->id[__builtin_ctzll(hits)];
	b->ids_count = (size_t)(to - b->ids);
	return 0;
}

/* Sums the ids that were stored for a query. */
void bench_sum_ids(struct bench *b, size_t query)
{
	uint64_t sum = b->ids_count;

	for (size_t i = 0; i < b->ids_count; i++)
		sum += (uint64_t)b->ids[i];
	b->checksum += sum * (query + 1);
	b->hits += b->ids_count;
	b->ids_count = 0;
}

/* Each search alone, or, where the processor can, the next one begun before
 * the last has ended. */
static inline int search_each(struct bench *b, bool alone)
{
	for (size_t q = 0; q < b->queries->count; q++) {
		int error = rtree_search(
			b->tree, &b->pin.root, &b->queries->items[q].rect,
			RELATION_INTERSECTS, bench_store_ids, b);
		if (error)
			return error;
		bench_sum_ids(b, q);
		if (alone)
			serialise();
	}
	b->operations = b->queries->count;
	return 0;
}

int bench_search(struct bench *b)
{
	return search_each(b, false);
}

int bench_search_dependent(struct bench *b)
{
	return search_each(b, true);
}

int bench_count(struct bench *b)
{
	for (size_t q = 0; q < b->queries->count; q++) {
		uint64_t hits;
		int error = rtree_count(b->tree, &b->pin.root,
					&b->queries->items[q].rect,
					RELATION_INTERSECTS, &hits);
		if (error)
			return error;
		b->hits += hits;
	}
	b->operations = b->queries->count;
	return 0;
}

/* The rectangles of the queries from 'base' on, as many as make a group;
 * returns how many. */
static size_t take_group(const struct bench *b, size_t base,
			 struct rect queries[GROUP])
{
	size_t size = b->queries->count - base;

	size = size < GROUP ? size : GROUP;
	for (size_t q = 0; q < size; q++)
		queries[q] = b->queries->items[base + q].rect;
	return size;
}

int bench_count_groups(struct bench *b)
{
	struct rect queries[GROUP];
	uint64_t hits[GROUP];

	for (size_t base = 0; base < b->queries->count; base += GROUP) {
		size_t size = take_group(b, base, queries);
		int error = rtree_count_group(b->tree, &b->pin.root, queries,
					      size, RELATION_INTERSECTS, hits);
		if (error)
			return error;
		for (size_t q = 0; q < size; q++)
			b->hits += hits[q];
	}
	b->operations = b->queries->count;
	return 0;
}

/* Ids of a group come leaf by leaf, of one query or another. */
struct group {
	struct bench *bench;
	size_t base; /* the group's first query */
	struct group_run {
		size_t query;
		size_t end; /* of its ids from this leaf */
	} * runs;
	size_t count;
	size_t capacity;
};

static int store_group(void *context, size_t query, const struct node *leaf,
		       uint64_t hits)
{
	struct group *g = context;

	if (g->count == g->capacity) {
		g->capacity = 2 * g->capacity + 64;
		struct group_run *grown =
			realloc(g->runs, g->capacity * sizeof(*grown));
		if (!grown)
			return err_set(ERR_NO_MEMORY, "no memory for ids");
		g->runs = grown;
	}
	int error = bench_store_ids(g->bench, leaf, hits);
	g->runs[g->count++] =
		(struct group_run){g->base + query, g->bench->ids_count};
	return error;
}

static void sum_group(struct group *g)
{
	struct bench *b = g->bench;
	size_t i = 0;

	for (size_t run = 0; run < g->count; run++) {
		size_t end = g->runs[run].end;
		uint64_t sum = end - i;
		for (; i < end; i++)
			sum += (uint64_t)b->ids[i];
		b->checksum += sum * (g->runs[run].query + 1);
	}
	b->hits += b->ids_count;
	b->ids_count = g->count = 0;
}

int bench_search_groups(struct bench *b)
{
	struct group g = {.bench = b};
	struct rect queries[GROUP];
	int error = 0;

	for (; !error && g.base < b->queries->count; g.base += GROUP) {
		size_t size = take_group(b, g.base, queries);
		error = rtree_search_group(b->tree, &b->pin.root, queries, size,
					   RELATION_INTERSECTS, store_group,
					   &g);
		sum_group(&g);
	}
	free(g.runs);
	b->operations = b->queries->count;
	return error;
}

static int add_nearest(struct bench *b, size_t query, struct nearest *nearest)
{
	int error = reserve_ids(b, nearest->found_count);

	for (size_t i = 0; !error && i < nearest->found_count; i++)
		b->ids[b->ids_count++] = nearest->found[i].item.id;
	nearest_end(nearest);
	bench_sum_ids(b, query);
	return error;
}

int bench_nearest(struct bench *b)
{
	for (size_t q = 0; q < b->queries->count; q++) {
		struct nearest nearest;
		int error = rtree_nearest(b->tree, &b->pin.root,
					  b->queries->items[q].rect.min,
					  NEAREST_COUNT, &nearest);
		if (!error)
			error = add_nearest(b, q, &nearest);
		if (error)
			return error;
	}
	b->operations = b->queries->count;
	return 0;
}

int bench_nearest_groups(struct bench *b)
{
	static struct nearest nearest[GROUP];
	double points[GROUP][DIMENSIONS];
	struct rect queries[GROUP];
	int error = 0;

	for (size_t base = 0; !error && base < b->queries->count;
	     base += GROUP) {
		size_t size = take_group(b, base, queries);
		for (size_t q = 0; q < size; q++)
			memcpy(points[q], queries[q].min, sizeof(points[q]));
		error = rtree_nearest_group(b->tree, &b->pin.root,
					    (const double(*)[DIMENSIONS])points,
					    size, NEAREST_COUNT, nearest);
		for (size_t q = 0; !error && q < size; q++)
			error = add_nearest(b, base + q, &nearest[q]);
	}
	b->operations = b->queries->count;
	return error;
}
