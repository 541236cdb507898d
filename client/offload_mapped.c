/* SPDX-License-Identifier: BSD-2-Clause */

/* Offloading in place: the walk goes through the server's region itself, which
 * is mapped into this process. */

#include "client/offload.h"

#include <inttypes.h>

#include "base/err.h"
#include "base/guard.h"
#include "rtree/walk.h"

enum {
	/* Each failed try means that this process was held up for a lease; when
	 * that goes on, let the server do it. */
	TRIES_MAX = 3,
	/* Ends a walk; no error. */
	ALL_GATHERED = 1,
};

/* Who searches, and for what. */
struct errand {
	struct catfish *c;
	struct search *s;
};

static inline __attribute__((always_inline)) client_mapped_walk search_mapped;
static walk_found gather_leaf;

static int try_again(struct catfish *c, struct catfish_answer *answer,
		     client_mapped_walk *walk, void *context);
static inline int vouch(struct catfish *c, const struct root *root);
static int end_with_server(struct catfish *c);
static inline __attribute__((always_inline)) int
walk_version(struct catfish *c, struct catfish_answer *answer,
	     const struct root *root, client_mapped_walk *walk, void *context);

/* Once for each walk: the compiler then knows which it is. */
static inline __attribute__((always_inline)) int
try_mapped(struct catfish *c, struct catfish_answer *answer,
	   client_mapped_walk *walk, void *context);

int client_search_mapped(struct catfish *c, struct search *s)
{
	struct errand errand = {c, s};

	int error = try_mapped(c, s->answer, search_mapped, &errand);
	return error != ERR_AGAIN
		       ? error
		       : try_again(c, s->answer, search_mapped, &errand);
}

int client_walk_mapped(struct catfish *c, struct catfish_answer *answer,
		       client_mapped_walk *walk, void *context)
{
	int error = try_mapped(c, answer, walk, context);

	return error != ERR_AGAIN ? error : try_again(c, answer, walk, context);
}

int client_search_mapped_from(struct catfish *c, struct search *s,
			      const struct root *root)
{
	struct errand errand = {c, s};

	int error = walk_version(c, s->answer, root, search_mapped, &errand);
	s->answer->lease_expiries += error == ERR_AGAIN;
	return error;
}

/* After a first try that failed. */
static int try_again(struct catfish *c, struct catfish_answer *answer,
		     client_mapped_walk *walk, void *context)
{
	int error = ERR_AGAIN;

	answer->lease_expiries++;
	for (int i = 1; error == ERR_AGAIN && i < TRIES_MAX; i++) {
		error = try_mapped(c, answer, walk, context);
		answer->lease_expiries += error == ERR_AGAIN;
	}
	return error;
}

static inline int try_mapped(struct catfish *c, struct catfish_answer *answer,
			     client_mapped_walk *walk, void *context)
{
	struct root root;

	root_load_version(c->region, &root);
	root.identity = atomic_load_explicit(&c->region->record.identity,
					     memory_order_relaxed);
	int error = client_check_version(c, root.identity, root.version);
	return error ? error : walk_version(c, answer, &root, walk, context);
}

static inline int walk_version(struct catfish *c, struct catfish_answer *answer,
			       const struct root *root,
			       client_mapped_walk *walk, void *context)
{
	answer->identity = c->server.identity;
	answer->version = root->version;

	/* A node that can't be right is no damage if its page was reused
	 * meanwhile, so that is found out first. */
	int walk_error = walk(context, root);
	if (walk_error && walk_error != ERR_DAMAGED)
		return walk_error;
	int error = vouch(c, root);
	return error ? error : walk_error;
}

static inline int search_mapped(void *context, const struct root *root)
{
	struct errand *errand = context;
	struct search *s = errand->s;
	struct walk_visited visited;

	client_gather_begin(s);
	/* The walk goes to no page that the region doesn't have. */
	int error = walk_run(&errand->c->pages, root->ref, s->box, s->relation,
			     gather_leaf, errand, &visited);
	s->answer->nodes = visited.nodes;
	s->answer->read_bytes =
		visited.leaves * RTREE_PAGE_SIZE +
		(visited.nodes - visited.leaves) * RTREE_INNER_SIZE;
	return error == ALL_GATHERED ? 0 : error;
}

static int gather_leaf(void *context, const struct node *leaf, uint64_t hits)
{
	const struct errand *errand = context;

	int error = client_gather(errand->s, leaf, hits);
	if (error)
		return error;
	return client_gathered_all(errand->s) ? ALL_GATHERED : 0;
}

/* Whether no page of the version had been touched when the last of them was
 * read, and the server was there to touch it: hadn't died, or closed the link,
 * after which it may have a successor with newer writes. */
static inline int vouch(struct catfish *c, const struct root *root)
{
	if (GUARD("horizon", root_load_horizon(c->region) > root->version))
		return ERR_AGAIN;
	if (GUARD("owner-died", fabric_server_has_left(c->link)))
		return end_with_server(c);
	return 0;
}

static int end_with_server(struct catfish *c)
{
	return client_break(c,
			    err_set(ERR_CONNECTION,
				    "the server at %s has ended", c->address));
}
