/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SERVER_SERVER_H
#define SERVER_SERVER_H

/* The server as a whole: who works for it, and what they share.
 *
 *	main thread	listens, takes signals, samples the load; owns the
 *			region; see server.c and listener.c
 *	workers		one event loop each, with the connections that were
 *			given to it; search, and answer; see worker.c
 *	writer		applies the writes of all that workers leave to it; see
 *			writer.c
 *	inspector	looks at the whole tree when asked to; see inspector.c
 *
 * Thread-safety: what is not atomic is set before the threads start and never
 * changed while they run. */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "rtree/rtree.h"
#include "server/job.h"
#include "server/load.h"
#include "server/session.h"

struct event;
struct event_base;
struct heartbeat;
struct worker;
struct listener;

struct server_options {
	const char **addresses;
	size_t address_count;
	unsigned threads; /* 0: not settled yet */
	unsigned socket_mode;
	uint64_t heartbeat_ns;
	const char *device;   /* RDMA: NULL: by address */
	uint64_t silence_ns;  /* of clients by RDMA that have gone; 0: 3 s */
	uint64_t link_speed;  /* in bits per second; 0: as devices say */
	uint64_t spin_ns;     /* before a worker sleeps; 0: it sleeps at once */
	uint64_t stall_ns;    /* that an answer may wait for its client */
	unsigned max_clients; /* at most CLIENTS_MAX */
	uint64_t memory_per_client; /* bytes at most; see connection_memory() */
	/* Clients that wait for the same thread, from which on searches are
	 * left to clients that can read the region; CLIENTS_MAX: never. */
	unsigned push_back;
};

/* What the region file has, when there is one. */
struct server_saved {
	bool is_saved;
	uint64_t version;
	uint64_t time_ns;
};

enum {
	/* Each may hold a pin, and the inspector one. */
	CLIENTS_MAX = 1000,
	/* Of the server's end of each connection: a quarter of it is the
	 * largest request. */
	SERVER_INBOX_SIZE = 1 << 18,
	/* Bytes of writes that one client may have waiting for the writer; what
	 * it sends besides stays in its ring. */
	JOBS_SIZE_MAX = 1 << 18,
	/* And of all clients together; who comes then is told to come back. */
	WRITES_SIZE_MAX = 1 << 24,
	INSPECTIONS_SIZE_MAX = 1 << 17,
	/* Of a client's end, which on shm is this process's memory too. */
	CLIENT_INBOX_MAX = 1 << 20,
	SERVER_SIGNALS = 3, /* SIGTERM, SIGINT and SIGHUP */
};

struct server {
	struct rtree *tree;
	struct rtree_region region;
	struct server_options options;
	struct server_saved saved;
	uint64_t started_ns;

	struct event_base *base; /* of the main thread */
	struct listener *listeners;
	size_t listener_count;
	struct event *signals[SERVER_SIGNALS];
	struct heartbeat *heartbeat;
	struct worker *workers;
	pthread_t writer, inspector;
	bool has_writer, has_inspector;
	struct job_queue writes, inspections;
	pthread_mutex_t writing; /* held by who applies writes */
	struct load_budget load_budget;
	struct session_table sessions;

	_Atomic bool draining;
	_Atomic uint64_t refuse_from_ns; /* of server_check_ending() */
	_Atomic unsigned clients;
	_Atomic unsigned one_sided_clients;
	_Atomic uint64_t one_sided_left_ns; /* when one last left; 0: never */
	_Atomic uint64_t connections;	    /* so far: numbers them */
	_Atomic uint64_t offloaded;	    /* searches, as clients say */
	_Atomic uint64_t pushed_back;	    /* searches and counts */
	_Atomic uint32_t utilisation_ppm;
	_Atomic uint32_t transmit_ppm; /* or WIRE_TRANSMIT_UNKNOWN */
	/* Since when the writer waits for pages; 0: it doesn't. */
	_Atomic uint64_t starved_since_ns;
};

/* Starts to serve a tree that belongs to the calling thread: all threads run
 * and all addresses listen when it returns. */
int server_start(struct rtree *tree, const struct server_options *options,
		 const struct server_saved *saved, struct server **server);

/* The addresses that it listens at, in the order of the options. */
const char *server_address(const struct server *server, size_t i);

/* Serves until one of the signals that end it. */
void server_run(struct server *server);

/* Drains: takes no more clients, finishes and answers what has been asked, and
 * ends all threads.  What it has not come to within a second is refused, and
 * half a second later it waits for no client any more.  The tree stays, with
 * every write that was acknowledged; signals stay caught until
 * server_destroy(). */
void server_stop(struct server *server);
void server_destroy(struct server *server);

/* The newest published version, and its number of items or one of a version
 * published at about the same time. */
struct root server_root(const struct server *server);

/* ERR_BUSY, which is for the client, once the server has been ending for so
 * long that it begins nothing more.  For any thread. */
int server_check_ending(const struct server *server);

/* A client was accepted, or has gone. */
void server_client_joined(struct server *server, bool one_sided);
void server_client_left(struct server *server, bool one_sided);

#endif
