/* SPDX-License-Identifier: BSD-2-Clause */
#include "server/session.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/random.h"
#include "server/job.h"

/* What became of one write.  The fields of a struct job. */
struct outcome {
	uint64_t number; /* 0: none */
	enum wire_operation operation;
	uint32_t count;
	int error;
	char *text; /* of the error */
	struct wire_written written;
	uint32_t missing_count;
	uint64_t *missing; /* a bit for each entry, or NULL: all were found */
};

struct session {
	LIST_ENTRY(session) bucket;
	uint64_t id;
	unsigned connections;
	TAILQ_ENTRY(session) closed; /* when no connection has it */
	uint64_t closed_ns;

	/* The writer's. */
	uint64_t newest;	  /* number; 0: none was written */
	struct outcome *outcomes; /* write n stands at n % capacity */
	uint32_t capacity;	  /* a power of two, or 0 */
};

enum { CAPACITY_MIN = 2, BITS = 64 };

static void expire(struct session_table *table, uint64_t now_ns);
static void make_room(struct session_table *table);
static void drop(struct session_table *table, struct session *session);
static int reserve(struct session *session, uint64_t number, uint64_t oldest);
static void keep(struct outcome *outcome, const struct job *job);
static void recall(const struct session *session, struct job *job);

void session_table_init(struct session_table *table)
{
	pthread_mutex_init(&table->lock, NULL);
	for (int i = 0; i < SESSION_BUCKETS; i++)
		LIST_INIT(&table->buckets[i]);
	TAILQ_INIT(&table->closed[false]);
	TAILQ_INIT(&table->closed[true]);
	table->closed_count = 0;
}

void session_table_fini(struct session_table *table)
{
	while (table->closed_count)
		make_room(table);
	pthread_mutex_destroy(&table->lock);
}

static struct session_bucket *bucket_of(struct session_table *table,
					uint64_t id)
{
	return &table->buckets[id & (SESSION_BUCKETS - 1)];
}

static struct session *find(struct session_table *table, uint64_t id)
{
	struct session *session;

	LIST_FOREACH(session, bucket_of(table, id), bucket)
		if (session->id == id)
			break;
	return session;
}

static struct session *create(struct session_table *table)
{
	struct session *session = calloc(1, sizeof(*session));

	if (!session)
		return NULL;
	/* Drawn, so that none of an earlier server is one of this. */
	while (!session->id)
		session->id = random_entropy();
	LIST_INSERT_HEAD(bucket_of(table, session->id), session, bucket);
	return session;
}

/* Of the closed sessions, the list that this one is in: nothing is written in
 * it meanwhile. */
static struct session_list *list_of(struct session_table *table,
				    const struct session *session)
{
	return &table->closed[session->newest != 0];
}

static void take_from_closed(struct session_table *table,
			     struct session *session)
{
	TAILQ_REMOVE(list_of(table, session), session, closed);
	table->closed_count--;
}

int session_open(struct session_table *table, uint64_t id, uint64_t now_ns,
		 struct session **session)
{
	pthread_mutex_lock(&table->lock);
	expire(table, now_ns);
	struct session *found = id ? find(table, id) : NULL;
	if (!found)
		found = create(table);
	else if (!found->connections)
		take_from_closed(table, found);
	if (found)
		found->connections++;
	pthread_mutex_unlock(&table->lock);
	if (!found)
		return err_set(ERR_NO_MEMORY, "no memory for a session");
	*session = found;
	return 0;
}

uint64_t session_id(const struct session *session)
{
	return session->id;
}

void session_close(struct session_table *table, struct session *session,
		   uint64_t now_ns)
{
	if (!session)
		return;
	pthread_mutex_lock(&table->lock);
	expire(table, now_ns);
	if (--session->connections == 0) {
		session->closed_ns = now_ns;
		TAILQ_INSERT_TAIL(list_of(table, session), session, closed);
		if (++table->closed_count > SESSIONS_MAX)
			make_room(table);
	}
	pthread_mutex_unlock(&table->lock);
}

static void expire(struct session_table *table, uint64_t now_ns)
{
	struct session *first;

	for (int i = 0; i < 2; i++)
		while ((first = TAILQ_FIRST(&table->closed[i])) &&
		       now_ns > first->closed_ns + SESSION_KEPT_NS)
			drop(table, first);
}

/* Drops one: of those that were never written in, as long as there are any. */
static void make_room(struct session_table *table)
{
	struct session *session = TAILQ_FIRST(&table->closed[false]);

	drop(table, session ? session : TAILQ_FIRST(&table->closed[true]));
}

static void forget(struct outcome *outcome)
{
	free(outcome->text);
	free(outcome->missing);
	*outcome = (struct outcome){0};
}

static void drop(struct session_table *table, struct session *session)
{
	take_from_closed(table, session);
	LIST_REMOVE(session, bucket);
	for (uint32_t i = 0; i < session->capacity; i++)
		forget(&session->outcomes[i]);
	free(session->outcomes);
	free(session);
}

/* --- For who writes ----------------------------------------------------- */

void session_judge(struct job *job)
{
	struct session *session = job->session;

	if (!job->number)
		return;
	job->is_repeated = job->number <= session->newest;
	if (!job->is_repeated)
		session->newest = job->number;
}

void session_finish(struct job *job)
{
	struct session *session = job->session;

	if (!job->number)
		return;
	if (job->is_repeated) {
		recall(session, job);
		return;
	}
	/* Without memory for it, a repetition will be told that nothing is
	 * known. */
	if (!reserve(session, job->number, job->oldest))
		keep(&session->outcomes[job->number & (session->capacity - 1)],
		     job);
}

/* Makes room to keep all answers from 'oldest' to 'number', if these are not
 * too many. */
static int reserve(struct session *session, uint64_t number, uint64_t oldest)
{
	uint64_t wanted = oldest < number ? number - oldest + 1 : 1;
	uint32_t capacity =
		session->capacity ? session->capacity : CAPACITY_MIN;

	while (capacity < wanted && capacity < SESSION_ANSWERS_MAX)
		capacity *= 2;
	if (capacity == session->capacity)
		return 0;
	struct outcome *outcomes = calloc(capacity, sizeof(*outcomes));
	if (!outcomes)
		return ERR_NO_MEMORY;
	for (uint32_t i = 0; i < session->capacity; i++) {
		const struct outcome *old = &session->outcomes[i];
		if (old->number)
			outcomes[old->number & (capacity - 1)] = *old;
	}
	free(session->outcomes);
	session->outcomes = outcomes;
	session->capacity = capacity;
	return 0;
}

static uint64_t *bits_of(const struct job *job)
{
	uint64_t *bits = calloc((job->count + BITS - 1) / BITS, sizeof(*bits));

	for (uint32_t i = 0; bits && i < job->missing_count; i++)
		bits[job->missing[i] / BITS] |= UINT64_C(1)
						<< job->missing[i] % BITS;
	return bits;
}

static void keep(struct outcome *outcome, const struct job *job)
{
	forget(outcome);
	*outcome = (struct outcome){
		.number = job->number,
		.operation = job->operation,
		.count = job->count,
		.error = job->error,
		.text = job->error ? strdup(job->text) : NULL,
		.written = job->written,
		.missing_count = job->missing_count,
		.missing = job->missing_count ? bits_of(job) : NULL,
	};
	if ((job->error && !outcome->text) ||
	    (job->missing_count && !outcome->missing))
		forget(outcome);
}

static const struct outcome *find_outcome(const struct session *session,
					  uint64_t number)
{
	if (!session->capacity)
		return NULL;
	const struct outcome *outcome =
		&session->outcomes[number & (session->capacity - 1)];
	return outcome->number == number ? outcome : NULL;
}

static void recall(const struct session *session, struct job *job)
{
	const struct outcome *outcome = find_outcome(session, job->number);

	if (!outcome) {
		job_fail(job,
			 err_set(ERR_CONNECTION,
				 "write %" PRIu64 " of this session came after "
				 "later ones, and whether it was applied is "
				 "not known any more",
				 job->number));
		return;
	}
	if (outcome->operation != job->operation ||
	    outcome->count != job->count) {
		job_fail(job, err_set(ERR_PROTOCOL,
				      "write %" PRIu64 " of this session was "
				      "another one when it came before",
				      job->number));
		return;
	}
	job->error = 0;
	if (outcome->error)
		job_fail(job, err_set(outcome->error, "%s", outcome->text));
	job->written = outcome->written;
	job->missing_count = 0;
	for (uint32_t i = 0; outcome->missing && i < job->count; i++)
		if (outcome->missing[i / BITS] >> i % BITS & 1)
			job->missing[job->missing_count++] = i;
}
