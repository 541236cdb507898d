/* SPDX-License-Identifier: BSD-2-Clause */
#include "server/connection.h"

#include <assert.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "server/request.h"
#include "server/server.h"
#include "server/session.h"
#include "server/worker.h"

/* Steps in one turn, before the worker's other clients have theirs. */
enum { STEPS_PER_TURN = 64 };

/* What a step, if it doesn't fail, comes to. */
enum step {
	STEP_NONE, /* there is nothing to do now */
	STEP_DONE,
	STEP_LONG, /* it took as long as a turn may */
};

/* How long a client may leave an answer waiting for room, at most, when the
 * server is about to end. */
#define DRAIN_STALL_NS (1 * NS_PER_S)

/* How long the writer waits for pages before answers that hold some end, and
 * how long such an answer may take in any case. */
#define STARVE_NS (2 * NS_PER_S)

static enum connection_state fail(const struct connection *c, int error);
static bool spins(struct connection *c);
static int arm(struct connection *c);
static int step(struct connection *c);
static int send_segment(struct connection *c);
static int answer_on(struct connection *c);
static int answer_finished_job(struct connection *c);
static void answer_with_snapshot(struct connection *c, struct job *job);
static int receive(struct connection *c);
static void end_answer(struct connection *c);

/* The rings, a request out of one, a segment on its way into the other, and
 * what waits for the writer. */
uint64_t connection_memory(uint32_t client_inbox_size)
{
	return sizeof(struct connection) + SERVER_INBOX_SIZE +
	       SERVER_INBOX_SIZE / 4 + SEGMENT_MAX + JOBS_SIZE_MAX +
	       client_inbox_size;
}

int connection_create(struct server *server, struct fabric_link *link,
		      struct connection **connection)
{
	struct connection *c = calloc(1, sizeof(*c));

	if (!c)
		return err_set(ERR_NO_MEMORY, "no memory for a connection");
	c->server = server;
	STAILQ_INIT(&c->finished);
	int error = fabric_ring_create(link, &c->ring);
	if (error)
		goto free_connection;
	fabric_ring_keep_times(c->ring);
	uint32_t size = fabric_ring_send_max(c->ring);
	error = segment_init(&c->segment,
			     size < SEGMENT_MAX ? size : SEGMENT_MAX);
	if (error)
		goto destroy_ring;
	c->request = malloc(fabric_ring_receive_max(c->ring));
	if (!c->request) {
		error = err_set(ERR_NO_MEMORY, "no memory for requests");
		goto fini_segment;
	}
	c->link = link;
	fabric_gather(link);
	c->one_sided = fabric_is_one_sided(link);
	c->number = ++server->connections;
	*connection = c;
	return 0;

fini_segment:
	segment_fini(&c->segment);
destroy_ring:
	fabric_ring_destroy(c->ring);
free_connection:
	free(c);
	return error;
}

enum connection_state connection_run(struct connection *c)
{
	c->worked = false;
	for (int steps = 0; steps < STEPS_PER_TURN; steps++) {
		int progress = step(c);

		if (progress == STEP_NONE && spins(c))
			return CONNECTION_SPINNING;
		/* What comes between the last look and arming would be slept
		 * over without another look. */
		if (progress == STEP_NONE)
			progress = arm(c);
		if (progress == STEP_NONE)
			return CONNECTION_WAITING;
		if (progress < 0)
			return fail(c, progress);
		c->worked = true;
		c->spin_until_ns = 0;
		if (progress == STEP_LONG)
			break;
	}
	/* Nor do its answers wait for the others' turns. */
	int error = fabric_flush(c->link);
	return error ? fail(c, error) : CONNECTION_READY;
}

/* Whether it is better looked at again than slept on: the next request of a
 * client that asks one after the other comes sooner than a sleeper wakes up. */
static bool spins(struct connection *c)
{
	uint64_t spin_ns = c->server->options.spin_ns;

	if (!spin_ns)
		return false;
	uint64_t now = clock_now_ns();
	if (!c->spin_until_ns)
		c->spin_until_ns = now + spin_ns;
	return now < c->spin_until_ns;
}

/* Asks to be woken; STEP_DONE when something had come by then. */
static int arm(struct connection *c)
{
	int error = fabric_arm(c->link);
	int came = error ? error : fabric_ring_poll(c->ring);

	return came > 0 ? STEP_DONE : came;
}

/* Ends a connection for an error of its link or of what came over it. */
static enum connection_state fail(const struct connection *c, int error)
{
	if (error == ERR_CONNECTION)
		log_debug("client %" PRIu64 " has gone", c->number);
	else
		log_warn("client %" PRIu64 " is dropped: %s", c->number,
			 err_text());
	return CONNECTION_ENDED;
}

/* Returns an enum step or an error. */
static int step(struct connection *c)
{
	if (c->segment.sealed)
		return send_segment(c);
	if (c->answer)
		return answer_on(c);
	if (!STAILQ_EMPTY(&c->finished))
		return answer_finished_job(c);
	if (!c->request_size) {
		int received = receive(c);
		if (received != STEP_DONE)
			return received;
	}
	return request_dispatch(c) ? STEP_DONE : STEP_NONE;
}

static bool has_unsent_bytes(const struct connection *c)
{
	short events;

	fabric_fd(c->link, &events);
	return events & POLLOUT;
}

/* What a link couldn't send yet it keeps, so nothing is added to that: the
 * credit of a client is a bound for its own memory, not for the server's. */
static int send_segment(struct connection *c)
{
	int error = has_unsent_bytes(c)
			    ? ERR_AGAIN
			    : fabric_ring_send(c->ring, c->segment.bytes,
					       c->segment.size);

	if (error == ERR_AGAIN) {
		if (!c->stalled_since_ns)
			c->stalled_since_ns = clock_now_ns();
		return STEP_NONE;
	}
	if (error)
		return error;
	c->stalled_since_ns = 0;
	c->segment.sealed = false;
	c->segment.size = 0;
	return STEP_DONE;
}

static int answer_on(struct connection *c)
{
	int progress = c->answer->step(c->answering, &c->segment);

	if (progress == ANSWER_WORKING)
		return STEP_LONG;
	if (progress < 0)
		segment_fail(&c->segment, c->operation, c->sequence, progress,
			     c->applied, 0);
	else
		segment_seal(&c->segment, c->operation,
			     progress == ANSWER_SEGMENT ? WIRE_MORE : 0,
			     c->sequence);
	if (progress != ANSWER_SEGMENT)
		end_answer(c);
	return STEP_DONE;
}

static int answer_finished_job(struct connection *c)
{
	struct job *job = STAILQ_FIRST(&c->finished);

	STAILQ_REMOVE_HEAD(&c->finished, done);
	c->jobs--;
	c->jobs_size -= job_size(job);
	c->inspecting = false;
	if (job->operation == WIRE_SAVE && !job->error) {
		answer_with_snapshot(c, job);
		return STEP_DONE;
	}
	connection_answer(c, job->operation, job->sequence, &job_answer, job);
	if (job_is_write(job))
		c->applied = job->written.applied;
	return STEP_DONE;
}

static void answer_with_snapshot(struct connection *c, struct job *job)
{
	c->save.snapshot = job->snapshot;
	c->save.identity = c->server->region.identity;
	connection_answer(c, job->operation, job->sequence, &save_answer,
			  &c->save);
	job->snapshot = NULL;
	job_destroy(job);
}

/* After bytes that are no message nothing from this client can be believed. */
static int receive(struct connection *c)
{
	int64_t size = fabric_ring_receive(c->ring, c->request, NULL);

	if (size <= 0)
		return (int)size; /* STEP_NONE, or an error */
	c->request_error = wire_check(c->request, (size_t)size);
	if (c->request_error == ERR_PROTOCOL)
		return c->request_error;
	c->request_size = size;
	if (c->request_error)
		return STEP_DONE;
	const struct wire_header *header = c->request;
	c->deadline_ns = header->deadline_us
				 ? fabric_ring_announced_ns(c->ring) +
					   header->deadline_us * NS_PER_US
				 : 0;
	if (header->operation < WIRE_KINDS)
		worker_count_request(c->worker, header->operation);
	return STEP_DONE;
}

void connection_look(struct connection *c)
{
	/* What is wrong with the link is told by the next receive, too. */
	(void)fabric_ring_poll(c->ring);
}

void connection_answer(struct connection *c, enum wire_operation operation,
		       uint64_t sequence, const struct answer_ops *answer,
		       void *answering)
{
	assert(!c->answer && !c->segment.sealed);
	c->operation = operation;
	c->sequence = sequence;
	c->answer = answer;
	c->answering = answering;
	c->answer_since_ns = clock_now_ns();
	c->applied = 0;
}

static void end_answer(struct connection *c)
{
	const struct answer_ops *answer = c->answer;

	c->answer = NULL;
	if (answer)
		answer->end(c->answering);
}

void connection_job_finished(struct connection *c, struct job *job)
{
	if (c->link) {
		STAILQ_INSERT_TAIL(&c->finished, job, done);
		return;
	}
	/* Nobody is left to be answered. */
	c->jobs--;
	job_destroy(job);
}

/* --- Waiting ------------------------------------------------------------ */

bool connection_is_idle(const struct connection *c)
{
	return !c->segment.sealed && !c->answer && !c->jobs &&
	       !c->request_size && !has_unsent_bytes(c);
}

short connection_events(const struct connection *c, int *fd)
{
	short events;

	*fd = fabric_fd(c->link, &events);
	return events;
}

static bool is_starving(const struct connection *c, uint64_t now_ns)
{
	uint64_t since = c->server->starved_since_ns;

	/* The writer may have begun to wait after this clock was read. */
	return c->answer && c->answer->holds_pages && since &&
	       now_ns > since + STARVE_NS &&
	       now_ns > c->answer_since_ns + STARVE_NS;
}

static int refuse(void *answering, struct segment *segment)
{
	return server_check_ending(answering);
}

static int take_away(void *answering, struct segment *segment)
{
	return err_set(ERR_BUSY, "the answer took so long that its version had "
				 "to make room for writes: try again, or start "
				 "the server with more --memory");
}

static void let_go(void *answering)
{
}

/* The end of an answer whose pages were needed, and of one that takes longer
 * than a server that ends. */
static const struct answer_ops taken_away = {.step = take_away, .end = let_go};
static const struct answer_ops refused = {.step = refuse, .end = let_go};

/* Ends an answer with the error that others end with, behind a segment that
 * waits for room. */
static enum connection_state cut_short(struct connection *c,
				       const struct answer_ops *answer)
{
	end_answer(c);
	c->answer = answer;
	c->answering = c->server;
	return CONNECTION_READY;
}

/* What was written is told in any case. */
static bool is_too_long(const struct connection *c)
{
	return c->answer && c->answer != &job_answer && c->answer != &refused &&
	       server_check_ending(c->server);
}

enum connection_state connection_tick(struct connection *c, uint64_t now_ns)
{
	uint64_t most_ns = c->server->options.stall_ns;

	if (c->server->draining && most_ns > DRAIN_STALL_NS)
		most_ns = DRAIN_STALL_NS;
	connection_see_report(c);
	if (c->stalled_since_ns && now_ns - c->stalled_since_ns > most_ns) {
		log_warn("client %" PRIu64 " is dropped: it took nothing of "
			 "its answer for %g s",
			 c->number, (double)most_ns / NS_PER_S);
		return CONNECTION_ENDED;
	}
	if (is_too_long(c))
		return cut_short(c, &refused);
	if (!is_starving(c, now_ns))
		return CONNECTION_WAITING;
	log_warn("client %" PRIu64 ": an answer ended early, since the pages "
		 "it held were needed for writing",
		 c->number);
	return cut_short(c, &taken_away);
}

enum connection_state connection_beat(struct connection *c,
				      const struct wire_heartbeat *beat)
{
	connection_see_report(c);
	int error = fabric_write_silently(c->link, 0, beat, sizeof(*beat));
	if (!error || error == ERR_AGAIN)
		return CONNECTION_WAITING;
	return fail(c, error);
}

/* What the client says it has searched by itself counts as long as it is whole
 * and never falls. */
void connection_see_report(struct connection *c)
{
	struct wire_report report;
	uint32_t size;

	if (!c->one_sided)
		return;
	memcpy(&report, fabric_inbox(c->link, &size), sizeof(report));
	if (report.complement != ~report.offloaded ||
	    report.offloaded <= c->offloaded)
		return;
	c->server->offloaded += report.offloaded - c->offloaded;
	c->offloaded = report.offloaded;
}

/* --- Ending ------------------------------------------------------------- */

void connection_close(struct connection *c)
{
	connection_see_report(c);
	end_answer(c);
	load_destroy(c->load);
	c->load = NULL;
	while (!STAILQ_EMPTY(&c->finished)) {
		struct job *job = STAILQ_FIRST(&c->finished);

		STAILQ_REMOVE_HEAD(&c->finished, done);
		c->jobs--;
		job_destroy(job);
	}
	fabric_ring_destroy(c->ring);
	fabric_close(c->link);
	c->link = NULL;
	server_client_left(c->server, c->one_sided);
}

void connection_destroy(struct connection *c)
{
	assert(!c->link && !c->jobs);
	session_close(&c->server->sessions, c->session, clock_now_ns());
	segment_fini(&c->segment);
	free(c->request);
	free(c);
}
