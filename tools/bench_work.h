/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TOOLS_BENCH_WORK_H
#define TOOLS_BENCH_WORK_H

/* What a client of catfish bench asks, one operation after the other: drawn
 * from a seed, so that the same options ask the same.
 *
 * Thread-safety: one struct bench_work, one thread; a struct bench_plan is only
 * read once it is made. */

#include <stdbool.h>
#include <stdint.h>

#include "base/random.h"
#include "client/catfish.h"
#include "datasets/generate.h"

enum bench_operation {
	BENCH_SEARCH,
	BENCH_INSERT,
	BENCH_OPERATIONS,
};

/* The same for all clients. */
struct bench_plan {
	uint64_t weights[BENCH_OPERATIONS]; /* of each operation in the mix */
	double scale;			    /* of queries; 0: powerlaw */
	double edge;			    /* of items to insert */
	uint64_t seed;
	const struct item *queries; /* instead of a scale; NULL: none */
	size_t query_count;
};

/* "search=90,insert=10": weights, any of which may be left out. */
int bench_plan_parse_mix(const char *text, struct bench_plan *plan);

/* "1e-5" or "powerlaw". */
int bench_plan_parse_scale(const char *text, struct bench_plan *plan);

struct bench_work {
	const struct bench_plan *plan;
	struct random random;
	struct generator queries;
	struct generator items;
	size_t next_query;
	int64_t next_id;
};

/* The work of one of 'clients' clients. */
int bench_work_init(struct bench_work *work, const struct bench_plan *plan,
		    uint64_t client, uint64_t clients);

/* Draws the next operation, and what it asks: 'query' or 'item'. */
enum bench_operation bench_work_next(struct bench_work *work,
				     struct catfish_query *query,
				     struct catfish_item *item);

#endif
