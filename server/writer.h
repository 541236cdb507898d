/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SERVER_WRITER_H
#define SERVER_WRITER_H

/* The writer: one thread that applies the writes of all connections.
 *
 * It takes all that has gathered, applies it in order as one batch, publishes
 * one version, and only then answers.  Each request becomes visible at once:
 * when retired pages must come back before it can be finished, the batch is
 * made again without it, and it goes into the next one, whole.  Only a request
 * that finds no room in a batch of its own, with all pages back that no answer
 * holds, is split, into as few versions as the free pages allow; an import
 * never is.
 *
 * Thread-safety: writer_run() is a thread of its own; others hand it jobs by
 * the server's queue 'writes'. */

/* Works until the queue is closed and empty; 'server' is a struct server. */
void *writer_run(void *server);

#endif
