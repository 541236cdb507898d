/* SPDX-License-Identifier: BSD-2-Clause */

/* real-data: asks a server that holds a data set for 1,000 boxes of mixed size,
 * half of them centred on items, and wants by every path exactly the items that
 * a linear scan finds, and so the STRtree of GEOS (Leutenegger, Lopez and
 * Edgington, ICDE 1997).
 *
 *	real-data FILE ADDRESS...
 *
 * FILE is CSV (id,xmin,ymin,xmax,ymax with the ids 1, 2, ...), or lines in the
 * format of GMT, of which each segment is an item, numbered from 1. */

#include <geos_c.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "base/rect.h"
#include "client/catfish.h"

enum { QUERIES = 1000, BLOCK = 4096, SEED = 1, DIFFERENCES_PRINTED = 5 };

/* Numbers of items, each its id less one, in order. */
struct hits {
	uint32_t *item;
	size_t count, room;
};

struct data {
	struct rect *rects; /* of the items, by number */
	size_t count, room;
	struct rect bounds;
	struct rect queries[QUERIES];
	struct hits expected[QUERIES];
};

static void read_items(struct data *data, const char *name);
static void choose_queries(struct data *data);
static void scan(struct data *data);
static bool ask_strtree(const struct data *data);
static bool ask_server(const struct data *data, const char *path,
		       const char *address,
		       const struct catfish_options *options);

static void die(const char *format, ...)
	__attribute__((format(printf, 1, 2), noreturn));

static void die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(99);
}

/* By each path that the address's fabric has. */
static bool ask_at(const struct data *data, const char *address)
{
	static const struct catfish_options messaging = {
		.policy = CATFISH_POLICY_MESSAGING,
	};
	static const struct catfish_options copy = {
		.policy = CATFISH_POLICY_OFFLOAD,
		.offload = CATFISH_OFFLOAD_COPY,
	};
	static const struct catfish_options mapped = {
		.policy = CATFISH_POLICY_OFFLOAD,
		.offload = CATFISH_OFFLOAD_MAPPED,
	};

	bool same = ask_server(data, "messaging", address, &messaging);
	if (strncmp(address, "tcp:", 4))
		same &= ask_server(data, "copy", address, &copy);
	if (!strncmp(address, "shm:", 4))
		same &= ask_server(data, "mapped", address, &mapped);
	return same;
}

int main(int argc, char **argv)
{
	static struct data data;

	if (argc < 3)
		die("Usage: real-data FILE ADDRESS...");
	read_items(&data, argv[1]);
	choose_queries(&data);
	scan(&data);
	bool same = ask_strtree(&data);
	for (int i = 2; i < argc; i++)
		same &= ask_at(&data, argv[i]);
	return same ? 0 : 1;
}

/* --- Items -------------------------------------------------------------- */

static void *grow(void *array, size_t count, size_t *room, size_t size)
{
	if (count < *room)
		return array;
	*room = *room ? 2 * *room : 1024;
	array = realloc(array, *room * size);
	if (!array)
		die("no memory");
	return array;
}

static void add_item(struct data *data, const struct rect *rect)
{
	data->rects = grow(data->rects, data->count, &data->room,
			   sizeof(*data->rects));
	data->rects[data->count++] = *rect;
	rect_extend(&data->bounds, rect);
}

static int read_numbers(const char *line, double *numbers, int most)
{
	char *end;
	int count = 0;

	while (count < most) {
		numbers[count] = strtod(line, &end);
		if (end == line)
			break;
		count++;
		line = end + (*end == ',');
	}
	return count;
}

/* The box of the segment between two points. */
static struct rect segment(const double a[2], const double b[2])
{
	struct rect rect = rect_empty();
	const struct rect from = {{a[0], a[1]}, {a[0], a[1]}};
	const struct rect to = {{b[0], b[1]}, {b[0], b[1]}};

	rect_extend(&rect, &from);
	rect_extend(&rect, &to);
	return rect;
}

static void read_gmt(struct data *data, FILE *file)
{
	double points[2][2];
	char line[512];
	size_t on_line = 0, vertices = 0, lines = 0;

	while (fgets(line, sizeof(line), file)) {
		lines += *line == '>';
		if (*line == '>')
			on_line = 0;
		if (read_numbers(line, points[on_line % 2], 2) < 2)
			continue;
		vertices++;
		if (on_line++) {
			struct rect rect = segment(points[0], points[1]);
			add_item(data, &rect);
		}
	}
	printf("vertices: %zu in %zu lines\n", vertices, lines);
}

static void read_csv(struct data *data, FILE *file)
{
	double n[5];
	char line[512];

	while (fgets(line, sizeof(line), file)) {
		if (read_numbers(line, n, 5) < 5)
			continue;
		if (n[0] != (double)data->count + 1)
			die("item %zu has another id", data->count + 1);
		add_item(data, &(struct rect){{n[1], n[2]}, {n[3], n[4]}});
	}
}

static void read_items(struct data *data, const char *name)
{
	FILE *file = fopen(name, "r");
	int first = file ? getc(file) : EOF;

	if (first == EOF)
		die("%s: can't be read", name);
	ungetc(first, file);
	data->bounds = rect_empty();
	if (first == '#' || first == '>')
		read_gmt(data, file);
	else
		read_csv(data, file);
	fclose(file);
	if (data->count < 1 || data->count > UINT32_MAX)
		die("%s: %zu items", name, data->count);
	printf("items: %zu\n", data->count);
}

/* --- Queries ------------------------------------------------------------ */

/* From a hundred-thousandth to a tenth of the data's extent. */
static void choose_queries(struct data *data)
{
	const struct rect *b = &data->bounds;
	struct random random;

	random_seed(&random, SEED);
	for (int q = 0; q < QUERIES; q++) {
		const struct rect *item =
			&data->rects[random_below(&random, data->count)];
		double scale = pow(10, -1 - 4 * random_unit(&random));
		for (int d = 0; d < DIMENSIONS; d++) {
			double extent = b->max[d] - b->min[d];
			double at = b->min[d] + extent * random_unit(&random);
			if (q % 2)
				at = (item->min[d] + item->max[d]) / 2;
			data->queries[q].min[d] = at - extent * scale / 2;
			data->queries[q].max[d] = at + extent * scale / 2;
		}
	}
}

static void add_hit(struct hits *hits, size_t item)
{
	hits->item =
		grow(hits->item, hits->count, &hits->room, sizeof(*hits->item));
	hits->item[hits->count++] = (uint32_t)item;
}

/* Block by block, which stay in the cache for all queries. */
static void scan(struct data *data)
{
	size_t total = 0, found = 0;

	for (size_t begin = 0; begin < data->count; begin += BLOCK) {
		size_t left = data->count - begin;
		size_t end = begin + (left < BLOCK ? left : BLOCK);
		for (int q = 0; q < QUERIES; q++)
			for (size_t i = begin; i < end; i++)
				if (rect_intersects(&data->rects[i],
						    &data->queries[q]))
					add_hit(&data->expected[q], i);
	}
	for (int q = 0; q < QUERIES; q++) {
		total += data->expected[q].count;
		found += data->expected[q].count > 0;
	}
	printf("queries: %d, %zu of which find something\n"
	       "hits: %zu\n",
	       QUERIES, found, total);
}

/* --- Comparing ---------------------------------------------------------- */

static int compare_numbers(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* Whether they are those that the scan found, in any order. */
static bool is_expected(const struct data *data, int q, struct hits *hits)
{
	const struct hits *expected = &data->expected[q];

	if (hits->count == 0 || hits->count != expected->count)
		return hits->count == expected->count;
	qsort(hits->item, hits->count, sizeof(*hits->item), compare_numbers);
	return memcmp(hits->item, expected->item,
		      hits->count * sizeof(*hits->item)) == 0;
}

/* Counts an answer that is another than that of the scan. */
static void count_difference(const struct data *data, int q, const char *name,
			     const struct hits *hits, int *different)
{
	const struct rect *r = &data->queries[q];

	if ((*different)++ < DIFFERENCES_PRINTED)
		printf("%s, query %d (%.17g,%.17g,%.17g,%.17g): other items "
		       "than the scan, %zu where it has %zu\n",
		       name, q, r->min[0], r->min[1], r->max[0], r->max[1],
		       hits->count, data->expected[q].count);
}

static bool report(const char *name, int different)
{
	printf("%s: %d queries found the same, %d did not\n", name,
	       QUERIES - different, different);
	return different == 0;
}

/* --- GEOS --------------------------------------------------------------- */

/* Something that a rectangle is the envelope of. */
static GEOSGeometry *diagonal(const struct rect *rect)
{
	GEOSCoordSequence *ends = GEOSCoordSeq_create(2, 2);
	GEOSGeometry *line = NULL;

	if (ends && GEOSCoordSeq_setX(ends, 0, rect->min[0]) &&
	    GEOSCoordSeq_setY(ends, 0, rect->min[1]) &&
	    GEOSCoordSeq_setX(ends, 1, rect->max[0]) &&
	    GEOSCoordSeq_setY(ends, 1, rect->max[1]))
		line = GEOSGeom_createLineString(ends);
	if (!line)
		die("GEOS has no memory");
	return line;
}

static GEOSSTRtree *build_strtree(const struct data *data)
{
	GEOSSTRtree *tree = GEOSSTRtree_create(10);

	for (size_t i = 0; i < data->count; i++) {
		GEOSGeometry *line = diagonal(&data->rects[i]);
		/* It keeps the envelope and not the line. */
		GEOSSTRtree_insert(tree, line, &data->rects[i]);
		GEOSGeom_destroy(line);
	}
	return tree;
}

struct strtree_hits {
	const struct data *data;
	struct hits hits;
};

static void add_strtree_hit(void *item, void *context)
{
	struct strtree_hits *to = context;

	add_hit(&to->hits, (size_t)((struct rect *)item - to->data->rects));
}

static bool ask_strtree(const struct data *data)
{
	struct strtree_hits found = {.data = data};
	int different = 0;

	initGEOS(NULL, NULL);
	GEOSSTRtree *tree = build_strtree(data);
	for (int q = 0; q < QUERIES; q++) {
		GEOSGeometry *line = diagonal(&data->queries[q]);
		found.hits.count = 0;
		GEOSSTRtree_query(tree, line, add_strtree_hit, &found);
		GEOSGeom_destroy(line);
		if (!is_expected(data, q, &found.hits))
			count_difference(data, q, "strtree", &found.hits,
					 &different);
	}
	free(found.hits.item);
	GEOSSTRtree_destroy(tree);
	finishGEOS();
	return report("strtree", different);
}

/* --- The server --------------------------------------------------------- */

struct server_hits {
	const struct data *data;
	struct hits hits;
	bool is_strange; /* no such item, or its box is another */
};

static int add_server_hit(void *context, int64_t id, const double box[4])
{
	struct server_hits *to = context;
	uint64_t item = (uint64_t)id - 1;

	if (item >= to->data->count ||
	    memcmp(box, &to->data->rects[item], sizeof(struct rect)) != 0) {
		to->is_strange = true;
		return 0;
	}
	add_hit(&to->hits, item);
	return 0;
}

static bool ask_query(const struct data *data, struct catfish *server, int q,
		      struct server_hits *found,
		      const struct catfish_options *options)
{
	struct catfish_query query = {.relation = CATFISH_INTERSECTS};
	struct catfish_answer answer;

	memcpy(query.box, &data->queries[q], sizeof(query.box));
	found->hits.count = 0;
	found->is_strange = false;
	if (catfish_search(server, &query, add_server_hit, found, &answer))
		die("%s", catfish_error_text());
	/* Nobody writes, so offloading never has to ask the server. */
	return is_expected(data, q, &found->hits) && !found->is_strange &&
	       answer.count == found->hits.count &&
	       (options->policy == CATFISH_POLICY_OFFLOAD) ==
		       (answer.path == CATFISH_PATH_OFFLOAD) &&
	       answer.offload == options->offload;
}

static bool ask_server(const struct data *data, const char *path,
		       const char *address,
		       const struct catfish_options *options)
{
	struct server_hits found = {.data = data};
	struct catfish *server;
	int different = 0;
	char name[64];

	snprintf(name, sizeof(name), "%.*s %s", (int)strcspn(address, ":"),
		 address, path);

	if (catfish_connect(address, options, &server))
		die("%s", catfish_error_text());
	for (int q = 0; q < QUERIES; q++) {
		if (!ask_query(data, server, q, &found, options))
			count_difference(data, q, name, &found.hits,
					 &different);
	}
	catfish_close(server);
	free(found.hits.item);
	return report(name, different);
}
