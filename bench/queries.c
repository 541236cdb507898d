/* SPDX-License-Identifier: BSD-2-Clause */

/* Queries that go where the items are. */

#include "bench/queries.h"

#include "base/random.h"

void queries_centre(struct item *queries, size_t query_count,
		    const struct item *items, size_t item_count, uint64_t seed)
{
	struct random random;

	random_seed(&random, seed);
	for (size_t q = 0; q < query_count; q++) {
		const struct rect *to =
			&items[random_below(&random, item_count)].rect;
		struct rect *query = &queries[q].rect;
		for (int d = 0; d < DIMENSIONS; d++) {
			double centre = to->min[d] / 2 + to->max[d] / 2;
			double half = query->max[d] / 2 - query->min[d] / 2;
			query->min[d] = centre - half;
			query->max[d] = centre + half;
		}
	}
}
