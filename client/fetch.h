/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CLIENT_FETCH_H
#define CLIENT_FETCH_H

/* Nodes by READ, for whoever walks one version of the tree.
 *
 * A walk begins by guessing that the newest version is still the one that was
 * seen last.  What it wants of that version is READ in one list together with
 * the root record.  If the record tells of the same version, the guess was
 * right, and so is every node of that list: that is one round trip for all that
 * the cache doesn't have.  Otherwise the walk starts again from the root that
 * the record names, and only nodes whose refs are new to it are READ.
 *
 *	fetch_begin(f, &answer);
 *	if f->is_guess: walk from f->root as far as it goes
 *	fetch_root(f);
 *	unless f->is_guess: walk from f->root anew, and fetch_nodes(f)
 *	while (f->now->count) {
 *		... feed the walk these nodes ...
 *		... walk on ...
 *		fetch_nodes(f);
 *	}
 *	fetch_end(f, error);
 *
 * To walk is, between fetch_look_begin() and fetch_look_end(), to feed what
 * fetch_look() finds and to have the rest READ by fetch_want().
 *
 * Why such a node is right.  Say a list was posted after version g had been
 * seen, and was completed; its root record told of version v >= g; and a node
 * of it is named by v with birth b <= g.  The node was there, whole, before the
 * list was posted: b was published, since g was seen.  Its page is retired by
 * some version after v, and stays untouched for a lease after that one was
 * published, which is later than the READ of the record.  So the page was
 * untouched when the node was READ, before the record or after it, if less than
 * a lease has passed from before the record's READ was posted until the list
 * was completed; or later, if the horizon is still no newer than v.  This is
 * the rule of rtree/README.md: that it may be READ before the record comes from
 * knowing the ref before.  Nodes of g that v doesn't name are not used, and
 * whatever their pages hold by then, nothing is concluded from it.
 *
 * What comes from the cache needs no lease: it was READ rightly, and what v
 * names never changes.  A search that finds all it wants in the cache is right
 * as of the moment when the record was READ.
 *
 * Thread-safety: one connection, one thread at a time. */

#include "client/connection.h"
#include "client/node_cache.h"
#include "rtree/walk.h"

/* Nodes that are READ in one list. */
struct fetch_list {
	size_t count;
	struct walk_wanted wanted[FABRIC_READS_MAX];
	/* Of a leaf whose filter is in the cache: the entries that the filter
	 * leaves open, and no others are there; else 0. */
	uint64_t possible[FABRIC_READS_MAX];
	uint8_t walk[FABRIC_READS_MAX]; /* that wants it */
	struct node *pages;
};

struct client_fetch {
	struct catfish *c;
	struct catfish_answer *answer; /* counts are added to it */

	struct root seen; /* the newest, without a cache; version 0: none */
	struct node_cache *cache; /* or NULL */
	struct node_cache_fresh fresh;

	struct root root;  /* that is walked */
	uint8_t walk;	   /* that looks and wants, of several; else 0 */
	bool is_looking;   /* at the cache */
	bool is_guess;	   /* the root record has not said otherwise */
	bool trusts_lease; /* a node was READ */
	uint64_t asked_ns; /* before the root record was, or earlier */

	/* The list that is made, or was READ last; and the one that was READ
	 * for a guess that was wrong. */
	struct fetch_list *now, *early;
	size_t read_count; /* of the list that is made */
	size_t room;	   /* for READs in it */
	struct fabric_read reads[FABRIC_READS_MAX];
	unsigned right_guesses; /* in a row */

	struct fetch_list lists[2];
	struct node *memory; /* of their pages */
	_Alignas(64) char record[sizeof(struct root_record)];
};

/* Makes one, with the cache that the connection was opened for. */
int fetch_create(struct catfish *c, struct client_fetch **f);

/* After the link has been closed: until then READs may still come in. */
void fetch_destroy(struct client_fetch *f);

/* Begins: f->root is a guess if f->is_guess, nothing is wanted, nothing was
 * READ. */
void fetch_begin(struct client_fetch *f, struct catfish_answer *answer);

/* Begins with a root that a message told, instead of a guess and fetch_root():
 * it was the newest at 'asked_ns', or later. */
void fetch_begin_from(struct client_fetch *f, struct catfish_answer *answer,
		      const struct root *root, uint64_t asked_ns);

/* READs the root record and what is wanted.  If the guess was wrong,
 * f->is_guess is unset, f->root is another, and nothing is wanted.  ERR_AGAIN
 * when the record comes torn again and again. */
int fetch_root(struct client_fetch *f);

/* READs what is wanted. */
int fetch_nodes(struct client_fetch *f);

/* The entries of a node that was READ which are there. */
uint64_t fetch_entries(const struct client_fetch *f, const struct node *node);

/* Notes that a node that was READ was what it should be, for the cache. */
void fetch_keep(struct client_fetch *f, const struct node *node);

/* Says whether what was READ is right: 0 with 'error' 0, or 'error', as a node
 * that can't be right is no damage if its page was reused meanwhile; else
 * ERR_AGAIN.  It ends the walk, and fills or leaves the cache. */
int fetch_end(struct client_fetch *f, int error);

/* --- Walking ------------------------------------------------------------ */

/* Begins a list: forgets what was READ.  What is found until the end stays as
 * long.  When there is a guess, fetch_begin() has begun to look already. */
void fetch_look_begin(struct client_fetch *f);
void fetch_look_end(struct client_fetch *f);

/* Where a node of f->root is, if it need not be READ.  Of what was READ for the
 * guess, a leaf's possible entries are those of the walk that wanted it. */
enum fetch_found {
	FETCH_MISSING,
	FETCH_READ,   /* it was, for the guess */
	FETCH_CACHED, /* an inner node */
	FETCH_FILTER, /* a leaf's first RTREE_FILTER_SIZE bytes */
};
enum fetch_found fetch_look(struct client_fetch *f, node_ref ref,
			    const struct node **node);

/* Has a node READ by the next list. */
void fetch_want(struct client_fetch *f, const struct walk_wanted *wanted);

/* The same for a leaf whose filter was found: of its entries, those that are
 * 'possible', at least one. */
void fetch_want_leaf(struct client_fetch *f, const struct walk_wanted *wanted,
		     const struct node *filter, uint64_t possible);

static inline bool fetch_has_room(const struct client_fetch *f)
{
	return f->read_count < f->room;
}

#endif
