/* SPDX-License-Identifier: BSD-2-Clause */

/* catfish bench: measures how a server does under load.
 *
 * Each server goes with each policy, and each such pair is a run with
 * connections of its own.  They take turns, in rounds, so that what else the
 * machine does falls on all of them, and their ratios hold. */

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "tools/bench_report.h"
#include "tools/command.h"
#include "tools/csv_input.h"
#include "tools/policy.h"
#include "tools/process_cpu.h"
#include "tools/server.h"

enum {
	CLIENTS_MAX = 4096,
	/* What any connection has room for. */
	OUTSTANDING_MAX = 64,
	ROUNDS_DEFAULT = 9, /* of more than one run */
	LOOK_NS = 200 * 1000 * 1000,
	NOTE_LOOKS = 15, /* where no terminal shows the progress */
};

#define TURN_MIN_NS (10 * NS_PER_MS)

static struct bench_options options = {
	.timeout_ns = 10 * NS_PER_S,
	.clients = 1,
	.outstanding = 1,
	.duration_ns = 10 * NS_PER_S,
	.warmup_ns = NS_PER_S,
	.plan =
		{
			.weights = {[BENCH_SEARCH] = 100},
			.scale = 1e-5,
			.edge = GENERATE_DEFAULT_EDGE,
			.seed = 1,
		},
};

static const char *const offloads[] = {"copy", "mapped", NULL};
static const char *const formats[] = {"text", "csv", "jsonl", NULL};
static int offload, format;
static uint64_t cache_size;
static const char *histogram_path;
static bool has_offload, has_cache, has_rate, has_scale;

/* --server, which may be given several times. */
static int take_server(const struct command_option *option, const char *text)
{
	if (options.server_count == BENCH_SERVERS_MAX)
		return err_set(ERR_USAGE, "at most %d servers",
			       BENCH_SERVERS_MAX);
	options.servers[options.server_count++] = text;
	return 0;
}

static int take_policies(const struct command_option *option, const char *text)
{
	options.policy_count = 0;
	for (const char *end; *text; text = end + (*end == ',')) {
		char name[32];
		end = strchrnul(text, ',');
		snprintf(name, sizeof(name), "%.*s", (int)(end - text), text);
		if (options.policy_count == BENCH_POLICIES_MAX)
			return err_set(ERR_USAGE, "at most %d policies",
				       BENCH_POLICIES_MAX);
		int error = policy_parse(
			name, &options.policies[options.policy_count++]);
		if (error)
			return error;
	}
	return 0;
}

static int take_mix(const struct command_option *option, const char *text)
{
	return bench_plan_parse_mix(text, &options.plan);
}

static int take_scale(const struct command_option *option, const char *text)
{
	return bench_plan_parse_scale(text, &options.plan);
}

static const struct command_option bench_options[] = {
	{
		.name = "server",
		.value = "ADDR",
		.help = "as of other commands; several, in one run, take turns",
		.take = take_server,
	},
	{
		.name = "policy",
		.value = "POLICY,...",
		.help = "messaging, offload, catfish or adaptive (the\n"
			"default); several take turns",
		.take = take_policies,
	},
	{
		.name = "threshold",
		.value = "T",
		.help = "catfish: utilisation above which the server is busy\n"
			"(default: 0.95)",
		.take = options_take_double,
		.to = &options.threshold,
	},
	{
		.name = "backoff",
		.value = "N",
		.help = "catfish: searches to back off by (default: 8)",
		.take = options_take_uint64,
		.to = &options.backoff,
	},
	{
		.name = "exploration",
		.value = "E",
		.help = "adaptive: part of the searches, at most, that try\n"
			"the slower path (default: 1/1024)",
		.take = options_take_double,
		.to = &options.exploration,
	},
	{
		.name = "offload",
		.value = "copy|mapped",
		.help = "offload by reading nodes into own memory, or in\n"
			"place, the default where it is possible",
		.take = options_take_choice,
		.to = &offload,
		.given = &has_offload,
		.choices = offloads,
	},
	{
		.name = "cache",
		.value = "SIZE",
		.help = "of nodes that are read; 0 for none (default: 64M)",
		.take = options_take_size,
		.to = &cache_size,
		.given = &has_cache,
	},
	{
		.name = "clients",
		.value = "N",
		.help = "connections, with a thread each (default: 1)",
		.take = options_take_uint64,
		.to = &options.clients,
	},
	{
		.name = "outstanding",
		.value = "N",
		.help = "operations at a time of each client, to 64 with\n"
			"policy messaging or offload (default: 1)",
		.take = options_take_uint64,
		.to = &options.outstanding,
	},
	{
		.name = "rate",
		.value = "N",
		.help = "open loop: operations a second of all clients;\n"
			"latency counts from when each was due (default: each\n"
			"client begins one when the last has ended)",
		.take = options_take_double,
		.to = &options.rate,
		.given = &has_rate,
	},
	{
		.name = "duration",
		.value = "TIME",
		.help = "measured of each run (default: 10s)",
		.take = options_take_time_ns,
		.to = &options.duration_ns,
	},
	{
		.name = "warmup",
		.value = "TIME",
		.help = "before that, unmeasured (default: 1s)",
		.take = options_take_time_ns,
		.to = &options.warmup_ns,
	},
	{
		.name = "rounds",
		.value = "N",
		.help = "turns of each run (default: 9, of a single run 1)",
		.take = options_take_uint64,
		.to = &options.rounds,
	},
	{
		.name = "mix",
		.value = "MIX",
		.help = "search=90,insert=10, or other weights (default: "
			"search)",
		.take = take_mix,
	},
	{
		.name = "scale",
		.value = "SCALE",
		.help = "of queries, uniform in the unit " DIMENSIONAL(
			"square",
			"cube") ": edges\n"
				"uniform in (0, SCALE], or powerlaw (default: 1e-5)",
		.take = take_scale,
		.given = &has_scale,
	},
	{
		.name = "queries",
		.value = "FILE.csv",
		.help = "search for these rectangles instead, in turn",
		.take = options_take_text,
		.to = &options.queries,
	},
	{
		.name = "edge",
		.value = "E",
		.help = "items to insert: edges uniform in (0, E]\n"
			"(default: 0.0001)",
		.take = options_take_double,
		.to = &options.plan.edge,
	},
	{
		.name = "seed",
		.value = "S",
		.help = "the same seed asks the same (default: 1)",
		.take = options_take_uint64,
		.to = &options.plan.seed,
	},
	{
		.name = "timeout",
		.value = "TIME",
		.help = "longest wait for an answer (default: 10s)",
		.take = options_take_time_ns,
		.to = &options.timeout_ns,
	},
	{
		.name = "histogram",
		.value = "FILE.csv",
		.help = "write how often each latency was measured",
		.take = options_take_text,
		.to = &histogram_path,
	},
	{
		.name = "output",
		.letter = 'o',
		.value = "FORMAT",
		.help = "text (default), csv or jsonl, which have all figures",
		.take = options_take_choice,
		.to = &format,
		.choices = formats,
	},
	{0},
};

/* A run: its connections, and the server's process when it is on this machine.
 */
struct run {
	struct bench_lane *lanes;
	int server_pid; /* 0: not known */
};

struct bench {
	size_t count; /* of runs */
	struct run *runs;
	struct bench_result *results; /* of each */
	struct item *queries;
};

/* Where the turn of a run stands, for the progress. */
struct view {
	const struct run *run;
	const struct bench_result *result;
	uint64_t round;
	uint64_t done; /* operations at the last look */
	uint64_t looked_ns;
};

static int check_options(void);
static int settle_options(void);
static int begin(struct bench *bench);
static void end(struct bench *bench);
static int open_run(struct run *run, struct bench_result *result);
static int take_turns(struct bench *bench);
static int take_turn(struct run *run, struct bench_result *result,
		     uint64_t round);
static void note_errors(const struct bench *bench);

static int bench_run(const char *operand)
{
	struct bench bench = {0};
	int error = check_options();

	if (!error)
		error = settle_options();
	if (!error)
		error = begin(&bench);
	if (!error)
		error = take_turns(&bench);
	if (!error)
		error = bench_report(stdout, (enum bench_format)format,
				     &options, bench.results, bench.count);
	if (!error && histogram_path)
		error = bench_report_histograms(histogram_path, bench.results,
						bench.count);
	if (!error)
		note_errors(&bench);
	end(&bench);
	return error;
}

/* --- Options ------------------------------------------------------------ */

static bool offloads_at_all(void)
{
	for (size_t i = 0; i < options.policy_count; i++)
		if (options.policies[i] != CATFISH_POLICY_MESSAGING)
			return true;
	return false;
}

static bool chooses_at_all(void)
{
	for (size_t i = 0; i < options.policy_count; i++)
		if (options.policies[i] != CATFISH_POLICY_MESSAGING &&
		    options.policies[i] != CATFISH_POLICY_OFFLOAD)
			return true;
	return false;
}

static int check_options(void)
{
	if (!options.policy_count)
		options.policies[options.policy_count++] =
			options.outstanding > 1 ? CATFISH_POLICY_MESSAGING
						: CATFISH_POLICY_ADAPTIVE;
	if (!options.clients || options.clients > CLIENTS_MAX)
		return err_set(ERR_USAGE, "--clients: 1 to %d, please",
			       CLIENTS_MAX);
	if (!options.outstanding || options.outstanding > OUTSTANDING_MAX)
		return err_set(ERR_USAGE, "--outstanding: 1 to %d, please",
			       OUTSTANDING_MAX);
	if (options.outstanding > 1 && chooses_at_all())
		return err_set(ERR_USAGE,
			       "--outstanding is for --policy "
			       "messaging and offload: others choose "
			       "for one search at a time");
	if (has_offload && !offloads_at_all())
		return err_set(ERR_USAGE, "--offload is not for --policy "
					  "messaging");
	if (options.backoff > UINT32_MAX)
		return err_set(ERR_USAGE, "--backoff: at most %" PRIu32,
			       UINT32_MAX);
	if (has_rate && !(options.rate > 0))
		return err_set(ERR_USAGE, "--rate: more than 0, please");
	if (has_scale && options.queries)
		return err_set(ERR_USAGE,
			       "--scale and --queries exclude each other");
	if (!(options.plan.edge > 0 && options.plan.edge <= 1))
		return err_set(ERR_USAGE, "--edge: a number in (0, 1], please");
	if (options.rounds > BENCH_ROUNDS_MAX)
		return err_set(ERR_USAGE, "--rounds: at most %d, please",
			       BENCH_ROUNDS_MAX);
	if (options.timeout_ns < NS_PER_MS ||
	    options.timeout_ns / NS_PER_MS > UINT32_MAX)
		return err_set(ERR_USAGE,
			       "--timeout: between 1ms and 49 days, please");
	return 0;
}

/* What isn't said: servers, rounds. */
static int settle_options(void)
{
	const char *named = getenv("CATFISH_SERVER");

	if (!options.server_count && named && *named)
		options.servers[options.server_count++] = named;
	if (!options.server_count)
		return err_set(ERR_USAGE, "which server? give --server ADDR, "
					  "or set CATFISH_SERVER");
	if (has_offload)
		options.offload = (enum catfish_offload)offload + 1;
	options.cache_size =
		has_cache && !cache_size ? CATFISH_NO_CACHE : cache_size;
	if (!options.rounds)
		options.rounds = options.server_count * options.policy_count > 1
					 ? ROUNDS_DEFAULT
					 : 1;
	if (options.duration_ns / options.rounds < TURN_MIN_NS)
		return err_set(ERR_USAGE,
			       "--duration: too short for %" PRIu64
			       " rounds of 10ms",
			       options.rounds);
	return 0;
}

/* --- Beginning and ending ----------------------------------------------- */

static int add_query(struct bench *bench, const struct item *query,
		     size_t *capacity)
{
	size_t *count = &options.plan.query_count;

	if (*count == *capacity) {
		*capacity = *capacity ? 2 * *capacity : 1024;
		struct item *queries =
			realloc(bench->queries, *capacity * sizeof(*queries));
		if (!queries)
			return err_set(ERR_NO_MEMORY,
				       "no memory for the queries");
		bench->queries = queries;
	}
	bench->queries[(*count)++] = *query;
	return 0;
}

static int read_queries(struct bench *bench)
{
	struct csv_reader *reader;
	struct item query;
	size_t capacity = 0;
	int error = csv_input_open(options.queries, CSV_ITEMS, &reader);

	if (error)
		return error;
	while (!error && (error = csv_next_item(reader, &query)) > 0)
		error = add_query(bench, &query, &capacity);
	csv_close(reader);
	if (!error && !options.plan.query_count)
		error = err_set(ERR_DATA, "%s has no queries", options.queries);
	options.plan.queries = bench->queries;
	return error;
}

/* Opens all that the runs need; end() closes it, also when this failed. */
static int begin(struct bench *bench)
{
	int error = options.queries ? read_queries(bench) : 0;

	if (error)
		return error;
	size_t count = options.server_count * options.policy_count;
	bench->runs = calloc(count, sizeof(*bench->runs));
	bench->results = calloc(count, sizeof(*bench->results));
	if (!bench->runs || !bench->results)
		return err_set(ERR_NO_MEMORY, "no memory for the runs");
	for (size_t i = 0; !error && i < count; i++) {
		struct bench_result *result = &bench->results[i];
		result->server = options.servers[i / options.policy_count];
		result->policy = options.policies[i % options.policy_count];
		bench->count++;
		error = open_run(&bench->runs[i], result);
	}
	return error;
}

static void end(struct bench *bench)
{
	for (size_t i = 0; i < bench->count; i++) {
		struct run *run = &bench->runs[i];
		for (uint64_t j = 0; run->lanes && j < options.clients; j++)
			bench_lane_fini(&run->lanes[j]);
		free(run->lanes);
		free(bench->results[i].round_ops_per_s);
	}
	free(bench->runs);
	free(bench->results);
	free(bench->queries);
}

static int open_lane(struct bench_lane *lane, const struct bench_result *result,
		     uint64_t number)
{
	const struct catfish_options how = {
		.policy = result->policy,
		.offload = result->policy == CATFISH_POLICY_MESSAGING
				   ? CATFISH_OFFLOAD_AUTO
				   : options.offload,
		.threshold = options.threshold,
		.backoff = (uint32_t)options.backoff,
		.exploration = options.exploration,
		.seed = options.plan.seed + number + 1,
		.timeout_ms = (uint32_t)(options.timeout_ns / NS_PER_MS),
		.cache_size = options.cache_size,
	};

	lane->tally = calloc(1, sizeof(*lane->tally));
	if (!lane->tally)
		return err_set(ERR_NO_MEMORY, "no memory for the clients");
	random_seed(&lane->gaps, options.plan.seed ^ ~number);
	int error = bench_lane_init(lane, options.outstanding);
	if (!error)
		error = bench_work_init(&lane->work, &options.plan, number,
					options.clients);
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

static int open_run(struct run *run, struct bench_result *result)
{
	int error = 0;

	run->lanes = calloc(options.clients, sizeof(*run->lanes));
	result->round_ops_per_s =
		calloc(options.rounds, sizeof(*result->round_ops_per_s));
	if (!run->lanes || !result->round_ops_per_s)
		return err_set(ERR_NO_MEMORY, "no memory for the clients");
	for (uint64_t i = 0; !error && i < options.clients; i++)
		error = open_lane(&run->lanes[i], result, i);
	if (!error)
		error = find_server(run->lanes[0].server, &run->server_pid);
	if (!run->server_pid)
		result->server_cpu_s = -1;
	return error;
}

/* --- Turns -------------------------------------------------------------- */

static int take_turns(struct bench *bench)
{
	int error = 0;

	for (uint64_t round = 0; round < options.rounds; round++)
		for (size_t i = 0; !error && i < bench->count; i++)
			error = take_turn(&bench->runs[i], &bench->results[i],
					  round);
	return error;
}

static int start_lanes(struct run *run, struct bench_turn *turn,
		       uint64_t *started)
{
	int error = 0;

	for (*started = 0; *started < options.clients; ++*started) {
		error = bench_lane_start(&run->lanes[*started], turn);
		if (error)
			break;
	}
	if (error)
		turn->failed = true;
	return error;
}

/* Waits for all, and returns the first error. */
static int join_lanes(struct run *run, uint64_t started)
{
	int first = 0;

	for (uint64_t i = 0; i < started; i++)
		if (first)
			pthread_join(run->lanes[i].thread, NULL);
		else
			first = bench_lane_join(&run->lanes[i]);
	return first;
}

static void show_progress(struct view *view)
{
	uint64_t now = clock_now_ns(), done = 0;

	for (uint64_t i = 0; i < options.clients; i++)
		done += view->run->lanes[i].done;
	double rate = (double)(done - view->done) /
		      ((double)(now - view->looked_ns) / NS_PER_S);
	view->done = done;
	view->looked_ns = now;
	if (isatty(STDERR_FILENO))
		fprintf(stderr,
			"\rround %" PRIu64 " of %" PRIu64
			": %s, %s: %.0f/s\033[K",
			view->round + 1, options.rounds, view->result->server,
			policy_name(view->result->policy), rate);
	else
		command_note("round %" PRIu64 " of %" PRIu64 ": %s, %s: %.0f/s",
			     view->round + 1, options.rounds,
			     view->result->server,
			     policy_name(view->result->policy), rate);
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
	for (uint64_t i = 0; i < options.clients; i++)
		view->done += view->run->lanes[i].done;
}

/* Processor time of both processes so far. */
static void read_cpu(const struct run *run, double *client_s, double *server_s)
{
	uint64_t time_ns = 0;

	process_cpu_ns(getpid(), &time_ns);
	*client_s = (double)time_ns / NS_PER_S;
	if (run->server_pid && process_cpu_ns(run->server_pid, &time_ns))
		*server_s = (double)time_ns / NS_PER_S;
}

/* Takes up what the lanes have measured in a turn. */
static uint64_t gather(struct run *run, struct bench_result *result)
{
	uint64_t operations = 0;

	for (uint64_t i = 0; i < options.clients; i++) {
		struct bench_tally *tally = run->lanes[i].tally;
		for (int kind = 0; kind < BENCH_OPERATIONS; kind++)
			operations += tally->operations[kind];
		bench_tally_add(&result->tally, tally);
		memset(tally, 0, sizeof(*tally));
	}
	return operations;
}

/* What the clients say of the last search of a turn. */
static void explain(const struct run *run, struct bench_result *result)
{
	uint64_t known[2] = {0};
	double sum[2] = {0};

	for (uint64_t i = 0; i < options.clients; i++) {
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
static struct bench_turn plan_turn(uint64_t round)
{
	uint64_t warmup_ns = options.warmup_ns / (round ? 10 : 1);
	uint64_t now = clock_now_ns();
	double lane_rate = options.rate / (double)options.clients;

	return (struct bench_turn){
		.start_ns = now,
		.begin_ns = now + warmup_ns,
		.end_ns =
			now + warmup_ns + options.duration_ns / options.rounds,
		.gap_ns = lane_rate > 0 ? (double)NS_PER_S / lane_rate : 0,
	};
}

static int take_turn(struct run *run, struct bench_result *result,
		     uint64_t round)
{
	struct bench_turn turn = plan_turn(round);
	struct view view = {run, result, round, 0, 0};
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
	result->round_ops_per_s[round] = (double)gather(run, result) / seconds;
	explain(run, result);
	return 0;
}

static void note_errors(const struct bench *bench)
{
	for (size_t i = 0; i < bench->count; i++) {
		const struct bench_result *result = &bench->results[i];
		if (result->tally.errors)
			command_note(
				"%s, %s: %" PRIu64 " errors, the first: %s",
				result->server, policy_name(result->policy),
				result->tally.errors, result->tally.error_text);
	}
}

const struct command bench_command = {
	.name = "bench",
	.summary = "measure a server under load",
	.usage = "[options]",
	.text = "Sends searches, and inserts with --mix, for a while and says "
		"how many a second\n"
		"there were, how long they took and what they cost.  Each "
		"server with each policy\n"
		"is a run; they take turns, and ratio is that of the "
		"operations per second to the\n"
		"first run's, the median of all rounds.\n"
		"\n"
		"Inserted items stay.  In the table, trips are round trips per "
		"search; server and\n"
		"client are processors that these kept busy.\n",
	.example =
		"  catfish bench --policy messaging,offload,adaptive --clients 4\n"
		"  catfish bench --rate 20000 --mix search=90,insert=10 "
		"-o jsonl\n",
	.options = bench_options,
	.run = bench_run,
};
