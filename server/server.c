/* SPDX-License-Identifier: BSD-2-Clause */

/* Starting and stopping all parts in their order. */

#include "server/server.h"

#include <event2/event.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "server/heartbeat.h"
#include "server/inspector.h"
#include "server/listener.h"
#include "server/worker.h"
#include "server/writer.h"

/* How long what was asked is still worked on. */
#define DRAIN_WORK_NS (1 * NS_PER_S)

static int init(struct server *server);
static int start_thread(pthread_t *thread, bool *started, void *(*run)(void *),
			struct server *server);
static int catch_signals(struct server *server);
static void stop_threads(struct server *server);

int server_start(struct rtree *tree, const struct server_options *options,
		 const struct server_saved *saved, struct server **server)
{
	struct server *s = calloc(1, sizeof(*s));

	if (!s)
		return err_set(ERR_NO_MEMORY, "no memory for a server");
	s->tree = tree;
	s->options = *options;
	s->saved = *saved;
	int error = init(s);
	if (!error)
		error = workers_start(s);
	if (!error)
		error = start_thread(&s->writer, &s->has_writer, writer_run, s);
	if (!error)
		error = start_thread(&s->inspector, &s->has_inspector,
				     inspector_run, s);
	if (!error)
		error = heartbeat_start(s, &s->heartbeat);
	if (!error)
		error = listeners_start(s);
	if (error) {
		server_stop(s);
		server_destroy(s);
		return error;
	}
	*server = s;
	return 0;
}

static int init(struct server *server)
{
	rtree_describe(server->tree, &server->region);
	server->started_ns = clock_now_ns();
	server->load_budget.region_size = server->region.size;
	job_queue_init(&server->writes, WRITES_SIZE_MAX);
	job_queue_init(&server->inspections, INSPECTIONS_SIZE_MAX);
	pthread_mutex_init(&server->writing, NULL);
	session_table_init(&server->sessions);
	server->base = event_base_new();
	if (!server->base)
		return err_set(ERR_SYSTEM, "can't make an event loop");
	return catch_signals(server);
}

static int start_thread(pthread_t *thread, bool *started, void *(*run)(void *),
			struct server *server)
{
	int error = pthread_create(thread, NULL, run, server);

	if (error)
		return err_set(ERR_SYSTEM, "can't start a thread: %s",
			       strerror(error));
	*started = true;
	return 0;
}

static void on_signal(evutil_socket_t number, short what, void *argument)
{
	struct server *server = argument;

	log_info("%s: ending", strsignal((int)number));
	event_base_loopbreak(server->base);
}

/* They stay caught until the process ends, so that a second one can't cut
 * short what the first began. */
static int catch_signals(struct server *server)
{
	static const int signals[] = {SIGTERM, SIGINT, SIGHUP};

	for (int i = 0; i < SERVER_SIGNALS; i++) {
		server->signals[i] = evsignal_new(server->base, signals[i],
						  on_signal, server);
		if (!server->signals[i] ||
		    event_add(server->signals[i], NULL) < 0)
			return err_set(ERR_SYSTEM, "can't catch signals");
	}
	return 0;
}

void server_run(struct server *server)
{
	event_base_dispatch(server->base);
}

void server_stop(struct server *server)
{
	server->refuse_from_ns = clock_now_ns() + DRAIN_WORK_NS;
	server->draining = true;
	stop_threads(server);
	/* A successor that listened while links are open could acknowledge
	 * writes that this server's mapped clients don't see. */
	listeners_stop(server);
	heartbeat_stop(server->heartbeat);
	job_queue_fini(&server->writes);
	job_queue_fini(&server->inspections);
	pthread_mutex_destroy(&server->writing);
	session_table_fini(&server->sessions);
}

/* Workers wait for their jobs, so those who do the jobs end after them, and
 * what they hand the jobs back to stays until then. */
static void stop_threads(struct server *server)
{
	workers_stop(server);
	job_queue_close(&server->writes);
	job_queue_close(&server->inspections);
	if (server->has_writer)
		pthread_join(server->writer, NULL);
	if (server->has_inspector)
		pthread_join(server->inspector, NULL);
	workers_destroy(server);
}

void server_destroy(struct server *server)
{
	if (!server)
		return;
	for (int i = 0; i < SERVER_SIGNALS; i++)
		if (server->signals[i])
			event_free(server->signals[i]);
	if (server->base)
		event_base_free(server->base);
	free(server);
}

int server_check_ending(const struct server *server)
{
	if (!atomic_load_explicit(&server->draining, memory_order_acquire) ||
	    clock_now_ns() < server->refuse_from_ns)
		return 0;
	return err_set(ERR_BUSY, "the server is about to end");
}

struct root server_root(const struct server *server)
{
	struct root root;

	root_load(server->region.memory, &root);
	return root;
}

void server_client_joined(struct server *server, bool one_sided)
{
	server->clients++;
	if (one_sided) {
		server->one_sided_clients++;
		rtree_reader_joined(server->tree);
	}
}

void server_client_left(struct server *server, bool one_sided)
{
	if (one_sided) {
		rtree_reader_left(server->tree);
		server->one_sided_left_ns = clock_now_ns();
		server->one_sided_clients--;
	}
	server->clients--;
}
