/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/import_source.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "tools/csv_input.h"

enum { CSV_BATCH = 1024 };

/* Either a CSV reader or a source of GDAL. */
struct import_source {
	struct csv_reader *csv;
	struct ogr_source *ogr;
	bool strict;
	struct import_totals totals;
	struct item batch[CSV_BATCH];
};

static int check_csv_options(const struct ogr_options *options);
static int next_of_csv(struct import_source *source);
static int next_of_ogr(struct import_source *source, const struct item **items,
		       size_t *count);

int import_source_open(const struct ogr_options *options, bool strict,
		       struct import_source **source)
{
	struct import_source *new = calloc(1, sizeof(*new));
	bool is_csv = !strcmp(options->source, "-") ||
		      csv_dimensions(options->source);
	int error = 0;

	if (!new)
		return err_set(ERR_NO_MEMORY, "no memory");
	new->strict = strict;
	new->totals.has_vertices = !is_csv;
	if (is_csv) {
		error = check_csv_options(options);
		if (!error)
			error = csv_input_open(options->source, CSV_ITEMS,
					       &new->csv);
	} else {
		error = ogr_open(options, &new->ogr);
	}
	if (error)
		free(new);
	else
		*source = new;
	return error;
}

void import_source_close(struct import_source *source)
{
	if (!source)
		return;
	csv_close(source->csv);
	ogr_close(source->ogr);
	free(source);
}

int import_source_next(struct import_source *source, const struct item **items,
		       size_t *count)
{
	if (source->ogr)
		return next_of_ogr(source, items, count);

	int got = next_of_csv(source);
	if (got <= 0)
		return got;
	*items = source->batch;
	*count = (size_t)got;
	return 1;
}

const struct import_totals *
import_source_totals(const struct import_source *source)
{
	return &source->totals;
}

double import_source_share(const struct import_source *source)
{
	uint64_t done = source->totals.features, total;

	if (source->csv)
		csv_progress(source->csv, &done, &total);
	else
		total = ogr_feature_count(source->ogr);
	if (!total)
		return -1;
	return done < total ? (double)done / (double)total : 1;
}

/* CSV holds boxes with their ids: there is nothing to choose or transform. */
static int check_csv_options(const struct ogr_options *options)
{
	const char *option = options->layer	 ? "layer"
			     : options->where	 ? "where"
			     : options->t_srs	 ? "t-srs"
			     : options->segments ? "segments"
						 : NULL;

	if (!option && options->id_field && strcmp(options->id_field, "id"))
		option = "id";
	if (option)
		return err_set(ERR_USAGE,
			       "--%s is for what GDAL reads; %s is CSV of "
			       "rectangles",
			       option, options->source);
	return 0;
}

/* Fills the batch; returns how many items it holds, or an error. */
static int next_of_csv(struct import_source *source)
{
	int count = 0;

	while (count < CSV_BATCH) {
		int more = csv_next_item(source->csv, &source->batch[count]);
		if (more < 0)
			return more;
		if (!more)
			break;
		count++;
	}
	source->totals.features += (uint64_t)count;
	source->totals.items += (uint64_t)count;
	return count;
}

static int next_of_ogr(struct import_source *source, const struct item **items,
		       size_t *count)
{
	struct import_totals *totals = &source->totals;
	struct ogr_feature feature;
	int more = ogr_next(source->ogr, &feature);

	if (more <= 0)
		return more;
	if (source->strict && feature.verdict != OGR_USABLE)
		return err_set(ERR_DATA,
			       "feature %" PRId64 " of layer '%s': %s",
			       feature.fid, feature.layer,
			       ogr_verdict_text(feature.verdict));
	totals->features++;
	totals->vertices += feature.vertices;
	totals->items += feature.count;
	totals->skipped += feature.verdict != OGR_USABLE;
	totals->skipped_by[feature.verdict]++;
	*items = feature.items;
	*count = feature.count;
	return 1;
}
