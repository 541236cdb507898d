/* SPDX-License-Identifier: BSD-2-Clause */

/* Times a peer library on the files that rtree-bench reads, in phases of the
 * same names, and prints the same lines, so that checksums can be compared.
 *
 *	peer-NAME ITEMS.f64 PHASES QUERIES.f64...
 *
 * A phase that searches does so with each set of queries, or with one alone:
 * "nearest:1e-2".  What the library can't do is left out. */

#include "peer.h"

#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../serialise.h"

enum { NEAREST_COUNT = 10, SETS_MAX = 8 };

/* Queries, and what they are called: their file without folder and ending. */
struct set {
	struct peer_box *queries;
	size_t count;
	char name[64];
};

static struct peer_box *items;
static size_t item_count;
static struct set sets[SETS_MAX];
static int set_count;
static int64_t *ids;
static size_t bytes_without; /* of memory, before there was a tree */

/* Of the phase. */
static const struct set *set;
static uint64_t operations, hits, checksum;

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static struct peer_box *read_boxes(const char *path, size_t *count)
{
	FILE *file = fopen(path, "rb");
	struct peer_box *boxes = NULL;

	if (!file || fseek(file, 0, SEEK_END)) {
		perror(path);
		exit(2);
	}
	*count = (size_t)ftell(file) / sizeof(*boxes);
	rewind(file);
	boxes = malloc(*count * sizeof(*boxes) + 1);
	if (!boxes || fread(boxes, sizeof(*boxes), *count, file) != *count) {
		fprintf(stderr, "%s: can't be read whole\n", path);
		exit(2);
	}
	fclose(file);
	return boxes;
}

static void add_hits(size_t query, size_t count)
{
	uint64_t sum = count;

	for (size_t i = 0; i < count; i++)
		sum += (uint64_t)ids[i];
	checksum += sum * (query + 1);
	hits += count;
}

static void run_bulk(void)
{
	peer.bulk(items, item_count);
	operations = item_count;
}

static void run_insert(void)
{
	peer.clear();
	for (size_t i = 0; i < item_count; i++)
		peer.insert((int64_t)i, &items[i]);
	operations = item_count;
}

static void run_delete(void)
{
	for (size_t i = 0; i < item_count; i++)
		hits += (uint64_t)peer.remove((int64_t)i, &items[i]);
	operations = item_count;
}

static void run_search(void)
{
	for (size_t q = 0; q < set->count; q++)
		add_hits(q, peer.search(&set->queries[q], ids));
	operations = set->count;
}

static void run_dependent(void)
{
	for (size_t q = 0; q < set->count; q++) {
		add_hits(q, peer.search(&set->queries[q], ids));
		serialise();
	}
	operations = set->count;
}

static void run_nearest(void)
{
	for (size_t q = 0; q < set->count; q++)
		add_hits(q,
			 peer.nearest(set->queries[q].min, NEAREST_COUNT, ids));
	operations = set->count;
}

static const struct phase {
	const char *name;
	void (*run)(void);
	int searches;
} phases[] = {
	{"bulk", run_bulk, 0},
	{"search", run_search, 1},
	{"dependent", run_dependent, 1},
	{"nearest", run_nearest, 1},
	{"insert", run_insert, 0},
	{"search-after", run_search, 1},
	{"dependent-after", run_dependent, 1},
	{"delete", run_delete, 0},
};

static int can(const struct phase *phase)
{
	if (phase->run == run_bulk)
		return peer.bulk != NULL;
	if (phase->run == run_insert)
		return peer.insert != NULL;
	if (phase->run == run_delete)
		return peer.remove != NULL;
	return phase->run == run_nearest ? peer.nearest != NULL
					 : peer.search != NULL;
}

static size_t bytes_in_use(void)
{
	struct mallinfo2 info = mallinfo2();
	return info.uordblks + info.hblkhd;
}

static void time_phase(const struct phase *phase)
{
	operations = hits = checksum = 0;
	uint64_t start = now_ns();
	phase->run();
	uint64_t ns = now_ns() - start;
	size_t bytes = bytes_in_use() - bytes_without;
	printf("{\"peer\":\"%s\",\"phase\":\"%s\",\"set\":\"%s\",\"items\":%zu,"
	       "\"queries\":%zu,\"ns_per_op\":%.1f,\"hits\":%" PRIu64
	       ",\"checksum\":%" PRIu64 ",\"bytes_per_item\":%.2f}\n",
	       peer_name, phase->name, phase->searches ? set->name : "",
	       item_count, set->count,
	       (double)ns / (double)(operations ? operations : 1), hits,
	       checksum, (double)bytes / (double)item_count);
	fflush(stdout);
}

/* Runs "PHASE" or "PHASE:SET", whose lengths are given. */
static int run_phase(const char *name, size_t length, size_t name_length)
{
	const char *only = name + name_length + 1;
	size_t only_length =
		length > name_length ? length - name_length - 1 : 0;

	for (size_t i = 0; i < sizeof(phases) / sizeof(phases[0]); i++) {
		const struct phase *phase = &phases[i];
		if (strlen(phase->name) != name_length ||
		    memcmp(phase->name, name, name_length) != 0)
			continue;
		int count = phase->searches ? set_count : 1;
		for (set = sets; can(phase) && set < sets + count; set++)
			if (!only_length ||
			    (strlen(set->name) == only_length &&
			     memcmp(set->name, only, only_length) == 0))
				time_phase(phase);
		return 1;
	}
	fprintf(stderr, "no phase '%.*s'\n", (int)name_length, name);
	return 0;
}

static void add_set(const char *path)
{
	struct set *new = &sets[set_count++];
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	const char *ending = strrchr(name, '.');
	size_t length = ending ? (size_t)(ending - name) : strlen(name);

	snprintf(new->name, sizeof(new->name), "%.*s", (int)length, name);
	new->queries = read_boxes(path, &new->count);
}

int main(int argc, char **argv)
{
	int done = 1;

	if (argc < 4 || argc - 3 > SETS_MAX) {
		fprintf(stderr, "usage: %s ITEMS.f64 PHASES QUERIES.f64...\n",
			argv[0]);
		return 2;
	}
	items = read_boxes(argv[1], &item_count);
	for (int i = 3; i < argc; i++)
		add_set(argv[i]);
	ids = malloc((item_count + NEAREST_COUNT) * sizeof(*ids));
	bytes_without = bytes_in_use();
	for (const char *phase = argv[2]; ids && done && *phase;) {
		size_t length = strcspn(phase, ",");
		done = run_phase(phase, length, strcspn(phase, ",:"));
		phase += length + (phase[length] == ',');
	}
	for (int i = 0; i < set_count; i++)
		free(sets[i].queries);
	free(ids);
	free(items);
	return done && ids ? 0 : 2;
}
