/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SERVER_WRITER_H
#define SERVER_WRITER_H

/* Writing: applying the writes of all connections, which is done by one thread
 * at a time, the holder of the server's lock 'writing'.  Mostly that is the
 * worker to which they came, between two rounds of turns.  What it leaves, as
 * it has clients that wait, or since pages have to come back, or for its size,
 * is for the writer, a thread of its own.
 *
 * Whoever it is takes what has gathered, applies it in order as one batch,
 * publishes one version, and only then answers.  Each request becomes visible
 * at once: when retired pages must come back before it can be finished, the
 * batch is made again without it, and it goes into the next one, whole.  Only a
 * request that finds no room in a batch of its own, with all pages back that no
 * answer holds, is split, into as few versions as the free pages allow; an
 * import never is.
 *
 * Thread-safety: writer_run() is a thread of its own; jobs come by the server's
 * queue 'writes'. */

#include <stdbool.h>

struct server;

/* Works until the queue is closed and empty; 'server' is a struct server. */
void *writer_run(void *server);

/* Applies the first few writes of the queue, for a worker.  False when it is
 * the writer's to go on: for what is first another thread has to be waited for,
 * or pages. */
bool writer_try(struct server *server);

#endif
