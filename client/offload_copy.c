/* SPDX-License-Identifier: BSD-2-Clause */

/* Offloading by READs: the walk goes as far as the cache leads it, has the rest
 * READ in one list, and so on until nothing is wanted. */

#include "client/offload.h"

#include "base/err.h"
#include "client/fetch.h"

/* One search and its walk. */
struct copying {
	struct catfish *c;
	struct search *s;
	struct client_fetch *f;
	struct walk walk;
	bool walks;	   /* the walk has begun */
	uint64_t filtered; /* leaves that need not be READ */
};

static int search(struct copying *w);
static int begin_walk(struct copying *w);
static void end_walk(struct copying *w);
static int walk_on(struct copying *w);
static int look(struct copying *w, const struct walk_wanted *wanted);
static int feed(struct copying *w, const struct walk_wanted *wanted,
		const struct node *node);
static void filter(struct copying *w, const struct walk_wanted *wanted,
		   const struct node *leaf);
static int feed_list(struct copying *w);

int client_search_by_copy(struct catfish *c, struct search *s)
{
	struct copying w;

	w.c = c;
	w.s = s;
	w.f = c->fetch;
	w.walks = false;
	fetch_begin(w.f, &s->answer);
	int error = search(&w);
	end_walk(&w);
	return fetch_end(w.f, error);
}

static int search(struct copying *w)
{
	struct client_fetch *f = w->f;
	int error = f->is_guess ? begin_walk(w) : 0;

	if (!error)
		error = fetch_root(f);
	if (!error && !f->is_guess) {
		error = begin_walk(w);
		if (!error)
			error = fetch_nodes(f);
	}
	while (!error && f->now->count && !client_gathered_all(w->s)) {
		error = feed_list(w);
		if (error || walk_wants_none(&w->walk))
			break;
		error = walk_on(w);
		if (!error)
			error = fetch_nodes(f);
	}
	return error;
}

/* Walks from the root that is known now; a walk from another was in vain. */
static int begin_walk(struct copying *w)
{
	end_walk(w);
	client_gather_begin(w->c, w->s);
	w->filtered = 0;
	int error = walk_begin(&w->walk, &w->s->box, w->s->relation,
			       w->f->root.ref, w->c->server.page_count);
	if (error)
		return error;
	w->walks = true;
	return walk_on(w);
}

static void end_walk(struct copying *w)
{
	if (!w->walks)
		return;
	w->walks = false;
	w->s->answer.nodes += w->walk.nodes + w->filtered;
	walk_end(&w->walk);
}

/* Makes the next list of what is wanted. */
static int walk_on(struct copying *w)
{
	struct walk_wanted wanted;
	int error = 0;

	fetch_look_begin(w->f);
	while (!error && fetch_has_room(w->f) && !client_gathered_all(w->s) &&
	       walk_next(&w->walk, &wanted))
		error = look(w, &wanted);
	fetch_look_end(w->f);
	return error;
}

static int look(struct copying *w, const struct walk_wanted *wanted)
{
	const struct node *node;
	uint64_t ignored;

	switch (fetch_look(w->f, wanted->ref, &node)) {
	case FETCH_MISSING:
		fetch_want(w->f, wanted);
		return 0;
	case FETCH_READ:
		return feed(w, wanted, node);
	case FETCH_CACHED:
		return walk_feed(&w->walk, wanted, node, &ignored);
	case FETCH_FILTER:
		filter(w, wanted, node);
		return 0;
	}
	return 0;
}

/* READs a leaf only if it can hold an answer, and hardly more of it than the
 * entries that may be one; to count what is certain, not at all. */
static void filter(struct copying *w, const struct walk_wanted *wanted,
		   const struct node *leaf)
{
	struct walk_filtered bits = walk_filter(&w->walk, wanted, leaf);

	if (!w->s->found && bits.possible == bits.certain) {
		w->s->answer.count += __builtin_popcountll(bits.certain);
		bits.possible = 0;
	}
	if (bits.possible)
		fetch_want_leaf(w->f, wanted, leaf, bits.possible);
	else
		w->filtered++;
}

/* Feeds a node that was READ. */
static int feed(struct copying *w, const struct walk_wanted *wanted,
		const struct node *node)
{
	uint64_t hits;

	int error = walk_feed(&w->walk, wanted, node, &hits);
	if (error)
		return error;
	fetch_keep(w->f, node);
	hits &= fetch_entries(w->f, node);
	if (hits && !client_gathered_all(w->s))
		error = client_gather(w->c, w->s, node, hits);
	return error;
}

static int feed_list(struct copying *w)
{
	const struct fetch_list *list = w->f->now;
	int error = 0;

	for (size_t i = 0; !error && i < list->count; i++)
		error = feed(w, &list->wanted[i], &list->pages[i]);
	return error;
}
