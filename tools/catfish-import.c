/* SPDX-License-Identifier: BSD-2-Clause */

/* catfish-import: loads a data set into a server or a region file, all of it
 * or nothing.  A program of its own, which `catfish import` becomes, so that
 * nothing else is linked with GDAL. */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/dimensions.h"
#include "base/err.h"
#include "rtree/rtree.h"
#include "tools/command.h"
#include "tools/import_progress.h"
#include "tools/import_source.h"
#include "tools/import_target.h"
#include "tools/server.h"

static struct {
	struct ogr_options source;
	const char *region;
	bool append;
	bool replace;
	bool strict;
} options;

static const struct command_option import_options[] = {
	{
		.name = "region",
		.value = "FILE",
		.help = "import into this region file, not into a server",
		.take = options_take_text,
		.to = &options.region,
	},
	{
		.name = "append",
		.help = "add to the items that are there",
		.take = options_take_flag,
		.to = &options.append,
	},
	{
		.name = "replace",
		.help = "drop the items that are there",
		.take = options_take_flag,
		.to = &options.replace,
	},
	{
		.name = "segments",
		.help = "an item per line segment of lines and polygons,\n"
			"with the ids 1, 2, ...",
		.take = options_take_flag,
		.to = &options.source.segments,
	},
	{
		.name = "id",
		.value = "FIELD",
		.help = "the field that holds the id (default: the FID)",
		.take = options_take_text,
		.to = &options.source.id_field,
	},
	{
		.name = "where",
		.value = "FILTER",
		.help = "only features like this, such as \"height > 10\"",
		.take = options_take_text,
		.to = &options.source.where,
	},
	{
		.name = "layer",
		.value = "NAME",
		.help = "only this layer (default: all)",
		.take = options_take_text,
		.to = &options.source.layer,
	},
	{
		.name = "t-srs",
		.value = "SRS",
		.help = "transform to this reference system, such as\n"
			"EPSG:4326",
		.take = options_take_text,
		.to = &options.source.t_srs,
	},
	{
		.name = "strict",
		.help = "fail if a feature gives no item",
		.take = options_take_flag,
		.to = &options.strict,
	},
	{0},
};

static int import_run(const char *source);

static const struct command import_command = {
	.name = "import",
	.summary = "load a data set into a server or a region file",
	.usage = "SOURCE [--server ADDR] [--append | --replace] [OPTION ...]\n"
		 "SOURCE --region FILE [--append | --replace] [OPTION ...]",
	.text = "Loads the rectangles around the features of SOURCE, which is "
		"CSV with the\n"
		"columns id," RECT_COLUMNS ",\n"
		"'-' for such CSV on standard input, or any vector data that "
		"GDAL reads.\n"
		"All of it becomes visible at once, or nothing.\n",
	.example = "  catfish import places.csv --server "
		   "shm:///run/catfish.sock\n"
		   "  catfish import roads.gpkg --layer streets --segments "
		   "--region roads.region\n",
	.options = import_options,
	.uses_server = true,
	.operand = "SOURCE",
	.run = import_run,
};

int main(int argc, char **argv)
{
	dimensions_init(argv);
	return command_main(&import_command, argc, argv);
}

static int check_options(void);
static int open_target(struct import_target **target);
static int copy(struct import_source *source, struct import_target *target,
		struct import_progress *progress);
static int commit(struct import_source *source, struct import_target *target,
		  struct import_progress *progress, uint64_t *version);
static void report(const struct import_totals *totals, double seconds,
		   uint64_t version);

static int import_run(const char *name)
{
	struct import_progress progress;
	struct import_source *source = NULL;
	struct import_target *target = NULL;
	uint64_t version;

	options.source.source = name;
	import_progress_begin(&progress);
	int error = check_options();
	if (!error)
		error = import_source_open(&options.source, options.strict,
					   &source);
	if (!error)
		error = open_target(&target);
	if (!error)
		error = copy(source, target, &progress);
	if (!error)
		error = commit(source, target, &progress, &version);
	import_progress_end(&progress);
	if (!error)
		report(import_source_totals(source),
		       import_progress_seconds(&progress), version);
	if (target)
		target->close(target);
	import_source_close(source);
	return error;
}

static int check_options(void)
{
	if (options.region) {
		int error = dimensions_follow(
			rtree_file_dimensions(options.region));
		if (error)
			return error;
	}
	if (options.append && options.replace)
		return err_set(ERR_USAGE,
			       "--append or --replace, but not both");
	if (options.region && server_is_named())
		return err_set(ERR_USAGE, "--server or --region, but not both");
	return 0;
}

static int open_target(struct import_target **target)
{
	enum catfish_load_mode mode = options.append	? CATFISH_LOAD_APPEND
				      : options.replace ? CATFISH_LOAD_REPLACE
							: CATFISH_LOAD_EMPTY;

	return options.region ? import_region_open(options.region, mode, target)
			      : import_server_open(mode, target);
}

static int copy(struct import_source *source, struct import_target *target,
		struct import_progress *progress)
{
	const struct import_totals *totals = import_source_totals(source);
	const struct item *items;
	size_t count;
	int more;

	while ((more = import_source_next(source, &items, &count)) > 0) {
		int error = target->put(target, items, count);
		if (error)
			return error;
		import_progress_update(progress, totals->items,
				       import_source_share(source));
	}
	return more;
}

/* The reason that most of the skipped features were skipped for. */
static enum ogr_verdict main_reason(const struct import_totals *totals)
{
	enum ogr_verdict most = OGR_NO_GEOMETRY;

	for (int i = OGR_NO_GEOMETRY; i < OGR_VERDICTS; i++)
		if (totals->skipped_by[i] > totals->skipped_by[most])
			most = (enum ogr_verdict)i;
	return most;
}

/* Data without a single usable feature is the wrong data; to --replace
 * everything by nothing because of it would be a pity. */
static int commit(struct import_source *source, struct import_target *target,
		  struct import_progress *progress, uint64_t *version)
{
	const struct import_totals *totals = import_source_totals(source);

	if (totals->features && !totals->items)
		return err_set(ERR_DATA,
			       "nothing to import: none of %" PRIu64
			       " features can be used (%s)",
			       totals->features,
			       ogr_verdict_text(main_reason(totals)));
	import_progress_phase(progress, "packing the tree");
	return target->commit(target, version);
}

static void report(const struct import_totals *totals, double seconds,
		   uint64_t version)
{
	char vertices[48] = "";

	if (totals->has_vertices)
		snprintf(vertices, sizeof(vertices), ", %" PRIu64 " vertices",
			 totals->vertices);
	command_note("%" PRIu64 " features read%s, %" PRIu64 " skipped; "
		     "%" PRIu64 " items imported as version %" PRIu64
		     " in %.1f s, %.0f items/s",
		     totals->features, vertices, totals->skipped, totals->items,
		     version, seconds, (double)totals->items / seconds);
	for (int i = OGR_NO_GEOMETRY; i < OGR_VERDICTS; i++)
		if (totals->skipped_by[i])
			command_note("skipped %" PRIu64 ": %s",
				     totals->skipped_by[i],
				     ogr_verdict_text((enum ogr_verdict)i));
}
