/* SPDX-License-Identifier: BSD-2-Clause */

/* catfish query: finds items by rectangles, by a geometry, or by how near they
 * are to a point.
 *
 * A geometry is asked for by its envelope, and each item that comes back is
 * held against it here, by GEOS.  A limit then counts what passed, so the
 * server isn't told of it. */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/rect.h"
#include "datasets/geometry.h"
#include "datasets/writer.h"
#include "tools/command.h"
#include "tools/csv_input.h"
#include "tools/explain.h"
#include "tools/policy.h"
#include "tools/server.h"

static const char *const relations[] = {"intersects", "contains", "within",
					NULL};
static const char *const offloads[] = {"copy", "mapped", NULL};

static struct {
	struct rect box;
	bool has_box;
	const char *wkt;
	const char *queries;
	double at[DIMENSIONS]; /* --point: the box is this point */
	bool has_at;
	double point[DIMENSIONS]; /* --nearest */
	bool has_point;
	uint64_t k;
	bool has_k;
	int relation;
	bool has_relation;
	enum catfish_policy policy;
	bool has_policy;
	int offload;
	bool has_offload;
	uint64_t cache_size;
	bool has_cache;
	uint64_t limit;
	bool has_limit;
	bool count;
	bool exit_code;
	bool explain;
	enum writer_format format;
} options = {.k = 1};

static int take_format(const struct command_option *option, const char *text)
{
	return writer_format_parse(text, option->to);
}

static int take_policy(const struct command_option *option, const char *text)
{
	return policy_parse(text, option->to);
}

static const struct command_option query_options[] = {
	{
		.name = "bbox",
		.value = RECT_VALUE,
		.help = "find items by this rectangle",
		.take = options_take_rect,
		.to = &options.box,
		.given = &options.has_box,
	},
	{
		.name = "point",
		.value = POINT_VALUE,
		.help = "find items that hold this point",
		.take = options_take_point,
		.to = &options.at,
		.given = &options.has_at,
	},
	{
		.name = "wkt",
		.value = "GEOMETRY",
		.help = "find items by this geometry, exactly",
		.take = options_take_text,
		.to = &options.wkt,
	},
	{
		.name = "queries",
		.value = "FILE.csv",
		.help = "find items by each of these rectangles, which have\n"
			"the columns id," RECT_COLUMNS ";\n"
			"the query's id begins each result; - is standard\n"
			"input",
		.take = options_take_text,
		.to = &options.queries,
	},
	{
		.name = "nearest",
		.value = POINT_VALUE,
		.help = "find the item nearest to this point, with its\n"
			"distance",
		.take = options_take_point,
		.to = &options.point,
		.given = &options.has_point,
	},
	{
		.name = "k",
		.value = "N",
		.help = "find the N nearest items, the nearest first\n"
			"(default: 1)",
		.take = options_take_uint64,
		.to = &options.k,
		.given = &options.has_k,
	},
	{
		.name = "relation",
		.value = "RELATION",
		.help = "intersects: it shares a point with the query\n"
			"contains: it contains the query\n"
			"within: it lies in the query\n"
			"(default: intersects; edges count as inside)",
		.take = options_take_choice,
		.to = &options.relation,
		.given = &options.has_relation,
		.choices = relations,
	},
	{
		.name = "policy",
		.value = "POLICY",
		.help = "messaging: the server searches\n"
			"offload: this process reads the server's tree\n"
			"catfish: that while the server is busy\n"
			"adaptive: what is predicted to take less (default)",
		.take = take_policy,
		.to = &options.policy,
		.given = &options.has_policy,
	},
	{
		.name = "offload",
		.value = "copy|mapped",
		.help = "offload by reading nodes into own memory, or in\n"
			"place, the default where it is possible",
		.take = options_take_choice,
		.to = &options.offload,
		.given = &options.has_offload,
		.choices = offloads,
	},
	{
		.name = "cache",
		.value = "SIZE",
		.help = "memory for nodes that were read into own memory\n"
			"to be kept in; 0 for none (default: 64M)",
		.take = options_take_size,
		.to = &options.cache_size,
		.given = &options.has_cache,
	},
	{
		.name = "limit",
		.value = "N",
		.help = "show any N of the items found, for each query",
		.take = options_take_uint64,
		.to = &options.limit,
		.given = &options.has_limit,
	},
	{
		.name = "count",
		.help = "show how many items were found, not the items",
		.take = options_take_flag,
		.to = &options.count,
	},
	{
		.name = "exit-code",
		.help = "end with status 1 when nothing was found",
		.take = options_take_flag,
		.to = &options.exit_code,
	},
	{
		.name = "explain",
		.help = "say on standard error what each answer took",
		.take = options_take_flag,
		.to = &options.explain,
	},
	{
		.name = "output",
		.letter = 'o',
		.value = "FORMAT",
		.help = "text (default), csv, jsonl, geojson or wkt",
		.take = take_format,
		.to = &options.format,
	},
	{0},
};

/* One run of the command. */
struct run {
	struct catfish *server;
	struct writer writer;
	struct geometry *geometry;  /* of --wkt, or NULL */
	struct csv_reader *queries; /* of --queries, or NULL */
	uint64_t found;		    /* by all queries */
};

/* One query of it. */
struct search {
	struct run *run;
	int64_t id; /* of the query, when there are several */
	uint64_t found;
	bool truncated;
	uint64_t shown_ns; /* time that showing the items took */
	int error;	   /* that ended it from within */
};

static int check_options(void);
static int check_nearest(void);
static int run_begin(struct run *run);
static void run_end(struct run *run);
static int ask_all(struct run *run);
static int ask_nearest(struct run *run);
static int ask_point(struct run *run);
static int ask_geometry(struct run *run);
static int ask_each(struct run *run);
static int ask(struct run *run, int64_t id, const struct rect *box);
static int find(struct search *search, const struct catfish_query *query,
		struct catfish_answer *answer);
static catfish_found take_item;
static catfish_neighbour take_neighbour;
static int show(struct search *search, const struct item *item,
		double distance);
static void show_count(const struct search *search);
static void explain(const struct search *search,
		    const struct catfish_answer *answer);

static int query_run(const char *operand)
{
	struct run run = {0};
	int error = check_options();

	if (error)
		return error;
	error = run_begin(&run);
	if (!error)
		error = ask_all(&run);
	run_end(&run);
	if (error)
		return error;
	return options.exit_code && !run.found ? EXIT_NOTHING_FOUND : EXIT_OK;
}

static int check_options(void)
{
	int ways = options.has_box + options.has_at + !!options.wkt +
		   !!options.queries + options.has_point;

	if (ways == 0)
		return err_set(ERR_USAGE, "find what? give --bbox, --point, "
					  "--wkt, --queries or --nearest");
	if (ways > 1)
		return err_set(ERR_USAGE,
			       "--bbox, --point, --wkt, --queries and "
			       "--nearest exclude each other");
	int error = check_nearest();
	if (error)
		return error;
	if (options.has_limit && !options.limit)
		return err_set(ERR_USAGE, "--limit: at least 1, please");
	if (options.has_limit && options.count)
		return err_set(ERR_USAGE, "--limit and --count exclude each "
					  "other");
	if (options.count &&
	    (options.format == WRITER_GEOJSON || options.format == WRITER_WKT))
		return err_set(ERR_USAGE, "--count is no geometry: -o text, "
					  "csv or jsonl, please");
	if (options.has_offload && !options.has_policy)
		options.policy = CATFISH_POLICY_OFFLOAD;
	if (options.has_offload && options.policy == CATFISH_POLICY_MESSAGING)
		return err_set(ERR_USAGE, "--offload is not for --policy "
					  "messaging");
	if (options.has_cache && (!options.has_offload ||
				  options.offload + 1 != CATFISH_OFFLOAD_COPY))
		return err_set(ERR_USAGE, "--cache is for --offload copy");
	return 0;
}

static int check_nearest(void)
{
	if (options.has_k && !options.has_point)
		return err_set(ERR_USAGE, "--k is for --nearest; --limit "
					  "bounds what other queries show");
	if (!options.has_point)
		return 0;
	if (!options.k)
		return err_set(ERR_USAGE, "--k: at least 1, please");
	if (options.has_relation)
		return err_set(ERR_USAGE, "--nearest and --relation exclude "
					  "each other");
	if (options.has_limit)
		return err_set(ERR_USAGE, "--nearest and --limit exclude each "
					  "other: --k says how many");
	if (options.count)
		return err_set(ERR_USAGE, "--nearest and --count exclude each "
					  "other: --k says how many");
	return 0;
}

static int open_geometry(struct geometry **geometry)
{
	int error = geometry_create(options.wkt,
				    (enum relation)options.relation, geometry);

	return error ? err_prefix(error, "--wkt") : 0;
}

/* Opens all that a run needs; run_end() closes it, also when this failed. */
static int run_begin(struct run *run)
{
	int error = 0;

	if (options.wkt)
		error = open_geometry(&run->geometry);
	if (options.queries)
		error = csv_input_open(options.queries, CSV_ITEMS,
				       &run->queries);
	if (error)
		return error;
	const struct catfish_options how = {
		.policy = options.policy,
		.offload = options.has_offload
				   ? (enum catfish_offload)options.offload + 1
				   : CATFISH_OFFLOAD_AUTO,
		.cache_size = options.has_cache && !options.cache_size
				      ? CATFISH_NO_CACHE
				      : options.cache_size,
	};
	return server_open(&how, &run->server);
}

static void run_end(struct run *run)
{
	catfish_close(run->server);
	csv_close(run->queries);
	geometry_destroy(run->geometry);
}

static int ask_all(struct run *run)
{
	int error;

	if (options.count && options.format == WRITER_CSV)
		puts(options.queries ? "query,count" : "count");
	if (options.has_point)
		writer_begin_neighbours(&run->writer, stdout, options.format);
	else if (!options.count)
		writer_begin(&run->writer, stdout, options.format,
			     options.queries);
	if (options.has_point)
		error = ask_nearest(run);
	else if (options.queries)
		error = ask_each(run);
	else if (options.wkt)
		error = ask_geometry(run);
	else if (options.has_at)
		error = ask_point(run);
	else
		error = ask(run, 0, &options.box);
	if (!error && !options.count)
		error = writer_end(&run->writer);
	return error;
}

static int ask_nearest(struct run *run)
{
	struct search search = {.run = run};
	struct catfish_answer answer;

	int error = server_result(catfish_nearest(run->server, options.point,
						  options.k, take_neighbour,
						  &search, &answer));
	if (!error)
		error = search.error;
	if (error)
		return error;
	run->found = search.found;
	if (options.explain)
		explain(&search, &answer);
	return 0;
}

/* A point is a rectangle without extent. */
static int ask_point(struct run *run)
{
	struct rect box;

	memcpy(box.min, options.at, sizeof(box.min));
	memcpy(box.max, options.at, sizeof(box.max));
	return ask(run, 0, &box);
}

static int ask_geometry(struct run *run)
{
	struct rect envelope = geometry_envelope(run->geometry);

	return ask(run, 0, &envelope);
}

static int ask_each(struct run *run)
{
	struct item query;
	int more;

	while ((more = csv_next_item(run->queries, &query)) > 0) {
		int error = ask(run, query.id, &query.rect);
		if (error)
			return error;
	}
	return more;
}

static void note_more(const struct search *search)
{
	if (options.queries)
		command_note("query %" PRId64 ": there are more than these "
			     "%" PRIu64,
			     search->id, search->found);
	else
		command_note("there are more than these %" PRIu64,
			     search->found);
}

/* Asks one query and shows its answer. */
static int ask(struct run *run, int64_t id, const struct rect *box)
{
	struct search search = {.run = run, .id = id};
	struct catfish_answer answer;
	struct catfish_query query = {
		.relation = (enum catfish_relation)options.relation,
		.limit = run->geometry ? 0 : options.limit,
	};

	memcpy(query.box, box->min, sizeof(box->min));
	memcpy(query.box + DIMENSIONS, box->max, sizeof(box->max));
	int error = find(&search, &query, &answer);
	if (error)
		return error;
	run->found += search.found;
	if (options.count)
		show_count(&search);
	if (options.explain)
		explain(&search, &answer);
	if (search.truncated)
		note_more(&search);
	return 0;
}

static int find(struct search *search, const struct catfish_query *query,
		struct catfish_answer *answer)
{
	struct catfish *server = search->run->server;

	if (options.count && !search->run->geometry)
		return server_result(
			catfish_count(server, query, &search->found, answer));

	int error = server_result(
		catfish_search(server, query, take_item, search, answer));
	if (error)
		return error;
	search->truncated |= answer->truncated;
	return search->error;
}

static struct item make_item(int64_t id, const double *box)
{
	struct item item = {.id = id};

	memcpy(item.rect.min, box, sizeof(item.rect.min));
	memcpy(item.rect.max, box + DIMENSIONS, sizeof(item.rect.max));
	return item;
}

static int take_item(void *context, int64_t id, const double *box)
{
	struct search *search = context;
	struct run *run = search->run;
	const struct item item = make_item(id, box);

	if (run->geometry) {
		int matches = geometry_matches(run->geometry, &item.rect);
		if (matches < 0)
			search->error = matches;
		if (matches <= 0)
			return search->error;
	}
	if (options.limit && search->found == options.limit) {
		search->truncated = true;
		return 1;
	}
	search->found++;
	if (!options.count)
		search->error = show(search, &item, 0);
	return search->error;
}

static int take_neighbour(void *context, int64_t id, const double *box,
			  double distance)
{
	struct search *search = context;
	const struct item item = make_item(id, box);

	search->found++;
	search->error = show(search, &item, distance);
	return search->error;
}

static int put(struct search *search, const struct item *item, double distance)
{
	struct writer *writer = &search->run->writer;

	return options.has_point ? writer_neighbour(writer, item, distance)
				 : writer_item(writer, search->id, item);
}

/* The time that showing takes is no part of what the answer took; the distance
 * matters to --nearest alone. */
static int show(struct search *search, const struct item *item, double distance)
{
	if (!options.explain)
		return put(search, item, distance);

	uint64_t began_ns = clock_now_ns();
	int error = put(search, item, distance);
	search->shown_ns += clock_now_ns() - began_ns;
	return error;
}

static void show_count(const struct search *search)
{
	bool several = options.queries;

	switch (options.format) {
	case WRITER_CSV:
		if (several)
			printf("%" PRId64 ",", search->id);
		printf("%" PRIu64 "\n", search->found);
		break;
	case WRITER_JSONL:
		putchar('{');
		if (several)
			printf("\"query\":%" PRId64 ",", search->id);
		printf("\"count\":%" PRIu64 "}\n", search->found);
		break;
	default:
		if (several)
			printf("%" PRId64 ": ", search->id);
		printf("%" PRIu64 "\n", search->found);
	}
}

static void explain(const struct search *search,
		    const struct catfish_answer *answer)
{
	const struct explained what = {
		.has_query_id = options.queries,
		.query_id = search->id,
		.found = search->found,
		.has_candidates = search->run->geometry,
		.shown_ns = search->shown_ns,
	};

	fflush(stdout);
	explain_answer(search->run->server, answer, &what);
}

/* Of the examples. */
#define BOX   DIMENSIONAL("10,55,11,56", "10,55,0,11,56,9")
#define POINT DIMENSIONAL("10.5,55.5", "10.5,55.5,0")

const struct command query_command = {
	.name = "query",
	.summary = "find items by rectangles, a geometry or a point",
	.usage = "--bbox " RECT_VALUE " [options]\n"
		 "--point " POINT_VALUE " [options]\n"
		 "--wkt GEOMETRY [options]\n"
		 "--queries FILE.csv [options]\n"
		 "--nearest " POINT_VALUE " [--k N] [options]",
	.text = "Finds the items that stand in a relation to a rectangle or a "
		"geometry, or those\n"
		"nearest to a point.\n"
		"Each answer is exactly what one published version of the tree "
		"holds.\n",
	.example = "  catfish query --bbox " BOX " -o csv\n"
		   "  catfish query --wkt 'POLYGON((10 55,11 55,11 56,10 55))' "
		   "--count\n"
		   "  catfish query --nearest " POINT " --k 10\n"
		   "  catfish query --queries boxes.csv --policy offload "
		   "--explain\n",
	.options = query_options,
	.uses_server = true,
	.run = query_run,
};
