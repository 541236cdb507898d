/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/statistics.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "base/err.h"
#include "base/format.h"
#include "rtree/rtree.h"
#include "tools/region.h"
#include "tools/server.h"

static int ask_server(struct catfish_statistics *statistics);
static int look_into_file(const char *region,
			  struct catfish_statistics *statistics);
static void show_text(const struct catfish_statistics *statistics);
static void show_json(const struct catfish_statistics *statistics);

int statistics_show(const char *region, bool as_json)
{
	struct catfish_statistics statistics;
	int error = region ? look_into_file(region, &statistics)
			   : ask_server(&statistics);

	if (error)
		return error;
	if (as_json)
		show_json(&statistics);
	else
		show_text(&statistics);
	return 0;
}

static int ask_server(struct catfish_statistics *statistics)
{
	struct catfish *server;
	int error = server_open(NULL, &server);

	if (error)
		return error;
	error = server_result(catfish_statistics(server, statistics));
	catfish_close(server);
	return error;
}

static int look_into_file(const char *region,
			  struct catfish_statistics *statistics)
{
	struct rtree_statistics from;
	struct rtree *tree;
	int error = region_read(region, &tree);

	if (error)
		return error;
	error = rtree_statistics(tree, &from);
	rtree_destroy(tree);
	if (error)
		return error;
	*statistics = (struct catfish_statistics){
		.version = from.version,
		.height = (uint64_t)from.height,
	};
	for (int i = 0; i < from.height; i++)
		statistics->levels[i] = (struct catfish_level){
			.nodes = from.levels[i].nodes,
			.entries = from.levels[i].entries,
			.least = from.levels[i].least,
			.most = from.levels[i].most,
			.area = from.levels[i].area,
			.margin = from.levels[i].margin,
			.overlap = from.levels[i].overlap,
		};
	return 0;
}

/* --- For people ----------------------------------------------------------- */

static double fill(const struct catfish_level *level)
{
	double room = (double)level->nodes * NODE_CAPACITY;

	return room > 0 ? (double)level->entries / room : 0;
}

static void show_text(const struct catfish_statistics *statistics)
{
	printf("version %" PRIu64 "\n", statistics->version);
	printf("%5s %10s %12s %6s %5s %4s %12s %12s %12s\n", "level", "nodes",
	       "entries", "fill", "least", "most", "area", "margin", "overlap");
	for (uint64_t i = statistics->height; i-- > 0;) {
		const struct catfish_level *level = &statistics->levels[i];
		printf("%5" PRIu64 " %10" PRIu64 " %12" PRIu64 " %5.1f%% "
		       "%5" PRIu64 " %4" PRIu64 " %12.6g %12.6g %12.6g\n",
		       i, level->nodes, level->entries, 100 * fill(level),
		       level->least, level->most, level->area, level->margin,
		       level->overlap);
	}
}

/* --- JSON ----------------------------------------------------------------- */

/* JSON has no word for the infinite. */
static void put_double(const char *name, double value)
{
	char text[FORMAT_DOUBLE_SIZE];

	format_double(text, value);
	printf(",\"%s\":%s", name, isfinite(value) ? text : "null");
}

static void put_level(uint64_t number, const struct catfish_level *level)
{
	printf("%s{\"level\":%" PRIu64 ",\"nodes\":%" PRIu64
	       ",\"entries\":%" PRIu64 ",\"least\":%" PRIu64
	       ",\"most\":%" PRIu64,
	       number ? "," : "", number, level->nodes, level->entries,
	       level->least, level->most);
	put_double("fill", fill(level));
	put_double("area", level->area);
	put_double("margin", level->margin);
	put_double("overlap", level->overlap);
	putchar('}');
}

static void show_json(const struct catfish_statistics *statistics)
{
	printf("{\"version\":%" PRIu64 ",\"capacity\":%d,\"levels\":[",
	       statistics->version, NODE_CAPACITY);
	for (uint64_t i = 0; i < statistics->height; i++)
		put_level(i, &statistics->levels[i]);
	puts("]}");
}
