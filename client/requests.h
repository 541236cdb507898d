/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CLIENT_REQUESTS_H
#define CLIENT_REQUESTS_H

/* Many requests at once: each stands in a table, at its sequence number, until
 * its answer has come, by which it is found again.  What is checked of an
 * answer, and how it is taken apart, is the same as for one that is waited for.
 *
 * A request that was cancelled, or whose deadline has passed, keeps its place:
 * its answer is still to come, and is taken apart to be dropped.
 *
 * When the connection is lost, those that are not answered are sent again over
 * the next one, in their old order and before any that is begun meanwhile.  A
 * write is then the same write, by its number.
 *
 *	requests.c		begins, sends and cancels them
 *	requests_offload.c	makes those that are offloaded
 *	requests_poll.c		polls and waits for answers
 *	requests_answer.c	takes these apart, and completes requests
 *	requests_lost.c		has a lost connection back
 *
 * Thread-safety: one connection, one thread at a time. */

#include "client/call.h"
#include "client/nearest.h"
#include "client/reconnect.h"
#include "client/search.h"
#include "client/write.h"

enum {
	/* More than can be on their way: those in the server's ring, and those
	 * that it has taken from there. */
	REQUESTS_MAX = 256,
};

struct request {
	uint64_t sequence; /* 0: the place is free */
	enum wire_operation operation;
	bool is_dropped;   /* cancelled, or out of time */
	bool is_offloaded; /* to be, by the next poll */
	bool is_unsent;	   /* to be sent over the connection that there is */
	bool was_sent;	   /* over any */
	bool was_lost;	   /* with one that it was sent over */
	struct catfish_call call;
	uint64_t begun_ns;
	uint64_t deadline_ns;
	union {
		struct {
			struct search search;
			struct rect box; /* that it is for */
			struct catfish_answer answer;
			struct search_progress progress;
		};
		struct nearest_call nearest;
		struct {
			struct write write;
			void *entries; /* a copy, to be sent again; or NULL */
		};
	};
};

struct client_requests {
	struct request table[REQUESTS_MAX]; /* by sequence */
	size_t outstanding;
	size_t completed;	   /* by the call that is under way */
	uint64_t next_deadline_ns; /* or earlier; UINT64_MAX: none */
	bool is_polled;		   /* a 'done' is being called, maybe */
	size_t unsent;
	size_t offloaded;    /* to be; then no answer is on its way */
	bool is_coming_back; /* the connection was lost, and is not back */
	struct client_retry retry;
};

static inline bool request_is_search(const struct request *r)
{
	return r->operation == WIRE_SEARCH || r->operation == WIRE_COUNT;
}

static inline bool request_is_write(const struct request *r)
{
	return !request_is_search(r) && r->operation != WIRE_NEAREST;
}

/* The n-th of those that may be outstanding up to the newest, the oldest first,
 * or NULL: it isn't. */
static inline struct request *request_at(struct catfish *c, uint64_t newest,
					 uint64_t n)
{
	struct request *r =
		&c->requests->table[(newest + 1 + n) % REQUESTS_MAX];

	return r->sequence && r->sequence <= newest ? r : NULL;
}

/* Makes the connection's table, if it has none yet. */
int client_requests_create(struct catfish *c);

/* Sends those that wait to be sent, the oldest first, as long as there is
 * room. */
int client_requests_send(struct catfish *c);

/* Makes a group of those to be offloaded, or all of them when something waits
 * to be sent: then no other is begun that would have to be made before. */
int client_requests_offload(struct catfish *c);

/* Takes all messages that have come, and completes what they answer. */
int client_requests_receive(struct catfish *c);

/* Completes a request.  Frees its place, which may be taken again at once. */
void client_requests_complete(struct catfish *c, struct request *r, int error);

/* Nothing is called for it any more.  What waits to be sent isn't sent; else
 * the answer is still to come. */
void client_requests_drop(struct catfish *c, struct request *r);

/* Completes those whose deadline has passed, and finds the next deadline. */
void client_requests_expire(struct catfish *c, uint64_t now);

/* Completes all, the oldest first, with an error and its present words. */
void client_requests_fail(struct catfish *c, int error);

/* Goes on with looking for the server of a lost connection; once it is back,
 * what is not answered is sent again.  The second forgets that it was lost. */
int client_requests_come_back(struct catfish *c);
void client_requests_stop_coming_back(struct client_requests *requests);

#endif
