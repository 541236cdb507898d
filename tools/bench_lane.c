/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/bench_lane.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/err.h"
#include "tools/server.h"

/* Waking up takes some tens of microseconds; what is due is awaited awake. */
#define AWAKE_NS (60 * NS_PER_US)

/* One operation that was begun. */
struct operation {
	enum bench_operation kind;
	uint64_t since_ns; /* when it began, or was due */
	struct catfish_query query;
	struct catfish_item item;
};

static void *run(void *lane);
static bool await_due(struct bench_lane *lane, uint64_t *since_ns);
static void perform(struct bench_lane *lane, struct operation *operation);
static void record(struct bench_lane *lane, const struct operation *operation,
		   int result, const struct catfish_answer *answer);
static void count_unsent(struct bench_lane *lane);

void bench_tally_add(struct bench_tally *tally, const struct bench_tally *from)
{
	for (int i = 0; i < BENCH_OPERATIONS; i++)
		tally->operations[i] += from->operations[i];
	if (!tally->errors)
		memcpy(tally->error_text, from->error_text,
		       sizeof(tally->error_text));
	tally->errors += from->errors;
	tally->unsent += from->unsent;
	tally->hits += from->hits;
	tally->by_messaging += from->by_messaging;
	tally->round_trips += from->round_trips;
	tally->reads += from->reads;
	tally->read_bytes += from->read_bytes;
	histogram_add(&tally->latency, &from->latency);
}

int bench_lane_start(struct bench_lane *lane, struct bench_turn *turn)
{
	lane->turn = turn;
	lane->due_ns = turn->start_ns;
	lane->error = 0;
	int failed = pthread_create(&lane->thread, NULL, run, lane);
	return failed ? err_set(ERR_SYSTEM, "can't start a thread: %s",
				strerror(failed))
		      : 0;
}

int bench_lane_join(struct bench_lane *lane)
{
	pthread_join(lane->thread, NULL);
	return lane->error ? err_set(lane->error, "%s", lane->tally->error_text)
			   : 0;
}

static void *run(void *argument)
{
	struct bench_lane *lane = argument;
	struct operation operation;

	while (await_due(lane, &operation.since_ns))
		perform(lane, &operation);
	count_unsent(lane);
	return NULL;
}

static void sleep_until(uint64_t time_ns)
{
	const struct timespec time = {
		.tv_sec = (time_t)(time_ns / NS_PER_S),
		.tv_nsec = (long)(time_ns % NS_PER_S),
	};

	clock_nanosleep(CLOCK_BOOTTIME, TIMER_ABSTIME, &time, NULL);
}

static void draw_gap(struct bench_lane *lane)
{
	double gap = -log(1 - random_unit(&lane->gaps)) * lane->turn->gap_ns;

	lane->due_ns += (uint64_t)gap;
}

/* Waits until the next operation may begin; false when the turn is over. */
static bool await_due(struct bench_lane *lane, uint64_t *since_ns)
{
	const struct bench_turn *turn = lane->turn;
	uint64_t now = clock_now_ns();

	if (turn->failed || now >= turn->end_ns)
		return false;
	*since_ns = now;
	if (!(turn->gap_ns > 0))
		return true;
	if (lane->due_ns >= turn->end_ns)
		return false;
	if (lane->due_ns > now + AWAKE_NS)
		sleep_until(lane->due_ns - AWAKE_NS);
	while (clock_now_ns() < lane->due_ns)
		;
	*since_ns = lane->due_ns;
	draw_gap(lane);
	return true;
}

static int ignore_item(void *context, int64_t id, const double *box)
{
	return 0;
}

static void perform(struct bench_lane *lane, struct operation *operation)
{
	struct catfish_answer answer = {0};
	int result;

	operation->kind = bench_work_next(&lane->work, &operation->query,
					  &operation->item);
	if (operation->kind == BENCH_SEARCH)
		result = catfish_search(lane->server, &operation->query,
					ignore_item, NULL, &answer);
	else
		result =
			catfish_insert(lane->server, &operation->item, 1, NULL);
	record(lane, operation, result, &answer);
}

/* Whether a run goes on after an error: one that another server, or the same
 * one a little later, might not have. */
static bool is_passing(int error)
{
	return error == ERR_BUSY || error == ERR_NO_ROOM;
}

static void record_error(struct bench_lane *lane, int error)
{
	struct bench_tally *tally = lane->tally;

	if (!tally->errors++)
		snprintf(tally->error_text, sizeof(tally->error_text), "%s",
			 err_text());
	if (is_passing(error))
		return;
	snprintf(tally->error_text, sizeof(tally->error_text), "%s",
		 err_text());
	lane->error = error;
	lane->turn->failed = true;
}

static void record_search(struct bench_tally *tally,
			  const struct catfish_answer *answer)
{
	tally->hits += answer->count;
	tally->by_messaging += answer->path == CATFISH_PATH_MESSAGING;
	tally->round_trips += answer->round_trips;
	tally->reads += answer->reads;
	tally->read_bytes += answer->read_bytes;
}

static void record(struct bench_lane *lane, const struct operation *operation,
		   int result, const struct catfish_answer *answer)
{
	struct bench_tally *tally = lane->tally;
	bool is_measured = operation->since_ns >= lane->turn->begin_ns;

	atomic_fetch_add_explicit(&lane->done, 1, memory_order_relaxed);
	int error = server_result(result);
	if (error && (is_measured || !is_passing(error)))
		record_error(lane, error);
	if (error || !is_measured)
		return;
	tally->operations[operation->kind]++;
	histogram_record(&tally->latency, clock_now_ns() - operation->since_ns);
	if (operation->kind == BENCH_SEARCH)
		record_search(tally, answer);
}

/* What was due and not begun has waited until now at least. */
static void count_unsent(struct bench_lane *lane)
{
	const struct bench_turn *turn = lane->turn;
	uint64_t now = clock_now_ns();

	if (!(turn->gap_ns > 0))
		return;
	for (; lane->due_ns < turn->end_ns && lane->due_ns < now;
	     draw_gap(lane)) {
		if (lane->due_ns < turn->begin_ns)
			continue;
		lane->tally->unsent++;
		histogram_record(&lane->tally->latency, now - lane->due_ns);
	}
}
