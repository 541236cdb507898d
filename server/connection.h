/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SERVER_CONNECTION_H
#define SERVER_CONNECTION_H

/* One client: its ring, the request that is being worked on, and the answer
 * that is on its way.
 *
 * Requests are taken from the ring one at a time and answered in their order.
 * Only writes are taken before the one before is answered, so that the writer
 * can publish many at once; their memory is bounded.  An answer goes on only
 * when the segment before it has found room in the client's ring, so a client
 * that is slow to read waits for itself.  What else it sends stays in its ring.
 *
 * Thread-safety: a connection belongs to its worker. */

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "fabric/fabric.h"
#include "fabric/ring.h"
#include "server/answer.h"
#include "server/job.h"
#include "server/load.h"
#include "server/nearest.h"
#include "server/save.h"
#include "server/search.h"

struct event;
struct server;
struct worker;

struct connection {
	LIST_ENTRY(connection) all; /* of the worker's connections */
	STAILQ_ENTRY(connection) turn;
	bool ready;		/* stands in the worker's queue for a turn */
	bool spins;		/* there, only to look for more */
	bool worked;		/* in its last turn */
	uint64_t spin_until_ns; /* 0: from its next turn without work on */
	struct server *server;
	struct worker *worker;
	struct event *event;
	short watched; /* what the event waits for */

	struct fabric_link *link; /* NULL once it is closed */
	struct fabric_ring *ring;
	uint64_t number; /* for people */
	bool one_sided;
	uint64_t beats;	    /* heartbeats it was sent */
	uint64_t offloaded; /* searches, as it said last */

	/* The request that was received last and is not dispatched yet. */
	void *request;
	int64_t request_size; /* 0: none */
	int request_error;    /* of wire_check() */
	uint64_t deadline_ns; /* of it; 0: none */
	uint32_t retry_us;    /* when it fails as busy: when to come back */

	/* The answer that is on its way. */
	enum wire_operation operation; /* what it answers */
	uint64_t sequence;
	const struct answer_ops *answer; /* NULL: none */
	void *answering;		 /* what 'answer' works on */
	uint64_t answer_since_ns;
	uint64_t applied; /* entries of a write, should it fail */
	struct segment segment;
	uint64_t stalled_since_ns; /* the segment finds no room; 0: it does */
	union {
		struct search search;
		struct nearest_search nearest;
		struct save save;
	};

	/* Jobs in other threads, and those that came back. */
	unsigned jobs;	  /* both */
	size_t jobs_size; /* bytes */
	bool inspecting;  /* the one job is no write */
	STAILQ_HEAD(, job) finished;

	struct load *load;	 /* the import that is being sent */
	struct session *session; /* from its first request on */
};

enum connection_state {
	CONNECTION_READY,    /* wants another turn at once */
	CONNECTION_SPINNING, /* as READY, but only to look for a request */
	CONNECTION_WAITING,  /* for the client or for a job */
	CONNECTION_ENDED,    /* to be closed */
};

/* Bytes that one takes at most with a client's inbox of that size, which on shm
 * is this process's memory too; without what it stages for an import, and a
 * gathered answer. */
uint64_t connection_memory(uint32_t client_inbox_size);

/* Takes over a link that was accepted; what is counted of it was counted. */
int connection_create(struct server *server, struct fabric_link *link,
		      struct connection **connection);

/* Goes on with whatever can go on, for a bounded time. */
enum connection_state connection_run(struct connection *connection);

/* Takes notice of what has come, so that its time to wait begins: for a
 * connection that waits for its turn. */
void connection_look(struct connection *connection);

/* Neither works on a request, nor has one waiting, nor bytes to be sent. */
bool connection_is_idle(const struct connection *connection);

/* What to wait for on its file descriptor, as poll(2) says it. */
short connection_events(const struct connection *connection, int *fd);

/* Looks at the clock: drops a client that takes nothing, and ends an answer
 * whose pages the writer has waited for too long. */
enum connection_state connection_tick(struct connection *connection,
				      uint64_t now_ns);

/* Writes a heartbeat to a one-sided client, and sees what it reports. */
enum connection_state connection_beat(struct connection *connection,
				      const struct wire_heartbeat *beat);

/* Sees how many searches a one-sided client says it has answered itself. */
void connection_see_report(struct connection *connection);

/* A job of it came back. */
void connection_job_finished(struct connection *connection, struct job *job);

/* Closes the link at once and drops what was being answered.  The connection
 * stays while it has jobs. */
void connection_close(struct connection *connection);

/* Frees one that is closed and has no jobs. */
void connection_destroy(struct connection *connection);

/* --- For server/request.c ----------------------------------------------- */

/* Starts to answer the request of this operation and sequence. */
void connection_answer(struct connection *connection,
		       enum wire_operation operation, uint64_t sequence,
		       const struct answer_ops *answer, void *answering);

#endif
