/* SPDX-License-Identifier: BSD-2-Clause */

/* The items nearest to several points at once: each search asks for its next
 * node to be fetched while the others compute. */

#include "rtree/rtree.h"

enum {
	/* Searches that take turns.  One alone asks for nodes ahead of time,
	 * too, so a few are enough; with 16 it was slower again. */
	GROUP = 4,
	LINE = 64,
};

/* With the exact rectangles of a leaf: it is the nearest of those wanted, so
 * most of them will be looked at. */
static void prefetch(const struct node *node, int level)
{
	node_prefetch(node);
	for (size_t at = RTREE_INNER_SIZE; !level && at < sizeof(*node);
	     at += LINE)
		__builtin_prefetch((const char *)node + at);
}

/* One node for each search in turn, until none wants another. */
static int run(const struct rtree *tree, struct nearest *nearest, size_t count)
{
	struct walk_wanted wanted[GROUP];
	size_t active[GROUP];

	for (size_t i = 0; i < count; i++)
		active[i] = i;
	while (count) {
		size_t left = 0;
		for (size_t i = 0; i < count; i++) {
			size_t n = active[i];
			if (!nearest_next(&nearest[n], &wanted[left]))
				continue;
			prefetch(rtree_node(tree, wanted[left].ref),
				 wanted[left].level);
			active[left++] = n;
		}
		count = left;
		for (size_t i = 0; i < count; i++) {
			int error =
				nearest_feed(&nearest[active[i]], &wanted[i],
					     rtree_node(tree, wanted[i].ref));
			if (error)
				return error;
		}
	}
	return 0;
}

/* Searches for a group; when it fails nothing has to be ended. */
static int search(const struct rtree *tree, const struct root *root,
		  const double (*points)[DIMENSIONS], size_t count, uint64_t k,
		  struct nearest *nearest)
{
	struct rtree_region region;
	size_t begun = 0;
	int error = 0;

	rtree_describe(tree, &region);
	while (!error && begun < count) {
		error = nearest_begin(&nearest[begun], points[begun], k,
				      root->ref, region.page_count);
		if (!error)
			nearest[begun++].pages = region.memory;
	}
	if (!error)
		error = run(tree, nearest, count);
	for (size_t i = 0; error && i < begun; i++)
		nearest_end(&nearest[i]);
	for (size_t i = 0; !error && i < count; i++)
		nearest_sort(&nearest[i]);
	return error;
}

int rtree_nearest_group(const struct rtree *tree, const struct root *root,
			const double (*points)[DIMENSIONS], size_t count,
			uint64_t k, struct nearest *nearest)
{
	int error = 0;

	for (size_t done = 0; !error && done < count; done += GROUP) {
		size_t size = count - done < GROUP ? count - done : GROUP;
		error = search(tree, root, points + done, size, k,
			       nearest + done);
		for (size_t i = 0; error && i < done; i++)
			nearest_end(&nearest[i]);
	}
	return error;
}
