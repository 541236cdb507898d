/* SPDX-License-Identifier: BSD-2-Clause */

/* Offloading by READs: the walk goes as far as the cache leads it, has the rest
 * READ in one list, and so on until nothing is wanted.  Many searches at a time
 * share the lists, and the root record. */

#include "client/offload.h"

#include <stdlib.h>

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

/* Searches of the same version, whose READs go in the same lists. */
struct group {
	struct client_fetch *f;
	struct copying *all;
	size_t count;
};

/* Room for a group of several, which stays. */
struct client_group {
	struct copying all[CLIENT_GROUP_MAX];
	struct gathering found[CLIENT_GROUP_MAX];
};

static int run(struct group *g, struct catfish_answer *answer);
static int search(struct group *g);
static int walk_from_root(struct group *g);
static int walk_to_end(struct group *g);
static int begin_walks(struct group *g);
static void end_walks(struct group *g);
static bool wants_none(const struct group *g);
static int walk_on(struct group *g);
static int look(struct copying *w, const struct walk_wanted *wanted);
static int feed(struct copying *w, const struct walk_wanted *wanted,
		const struct node *node);
static void filter(struct copying *w, const struct walk_wanted *wanted,
		   const struct node *leaf);
static int feed_list(struct group *g);

static void prepare(struct copying *w, struct catfish *c, struct search *s)
{
	w->c = c;
	w->s = s;
	w->f = c->fetch;
	w->walks = false;
}

int client_search_by_copy(struct catfish *c, struct search *s)
{
	struct copying w;
	struct group g;

	g.f = c->fetch;
	g.all = &w;
	g.count = 1;
	prepare(&w, c, s);
	return run(&g, s->answer);
}

int client_search_by_copy_from(struct catfish *c, struct search *s,
			       const struct root *root, uint64_t asked_ns)
{
	struct copying w;
	struct group g;

	g.f = c->fetch;
	g.all = &w;
	g.count = 1;
	prepare(&w, c, s);
	fetch_begin_from(g.f, s->answer, root, asked_ns);
	int error = walk_from_root(&g);
	if (!error)
		error = walk_to_end(&g);
	end_walks(&g);
	return fetch_end(g.f, error);
}

int client_search_group_by_copy(struct catfish *c, struct search *const *all,
				size_t count)
{
	struct group g;

	if (!c->group)
		c->group = calloc(1, sizeof(*c->group));
	if (!c->group)
		return err_set(ERR_NO_MEMORY, "no memory for many searches");
	g.f = c->fetch;
	g.all = c->group->all;
	g.count = count;
	for (size_t i = 0; i < count; i++) {
		all[i]->gathered = &c->group->found[i];
		prepare(&g.all[i], c, all[i]);
	}
	int error = run(&g, all[0]->answer);
	for (size_t i = 1; !error && i < count; i++) {
		all[i]->answer->identity = all[0]->answer->identity;
		all[i]->answer->version = all[0]->answer->version;
	}
	return error;
}

void client_group_destroy(struct client_group *group)
{
	for (size_t i = 0; group && i < CLIENT_GROUP_MAX; i++)
		free(group->found[i].items);
	free(group);
}

static int run(struct group *g, struct catfish_answer *answer)
{
	fetch_begin(g->f, answer);
	int error = search(g);
	end_walks(g);
	return fetch_end(g->f, error);
}

static int search(struct group *g)
{
	struct client_fetch *f = g->f;
	int error = f->is_guess ? begin_walks(g) : 0;

	if (!error)
		error = fetch_root(f);
	if (!error && !f->is_guess)
		error = walk_from_root(g);
	return error ? error : walk_to_end(g);
}

static int walk_from_root(struct group *g)
{
	int error = begin_walks(g);

	return error ? error : fetch_nodes(g->f);
}

static int walk_to_end(struct group *g)
{
	struct client_fetch *f = g->f;
	int error = 0;

	while (!error && f->now->count) {
		error = feed_list(g);
		if (error || wants_none(g))
			break;
		error = walk_on(g);
		if (!error)
			error = fetch_nodes(f);
	}
	return error;
}

/* --- Walking ------------------------------------------------------------ */

static void end_walk(struct copying *w)
{
	if (!w->walks)
		return;
	w->walks = false;
	w->s->answer->nodes += w->walk.nodes + w->filtered;
	walk_end(&w->walk);
}

static int begin_walk(struct copying *w)
{
	end_walk(w);
	client_gather_begin(w->s);
	w->filtered = 0;
	int error = walk_begin(&w->walk, w->s->box, w->s->relation,
			       w->f->root.ref, w->c->server.page_count);
	w->walks = !error;
	return error;
}

/* Walks from the root that is known now; walks from another were in vain. */
static int begin_walks(struct group *g)
{
	int error = 0;

	for (size_t i = 0; !error && i < g->count; i++)
		error = begin_walk(&g->all[i]);
	return error ? error : walk_on(g);
}

static void end_walks(struct group *g)
{
	for (size_t i = 0; i < g->count; i++)
		end_walk(&g->all[i]);
}

static bool wants_none(const struct group *g)
{
	for (size_t i = 0; i < g->count; i++)
		if (!walk_wants_none(&g->all[i].walk) &&
		    !client_gathered_all(g->all[i].s))
			return false;
	return true;
}

/* Adds to the list what a walk wants, as far as there is room. */
static int walk_one(struct group *g, size_t number)
{
	struct copying *w = &g->all[number];
	struct walk_wanted wanted;
	int error = 0;

	w->f->walk = (uint8_t)number;
	while (!error && fetch_has_room(w->f) && !client_gathered_all(w->s) &&
	       walk_next(&w->walk, &wanted))
		error = look(w, &wanted);
	return error;
}

/* Makes the next list of what is wanted. */
static int walk_on(struct group *g)
{
	int error = 0;

	fetch_look_begin(g->f);
	for (size_t i = 0; !error && i < g->count; i++)
		error = walk_one(g, i);
	fetch_look_end(g->f);
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
		w->s->answer->count += __builtin_popcountll(bits.certain);
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
		error = client_gather(w->s, node, hits);
	return error;
}

static int feed_list(struct group *g)
{
	const struct fetch_list *list = g->f->now;
	int error = 0;

	for (size_t i = 0; !error && i < list->count; i++)
		error = feed(&g->all[list->walk[i]], &list->wanted[i],
			     &list->pages[i]);
	return error;
}
