/* SPDX-License-Identifier: BSD-2-Clause */

/* Many requests at once: each stands in a table, at its sequence number, until
 * its answer has come, by which it is found again.  What is checked of an
 * answer, and how it is taken apart, is the same as for one that is waited for.
 *
 * A request that was cancelled, or whose deadline has passed, keeps its place:
 * its answer is still to come, and is taken apart to be dropped. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "client/call.h"
#include "client/search.h"
#include "client/write.h"

enum {
	/* More than can be on their way: those in the server's ring, and those
	 * that it has taken from there. */
	REQUESTS_MAX = 256,
	/* Writes wait while the server waits for pages to come back. */
	WRITE_FACTOR = 60,
	TEXT_SIZE = 512,
};

struct request {
	uint64_t sequence; /* 0: the place is free */
	enum wire_operation operation;
	bool is_dropped; /* cancelled, or out of time */
	struct catfish_call call;
	uint64_t begun_ns;
	uint64_t deadline_ns;
	union {
		struct {
			struct search search;
			struct search_progress progress;
		};
		struct write write;
	};
};

struct client_requests {
	struct request table[REQUESTS_MAX]; /* by sequence */
	size_t outstanding;
	size_t completed;	   /* by the call that is under way */
	uint64_t next_deadline_ns; /* or earlier; UINT64_MAX: none */
	bool is_polled;		   /* a 'done' is being called, maybe */
};

static int begin_search(struct catfish *c, const struct catfish_query *query,
			const struct catfish_call *call, struct search *search,
			uint64_t *request);
static int begin_write(struct catfish *c, const struct write *write,
		       const struct catfish_call *call, uint64_t *request);
static int prepare(struct catfish *c, const struct catfish_call *call,
		   enum wire_operation operation, struct request **request);
static int post(struct catfish *c, struct request *r, size_t body_size,
		uint32_t count, uint64_t *request);
static int begin_poll(struct catfish *c);
static int end_poll(struct catfish *c, int error, size_t *completed);
static int receive_all(struct catfish *c);
static int take_message(struct catfish *c, size_t size);
static int take_search(struct catfish *c, struct request *r,
		       const struct wire_header *header);
static int take_write(struct catfish *c, struct request *r,
		      const struct wire_header *header);
static void complete(struct catfish *c, struct request *r, int error);
static void finish(struct catfish *c, const struct request *r, int error);
static void expire(struct catfish *c, uint64_t now);
static void fail_all(struct catfish *c, int error);

/* --- Beginning ---------------------------------------------------------- */

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
	struct wire_query body;
	struct request *r;

	int error = client_search_take_query(query, search);
	if (!error)
		error = prepare(c, call,
				search->found ? WIRE_SEARCH : WIRE_COUNT, &r);
	if (error)
		return error;
	r->search = *search;
	r->search.context = call->context;
	r->progress = (struct search_progress){0};
	client_search_put_query(search, &body);
	memcpy(client_request_body(c), &body, sizeof(body));
	return post(c, r, sizeof(body), 0, request);
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
	size_t most = client_request_room(c) / write->entry_size;
	if (!write->count || write->count > most)
		return err_set(ERR_USAGE,
			       "a request holds 1 to %zu items here, not %zu",
			       most, write->count);
	size_t size = write->count * write->entry_size;
	r->write = *write;
	r->write.written.identity = c->server.identity;
	r->write.written.version = c->version;
	memcpy(client_request_body(c), write->entries, size);
	r->write.entries = NULL;
	return post(c, r, size, (uint32_t)write->count, request);
}

static int make_table(struct catfish *c)
{
	if (c->requests)
		return 0;
	c->requests = calloc(1, sizeof(*c->requests));
	if (!c->requests)
		return err_set(ERR_NO_MEMORY, "no memory for requests");
	c->requests->next_deadline_ns = UINT64_MAX;
	fabric_gather(c->link);
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
		error = make_table(c);
	if (error)
		return error;
	struct request *r =
		&c->requests->table[(c->sequence + 1) % REQUESTS_MAX];
	if (r->sequence)
		return err_set(ERR_BUSY, "%zu requests are outstanding",
			       c->requests->outstanding);
	r->operation = operation;
	r->is_dropped = false;
	r->call = *call;
	*request = r;
	return 0;
}

static uint64_t deadline_of(const struct catfish *c, const struct request *r)
{
	bool is_write =
		r->operation != WIRE_SEARCH && r->operation != WIRE_COUNT;

	if (r->call.deadline_ms)
		return r->begun_ns + r->call.deadline_ms * NS_PER_MS;
	return r->begun_ns + c->timeout_ns * (is_write ? WRITE_FACTOR : 1);
}

/* Sends the request whose body is in place. */
static int post(struct catfish *c, struct request *r, size_t body_size,
		uint32_t count, uint64_t *request)
{
	struct client_requests *requests = c->requests;
	uint32_t size = sizeof(struct wire_header) + (uint32_t)body_size;

	wire_seal(c->request, r->operation, 0, c->sequence + 1, count, size);
	int error = fabric_ring_send(c->ring, c->request, size);
	if (error == ERR_AGAIN)
		return err_set(ERR_BUSY,
			       "%zu requests are outstanding, and there is no "
			       "room for more",
			       requests->outstanding);
	if (error)
		return client_break(c, err_prefix(error, "%s", c->address));
	r->sequence = ++c->sequence;
	r->begun_ns = clock_now_ns();
	r->deadline_ns = deadline_of(c, r);
	if (r->deadline_ns < requests->next_deadline_ns)
		requests->next_deadline_ns = r->deadline_ns;
	requests->outstanding++;
	if (request)
		*request = r->sequence;
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
	r->is_dropped = true;
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
	free(c->requests);
	c->requests = NULL;
}

/* --- Completing --------------------------------------------------------- */

int catfish_poll(struct catfish *c, size_t *completed)
{
	int error = begin_poll(c);

	if (error)
		return catfish_error_of(error);
	return catfish_error_of(end_poll(c, receive_all(c), completed));
}

int catfish_arm(struct catfish *c, size_t *completed)
{
	int error = begin_poll(c);

	if (error)
		return catfish_error_of(error);
	if (!c->broken)
		error = fabric_arm(c->link);
	if (!error)
		error = receive_all(c);
	return catfish_error_of(end_poll(c, error, completed));
}

/* Whether a wait that may last until 'until' has nothing left to wait for. */
static bool has_waited(const struct client_requests *requests, uint64_t now,
		       uint64_t until)
{
	return requests->completed || !requests->outstanding || now >= until;
}

/* A wait until then, or until the next deadline. */
static struct client_wait plan_wait(const struct client_requests *requests,
				    uint64_t now, uint64_t until)
{
	if (requests->next_deadline_ns < until)
		until = requests->next_deadline_ns;
	return (struct client_wait){
		.timeout_ns = until > now ? until - now : 0,
	};
}

int catfish_wait(struct catfish *c, uint32_t timeout_ms, size_t *completed)
{
	int error = begin_poll(c);

	if (error)
		return catfish_error_of(error);
	struct client_requests *requests = c->requests;
	uint64_t now = clock_now_ns();
	uint64_t until = now + timeout_ms * NS_PER_MS;
	struct client_wait wait = plan_wait(requests, now, until);
	for (;;) {
		error = receive_all(c);
		now = clock_now_ns();
		if (error || has_waited(requests, now, until))
			break;
		if (wait.started && now >= wait.deadline_ns)
			wait = plan_wait(requests, now, until);
		error = client_wait_step(c, &wait, now);
		if (error)
			break;
	}
	return catfish_error_of(end_poll(c, error, completed));
}

int catfish_fd(const struct catfish *c, short *events)
{
	return fabric_fd(c->link, events);
}

int catfish_sleep_ms(const struct catfish *c)
{
	uint64_t deadline =
		c->requests ? c->requests->next_deadline_ns : UINT64_MAX;
	uint64_t now = clock_now_ns();

	if (deadline == UINT64_MAX)
		return -1;
	if (deadline <= now)
		return 0;
	uint64_t left_ms = (deadline - now + NS_PER_MS - 1) / NS_PER_MS;
	return left_ms < INT32_MAX ? (int)left_ms : INT32_MAX;
}

static int begin_poll(struct catfish *c)
{
	int error = c && client_requests_outstanding(c)
			    ? 0
			    : client_begin_request(c);

	if (!error)
		error = make_table(c);
	if (error)
		return error;
	if (c->requests->is_polled)
		return err_set(ERR_USAGE,
			       "what is called by a poll can't poll itself");
	c->requests->is_polled = true;
	c->requests->completed = 0;
	return 0;
}

/* An error that broke the connection is all requests'. */
static int end_poll(struct catfish *c, int error, size_t *completed)
{
	struct client_requests *requests = c->requests;

	if (error)
		client_break(c, error);
	if (c->broken && !error)
		error = client_begin_request(c);
	if (error)
		fail_all(c, error);
	requests->is_polled = false;
	if (completed)
		*completed = requests->completed;
	return error;
}

static int receive_all(struct catfish *c)
{
	struct client_requests *requests = c->requests;
	int error = 0;

	while (!error && !c->broken) {
		int64_t size = fabric_ring_receive(c->ring, c->segment, NULL);
		if (size == 0)
			break;
		error = size < 0 ? err_prefix((int)size, "%s", c->address)
				 : take_message(c, (size_t)size);
	}
	if (!error && requests->outstanding &&
	    requests->next_deadline_ns != UINT64_MAX)
		expire(c, clock_now_ns());
	return error;
}

/* Finds the request that a message answers, and takes up what it brings. */
static int take_message(struct catfish *c, size_t size)
{
	struct wire_header header;

	if (client_check_segment(c, size, &header))
		return err_prefix(ERR_PROTOCOL, "%s", c->address);
	struct request *r = &c->requests->table[header.sequence % REQUESTS_MAX];
	if (!(header.flags & WIRE_ANSWER) || !header.sequence ||
	    r->sequence != header.sequence || r->operation != header.operation)
		return err_set(ERR_PROTOCOL,
			       "%s: an answer of kind %u came to request "
			       "%" PRIu64 ", which is not outstanding",
			       c->address, header.operation, header.sequence);
	int error = r->operation == WIRE_SEARCH || r->operation == WIRE_COUNT
			    ? take_search(c, r, &header)
			    : take_write(c, r, &header);
	bool is_last = error || !c->more;
	c->more = false;
	if (c->broken)
		return error;
	if (is_last)
		complete(c, r, error);
	return 0;
}

static int take_search(struct catfish *c, struct request *r,
		       const struct wire_header *header)
{
	struct wire_found found;
	struct client_entries items;

	int error = client_open_segment(c, header, &found, sizeof(found),
					sizeof(struct wire_item), &items);
	r->progress.stopped |= r->is_dropped;
	return error ? error
		     : client_search_take_segment(c, &r->search, &r->progress,
						  &found, &items);
}

static int take_write(struct catfish *c, struct request *r,
		      const struct wire_header *header)
{
	struct write *w = &r->write;
	struct wire_written written;
	struct client_entries missing;

	c->error_applied = 0;
	int error = client_open_segment(c, header, &written, sizeof(written),
					sizeof(uint32_t), &missing);
	if (error) {
		w->written.applied = c->error_applied < w->count
					     ? c->error_applied
					     : w->count;
		return error;
	}
	error = client_write_take_segment(c, w, 0, w->count, &written,
					  &missing);
	if (error || c->more)
		return error;
	return client_write_check_done(c, w, w->count);
}

/* Frees the request's place, which may be taken again at once. */
static void complete(struct catfish *c, struct request *r, int error)
{
	struct request completed = *r;

	r->sequence = 0;
	c->requests->outstanding--;
	if (!completed.is_dropped)
		finish(c, &completed, error);
}

static void finish(struct catfish *c, const struct request *r, int error)
{
	struct catfish_result result = {
		.error = catfish_error_of(error),
		.text = "",
	};
	char text[TEXT_SIZE];

	if (error) {
		snprintf(text, sizeof(text), "%s", err_text());
		result.text = text;
	}
	if (r->operation == WIRE_SEARCH || r->operation == WIRE_COUNT) {
		result.answer = r->search.answer;
		result.answer.time_ns = clock_now_ns() - r->begun_ns;
	} else {
		result.written = r->write.written;
	}
	c->requests->completed++;
	r->call.done(r->call.context, &result);
}

/* Completes those whose deadline has passed, and finds the next deadline.  A
 * 'done' may begin others meanwhile, which then are looked at as well, or have
 * lowered the next deadline themselves. */
static void expire(struct catfish *c, uint64_t now)
{
	struct client_requests *requests = c->requests;

	if (now < requests->next_deadline_ns)
		return;
	requests->next_deadline_ns = UINT64_MAX;
	for (int i = 0; i < REQUESTS_MAX; i++) {
		struct request *r = &requests->table[i];
		if (!r->sequence || r->is_dropped)
			continue;
		if (r->deadline_ns <= now) {
			struct request late = *r;
			r->is_dropped = true;
			finish(c, &late,
			       err_set(ERR_TIMEOUT,
				       "no answer from %s within %.3g s",
				       c->address,
				       (double)(late.deadline_ns -
						late.begun_ns) /
					       NS_PER_S));
		} else if (r->deadline_ns < requests->next_deadline_ns) {
			requests->next_deadline_ns = r->deadline_ns;
		}
	}
}

/* Completes all, the oldest first, with an error and its present words. */
static void fail_all(struct catfish *c, int error)
{
	struct client_requests *requests = c->requests;
	uint64_t newest = c->sequence;
	char text[TEXT_SIZE];

	snprintf(text, sizeof(text), "%s", err_text());
	for (int i = 1; i <= REQUESTS_MAX; i++) {
		struct request *r =
			&requests->table[(newest + (uint64_t)i) % REQUESTS_MAX];
		if (r->sequence)
			complete(c, r, err_set(error, "%s", text));
	}
	requests->next_deadline_ns = UINT64_MAX;
	err_set(error, "%s", text);
}
