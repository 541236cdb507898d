/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/bench_lane.h"

#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/err.h"
#include "tools/server.h"

/* Waking up takes some tens of microseconds; what is due is awaited awake. */
#define AWAKE_NS (60 * NS_PER_US)

enum { WAIT_MS = 1000 };

/* One operation that was begun. */
struct operation {
	enum bench_operation kind;
	uint64_t since_ns; /* when it began, or was due */
	struct catfish_query query;
	struct catfish_item item;
};

/* One that is outstanding beside others. */
struct bench_operation_slot {
	struct bench_lane *lane;
	struct operation operation;
	struct bench_operation_slot *next; /* that is free */
};

/* Whether the next operation may begin. */
enum due {
	DUE_NOW,
	DUE_LATER, /* at lane->due_ns */
	DUE_NEVER, /* the turn is over */
};

static void *run(void *lane);
static void *run_many(void *lane);
static enum due see_due(struct bench_lane *lane, uint64_t *since_ns);
static void await_due(const struct bench_lane *lane);
static void perform(struct bench_lane *lane, struct operation *operation);
static void begin(struct bench_lane *lane, uint64_t since_ns);
static void await_some(struct bench_lane *lane, enum due due);
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
	tally->pushed_back += from->pushed_back;
	for (int i = 0; i < 2; i++)
		tally->path_ns[i] += from->path_ns[i];
	tally->round_trips += from->round_trips;
	tally->reads += from->reads;
	tally->read_bytes += from->read_bytes;
	histogram_add(&tally->latency, &from->latency);
}

int bench_lane_init(struct bench_lane *lane, uint64_t outstanding)
{
	lane->outstanding = outstanding;
	if (outstanding == 1)
		return 0;
	lane->slots = calloc(outstanding, sizeof(*lane->slots));
	if (!lane->slots)
		return err_set(ERR_NO_MEMORY, "no memory for the clients");
	for (uint64_t i = 0; i < outstanding; i++) {
		lane->slots[i].lane = lane;
		lane->slots[i].next = lane->free_slots;
		lane->free_slots = &lane->slots[i];
	}
	return 0;
}

void bench_lane_fini(struct bench_lane *lane)
{
	catfish_close(lane->server);
	free(lane->slots);
	free(lane->tally);
}

int bench_lane_start(struct bench_lane *lane, struct bench_turn *turn)
{
	lane->turn = turn;
	lane->due_ns = turn->start_ns;
	lane->error = 0;
	int failed =
		pthread_create(&lane->thread, NULL,
			       lane->outstanding > 1 ? run_many : run, lane);
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
	enum due due;

	while ((due = see_due(lane, &operation.since_ns)) != DUE_NEVER)
		if (due == DUE_NOW)
			perform(lane, &operation);
		else
			await_due(lane);
	count_unsent(lane);
	return NULL;
}

static void *run_many(void *argument)
{
	struct bench_lane *lane = argument;

	for (;;) {
		enum due due = DUE_LATER;
		uint64_t since_ns;
		while (lane->free_slots &&
		       (due = see_due(lane, &since_ns)) == DUE_NOW)
			begin(lane, since_ns);
		if (catfish_outstanding(lane->server))
			await_some(lane, due);
		else if (due == DUE_NEVER)
			break;
		else
			await_due(lane);
	}
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

static enum due see_due(struct bench_lane *lane, uint64_t *since_ns)
{
	const struct bench_turn *turn = lane->turn;
	uint64_t now = clock_now_ns();

	if (turn->failed || now >= turn->end_ns)
		return DUE_NEVER;
	*since_ns = now;
	if (!(turn->gap_ns > 0))
		return DUE_NOW;
	if (lane->due_ns >= turn->end_ns)
		return DUE_NEVER;
	if (lane->due_ns > now)
		return DUE_LATER;
	*since_ns = lane->due_ns;
	draw_gap(lane);
	return DUE_NOW;
}

/* Sleeps until the next operation is nearly due. */
static void await_due(const struct bench_lane *lane)
{
	if (lane->due_ns > clock_now_ns() + AWAKE_NS)
		sleep_until(lane->due_ns - AWAKE_NS);
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

/* What was begun beside others is done. */
static void take_result(void *context, const struct catfish_result *result)
{
	struct bench_operation_slot *slot = context;
	struct bench_lane *lane = slot->lane;

	slot->next = lane->free_slots;
	lane->free_slots = slot;
	record(lane, &slot->operation, result->error, &result->answer);
}

static void begin(struct bench_lane *lane, uint64_t since_ns)
{
	struct bench_operation_slot *slot = lane->free_slots;
	struct operation *operation = &slot->operation;
	const struct catfish_call call = {
		.done = take_result,
		.context = slot,
	};
	int error;

	lane->free_slots = slot->next;
	operation->since_ns = since_ns;
	operation->kind = bench_work_next(&lane->work, &operation->query,
					  &operation->item);
	if (operation->kind == BENCH_SEARCH)
		error = catfish_begin_search(lane->server, &operation->query,
					     ignore_item, &call, NULL);
	else
		error = catfish_begin_insert(lane->server, &operation->item, 1,
					     &call, NULL);
	if (error)
		take_result(slot, &(struct catfish_result){.error = error});
}

/* Sleeps on the connection until something may have come, or the next operation
 * is nearly due. */
static int sleep_on(struct bench_lane *lane, uint64_t left_ns)
{
	const struct timespec left = {
		.tv_sec = (time_t)(left_ns / NS_PER_S),
		.tv_nsec = (long)(left_ns % NS_PER_S),
	};
	struct pollfd fd = {0};
	size_t completed;

	int error = catfish_arm(lane->server, &completed);
	if (error || completed)
		return error;
	fd.fd = catfish_fd(lane->server, &fd.events);
	ppoll(&fd, 1, &left, NULL);
	return catfish_poll(lane->server, NULL);
}

/* Waits until an operation is done, or the next is due.  An error is what all
 * that are outstanding are completed with. */
static void await_some(struct bench_lane *lane, enum due due)
{
	uint64_t now = clock_now_ns();

	if (due != DUE_LATER || !lane->free_slots || !(lane->turn->gap_ns > 0))
		(void)catfish_wait(lane->server, WAIT_MS, NULL);
	else if (lane->due_ns < now + AWAKE_NS)
		(void)catfish_poll(lane->server, NULL);
	else
		(void)sleep_on(lane, lane->due_ns - AWAKE_NS - now);
}

/* Whether a run goes on after an error: one that another server, or the same
 * one a little later, might not have. */
static bool is_passing(int error)
{
	return error == ERR_BUSY || error == ERR_NO_ROOM ||
	       error == ERR_TIMEOUT;
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
	tally->pushed_back += answer->pushed_back;
	tally->path_ns[answer->path] += answer->time_ns;
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
