/* SPDX-License-Identifier: BSD-2-Clause */

/* Many requests at once: each stands in a table, at its sequence number, until
 * its answer has come, by which it is found again.  What is checked of an
 * answer, and how it is taken apart, is the same as for one that is waited for.
 *
 * A request that was cancelled, or whose deadline has passed, keeps its place:
 * its answer is still to come, and is taken apart to be dropped.
 *
 * When the connection is lost, those that are not answered are sent again over
 * the next one, in their old order and before any that is begun meanwhile.  A
 * write is then the same write, by its number. */

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "client/call.h"
#include "client/nearest.h"
#include "client/offload.h"
#include "client/opening.h"
#include "client/reconnect.h"
#include "client/search.h"
#include "client/write.h"

enum {
	/* More than can be on their way: those in the server's ring, and those
	 * that it has taken from there. */
	REQUESTS_MAX = 256,
	TEXT_SIZE = 512,
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

static int begin_search(struct catfish *c, const struct catfish_query *query,
			const struct catfish_call *call, struct search *search,
			uint64_t *request);
static int begin_write(struct catfish *c, const struct write *write,
		       const struct catfish_call *call, uint64_t *request);
static int prepare(struct catfish *c, const struct catfish_call *call,
		   enum wire_operation operation, struct request **request);
static int post(struct catfish *c, struct request *r, uint64_t *request);
static int send_request(struct catfish *c, struct request *r);
static int send_unsent(struct catfish *c);
static size_t put_body(const struct catfish *c, struct request *r, char *body);
static int offload_some(struct catfish *c);
static int advance(struct catfish *c);
static int come_back(struct catfish *c);
static void sort_out(struct catfish *c);
static void sort_out_writes(struct catfish *c);
static int begin_poll(struct catfish *c);
static int end_poll(struct catfish *c, int error, size_t *completed);
static int receive_all(struct catfish *c);
static int take_message(struct catfish *c, size_t size);
static int take_search(struct catfish *c, struct request *r,
		       const struct wire_header *header);
static int take_nearest(struct catfish *c, struct request *r,
			const struct wire_header *header);
static int take_write(struct catfish *c, struct request *r,
		      const struct wire_header *header);
static void complete(struct catfish *c, struct request *r, int error);
static void drop(struct catfish *c, struct request *r);
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

static int make_table(struct catfish *c)
{
	if (c->requests)
		return 0;
	c->requests = calloc(1, sizeof(*c->requests));
	if (!c->requests)
		return err_set(ERR_NO_MEMORY, "no memory for requests");
	c->requests->next_deadline_ns = UINT64_MAX;
	return 0;
}

static void stop_coming_back(struct client_requests *requests)
{
	requests->is_coming_back = false;
	requests->retry = (struct client_retry){0};
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
	/* A call that waits has had it back since. */
	if (!c->lost)
		stop_coming_back(c->requests);
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

static bool is_search(const struct request *r)
{
	return r->operation == WIRE_SEARCH || r->operation == WIRE_COUNT;
}

static bool is_write(const struct request *r)
{
	return !is_search(r) && r->operation != WIRE_NEAREST;
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

	return is_search(r) && !c->lost &&
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
			  is_write(r) ? (uint32_t)r->write.count : 0,
			  (uint32_t)size, client_deadline_us(left));
	int error = fabric_ring_send(c->ring, c->request, (uint32_t)size);
	if (error == ERR_AGAIN)
		return error;
	r->was_sent = true;
	return error ? client_lose(c, error) : 0;
}

/* Its size. */
static size_t put_body(const struct catfish *c, struct request *r, char *body)
{
	if (is_search(r)) {
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

/* The n-th of those that may be outstanding up to the newest, the oldest first,
 * or NULL: it isn't. */
static struct request *request_at(struct catfish *c, uint64_t newest,
				  uint64_t n)
{
	struct request *r =
		&c->requests->table[(newest + 1 + n) % REQUESTS_MAX];

	return r->sequence && r->sequence <= newest ? r : NULL;
}

/* As many as there is room for, the oldest first. */
static int send_unsent(struct catfish *c)
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

/* --- Offloading --------------------------------------------------------- */

/* The server is asked instead. */
static void send_instead(struct catfish *c, struct request *r)
{
	c->requests->offloaded--;
	c->requests->unsent++;
	r->is_offloaded = false;
	r->is_unsent = true;
	r->answer.count = 0;
	r->answer.truncated = 0;
}

/* Those to be offloaded, the oldest first. */
static size_t find_offloaded(struct catfish *c, struct request **found)
{
	size_t count = 0;

	for (int i = 0; i < REQUESTS_MAX && count < CLIENT_GROUP_MAX; i++) {
		struct request *r = request_at(c, c->sequence, (uint64_t)i);
		if (!r || !r->is_offloaded)
			continue;
		if (r->is_dropped)
			complete(c, r, 0);
		else
			found[count++] = r;
	}
	return count;
}

static int offload_group(struct catfish *c, struct request **requests,
			 size_t count)
{
	struct search *all[CLIENT_GROUP_MAX];
	struct client_meter meter;

	for (size_t i = 0; i < count; i++)
		all[i] = &requests[i]->search;
	client_meter_begin(c, &meter);
	int error = client_search_group_by_copy(c, all, count);
	client_meter_end(c, &meter, all[0]->answer);
	return error;
}

static int offload_one(struct catfish *c, struct search *s)
{
	struct client_meter meter;

	client_meter_begin(c, &meter);
	int error = client_search_by_offload(c, s);
	client_meter_end(c, &meter, s->answer);
	return error;
}

/* Completes a search that was to be offloaded, with the group's error if it was
 * made with it, else by making it.  The 'done' of another may have cancelled
 * it. */
static void end_offload(struct catfish *c, struct request *r, bool was_made,
			int error)
{
	if (!was_made && !r->is_dropped)
		error = offload_one(c, &r->search);
	if (c->broken || c->lost)
		return;
	if (was_made && !error && !r->is_dropped)
		client_hand_out_offloaded(c, &r->search);
	if (error == ERR_AGAIN && !r->is_dropped)
		send_instead(c, r);
	else
		complete(c, r, error);
}

/* Makes as many searches as go in a group.  By READs they share these.  Where
 * one of them meets with an error, and in mapped memory, each is made alone. */
static int make_group(struct catfish *c)
{
	struct request *requests[CLIENT_GROUP_MAX];
	size_t count = find_offloaded(c, requests);
	int error = 0;
	bool are_made = false;

	if (count && c->offload == CATFISH_OFFLOAD_COPY) {
		error = offload_group(c, requests, count);
		are_made = !error || error == ERR_AGAIN;
	}
	for (size_t i = 0; i < count && !c->broken && !c->lost; i++)
		end_offload(c, requests[i], are_made, error);
	if (!c->broken && !c->lost)
		return 0;
	return error ? error : ERR_CONNECTION;
}

/* Makes a group, or all when something waits to be sent: then no other is begun
 * that would have to be made before. */
static int offload_some(struct catfish *c)
{
	struct client_requests *requests = c->requests;
	int error;

	do
		error = make_group(c);
	while (!error && requests->offloaded && requests->unsent);
	return error || requests->offloaded ? error : send_unsent(c);
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
	drop(c, r);
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
		if (r->sequence && is_write(r))
			free(r->entries);
	}
	free(c->requests);
	c->requests = NULL;
}

/* --- Completing --------------------------------------------------------- */

int catfish_poll(struct catfish *c, size_t *completed)
{
	int error = begin_poll(c);

	if (error)
		return catfish_error_of(error);
	return catfish_error_of(end_poll(c, advance(c), completed));
}

int catfish_arm(struct catfish *c, size_t *completed)
{
	int error = begin_poll(c);

	if (error)
		return catfish_error_of(error);
	uint64_t link;
	do {
		link = c->links;
		if (!c->broken && !c->lost)
			error = fabric_arm(c->link);
		if (!error)
			error = advance(c);
		/* Another link has to be armed as well. */
	} while (!error && c->links != link);
	return catfish_error_of(end_poll(c, error, completed));
}

/* Whether a wait that may last until 'until' has nothing left to wait for. */
static bool has_waited(const struct client_requests *requests, uint64_t now,
		       uint64_t until)
{
	return requests->completed || !requests->outstanding || now >= until;
}

/* When there is something to do whatever comes. */
static uint64_t next_time(const struct catfish *c)
{
	const struct client_requests *requests = c->requests;
	uint64_t next = requests->next_deadline_ns;

	/* Lost again while it came back: to be looked for. */
	if (c->lost && !requests->is_coming_back)
		return 0;
	return requests->is_coming_back && !c->opening &&
			       requests->retry.next_ns < next
		       ? requests->retry.next_ns
		       : next;
}

/* A wait until then, or until the next deadline. */
static struct client_wait plan_wait(const struct catfish *c, uint64_t now,
				    uint64_t until)
{
	if (next_time(c) < until)
		until = next_time(c);
	return (struct client_wait){
		.timeout_ns = until > now ? until - now : 0,
	};
}

/* Without a link there is nothing but time to wait for, or another link. */
static void wait_for_link(const struct catfish *c, uint64_t until)
{
	uint64_t now = clock_now_ns();
	uint64_t left = until > now ? until - now : 0;
	const struct timespec time = {
		.tv_sec = (time_t)(left / NS_PER_S),
		.tv_nsec = (long)(left % NS_PER_S),
	};
	struct pollfd fd = {0};

	fd.fd = catfish_fd(c, &fd.events);
	ppoll(&fd, 1, &time, NULL);
}

static int wait_step(struct catfish *c, struct client_wait *wait, uint64_t now,
		     uint64_t until)
{
	if (!c->lost)
		return client_wait_step(c, wait, now);
	uint64_t next = next_time(c);
	wait_for_link(c, next < until ? next : until);
	return 0;
}

int catfish_wait(struct catfish *c, uint32_t timeout_ms, size_t *completed)
{
	int error = begin_poll(c);

	if (error)
		return catfish_error_of(error);
	struct client_requests *requests = c->requests;
	uint64_t now = clock_now_ns();
	uint64_t until = now + timeout_ms * NS_PER_MS;
	struct client_wait wait = plan_wait(c, now, until);
	for (;;) {
		uint64_t link = c->links;
		error = advance(c);
		now = clock_now_ns();
		if (error || has_waited(requests, now, until))
			break;
		if (requests->offloaded)
			continue;
		if (c->links != link ||
		    (wait.started && now >= wait.deadline_ns))
			wait = plan_wait(c, now, until);
		error = wait_step(c, &wait, now, until);
		if (error)
			break;
	}
	return catfish_error_of(end_poll(c, error, completed));
}

int catfish_fd(const struct catfish *c, short *events)
{
	if (c->link && !c->lost)
		return fabric_fd(c->link, events);
	*events = c->opening ? POLLIN : 0;
	return c->opening ? client_opening_fd(c->opening) : -1;
}

int catfish_sleep_ms(const struct catfish *c)
{
	uint64_t deadline = c->requests ? next_time(c) : UINT64_MAX;
	uint64_t now = clock_now_ns();

	if (deadline == UINT64_MAX)
		return -1;
	if (deadline <= now || c->requests->offloaded)
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

/* Completes what can be completed, and has a lost connection back.  An error
 * that is returned is one that ended the connection, or its being looked for.
 */
static int advance(struct catfish *c)
{
	int error = c->lost ? 0 : receive_all(c);

	if (!error && !c->lost && !c->broken)
		error = c->requests->offloaded ? offload_some(c)
					       : send_unsent(c);
	if (error)
		client_break(c, error);
	if (c->lost)
		error = come_back(c);
	struct client_requests *requests = c->requests;
	if (!error && requests->outstanding &&
	    requests->next_deadline_ns != UINT64_MAX)
		expire(c, clock_now_ns());
	return error;
}

/* Goes on with looking for the server; what is not answered is sent again. */
static int come_back(struct catfish *c)
{
	struct client_requests *requests = c->requests;
	uint64_t session = c->server.session;

	if (!requests->is_coming_back)
		sort_out(c);
	requests->is_coming_back = true;
	int error = client_reconnect_poll(c, &requests->retry);
	if (error == ERR_AGAIN)
		return 0;
	stop_coming_back(requests);
	if (error)
		return error;
	if (c->server.session != session)
		sort_out_writes(c);
	error = send_unsent(c);
	/* Lost once more: the next poll sees to that. */
	return c->lost ? 0 : error;
}

static bool has_handed_out(const struct request *r)
{
	if (r->operation == WIRE_NEAREST)
		return r->nearest.items;
	return is_search(r) && r->search.handed_out;
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
			complete(c, r,
				 err_set(ERR_CONNECTION,
					 "the connection to %s was lost in the "
					 "middle of the answer",
					 c->address));
			continue;
		}
		r->was_lost |= r->was_sent;
		if (is_search(r)) {
			r->progress = (struct search_progress){0};
		} else if (is_write(r)) {
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
		if (!r || !is_write(r) || !r->was_sent)
			continue;
		c->requests->unsent -= r->is_unsent;
		complete(c, r,
			 err_set(ERR_CONNECTION,
				 "the connection to %s was lost for too long: "
				 "the server doesn't know any more whether it "
				 "applied this write",
				 c->address));
	}
}

/* An error that broke the connection is all requests'. */
static int end_poll(struct catfish *c, int error, size_t *completed)
{
	struct client_requests *requests = c->requests;

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
	int error = 0;

	while (!error && !c->broken && !c->lost) {
		int64_t size = fabric_ring_receive(c->ring, c->segment, NULL);
		if (size == 0)
			break;
		error = size < 0 ? err_prefix((int)size, "%s", c->address)
				 : take_message(c, (size_t)size);
	}
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
	c->retry_us = 0;
	int error = is_search(r)  ? take_search(c, r, &header)
		    : is_write(r) ? take_write(c, r, &header)
				  : take_nearest(c, r, &header);
	bool is_last = error || !c->more;
	c->more = false;
	if (c->broken || c->lost)
		return error;
	/* They are answered in their order. */
	if (is_last && is_write(r))
		c->write_answered = r->write.number;
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

static int take_nearest(struct catfish *c, struct request *r,
			const struct wire_header *header)
{
	struct wire_found found;
	struct client_entries neighbours;

	int error =
		client_open_segment(c, header, &found, sizeof(found),
				    sizeof(struct wire_neighbour), &neighbours);
	r->nearest.stopped |= r->is_dropped;
	return error ? error
		     : client_nearest_take_segment(c, &r->nearest, &found,
						   &neighbours);
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
	c->requests->offloaded -= r->is_offloaded;
	if (is_write(r))
		free(r->entries);
	if (!completed.is_dropped)
		finish(c, &completed, error);
}

/* Nothing is called for it any more.  What waits to be sent isn't sent; else
 * the answer is still to come. */
static void drop(struct catfish *c, struct request *r)
{
	r->is_dropped = true;
	if (!r->is_unsent)
		return;
	c->requests->unsent--;
	complete(c, r, 0);
}

static void finish(struct catfish *c, const struct request *r, int error)
{
	struct catfish_result result = {
		.error = catfish_error_of(error),
		.text = "",
		.retry_us = error == ERR_BUSY ? c->retry_us : 0,
	};
	char text[TEXT_SIZE];

	if (error) {
		snprintf(text, sizeof(text), "%s", err_text());
		result.text = text;
	}
	if (!is_write(r)) {
		result.answer = is_search(r) ? r->answer : r->nearest.answer;
		result.answer.time_ns = clock_now_ns() - r->begun_ns;
	} else {
		result.written = r->write.written;
		if (client_write_is_uncertain(c, error, r->was_sent,
					      r->was_lost))
			result.written.uncertain = r->write.count;
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
			drop(c, r);
			if (late.was_sent && is_write(&late))
				late.write.written.uncertain = late.write.count;
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
	requests->unsent = 0;
	requests->next_deadline_ns = UINT64_MAX;
	for (int i = 0; i < REQUESTS_MAX; i++) {
		struct request *r = request_at(c, newest, (uint64_t)i);
		if (r)
			complete(c, r, err_set(error, "%s", text));
	}
	err_set(error, "%s", text);
}
