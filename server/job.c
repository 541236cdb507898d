/* SPDX-License-Identifier: BSD-2-Clause */
#include "server/job.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "rtree/rtree.h"
#include "server/load.h"

enum { RETRY_MIN_US = 1000, RETRY_MAX_US = 1000000 };

int job_create(enum wire_operation operation, uint32_t count, struct job **job)
{
	struct job *j = calloc(1, sizeof(*j));

	if (!j)
		return err_set(ERR_NO_MEMORY, "no memory for a request");
	j->operation = operation;
	j->count = count;
	if (count) {
		j->writes = calloc(count, sizeof(j->writes[0]));
		j->missing = calloc(count, sizeof(j->missing[0]));
		if (!j->writes || !j->missing) {
			job_destroy(j);
			return err_set(ERR_NO_MEMORY,
				       "no memory for a request");
		}
	}
	*job = j;
	return 0;
}

void job_destroy(struct job *job)
{
	if (job->operation == WIRE_SAVE)
		rtree_snapshot_end(job->snapshot);
	load_destroy(job->load);
	free(job->missing);
	free(job->writes);
	free(job);
}

bool job_is_write(const struct job *job)
{
	switch (job->operation) {
	case WIRE_STAT:
	case WIRE_STATISTICS:
	case WIRE_CHECK:
	case WIRE_SAVE:
		return false;
	default:
		return true;
	}
}

size_t job_size(const struct job *job)
{
	return job_size_of(job->count);
}

size_t job_size_of(uint32_t count)
{
	const struct job *job = NULL;

	return sizeof(*job) +
	       count * (sizeof(job->writes[0]) + sizeof(job->missing[0]));
}

int job_check_deadline(const struct job *job)
{
	if (!job->deadline_ns || clock_now_ns() < job->deadline_ns)
		return 0;
	return err_set(ERR_TIMEOUT,
		       "the deadline passed while the request was waiting");
}

void job_fail(struct job *job, int error)
{
	job->error = error;
	snprintf(job->text, sizeof(job->text), "%s", err_text());
}

/* --- As an answer ------------------------------------------------------- */

static int put_fixed(struct segment *segment, const void *fixed, size_t size)
{
	memcpy(segment_begin(segment, size), fixed, size);
	return ANSWER_LAST;
}

/* What was written, and as many of those not found as there is room for. */
static int put_written(struct job *job, struct segment *segment)
{
	uint32_t left = job->missing_count - job->missing_answered;

	put_fixed(segment, &job->written, sizeof(job->written));
	uint32_t room = segment_room(segment) / sizeof(uint32_t);
	uint32_t count = left < room ? left : room;
	uint32_t *indices = segment_append(segment, count, sizeof(*indices));
	for (uint32_t i = 0; i < count; i++)
		indices[i] = job->missing[job->missing_answered++];
	return count < left ? ANSWER_SEGMENT : ANSWER_LAST;
}

static int step(void *answer, struct segment *segment)
{
	struct job *job = answer;

	if (job->error)
		return err_set(job->error, "%s", job->text);
	switch (job->operation) {
	case WIRE_STAT:
		return put_fixed(segment, &job->stat, sizeof(job->stat));
	case WIRE_STATISTICS:
		return put_fixed(segment, &job->statistics,
				 sizeof(job->statistics));
	case WIRE_CHECK:
		return put_fixed(segment, &job->checked, sizeof(job->checked));
	default:
		return put_written(job, segment);
	}
}

static void end(void *answer)
{
	job_destroy(answer);
}

const struct answer_ops job_answer = {.step = step, .end = end};

/* --- Queues ------------------------------------------------------------- */

void job_queue_init(struct job_queue *queue, size_t size_max)
{
	*queue = (struct job_queue){
		.last = &queue->first,
		.size_max = size_max,
	};
	pthread_mutex_init(&queue->lock, NULL);
	pthread_cond_init(&queue->filled, NULL);
}

void job_queue_fini(struct job_queue *queue)
{
	pthread_cond_destroy(&queue->filled);
	pthread_mutex_destroy(&queue->lock);
}

/* Half of what is waiting should be done by then. */
static uint32_t retry_us(const struct job_queue *queue)
{
	uint64_t time = queue->length * queue->time_ns / 2 / NS_PER_US;

	if (time < RETRY_MIN_US)
		return RETRY_MIN_US;
	return time < RETRY_MAX_US ? (uint32_t)time : RETRY_MAX_US;
}

int job_queue_check_room(const struct job_queue *queue, const struct job *job,
			 uint32_t *retry)
{
	if (queue->size + job_size(job) <= queue->size_max)
		return 0;
	*retry = retry_us(queue);
	return err_set(ERR_BUSY,
		       "%u requests wait for the same thread already: come "
		       "back in %.3g ms",
		       queue->length, *retry / 1e3);
}

void job_queue_push(struct job_queue *queue, struct job *job)
{
	job->next = NULL;
	pthread_mutex_lock(&queue->lock);
	*queue->last = job;
	queue->last = &job->next;
	queue->length++;
	queue->size += job_size(job);
	pthread_mutex_unlock(&queue->lock);
}

void job_queue_wake(struct job_queue *queue)
{
	pthread_mutex_lock(&queue->lock);
	if (queue->first)
		pthread_cond_signal(&queue->filled);
	pthread_mutex_unlock(&queue->lock);
}

bool job_queue_wait(struct job_queue *queue)
{
	pthread_mutex_lock(&queue->lock);
	while (!queue->first && !queue->closed)
		pthread_cond_wait(&queue->filled, &queue->lock);
	bool has_jobs = queue->first;
	pthread_mutex_unlock(&queue->lock);
	return has_jobs;
}

struct job *job_queue_take(struct job_queue *queue, uint64_t writes_max)
{
	pthread_mutex_lock(&queue->lock);
	struct job *jobs = queue->first;
	struct job **end = &jobs;
	uint64_t writes = 0;
	while (*end && (end == &jobs || writes + (*end)->count <= writes_max)) {
		writes += (*end)->count;
		end = &(*end)->next;
	}
	queue->first = *end;
	if (!queue->first)
		queue->last = &queue->first;
	*end = NULL;
	pthread_mutex_unlock(&queue->lock);
	return jobs;
}

void job_queue_put_back(struct job_queue *queue, struct job *jobs)
{
	struct job **end = &jobs;

	while (*end)
		end = &(*end)->next;
	pthread_mutex_lock(&queue->lock);
	*end = queue->first;
	if (!queue->first)
		queue->last = end;
	queue->first = jobs;
	pthread_mutex_unlock(&queue->lock);
}

void job_queue_note_time(struct job_queue *queue, uint64_t time_ns,
			 unsigned count)
{
	if (count)
		queue->time_ns = (queue->time_ns + time_ns / count) / 2;
}

void job_queue_close(struct job_queue *queue)
{
	pthread_mutex_lock(&queue->lock);
	queue->closed = true;
	pthread_cond_signal(&queue->filled);
	pthread_mutex_unlock(&queue->lock);
}

void job_queue_done(struct job_queue *queue, const struct job *job)
{
	queue->length--;
	queue->size -= job_size(job);
}
