/* SPDX-License-Identifier: BSD-2-Clause */

/* Counting what a search would find, without listing it. */

#include <string.h>

#include "rtree/rtree.h"

static int count_hits(void *context, const struct node *leaf, uint64_t hits)
{
	uint64_t *count = context;

	(void)leaf;
	*count += (uint64_t)__builtin_popcountll(hits);
	return 0;
}

int rtree_count(const struct rtree *tree, const struct root *root,
		const struct rect *query, enum relation relation,
		uint64_t *count)
{
	uint64_t sum = 0;
	int error = rtree_search(tree, root, query, relation, count_hits, &sum);

	if (!error)
		*count = sum;
	return error;
}

static int count_hits_of(void *context, size_t query, const struct node *leaf,
			 uint64_t hits)
{
	uint64_t *counts = context;

	return count_hits(&counts[query], leaf, hits);
}

int rtree_count_group(const struct rtree *tree, const struct root *root,
		      const struct rect *queries, size_t count,
		      enum relation relation, uint64_t *counts)
{
	memset(counts, 0, count * sizeof(*counts));
	return rtree_search_group(tree, root, queries, count, relation,
				  count_hits_of, counts);
}
