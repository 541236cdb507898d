/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CLIENT_OFFLOAD_H
#define CLIENT_OFFLOAD_H

/* Searching by offloading: this process reads the server's tree itself, and
 * the server does nothing.
 *
 * Nobody keeps the pages in place meanwhile, so an answer is gathered first and
 * counts only once it is known that no page of its version can have been reused
 * before the last was read.  There are two ways of reading and of knowing:
 *
 *	copy	READs bring the nodes into this process, or have brought them
 *		(client/fetch.h).  Less than the lease has passed since the
 *		root record was asked for; or, later than that, the record is
 *		READ again and its horizon has not passed the version.
 *	mapped	the nodes are searched where they stand, in memory shared with
 *		the server.  The horizon, loaded after everything else, has not
 *		passed the version; and the server is still alive.
 *
 * An answer that fails this is dropped and the server is asked instead.
 *
 * Where the server was asked first and left the search to this client, the walk
 * begins with the root that it named, which was the newest after the request
 * had been posted: that is the time that counts for the lease then. */

#include <stdint.h>

#include "client/connection.h"
#include "client/search.h"
#include "rtree/node.h"

/* Makes ready to search by a way of offloading.  ERR_UNSUPPORTED where the
 * fabric can't. */
int client_prepare_offload(struct catfish *c, enum catfish_offload offload);

/* Searches by the way that was chosen and hands out what was found.  ERR_AGAIN
 * when no answer could be vouched for. */
static inline int client_search_by_offload(struct catfish *c, struct search *s);

/* The same in the version of this root, which was the newest at 'asked_ns' or
 * later. */
int client_search_by_offload_from(struct catfish *c, struct search *s,
				  const struct root *root, uint64_t asked_ns);

/* Searches several times by READs and with one walk through their lists: all
 * are answered from one version, or none is.  What they took together is told
 * by the first of them.  Each is to be handed out then. */
enum { CLIENT_GROUP_MAX = 64 };
int client_search_group_by_copy(struct catfish *c, struct search *const *all,
				size_t count);
static inline void client_hand_out_offloaded(struct catfish *c,
					     struct search *s);
void client_group_destroy(struct client_group *group);

/* Tells the server how many searches it was spared. */
enum { CLIENT_REPORT_EVERY = 64 }; /* a search by messaging costs more */
void client_report_offloaded(struct catfish *c);

/* --- For the two ways --------------------------------------------------- */

/* One try of each: gathers the answer, vouches for it.  ERR_AGAIN when it
 * can't. */
int client_search_by_copy(struct catfish *c, struct search *s);
int client_search_mapped(struct catfish *c, struct search *s);
int client_search_by_copy_from(struct catfish *c, struct search *s,
			       const struct root *root, uint64_t asked_ns);
int client_search_mapped_from(struct catfish *c, struct search *s,
			      const struct root *root);

/* Walks a version of the mapped region, and again if that can't be vouched for.
 * The walk starts from the root that it is given; its ERR_DAMAGED counts only
 * if no page was reused meanwhile. */
typedef int client_mapped_walk(void *context, const struct root *root);
int client_walk_mapped(struct catfish *c, struct catfish_answer *answer,
		       client_mapped_walk *walk, void *context);

/* Takes note of an answer that was vouched for. */
static inline void client_note_offloaded(struct catfish *c,
					 struct catfish_answer *answer)
{
	c->version = answer->version;
	answer->path = CATFISH_PATH_OFFLOAD;
	answer->offload = c->offload;
	if (++c->offloaded % CLIENT_REPORT_EVERY == 0)
		client_report_offloaded(c);
}

/* Hands out what was gathered, at least one item. */
void client_hand_out(const struct search *s);

/* Forgets what was gathered, to begin. */
static inline void client_gather_begin(struct search *s)
{
	s->gathered->count = 0;
	s->answer->count = 0;
	s->answer->truncated = 0;
}

/* Gathers the entries of a leaf that 'hits' has bits for, up to the limit.
 * Every rectangle is copied first and then tested: ERR_DAMAGED when it is no
 * answer to the query. */
int client_gather(struct search *s, const struct node *leaf, uint64_t hits);

/* Whether the search has all that was asked for. */
static inline bool client_gathered_all(const struct search *s)
{
	return s->answer->truncated;
}

/* --- Inline, as mapped memory is searched in no time --------------------- */

static inline void client_hand_out_offloaded(struct catfish *c,
					     struct search *s)
{
	client_note_offloaded(c, s->answer);
	if (s->answer->count && s->found)
		client_hand_out(s);
}

static inline int client_search_by_offload(struct catfish *c, struct search *s)
{
	s->gathered = &c->found;
	int error = c->offload == CATFISH_OFFLOAD_MAPPED
			    ? client_search_mapped(c, s)
			    : client_search_by_copy(c, s);
	if (!error)
		client_hand_out_offloaded(c, s);
	return error;
}

#endif
