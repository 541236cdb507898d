/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TOOLS_IMPORT_SOURCE_H
#define TOOLS_IMPORT_SOURCE_H

/* Where the items of an import come from: CSV, or whatever GDAL reads.
 *
 * Thread-safety: one thread. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/rect.h"
#include "datasets/ogr.h"

/* What has been read so far. */
struct import_totals {
	bool has_vertices; /* false for CSV, which has boxes */
	uint64_t features;
	uint64_t vertices;
	uint64_t items;
	uint64_t skipped; /* features that gave no items */
	uint64_t skipped_by[OGR_VERDICTS];
};

struct import_source;

/* Opens "-", standard input, and files that name the column xmin in their first
 * line as CSV; leaves the others to GDAL.  With 'strict' a feature that gives
 * no items is an error. */
int import_source_open(const struct ogr_options *options, bool strict,
		       struct import_source **source);
void import_source_close(struct import_source *source);

/* Reads on: 1 and some items, or none if all were skipped; 0 at the end; or an
 * error. */
int import_source_next(struct import_source *source, const struct item **items,
		       size_t *count);

const struct import_totals *
import_source_totals(const struct import_source *source);

/* How much of the source has been read, from 0 to 1; negative when its size is
 * not known. */
double import_source_share(const struct import_source *source);

#endif
