/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SERVER_SESSION_H
#define SERVER_SESSION_H

/* Sessions: what lets a client send a write once more that it has had no answer
 * to, over another connection, and have it applied once.
 *
 * A client numbers the writes of its session.  What became of the last of them
 * is kept, and a number that comes again has that for an answer.  A session
 * outlives its connections: for SESSION_KEPT_NS after the last has ended,
 * unless there are more than SESSIONS_MAX.  Then those go first that have been
 * without a connection for longest, first among those that were never written
 * in.  A client whose session has gone is told so before it sends another
 * write.
 *
 * Why a write is never applied twice.  The client numbers its writes in the
 * order in which it sends them, and sends them again, in that order, before any
 * newer one.  The one writer judges every write in the order in which it takes
 * them from its queue: a number above all that came before is new, every other
 * one is a repetition, whichever connection it came by.  So what still lies in
 * the ring of a connection that the client has given up already may be applied
 * before its repetition comes, or be the repetition itself.  A session goes
 * only when no connection of it is left, so none of its writes can be on its
 * way to the writer then, and later ones name a session that is not there.
 *
 * Thread-safety: opening and closing, by any thread.  The rest is for the
 * writer alone: no job that names a session outlives its connection, which has
 * the session open. */

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct job;
struct session;

#define SESSION_KEPT_NS (60 * NS_PER_S)

enum {
	SESSIONS_MAX = 4096,	/* without a connection */
	SESSION_BUCKETS = 4096, /* a power of two */
	/* Answers that are kept of a session: as many as a client may wait
	 * for. */
	SESSION_ANSWERS_MAX = 256,
};

LIST_HEAD(session_bucket, session);
TAILQ_HEAD(session_list, session);

struct session_table {
	pthread_mutex_t lock;
	/* All of them, by the low bits of their ids, which are random. */
	struct session_bucket buckets[SESSION_BUCKETS];
	/* Those that no connection has, the longest first: apart those that
	 * were never written in, and those that were. */
	struct session_list closed[2];
	unsigned closed_count; /* in both */
};

void session_table_init(struct session_table *table);
void session_table_fini(struct session_table *table);

/* Opens the session of that id for another connection, or a new one when there
 * is none (any more), or the id is 0.  ERR_NO_MEMORY. */
int session_open(struct session_table *table, uint64_t id, uint64_t now_ns,
		 struct session **session);
uint64_t session_id(const struct session *session);

/* A connection that had it has ended; NULL is fine. */
void session_close(struct session_table *table, struct session *session,
		   uint64_t now_ns);

/* --- For who writes ----------------------------------------------------- */

/* Sees, once for each job and in their order, whether it is a repetition. */
void session_judge(struct job *job);

/* Keeps what became of a job, or has a repetition end as the first did: with
 * ERR_CONNECTION when that isn't known any more. */
void session_finish(struct job *job);

#endif
