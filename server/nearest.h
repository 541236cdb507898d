/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SERVER_NEAREST_H
#define SERVER_NEAREST_H

/* The items nearest to a point as an answer, from one pinned version.
 *
 * The nearest is known only when all are, so they are gathered first.  That
 * takes memory for what was found, never for what was asked for: of a 'k'
 * beyond all bounds it is the items of the tree, and of a tree of more than a
 * million no more than a million can be asked for.
 *
 * Thread-safety: a search belongs to the thread of its connection. */

#include <stddef.h>

#include "rtree/nearest.h"
#include "rtree/rtree.h"
#include "server/answer.h"

struct nearest_search {
	struct rtree *tree;
	struct rtree_pin pin;
	struct nearest nearest;
	enum {
		NEAREST_GATHERS, /* until no node can change the answer */
		NEAREST_SORTS,	 /* until all that was found is in order */
		NEAREST_SENDS,	 /* until all has found room in segments */
	} stage;
	size_t sent;
};

/* Pins the newest version and starts to search it.  ERR_DATA for a point that
 * is not finite, ERR_USAGE when no item is asked for, ERR_NO_ROOM when the
 * answer would be too large to gather, ERR_BUSY when too many versions are
 * pinned. */
int nearest_search_begin(struct nearest_search *search, struct rtree *tree,
			 const struct wire_nearest *query);

/* A struct nearest_search as an answer. */
extern const struct answer_ops nearest_answer;

#endif
