/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BENCH_LAYOUT_SUBJECT_H
#define BENCH_LAYOUT_SUBJECT_H

/* A tree that bench/layouts measures: one of its layouts, or the real one.
 *
 * Thread-safety: one subject, one thread. */

#include "bench/layout_load.h"

struct subject {
	const struct layout *layout; /* of the real one, without functions */
	struct layout_tree tree;
	struct rtree *rtree; /* the real one, in place of 'tree' */
	struct rtree_pin pin;
	int height;
	double bytes; /* of all nodes */
};

/* Packs the items, with 'layout' NULL into the real tree. */
int subject_init(struct subject *subject, const struct layout *layout,
		 const struct item *items, uint64_t count,
		 enum rtree_order order);
void subject_fini(struct subject *subject);

/* Searches, 'group' queries at a time, as struct layout's search().  The real
 * tree doesn't count what it looks at. */
int subject_search(struct subject *subject, const struct rect *queries,
		   size_t count, size_t group, struct layout_answer *answer);

/* The same, to count what is looked at. */
int subject_count(struct subject *subject, const struct rect *queries,
		  size_t count, struct layout_answer *answer);

#endif
