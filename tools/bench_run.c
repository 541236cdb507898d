/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/bench_run.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "tools/command.h"
#include "tools/policy.h"
#include "tools/process_cpu.h"
#include "tools/server.h"

enum {
	LOOK_NS = 200 * 1000 * 1000,
	NOTE_LOOKS = 15, /* where no terminal shows the progress */
};

/* Where the turn of a run stands, for the progress. */
struct view {
	const struct bench_run *run;
	uint64_t round;
	uint64_t done; /* operations at the last look */
	uint64_t looked_ns;
};

/* --- Opening and closing ------------------------------------------------ */

static int open_lane(const struct bench_run *run, struct bench_lane *lane,
		     uint64_t number)
{
	const struct bench_options *options = run->options;
	const struct bench_result *result = run->result;
	const struct catfish_options how = {
		.policy = result->policy,
		.offload = result->policy == CATFISH_POLICY_MESSAGING
				   ? CATFISH_OFFLOAD_AUTO
				   : options->offload,
		.threshold = options->threshold,
		.backoff = (uint32_t)options->backoff,
		.exploration = options->exploration,
		.seed = options->plan.seed + number + 1,
		.timeout_ms = (uint32_t)(options->timeout_ns / NS_PER_MS),
		.cache_size = options->cache_size,
	};

	lane->tally = calloc(1, sizeof(*lane->tally));
	if (!lane->tally)
		return err_set(ERR_NO_MEMORY, "no memory for the clients");
	random_seed(&lane->gaps, options->plan.seed ^ ~number);
	int error = bench_lane_init(lane, options->outstanding);
	if (!error)
		error = bench_work_init(&lane->work, &options->plan, number,
					options->clients);
	return error ? error
		     : server_open_at(result->server, &how, &lane->server);
}

/* The server's process, when that is to be seen from here. */
static int find_server(struct catfish *server, int *pid)
{
	struct catfish_stat stat;
	int error = server_result(catfish_stat(server, &stat));

	if (!error &&
	    process_is((int)stat.process_id, "catfishd", stat.uptime_ns))
		*pid = (int)stat.process_id;
	return error;
}

int bench_run_open(struct bench_run *run, const struct bench_options *options,
		   struct bench_result *result)
{
	int error = 0;

	run->options = options;
	run->result = result;
	run->lanes = calloc(options->clients, sizeof(*run->lanes));
	result->round_ops_per_s =
		calloc(options->rounds, sizeof(*result->round_ops_per_s));
	if (!run->lanes || !result->round_ops_per_s)
		return err_set(ERR_NO_MEMORY, "no memory for the clients");
	for (uint64_t i = 0; !error && i < options->clients; i++)
		error = open_lane(run, &run->lanes[i], i);
	if (!error)
		error = find_server(run->lanes[0].server, &run->server_pid);
	if (!run->server_pid)
		result->server_cpu_s = -1;
	return error;
}

void bench_run_close(struct bench_run *run)
{
	for (uint64_t i = 0; run->lanes && i < run->options->clients; i++)
		bench_lane_fini(&run->lanes[i]);
	free(run->lanes);
	free(run->result->round_ops_per_s);
}

/* --- Turns -------------------------------------------------------------- */

static int start_lanes(struct bench_run *run, struct bench_turn *turn,
		       uint64_t *started)
{
	int error = 0;

	for (*started = 0; *started < run->options->clients; ++*started) {
		error = bench_lane_start(&run->lanes[*started], turn);
		if (error)
			break;
	}
	if (error)
		turn->failed = true;
	return error;
}

/* Waits for all, and returns the first error. */
static int join_lanes(struct bench_run *run, uint64_t started)
{
	int first = 0;

	for (uint64_t i = 0; i < started; i++)
		if (first)
			pthread_join(run->lanes[i].thread, NULL);
		else
			first = bench_lane_join(&run->lanes[i]);
	return first;
}

/* Operations so far, of all clients. */
static uint64_t count_done(const struct bench_run *run)
{
	uint64_t done = 0;

	for (uint64_t i = 0; i < run->options->clients; i++)
		done += run->lanes[i].done;
	return done;
}

static void show_progress(struct view *view)
{
	const struct bench_result *result = view->run->result;
	uint64_t rounds = view->run->options->rounds;
	uint64_t now = clock_now_ns(), done = count_done(view->run);

	double rate = (double)(done - view->done) /
		      ((double)(now - view->looked_ns) / NS_PER_S);
	view->done = done;
	view->looked_ns = now;
	if (isatty(STDERR_FILENO))
		fprintf(stderr,
			"\rround %" PRIu64 " of %" PRIu64
			": %s, %s: %.0f/s\033[K",
			view->round + 1, rounds, result->server,
			policy_name(result->policy), rate);
	else
		command_note("round %" PRIu64 " of %" PRIu64 ": %s, %s: %.0f/s",
			     view->round + 1, rounds, result->server,
			     policy_name(result->policy), rate);
}

/* Sleeps until then, or a turn has failed, and says now and then how it goes.
 */
static void watch_until(const struct bench_turn *turn, uint64_t time_ns,
			struct view *view)
{
	int looks = isatty(STDERR_FILENO) ? 1 : NOTE_LOOKS;

	while (!turn->failed) {
		uint64_t now = clock_now_ns();
		if (now >= time_ns)
			return;
		uint64_t left = time_ns - now;
		const struct timespec time = {
			.tv_nsec = left < LOOK_NS ? (long)left : LOOK_NS,
		};
		nanosleep(&time, NULL);
		if (now - view->looked_ns >= (uint64_t)looks * LOOK_NS)
			show_progress(view);
	}
}

static void begin_view(struct view *view)
{
	view->looked_ns = clock_now_ns();
	view->done = count_done(view->run);
}

/* Processor time of both processes so far. */
static void read_cpu(const struct bench_run *run, double *client_s,
		     double *server_s)
{
	uint64_t time_ns = 0;

	process_cpu_ns(getpid(), &time_ns);
	*client_s = (double)time_ns / NS_PER_S;
	if (run->server_pid && process_cpu_ns(run->server_pid, &time_ns))
		*server_s = (double)time_ns / NS_PER_S;
}

/* Takes up what the lanes have measured in a turn. */
static uint64_t gather(struct bench_run *run)
{
	uint64_t operations = 0;

	for (uint64_t i = 0; i < run->options->clients; i++) {
		struct bench_tally *tally = run->lanes[i].tally;
		for (int kind = 0; kind < BENCH_OPERATIONS; kind++)
			operations += tally->operations[kind];
		bench_tally_add(&run->result->tally, tally);
		memset(tally, 0, sizeof(*tally));
	}
	return operations;
}

/* What the clients say of the last search of a turn. */
static void explain(const struct bench_run *run)
{
	struct bench_result *result = run->result;
	uint64_t known[2] = {0};
	double sum[2] = {0};

	for (uint64_t i = 0; i < run->options->clients; i++) {
		struct catfish_explanation why;
		if (catfish_explain(run->lanes[i].server, &why))
			continue;
		result->reason = why.reason;
		for (int path = 0; path < 2; path++) {
			sum[path] += why.predicted_us[path];
			known[path] += why.predicted_us[path] > 0;
		}
	}
	for (int path = 0; path < 2; path++)
		if (known[path])
			result->predicted_us[path] =
				sum[path] / (double)known[path];
}

/* A later turn needs only be warm again. */
static struct bench_turn plan_turn(const struct bench_options *options,
				   uint64_t round)
{
	uint64_t warmup_ns = options->warmup_ns / (round ? 10 : 1);
	uint64_t now = clock_now_ns();
	double lane_rate = options->rate / (double)options->clients;

	return (struct bench_turn){
		.start_ns = now,
		.begin_ns = now + warmup_ns,
		.end_ns = now + warmup_ns +
			  options->duration_ns / options->rounds,
		.gap_ns = lane_rate > 0 ? (double)NS_PER_S / lane_rate : 0,
	};
}

int bench_run_take_turn(struct bench_run *run, uint64_t round)
{
	struct bench_result *result = run->result;
	struct bench_turn turn = plan_turn(run->options, round);
	struct view view = {.run = run, .round = round};
	double client_s, client_end_s, server_s = 0, server_end_s = 0;
	uint64_t started;

	begin_view(&view);
	int error = start_lanes(run, &turn, &started);
	watch_until(&turn, turn.begin_ns, &view);
	read_cpu(run, &client_s, &server_s);
	watch_until(&turn, turn.end_ns, &view);
	int failed = join_lanes(run, started);
	uint64_t now = clock_now_ns();
	read_cpu(run, &client_end_s, &server_end_s);
	if (isatty(STDERR_FILENO))
		fputs("\r\033[K", stderr);
	if (error || failed)
		return error ? error : failed;

	double seconds = (double)(now - turn.begin_ns) / NS_PER_S;
	result->seconds += seconds;
	result->client_cpu_s += client_end_s - client_s;
	result->server_cpu_s += server_end_s - server_s;
	result->round_ops_per_s[round] = (double)gather(run) / seconds;
	explain(run);
	return 0;
}
