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

#include "base/clock.h"
#include "base/err.h"
#include "base/parse.h"
#include "base/program.h"
#include "base/random.h"
#include "bench/queries.h"
#include "bench/rtree_bench.h"
#include "rtree/kernel.h"

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

/* --- Phases -------------------------------------------------------------- */

static const struct phase {
	const char *name;
	int (*run)(struct bench *b);
	bool fresh; /* starts from an empty tree */
	bool reads; /* the newest version, pinned meanwhile */
} phases[] = {
	{"bulk", bench_bulk, true, false},
	{"search", bench_search, false, true},
	{"count", bench_count, false, true},
	{"count-group", bench_count_groups, false, true},
	{"group", bench_search_groups, false, true},
	{"dependent", bench_search_dependent, false, true},
	{"nearest", bench_nearest, false, true},
	{"nearest-group", bench_nearest_groups, false, true},
	{"insert", bench_insert_all, true, false},
	{"search-after", bench_search, false, true},
	{"group-after", bench_search_groups, false, true},
	{"dependent-after", bench_search_dependent, false, true},
	{"update", bench_update_all, false, false},
	{"delete", bench_delete_all, false, false},
	{"mixed", bench_mixed, false, false},
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
	if (!phase->reads && phase->run != bench_bulk)
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
		return bench_fresh_tree(b);
	int error = rtree_pin(b->tree, &b->pin);
	if (error)
		return error;
	uint64_t count = b->pin.root.item_count;
	rtree_unpin(b->tree, &b->pin);
	if (!count)
		error = bench_fresh_tree(b);
	return error || count ? error : bench_bulk(b);
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
	int error = bench_fresh_tree(b);

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
