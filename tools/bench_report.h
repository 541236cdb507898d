/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TOOLS_BENCH_REPORT_H
#define TOOLS_BENCH_REPORT_H

/* What catfish bench was asked for, what came of it, and how that is printed:
 * as a table for people, or with every parameter and every figure, and the
 * machine, as CSV or as one JSON object a line for each run.
 *
 * Thread-safety: one thread. */

#include <stdint.h>
#include <stdio.h>

#include "tools/bench_lane.h"

enum {
	BENCH_SERVERS_MAX = 16,
	BENCH_POLICIES_MAX = 8,
	BENCH_ROUNDS_MAX = 1000,
};

enum bench_format {
	BENCH_TEXT,
	BENCH_CSV,
	BENCH_JSONL,
};

/* The parameters of all runs of a command. */
struct bench_options {
	const char *servers[BENCH_SERVERS_MAX];
	size_t server_count;
	enum catfish_policy policies[BENCH_POLICIES_MAX];
	size_t policy_count;
	enum catfish_offload offload;
	double threshold, exploration; /* of the policies; 0: the default */
	uint64_t backoff;
	uint64_t cache_size; /* as in struct catfish_options */
	uint64_t timeout_ns;
	uint64_t clients;
	uint64_t outstanding;
	double rate; /* operations a second of all clients; 0: closed loop */
	uint64_t duration_ns;
	uint64_t warmup_ns;
	uint64_t rounds;
	struct bench_plan plan;
	const char *queries; /* the file; NULL: none */
};

/* One run: a server, and a policy. */
struct bench_result {
	const char *server;
	enum catfish_policy policy;
	struct bench_tally tally;
	double seconds;
	double server_cpu_s; /* negative: not known */
	double client_cpu_s;
	double *round_ops_per_s; /* of each round */
	/* What the policy predicted of the last searches of the clients, in the
	 * mean, by enum catfish_path; 0: nothing. */
	double predicted_us[2];
	const char *reason; /* for the last search's path, of one client */
};

/* Prints the results of all runs, which were interleaved; ratios are to the
 * first of them, in the same round. */
int bench_report(FILE *to, enum bench_format format,
		 const struct bench_options *options,
		 const struct bench_result *results, size_t count);

/* Writes the latencies of all runs as CSV: a line for each bucket that isn't
 * empty. */
int bench_report_histograms(const char *path,
			    const struct bench_result *results, size_t count);

#endif
