/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BENCH_RTREE_BENCH_H
#define BENCH_RTREE_BENCH_H

/* What rtree-bench times: its phases, each a function that does it to all
 * queries or items and counts what was done.
 *
 * Thread-safety: one thread. */

#include <stddef.h>
#include <stdint.h>

#include "bench/items.h"
#include "rtree/rtree.h"

enum { SETS_MAX = 8 };

/* Queries, and what they are called in the output. */
struct query_set {
	struct items queries;
	const char *name;
	int name_length;
};

struct bench {
	struct items items;
	struct rect *rects; /* that the items have now */
	struct query_set sets[SETS_MAX];
	int set_count;
	const char *phases;
	const char *save_items; /* to write them to, and no more */
	const char *save_centred;
	uint64_t batch;
	uint64_t lease_ns;
	uint64_t memory;
	struct rtree_pack_options pack;

	struct rtree *tree;
	struct rtree_pin pin;
	int64_t *ids; /* of one query's answer */
	size_t ids_capacity;
	size_t ids_count;

	/* Of the phase. */
	const struct items *queries;
	uint64_t operations;
	uint64_t hits;
	uint64_t checksum;
	uint64_t waits; /* for retired pages */
};

/* --- That read ---------------------------------------------------------- */

int bench_search(struct bench *b);
int bench_search_dependent(struct bench *b);
int bench_search_groups(struct bench *b);
int bench_count(struct bench *b);
int bench_count_groups(struct bench *b);
int bench_nearest(struct bench *b);
int bench_nearest_groups(struct bench *b);

/* Stores the ids that a search finds; sums those that were stored for a
 * query. */
int bench_store_ids(void *context, const struct node *leaf, uint64_t hits);
void bench_sum_ids(struct bench *b, size_t query);

/* --- That write --------------------------------------------------------- */

int bench_bulk(struct bench *b);
int bench_insert_all(struct bench *b);
int bench_update_all(struct bench *b);
int bench_delete_all(struct bench *b);
int bench_mixed(struct bench *b);

/* Makes an empty tree in place of the one there is. */
int bench_fresh_tree(struct bench *b);

#endif
