/* SPDX-License-Identifier: BSD-2-Clause */

/* layouts: settles how the bytes of a node are laid out, by measurement.
 *
 * Packs one data set into a tree of each layout of layout_variants.c and into
 * the real one, asks all of them the same queries, and says what each search
 * looked at, what a walk by READ would fetch for it, how long it took, and what
 * an insert would copy.  Fails when their answers differ. */

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/parse.h"
#include "base/program.h"
#include "bench/layout_subject.h"
#include "bench/queries.h"
#include "datasets/generate.h"

enum { GROUP = 32, ROUNDS_MAX = 99, SUBJECTS_MAX = 32, SETS = 4 };

/* How full nodes are after many inserts. */
#define GROWN_FILL (2.0 / 3)

struct set {
	const char *name;
	double scale;
	uint64_t divisor; /* of the number of queries */
	bool centred;

	struct rect *queries;
	size_t count;
};

/* What one tree did with one set. */
struct result {
	struct layout_answer answer;
	double ns[ROUNDS_MAX]; /* per search */
	double group_ns[ROUNDS_MAX];
};

struct bench {
	struct generate_options data;
	enum rtree_order order;
	uint64_t query_count;
	uint64_t rounds;
	bool table;

	struct item *items;
	struct set sets[SETS];
	struct subject subjects[SUBJECTS_MAX];
	struct result results[SUBJECTS_MAX][SETS];
	size_t subject_count;
};

/* --- Data and queries ---------------------------------------------------- */

/* Makes a set's items, or NULL. */
static struct item *generate(const struct generate_options *options)
{
	struct item *items = malloc((options->count + 1) * sizeof(*items));
	struct generator generator;

	if (!items) {
		err_set(ERR_NO_MEMORY, "no memory for items");
		return NULL;
	}
	if (generate_begin(&generator, options)) {
		free(items);
		return NULL;
	}
	for (struct item *item = items; generate_next(&generator, item);)
		item++;
	return items;
}

static int make_queries(struct bench *b, struct set *set)
{
	struct generate_options options = b->data;

	options.count = b->query_count / set->divisor;
	options.count += !options.count;
	options.scale = set->scale;
	struct item *items = generate(&options);
	if (items && set->centred)
		queries_centre(items, options.count, b->items, b->data.count,
			       b->data.seed);
	set->count = options.count;
	set->queries = malloc(set->count * sizeof(*set->queries));
	for (size_t q = 0; items && set->queries && q < set->count; q++)
		set->queries[q] = items[q].rect;
	bool made = items && set->queries;
	free(items);
	return made ? 0 : ERR_NO_MEMORY;
}

/* The real tree comes first: what it answers is right. */
static int prepare(struct bench *b)
{
	int error = 0;

	b->items = generate(&b->data);
	if (!b->items)
		return ERR_NO_MEMORY;
	for (int i = 0; !error && i < SETS; i++)
		error = make_queries(b, &b->sets[i]);
	for (size_t i = 0; !error && (!i || layouts[i - 1]); i++) {
		error = subject_init(&b->subjects[i], i ? layouts[i - 1] : NULL,
				     b->items, b->data.count, b->order);
		b->subject_count++;
	}
	return error;
}

static void clean_up(struct bench *b)
{
	for (size_t i = 0; i < b->subject_count; i++)
		subject_fini(&b->subjects[i]);
	for (int i = 0; i < SETS; i++)
		free(b->sets[i].queries);
	free(b->items);
}

/* --- Measuring ----------------------------------------------------------- */

static int check_answer(const struct bench *b, size_t subject, size_t set,
			const struct layout_answer *answer)
{
	const struct layout_answer *right = &b->results[0][set].answer;

	if (answer->hits == right->hits && answer->checksum == right->checksum)
		return 0;
	return err_set(ERR_DAMAGED,
		       "%s, queries %s: %" PRIu64 " hits, checksum %" PRIu64
		       ", not %" PRIu64 " and %" PRIu64,
		       b->subjects[subject].layout->name, b->sets[set].name,
		       answer->hits, answer->checksum, right->hits,
		       right->checksum);
}

static int count(struct bench *b)
{
	for (size_t i = 0; i < b->subject_count; i++)
		for (size_t s = 0; s < SETS; s++) {
			const struct set *set = &b->sets[s];
			struct layout_answer *answer = &b->results[i][s].answer;
			int error = subject_count(&b->subjects[i], set->queries,
						  set->count, answer);
			if (!error)
				error = check_answer(b, i, s, answer);
			if (error)
				return error;
		}
	return 0;
}

static int measure_one(struct bench *b, size_t subject, size_t s, size_t group,
		       double *ns)
{
	const struct set *set = &b->sets[s];
	struct layout_answer answer = {0};
	uint64_t start = clock_now_ns();
	int error = subject_search(&b->subjects[subject], set->queries,
				   set->count, group, &answer);

	*ns = (double)(clock_now_ns() - start) / (double)set->count;
	return error ? error : check_answer(b, subject, s, &answer);
}

/* Rounds go over all trees, so that what else the machine does hits all. */
static int measure(struct bench *b)
{
	int error = 0;

	for (uint64_t round = 0; round < b->rounds; round++)
		for (size_t s = 0; s < SETS; s++)
			for (size_t i = 0; i < b->subject_count; i++) {
				struct result *r = &b->results[i][s];
				error = measure_one(b, i, s, 1, &r->ns[round]);
				if (!error)
					error = measure_one(
						b, i, s, GROUP,
						&r->group_ns[round]);
				if (error)
					return error;
			}
	return error;
}

/* --- Reporting ----------------------------------------------------------- */

static int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static double median(double *values, uint64_t count)
{
	qsort(values, count, sizeof(*values), compare_doubles);
	return (values[(count - 1) / 2] + values[count / 2]) / 2;
}

/* Of one search on average. */
struct averages {
	double nodes;
	double bytes;	     /* that READs of whole nodes carry */
	double filter_bytes; /* when the rest of a leaf waits for its filter */
	double ns;
	double group_ns;
};

static struct averages average(const struct bench *b, const struct layout *l,
			       const struct set *set, struct result *r)
{
	double queries = (double)set->count;
	double inner = (double)r->answer.inner_visits / queries;
	double leaves = (double)r->answer.leaf_visits / queries;
	double matches = (double)r->answer.leaf_matches / queries;
	struct averages a = {
		.nodes = inner + leaves,
		.filter_bytes = inner * (double)l->inner_read +
				leaves * (double)l->filter_read +
				matches * (double)l->exact_read,
		.ns = median(r->ns, b->rounds),
		.group_ns = median(r->group_ns, b->rounds),
	};
	a.bytes = l->pages == 2 ? a.filter_bytes
				: inner * (double)l->inner_read +
					  leaves * (double)l->leaf_size;
	return a;
}

/* The path that an insert copies: the leaf and all above. */
static size_t copied_bytes(const struct bench *b, const struct layout *l)
{
	int height = layout_height(l, b->data.count, GROWN_FILL);
	return l->leaf_size + (size_t)(height - 1) * l->inner_size;
}

static const char *const box_places[] = {
	[BOXES_NONE] = "none",
	[BOXES_IN_CHILD] = "in child",
	[BOXES_IN_NODE] = "before refs",
	[BOXES_BEHIND] = "behind refs",
};

static void print_json(const struct bench *b, const struct subject *subject,
		       const struct set *set, struct result *r)
{
	const struct layout *l = subject->layout;
	struct averages a = average(b, l, set, r);

	printf("{\"layout\":\"%s\",\"cells\":\"%s\",\"fanout\":%u,"
	       "\"leaf_pages\":%u,\"inner_boxes\":\"%s\",\"order\":\"%s\","
	       "\"items\":%" PRIu64 ",\"query\":\"%s\",\"queries\":%zu,"
	       "\"hits\":%" PRIu64 ",\"checksum\":%" PRIu64
	       ",\"height\":%d,\"nodes\":%.3f,\"bytes_read\":%.1f,"
	       "\"bytes_read_filter_first\":%.1f,\"bytes_copied\":%zu,"
	       "\"ns\":%.1f,\"ns_group\":%.1f,\"bytes_per_item\":%.2f}\n",
	       l->name, l->cells, l->fanout, l->pages, box_places[l->boxes],
	       b->order == RTREE_ORDER_TILES ? "str" : "hilbert", b->data.count,
	       set->name, set->count, r->answer.hits, r->answer.checksum,
	       subject->height, a.nodes, a.bytes, a.filter_bytes,
	       copied_bytes(b, l), a.ns, a.group_ns,
	       subject->bytes / (double)b->data.count);
}

static void print_sizes(const struct bench *b)
{
	printf("| layout | boxes | fan-out | exact inner boxes | levels | "
	       "inner node | leaf | copied per insert | bytes per item |\n"
	       "|---|---|--:|---|--:|--:|--:|--:|--:|\n");
	for (size_t i = 0; i < b->subject_count; i++) {
		const struct subject *s = &b->subjects[i];
		const struct layout *l = s->layout;
		printf("| %s | %s | %u | %s | %d | %zu | %zu | %zu | %.1f |\n",
		       l->name, l->cells, l->fanout, box_places[l->boxes],
		       s->height, l->inner_size, l->leaf_size,
		       copied_bytes(b, l), s->bytes / (double)b->data.count);
	}
}

static void print_head(const struct bench *b, const char *each)
{
	printf("\n| layout |");
	for (size_t s = 0; s < SETS; s++)
		printf(" %s: %s |", b->sets[s].name, each);
	printf("\n|---|--:|--:|--:|--:|\n");
}

static void print_counts(struct bench *b)
{
	print_head(b, "nodes / bytes read / filter first");
	for (size_t i = 0; i < b->subject_count; i++) {
		const struct layout *l = b->subjects[i].layout;
		printf("| %s |", l->name);
		for (size_t s = 0; s < SETS; s++) {
			struct averages a =
				average(b, l, &b->sets[s], &b->results[i][s]);
			printf(" %.2f / %.0f / %.0f |", a.nodes, a.bytes,
			       a.filter_bytes);
		}
		printf("\n");
	}
}

static void print_times(struct bench *b)
{
	print_head(b, "ns / in groups");
	for (size_t i = 0; i < b->subject_count; i++) {
		const struct layout *l = b->subjects[i].layout;
		printf("| %s |", l->name);
		for (size_t s = 0; s < SETS; s++) {
			struct averages a =
				average(b, l, &b->sets[s], &b->results[i][s]);
			printf(" %.0f / %.0f |", a.ns, a.group_ns);
		}
		printf("\n");
	}
}

static void report(struct bench *b)
{
	if (b->table) {
		print_sizes(b);
		print_counts(b);
		print_times(b);
		return;
	}
	for (size_t s = 0; s < SETS; s++)
		for (size_t i = 0; i < b->subject_count; i++)
			print_json(b, &b->subjects[i], &b->sets[s],
				   &b->results[i][s]);
}

/* --- The command line ---------------------------------------------------- */

static const char help[] =
	"usage: layouts [--kind uniform|skewed] [--count N] [--seed S]\n"
	"               [--order str|hilbert] [--queries N] [--rounds N]\n"
	"               [--table]\n"
	"\n"
	"Packs the same items into trees of different node layouts and into the\n"
	"real one, and asks all of them the same queries: uniform ones of scale\n"
	"1e-5, 1e-2 (a tenth as many) and 1e-1 (a hundredth), and of 1e-5\n"
	"centred on items.  Fails when answers differ.\n"
	"\n"
	"  --kind K     of items and queries, as 'catfish generate' (uniform)\n"
	"  --count N    items (2000000)\n"
	"  --seed S     of both (1)\n"
	"  --order O    that items are packed in (str)\n"
	"  --queries N  of the small scales (100000)\n"
	"  --rounds N   whose times the median is of (5)\n"
	"  --table      Markdown for people, in place of JSON lines\n";

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

static int parse_options(struct bench *b, int argc, char **argv)
{
	static const struct option options[] = {
		{"kind", required_argument, NULL, 'k'},
		{"count", required_argument, NULL, 'n'},
		{"seed", required_argument, NULL, 's'},
		{"order", required_argument, NULL, 'o'},
		{"queries", required_argument, NULL, 'q'},
		{"rounds", required_argument, NULL, 'r'},
		{"table", no_argument, NULL, 't'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	int option, error = 0;

	while (!error &&
	       (option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'k':
			error = generate_kind_parse(optarg, &b->data.kind);
			break;
		case 'n':
			error = parse_uint64(optarg, &b->data.count);
			break;
		case 's':
			error = parse_uint64(optarg, &b->data.seed);
			break;
		case 'o':
			error = parse_order(optarg, &b->order);
			break;
		case 'q':
			error = parse_uint64(optarg, &b->query_count);
			break;
		case 'r':
			error = parse_uint64(optarg, &b->rounds);
			break;
		case 't':
			b->table = true;
			break;
		case 'h':
			fputs(help, stdout);
			exit(program_finish_output() ? EXIT_NO_ROOM : EXIT_OK);
		default:
			return err_set(ERR_USAGE, "see layouts --help");
		}
	}
	if (!error && (optind < argc || !b->data.count || !b->query_count ||
		       b->data.count > UINT32_MAX || !b->rounds ||
		       b->rounds > ROUNDS_MAX ||
		       b->data.kind == GENERATE_POWERLAW_QUERIES))
		return err_set(ERR_USAGE,
			       "items, queries and 1 to %d rounds "
			       "are needed; see layouts --help",
			       ROUNDS_MAX);
	return error;
}

int main(int argc, char **argv)
{
	static struct bench b = {
		.data = {.count = 2000000, .seed = 1},
		.query_count = 100000,
		.rounds = 5,
		.sets = {{.name = "1e-5", .scale = 1e-5, .divisor = 1},
			 {.name = "1e-5 centred",
			  .scale = 1e-5,
			  .divisor = 1,
			  .centred = true},
			 {.name = "1e-2", .scale = 1e-2, .divisor = 10},
			 {.name = "1e-1", .scale = 1e-1, .divisor = 100}},
	};

	program_init("layouts");
	int error = parse_options(&b, argc, argv);
	if (!error)
		error = prepare(&b);
	if (!error)
		error = count(&b);
	if (!error)
		error = measure(&b);
	if (!error) {
		report(&b);
		error = program_finish_output();
	}
	clean_up(&b);
	return error ? (int)program_fail(error) : EXIT_OK;
}
