/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/bench_report.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/format.h"
#include "tools/policy.h"

enum { FIELDS_MAX = 64, VALUE_SIZE = 256 };

/* One member of a JSON object, or column of CSV. */
struct field {
	const char *name;
	char value[VALUE_SIZE]; /* "" when not known */
	bool is_text;
};

struct fields {
	struct field field[FIELDS_MAX];
	size_t count;
};

/* Of one figure over all rounds. */
struct spread {
	double median, least, greatest;
};

static void collect(struct fields *fields, const struct bench_options *options,
		    const struct bench_result *result,
		    const struct bench_result *first);
static void print_table(FILE *to, const struct bench_options *options,
			const struct bench_result *results, size_t count);
static void print_csv(FILE *to, const struct fields *fields, bool with_head);
static void print_json(FILE *to, const struct fields *fields);
static struct spread spread_of(const struct bench_result *result,
			       const struct bench_result *first,
			       uint64_t rounds);

int bench_report(FILE *to, enum bench_format format,
		 const struct bench_options *options,
		 const struct bench_result *results, size_t count)
{
	if (format == BENCH_TEXT) {
		print_table(to, options, results, count);
		return 0;
	}
	struct fields *fields = malloc(sizeof(*fields));
	if (!fields)
		return err_set(ERR_NO_MEMORY, "no memory for the report");
	for (size_t i = 0; i < count; i++) {
		collect(fields, options, &results[i], &results[0]);
		if (format == BENCH_CSV)
			print_csv(to, fields, i == 0);
		else
			print_json(to, fields);
	}
	free(fields);
	return 0;
}

int bench_report_histograms(const char *path,
			    const struct bench_result *results, size_t count)
{
	FILE *file = fopen(path, "we");

	if (!file)
		return err_set(err_of_errno(errno), "%s: %s", path,
			       strerror(errno));
	fputs("server,policy,least_ns,greatest_ns,count\n", file);
	for (size_t i = 0; i < count; i++) {
		const struct histogram *latency = &results[i].tally.latency;
		for (unsigned b = 0; b < HISTOGRAM_BUCKETS; b++) {
			uint64_t least, greatest;
			if (!latency->buckets[b])
				continue;
			histogram_bucket_range(b, &least, &greatest);
			fprintf(file,
				"%s,%s,%" PRIu64 ",%" PRIu64 ",%" PRIu64 "\n",
				results[i].server,
				policy_name(results[i].policy), least, greatest,
				latency->buckets[b]);
		}
	}
	bool failed = ferror(file);
	if (fclose(file) || failed)
		return err_set(err_of_errno(errno), "%s: %s", path,
			       strerror(errno));
	return 0;
}

/* --- Figures ------------------------------------------------------------ */

static uint64_t operations_of(const struct bench_tally *tally)
{
	uint64_t sum = 0;

	for (int i = 0; i < BENCH_OPERATIONS; i++)
		sum += tally->operations[i];
	return sum;
}

/* NAN, not known, when there were no searches. */
static double per_search(const struct bench_tally *tally, uint64_t figure)
{
	uint64_t searches = tally->operations[BENCH_SEARCH];

	return searches ? (double)figure / (double)searches : NAN;
}

static double quantile_us(const struct bench_tally *tally, double quantile)
{
	return (double)histogram_quantile(&tally->latency, quantile) /
	       NS_PER_US;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Of the operations per second, or, with 'first', of their ratio to those of
 * the first run in the same round. */
static struct spread spread_of(const struct bench_result *result,
			       const struct bench_result *first,
			       uint64_t rounds)
{
	double values[BENCH_ROUNDS_MAX];

	for (uint64_t i = 0; i < rounds; i++) {
		double base = first ? first->round_ops_per_s[i] : 1;
		values[i] = result->round_ops_per_s[i] / base;
	}
	qsort(values, rounds, sizeof(values[0]), compare);
	return (struct spread){
		.median = (values[(rounds - 1) / 2] + values[rounds / 2]) / 2,
		.least = values[0],
		.greatest = values[rounds - 1],
	};
}

/* --- Fields ------------------------------------------------------------- */

static struct field *add(struct fields *fields, const char *name)
{
	struct field *field = &fields->field[fields->count++];

	assert(fields->count <= FIELDS_MAX);
	*field = (struct field){.name = name};
	return field;
}

static void add_text(struct fields *fields, const char *name, const char *text)
{
	struct field *field = add(fields, name);

	field->is_text = true;
	snprintf(field->value, VALUE_SIZE, "%s", text ? text : "");
}

static void add_count(struct fields *fields, const char *name, uint64_t count)
{
	snprintf(add(fields, name)->value, VALUE_SIZE, "%" PRIu64, count);
}

/* A parameter, as exactly as it was given. */
static void add_exact(struct fields *fields, const char *name, double value)
{
	format_double(add(fields, name)->value, value);
}

/* What was measured; not known when it is no number. */
static void add_figure(struct fields *fields, const char *name, double value)
{
	struct field *field = add(fields, name);

	if (isfinite(value))
		snprintf(field->value, VALUE_SIZE, "%.3f", value);
}

static const char *offload_name(const struct bench_options *options)
{
	switch (options->offload) {
	case CATFISH_OFFLOAD_COPY:
		return "copy";
	case CATFISH_OFFLOAD_MAPPED:
		return "mapped";
	case CATFISH_OFFLOAD_AUTO:
		break;
	}
	return "auto";
}

static void add_parameters(struct fields *fields,
			   const struct bench_options *options,
			   const struct bench_result *result)
{
	const struct bench_plan *plan = &options->plan;
	char fabric[16], mix[64];

	snprintf(fabric, sizeof(fabric), "%.*s",
		 (int)strcspn(result->server, ":"), result->server);
	snprintf(mix, sizeof(mix), "search=%" PRIu64 ",insert=%" PRIu64,
		 plan->weights[BENCH_SEARCH], plan->weights[BENCH_INSERT]);
	add_text(fields, "server", result->server);
	add_text(fields, "fabric", fabric);
	add_text(fields, "policy", policy_name(result->policy));
	add_text(fields, "offload",
		 result->policy == CATFISH_POLICY_MESSAGING
			 ? ""
			 : offload_name(options));
	add_exact(fields, "threshold", options->threshold);
	add_count(fields, "backoff", options->backoff);
	add_exact(fields, "exploration", options->exploration);
	add_count(fields, "cache_bytes",
		  options->cache_size == CATFISH_NO_CACHE
			  ? 0
			  : options->cache_size);
	add_count(fields, "dimensions", DIMENSIONS);
	add_count(fields, "clients", options->clients);
	add_count(fields, "outstanding", options->outstanding);
	add_text(fields, "loop", options->rate > 0 ? "open" : "closed");
	add_exact(fields, "rate", options->rate);
	add_exact(fields, "duration_s",
		  (double)options->duration_ns / NS_PER_S);
	add_exact(fields, "warmup_s", (double)options->warmup_ns / NS_PER_S);
	add_exact(fields, "timeout_s", (double)options->timeout_ns / NS_PER_S);
	add_count(fields, "rounds", options->rounds);
	add_text(fields, "mix", mix);
	if (plan->queries)
		add(fields, "scale");
	else if (plan->scale > 0)
		add_exact(fields, "scale", plan->scale);
	else
		add_text(fields, "scale", "powerlaw");
	add_text(fields, "queries", options->queries);
	add_exact(fields, "edge", plan->edge);
	add_count(fields, "seed", plan->seed);
}

/* "model name : ..." of the first processor; "" where there is no such line. */
static void find_processor(char name[VALUE_SIZE])
{
	FILE *file = fopen("/proc/cpuinfo", "re");
	char line[VALUE_SIZE];

	*name = '\0';
	while (file && !*name && fgets(line, sizeof(line), file))
		if (strncmp(line, "model name", strlen("model name")) == 0)
			sscanf(line, "%*[^:]: %255[^\n]", name);
	if (file)
		fclose(file);
}

static void add_machine(struct fields *fields)
{
	char processor[VALUE_SIZE];
	struct utsname name = {0};

	uname(&name);
	find_processor(processor);
	add_text(fields, "machine", name.nodename);
	add_text(fields, "kernel", name.release);
	add_text(fields, "processor", processor);
	add_count(fields, "processors",
		  (uint64_t)sysconf(_SC_NPROCESSORS_ONLN));
	add_text(fields, "version", PACKAGE_VERSION);
}

static void add_counts(struct fields *fields, const struct bench_result *result)
{
	const struct bench_tally *tally = &result->tally;

	add_count(fields, "searches", tally->operations[BENCH_SEARCH]);
	add_count(fields, "inserts", tally->operations[BENCH_INSERT]);
	add_count(fields, "errors", tally->errors);
	add_count(fields, "unsent", tally->unsent);
	add_figure(fields, "seconds", result->seconds);
	add_figure(fields, "ops_per_s",
		   (double)operations_of(tally) / result->seconds);
}

static void add_spreads(struct fields *fields,
			const struct bench_options *options,
			const struct bench_result *result,
			const struct bench_result *first)
{
	struct spread rate = spread_of(result, NULL, options->rounds);
	struct spread ratio = spread_of(result, first, options->rounds);

	add_figure(fields, "ops_per_s_median", rate.median);
	add_figure(fields, "ops_per_s_min", rate.least);
	add_figure(fields, "ops_per_s_max", rate.greatest);
	add_figure(fields, "ratio", ratio.median);
	add_figure(fields, "ratio_min", ratio.least);
	add_figure(fields, "ratio_max", ratio.greatest);
}

static void add_latencies(struct fields *fields,
			  const struct bench_tally *tally)
{
	add_figure(fields, "p50_us", quantile_us(tally, 0.5));
	add_figure(fields, "p90_us", quantile_us(tally, 0.9));
	add_figure(fields, "p99_us", quantile_us(tally, 0.99));
	add_figure(fields, "p999_us", quantile_us(tally, 0.999));
	add_figure(fields, "max_us", (double)tally->latency.max / NS_PER_US);
}

static double cores(const struct bench_result *result, double cpu_s)
{
	return cpu_s < 0 ? NAN : cpu_s / result->seconds;
}

/* Microseconds of a search by that path, in the mean; NAN: none went by it. */
static double path_us(const struct bench_tally *tally, enum catfish_path path)
{
	uint64_t searches =
		path == CATFISH_PATH_MESSAGING
			? tally->by_messaging
			: tally->operations[BENCH_SEARCH] - tally->by_messaging;

	return searches ? (double)tally->path_ns[path] / (double)searches /
				  NS_PER_US
			: NAN;
}

static double known_us(double us)
{
	return us > 0 ? us : NAN;
}

/* Why searches went by the path that they did. */
static void add_reasons(struct fields *fields,
			const struct bench_result *result)
{
	const struct bench_tally *tally = &result->tally;
	const double *predicted_us = result->predicted_us;

	add_figure(fields, "messaging_us",
		   path_us(tally, CATFISH_PATH_MESSAGING));
	add_figure(fields, "offload_us", path_us(tally, CATFISH_PATH_OFFLOAD));
	add_figure(fields, "messaging_predicted_us",
		   known_us(predicted_us[CATFISH_PATH_MESSAGING]));
	add_figure(fields, "offload_predicted_us",
		   known_us(predicted_us[CATFISH_PATH_OFFLOAD]));
	add_text(fields, "reason", result->reason);
}

static void add_costs(struct fields *fields, const struct bench_result *result)
{
	const struct bench_tally *tally = &result->tally;

	add_figure(fields, "messaging_share",
		   per_search(tally, tally->by_messaging));
	add_count(fields, "pushed_back", tally->pushed_back);
	add_count(fields, "hits", tally->hits);
	add_figure(fields, "round_trips_per_search",
		   per_search(tally, tally->round_trips));
	add_figure(fields, "reads_per_search", per_search(tally, tally->reads));
	add_figure(fields, "bytes_per_search",
		   per_search(tally, tally->read_bytes));
	add_figure(fields, "server_cpu_cores",
		   cores(result, result->server_cpu_s));
	add_figure(fields, "client_cpu_cores",
		   cores(result, result->client_cpu_s));
}

static void collect(struct fields *fields, const struct bench_options *options,
		    const struct bench_result *result,
		    const struct bench_result *first)
{
	fields->count = 0;
	add_parameters(fields, options, result);
	add_machine(fields);
	add_counts(fields, result);
	add_spreads(fields, options, result, first);
	add_latencies(fields, &result->tally);
	add_costs(fields, result);
	add_reasons(fields, result);
}

/* --- CSV and JSON ------------------------------------------------------- */

static void print_csv_text(FILE *to, const char *text)
{
	if (!strpbrk(text, ",\"\n")) {
		fputs(text, to);
		return;
	}
	putc('"', to);
	for (; *text; text++) {
		if (*text == '"')
			putc('"', to);
		putc(*text, to);
	}
	putc('"', to);
}

static void print_csv(FILE *to, const struct fields *fields, bool with_head)
{
	for (size_t i = 0; with_head && i < fields->count; i++)
		fprintf(to, "%s%s", i ? "," : "", fields->field[i].name);
	if (with_head)
		putc('\n', to);
	for (size_t i = 0; i < fields->count; i++) {
		if (i)
			putc(',', to);
		print_csv_text(to, fields->field[i].value);
	}
	putc('\n', to);
}

static void print_json_text(FILE *to, const char *text)
{
	putc('"', to);
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;
		if (c == '"' || c == '\\')
			fprintf(to, "\\%c", c);
		else if (c < ' ')
			fprintf(to, "\\u%04x", c);
		else
			putc(c, to);
	}
	putc('"', to);
}

static void print_json(FILE *to, const struct fields *fields)
{
	for (size_t i = 0; i < fields->count; i++) {
		const struct field *field = &fields->field[i];
		fprintf(to, "%s\"%s\":", i ? "," : "{", field->name);
		if (!*field->value)
			fputs("null", to);
		else if (field->is_text)
			print_json_text(to, field->value);
		else
			fputs(field->value, to);
	}
	fputs("}\n", to);
}

/* --- For people --------------------------------------------------------- */

/* "0.97", or "-" for what is not known. */
static const char *two_digits(char text[32], double value)
{
	if (isfinite(value))
		snprintf(text, 32, "%.2f", value);
	else
		strcpy(text, "-");
	return text;
}

static void print_row(FILE *to, const struct bench_options *options,
		      const struct bench_result *result,
		      const struct bench_result *first)
{
	const struct bench_tally *tally = &result->tally;
	char trips[32], server[32], client[32], ratio[32];

	fprintf(to, "%-9s %11.0f %9.1f %9.1f %9.1f %9.1f %7" PRIu64,
		policy_name(result->policy),
		(double)operations_of(tally) / result->seconds,
		quantile_us(tally, 0.5), quantile_us(tally, 0.99),
		quantile_us(tally, 0.999),
		(double)tally->latency.max / NS_PER_US, tally->errors);
	fprintf(to, " %6s %6s %6s %6s  %s\n",
		two_digits(trips, per_search(tally, tally->round_trips)),
		two_digits(server, cores(result, result->server_cpu_s)),
		two_digits(client, cores(result, result->client_cpu_s)),
		two_digits(ratio,
			   spread_of(result, first, options->rounds).median),
		result->server);
}

/* What a policy that chooses has chosen, and why. */
static void print_reasons(FILE *to, const struct bench_result *result)
{
	const struct bench_tally *tally = &result->tally;
	char share[32], measured[2][32], predicted[2][32];

	if (result->policy == CATFISH_POLICY_MESSAGING ||
	    result->policy == CATFISH_POLICY_OFFLOAD)
		return;
	for (int path = 0; path < 2; path++) {
		two_digits(measured[path],
			   path_us(tally, (enum catfish_path)path));
		two_digits(predicted[path],
			   known_us(result->predicted_us[path]));
	}
	fprintf(to,
		"%s: %s of the searches by messaging, in %s us (%s predicted); "
		"the others in %s us (%s predicted); %" PRIu64
		" left to the client; at last since %s\n",
		policy_name(result->policy),
		two_digits(share, per_search(tally, tally->by_messaging)),
		measured[0], predicted[0], measured[1], predicted[1],
		tally->pushed_back, result->reason ? result->reason : "-");
}

static void print_table(FILE *to, const struct bench_options *options,
			const struct bench_result *results, size_t count)
{
	fprintf(to, "%-9s %11s %9s %9s %9s %9s %7s %6s %6s %6s %6s  %s\n",
		"policy", "ops/s", "p50 us", "p99 us", "p99.9 us", "max us",
		"errors", "trips", "server", "client", "ratio", "server");
	for (size_t i = 0; i < count; i++)
		print_row(to, options, &results[i], &results[0]);
	for (size_t i = 0; i < count; i++)
		print_reasons(to, &results[i]);
}
