/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CLIENT_RECONNECT_H
#define CLIENT_RECONNECT_H

/* Doing a call once more: when its connection was lost, over another one to the
 * same server, and when the server was too busy for it, after the time that it
 * said.
 *
 *	struct client_retry retry = {0};
 *	do
 *		error = ask(c, ...);
 *	while (client_retry(c, &retry, &error));
 *
 * A server that was started anew is another one: what it holds may be older
 * than what this connection was answered.  Nor is there anything to wait for
 * when nobody listens at the address any more.  Then the connection is over.
 * Otherwise it stays lost when the time for it is over, and the next call tries
 * again.
 *
 * Tries are made at random times, in the mean twice as long after the last as
 * that was after the one before, so that the clients of a server don't all come
 * back at once.
 *
 * Thread-safety: one connection, one thread. */

#include <stdbool.h>
#include <stdint.h>

#include "client/connection.h"

/* Of one call; all zeros to begin with. */
struct client_retry {
	uint64_t until_ns; /* to look for the server; 0: it wasn't lost yet */
	uint64_t busy_until_ns; /* to try again; 0: it wasn't busy yet */
	uint64_t next_ns;	/* when to look next */
	unsigned tries;
};

/* Whether to do a call again that ended with '*error', once that is possible:
 * it waits for that.  Otherwise '*error' says what became of it. */
bool client_retry(struct catfish *c, struct client_retry *retry, int *error);

/* Restores a lost connection, or fails; waits no longer than the connection's
 * options say. */
int client_reconnect(struct catfish *c);

/* Makes tries, each when it is time for it, without waiting: ERR_AGAIN until
 * one has ended well, or none is to follow.  What to wait for meanwhile is
 * c->opening, or retry->next_ns where there is none. */
int client_reconnect_poll(struct catfish *c, struct client_retry *retry);

#endif
