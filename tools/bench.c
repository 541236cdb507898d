/* SPDX-License-Identifier: BSD-2-Clause */

/* catfish bench: measures how a server does under load.
 *
 * Each server goes with each policy, and each such pair is a run with
 * connections of its own.  They take turns, in rounds, so that what else the
 * machine does falls on all of them, and their ratios hold. */

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "tools/bench_report.h"
#include "tools/bench_run.h"
#include "tools/command.h"
#include "tools/csv_input.h"
#include "tools/policy.h"

enum {
	CLIENTS_MAX = 4096,
	/* What any connection has room for. */
	OUTSTANDING_MAX = 64,
	ROUNDS_DEFAULT = 9, /* of more than one run */
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

struct bench {
	size_t count; /* of runs */
	struct bench_run *runs;
	struct bench_result *results; /* of each */
	struct item *queries;
};

static int check_options(void);
static int settle_options(void);
static int begin(struct bench *bench);
static void end(struct bench *bench);
static int take_turns(struct bench *bench);
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

/* --- Runs --------------------------------------------------------------- */

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
		error = bench_run_open(&bench->runs[i], &options, result);
	}
	return error;
}

static void end(struct bench *bench)
{
	for (size_t i = 0; i < bench->count; i++)
		bench_run_close(&bench->runs[i]);
	free(bench->runs);
	free(bench->results);
	free(bench->queries);
}

static int take_turns(struct bench *bench)
{
	int error = 0;

	for (uint64_t round = 0; round < options.rounds; round++)
		for (size_t i = 0; !error && i < bench->count; i++)
			error = bench_run_take_turn(&bench->runs[i], round);
	return error;
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
