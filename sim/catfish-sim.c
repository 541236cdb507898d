/* SPDX-License-Identifier: BSD-2-Clause */

/* catfish-sim: what clients of a policy reach in an environment, in virtual
 * time.  README.md says what is simulated. */

#include <getopt.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/parse.h"
#include "base/program.h"
#include "sim/model.h"

enum { CHANGES_MAX = 64 };

/* A change of the environment, at that time or before all begins. */
struct change {
	uint64_t time_ns;
	const char *what;
};

enum { LIST_MAX = 32 };

struct run {
	const char *environment;
	enum adaptive_policy policies[LIST_MAX];
	uint32_t clients[LIST_MAX];
	int policy_count, client_count;
	struct model_options model;
	struct generate_options items, queries;
	const char *items_file, *queries_file; /* instead of these */
	uint64_t time_ns, warmup_ns, every_ns;
	struct change changes[CHANGES_MAX];
	int change_count, changed;
	int settled; /* of the changes: made before all begins */
};

static int take_options(struct run *run, int argc, char **argv);
static int simulate(struct run *run);
static int trace(const struct run *run, struct trace *trace);
static int simulate_one(struct run *run);
static int pass_time(struct run *run, struct model *model, uint64_t until_ns);
static void report(const struct run *run, const struct model *model,
		   uint64_t until_ns);

int main(int argc, char **argv)
{
	static struct run run = {
		.policies = {ADAPTIVE_POLICY_ADAPTIVE},
		.policy_count = 1,
		.clients = {1},
		.client_count = 1,
		.model = {.cache = MODEL_CACHE_INNER, .controller.seed = 1},
		.items = {.kind = GENERATE_UNIFORM, .count = 2000000},
		.queries = {.kind = GENERATE_UNIFORM, .count = 65536},
		.time_ns = NS_PER_S,
	};

	program_init("catfish-sim");
	int error = take_options(&run, argc, argv);
	if (error == ERR_USAGE)
		return (int)program_usage_error("%s", err_text());
	if (!error)
		error = simulate(&run);
	if (!error)
		error = program_finish_output();
	return error ? (int)program_fail(error) : EXIT_OK;
}

/* Each policy with each number of clients, in the same tree. */
static int simulate(struct run *run)
{
	struct trace trace_of_all = {0};

	run->items.seed = run->model.controller.seed;
	run->queries.seed = run->model.controller.seed + 1;
	int error = trace(run, &trace_of_all);
	run->model.trace = &trace_of_all;
	for (int c = 0; !error && c < run->client_count; c++)
		for (int p = 0; !error && p < run->policy_count; p++) {
			run->model.clients = run->clients[c];
			run->model.controller.policy = run->policies[p];
			error = simulate_one(run);
		}
	trace_fini(&trace_of_all);
	return error;
}

static int set(const char *file, const struct generate_options *options,
	       struct trace_set *set)
{
	return file ? trace_set_read(file, set)
		    : trace_set_generate(options, set);
}

static int trace(const struct run *run, struct trace *trace)
{
	struct trace_set items, queries;
	int error = set(run->items_file, &run->items, &items);

	if (error)
		return error;
	error = set(run->queries_file, &run->queries, &queries);
	if (!error) {
		error = trace_make(&items, &queries, trace);
		trace_set_fini(&queries);
	}
	trace_set_fini(&items);
	return error;
}

static int simulate_one(struct run *run)
{
	struct model *model = NULL;
	uint64_t until_ns = run->warmup_ns;
	int error = model_create(&run->model, &model);

	run->changed = run->settled;
	if (!error)
		error = pass_time(run, model, until_ns);
	while (!error && until_ns < run->warmup_ns + run->time_ns) {
		model_reset(model);
		until_ns += run->every_ns ? run->every_ns : run->time_ns;
		error = pass_time(run, model, until_ns);
		if (!error)
			report(run, model, until_ns);
	}
	model_destroy(model);
	return error;
}

/* With the changes that come meanwhile. */
static int pass_time(struct run *run, struct model *model, uint64_t until_ns)
{
	int error = 0;

	while (!error && run->changed < run->change_count &&
	       run->changes[run->changed].time_ns < until_ns) {
		const struct change *change = &run->changes[run->changed++];
		model_run(model, (double)change->time_ns);
		error = model_change(model, change->what);
	}
	if (!error)
		model_run(model, (double)until_ns);
	return error;
}

static void report(const struct run *run, const struct model *model,
		   uint64_t until_ns)
{
	struct model_result r;

	model_result(model, &r);
	double seconds = r.time_ns / 1e9;
	printf("{\"environment\":\"%s\",\"policy\":\"%s\",\"clients\":%" PRIu32
	       ",\"seed\":%" PRIu64 ",\"scale\":%g,\"inserts\":%g",
	       run->environment,
	       adaptive_policy_name(run->model.controller.policy),
	       run->model.clients, run->model.controller.seed,
	       run->queries.scale, run->model.inserts);
	printf(",\"until_ms\":%g", (double)until_ns / NS_PER_MS);
	printf(",\"seconds\":%g,\"searches\":%" PRIu64
	       ",\"throughput\":%.1f,\"insert_throughput\":%.1f"
	       ",\"mean_us\":%.3f,\"p50_us\":%.3f,\"p99_us\":%.3f",
	       seconds, r.searches, (double)r.searches / seconds,
	       (double)r.inserts / seconds, r.mean_ns / 1e3, r.p50_ns / 1e3,
	       r.p99_ns / 1e3);
	double searches = r.searches ? (double)r.searches : 1;
	printf(",\"offloaded\":%.4f,\"explored\":%.5f,\"pushed_back\":%.4f"
	       ",\"utilisation\":%.4f"
	       ",\"link_load\":%.4f,\"round_trips\":%.4f,\"read_bytes\":%.1f"
	       ",\"events\":%" PRIu64 "}\n",
	       (double)r.offloaded / searches, (double)r.explored / searches,
	       (double)r.pushed_back / searches, r.utilisation, r.link_load,
	       r.round_trips, r.read_bytes, r.events);
}

/* --- The command line --------------------------------------------------- */

static const char help[] =
	"usage: catfish-sim --environment FILE [OPTION]...\n"
	"\n"
	"Lets clients search a server in virtual time and prints a JSON line of\n"
	"what they reached.  The same options give the same bytes.\n"
	"\n"
	"  --environment FILE  the machines and the network between them\n"
	"  --set NAME=VALUE    another value for one of its parameters\n"
	"  --at TIME:NAME=VALUE  the same, from that time on\n"
	"  --policy P,...      messaging, offload, catfish or adaptive (the default)\n"
	"  --threshold T       of catfish (0.95)\n"
	"  --backoff N         of catfish (8)\n"
	"  --part P            whatever the policy says, that part of the searches is\n"
	"                      offloaded, by lot: to see what could be reached\n"
	"  --exploration E     of adaptive: part of the searches, at most (1/1024)\n"
	"  --clients N,...     that search one after the other (1); a line for each\n"
	"                      number with each policy, in the same tree\n"
	"  --think TIME        between two searches of one, on average (0)\n"
	"  --herd              all hear of the server's load at the same time\n"
	"  --cache C           what clients keep: none, inner (nodes; the default) or\n"
	"                      filters (of leaves as well)\n"
	"  --inserts F         part of the operations that insert (0)\n"
	"  --items N           uniform rectangles in the tree (2000000)\n"
	"  --items-file FILE   these, of CSV, instead\n"
	"  --edge E            their edges at most (0.0001)\n"
	"  --scale S           of the queries, at most; without it their scales follow\n"
	"                      a power law\n"
	"  --queries N         different ones (65536)\n"
	"  --queries-file FILE these, of CSV, instead\n"
	"  --time TIME         that is measured (1s)\n"
	"  --warmup TIME       before that (0)\n"
	"  --every TIME        a line for each such time\n"
	"  --seed S            of everything (1)\n"
	"  --help              print this\n";

enum {
	ENVIRONMENT = 1,
	SET,
	AT,
	POLICY,
	THRESHOLD,
	BACKOFF,
	EXPLORATION,
	PART,
	CLIENTS,
	THINK,
	HERD,
	CACHE,
	INSERTS,
	ITEMS,
	ITEMS_FILE,
	EDGE,
	SCALE,
	QUERIES,
	QUERIES_FILE,
	TIME,
	WARMUP,
	EVERY,
	SEED,
	HELP,
};

static const struct option options[] = {
	{"environment", required_argument, NULL, ENVIRONMENT},
	{"set", required_argument, NULL, SET},
	{"at", required_argument, NULL, AT},
	{"policy", required_argument, NULL, POLICY},
	{"threshold", required_argument, NULL, THRESHOLD},
	{"backoff", required_argument, NULL, BACKOFF},
	{"exploration", required_argument, NULL, EXPLORATION},
	{"part", required_argument, NULL, PART},
	{"clients", required_argument, NULL, CLIENTS},
	{"think", required_argument, NULL, THINK},
	{"herd", no_argument, NULL, HERD},
	{"cache", required_argument, NULL, CACHE},
	{"inserts", required_argument, NULL, INSERTS},
	{"items", required_argument, NULL, ITEMS},
	{"items-file", required_argument, NULL, ITEMS_FILE},
	{"edge", required_argument, NULL, EDGE},
	{"scale", required_argument, NULL, SCALE},
	{"queries", required_argument, NULL, QUERIES},
	{"queries-file", required_argument, NULL, QUERIES_FILE},
	{"time", required_argument, NULL, TIME},
	{"warmup", required_argument, NULL, WARMUP},
	{"every", required_argument, NULL, EVERY},
	{"seed", required_argument, NULL, SEED},
	{"help", no_argument, NULL, HELP},
	{0},
};

static int take_option(struct run *run, int option);
static int take_count(const char *text, uint64_t max, uint32_t *count);
static int take_part(const char *text, double *part);
static int take_policies(struct run *run, char *text);
static int take_clients(struct run *run, char *text);
static int take_cache(const char *text, enum model_cache *cache);
static int take_change(struct run *run, char *text, bool has_time);
static int set_up(struct run *run);

static int take_options(struct run *run, int argc, char **argv)
{
	int option, error = 0;

	opterr = 0;
	while (!error &&
	       (option = getopt_long(argc, argv, ":", options, NULL)) != -1) {
		if (option == HELP) {
			fputs(help, stdout);
			exit(program_finish_output() ? EXIT_NO_ROOM : EXIT_OK);
		}
		if (option == '?' || option == ':')
			return err_set(ERR_USAGE, "%s '%s'",
				       option == '?' ? "there is no option"
						     : "a value is missing for",
				       argv[optind - 1]);
		error = take_option(run, option);
		if (error)
			err_prefix(error, "--%s", options[option - 1].name);
	}
	if (!error && optind < argc)
		return err_set(ERR_USAGE, "'%s' is no option", argv[optind]);
	if (!error && !run->environment)
		return err_set(ERR_USAGE, "--environment is needed");
	return error ? error : set_up(run);
}

/* The parameters that are known from the start. */
static int set_up(struct run *run)
{
	int error = parameters_read(run->environment, &run->model.parameters);

	if (run->queries.scale <= 0)
		run->queries.kind = GENERATE_POWERLAW_QUERIES;
	while (!error && run->changed < run->change_count &&
	       !run->changes[run->changed].time_ns)
		error = parameters_set(&run->model.parameters,
				       run->changes[run->changed++].what);
	run->settled = run->changed;
	return error;
}

static int take_option(struct run *run, int option)
{
	struct adaptive_options *controller = &run->model.controller;
	uint64_t time_ns;
	int error;

	switch (option) {
	case ENVIRONMENT:
		run->environment = optarg;
		return 0;
	case SET:
		return take_change(run, optarg, false);
	case AT:
		return take_change(run, optarg, true);
	case POLICY:
		return take_policies(run, optarg);
	case THRESHOLD:
		return parse_double(optarg, &controller->threshold);
	case BACKOFF:
		return take_count(optarg, UINT32_MAX, &controller->backoff);
	case EXPLORATION:
		return parse_double(optarg, &controller->exploration);
	case PART:
		run->model.draws_path = true;
		return take_part(optarg, &run->model.offloaded_part);
	case CLIENTS:
		return take_clients(run, optarg);
	case THINK:
		error = parse_time_ns(optarg, &time_ns);
		run->model.think_ns = error ? 0 : (double)time_ns;
		return error;
	case HERD:
		run->model.herd = true;
		return 0;
	case CACHE:
		return take_cache(optarg, &run->model.cache);
	case INSERTS:
		return take_part(optarg, &run->model.inserts);
	case ITEMS:
		return parse_uint64(optarg, &run->items.count);
	case ITEMS_FILE:
		run->items_file = optarg;
		return 0;
	case EDGE:
		return parse_double(optarg, &run->items.edge);
	case SCALE:
		return parse_double(optarg, &run->queries.scale);
	case QUERIES:
		return parse_uint64(optarg, &run->queries.count);
	case QUERIES_FILE:
		run->queries_file = optarg;
		return 0;
	case TIME:
		return parse_time_ns(optarg, &run->time_ns);
	case WARMUP:
		return parse_time_ns(optarg, &run->warmup_ns);
	case EVERY:
		return parse_time_ns(optarg, &run->every_ns);
	default:
		return parse_uint64(optarg, &controller->seed);
	}
}

static int take_count(const char *text, uint64_t max, uint32_t *count)
{
	uint64_t value;
	int error = parse_uint64(text, &value);

	if (!error && (!value || value > max))
		return err_set(ERR_USAGE, "between 1 and %" PRIu64 ", please",
			       max);
	if (!error)
		*count = (uint32_t)value;
	return error;
}

static int take_part(const char *text, double *part)
{
	double value;
	int error = parse_double(text, &value);

	if (!error && !(value >= 0 && value <= 1))
		return err_set(ERR_USAGE, "a part is between 0 and 1");
	if (!error)
		*part = value;
	return error;
}

static int take_policies(struct run *run, char *text)
{
	char *rest;
	int error = 0;

	run->policy_count = 0;
	for (char *name = strtok_r(text, ",", &rest); !error && name;
	     name = strtok_r(NULL, ",", &rest)) {
		if (run->policy_count == LIST_MAX)
			return err_set(ERR_USAGE, "%d are the most", LIST_MAX);
		error = adaptive_policy_parse(
			name, &run->policies[run->policy_count++]);
	}
	return error;
}

static int take_clients(struct run *run, char *text)
{
	char *rest;
	int error = 0;

	run->client_count = 0;
	for (char *count = strtok_r(text, ",", &rest); !error && count;
	     count = strtok_r(NULL, ",", &rest)) {
		if (run->client_count == LIST_MAX)
			return err_set(ERR_USAGE, "%d are the most", LIST_MAX);
		error = take_count(count, 1 << 16,
				   &run->clients[run->client_count++]);
	}
	return error;
}

static int take_cache(const char *text, enum model_cache *cache)
{
	static const char *const names[] = {
		[MODEL_CACHE_NONE] = "none",
		[MODEL_CACHE_INNER] = "inner",
		[MODEL_CACHE_FILTERS] = "filters",
	};

	for (int i = MODEL_CACHE_NONE; i <= MODEL_CACHE_FILTERS; i++)
		if (strcmp(text, names[i]) == 0) {
			*cache = (enum model_cache)i;
			return 0;
		}
	return err_set(ERR_USAGE, "none, inner or filters, not '%s'", text);
}

/* In the order in which they are given, which is that of time. */
static int take_change(struct run *run, char *text, bool has_time)
{
	struct change change = {.what = text};
	int error = 0;

	if (has_time) {
		char *colon = strchr(text, ':');
		if (!colon)
			return err_set(ERR_USAGE, "'%s' is not TIME:NAME=VALUE",
				       text);
		*colon = 0;
		change.what = colon + 1;
		error = parse_time_ns(text, &change.time_ns);
	}
	if (error)
		return error;
	if (run->change_count == CHANGES_MAX)
		return err_set(ERR_USAGE, "%d changes are the most",
			       CHANGES_MAX);
	if (run->change_count &&
	    run->changes[run->change_count - 1].time_ns > change.time_ns)
		return err_set(ERR_USAGE, "changes are given in the order of "
					  "time, --set before --at");
	run->changes[run->change_count++] = change;
	return 0;
}
