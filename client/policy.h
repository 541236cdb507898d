/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CLIENT_POLICY_H
#define CLIENT_POLICY_H

/* By which path a connection makes its next search: the controller
 * (adaptive/adaptive.h), fed with the server's heartbeats, with what searches
 * took, and with how much work this one is.
 *
 *	client_choose_search(c, &box, 0, &choice);
 *	... search by choice.path ...
 *	client_chosen(c, &choice);
 *
 * A search of mapped memory takes a few hundred nanoseconds, and to think
 * about it and measure it takes a hundred.  So where searches are that quick, a
 * choice to offload stands for those that follow within some tens of
 * microseconds and are not much larger: these need to compare their size and no
 * more.  So they do where there is no other choice.
 *
 *	if (client_goes_on(&c->policy, &box))
 *		... offload; client_think_again() if that came to nothing
 *
 * Thread-safety: one connection, one thread at a time. */

#include <stdbool.h>
#include <stdint.h>

#include "adaptive/adaptive.h"
#include "base/rect.h"
#include "client/catfish.h"

struct wire_heartbeat;

/* The tree, as roughly as it takes to tell how many leaves a rectangle meets.
 */
struct client_shape {
	struct rect bounds;
	double leaves_per_length[DIMENSIONS]; /* 0: not known */
};

struct client_policy {
	enum catfish_policy policy;
	struct adaptive_options options;
	struct adaptive controller;
	bool can_offload;
	struct client_shape shape;
	uint64_t searches;
	uint64_t shape_due;    /* of these, when the shape is looked at again */
	uint64_t now_ns;       /* when the clock was last read */
	uint64_t beat;	       /* of the heartbeat that was heard last */
	uint64_t beats_before; /* heard over earlier links, which count anew */

	/* Of the last search, and of the last that was thought about. */
	enum adaptive_path path;
	struct adaptive_reason reason;

	/* Searches that may still be offloaded without a thought, if their box
	 * is no larger than that in any direction. */
	uint64_t stands;
	double stands_size[DIMENSIONS];
};

struct client_choice {
	enum adaptive_path path;
	struct adaptive_query query;
	uint64_t begun_ns; /* 0: it isn't measured */
};

/* Takes the policy of the options, or another with the same parameters.
 * ERR_UNSUPPORTED where the fabric doesn't have its path, ERR_USAGE for what
 * isn't a policy, a way of offloading or a parameter. */
int client_policy_init(struct catfish *c,
		       const struct catfish_options *options);
int client_policy_set(struct catfish *c, enum catfish_policy policy,
		      enum catfish_offload offload);

/* From here on heartbeats come over another link. */
void client_policy_begin_link(struct catfish *c);

/* Whether the search for this rectangle is offloaded, without a choice: there
 * is none, or one was made that still stands.  It only counts the search. */
static inline bool client_goes_on(struct client_policy *policy,
				  const struct rect *box)
{
	if (!policy->stands)
		return false;
	for (int d = 0; d < DIMENSIONS; d++)
		if (box->max[d] - box->min[d] > policy->stands_size[d])
			return false;
	policy->stands--;
	policy->searches++;
	return true;
}

/* One that went on so could not be vouched for. */
void client_think_again(struct client_policy *policy);

/* Chooses for a search for this rectangle. */
void client_choose_search(struct catfish *c, const struct rect *box,
			  uint64_t now_ns, struct client_choice *choice);

/* Chooses for a search that is expected to meet that many leaves; 0: not known.
 * 'now_ns' is the time when the caller knows it, else 0. */
void client_choose(struct catfish *c, double leaves, uint64_t now_ns,
		   struct client_choice *choice);

/* Whether there is no choice, and searches are always offloaded; it counts the
 * search. */
static inline bool client_always_offloads(struct client_policy *policy)
{
	if (policy->policy != CATFISH_POLICY_OFFLOAD)
		return false;
	policy->searches++;
	policy->path = ADAPTIVE_OFFLOAD;
	return true;
}

/* Whether the server may leave a search to this client that it was to make:
 * where there is a choice, which always knows when it was made then. */
static inline bool client_may_walk(const struct client_policy *policy)
{
	return policy->can_offload &&
	       policy->policy != CATFISH_POLICY_MESSAGING;
}

/* That search is over. */
void client_chosen(struct catfish *c, const struct client_choice *choice);

/* Leaves that a search for this rectangle is expected to meet, and one for so
 * many of the nearest. */
double client_expect_leaves(const struct catfish *c, const struct rect *box);
double client_expect_nearest(uint64_t k);

/* A copy of the heartbeat that stands in the inbox, which the server may be
 * writing.  ERR_BUSY when there is none yet. */
int client_heartbeat_look(const struct catfish *c,
			  struct wire_heartbeat *heartbeat);

#endif
