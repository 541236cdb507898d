/* SPDX-License-Identifier: BSD-2-Clause */

/* The phases of rtree-bench that write to the tree. */

#include "bench/rtree_bench.h"

#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"

/* A fresh tree, with a one-sided reader so that the lease is in force. */
int bench_fresh_tree(struct bench *b)
{
	const struct rtree_options options = {
		.size = b->memory,
		.lease_ns = b->lease_ns,
	};

	for (size_t i = 0; i < b->items.count; i++)
		b->rects[i] = b->items.items[i].rect;
	rtree_destroy(b->tree);
	b->tree = NULL;
	int error = rtree_create(&options, &b->tree);
	if (!error && b->lease_ns)
		rtree_reader_joined(b->tree);
	return error;
}

int bench_bulk(struct bench *b)
{
	struct rtree_batch *batch;
	uint64_t version;
	int error = rtree_batch_begin(b->tree, &batch);
	if (error)
		return error;
	error = rtree_replace(batch, b->items.items, b->items.count, &b->pack);
	if (error) {
		rtree_batch_abort(batch);
		return error;
	}
	rtree_batch_commit(batch, &version);
	b->operations = b->items.count;
	return 0;
}

static void wait_for_pages(struct bench *b)
{
	uint64_t now = clock_now_ns(), until = rtree_retry_ns(b->tree);

	b->waits++;
	if (until > now)
		usleep((useconds_t)((until - now) / NS_PER_US + 1));
}

typedef int change(struct bench *b, struct rtree_batch *batch, size_t i);

static int insert_one(struct bench *b, struct rtree_batch *batch, size_t i)
{
	return rtree_insert(batch, &b->items.items[i]);
}

static int delete_one(struct bench *b, struct rtree_batch *batch, size_t i)
{
	const struct item item = {b->items.items[i].id, b->rects[i]};

	return rtree_delete(batch, &item);
}

/* Moves an item by its own size. */
static int update_one(struct bench *b, struct rtree_batch *batch, size_t i)
{
	const struct item item = {b->items.items[i].id, b->rects[i]};
	struct rect to = item.rect;

	for (int d = 0; d < DIMENSIONS; d++) {
		double by = item.rect.max[d] - item.rect.min[d];
		to.min[d] += by;
		to.max[d] += by;
	}
	int error = rtree_update(batch, &item, &to);
	if (!error)
		b->rects[i] = to;
	return error;
}

/* Changes every item, 'batch' of them in each published version. */
static int change_all(struct bench *b, change *change_one)
{
	size_t i = 0;

	while (i < b->items.count) {
		struct rtree_batch *batch;
		uint64_t version;
		int error = rtree_batch_begin(b->tree, &batch);
		if (error)
			return error;
		for (uint64_t n = 0;
		     !error && n < b->batch && i < b->items.count; n++) {
			error = change_one(b, batch, i);
			i += !error;
		}
		rtree_batch_commit(batch, &version);
		if (error && error != ERR_AGAIN)
			return error;
		if (error == ERR_AGAIN)
			wait_for_pages(b);
	}
	b->operations = b->items.count;
	return 0;
}

int bench_insert_all(struct bench *b)
{
	return change_all(b, insert_one);
}

int bench_update_all(struct bench *b)
{
	return change_all(b, update_one);
}

int bench_delete_all(struct bench *b)
{
	int error = change_all(b, delete_one);

	b->hits = error ? 0 : b->operations;
	return error;
}

/* Moves an item in a version of its own. */
static int publish_update(struct bench *b, size_t i)
{
	for (;;) {
		struct rtree_batch *batch;
		uint64_t version;
		int error = rtree_batch_begin(b->tree, &batch);
		if (error)
			return error;
		error = update_one(b, batch, i);
		rtree_batch_commit(batch, &version);
		if (error != ERR_AGAIN)
			return error;
		wait_for_pages(b);
	}
}

static int search_newest(struct bench *b, size_t first, size_t count)
{
	struct rtree_pin pin;
	int error = rtree_pin(b->tree, &pin);
	if (error)
		return error;
	for (size_t q = first; !error && q < first + count; q++) {
		error = rtree_search(b->tree, &pin.root,
				     &b->queries->items[q].rect,
				     RELATION_INTERSECTS, bench_store_ids, b);
		bench_sum_ids(b, q);
	}
	rtree_unpin(b->tree, &pin);
	return error;
}

/* Nine searches for each item that is moved. */
int bench_mixed(struct bench *b)
{
	size_t moves = b->queries->count / 9;

	moves = moves < b->items.count ? moves : b->items.count;
	for (size_t i = 0; i < moves; i++) {
		int error = publish_update(b, i);
		if (!error)
			error = search_newest(b, 9 * i, 9);
		if (error)
			return error;
	}
	b->operations = 10 * moves;
	return 0;
}
