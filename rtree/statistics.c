/* SPDX-License-Identifier: BSD-2-Clause */

/* What a tree looks like: how many nodes there are, how full, how large and how
 * much in each other's way. */

#include "rtree/statistics.h"

#include <string.h>

/* --- Counts --------------------------------------------------------------- */

static void count(const struct rtree *tree, const struct node *node,
		  struct level_counts *counts)
{
	int level = node->header.level;

	counts->nodes[level]++;
	counts->entries[level] += node->header.count;
	for (int i = 0; level && i < node->header.count; i++)
		count(tree, rtree_node(tree, node->child[i]), counts);
}

void statistics_count(const struct rtree *tree, node_ref root,
		      struct level_counts *counts)
{
	memset(counts, 0, sizeof(*counts));
	count(tree, rtree_node(tree, root), counts);
}

uint64_t statistics_nodes(const struct level_counts *counts)
{
	uint64_t sum = 0;

	for (int level = 0; level <= NODE_LEVEL_MAX; level++)
		sum += counts->nodes[level];
	return sum;
}

/* --- Shapes --------------------------------------------------------------- */

static void measure_node(const struct node *node,
			 struct rtree_level_statistics *level)
{
	unsigned entries = node->header.count;

	if (!level->nodes || entries < level->least)
		level->least = entries;
	if (entries > level->most)
		level->most = entries;
	level->nodes++;
	level->entries += entries;
	if (!entries)
		return;
	level->area += rect_area(&node->bounds);
	level->margin += rect_margin(&node->bounds);
}

/* What each two children of a node have in common. */
static double sum_overlap(const struct rtree *tree, const struct node *node)
{
	struct rect bounds[NODE_LANES];
	double sum = 0;

	for (int i = 0; i < node->header.count; i++) {
		bounds[i] = rtree_node(tree, node->child[i])->bounds;
		for (int j = 0; j < i; j++)
			sum += rect_overlap(&bounds[i], &bounds[j]);
	}
	return sum;
}

static void measure(const struct rtree *tree, const struct node *node,
		    struct rtree_statistics *statistics)
{
	int level = node->header.level;

	measure_node(node, &statistics->levels[level]);
	if (level == 0)
		return;
	statistics->levels[level - 1].overlap += sum_overlap(tree, node);
	for (int i = 0; i < node->header.count; i++)
		measure(tree, rtree_node(tree, node->child[i]), statistics);
}

int rtree_statistics(struct rtree *tree, struct rtree_statistics *statistics)
{
	struct rtree_pin pin;
	int error = rtree_pin(tree, &pin);
	if (error)
		return error;
	const struct node *root = rtree_node(tree, pin.root.ref);
	*statistics = (struct rtree_statistics){
		.identity = pin.root.identity,
		.version = pin.root.version,
		.height = root->header.level + 1,
	};
	measure(tree, root, statistics);
	rtree_unpin(tree, &pin);
	return 0;
}
