/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CLIENT_WRITE_H
#define CLIENT_WRITE_H

/* One call's writes on their way through the library, and the parts of sending
 * a group of them, for answers that are awaited and those that are polled for.
 */

#include <stddef.h>

#include "client/call.h"
#include "client/reconnect.h"

struct write {
	enum wire_operation operation;
	const char *entries; /* the caller's array */
	size_t entry_size;
	size_t count;
	catfish_missing *missing;
	void *context;
	struct catfish_written written;

	/* Of the group that is under way: its number in the session, and which
	 * of those that were not found the caller knows, should the answer come
	 * once more. */
	uint64_t number;
	uint64_t told;
	uint64_t met;
	bool is_repeated; /* sent before, over a connection that was lost */
};

/* The body of a group's request begins with it. */
struct wire_write client_write_head(const struct catfish *c,
				    const struct write *w);

/* Whether what came of a write, 'error', leaves open what was done: when no
 * answer came, or one that says so, or one that knows nothing of the times
 * before.  'was_sent': at all; 'was_lost': with a connection since. */
bool client_write_is_uncertain(const struct catfish *c, int error,
			       bool was_sent, bool was_lost);

/* Sending a write until it is answered: all zeros to begin with. */
struct client_sending {
	struct client_retry retry;
	bool was_lost;	   /* with a connection, once it was sent */
	bool is_uncertain; /* what became of it, when it fails */
};

/* Whether to send it once more, as client_retry(): not when the session is
 * another one by then. */
bool client_send_again(struct catfish *c, struct client_sending *sending,
		       int *error);

/* Checks that there are entries, and all their rectangles: before anything is
 * sent, so that a bad one changes nothing. */
int client_write_check(const struct write *w);

/* Takes up one segment of the answer to a group, which are 'count' entries from
 * 'first' on; c->more says whether another segment follows. */
int client_write_take_segment(struct catfish *c, struct write *w, size_t first,
			      size_t count, const struct wire_written *written,
			      const struct client_entries *missing);

/* Checks, after the last segment of a group, that it answers for 'done' entries
 * in all. */
int client_write_check_done(struct catfish *c, const struct write *w,
			    uint64_t done);

#endif
