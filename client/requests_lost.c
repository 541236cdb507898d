/* SPDX-License-Identifier: BSD-2-Clause */

/* What becomes of requests when the connection is lost.  See
 * client/requests.h. */

#include "base/err.h"
#include "client/requests.h"

static void sort_out(struct catfish *c);
static void sort_out_writes(struct catfish *c);

void client_requests_stop_coming_back(struct client_requests *requests)
{
	requests->is_coming_back = false;
	requests->retry = (struct client_retry){0};
}

int client_requests_come_back(struct catfish *c)
{
	struct client_requests *requests = c->requests;
	uint64_t session = c->server.session;

	if (!requests->is_coming_back)
		sort_out(c);
	requests->is_coming_back = true;
	int error = client_reconnect_poll(c, &requests->retry);
	if (error == ERR_AGAIN)
		return 0;
	client_requests_stop_coming_back(requests);
	if (error)
		return error;
	if (c->server.session != session)
		sort_out_writes(c);
	error = client_requests_send(c);
	/* Lost once more: the next poll sees to that. */
	return c->lost ? 0 : error;
}

static bool has_handed_out(const struct request *r)
{
	if (r->operation == WIRE_NEAREST)
		return r->nearest.items;
	return request_is_search(r) && r->search.handed_out;
}

/* Forgets requests that nobody waits for, ends those that can't be begun again
 * since items were handed out, and has the others sent again. */
static void sort_out(struct catfish *c)
{
	/* A 'done' may begin others. */
	uint64_t newest = c->sequence;

	c->requests->unsent = c->requests->offloaded = 0;
	for (int i = 0; i < REQUESTS_MAX; i++) {
		struct request *r = request_at(c, newest, (uint64_t)i);
		if (!r)
			continue;
		r->is_offloaded = false;
		if (r->is_dropped || has_handed_out(r)) {
			client_requests_complete(
				c, r,
				err_set(ERR_CONNECTION,
					"the connection to %s was lost in the "
					"middle of the answer",
					c->address));
			continue;
		}
		r->was_lost |= r->was_sent;
		if (request_is_search(r)) {
			r->progress = (struct search_progress){0};
		} else if (request_is_write(r)) {
			r->write.met = 0;
			r->write.is_repeated = r->was_lost;
		}
		r->is_unsent = true;
		c->requests->unsent++;
	}
}

/* The server doesn't know the session any more: what was sent in it may have
 * been applied. */
static void sort_out_writes(struct catfish *c)
{
	uint64_t newest = c->sequence;

	for (int i = 0; i < REQUESTS_MAX; i++) {
		struct request *r = request_at(c, newest, (uint64_t)i);
		if (!r || !request_is_write(r) || !r->was_sent)
			continue;
		c->requests->unsent -= r->is_unsent;
		client_requests_complete(
			c, r,
			err_set(ERR_CONNECTION,
				"the connection to %s was lost for too long: "
				"the server doesn't know any more whether it "
				"applied this write",
				c->address));
	}
}
