/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TOOLS_BENCH_LANE_H
#define TOOLS_BENCH_LANE_H

/* One client of catfish bench: a connection with a thread that works on it for
 * one turn after the other.
 *
 * Closed loop: the next operation begins when one has ended.  Open loop:
 * operations are due at times drawn beforehand, with exponentially distributed
 * gaps, and latency counts from when one was due, not from when the client came
 * to send it; so a server that stands still for a second is seen by all that
 * was due in it ("coordinated omission" is what hides it otherwise).
 *
 * Thread-safety: between bench_lane_start() and bench_lane_join() a lane is its
 * thread's, but for 'done'.
 *
 * With one operation outstanding a lane calls the functions of catfish.h that
 * wait, with more those that don't. */

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "client/catfish.h"
#include "tools/bench_histogram.h"
#include "tools/bench_work.h"

/* What was measured. */
struct bench_tally {
	uint64_t operations[BENCH_OPERATIONS]; /* that succeeded */
	uint64_t errors; /* answers that were one; the run goes on */
	uint64_t unsent; /* open loop: due, and not begun by the end */
	uint64_t hits;
	uint64_t by_messaging; /* searches */
	uint64_t pushed_back;  /* that the server left to the client */
	uint64_t path_ns[2];   /* that searches took, by enum catfish_path */
	uint64_t round_trips;  /* of searches, as what follows */
	uint64_t reads;
	uint64_t read_bytes;
	struct histogram latency; /* in ns, of all but errors */
	char error_text[512];	  /* of the first error */
};

/* Adds all that 'from' holds. */
void bench_tally_add(struct bench_tally *tally, const struct bench_tally *from);

/* One turn, the same for all lanes that take part. */
struct bench_turn {
	uint64_t start_ns; /* unmeasured until 'begin' */
	uint64_t begin_ns;
	uint64_t end_ns;     /* nothing is begun after it */
	double gap_ns;	     /* open loop: the mean, of a lane; 0: closed */
	_Atomic bool failed; /* a lane's connection was lost: all end */
};

struct bench_operation_slot;

struct bench_lane {
	struct catfish *server;
	struct bench_work work;
	struct bench_turn *turn;
	struct bench_tally *tally;
	struct random gaps;
	uint64_t due_ns;		    /* open loop: the next operation */
	uint64_t outstanding;		    /* operations at most */
	struct bench_operation_slot *slots; /* for each, when there are more
					       than one */
	struct bench_operation_slot *free_slots;
	pthread_t thread;
	int error;	       /* that ended the turn, and its words */
	_Atomic uint64_t done; /* operations so far, for the progress */
};

/* Makes room for so many outstanding operations of a lane whose other members
 * are set. */
int bench_lane_init(struct bench_lane *lane, uint64_t outstanding);
void bench_lane_fini(struct bench_lane *lane);

/* Starts a lane's thread, which works for a turn. */
int bench_lane_start(struct bench_lane *lane, struct bench_turn *turn);

/* Waits for the end of its turn; the error that ended it early, if one did. */
int bench_lane_join(struct bench_lane *lane);

#endif
