/* SPDX-License-Identifier: BSD-2-Clause */

/* catfish stat: what a server holds and has done, or what its tree or that of a
 * region file looks like, for people or as one JSON object. */

#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/format.h"
#include "tools/command.h"
#include "tools/server.h"
#include "tools/statistics.h"
#include "tools/watch.h"

enum stat_format {
	STAT_TEXT,
	STAT_JSONL,
};

static const char *const formats[] = {"text", "jsonl", NULL};
static int format = STAT_TEXT;
static bool of_tree;
static const char *region;
static bool watch, has_interval, has_times;
static uint64_t interval_ns = NS_PER_S, times;

static const struct command_option stat_options[] = {
	{
		.name = "tree",
		.help = "show the shape of the tree instead: of each level\n"
			"how full its nodes are, their areas and overlap",
		.take = options_take_flag,
		.to = &of_tree,
	},
	{
		.name = "region",
		.value = "FILE",
		.help = "with --tree: of this region file, not of a server",
		.take = options_take_text,
		.to = &region,
	},
	{
		.name = "watch",
		.help = "show the server's load, live, as it writes it into\n"
			"the memory of its clients",
		.take = options_take_flag,
		.to = &watch,
	},
	{
		.name = "interval",
		.value = "TIME",
		.help = "with --watch: between two lines (default: 1s)",
		.take = options_take_time_ns,
		.to = &interval_ns,
		.given = &has_interval,
	},
	{
		.name = "times",
		.value = "N",
		.help = "with --watch: so many lines (default: no end)",
		.take = options_take_uint64,
		.to = &times,
		.given = &has_times,
	},
	{
		.name = "output",
		.letter = 'o',
		.value = "text|jsonl",
		.help = "for people (default), or one JSON object",
		.take = options_take_choice,
		.to = &format,
		.choices = formats,
	},
	{0},
};

static void show_text(const struct catfish_stat *stat);
static void show_json(const struct catfish_stat *stat);

static int show_stat(void)
{
	struct catfish *server;
	struct catfish_stat stat;
	int error = server_open(NULL, &server);

	if (error)
		return error;
	error = server_result(catfish_stat(server, &stat));
	catfish_close(server);
	if (error)
		return error;
	if (format == STAT_JSONL)
		show_json(&stat);
	else
		show_text(&stat);
	return 0;
}

static int stat_run(const char *operand)
{
	if (region && !of_tree)
		return err_set(ERR_USAGE, "--region is for --tree");
	if (region && server_is_named())
		return err_set(ERR_USAGE,
			       "--region and --server exclude each other");
	if (watch && of_tree)
		return err_set(ERR_USAGE,
			       "--watch and --tree exclude each other");
	if ((has_interval || has_times) && !watch)
		return err_set(ERR_USAGE, "--%s is for --watch",
			       has_interval ? "interval" : "times");
	if (has_times && !times)
		return err_set(ERR_USAGE, "--times: at least 1, please");
	if (watch)
		return watch_show(interval_ns, times, format == STAT_JSONL);
	return of_tree ? statistics_show(region, format == STAT_JSONL)
		       : show_stat();
}

/* Levels that the answer tells of, whatever height it claims. */
static uint64_t level_count(const struct catfish_stat *stat)
{
	return stat->height < CATFISH_LEVELS ? stat->height : CATFISH_LEVELS;
}

/* --- For people --------------------------------------------------------- */

static void show_number(const char *name, uint64_t value)
{
	printf("%-18s %12" PRIu64 "\n", name, value);
}

/* A time with the unit that people would choose. */
static void print_time(uint64_t time_ns)
{
	if (time_ns < NS_PER_MS)
		printf("%9.3g us", (double)time_ns / NS_PER_US);
	else if (time_ns < NS_PER_S)
		printf("%9.3g ms", (double)time_ns / NS_PER_MS);
	else if (time_ns < 120 * NS_PER_S)
		printf("%10.1f s", (double)time_ns / NS_PER_S);
	else
		printf("%" PRIu64 ":%02" PRIu64 ":%02" PRIu64 " h",
		       time_ns / (3600 * NS_PER_S),
		       time_ns / (60 * NS_PER_S) % 60, time_ns / NS_PER_S % 60);
}

static void show_time(const char *name, uint64_t time_ns)
{
	printf("%-18s ", name);
	print_time(time_ns);
	putchar('\n');
}

static void show_levels(const struct catfish_stat *stat)
{
	printf("%-18s %12s %12s\n", "levels", "nodes", "entries");
	for (uint64_t level = level_count(stat); level-- > 0;)
		printf("  level %-10" PRIu64 " %12" PRIu64 " %12" PRIu64 "\n",
		       level, stat->nodes[level], stat->entries[level]);
}

static void show_region(const struct catfish_stat *stat)
{
	char size[FORMAT_SIZE_SIZE];

	printf("%-18s %12s\n", "region", format_size(size, stat->region_bytes));
	printf("%-18s %12" PRIu64 " of %" PRIu64 " bytes\n", "  pages",
	       stat->pages, stat->page_bytes);
	show_number("  free", stat->free_pages);
	show_number("  retired", stat->retired_pages);
}

static void show_saved(const struct catfish_stat *stat)
{
	printf("%-18s ", "last saved");
	if (stat->since_save_ns == UINT64_MAX)
		printf("%12s\n", "never");
	else {
		print_time(stat->since_save_ns);
		puts(" ago");
	}
	printf("%-18s %12" PRIu64, "unsaved versions", stat->unsaved_versions);
	puts(stat->unsaved_versions ? " (lost if the server is killed)" : "");
}

static void show_requests(const struct catfish_stat *stat)
{
	printf("%-18s %12s %12s\n", "requests", "messaging", "offload");
	printf("%-18s %12" PRIu64 " %12" PRIu64 "\n", "  search",
	       stat->searches, stat->offloaded);
	show_number("  count", stat->counts);
	show_number("  nearest", stat->nearest);
	show_number("  insert", stat->inserts);
	show_number("  update", stat->updates);
	show_number("  delete", stat->deletes);
	show_number("  load", stat->loads);
	show_number("  pushed back", stat->pushed_back);
}

static void show_text(const struct catfish_stat *stat)
{
	printf("%-18s %12" PRIx64 "\n", "identity", stat->identity);
	show_number("version", stat->version);
	show_number("items", stat->items);
	show_number("height", stat->height);
	show_levels(stat);
	show_region(stat);
	show_saved(stat);
	show_time("lease", stat->lease_ns);
	show_time("heartbeat", stat->heartbeat_ns);
	show_time("up for", stat->uptime_ns);
	show_number("process", stat->process_id);
	printf("%-18s %12" PRIu64 ", %" PRIu64 " of them one-sided\n",
	       "clients", stat->clients, stat->one_sided_clients);
	printf("%-18s %12" PRIu64 ", %.0f %% busy\n", "threads", stat->threads,
	       100 * stat->utilisation);
	show_requests(stat);
}

/* --- JSON --------------------------------------------------------------- */

static void put_number(const char *name, uint64_t value)
{
	printf(",\"%s\":%" PRIu64, name, value);
}

static void put_seconds(const char *name, uint64_t time_ns)
{
	printf(",\"%s\":%" PRIu64 ".%09" PRIu64, name, time_ns / NS_PER_S,
	       time_ns % NS_PER_S);
}

static void put_levels(const char *name, const uint64_t *values, uint64_t count)
{
	printf(",\"%s\":[", name);
	for (uint64_t level = 0; level < count; level++)
		printf("%s%" PRIu64, level ? "," : "", values[level]);
	putchar(']');
}

static void put_requests(const struct catfish_stat *stat)
{
	printf(",\"requests\":{\"messaging\":{\"search\":%" PRIu64,
	       stat->searches);
	put_number("count", stat->counts);
	put_number("nearest", stat->nearest);
	put_number("insert", stat->inserts);
	put_number("update", stat->updates);
	put_number("delete", stat->deletes);
	put_number("load", stat->loads);
	put_number("pushed_back", stat->pushed_back);
	printf("},\"offload\":{\"search\":%" PRIu64 "}}", stat->offloaded);
}

static void show_json(const struct catfish_stat *stat)
{
	printf("{\"identity\":\"%016" PRIx64 "\"", stat->identity);
	put_number("version", stat->version);
	put_number("items", stat->items);
	put_number("height", stat->height);
	put_levels("nodes", stat->nodes, level_count(stat));
	put_levels("entries", stat->entries, level_count(stat));
	put_number("region_bytes", stat->region_bytes);
	put_number("page_bytes", stat->page_bytes);
	put_number("pages", stat->pages);
	put_number("free_pages", stat->free_pages);
	put_number("retired_pages", stat->retired_pages);
	if (stat->since_save_ns == UINT64_MAX)
		printf(",\"since_save_s\":null");
	else
		put_seconds("since_save_s", stat->since_save_ns);
	put_number("unsaved_versions", stat->unsaved_versions);
	put_seconds("lease_s", stat->lease_ns);
	put_seconds("heartbeat_s", stat->heartbeat_ns);
	put_seconds("uptime_s", stat->uptime_ns);
	put_number("process_id", stat->process_id);
	put_number("clients", stat->clients);
	put_number("one_sided_clients", stat->one_sided_clients);
	put_number("threads", stat->threads);
	printf(",\"utilisation\":%.6f", stat->utilisation);
	put_requests(stat);
	puts("}");
}

const struct command stat_command = {
	.name = "stat",
	.summary = "show what a server holds and has done",
	.usage = "[options]\n"
		 "--tree [--region FILE] [options]",
	.text = "Shows what a server holds and has done.  What it has not "
		"saved yet is lost when\n"
		"it is killed; catfish save keeps it, and so does ending the "
		"server by SIGTERM\n"
		"when it was started with --region.\n",
	.example = "  catfish stat -o jsonl\n",
	.options = stat_options,
	.uses_server = true,
	.run = stat_run,
};
