/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CLIENT_CALL_H
#define CLIENT_CALL_H

/* One request and its answer, and one list of READs: everything that waits.
 *
 *	struct wire_query *query = client_request_body(c);
 *	... fill it in ...
 *	int error = client_request(c, WIRE_SEARCH, sizeof(*query), 0);
 *	do
 *		error = client_answer(c, &found, sizeof(found),
 *				      sizeof(struct wire_item), &entries);
 *	while (!error && c->more);
 *
 * An error of the link, or an answer that breaks the protocol, breaks the
 * connection.  An error that the server answers with does not. */

#include <stddef.h>
#include <stdint.h>

#include "client/connection.h"

/* Entries of one answer segment, which stay until the next is awaited. */
struct client_entries {
	const void *first;
	uint32_t count;
};

/* Where the body of the next request is to be put, and the bytes it can have.
 */
void *client_request_body(struct catfish *c);
size_t client_request_room(const struct catfish *c);

/* How long a request may take, and what is left of that as its deadline. */
uint64_t client_request_timeout_ns(const struct catfish *c,
				   enum wire_operation operation);
uint32_t client_deadline_us(uint64_t time_ns);

/* Sends a request whose body of 'body_size' bytes is in place and has an array
 * of 'count' entries. */
int client_request(struct catfish *c, enum wire_operation operation,
		   size_t body_size, uint32_t count);

/* Awaits the next segment of its answer: a fixed part, copied to 'fixed', and
 * entries, which may be NULL when there can be none.  c->more tells whether
 * another segment follows.  What the server answers with instead, an error, is
 * returned, and c->error_applied says how much it had applied by then. */
int client_answer(struct catfish *c, void *fixed, size_t fixed_size,
		  size_t entry_size, struct client_entries *entries);

/* A request and its only segment. */
int client_call(struct catfish *c, enum wire_operation operation,
		size_t body_size, uint32_t count, void *fixed,
		size_t fixed_size);

/* What client_answer() is made of, for answers that are received otherwise:
 * checks the message of 'size' bytes in c->segment and copies its header, then
 * takes it apart. */
int client_check_segment(struct catfish *c, size_t size,
			 struct wire_header *header);
int client_open_segment(struct catfish *c, const struct wire_header *header,
			void *fixed, size_t fixed_size, size_t entry_size,
			struct client_entries *entries);

/* Ends the connection, or its link, for an error that the user is to know the
 * address of. */
int client_lose(struct catfish *c, int error);

/* A wait: a while awake, then asleep.  Its clock starts when there is really
 * something to wait for; all zeros but for the timeout is one. */
struct client_wait {
	uint64_t timeout_ns;
	uint64_t spin_until_ns;
	uint64_t deadline_ns;
	bool started;
	bool armed;
};

/* One step of waiting, after which the caller polls again and looks whether the
 * time is up: between arming the link and sleeping on it, too, or what
 * completes in between is slept over. */
int client_wait_step(const struct catfish *c, struct client_wait *wait,
		     uint64_t now);

/* Receives and drops what is left of an answer. */
void client_drain(struct catfish *c);

/* READs a list of pieces: one round trip. */
int client_read(struct catfish *c, const struct fabric_read *reads,
		size_t count);

#endif
