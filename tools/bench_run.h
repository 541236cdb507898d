/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TOOLS_BENCH_RUN_H
#define TOOLS_BENCH_RUN_H

/* One run of catfish bench, a server with a policy: its connections, and the
 * turns that it takes with other runs.
 *
 * Thread-safety: one thread. */

#include <stdint.h>

#include "tools/bench_report.h"

struct bench_run {
	const struct bench_options *options;
	struct bench_result *result;
	struct bench_lane *lanes; /* one for each client */
	int server_pid;		  /* 0: not of this machine, or not known */
};

/* Opens the connections of a run, all zeros, whose result names the server and
 * the policy; both stay the caller's.  bench_run_close() closes it, also when
 * this failed. */
int bench_run_open(struct bench_run *run, const struct bench_options *options,
		   struct bench_result *result);
void bench_run_close(struct bench_run *run);

/* Puts the server under load for the run's part of a round, shows the progress,
 * and adds what was measured to the result. */
int bench_run_take_turn(struct bench_run *run, uint64_t round);

#endif
