/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_RTREE_PEER_H
#define TESTS_RTREE_PEER_H

/* Another library's R-tree, to be asked what ours is asked: each program that
 * compares them is linked with one that implements this, in C or C++.
 *
 * Thread-safety: one thread. */

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Laid out as struct item is, in two dimensions. */
struct peer_item {
	int64_t id;
	double min[2];
	double max[2];
};

/* By what number a relation is called: enum relation. */
enum peer_relation {
	PEER_INTERSECTS = 0,
	PEER_CONTAINS = 1,
	PEER_WITHIN = 2,
	PEER_RELATIONS = 3,
};

struct peer_tree;

struct peer {
	const char *name;
	struct peer_tree *(*create)(const struct peer_item *items,
				    size_t count);
	void (*destroy)(struct peer_tree *tree);
	/* Whether it can be asked for that relation. */
	int (*knows)(enum peer_relation relation);
	/* Stores the ids of all answers to 'ids', which has room for all items;
	 * returns how many. */
	size_t (*search)(struct peer_tree *tree, enum peer_relation relation,
			 const struct peer_item *query, int64_t *ids);
	/* The same for the 'k' items nearest to a point, in any order; or
	 * NULL. */
	size_t (*nearest)(struct peer_tree *tree, const double point[2],
			  size_t k, int64_t *ids);
};
extern const struct peer peer;

#ifdef __cplusplus
}
#endif
#endif
