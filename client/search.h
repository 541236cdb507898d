/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CLIENT_SEARCH_H
#define CLIENT_SEARCH_H

/* One search or count on its way through the library.
 *
 * A way of searching that can't vouch for its answer returns ERR_AGAIN, having
 * handed out nothing; the next way is tried then, and messaging is the last. */

#include <stdbool.h>
#include <stdint.h>

#include "base/rect.h"
#include "client/connection.h"

struct search {
	const struct rect *box; /* the caller's */
	enum relation relation;
	uint64_t limit;	      /* 0: none */
	catfish_found *found; /* NULL: a count */
	void *context;
	bool handed_out;	       /* some item: it can't be begun again */
	struct gathering *gathered;    /* to offload: what was found */
	struct catfish_answer *answer; /* counts are added to it */
};

/* What has come of an answer by messaging. */
struct search_progress {
	uint64_t segments;
	uint64_t items;
	bool stopped; /* the caller has had enough */
};

/* What a call takes over the link, and its time: begun before it, added to the
 * answer after it. */
struct client_meter {
	uint64_t begun_ns;
	uint64_t links;
	struct fabric_counters before;
};
void client_meter_begin(const struct catfish *c, struct client_meter *meter);
void client_meter_end(const struct catfish *c, const struct client_meter *meter,
		      struct catfish_answer *answer);

/* Lets the server search. */
int client_search_by_messaging(struct catfish *c, struct search *s);

/* The same, unless too many others wait for the server: then the search is made
 * here, from the root that it names, and if that takes too long to be vouched
 * for the server is asked once more, to do it itself.  'asked_ns' is the time,
 * or an earlier one, which what is read counts from. */
int client_search_by_messaging_or_walk(struct catfish *c, struct search *s,
				       uint64_t asked_ns);

/* Its parts, for answers that are received otherwise: what 's' asks for as a
 * body in wire format, and one segment of the answer, of which c->more says
 * whether another follows. */
struct client_entries;
int client_search_take_query(const struct catfish_query *query,
			     struct search *s);
void client_search_put_query(const struct search *s, struct wire_query *query);
int client_search_take_segment(struct catfish *c, struct search *s,
			       struct search_progress *so_far,
			       const struct wire_found *found,
			       const struct client_entries *items);

/* Takes up in 'answer' where a segment of it comes from, after 'segments'
 * others: this server, and the version of the first of them. */
int client_take_version(struct catfish *c, const struct wire_found *found,
			uint64_t segments, struct catfish_answer *answer);

#endif
