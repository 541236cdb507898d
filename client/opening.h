/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CLIENT_OPENING_H
#define CLIENT_OPENING_H

/* Another link to a connection's server, made by a thread of its own while the
 * connection's caller goes on: to connect and to agree on what is spoken takes
 * several messages, each of which a fabric waits for.
 *
 * Thread-safety: an opening belongs to the thread that its connection belongs
 * to.  The thread that it starts sees nothing of the connection but copies, and
 * takes no signals. */

#include <stdint.h>

struct catfish;
struct client_opening;

/* Begins to connect 'next', which is the opening's from here on also when that
 * fails; within the timeout.  ERR_SYSTEM, ERR_NO_MEMORY. */
int client_opening_begin(struct catfish *next, uint64_t timeout_ns,
			 struct client_opening **opening);

/* Readable once it has come to an end. */
int client_opening_fd(const struct client_opening *opening);

/* How it ended, with the words for it, and frees the opening; 'next' is the
 * caller's again, whatever became of it.  ERR_AGAIN, and no words, as long as
 * it goes on. */
int client_opening_end(struct client_opening *opening, struct catfish **next);

/* Gives it up: what it makes is closed at its end, which isn't waited for. NULL
 * is fine. */
void client_opening_abandon(struct client_opening *opening);

#endif
