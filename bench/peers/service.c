/* SPDX-License-Identifier: BSD-2-Clause */

/* Loads items into a peer that is a server, or times queries to it.
 *
 *	service-NAME WHERE load ITEMS.f64
 *	service-NAME WHERE ask QUERIES.f64 OUTSTANDING SECONDS
 *
 * One connection asks the queries in turn, for so long, or each once if SECONDS
 *is 0; so many are always outstanding.  Prints a JSON line. */

#include "service.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double seconds_of(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static struct service_box *read_boxes(const char *path, size_t *count)
{
	FILE *file = fopen(path, "rb");
	struct service_box *boxes = NULL;

	if (!file || fseek(file, 0, SEEK_END)) {
		perror(path);
		exit(2);
	}
	*count = (size_t)ftell(file) / sizeof(*boxes);
	rewind(file);
	boxes = malloc(*count * sizeof(*boxes) + 1);
	if (!*count || !boxes ||
	    fread(boxes, sizeof(*boxes), *count, file) != *count) {
		fprintf(stderr, "%s: can't be read whole\n", path);
		exit(2);
	}
	fclose(file);
	return boxes;
}

static void time_queries(const struct service_box *queries, size_t count,
			 unsigned outstanding, double seconds)
{
	double start = seconds_of(CLOCK_MONOTONIC), now = start;
	double cpu = seconds_of(CLOCK_PROCESS_CPUTIME_ID);
	uint64_t asked = 0, answered = 0, hits = 0;
	uint64_t most = seconds > 0 ? UINT64_MAX : count;
	size_t found = 0;

	while (answered < most && (most == count || now - start < seconds)) {
		while (asked - answered < outstanding && asked < most)
			service.ask(&queries[asked++ % count]);
		hits += service.wait();
		answered++;
		/* Whatever came with it makes room for as many in one go. */
		for (; asked != answered && service.poll(&found); answered++)
			hits += found;
		now = seconds_of(CLOCK_MONOTONIC);
	}
	cpu = seconds_of(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	printf("{\"peer\":\"%s\",\"outstanding\":%u,\"seconds\":%.3f,"
	       "\"searches\":%" PRIu64 ",\"ops_per_s\":%.1f,\"hits\":%" PRIu64
	       ",\"client_cpu_cores\":%.3f}\n",
	       service.name, outstanding, now - start, answered,
	       (double)answered / (now - start), hits, cpu / (now - start));
	while (asked != answered++)
		service.wait();
}

int main(int argc, char **argv)
{
	int loads = argc == 4 && !strcmp(argv[2], "load");
	struct service_box *boxes;
	size_t count;

	if (!loads && (argc != 6 || strcmp(argv[2], "ask") != 0)) {
		fprintf(stderr,
			"usage: %s WHERE load ITEMS.f64\n"
			"       %s WHERE ask QUERIES.f64 OUTSTANDING SECONDS\n",
			argv[0], argv[0]);
		return 2;
	}
	boxes = read_boxes(argv[3], &count);
	service.connect(argv[1]);
	if (loads)
		service.load(boxes, count);
	else
		time_queries(boxes, count, (unsigned)atoi(argv[4]),
			     atof(argv[5]));
	service.disconnect();
	free(boxes);
	return 0;
}
