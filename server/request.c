/* SPDX-License-Identifier: BSD-2-Clause */
#include "server/request.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "server/connection.h"
#include "server/heartbeat.h"
#include "server/server.h"
#include "server/session.h"
#include "server/worker.h"

/* Starts to do what the connection's request asks for.  Any error is the
 * client's answer, and nothing was done then. */
typedef int handler(struct connection *c, const struct wire_header *header);

static handler describe, search, count, nearest, write_items, move_items,
	load_begin, load_items, load_commit, load_abort, inspect, heartbeat;

static const struct {
	handler *handle;
	bool is_write; /* may follow other writes that are not answered yet */
	bool is_job;   /* put into a queue */
} operations[] = {
	[WIRE_DESCRIBE] = {describe, false, false},
	[WIRE_SEARCH] = {search, false, false},
	[WIRE_COUNT] = {count, false, false},
	[WIRE_INSERT] = {write_items, true, true},
	[WIRE_UPDATE] = {move_items, true, true},
	[WIRE_DELETE] = {write_items, true, true},
	[WIRE_LOAD_BEGIN] = {load_begin, false, false},
	[WIRE_LOAD_ITEMS] = {load_items, false, false},
	[WIRE_LOAD_COMMIT] = {load_commit, false, true},
	[WIRE_STAT] = {inspect, false, true},
	[WIRE_CHECK] = {inspect, false, true},
	[WIRE_SAVE] = {inspect, false, true},
	[WIRE_LOAD_ABORT] = {load_abort, false, false},
	[WIRE_NEAREST] = {nearest, false, false},
	[WIRE_STATISTICS] = {inspect, false, true},
	[WIRE_HEARTBEAT] = {heartbeat, false, false},
};

static_assert(sizeof(operations) / sizeof(operations[0]) ==
		      WIRE_OPERATION_MAX + 1,
	      "every operation has its handler");

static int check(const struct connection *c, const struct wire_header *header);
static int check_deadline(const struct connection *c,
			  const struct wire_header *header);
static bool must_wait(const struct connection *c,
		      const struct wire_header *header);

int request_dispatch(struct connection *c)
{
	struct wire_header header;

	memcpy(&header, c->request, sizeof(header));
	if (must_wait(c, &header))
		return 0;
	c->retry_us = 0;
	int error = check(c, &header);
	if (!error)
		error = operations[header.operation].handle(c, &header);
	/* Answers keep the order of their requests: it is tried again once
	 * those before it are answered, and will fail then. */
	if (error && c->jobs)
		return 0;
	c->request_size = 0;
	if (error)
		segment_fail(&c->segment, header.operation, header.sequence,
			     error, 0, error == ERR_BUSY ? c->retry_us : 0);
	return 1;
}

/* Says once more what was wrong with a message that is whole. */
static int check(const struct connection *c, const struct wire_header *header)
{
	if (c->request_error)
		return wire_check(c->request, (size_t)c->request_size);
	if (header->flags)
		return err_set(ERR_PROTOCOL, "a request has no flags");
	int error = server_check_ending(c->server);
	return error ? error : check_deadline(c, header);
}

/* Jobs are looked at by those who do them: whether a write that comes late is
 * one that was applied before is known to the writer. */
static int check_deadline(const struct connection *c,
			  const struct wire_header *header)
{
	if (!c->deadline_ns || operations[header->operation].is_job ||
	    clock_now_ns() < c->deadline_ns)
		return 0;
	return err_set(ERR_TIMEOUT,
		       "the deadline passed while the request was waiting");
}

static bool must_wait(const struct connection *c,
		      const struct wire_header *header)
{
	if (!c->jobs)
		return false;
	return c->request_error || c->inspecting ||
	       !operations[header->operation].is_write ||
	       c->jobs_size + job_size_of(header->count) > JOBS_SIZE_MAX;
}

static int check_empty(const struct connection *c)
{
	return wire_body(c->request, NULL, 0, 0, NULL);
}

static int answer_empty(struct connection *c, const struct wire_header *header)
{
	segment_begin(&c->segment, 0);
	segment_seal(&c->segment, header->operation, 0, header->sequence);
	return 0;
}

/* One for each connection, which may ask for it again: sessions are kept for a
 * while, and nobody is to fill the server with them. */
static int open_session(struct connection *c, uint64_t id)
{
	if (!c->session)
		return session_open(&c->server->sessions, id, clock_now_ns(),
				    &c->session);
	if (!id || id == session_id(c->session))
		return 0;
	return err_set(ERR_USAGE, "this connection has a session already");
}

static int describe(struct connection *c, const struct wire_header *header)
{
	const struct rtree_region *region = &c->server->region;
	struct wire_describe request;

	int error = wire_body(c->request, &request, sizeof(request), 0, NULL);
	if (!error)
		error = open_session(c, request.session);
	if (error)
		return error;
	struct wire_description *to = segment_begin(&c->segment, sizeof(*to));
	*to = (struct wire_description){
		.identity = region->identity,
		.region_size = region->size,
		.page_count = region->page_count,
		.root_record_offset = ROOT_RECORD_OFFSET,
		.lease_ns = region->lease_ns,
		.heartbeat_ns = c->server->options.heartbeat_ns,
		.page_size = RTREE_PAGE_SIZE,
		.process_id = (uint32_t)getpid(),
		.session = session_id(c->session),
	};
	segment_seal(&c->segment, header->operation, 0, header->sequence);
	return 0;
}

static int heartbeat(struct connection *c, const struct wire_header *header)
{
	int error = check_empty(c);

	if (error)
		return error;
	struct wire_heartbeat *to = segment_begin(&c->segment, sizeof(*to));
	heartbeat_fill(c->server, ++c->beats, to);
	segment_seal(&c->segment, header->operation, 0, header->sequence);
	return 0;
}

/* --- Searches ----------------------------------------------------------- */

static bool must_push_back(const struct connection *c,
			   const struct wire_query *query)
{
	return query->flags & WIRE_QUERY_MAY_PUSH_BACK && c->one_sided &&
	       worker_waiting(c->worker) >= c->server->options.push_back;
}

/* Leaves a search that was begun to the client.  What it reads stays where it
 * is without the pin: the lease counts from when it asked. */
static void push_back(struct connection *c, const struct wire_header *header)
{
	const struct root root = c->search.pin.root;

	search_answer.end(&c->search);
	c->server->pushed_back++;
	struct wire_pushed_back *to = segment_begin(&c->segment, sizeof(*to));
	*to = (struct wire_pushed_back){
		.identity = root.identity,
		.version = root.version,
		.root = root.ref,
		.item_count = root.item_count,
	};
	segment_seal(&c->segment, header->operation, WIRE_PUSHED_BACK,
		     header->sequence);
}

static int begin_search(struct connection *c, const struct wire_header *header,
			bool count_only)
{
	struct wire_query query;

	int error = wire_body(c->request, &query, sizeof(query), 0, NULL);
	if (!error)
		error = search_begin(&c->search, c->server->tree, &query,
				     count_only);
	if (error)
		return error;
	if (must_push_back(c, &query))
		push_back(c, header);
	else
		connection_answer(c, header->operation, header->sequence,
				  &search_answer, &c->search);
	return 0;
}

static int search(struct connection *c, const struct wire_header *header)
{
	return begin_search(c, header, false);
}

static int count(struct connection *c, const struct wire_header *header)
{
	return begin_search(c, header, true);
}

static int nearest(struct connection *c, const struct wire_header *header)
{
	struct wire_nearest query;

	int error = wire_body(c->request, &query, sizeof(query), 0, NULL);
	if (!error)
		error = nearest_search_begin(&c->nearest, c->server->tree,
					     &query);
	if (!error)
		connection_answer(c, header->operation, header->sequence,
				  &nearest_answer, &c->nearest);
	return error;
}

/* --- Jobs for other threads --------------------------------------------- */

static struct job_queue *queue_of(struct server *server, const struct job *job)
{
	return job_is_write(job) ? &server->writes : &server->inspections;
}

/* A job for which there is room in the queue of those who do it; with one from
 * each worker at the same time that may get a little longer than it should. */
static int create_job(struct connection *c, const struct wire_header *header,
		      uint32_t entries, struct job **job)
{
	struct job *j;

	int error =
		job_create((enum wire_operation)header->operation, entries, &j);
	if (error)
		return error;
	error = job_queue_check_room(queue_of(c->server, j), j, &c->retry_us);
	if (error) {
		job_destroy(j);
		return error;
	}
	j->connection = c;
	j->sequence = header->sequence;
	j->deadline_ns = c->deadline_ns;
	if (job_is_write(j))
		j->written.identity = c->server->region.identity;
	*job = j;
	return 0;
}

static void hand_over(struct connection *c, struct job *job)
{
	c->jobs++;
	c->jobs_size += job_size(job);
	c->inspecting = !job_is_write(job);
	job_queue_push(queue_of(c->server, job), job);
	if (job_is_write(job))
		worker_gathered_write(c->worker);
	else
		job_queue_wake(&c->server->inspections);
}

static int inspect(struct connection *c, const struct wire_header *header)
{
	struct job *job;

	int error = check_empty(c);
	if (!error)
		error = create_job(c, header, 0, &job);
	if (!error)
		hand_over(c, job);
	return error;
}

/* Reads one entry of a write, of any size. */
typedef int entry_reader(const void *entry, struct write *write);

static int read_item(const void *entry, struct write *write)
{
	return wire_get_item(entry, &write->item);
}

static int read_move(const void *entry, struct write *write)
{
	const struct wire_move *move = entry;
	int error = wire_get_item(&move->item, &write->item);

	return error ? error : wire_get_rect(&move->to, &write->to);
}

static int read_entries(const uint8_t *entries, size_t entry_size,
			entry_reader *read, struct job *job)
{
	for (uint32_t i = 0; i < job->count; i++) {
		int error = read(entries + i * entry_size, &job->writes[i]);
		if (error)
			return err_prefix(error, "item %" PRIu32 " of %" PRIu32,
					  i + 1, job->count);
	}
	return 0;
}

/* A job for the writer, which finds what has been written in the session of
 * this connection. */
static int create_write_job(struct connection *c,
			    const struct wire_header *header,
			    const struct wire_write *write, struct job **job)
{
	if (write->number && !c->session)
		return err_set(ERR_USAGE, "a write has a number, and its "
					  "connection has no session yet");
	int error = create_job(c, header, header->count, job);
	if (error)
		return error;
	(*job)->session = c->session;
	(*job)->number = write->number;
	(*job)->oldest = write->oldest;
	return 0;
}

static int begin_writes(struct connection *c, const struct wire_header *header,
			size_t entry_size, entry_reader *read)
{
	struct wire_write write;
	const void *entries;
	struct job *job;

	int error = wire_body(c->request, &write, sizeof(write), entry_size,
			      &entries);
	if (!error)
		error = create_write_job(c, header, &write, &job);
	if (error)
		return error;
	error = read_entries(entries, entry_size, read, job);
	if (error)
		job_destroy(job);
	else
		hand_over(c, job);
	return error;
}

static int write_items(struct connection *c, const struct wire_header *header)
{
	return begin_writes(c, header, sizeof(struct wire_item), read_item);
}

static int move_items(struct connection *c, const struct wire_header *header)
{
	return begin_writes(c, header, sizeof(struct wire_move), read_move);
}

/* --- Imports ------------------------------------------------------------ */

/* Also gives up what an earlier one has staged. */
static int load_begin(struct connection *c, const struct wire_header *header)
{
	struct wire_load request;

	int error = wire_body(c->request, &request, sizeof(request), 0, NULL);
	load_destroy(c->load);
	c->load = NULL;
	if (!error)
		error = load_create(&c->server->load_budget, &request,
				    server_root(c->server).item_count,
				    &c->load);
	return error ? error : answer_empty(c, header);
}

static int check_loading(const struct connection *c)
{
	if (c->load)
		return 0;
	return err_set(ERR_USAGE, "no import was begun, or an error ended it");
}

/* An error ends the import: all of it is seen, or nothing. */
static int load_items(struct connection *c, const struct wire_header *header)
{
	const void *entries;

	int error = check_loading(c);
	if (error)
		return error;
	error = wire_body(c->request, NULL, 0, sizeof(struct wire_item),
			  &entries);
	if (!error)
		error = load_append(c->load, entries, header->count);
	if (!error)
		return answer_empty(c, header);
	load_destroy(c->load);
	c->load = NULL;
	return error;
}

static int load_commit(struct connection *c, const struct wire_header *header)
{
	struct wire_write write;
	struct job *job;

	int error = wire_body(c->request, &write, sizeof(write), 0, NULL);
	if (!error)
		error = create_write_job(c, header, &write, &job);
	if (error)
		return error;
	/* Also when there is none: whether this is one that was committed
	 * before is known to the writer. */
	job->load = c->load;
	c->load = NULL;
	hand_over(c, job);
	return 0;
}

static int load_abort(struct connection *c, const struct wire_header *header)
{
	int error = check_empty(c);

	if (error)
		return error;
	load_destroy(c->load);
	c->load = NULL;
	return answer_empty(c, header);
}
