/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SERVER_JOB_H
#define SERVER_JOB_H

/* Requests that are put into a queue: writes, which one thread at a time
 * applies, and what looks at the whole tree, which would take a worker away
 * from its other clients.
 *
 * Thread-safety: a job belongs to the thread that it was handed to last.  A
 * queue may be used by any thread. */

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/rect.h"
#include "server/answer.h"
#include "wire/message.h"

struct connection;
struct load;
struct rtree_snapshot;
struct session;

/* One entry of a write; 'to' is where an update moves the item. */
struct write {
	struct item item;
	struct rect to;
};

enum { JOB_TEXT_SIZE = 256 };

struct job {
	struct job *next;	       /* in a queue of jobs to be done */
	STAILQ_ENTRY(job) done;	       /* in one of jobs that are done */
	struct connection *connection; /* lives as long as its jobs */
	enum wire_operation operation;
	uint64_t sequence;
	uint64_t deadline_ns; /* then it isn't begun any more; 0: never */

	/* Of a write that its session remembers; see server/session.h. */
	struct session *session;
	uint64_t number; /* 0: it doesn't */
	uint64_t oldest;
	bool is_judged; /* by the session, and found to be: */
	bool is_repeated;

	/* The request: 'count' writes, or an import. */
	struct write *writes;
	uint32_t count;
	struct load *load;

	/* How far a write got, and which entries were not found. */
	uint32_t position;
	uint32_t missing_count;
	uint32_t *missing;

	/* The outcome. */
	int error;
	char text[JOB_TEXT_SIZE]; /* of the error */
	union {
		struct wire_written written;
		struct wire_stat stat;
		struct wire_statistics statistics;
		struct wire_checked checked;
		struct rtree_snapshot *snapshot;
	};

	uint32_t missing_answered;
};

/* A job with room for 'count' writes. */
int job_create(enum wire_operation operation, uint32_t count, struct job **job);
void job_destroy(struct job *job);

/* Whether it changes the tree. */
bool job_is_write(const struct job *job);

/* The memory that it takes, without an import's items; or that one of so many
 * writes would. */
size_t job_size(const struct job *job);
size_t job_size_of(uint32_t count);

/* Whether its deadline has passed; ERR_TIMEOUT then. */
int job_check_deadline(const struct job *job);

/* Ends it with this thread's error text. */
void job_fail(struct job *job, int error);

/* A struct job as an answer, which destroys the job at its end.  A snapshot is
 * the caller's to answer with. */
extern const struct answer_ops job_answer;

/* --- Queues ------------------------------------------------------------- */

struct job_queue {
	pthread_mutex_t lock;
	pthread_cond_t filled;
	struct job *first;
	struct job **last;
	bool closed;
	/* What was pushed and not yet finished: jobs, and their bytes. */
	_Atomic unsigned length;
	_Atomic size_t size;
	size_t size_max;
	_Atomic uint64_t time_ns; /* that a job took, lately */
};

void job_queue_init(struct job_queue *queue, size_t size_max);
void job_queue_fini(struct job_queue *queue);

/* ERR_BUSY when it is so long that 'job' has to wait until later, and how much
 * later is good. */
int job_queue_check_room(const struct job_queue *queue, const struct job *job,
			 uint32_t *retry_us);

/* Adds a job; who waits sleeps on until the queue is woken. */
void job_queue_push(struct job_queue *queue, struct job *job);

/* Wakes who waits, if there are jobs. */
void job_queue_wake(struct job_queue *queue);

/* Waits until there are jobs.  False when the queue is closed and empty. */
bool job_queue_wait(struct job_queue *queue);

/* Takes jobs from its head, in order: one, and more while all together have at
 * most so many writes.  NULL when there are none. */
struct job *job_queue_take(struct job_queue *queue, uint64_t writes_max);

/* Puts a list of jobs that was taken back to the head. */
void job_queue_put_back(struct job_queue *queue, struct job *jobs);

/* One that was taken is finished, and is still the caller's. */
void job_queue_done(struct job_queue *queue, const struct job *job);

/* 'count' jobs took so long, all together. */
void job_queue_note_time(struct job_queue *queue, uint64_t time_ns,
			 unsigned count);

/* Nothing will be pushed any more. */
void job_queue_close(struct job_queue *queue);

#endif
