/* SPDX-License-Identifier: BSD-2-Clause */

/* Beginning requests, and sending them.  See client/requests.h. */

#include "client/requests.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"

static int begin_search(struct catfish *c, const struct catfish_query *query,
			const struct catfish_call *call, struct search *search,
			uint64_t *request);
static int begin_write(struct catfish *c, const struct write *write,
		       const struct catfish_call *call, uint64_t *request);
static int prepare(struct catfish *c, const struct catfish_call *call,
		   enum wire_operation operation, struct request **request);
static int post(struct catfish *c, struct request *r, uint64_t *request);
static int send_request(struct catfish *c, struct request *r);
static size_t put_body(const struct catfish *c, struct request *r, char *body);

int catfish_begin_search(struct catfish *c, const struct catfish_query *query,
			 catfish_found *found, const struct catfish_call *call,
			 uint64_t *request)
{
	struct search search = {.found = found};

	if (!found)
		return catfish_error_of(err_set(
			ERR_USAGE, "catfish_begin_search() needs a function to "
				   "call; catfish_begin_count() needs none"));
	return catfish_error_of(begin_search(c, query, call, &search, request));
}

int catfish_begin_count(struct catfish *c, const struct catfish_query *query,
			const struct catfish_call *call, uint64_t *request)
{
	struct search search = {0};

	return catfish_error_of(begin_search(c, query, call, &search, request));
}

int catfish_begin_nearest(struct catfish *c,
			  const double point[CATFISH_DIMENSIONS], uint64_t k,
			  catfish_neighbour *found,
			  const struct catfish_call *call, uint64_t *request)
{
	struct nearest_call nearest = {.found = found};
	struct request *r;

	int error = client_nearest_take_query(&nearest, point, k);
	if (!error)
		error = prepare(c, call, WIRE_NEAREST, &r);
	if (error)
		return catfish_error_of(error);
	r->nearest = nearest;
	r->nearest.context = call->context;
	return catfish_error_of(post(c, r, request));
}

int catfish_begin_insert(struct catfish *c, const struct catfish_item *items,
			 size_t count, const struct catfish_call *call,
			 uint64_t *request)
{
	const struct write write = {
		.operation = WIRE_INSERT,
		.entries = (const char *)items,
		.entry_size = sizeof(*items),
		.count = count,
	};

	return catfish_error_of(begin_write(c, &write, call, request));
}

int catfish_begin_delete(struct catfish *c, const struct catfish_item *items,
			 size_t count, const struct catfish_call *call,
			 uint64_t *request)
{
	const struct write write = {
		.operation = WIRE_DELETE,
		.entries = (const char *)items,
		.entry_size = sizeof(*items),
		.count = count,
	};

	return catfish_error_of(begin_write(c, &write, call, request));
}

int catfish_begin_update(struct catfish *c, const struct catfish_move *moves,
			 size_t count, const struct catfish_call *call,
			 uint64_t *request)
{
	const struct write write = {
		.operation = WIRE_UPDATE,
		.entries = (const char *)moves,
		.entry_size = sizeof(*moves),
		.count = count,
	};

	return catfish_error_of(begin_write(c, &write, call, request));
}

static int begin_search(struct catfish *c, const struct catfish_query *query,
			const struct catfish_call *call, struct search *search,
			uint64_t *request)
{
	struct request *r;

	int error = client_search_take_query(query, search);
	if (!error)
		error = prepare(c, call,
				search->found ? WIRE_SEARCH : WIRE_COUNT, &r);
	if (error)
		return error;
	r->search = *search;
	r->search.context = call->context;
	r->box = *search->box;
	r->search.box = &r->box;
	r->answer = (struct catfish_answer){0};
	r->search.answer = &r->answer;
	r->progress = (struct search_progress){0};
	return post(c, r, request);
}

/* Keeps what is to be written, in case that it has to be sent again. */
static int keep_entries(struct catfish *c, struct request *r)
{
	size_t size = r->write.count * r->write.entry_size;

	r->entries = NULL;
	if (!c->reconnect_ns)
		return 0;
	r->entries = malloc(size);
	if (!r->entries)
		return err_set(ERR_NO_MEMORY, "no memory for a request");
	memcpy(r->entries, r->write.entries, size);
	return 0;
}

static int begin_write(struct catfish *c, const struct write *write,
		       const struct catfish_call *call, uint64_t *request)
{
	struct request *r;

	int error = prepare(c, call, write->operation, &r);
	if (!error)
		error = client_write_check(write);
	if (error)
		return error;
	size_t most = (c->room - sizeof(struct wire_write)) / write->entry_size;
	if (!write->count || write->count > most)
		return err_set(ERR_USAGE,
			       "a request holds 1 to %zu items here, not %zu",
			       most, write->count);
	r->write = *write;
	r->write.number = c->write_number + 1;
	r->write.written.identity = c->server.identity;
	r->write.written.version = c->version;
	error = keep_entries(c, r);
	if (!error)
		error = post(c, r, request);
	if (error)
		free(r->entries);
	else
		c->write_number = r->write.number;
	/* The caller's array is its own again. */
	r->write.entries = NULL;
	return error;
}

int client_requests_create(struct catfish *c)
{
	if (c->requests)
		return 0;
	c->requests = calloc(1, sizeof(*c->requests));
	if (!c->requests)
		return err_set(ERR_NO_MEMORY, "no memory for requests");
	c->requests->next_deadline_ns = UINT64_MAX;
	return 0;
}

/* Finds the place of the next request, which isn't taken yet. */
static int prepare(struct catfish *c, const struct catfish_call *call,
		   enum wire_operation operation, struct request **request)
{
	int error = client_begin_request(c);

	if (!error && (!call || !call->done))
		error = err_set(ERR_USAGE,
				"a request needs a function to call");
	if (!error)
		error = client_requests_create(c);
	if (error)
		return error;
	/* A call that waits has had it back since. */
	if (!c->lost)
		client_requests_stop_coming_back(c->requests);
	struct request *r =
		&c->requests->table[(c->sequence + 1) % REQUESTS_MAX];
	if (r->sequence)
		return err_set(ERR_BUSY, "%zu requests are outstanding",
			       c->requests->outstanding);
	r->operation = operation;
	r->is_dropped = r->is_unsent = r->was_sent = r->was_lost = false;
	r->is_offloaded = false;
	r->call = *call;
	*request = r;
	return 0;
}

static uint64_t deadline_of(const struct catfish *c, const struct request *r)
{
	if (r->call.deadline_ms)
		return r->begun_ns + r->call.deadline_ms * NS_PER_MS;
	return r->begun_ns + client_request_timeout_ns(c, r->operation);
}

/* Whether a request that is begun now can be offloaded.  Not while an answer is
 * on its way: what is READ meanwhile may be newer, and must not be older than a
 * write that was sent before. */
static bool can_offload(struct catfish *c, const struct request *r)
{
	const struct client_requests *requests = c->requests;

	return request_is_search(r) && !c->lost &&
	       requests->outstanding == requests->offloaded &&
	       client_always_offloads(&c->policy);
}

/* Sends a request, or leaves it to be sent behind those that have to be sent
 * again, or offloaded before. */
static int post(struct catfish *c, struct request *r, uint64_t *request)
{
	struct client_requests *requests = c->requests;
	int error = 0;

	r->sequence = c->sequence + 1;
	r->begun_ns = clock_now_ns();
	r->deadline_ns = deadline_of(c, r);
	r->is_offloaded = can_offload(c, r);
	r->is_unsent = !r->is_offloaded &&
		       (c->lost || requests->unsent || requests->offloaded);
	if (!r->is_offloaded && !r->is_unsent)
		error = send_request(c, r);
	if (error && !c->lost) {
		r->sequence = 0;
		return error == ERR_AGAIN
			       ? err_set(ERR_BUSY,
					 "%zu requests are outstanding, and "
					 "there is no room for more",
					 requests->outstanding)
			       : error;
	}
	requests->unsent += r->is_unsent;
	requests->offloaded += r->is_offloaded;
	c->sequence = r->sequence;
	if (r->deadline_ns < requests->next_deadline_ns)
		requests->next_deadline_ns = r->deadline_ns;
	requests->outstanding++;
	if (request)
		*request = r->sequence;
	return 0;
}

/* ERR_AGAIN when there is no room for it.  With a link that is lost it counts
 * as sent; a poll will see that. */
static int send_request(struct catfish *c, struct request *r)
{
	uint64_t now = clock_now_ns();
	uint64_t left = r->deadline_ns > now ? r->deadline_ns - now : 0;
	size_t size =
		sizeof(*c->request) + put_body(c, r, client_request_body(c));

	wire_seal_request(c->request, r->operation, r->sequence,
			  request_is_write(r) ? (uint32_t)r->write.count : 0,
			  (uint32_t)size, client_deadline_us(left));
	int error = fabric_ring_send(c->ring, c->request, (uint32_t)size);
	if (error == ERR_AGAIN)
		return error;
	r->was_sent = true;
	return error ? client_lose(c, error) : 0;
}

/* Writes the body of a request; returns its size. */
static size_t put_body(const struct catfish *c, struct request *r, char *body)
{
	if (request_is_search(r)) {
		struct wire_query query;
		client_search_put_query(&r->search, &query);
		memcpy(body, &query, sizeof(query));
		return sizeof(query);
	}
	if (r->operation == WIRE_NEAREST) {
		memcpy(body, &r->nearest.query, sizeof(r->nearest.query));
		return sizeof(r->nearest.query);
	}
	const struct write *w = &r->write;
	const struct wire_write head = client_write_head(c, w);
	size_t size = w->count * w->entry_size;
	memcpy(body, &head, sizeof(head));
	memcpy(body + sizeof(head), w->entries ? w->entries : r->entries, size);
	return sizeof(head) + size;
}

int client_requests_send(struct catfish *c)
{
	struct client_requests *requests = c->requests;

	for (int i = 0; requests->unsent && i < REQUESTS_MAX; i++) {
		struct request *r = request_at(c, c->sequence, (uint64_t)i);
		if (!r || !r->is_unsent)
			continue;
		int error = send_request(c, r);
		if (error)
			return error == ERR_AGAIN ? 0 : error;
		r->is_unsent = false;
		requests->unsent--;
	}
	return 0;
}

int catfish_cancel(struct catfish *c, uint64_t sequence)
{
	int error = client_begin_request(c);

	if (error)
		return catfish_error_of(error);
	struct request *r =
		c->requests ? &c->requests->table[sequence % REQUESTS_MAX]
			    : NULL;
	if (!r || !sequence || r->sequence != sequence || r->is_dropped)
		return catfish_error_of(err_set(
			ERR_USAGE, "request %" PRIu64 " is not outstanding",
			sequence));
	client_requests_drop(c, r);
	return CATFISH_OK;
}

size_t client_requests_outstanding(const struct catfish *c)
{
	return c->requests ? c->requests->outstanding : 0;
}

size_t catfish_outstanding(const struct catfish *c)
{
	return c ? client_requests_outstanding(c) : 0;
}

void client_requests_destroy(struct catfish *c)
{
	for (int i = 0; c->requests && i < REQUESTS_MAX; i++) {
		struct request *r = &c->requests->table[i];
		if (r->sequence && request_is_write(r))
			free(r->entries);
	}
	free(c->requests);
	c->requests = NULL;
}
