/* SPDX-License-Identifier: BSD-2-Clause */

/* rtree-bench: times the tree by itself, in one process and one thread, on
 * files that other libraries can be given as well.
 *
 * One JSON line a phase.  Ids that are found are stored to a buffer and summed
 * within the time that is measured; 'checksum' is the sum modulo 2^64 over all
 * hits of (query index + 1) * (id + 1), to be set beside any other library. */

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/parse.h"
#include "base/program.h"
#include "base/random.h"
#include "bench/items.h"
#include "bench/queries.h"
#include "bench/serialise.h"
#include "rtree/kernel.h"
#include "rtree/rtree.h"

enum { NEAREST_COUNT = 10, GROUP = 32, SETS_MAX = 8 };

/* Queries, and what they are called in the output. */
struct query_set {
	struct items queries;
	const char *name;
	int name_length;
};

struct bench {
	struct items items;
	struct rect *rects; /* that the items have now */
	struct query_set sets[SETS_MAX];
	int set_count;
	const char *phases;
	const char *save_items; /* to write them to, and no more */
	const char *save_centred;
	uint64_t batch;
	uint64_t lease_ns;
	uint64_t memory;
	struct rtree_pack_options pack;

	struct rtree *tree;
	struct rtree_pin pin;
	int64_t *ids; /* of one query's answer */
	size_t ids_capacity;
	size_t ids_count;

	/* Of the phase. */
	const struct items *queries;
	uint64_t operations;
	uint64_t hits;
	uint64_t checksum;
	uint64_t waits; /* for retired pages */
};

/* --- Queries ------------------------------------------------------------- */

/* Reads a set that is called what its file is, without folder and ending. */
static int add_queries(struct bench *b, const char *path)
{
	if (b->set_count == SETS_MAX)
		return err_set(ERR_USAGE, "more than %d files of queries",
			       SETS_MAX);
	struct query_set *set = &b->sets[b->set_count++];
	const char *slash = strrchr(path, '/');
	set->name = slash ? slash + 1 : path;
	const char *ending = strrchr(set->name, '.');
	set->name_length = (int)(ending ? (size_t)(ending - set->name)
					: strlen(set->name));
	return items_read(path, &set->queries);
}

/* Without a file: 100,000 distinct queries with edges up to 1e-5. */
static int make_queries(struct bench *b)
{
	struct query_set *set = &b->sets[b->set_count++];
	struct random random;

	set->name = "1e-5";
	set->name_length = 4;

	random_seed(&random, 1);
	for (int i = 0; i < 100000; i++) {
		struct item query = {.id = i};
		for (int d = 0; d < DIMENSIONS; d++) {
			query.rect.min[d] = random_unit(&random);
			query.rect.max[d] =
				query.rect.min[d] + random_unit(&random) * 1e-5;
		}
		int error = items_append(&set->queries, &query);
		if (error)
			return error;
	}
	return 0;
}

/* --- Reading phases ------------------------------------------------------ */

static int reserve_ids(struct bench *b, size_t more)
{
	if (b->ids_count + more <= b->ids_capacity)
		return 0;
	b->ids_capacity = 2 * (b->ids_count + more);
	int64_t *ids = realloc(b->ids, b->ids_capacity * sizeof(*ids));
	if (!ids)
		return err_set(ERR_NO_MEMORY, "no memory for ids");
	b->ids = ids;
	return 0;
}

static int store_ids(void *context, const struct node *leaf, uint64_t hits)
{
	struct bench *b = context;
	int error = reserve_ids(b, NODE_LANES);
	if (error)
		return error;
	int64_t *to = b->ids + b->ids_count;
	if (hits == ~UINT64_C(0)) {
		memcpy(to, leaf->id, sizeof(leaf->id));
		to += NODE_LANES;
		hits = 0;
	}
	for (; hits; hits &= hits - 1)
		*to++ = leaf->id[__builtin_ctzll(hits)];
	b->ids_count = (size_t)(to - b->ids);
	return 0;
}

/* Sums the ids that were stored for a query. */
static void sum_ids(struct bench *b, size_t query)
{
	uint64_t sum = b->ids_count;

	for (size_t i = 0; i < b->ids_count; i++)
		sum += (uint64_t)b->ids[i];
	b->checksum += sum * (query + 1);
	b->hits += b->ids_count;
	b->ids_count = 0;
}

/* Each search alone, or, where the processor can, the next one begun before
 * the last has ended. */
static inline int search_each(struct bench *b, bool alone)
{
	for (size_t q = 0; q < b->queries->count; q++) {
		int error = rtree_search(b->tree, &b->pin.root,
					 &b->queries->items[q].rect,
					 RELATION_INTERSECTS, store_ids, b);
		if (error)
			return error;
		sum_ids(b, q);
		if (alone)
			serialise();
	}
	b->operations = b->queries->count;
	return 0;
}

static int search(struct bench *b)
{
	return search_each(b, false);
}

static int search_dependent(struct bench *b)
{
	return search_each(b, true);
}

static int count(struct bench *b)
{
	for (size_t q = 0; q < b->queries->count; q++) {
		uint64_t hits;
		int error = rtree_count(b->tree, &b->pin.root,
					&b->queries->items[q].rect,
					RELATION_INTERSECTS, &hits);
		if (error)
			return error;
		b->hits += hits;
	}
	b->operations = b->queries->count;
	return 0;
}

/* The rectangles of the queries from 'base' on, as many as make a group;
 * returns how many. */
static size_t take_group(const struct bench *b, size_t base,
			 struct rect queries[GROUP])
{
	size_t size = b->queries->count - base;

	size = size < GROUP ? size : GROUP;
	for (size_t q = 0; q < size; q++)
		queries[q] = b->queries->items[base + q].rect;
	return size;
}

static int count_groups(struct bench *b)
{
	struct rect queries[GROUP];
	uint64_t hits[GROUP];

	for (size_t base = 0; base < b->queries->count; base += GROUP) {
		size_t size = take_group(b, base, queries);
		int error = rtree_count_group(b->tree, &b->pin.root, queries,
					      size, RELATION_INTERSECTS, hits);
		if (error)
			return error;
		for (size_t q = 0; q < size; q++)
			b->hits += hits[q];
	}
	b->operations = b->queries->count;
	return 0;
}

/* Ids of a group come leaf by leaf, of one query or another. */
struct group {
	struct bench *bench;
	size_t base; /* the group's first query */
	struct group_run {
		size_t query;
		size_t end; /* of its ids from this leaf */
	} * runs;
	size_t count;
	size_t capacity;
};

static int store_group(void *context, size_t query, const struct node *leaf,
		       uint64_t hits)
{
	struct group *g = context;

	if (g->count == g->capacity) {
		g->capacity = 2 * g->capacity + 64;
		struct group_run *grown =
			realloc(g->runs, g->capacity * sizeof(*grown));
		if (!grown)
			return err_set(ERR_NO_MEMORY, "no memory for ids");
		g->runs = grown;
	}
	int error = store_ids(g->bench, leaf, hits);
	g->runs[g->count++] =
		(struct group_run){g->base + query, g->bench->ids_count};
	return error;
}

static void sum_group(struct group *g)
{
	struct bench *b = g->bench;
	size_t i = 0;

	for (size_t run = 0; run < g->count; run++) {
		size_t end = g->runs[run].end;
		uint64_t sum = end - i;
		for (; i < end; i++)
			sum += (uint64_t)b->ids[i];
		b->checksum += sum * (g->runs[run].query + 1);
	}
	b->hits += b->ids_count;
	b->ids_count = g->count = 0;
}

static int search_groups(struct bench *b)
{
	struct group g = {.bench = b};
	struct rect queries[GROUP];
	int error = 0;

	for (; !error && g.base < b->queries->count; g.base += GROUP) {
		size_t size = take_group(b, g.base, queries);
		error = rtree_search_group(b->tree, &b->pin.root, queries, size,
					   RELATION_INTERSECTS, store_group,
					   &g);
		sum_group(&g);
	}
	free(g.runs);
	b->operations = b->queries->count;
	return error;
}

static int add_nearest(struct bench *b, size_t query, struct nearest *nearest)
{
	int error = reserve_ids(b, nearest->found_count);

	for (size_t i = 0; !error && i < nearest->found_count; i++)
		b->ids[b->ids_count++] = nearest->found[i].item.id;
	nearest_end(nearest);
	sum_ids(b, query);
	return error;
}

static int nearest(struct bench *b)
{
	for (size_t q = 0; q < b->queries->count; q++) {
		struct nearest nearest;
		int error = rtree_nearest(b->tree, &b->pin.root,
					  b->queries->items[q].rect.min,
					  NEAREST_COUNT, &nearest);
		if (!error)
			error = add_nearest(b, q, &nearest);
		if (error)
			return error;
	}
	b->operations = b->queries->count;
	return 0;
}

static int nearest_groups(struct bench *b)
{
	static struct nearest nearest[GROUP];
	double points[GROUP][DIMENSIONS];
	struct rect queries[GROUP];
	int error = 0;

	for (size_t base = 0; !error && base < b->queries->count;
	     base += GROUP) {
		size_t size = take_group(b, base, queries);
		for (size_t q = 0; q < size; q++)
			memcpy(points[q], queries[q].min, sizeof(points[q]));
		error = rtree_nearest_group(b->tree, &b->pin.root,
					    (const double(*)[DIMENSIONS])points,
					    size, NEAREST_COUNT, nearest);
		for (size_t q = 0; !error && q < size; q++)
			error = add_nearest(b, base + q, &nearest[q]);
	}
	b->operations = b->queries->count;
	return error;
}

/* --- Writing phases ------------------------------------------------------ */

/* A fresh tree, with a one-sided reader so that the lease is in force. */
static int fresh_tree(struct bench *b)
{
	const struct rtree_options options = {
		.size = b->memory,
		.lease_ns = b->lease_ns,
	};

	for (size_t i = 0; i < b->items.count; i++)
		b->rects[i] = b->items.items[i].rect;
	rtree_destroy(b->tree);
	b->tree = NULL;
	int error = rtree_create(&options, &b->tree);
	if (!error && b->lease_ns)
		rtree_reader_joined(b->tree);
	return error;
}

static int bulk(struct bench *b)
{
	struct rtree_batch *batch;
	uint64_t version;
	int error = rtree_batch_begin(b->tree, &batch);
	if (error)
		return error;
	error = rtree_replace(batch, b->items.items, b->items.count, &b->pack);
	if (error) {
		rtree_batch_abort(batch);
		return error;
	}
	rtree_batch_commit(batch, &version);
	b->operations = b->items.count;
	return 0;
}

static void wait_for_pages(struct bench *b)
{
	uint64_t now = clock_now_ns(), until = rtree_retry_ns(b->tree);

	b->waits++;
	if (until > now)
		usleep((useconds_t)((until - now) / NS_PER_US + 1));
}

typedef int change(struct bench *b, struct rtree_batch *batch, size_t i);

static int insert_one(struct bench *b, struct rtree_batch *batch, size_t i)
{
	return rtree_insert(batch, &b->items.items[i]);
}

static int delete_one(struct bench *b, struct rtree_batch *batch, size_t i)
{
	const struct item item = {b->items.items[i].id, b->rects[i]};

	return rtree_delete(batch, &item);
}

/* Moves an item by its own size. */
static int update_one(struct bench *b, struct rtree_batch *batch, size_t i)
{
	const struct item item = {b->items.items[i].id, b->rects[i]};
	struct rect to = item.rect;

	for (int d = 0; d < DIMENSIONS; d++) {
		double by = item.rect.max[d] - item.rect.min[d];
		to.min[d] += by;
		to.max[d] += by;
	}
	int error = rtree_update(batch, &item, &to);
	if (!error)
		b->rects[i] = to;
	return error;
}

/* Changes every item, 'batch' of them in each published version. */
static int change_all(struct bench *b, change *change_one)
{
	size_t i = 0;

	while (i < b->items.count) {
		struct rtree_batch *batch;
		uint64_t version;
		int error = rtree_batch_begin(b->tree, &batch);
		for (uint64_t n = 0;
		     !error && n < b->batch && i < b->items.count; n++) {
			error = change_one(b, batch, i);
			i += !error;
		}
		rtree_batch_commit(batch, &version);
		if (error && error != ERR_AGAIN)
			return error;
		if (error == ERR_AGAIN)
			wait_for_pages(b);
	}
	b->operations = b->items.count;
	return 0;
}

static int insert_all(struct bench *b)
{
	return change_all(b, insert_one);
}

static int update_all(struct bench *b)
{
	return change_all(b, update_one);
}

static int delete_all(struct bench *b)
{
	int error = change_all(b, delete_one);

	b->hits = error ? 0 : b->operations;
	return error;
}

/* Moves an item in a version of its own. */
static int publish_update(struct bench *b, size_t i)
{
	for (;;) {
		struct rtree_batch *batch;
		uint64_t version;
		int error = rtree_batch_begin(b->tree, &batch);
		if (error)
			return error;
		error = update_one(b, batch, i);
		rtree_batch_commit(batch, &version);
		if (error != ERR_AGAIN)
			return error;
		wait_for_pages(b);
	}
}

static int search_newest(struct bench *b, size_t first, size_t count)
{
	struct rtree_pin pin;
	int error = rtree_pin(b->tree, &pin);
	if (error)
		return error;
	for (size_t q = first; !error && q < first + count; q++) {
		error = rtree_search(b->tree, &pin.root,
				     &b->queries->items[q].rect,
				     RELATION_INTERSECTS, store_ids, b);
		sum_ids(b, q);
	}
	rtree_unpin(b->tree, &pin);
	return error;
}

/* Nine searches for each item that is moved. */
static int mixed(struct bench *b)
{
	size_t moves = b->queries->count / 9;

	moves = moves < b->items.count ? moves : b->items.count;
	for (size_t i = 0; i < moves; i++) {
		int error = publish_update(b, i);
		if (!error)
			error = search_newest(b, 9 * i, 9);
		if (error)
			return error;
	}
	b->operations = 10 * moves;
	return 0;
}

/* --- Phases -------------------------------------------------------------- */

static const struct phase {
	const char *name;
	int (*run)(struct bench *b);
	bool fresh; /* starts from an empty tree */
	bool reads; /* the newest version, pinned meanwhile */
} phases[] = {
	{"bulk", bulk, true, false},
	{"search", search, false, true},
	{"count", count, false, true},
	{"count-group", count_groups, false, true},
	{"group", search_groups, false, true},
	{"dependent", search_dependent, false, true},
	{"nearest", nearest, false, true},
	{"nearest-group", nearest_groups, false, true},
	{"insert", insert_all, true, false},
	{"search-after", search, false, true},
	{"group-after", search_groups, false, true},
	{"dependent-after", search_dependent, false, true},
	{"update", update_all, false, false},
	{"delete", delete_all, false, false},
	{"mixed", mixed, false, false},
};

static int report(struct bench *b, const struct phase *phase,
		  const struct query_set *set, uint64_t ns)
{
	struct rtree_stat stat;
	int error = rtree_stat(b->tree, &stat);
	if (error)
		return error;
	uint64_t nodes = 0;
	for (int level = 0; level < stat.height; level++)
		nodes += stat.nodes[level];
	uint64_t items = stat.root.item_count;
	printf("{\"phase\":\"%s\",\"set\":\"%.*s\",\"items\":%zu,"
	       "\"queries\":%zu,\"ns_per_op\":%.1f,\"hits\":%" PRIu64
	       ",\"checksum\":%" PRIu64 ",\"bytes_per_item\":%.2f,"
	       "\"order\":\"%s\",\"threads\":%u,\"batch\":%" PRIu64
	       ",\"lease_ms\":%g,\"kernel\":\"%s\",\"nodes\":%" PRIu64
	       ",\"height\":%d,\"retired_pages\":%" PRIu64 ",\"waits\":%" PRIu64
	       "}\n",
	       phase->name, phase->reads ? set->name_length : 0, set->name,
	       b->items.count, b->queries->count,
	       (double)ns / (double)(b->operations ? b->operations : 1),
	       b->hits, b->checksum,
	       items ? (double)nodes * RTREE_PAGE_SIZE / (double)items : 0,
	       b->pack.order == RTREE_ORDER_TILES ? "str" : "hilbert",
	       b->pack.threads, b->batch, (double)b->lease_ns / NS_PER_MS,
	       kernel->name, nodes, stat.height, stat.retired_pages, b->waits);
	return 0;
}

/* Takes all of the region's memory from the system before the time starts, as
 * registering it with an RDMA device does: a server that has run for a while
 * has no page faults left. */
static void warm(struct bench *b)
{
	struct rtree_region region;

	rtree_describe(b->tree, &region);
	madvise((void *)region.memory, region.size, MADV_POPULATE_WRITE);
}

static int run_phase(struct bench *b, const struct phase *phase,
		     const struct query_set *set)
{
	b->queries = &set->queries;
	b->operations = b->hits = b->checksum = b->waits = 0;
	int error = phase->reads ? rtree_pin(b->tree, &b->pin) : 0;
	if (error)
		return error;
	if (!phase->reads && phase->run != bulk)
		warm(b);
	uint64_t start = clock_now_ns();
	error = phase->run(b);
	uint64_t ns = clock_now_ns() - start;
	if (phase->reads)
		rtree_unpin(b->tree, &b->pin);
	return error ? error : report(b, phase, set, ns);
}

/* Phases that begin with items find them loaded, if those before left none. */
static int prepare_tree(struct bench *b, const struct phase *phase)
{
	if (phase->fresh)
		return fresh_tree(b);
	int error = rtree_pin(b->tree, &b->pin);
	if (error)
		return error;
	uint64_t count = b->pin.root.item_count;
	rtree_unpin(b->tree, &b->pin);
	if (!count)
		error = fresh_tree(b);
	return error || count ? error : bulk(b);
}

static const struct phase *find_phase(const char *name, size_t length)
{
	for (size_t i = 0; i < sizeof(phases) / sizeof(phases[0]); i++)
		if (strlen(phases[i].name) == length &&
		    memcmp(phases[i].name, name, length) == 0)
			return &phases[i];
	return NULL;
}

/* Room for what the lease holds back at full speed, too. */
static uint64_t default_memory(size_t item_count)
{
	const uint64_t least = UINT64_C(1) << 30;
	uint64_t size = 8 * rtree_size_forecast(item_count);

	return size > least ? size : least;
}

static int run_phases(struct bench *b)
{
	if (!b->memory)
		b->memory = default_memory(b->items.count);
	int error = fresh_tree(b);

	for (const char *name = b->phases; !error && *name;) {
		size_t length = strcspn(name, ",");
		const struct phase *phase = find_phase(name, length);
		if (!phase)
			return err_set(ERR_USAGE, "no phase '%.*s'",
				       (int)length, name);
		error = prepare_tree(b, phase);
		int sets = phase->reads ? b->set_count : 1;
		for (int i = 0; !error && i < sets; i++)
			error = run_phase(b, phase, &b->sets[i]);
		name += length + (name[length] == ',');
	}
	return error;
}

/* --- The command line ---------------------------------------------------- */

static const char help[] =
	"usage: rtree-bench --items FILE [--queries FILE]... [--phases LIST]\n"
	"                   [--order str|hilbert] [--threads N] [--batch N] \n"
	"                   [--lease TIME] [--memory SIZE]\n"
	"                   [--kernel avx512|avx2|portable]\n"
	"       rtree-bench --items FILE --save-raw FILE.f64\n"
	"       rtree-bench --items FILE --queries FILE --save-centred FILE.f64\n"
	"\n"
	"Times the R-tree in one thread and prints a JSON line for each phase.\n"
	"FILE is CSV, as 'catfish generate' writes it, or, named *.f64, raw\n"
	"little-endian doubles xmin, ymin, xmax, ymax with ids from 0.\n"
	"\n"
	"--save-raw writes the items as such, --save-centred the queries, each\n"
	"moved onto an item that is drawn at random.\n"
	"\n"
	"phases, all of them by default, and in this order:\n"
	"  bulk             loads all items at once\n"
	"  search           lists what intersects each query\n"
	"  count            only counts it\n"
	"  count-group      counts it for 32 queries at a time\n"
	"  group            lists it for 32 queries at a time\n"
	"  dependent        as search, each after the last has wholly ended\n"
	"  nearest          the 10 items nearest to each query's lower corner\n"
	"  nearest-group    finds them for 32 points at a time\n"
	"  insert           inserts all items into an empty tree\n"
	"  search-after, group-after, dependent-after\n"
	"                   the same in that tree\n"
	"  update           moves each item by its own size\n"
	"  mixed            moves an item for every nine searches, with the first\n"
	"                   file of queries\n"
	"  delete           deletes all items\n"
	"Those that change items find the region's memory (--memory; 1 GiB or 8\n"
	"times what the items need) taken from the system already.\n"
	"Those that search do so with each file of queries.  A phase that needs\n"
	"items and finds none loads them first.\n"
	"\n"
	"  catfish generate uniform --count 2000000 --seed 1 --edge 1e-4 >u.csv\n"
	"  rtree-bench --items u.csv --phases bulk,search,group\n";

static int parse_order(const char *text, enum rtree_order *order)
{
	if (strcmp(text, "str") == 0)
		*order = RTREE_ORDER_TILES;
	else if (strcmp(text, "hilbert") == 0)
		*order = RTREE_ORDER_CURVE;
	else
		return err_set(ERR_USAGE, "order '%s': str or hilbert", text);
	return 0;
}

static int parse_threads(const char *text, unsigned *threads)
{
	uint64_t count;
	int error = parse_uint64(text, &count);

	if (!error && (count == 0 || count > 64))
		return err_set(ERR_USAGE, "--threads %s: 1 to 64", text);
	*threads = error ? *threads : (unsigned)count;
	return error;
}

static int parse_options(struct bench *b, int argc, char **argv)
{
	enum {
		ITEMS = 1,
		QUERIES,
		PHASES,
		BATCH,
		LEASE,
		MEMORY,
		KERNEL,
		HELP,
		ORDER,
		THREADS,
		SAVE_RAW,
		SAVE_CENTRED
	};
	static const struct option options[] = {
		{"order", required_argument, NULL, ORDER},
		{"threads", required_argument, NULL, THREADS},
		{"save-raw", required_argument, NULL, SAVE_RAW},
		{"save-centred", required_argument, NULL, SAVE_CENTRED},
		{"items", required_argument, NULL, ITEMS},
		{"queries", required_argument, NULL, QUERIES},
		{"phases", required_argument, NULL, PHASES},
		{"batch", required_argument, NULL, BATCH},
		{"lease", required_argument, NULL, LEASE},
		{"memory", required_argument, NULL, MEMORY},
		{"kernel", required_argument, NULL, KERNEL},
		{"help", no_argument, NULL, HELP},
		{0},
	};
	int option, error = 0;

	while (!error &&
	       (option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case ITEMS:
			error = items_read(optarg, &b->items);
			break;
		case QUERIES:
			error = add_queries(b, optarg);
			break;
		case PHASES:
			b->phases = optarg;
			break;
		case BATCH:
			error = parse_uint64(optarg, &b->batch);
			break;
		case LEASE:
			error = parse_time_ns(optarg, &b->lease_ns);
			break;
		case MEMORY:
			error = parse_size(optarg, &b->memory);
			break;
		case ORDER:
			error = parse_order(optarg, &b->pack.order);
			break;
		case THREADS:
			error = parse_threads(optarg, &b->pack.threads);
			break;
		case SAVE_RAW:
			b->save_items = optarg;
			break;
		case SAVE_CENTRED:
			b->save_centred = optarg;
			break;
		case KERNEL:
			error = kernel_choose(optarg);
			break;
		case HELP:
			fputs(help, stdout);
			exit(program_finish_output() ? EXIT_NO_ROOM : EXIT_OK);
		default:
			return err_set(ERR_USAGE, "see rtree-bench --help");
		}
	}
	if (!error && (!b->items.count || optind < argc || !b->batch))
		return err_set(ERR_USAGE, "--items FILE with items is needed; "
					  "see rtree-bench --help");
	return error;
}

static int save_centred(struct bench *b)
{
	struct items *queries = &b->sets[0].queries;

	queries_centre(queries->items, queries->count, b->items.items,
		       b->items.count, 1);
	return items_save_raw(b->save_centred, queries);
}

static int run_all(struct bench *b)
{
	int error = b->set_count ? 0 : make_queries(b);

	if (!error && b->save_items)
		error = items_save_raw(b->save_items, &b->items);
	if (!error && b->save_centred)
		error = save_centred(b);
	if (error || b->save_items || b->save_centred)
		return error;
	b->rects = malloc(b->items.count * sizeof(*b->rects));
	if (!b->rects)
		return err_set(ERR_NO_MEMORY, "no memory for rectangles");
	return run_phases(b);
}

int main(int argc, char **argv)
{
	struct bench b = {
		.phases = "bulk,search,count,count-group,group,dependent,"
			  "nearest,nearest-group,insert,"
			  "search-after,group-after,dependent-after,update,"
			  "mixed,delete",
		.batch = 1,
		.lease_ns = 50 * NS_PER_MS,
		.pack = {.threads = 1},
	};

	program_init("rtree-bench");
	int error = parse_options(&b, argc, argv);
	if (!error)
		error = run_all(&b);
	if (!error)
		error = program_finish_output();
	rtree_destroy(b.tree);
	items_fini(&b.items);
	for (int i = 0; i < b.set_count; i++)
		items_fini(&b.sets[i].queries);
	free(b.rects);
	free(b.ids);
	return error ? (int)program_fail(error) : EXIT_OK;
}
