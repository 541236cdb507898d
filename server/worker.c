/* SPDX-License-Identifier: BSD-2-Clause */
#include "server/worker.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "server/connection.h"
#include "server/heartbeat.h"
#include "server/server.h"
#include "server/writer.h"

LIST_HEAD(connection_list, connection);
STAILQ_HEAD(turn_queue, connection);
STAILQ_HEAD(job_list, job);

/* What other threads have for a worker; writing to its eventfd wakes it. */
struct mailbox {
	pthread_mutex_t lock;
	int wake_fd;
	struct turn_queue arrived;
	struct job_list finished;
	bool drain;

	/* Looks at the reports of clients: wanted, and done. */
	uint64_t looks_wanted;
	uint64_t looks_done;
	pthread_cond_t looked;
};

struct worker {
	struct server *server;
	pthread_t thread;
	bool started;
	struct mailbox mailbox;

	struct event_base *base;
	struct event *mail;
	struct event *beat; /* while there are connections: */
	struct event *tick;

	struct connection_list connections;
	struct turn_queue turns;
	unsigned rounds;	 /* in which connections had nothing */
	bool has_gathered;	 /* writes that nobody was told of */
	uint64_t drain_until_ns; /* 0: not draining */

	_Atomic unsigned connection_count; /* given to it */
	_Atomic unsigned turn_count;
	_Atomic uint64_t busy_ns;
	_Atomic uint64_t busy_since_ns; /* 0: sleeps */
	_Atomic uint64_t requests[WIRE_KINDS];
};

/* How often connections are looked at without an event. */
static const struct timeval TICK = {.tv_usec = 250000};

/* The worker whose thread this is, if it is one's. */
static _Thread_local struct worker *this_worker;

/* Rounds of looking at connections that had nothing, before all else is looked
 * at and whoever else wants this processor, maybe the client, may have it. */
enum { ROUNDS_PER_LOOK = 16 };

/* How long draining waits for clients to take their answers: with a tick, and
 * what else there is to end, less than two seconds. */
#define DRAIN_NS (3 * NS_PER_S / 2)

static int init(struct worker *worker, struct server *server);
static void fini(struct worker *worker);
static void *run(void *worker);
static void on_mail(evutil_socket_t fd, short what, void *worker);
static void finish_look(struct mailbox *mailbox, uint64_t look);
static void on_beat(evutil_socket_t fd, short what, void *worker);
static void on_tick(evutil_socket_t fd, short what, void *worker);
static void on_connection(evutil_socket_t fd, short what, void *connection);
static void send_beat(struct worker *worker, struct connection *c);
static bool take_turns(struct worker *worker);
static void write_gathered(struct worker *worker);
static void take_finished(struct worker *worker);
static void settle(struct connection *c, enum connection_state state);
static void end(struct connection *c);
static void remove_closed(struct connection *c);

/* --- For other threads -------------------------------------------------- */

int workers_start(struct server *server)
{
	unsigned count = server->options.threads;

	server->workers = calloc(count, sizeof(server->workers[0]));
	if (!server->workers)
		return err_set(ERR_NO_MEMORY, "no memory for threads");
	for (unsigned i = 0; i < count; i++)
		server->workers[i].mailbox.wake_fd = -1;
	for (unsigned i = 0; i < count; i++) {
		struct worker *worker = &server->workers[i];

		int error = init(worker, server);
		if (error)
			return error;
		int failed = pthread_create(&worker->thread, NULL, run, worker);
		if (failed)
			return err_set(ERR_SYSTEM, "can't start thread %u: %s",
				       i + 1, strerror(failed));
		worker->started = true;
	}
	return 0;
}

static void wake(struct mailbox *mailbox)
{
	/* It can only fail when the counter is full, and then it is awake. */
	if (eventfd_write(mailbox->wake_fd, 1) < 0)
		assert(errno == EAGAIN);
}

void workers_stop(struct server *server)
{
	if (!server->workers)
		return;
	for (unsigned i = 0; i < server->options.threads; i++) {
		struct worker *worker = &server->workers[i];

		if (!worker->started)
			continue;
		pthread_mutex_lock(&worker->mailbox.lock);
		worker->mailbox.drain = true;
		pthread_mutex_unlock(&worker->mailbox.lock);
		wake(&worker->mailbox);
	}
	for (unsigned i = 0; i < server->options.threads; i++)
		if (server->workers[i].started)
			pthread_join(server->workers[i].thread, NULL);
}

void workers_destroy(struct server *server)
{
	if (!server->workers)
		return;
	for (unsigned i = 0; i < server->options.threads; i++)
		fini(&server->workers[i]);
	free(server->workers);
	server->workers = NULL;
}

static struct worker *least_loaded(struct server *server)
{
	struct worker *least = &server->workers[0];

	for (unsigned i = 1; i < server->options.threads; i++)
		if (server->workers[i].connection_count <
		    least->connection_count)
			least = &server->workers[i];
	return least;
}

void worker_adopt(struct server *server, struct connection *c)
{
	struct worker *worker = least_loaded(server);

	worker->connection_count++;
	c->worker = worker;
	pthread_mutex_lock(&worker->mailbox.lock);
	STAILQ_INSERT_TAIL(&worker->mailbox.arrived, c, turn);
	pthread_mutex_unlock(&worker->mailbox.lock);
	wake(&worker->mailbox);
}

void worker_finish(struct job *job)
{
	struct worker *worker = job->connection->worker;
	struct mailbox *mailbox = &worker->mailbox;

	/* From here on the job is the worker's.  It may even have ended before
	 * it is woken; the mailbox stays until this thread has ended too. */
	pthread_mutex_lock(&mailbox->lock);
	bool first = STAILQ_EMPTY(&mailbox->finished);
	STAILQ_INSERT_TAIL(&mailbox->finished, job, done);
	pthread_mutex_unlock(&mailbox->lock);
	if (first && worker != this_worker)
		wake(mailbox);
}

uint64_t worker_requests(const struct server *server, unsigned i, int kind)
{
	return server->workers[i].requests[kind];
}

static uint64_t want_look(struct mailbox *mailbox)
{
	pthread_mutex_lock(&mailbox->lock);
	uint64_t look = ++mailbox->looks_wanted;
	pthread_mutex_unlock(&mailbox->lock);
	wake(mailbox);
	return look;
}

static void await_look(struct mailbox *mailbox, uint64_t look)
{
	pthread_mutex_lock(&mailbox->lock);
	while (mailbox->looks_done < look)
		pthread_cond_wait(&mailbox->looked, &mailbox->lock);
	pthread_mutex_unlock(&mailbox->lock);
}

void workers_see_reports(struct server *server)
{
	for (unsigned i = 0; i < server->options.threads; i++) {
		struct mailbox *mailbox = &server->workers[i].mailbox;

		await_look(mailbox, want_look(mailbox));
	}
}

uint64_t workers_busy_ns(const struct server *server, uint64_t now_ns)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < server->options.threads; i++) {
		const struct worker *worker = &server->workers[i];
		uint64_t since = worker->busy_since_ns;

		sum += worker->busy_ns;
		if (since && since < now_ns)
			sum += now_ns - since;
	}
	return sum;
}

unsigned workers_queued(const struct server *server)
{
	unsigned sum = 0;

	for (unsigned i = 0; i < server->options.threads; i++)
		sum += server->workers[i].turn_count;
	return sum;
}

/* --- The worker's own thread -------------------------------------------- */

unsigned worker_waiting(const struct worker *worker)
{
	return worker->turn_count;
}

void worker_gathered_write(struct worker *worker)
{
	worker->has_gathered = true;
}

void worker_count_request(struct worker *worker, enum wire_operation operation)
{
	atomic_fetch_add_explicit(&worker->requests[operation], 1,
				  memory_order_relaxed);
}

static int init(struct worker *worker, struct server *server)
{
	worker->server = server;
	LIST_INIT(&worker->connections);
	STAILQ_INIT(&worker->turns);
	STAILQ_INIT(&worker->mailbox.arrived);
	STAILQ_INIT(&worker->mailbox.finished);
	pthread_mutex_init(&worker->mailbox.lock, NULL);
	pthread_cond_init(&worker->mailbox.looked, NULL);
	worker->mailbox.wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (worker->mailbox.wake_fd < 0)
		return err_set(ERR_SYSTEM, "can't make an eventfd: %s",
			       strerror(errno));
	worker->base = event_base_new();
	if (!worker->base)
		return err_set(ERR_SYSTEM, "can't make an event loop");
	worker->mail = event_new(worker->base, worker->mailbox.wake_fd,
				 EV_READ | EV_PERSIST, on_mail, worker);
	worker->beat = event_new(worker->base, -1, EV_PERSIST, on_beat, worker);
	worker->tick = event_new(worker->base, -1, EV_PERSIST, on_tick, worker);
	if (!worker->mail || !worker->beat || !worker->tick ||
	    event_add(worker->mail, NULL) < 0)
		return err_set(ERR_NO_MEMORY, "no memory for an event loop");
	return 0;
}

static void free_event(struct event *event)
{
	if (event)
		event_free(event);
}

static void fini(struct worker *worker)
{
	free_event(worker->mail);
	free_event(worker->beat);
	free_event(worker->tick);
	if (worker->base)
		event_base_free(worker->base);
	if (worker->mailbox.wake_fd >= 0)
		close(worker->mailbox.wake_fd);
	pthread_cond_destroy(&worker->mailbox.looked);
	pthread_mutex_destroy(&worker->mailbox.lock);
}

/* Sleeps until there are events, unless there is something to be done. */
static void look_at_events(struct worker *worker)
{
	bool has_work = !STAILQ_EMPTY(&worker->turns) || worker->has_gathered;
	bool only_spins = has_work && !worker->turn_count;

	if (only_spins && ++worker->rounds % ROUNDS_PER_LOOK)
		return;
	if (only_spins)
		sched_yield();
	event_base_loop(worker->base,
			EVLOOP_ONCE | (has_work ? EVLOOP_NONBLOCK : 0));
}

static void *run(void *argument)
{
	struct worker *worker = argument;

	this_worker = worker;
	while (!worker->drain_until_ns || !LIST_EMPTY(&worker->connections)) {
		look_at_events(worker);
		uint64_t began = clock_now_ns();
		worker->busy_since_ns = began;
		bool worked = take_turns(worker);
		write_gathered(worker);
		worker->busy_since_ns = 0;
		/* To look in vain is no work. */
		if (worked)
			worker->busy_ns += clock_now_ns() - began;
	}
	/* Nobody is left to report, whoever waits for it. */
	finish_look(&worker->mailbox, UINT64_MAX);
	return NULL;
}

static void give_turn(struct connection *c, bool spins)
{
	struct worker *worker = c->worker;

	if (c->ready || !c->link)
		return;
	c->ready = true;
	c->spins = spins;
	STAILQ_INSERT_TAIL(&worker->turns, c, turn);
	/* What is told as waiting is what has something to do. */
	worker->turn_count += !spins;
}

static void make_ready(struct connection *c)
{
	give_turn(c, false);
}

/* Takes notice of what has come for all but the first, which waits for them. */
static void look_at_waiting(const struct turn_queue *turns)
{
	struct connection *c = STAILQ_FIRST(turns);

	while (c && (c = STAILQ_NEXT(c, turn)))
		if (c->link && !c->spins)
			connection_look(c);
}

/* One turn for each connection that has one coming; whether any had something
 * to do. */
static bool take_turns(struct worker *worker)
{
	struct turn_queue turns = STAILQ_HEAD_INITIALIZER(turns);
	struct connection *c;
	bool worked = false;

	STAILQ_CONCAT(&turns, &worker->turns);
	look_at_waiting(&turns);
	while ((c = STAILQ_FIRST(&turns))) {
		STAILQ_REMOVE_HEAD(&turns, turn);
		worker->turn_count -= !c->spins;
		c->ready = false;
		if (!c->link) {
			remove_closed(c);
			continue;
		}
		enum connection_state state = connection_run(c);
		worked |= c->worked;
		settle(c, state);
	}
	return worked;
}

/* Has the writes that came in these turns applied: here, which spares them two
 * changes of threads, unless more than one client waits for this thread. */
static void write_gathered(struct worker *worker)
{
	if (!worker->has_gathered)
		return;
	bool goes_on = worker->turn_count <= 1 && writer_try(worker->server);
	take_finished(worker);
	worker->has_gathered = goes_on && worker->server->writes.length;
	if (!goes_on)
		job_queue_wake(&worker->server->writes);
}

/* Has the connection's event wait for what its link waits for. */
static int watch(struct connection *c)
{
	int fd;
	short events = connection_events(c, &fd);

	if (c->event && c->watched == events)
		return 0;
	free_event(c->event);
	c->event = event_new(c->worker->base, fd,
			     EV_PERSIST | (events & POLLIN ? EV_READ : 0) |
				     (events & POLLOUT ? EV_WRITE : 0),
			     on_connection, c);
	c->watched = events;
	if (c->event && !event_add(c->event, NULL))
		return 0;
	return err_set(ERR_NO_MEMORY, "no memory for an event");
}

/* Does with a connection what its state says. */
static void settle(struct connection *c, enum connection_state state)
{
	if (state != CONNECTION_ENDED && watch(c)) {
		log_error("client %" PRIu64 " is dropped: %s", c->number,
			  err_text());
		state = CONNECTION_ENDED;
	}
	if ((state == CONNECTION_WAITING || state == CONNECTION_SPINNING) &&
	    c->worker->drain_until_ns && !c->ready && connection_is_idle(c))
		state = CONNECTION_ENDED;
	if (state == CONNECTION_READY || state == CONNECTION_SPINNING)
		give_turn(c, state == CONNECTION_SPINNING);
	else if (state == CONNECTION_ENDED)
		end(c);
}

/* Closes a connection; it stays while something refers to it. */
static void end(struct connection *c)
{
	free_event(c->event);
	c->event = NULL;
	connection_close(c);
	remove_closed(c);
}

static void remove_closed(struct connection *c)
{
	struct worker *worker = c->worker;

	if (c->jobs || c->ready)
		return;
	LIST_REMOVE(c, all);
	worker->connection_count--;
	connection_destroy(c);
	if (LIST_EMPTY(&worker->connections)) {
		event_del(worker->beat);
		event_del(worker->tick);
	}
}

static void on_connection(evutil_socket_t fd, short what, void *connection)
{
	make_ready(connection);
}

/* --- Mail --------------------------------------------------------------- */

static void add_timer(struct event *timer, const struct timeval *interval)
{
	/* Fails only without memory, and then clients see no heartbeat. */
	if (!event_pending(timer, EV_TIMEOUT, NULL) &&
	    event_add(timer, interval) < 0)
		log_error("no memory for a timer");
}

static void adopt(struct worker *worker, struct connection *c)
{
	LIST_INSERT_HEAD(&worker->connections, c, all);
	add_timer(worker->tick, &TICK);
	make_ready(c);
	if (c->one_sided) {
		struct timeval interval = heartbeat_interval(worker->server);

		add_timer(worker->beat, &interval);
		send_beat(worker, c);
	}
}

static void take_back(struct job *job)
{
	struct connection *c = job->connection;

	connection_job_finished(c, job);
	if (c->link)
		make_ready(c);
	else
		remove_closed(c);
}

/* One after the other, whoever finished them: answers keep the order of their
 * requests. */
static void take_finished(struct worker *worker)
{
	struct mailbox *mailbox = &worker->mailbox;
	struct job_list finished = STAILQ_HEAD_INITIALIZER(finished);
	struct job *job;

	pthread_mutex_lock(&mailbox->lock);
	STAILQ_CONCAT(&finished, &mailbox->finished);
	pthread_mutex_unlock(&mailbox->lock);
	while ((job = STAILQ_FIRST(&finished))) {
		STAILQ_REMOVE_HEAD(&finished, done);
		take_back(job);
	}
}

static void drain(struct worker *worker)
{
	struct connection *c;

	worker->drain_until_ns = clock_now_ns() + DRAIN_NS;
	LIST_FOREACH(c, &worker->connections, all)
		make_ready(c);
}

static void finish_look(struct mailbox *mailbox, uint64_t look)
{
	pthread_mutex_lock(&mailbox->lock);
	mailbox->looks_done = look;
	pthread_cond_broadcast(&mailbox->looked);
	pthread_mutex_unlock(&mailbox->lock);
}

static void look(struct worker *worker, uint64_t number)
{
	struct connection *c;

	LIST_FOREACH(c, &worker->connections, all)
		if (c->link)
			connection_see_report(c);
	finish_look(&worker->mailbox, number);
}

static void on_mail(evutil_socket_t fd, short what, void *argument)
{
	struct worker *worker = argument;
	struct mailbox *mailbox = &worker->mailbox;
	struct turn_queue arrived = STAILQ_HEAD_INITIALIZER(arrived);
	eventfd_t count;

	eventfd_read(mailbox->wake_fd, &count);
	pthread_mutex_lock(&mailbox->lock);
	STAILQ_CONCAT(&arrived, &mailbox->arrived);
	bool draining = mailbox->drain;
	uint64_t wanted = mailbox->looks_wanted;
	bool must_look = wanted > mailbox->looks_done;
	pthread_mutex_unlock(&mailbox->lock);

	struct connection *c;
	while ((c = STAILQ_FIRST(&arrived))) {
		STAILQ_REMOVE_HEAD(&arrived, turn);
		adopt(worker, c);
	}
	take_finished(worker);
	if (must_look)
		look(worker, wanted);
	if (draining && !worker->drain_until_ns)
		drain(worker);
}

/* --- Time --------------------------------------------------------------- */

static void send_beat(struct worker *worker, struct connection *c)
{
	struct wire_heartbeat beat;

	heartbeat_fill(worker->server, ++c->beats, &beat);
	settle(c, connection_beat(c, &beat));
}

static void on_beat(evutil_socket_t fd, short what, void *argument)
{
	struct worker *worker = argument;
	struct connection *c, *next;

	for (c = LIST_FIRST(&worker->connections); c; c = next) {
		next = LIST_NEXT(c, all);
		if (c->link && c->one_sided)
			send_beat(worker, c);
	}
}

static void on_tick(evutil_socket_t fd, short what, void *argument)
{
	struct worker *worker = argument;
	struct connection *c, *next;
	uint64_t now = clock_now_ns();
	bool late = worker->drain_until_ns && now > worker->drain_until_ns;

	for (c = LIST_FIRST(&worker->connections); c; c = next) {
		next = LIST_NEXT(c, all);
		if (!c->link)
			continue;
		if (late) {
			log_warn("client %" PRIu64 " is dropped: it has not "
				 "taken its answers, and the server ends",
				 c->number);
			end(c);
		} else {
			settle(c, connection_tick(c, now));
		}
	}
}
