/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SERVER_WORKER_H
#define SERVER_WORKER_H

/* Workers: threads with an event loop each.  A connection stays with the worker
 * that it was given to.  Connections that can go on stand in a queue and get
 * short turns, so that a large answer and a busy client wait for the others;
 * when the queue is empty the worker sleeps.
 *
 * Thread-safety: as each function says. */

#include <stdint.h>

#include "wire/message.h"

struct connection;
struct job;
struct server;
struct worker;

/* Starts all workers of the server. */
int workers_start(struct server *server);

/* Has each finish what it was asked, drop its connections, and end; waits for
 * that, which takes at most some seconds longer than the writer takes. */
void workers_stop(struct server *server);

/* Frees them, once those who finish jobs have ended too. */
void workers_destroy(struct server *server);

/* Gives a connection to the worker that has the fewest.  For the main thread.
 */
void worker_adopt(struct server *server, struct connection *connection);

/* Gives a job that is done back to its connection.  For any thread. */
void worker_finish(struct job *job);

/* Requests of a kind that worker 'i' has taken so far.  For any thread. */
uint64_t worker_requests(const struct server *server, unsigned i, int kind);

/* Has all workers see what their one-sided clients report, and waits for it.
 * For the inspector. */
void workers_see_reports(struct server *server);

/* Nanoseconds that all workers together have worked so far.  For any thread. */
uint64_t workers_busy_ns(const struct server *server, uint64_t now_ns);

/* Connections that wait for a turn.  For any thread. */
unsigned workers_queued(const struct server *server);

/* For the worker's own thread: connections that wait for a turn of this one;
 * and counting requests. */
unsigned worker_waiting(const struct worker *worker);
void worker_count_request(struct worker *worker, enum wire_operation operation);

/* For the same: there is a write in the server's queue that somebody has to be
 * told of, once all connections had their turns. */
void worker_gathered_write(struct worker *worker);

#endif
