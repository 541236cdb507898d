/* SPDX-License-Identifier: BSD-2-Clause */

/* The items nearest to a point by offloading, best first as everywhere
 * (rtree/nearest.h).
 *
 * In mapped memory that is one node after the other.  By READs a list takes
 * what is nearest until it may hold as many items as are asked for, and once so
 * many were found, all that are no farther than the last of them: two round
 * trips for most searches whose inner nodes are in the cache. */

#include <math.h>
#include <string.h>

#include "base/err.h"
#include "base/guard.h"
#include "client/fetch.h"
#include "client/nearest.h"
#include "client/offload.h"
#include "rtree/nearest.h"

/* One search and what it has found. */
struct finding {
	struct catfish *c;
	struct nearest_call *call;
	struct nearest nearest;
	bool begun; /* 'nearest' has */
};

static client_mapped_walk walk_mapped;
static int find_by_copy(struct finding *w);
static int begin(struct finding *w, const struct root *root);
static void end(struct finding *w);
static int begin_by_copy(struct finding *w);
static int look_on(struct finding *w);
static uint64_t look(struct finding *w, const struct walk_wanted *wanted,
		     int *error);
static int feed_list(struct finding *w);
static int check_found(const struct finding *w);
static void hand_out(struct finding *w);

int client_nearest_by_offload(struct catfish *c, struct nearest_call *call)
{
	struct finding w;

	w.c = c;
	w.call = call;
	w.begun = false;
	int error =
		c->offload == CATFISH_OFFLOAD_MAPPED
			? client_walk_mapped(c, &call->answer, walk_mapped, &w)
			: find_by_copy(&w);
	if (!error) {
		call->answer.count = w.nearest.found_count;
		client_note_offloaded(c, &call->answer);
		hand_out(&w);
	}
	end(&w);
	return error;
}

static int begin(struct finding *w, const struct root *root)
{
	end(w);
	int error = nearest_begin(&w->nearest, w->call->query.point,
				  w->call->query.k, root->ref,
				  w->c->server.page_count);
	w->begun = !error;
	return error;
}

static void end(struct finding *w)
{
	if (!w->begun)
		return;
	w->begun = false;
	w->call->answer.nodes += w->nearest.nodes;
	nearest_end(&w->nearest);
}

/* --- Mapped ------------------------------------------------------------- */

static int walk_mapped(void *context, const struct root *root)
{
	struct finding *w = context;
	const struct node *pages = (const void *)w->c->region;
	struct walk_wanted wanted;

	int error = begin(w, root);
	if (!error)
		w->nearest.pages = pages;
	while (!error && nearest_next(&w->nearest, &wanted)) {
		const struct node *node = &pages[node_ref_page(wanted.ref)];
		GUARD_PAUSE("gather");
		error = nearest_feed(&w->nearest, &wanted, node);
		w->call->answer.read_bytes += node_size(node->header.level);
	}
	return error ? error : check_found(w);
}

/* --- By READs ----------------------------------------------------------- */

static int search_by_copy(struct finding *w)
{
	struct client_fetch *f = w->c->fetch;
	int error = f->is_guess ? begin_by_copy(w) : 0;

	if (!error)
		error = fetch_root(f);
	if (!error && !f->is_guess) {
		error = begin_by_copy(w);
		if (!error)
			error = fetch_nodes(f);
	}
	while (!error && f->now->count) {
		error = feed_list(w);
		if (!error)
			error = look_on(w);
		if (!error)
			error = fetch_nodes(f);
	}
	return error ? error : check_found(w);
}

static int find_by_copy(struct finding *w)
{
	fetch_begin(w->c->fetch, &w->call->answer);
	int error = search_by_copy(w);
	return fetch_end(w->c->fetch, error);
}

static int begin_by_copy(struct finding *w)
{
	int error = begin(w, &w->c->fetch->root);

	return error ? error : look_on(w);
}

/* Makes the next list. */
static int look_on(struct finding *w)
{
	struct client_fetch *f = w->c->fetch;
	struct nearest *nearest = &w->nearest;
	uint64_t expected = nearest->found_count;
	bool knows_farthest = nearest->found_count == nearest->k;
	struct walk_wanted wanted;
	int error = 0;

	fetch_look_begin(f);
	while (!error && fetch_has_room(f) &&
	       (knows_farthest || expected < nearest->k) &&
	       nearest_next(nearest, &wanted))
		expected += look(w, &wanted, &error);
	fetch_look_end(f);
	return error;
}

/* Items that there may be below a node which is filled as most are. */
static uint64_t items_below(int level)
{
	uint64_t items = NODE_CAPACITY / 2;

	for (; level > 0; level--)
		items *= NODE_CAPACITY / 2;
	return items;
}

/* Feeds the node or has it READ; returns how many items the READ may bring. */
static uint64_t look(struct finding *w, const struct walk_wanted *wanted,
		     int *error)
{
	struct client_fetch *f = w->c->fetch;
	const struct node *node;
	uint64_t possible;

	switch (fetch_look(f, wanted->ref, &node)) {
	case FETCH_MISSING:
		fetch_want(f, wanted);
		/* A root is all there is to know. */
		return wanted->level == WALK_LEVEL_UNKNOWN
			       ? w->nearest.k
			       : items_below(wanted->level);
	case FETCH_READ:
		fetch_keep(f, node);
		*error = nearest_feed(&w->nearest, wanted, node);
		return 0;
	case FETCH_CACHED:
		*error = nearest_feed(&w->nearest, wanted, node);
		return 0;
	case FETCH_FILTER:
		possible = nearest_filter(&w->nearest, wanted, node);
		if (!possible)
			return 0;
		fetch_want_leaf(f, wanted, node, possible);
		return __builtin_popcountll(possible);
	}
	return 0;
}

static int feed_list(struct finding *w)
{
	const struct fetch_list *list = w->c->fetch->now;
	int error = 0;

	for (size_t i = 0; !error && i < list->count; i++) {
		error = nearest_feed(&w->nearest, &list->wanted[i],
				     &list->pages[i]);
		if (!error)
			fetch_keep(w->c->fetch, &list->pages[i]);
	}
	return error;
}

/* --- What was found ----------------------------------------------------- */

static int check_found(const struct finding *w)
{
	const struct nearest *nearest = &w->nearest;

	for (size_t i = 0; i < nearest->found_count; i++)
		if (!rect_valid(&nearest->found[i].item.rect))
			return err_set(ERR_DAMAGED,
				       "the region gives an item that has no "
				       "rectangle");
	return 0;
}

static void hand_out(struct finding *w)
{
	const struct nearest_call *call = w->call;

	nearest_sort(&w->nearest);
	for (size_t i = 0; i < w->nearest.found_count; i++) {
		const struct neighbour *found = &w->nearest.found[i];
		double box[2 * DIMENSIONS];
		memcpy(box, &found->item.rect, sizeof(box));
		if (call->found(call->context, found->item.id, box,
				sqrt(found->distance2)))
			return;
	}
}
