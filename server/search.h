/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SERVER_SEARCH_H
#define SERVER_SEARCH_H

/* Searches and counts: a walk over one pinned version that can be left after
 * any node and taken up again.
 *
 * Thread-safety: a search belongs to the thread of its connection. */

#include <stdbool.h>
#include <stdint.h>

#include "rtree/rtree.h"
#include "rtree/walk.h"
#include "server/answer.h"

struct search {
	struct rtree *tree;
	struct rtree_pin pin;
	struct rect query;
	struct walk walk;
	const struct node *leaf; /* whose hits are being handed out */
	uint64_t hits;		 /* of these, still to come */
	uint64_t limit;		 /* items to be handed out; 0 for none */
	uint64_t total;
	bool count_only;
	bool truncated;
};

/* Pins the newest version and starts to search it.  ERR_DATA or ERR_USAGE for a
 * query that can't be, ERR_BUSY when too many versions are pinned. */
int search_begin(struct search *search, struct rtree *tree,
		 const struct wire_query *query, bool count_only);

/* A struct search as an answer. */
extern const struct answer_ops search_answer;

#endif
