/* SPDX-License-Identifier: BSD-2-Clause */
#include "server/writer.h"

#include <inttypes.h>
#include <stdbool.h>
#include <time.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/guard.h"
#include "base/log.h"
#include "rtree/rtree.h"
#include "server/connection.h"
#include "server/server.h"
#include "server/session.h"
#include "server/worker.h"

enum {
	/* Entries in one batch, if it isn't one request: a few milliseconds
	 * that the first of them waits for the last. */
	BATCH_WRITES_MAX = 8192,
	/* And in what a worker applies at a time: some twenty microseconds,
	 * in which clients that wait for an answer don't fall asleep. */
	TRY_WRITES_MAX = 16,
};

/* How long an import waits for pages that answers hold. */
#define IMPORT_WAIT_NS (5 * NS_PER_S)

/* Jobs that are applied together: from 'first' up to but without 'end'. */
struct run {
	struct job *first;
	struct job *end;
};

/* Does something about the head of a list of jobs, and returns the rest. */
typedef struct job *writing(struct server *server, struct job *jobs);

static writing write_some, write_some_now;
static struct job *write_gathered(struct server *server, uint64_t writes_max,
				  writing *write);
static int write_run(struct server *server, struct run *run);
static int apply_run(struct rtree_batch *batch, struct run *run);
static void answer_run(struct server *server, struct run *run,
		       uint64_t version);
static struct job *write_alone(struct server *server, struct job *job);
static struct job *import(struct server *server, struct job *job);
static int apply_job(struct rtree_batch *batch, struct job *job);
static uint64_t all_back_ns(const struct server *server);
static void wait_for_pages(struct server *server, uint64_t until_ns);
static struct job *finish(struct server *server, struct job *job);

void *writer_run(void *argument)
{
	struct server *server = argument;

	while (job_queue_wait(&server->writes)) {
		pthread_mutex_lock(&server->writing);
		write_gathered(server, UINT64_MAX, write_some);
		pthread_mutex_unlock(&server->writing);
	}
	return NULL;
}

bool writer_try(struct server *server)
{
	/* With that fault, answers must be another thread's to send. */
	if (!GUARD("acknowledge-last", true) ||
	    pthread_mutex_trylock(&server->writing))
		return false;
	struct job *left =
		write_gathered(server, TRY_WRITES_MAX, write_some_now);
	if (left)
		job_queue_put_back(&server->writes, left);
	pthread_mutex_unlock(&server->writing);
	return !left;
}

/* Once: the session remembers it. */
static void judge(struct job *job)
{
	if (!job->is_judged)
		session_judge(job);
	job->is_judged = true;
}

/* Takes jobs and writes them, until there are none or 'write' gets no further;
 * returns what is left.  They are taken by who holds the lock, so that they are
 * applied in the order in which they came. */
static struct job *write_gathered(struct server *server, uint64_t writes_max,
				  writing *write)
{
	uint64_t began = clock_now_ns();
	unsigned count = 0;
	struct job *jobs = job_queue_take(&server->writes, writes_max);

	for (struct job *job = jobs; job; job = job->next, count++)
		judge(job);
	for (struct job *before = NULL; jobs && jobs != before;) {
		before = jobs;
		jobs = write(server, jobs);
	}
	job_queue_note_time(&server->writes, clock_now_ns() - began, count);
	return jobs;
}

static bool is_import(const struct job *job)
{
	return job->operation == WIRE_LOAD_COMMIT;
}

static struct job *fail_job(struct server *server, struct job *job, int error)
{
	job_fail(job, error);
	return finish(server, job);
}

/* Writes what is at the head of the list: one batch, or what can't be in one
 * with others. */
static struct job *write_some(struct server *server, struct job *jobs)
{
	struct run run = {.first = jobs};

	if (is_import(jobs))
		return import(server, jobs);
	int error = write_run(server, &run);
	if (error == ERR_AGAIN)
		return write_alone(server, jobs);
	return error ? fail_job(server, jobs, error) : run.end;
}

/* Writes one batch, if it needs no other and waits for nothing. */
static struct job *write_some_now(struct server *server, struct job *jobs)
{
	struct run run = {.first = jobs};

	if (jobs->count > TRY_WRITES_MAX || is_import(jobs) ||
	    write_run(server, &run))
		return jobs;
	return run.end;
}

/* Writes jobs from the run's first on in one batch, and answers them; they end
 * where there must be another one.  ERR_AGAIN when there is no room for any. */
static int write_run(struct server *server, struct run *run)
{
	struct rtree_batch *batch;
	uint64_t version;

	for (;;) {
		int error = rtree_batch_begin(server->tree, &batch);
		if (error)
			return error;
		error = apply_run(batch, run);
		if (!error)
			break;
		/* The job at run->end wants pages that are not there yet.
		 * Whatever it did is undone with the batch, so make the batch
		 * again up to there. */
		rtree_batch_abort(batch);
		if (run->end == run->first)
			return ERR_AGAIN;
	}
	/* What a test build does to see that it is noticed. */
	bool early = !GUARD("acknowledge-last", true);
	if (early) {
		answer_run(server, run, server_root(server).version + 1);
		GUARD_PAUSE("acknowledge");
	}
	rtree_batch_commit(batch, &version);
	if (!early)
		answer_run(server, run, version);
	return 0;
}

static void start_over(struct job *job)
{
	job->position = 0;
	job->missing_count = 0;
	job->written.applied = 0;
	job->error = 0;
}

/* Applies jobs until the run's end, an import, or enough for one batch, and
 * sets the run's end to where it stopped.  Returns ERR_AGAIN when it stopped
 * for want of pages. */
static int apply_run(struct rtree_batch *batch, struct run *run)
{
	uint64_t writes = 0;
	struct job *job = run->first;

	for (; job != run->end && !is_import(job); job = job->next) {
		writes += job->count;
		if (job != run->first && writes > BATCH_WRITES_MAX)
			break;
		start_over(job);
		if (apply_job(batch, job) == ERR_AGAIN) {
			run->end = job;
			return ERR_AGAIN;
		}
	}
	run->end = job;
	return 0;
}

static int check_in_time(const struct job *job)
{
	int error = server_check_ending(job->connection->server);

	return error ? error : job_check_deadline(job);
}

/* Applies what is left of a job.  ERR_AGAIN as rtree.h says; other errors are
 * the job's own, and leave what was applied before. */
static int apply_job(struct rtree_batch *batch, struct job *job)
{
	if (job->is_repeated)
		return 0;
	int refusal = job->position ? 0 : check_in_time(job);
	if (refusal) {
		job_fail(job, refusal);
		return 0;
	}
	for (; job->position < job->count; job->position++) {
		const struct write *write = &job->writes[job->position];
		int error = 0;

		if (job->operation == WIRE_INSERT)
			error = rtree_insert(batch, &write->item);
		else if (job->operation == WIRE_DELETE)
			error = rtree_delete(batch, &write->item);
		else
			error = rtree_update(batch, &write->item, &write->to);
		if (error == ERR_AGAIN)
			return error;
		if (error == ERR_NOT_FOUND)
			job->missing[job->missing_count++] = job->position;
		else if (error) {
			job_fail(job, error);
			break;
		} else
			job->written.applied++;
	}
	return 0;
}

static void answer_run(struct server *server, struct run *run, uint64_t version)
{
	for (struct job *job = run->first; job != run->end;) {
		job->written.version = version;
		job = finish(server, job);
	}
}

/* Writes a job that found no room as the first of its batch: whole if that is
 * possible once the pages that were retired are back, otherwise in pieces. */
static struct job *write_alone(struct server *server, struct job *job)
{
	int error;

	start_over(job);
	wait_for_pages(server, all_back_ns(server));
	do {
		struct rtree_batch *batch;
		uint32_t position = job->position;

		error = rtree_batch_begin(server->tree, &batch);
		if (error) {
			job_fail(job, error);
			break;
		}
		error = apply_job(batch, job);
		rtree_batch_commit(batch, &job->written.version);
		if (error && server_check_ending(server)) {
			job_fail(job, ERR_BUSY);
			break;
		}
		/* What a piece has replaced may be free at once. */
		if (error && job->position == position)
			wait_for_pages(server, rtree_retry_ns(server->tree));
	} while (error);
	atomic_store(&server->starved_since_ns, 0);
	return finish(server, job);
}

/* --- Imports ------------------------------------------------------------ */

/* All items of an import in one batch, or none. */
static int apply_import(struct rtree_batch *batch, struct load *load,
			uint64_t present)
{
	if (load->mode == WIRE_LOAD_APPEND && present)
		return rtree_append(batch, load->items, load->count, NULL);
	return rtree_replace(batch, load->items, load->count, NULL);
}

static int try_import(struct server *server, struct job *job)
{
	struct rtree_batch *batch;
	uint64_t present = server_root(server).item_count;

	int error = check_in_time(job);
	if (!error)
		error = load_check_mode(job->load, present);
	if (!error)
		error = rtree_batch_begin(server->tree, &batch);
	if (error)
		return error;
	error = apply_import(batch, job->load, present);
	if (error) {
		rtree_batch_abort(batch);
		return error;
	}
	rtree_batch_commit(batch, &job->written.version);
	job->written.applied = job->load->count;
	return 0;
}

/* One that was begun over a connection that was lost, or had an error, has
 * nothing to commit, and stays uncommitted by being remembered for that. */
static struct job *import_nothing(struct server *server, struct job *job)
{
	return fail_job(server, job,
			err_set(ERR_USAGE, "no import was begun on this "
					   "connection, or an error ended it"));
}

static struct job *import(struct server *server, struct job *job)
{
	if (job->is_repeated)
		return finish(server, job);
	if (!job->load)
		return import_nothing(server, job);

	uint64_t give_up_ns = clock_now_ns() + IMPORT_WAIT_NS;
	int error = try_import(server, job);

	/* After the first wait all that was retired is back, unless an answer
	 * holds it; such an answer ends before this gives up. */
	while (error == ERR_AGAIN) {
		bool is_last = clock_now_ns() > give_up_ns;

		wait_for_pages(server, all_back_ns(server));
		error = try_import(server, job);
		if (is_last)
			break;
	}
	atomic_store(&server->starved_since_ns, 0);
	/* Waiting helps only with what others hold: one version has no room
	 * for it beside the one that it follows. */
	if (error == ERR_AGAIN)
		error = err_set(ERR_NO_ROOM,
				"the region has no room for these items and "
				"for the version that they follow: start the "
				"server with more --memory");
	if (error)
		job_fail(job, error);
	load_destroy(job->load);
	job->load = NULL;
	return finish(server, job);
}

/* --- Waiting and answering ---------------------------------------------- */

/* When all that is retired by now can be used again, unless an answer holds
 * it. */
static uint64_t all_back_ns(const struct server *server)
{
	uint64_t now = clock_now_ns();
	uint64_t last_reader =
		server->one_sided_clients ? now : server->one_sided_left_ns;

	return last_reader ? last_reader + server->region.lease_ns : now;
}

/* Waits, for a millisecond at least, as pins are given back at any time.  While
 * it lasts, answers that have held old versions for long are told to end. */
static void wait_for_pages(struct server *server, uint64_t until_ns)
{
	uint64_t now = clock_now_ns();
	uint64_t none = 0;

	atomic_compare_exchange_strong(&server->starved_since_ns, &none, now);
	uint64_t wait = until_ns > now + NS_PER_MS ? until_ns - now : NS_PER_MS;
	struct timespec time = {
		.tv_sec = (time_t)(wait / NS_PER_S),
		.tv_nsec = (long)(wait % NS_PER_S),
	};
	nanosleep(&time, NULL);
}

/* Gives a job back to its connection; returns the one after it. */
static struct job *finish(struct server *server, struct job *job)
{
	struct job *next = job->next;

	session_finish(job);
	job_queue_done(&server->writes, job);
	worker_finish(job);
	return next;
}
