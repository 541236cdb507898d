/* SPDX-License-Identifier: BSD-2-Clause */

/* offload-bench: what a search by offloading takes, beside the same search in
 * process.
 *
 * Loads uniform rectangles into a server, packs the same tree here, and asks
 * both the same queries, in rounds that follow each other closely so that a
 * noisy machine is noisy for all: every way in turn, and so on.  One JSON line
 * for each set of queries and way, with the median time over the rounds, its
 * ratio to the search in process, and what each search took over the fabric.
 *
 * Every way hands out ids and rectangles.  What is found is summed within the
 * time that is measured; the sums of all ways must be equal. */

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/parse.h"
#include "base/program.h"
#include "client/catfish.h"
#include "datasets/generate.h"
#include "rtree/rtree.h"

enum {
	ROUNDS_MAX = 99,
	QUERIES = 1 << 17,
	LOADED_AT_ONCE = 4096,
};

/* A way to search. */
enum { WAYS = 6 };
static const struct way {
	const char *name;
	enum catfish_policy policy;
	enum catfish_offload offload;
	uint64_t cache_size;
} ways[WAYS] = {
	{"in process", 0, 0, 0},
	{"mapped", CATFISH_POLICY_OFFLOAD, CATFISH_OFFLOAD_MAPPED, 0},
	{"copy", CATFISH_POLICY_OFFLOAD, CATFISH_OFFLOAD_COPY, 0},
	{"copy, inner nodes cached", CATFISH_POLICY_OFFLOAD,
	 CATFISH_OFFLOAD_COPY, 0},
	{"copy, no cache", CATFISH_POLICY_OFFLOAD, CATFISH_OFFLOAD_COPY,
	 CATFISH_NO_CACHE},
	{"messaging", CATFISH_POLICY_MESSAGING, CATFISH_OFFLOAD_AUTO, 0},
};

struct bench {
	const char *address;
	uint64_t item_count, seed, rounds, searches;
	uint64_t ways; /* the first of them */
	double edge, scale;

	struct item *items;
	struct rtree *tree;
	struct catfish *servers[WAYS];
	struct rect *queries;

	/* Of the set of queries that is asked. */
	double ns[WAYS][ROUNDS_MAX];
	uint64_t sum[WAYS];
	struct catfish_answer took[WAYS]; /* by all searches of one pass */
};

static uint64_t sum; /* of the ids that one pass found */

static int parse_options(struct bench *b, int argc, char **argv);
static int prepare(struct bench *b);
static int ask(struct bench *b, const char *name);
static void finish(struct bench *b);

int main(int argc, char **argv)
{
	static struct bench b = {
		.item_count = 2000000,
		.seed = 1,
		.rounds = 15,
		.searches = QUERIES,
		.edge = GENERATE_DEFAULT_EDGE,
		.scale = 1e-5,
		.ways = WAYS - 1,
	};

	program_init("offload-bench");
	int error = parse_options(&b, argc, argv);
	if (!error)
		error = prepare(&b);
	if (!error)
		error = ask(&b, "anywhere");
	for (uint64_t i = 0; !error && i < b.searches; i++) {
		/* Centred on items. */
		const struct rect *item =
			&b.items[i * 7919 % b.item_count].rect;
		struct rect *q = &b.queries[i];
		for (int d = 0; d < DIMENSIONS; d++) {
			double middle = (item->min[d] + item->max[d]) / 2;
			double half = (q->max[d] - q->min[d]) / 2;
			q->min[d] = middle - half;
			q->max[d] = middle + half;
		}
	}
	if (!error)
		error = ask(&b, "centred on items");
	finish(&b);
	return error ? (int)program_fail(error) : EXIT_OK;
}

/* --- Preparing ---------------------------------------------------------- */

static int client_error(int error)
{
	return error ? err_set(ERR_SYSTEM, "%s", catfish_error_text()) : 0;
}

static int generate(struct bench *b)
{
	const struct generate_options of_items = {
		.kind = GENERATE_UNIFORM,
		.count = b->item_count,
		.seed = b->seed,
		.edge = b->edge,
	};
	const struct generate_options of_queries = {
		.kind = GENERATE_UNIFORM,
		.count = b->searches,
		.seed = b->seed + 1,
		.scale = b->scale,
	};
	struct generator generator;
	struct item item;

	b->items = calloc(b->item_count, sizeof(*b->items));
	b->queries = calloc(b->searches, sizeof(*b->queries));
	if (!b->items || !b->queries)
		return err_set(ERR_NO_MEMORY, "no memory for items");
	int error = generate_begin(&generator, &of_items);
	for (uint64_t i = 0; !error && generate_next(&generator, &item); i++)
		b->items[i] = item;
	if (!error)
		error = generate_begin(&generator, &of_queries);
	for (uint64_t i = 0; !error && generate_next(&generator, &item); i++)
		b->queries[i] = item.rect;
	return error;
}

static int load(struct catfish *server, const struct bench *b)
{
	struct catfish_item items[LOADED_AT_ONCE];
	uint64_t count;

	int error =
		catfish_load_begin(server, CATFISH_LOAD_REPLACE, b->item_count);
	for (uint64_t done = 0; !error && done < b->item_count; done += count) {
		count = b->item_count - done;
		count = count < LOADED_AT_ONCE ? count : LOADED_AT_ONCE;
		for (uint64_t i = 0; i < count; i++) {
			items[i].id = b->items[done + i].id;
			memcpy(items[i].box, &b->items[done + i].rect,
			       sizeof(items[i].box));
		}
		error = catfish_load_items(server, items, count);
	}
	if (!error)
		error = catfish_load_commit(server, NULL);
	return client_error(error);
}

static int pack(struct bench *b)
{
	const struct rtree_options options = {
		.size = rtree_size_forecast(b->item_count) + (64 << 20),
		.lease_ns = NS_PER_S,
		/* In the kind of memory that the server's is in. */
		.is_mappable = true,
	};
	struct rtree_batch *batch;
	uint64_t version;

	int error = rtree_create(&options, &b->tree);
	if (!error)
		error = rtree_batch_begin(b->tree, &batch);
	if (error)
		return error;
	error = rtree_replace(batch, b->items, b->item_count, NULL);
	if (error)
		rtree_batch_abort(batch);
	else
		rtree_batch_commit(batch, &version);
	return error;
}

/* The cache that has room for all inner nodes and hardly a filter. */
static int inner_size(struct catfish *server, uint64_t *size)
{
	struct catfish_stat stat;
	int error = client_error(catfish_stat(server, &stat));

	*size = 64 * 1024;
	for (uint64_t level = 1; !error && level < stat.height; level++)
		*size += stat.nodes[level] *
			 (RTREE_INNER_SIZE + RTREE_INNER_SIZE / 4);
	return error;
}

static int prepare(struct bench *b)
{
	int error = generate(b);

	if (!error)
		error = pack(b);
	for (int way = WAYS - 1; !error && way > 0; way--) {
		struct catfish_options options = {
			.policy = ways[way].policy,
			.offload = ways[way].offload,
			.cache_size = ways[way].cache_size,
		};
		if (way == 3)
			error = inner_size(b->servers[WAYS - 1],
					   &options.cache_size);
		if (!error)
			error = client_error(catfish_connect(
				b->address, &options, &b->servers[way]));
		if (!error && way == WAYS - 1)
			error = load(b->servers[way], b);
	}
	return error;
}

static void finish(struct bench *b)
{
	for (int way = 0; way < WAYS; way++)
		catfish_close(b->servers[way]);
	rtree_destroy(b->tree);
	free(b->items);
	free(b->queries);
}

/* --- Searching ---------------------------------------------------------- */

static int add_item(void *context, int64_t id, const double *box)
{
	uint64_t first;

	(void)context;
	memcpy(&first, box, sizeof(first));
	sum += ((uint64_t)id + 1) ^ first;
	return 0;
}

static int add_leaf(void *context, const struct node *leaf, uint64_t hits)
{
	for (; hits; hits &= hits - 1) {
		int i = __builtin_ctzll(hits);
		add_item(context, leaf->id[i], leaf->rect[i].min);
	}
	return 0;
}

static int search_in_process(const struct bench *b)
{
	int error = 0;

	for (uint64_t i = 0; !error && i < b->searches; i++) {
		struct rtree_pin pin;
		error = rtree_pin(b->tree, &pin);
		if (error)
			break;
		error = rtree_search(b->tree, &pin.root, &b->queries[i],
				     RELATION_INTERSECTS, add_leaf, NULL);
		rtree_unpin(b->tree, &pin);
	}
	return error;
}

static int search_server(const struct bench *b, struct catfish *server)
{
	int error = 0;

	for (uint64_t i = 0; !error && i < b->searches; i++) {
		struct catfish_query query = {.relation = CATFISH_INTERSECTS};
		memcpy(query.box, &b->queries[i], sizeof(query.box));
		error = catfish_search(server, &query, add_item, NULL, NULL);
	}
	return client_error(error);
}

/* A pass that isn't timed, which warms the cache up too. */
static int count(struct bench *b, uint64_t way)
{
	struct catfish_answer *took = &b->took[way], answer;
	int error = 0;

	memset(took, 0, sizeof(*took));
	for (uint64_t i = 0; !error && way && i < b->searches; i++) {
		struct catfish_query query = {.relation = CATFISH_INTERSECTS};
		memcpy(query.box, &b->queries[i], sizeof(query.box));
		error = catfish_search(b->servers[way], &query, add_item, NULL,
				       &answer);
		took->count += answer.count;
		took->round_trips += answer.round_trips;
		took->reads += answer.reads;
		took->read_bytes += answer.read_bytes;
		took->nodes += answer.nodes;
	}
	return client_error(error);
}

static int time_way(struct bench *b, uint64_t way, uint64_t round)
{
	uint64_t began = clock_now_ns();

	sum = 0;
	int error =
		way ? search_server(b, b->servers[way]) : search_in_process(b);
	b->ns[way][round] =
		(double)(clock_now_ns() - began) / (double)b->searches;
	b->sum[way] = sum;
	return error;
}

static int compare(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static double median(const double *values, uint64_t count)
{
	double sorted[ROUNDS_MAX];

	memcpy(sorted, values, count * sizeof(*values));
	qsort(sorted, count, sizeof(*sorted), compare);
	return sorted[count / 2];
}

/* In process over this way, round by round. */
static double median_ratio(const struct bench *b, uint64_t way)
{
	double ratios[ROUNDS_MAX];

	for (uint64_t i = 0; i < b->rounds; i++)
		ratios[i] = b->ns[0][i] / b->ns[way][i];
	return median(ratios, b->rounds);
}

static void report(const struct bench *b, const char *name, uint64_t way)
{
	const struct catfish_answer *took = &b->took[way];
	double n = (double)b->searches;

	printf("{\"queries\":\"%s\",\"way\":\"%s\",\"items\":%" PRIu64
	       ",\"searches\":%" PRIu64 ",\"rounds\":%" PRIu64
	       ",\"ns\":%.1f,\"throughput_ratio\":%.3f",
	       name, ways[way].name, b->item_count, b->searches, b->rounds,
	       median(b->ns[way], b->rounds), median_ratio(b, way));
	if (way)
		printf(",\"found\":%.4f,\"round_trips\":%.4f,\"reads\":%.4f,"
		       "\"bytes\":%.1f,\"nodes\":%.3f",
		       (double)took->count / n, (double)took->round_trips / n,
		       (double)took->reads / n, (double)took->read_bytes / n,
		       (double)took->nodes / n);
	printf(",\"checksum\":%" PRIu64 "}\n", b->sum[way]);
}

static int ask(struct bench *b, const char *name)
{
	int error = 0;

	/* Twice: the first pass fills the caches. */
	for (uint64_t way = 0; !error && way <= b->ways; way++)
		error = count(b, way) ? ERR_SYSTEM : count(b, way);
	for (uint64_t round = 0; !error && round < b->rounds; round++)
		for (uint64_t way = 0; !error && way <= b->ways; way++)
			error = time_way(b, way, round);
	for (uint64_t way = 0; !error && way <= b->ways; way++) {
		report(b, name, way);
		if (b->sum[way] != b->sum[0])
			error = err_set(ERR_DAMAGED, "%s found other items",
					ways[way].name);
	}
	return error;
}

/* --- The command line --------------------------------------------------- */

static const char help[] =
	"usage: offload-bench --server ADDR [--items N] [--searches N]\n"
	"                     [--rounds N] [--edge X] [--scale X] [--seed N]\n"
	"                     [--ways N]\n"
	"\n"
	"Replaces what the server at ADDR holds by uniform rectangles (2000000)\n"
	"and times searches of a scale (1e-5) in this process and by the first N\n"
	"of these ways: mapped, copied with a cache for all nodes, with one for\n"
	"the inner nodes, with none, and by messaging.\n";

static int parse_options(struct bench *b, int argc, char **argv)
{
	enum {
		SERVER = 1,
		ITEMS,
		SEARCHES,
		ROUNDS,
		EDGE,
		SCALE,
		SEED,
		ON_WAYS,
		HELP
	};
	static const struct option options[] = {
		{"server", required_argument, NULL, SERVER},
		{"items", required_argument, NULL, ITEMS},
		{"searches", required_argument, NULL, SEARCHES},
		{"rounds", required_argument, NULL, ROUNDS},
		{"edge", required_argument, NULL, EDGE},
		{"scale", required_argument, NULL, SCALE},
		{"seed", required_argument, NULL, SEED},
		{"ways", required_argument, NULL, ON_WAYS},
		{"help", no_argument, NULL, HELP},
		{0},
	};
	int option, error = 0;

	while (!error &&
	       (option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case SERVER:
			b->address = optarg;
			break;
		case ITEMS:
			error = parse_uint64(optarg, &b->item_count);
			break;
		case SEARCHES:
			error = parse_uint64(optarg, &b->searches);
			break;
		case ROUNDS:
			error = parse_uint64(optarg, &b->rounds);
			break;
		case EDGE:
			error = parse_double(optarg, &b->edge);
			break;
		case SCALE:
			error = parse_double(optarg, &b->scale);
			break;
		case SEED:
			error = parse_uint64(optarg, &b->seed);
			break;
		case ON_WAYS:
			error = parse_uint64(optarg, &b->ways);
			break;
		case HELP:
			fputs(help, stdout);
			exit(program_finish_output() ? EXIT_NO_ROOM : EXIT_OK);
		default:
			return err_set(ERR_USAGE, "see offload-bench --help");
		}
	}
	if (!error &&
	    (!b->address || optind < argc || !b->item_count || !b->searches ||
	     !b->rounds || b->rounds > ROUNDS_MAX || b->ways >= WAYS))
		return err_set(ERR_USAGE, "see offload-bench --help");
	return error;
}
