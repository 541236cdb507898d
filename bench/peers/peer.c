/* SPDX-License-Identifier: BSD-2-Clause */

/* Times a peer library on the files that rtree-bench reads, and prints the same
 * lines, so that checksums can be compared.
 *
 *	peer-NAME ITEMS.f64 QUERIES.f64 PHASES [MOST]
 *
 * where MOST bounds the number of items that are inserted and deleted and of
 * queries, for libraries that take minutes. */

#include "peer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static struct peer_box *items, *queries;
static size_t item_count, query_count;
static size_t most = SIZE_MAX;
static int64_t *ids;

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

static size_t at_most(size_t count)
{
	return count < most ? count : most;
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
	size_t count = at_most(item_count);

	peer.clear();
	for (size_t i = 0; i < count; i++)
		peer.insert((int64_t)i, &items[i]);
	operations = count;
}

static void run_delete(void)
{
	size_t count = at_most(item_count);

	for (size_t i = 0; i < count; i++)
		hits += (uint64_t)peer.remove((int64_t)i, &items[i]);
	operations = count;
}

static void run_search(void)
{
	size_t count = at_most(query_count);

	for (size_t q = 0; q < count; q++)
		add_hits(q, peer.search(&queries[q], ids));
	operations = count;
}

static void run_nearest(void)
{
	size_t count = at_most(query_count);

	for (size_t q = 0; q < count; q++)
		add_hits(q, peer.nearest(queries[q].min, 10, ids));
	operations = count;
}

static void run_phase(const char *phase, size_t length)
{
	static const struct {
		const char *name;
		void (*run)(void);
	} phases[] = {
		{"bulk", run_bulk},	      {"search", run_search},
		{"nearest", run_nearest},     {"insert", run_insert},
		{"search-after", run_search}, {"delete", run_delete},
	};
	/* What the library lacks for it is left out. */
	const int can[] = {peer.bulk != NULL,	 peer.search != NULL,
			   peer.nearest != NULL, peer.insert != NULL,
			   peer.insert != NULL,	 peer.remove != NULL};

	for (size_t i = 0; i < sizeof(phases) / sizeof(phases[0]); i++) {
		if (strlen(phases[i].name) != length ||
		    memcmp(phases[i].name, phase, length) || !can[i])
			continue;
		operations = hits = checksum = 0;
		uint64_t start = now_ns();
		phases[i].run();
		uint64_t ns = now_ns() - start;
		printf("{\"peer\":\"%s\",\"phase\":\"%s\",\"items\":%zu,"
		       "\"queries\":%zu,\"ns_per_op\":%.1f,\"hits\":%" PRIu64
		       ",\"checksum\":%" PRIu64 "}\n",
		       peer_name, phases[i].name, item_count, query_count,
		       (double)ns / (double)(operations ? operations : 1), hits,
		       checksum);
		fflush(stdout);
	}
}

int main(int argc, char **argv)
{
	if (argc < 4) {
		fprintf(stderr,
			"usage: %s ITEMS.f64 QUERIES.f64 PHASES [MOST]\n",
			argv[0]);
		return 2;
	}
	items = read_boxes(argv[1], &item_count);
	queries = read_boxes(argv[2], &query_count);
	if (argc > 4)
		most = strtoull(argv[4], NULL, 10);
	ids = malloc((item_count + 16) * sizeof(*ids));
	for (const char *phase = argv[3]; ids && *phase;) {
		size_t length = strcspn(phase, ",");
		run_phase(phase, length);
		phase += length + (phase[length] == ',');
	}
	free(ids);
	free(items);
	free(queries);
	return 0;
}
