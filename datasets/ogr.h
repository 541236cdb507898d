/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DATASETS_OGR_H
#define DATASETS_OGR_H

/* Items from any vector format that GDAL reads: one per feature, or one per
 * line segment.  In three dimensions only geometries that have z give items.
 *
 * A library of its own, so that nothing but catfish-import links GDAL.  In a
 * build without GDAL, ogr_open() fails with ERR_UNSUPPORTED and says so.
 *
 * Thread-safety: one source, one thread. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/rect.h"

struct ogr_options {
	const char *source;   /* a file or anything else that GDAL opens */
	const char *layer;    /* NULL: every layer */
	const char *where;    /* an attribute filter, or NULL */
	const char *t_srs;    /* reproject to this, or NULL */
	const char *id_field; /* NULL: the feature id, or 1, 2, ... */
	bool segments;	      /* an item per line segment */
};

/* Why a feature gives no items. */
enum ogr_verdict {
	OGR_USABLE,
	OGR_NO_GEOMETRY,
	OGR_EMPTY,
	OGR_NOT_FINITE,	     /* a coordinate is NaN or infinite */
	OGR_NO_Z,	     /* in three dimensions: it has two */
	OGR_NOT_TRANSFORMED, /* outside what the projection is for */
	OGR_NO_SEGMENTS,     /* points only, and segments are wanted */
	OGR_NO_ID,	     /* the id field is null, or no 64-bit integer */
	OGR_VERDICTS,
};

/* The verdict in words, such as "empty geometry". */
const char *ogr_verdict_text(enum ogr_verdict verdict);

struct ogr_feature {
	const char *layer;
	int64_t fid;
	uint64_t vertices;
	enum ogr_verdict verdict;
	const struct item *items; /* valid until the next feature */
	size_t count;
};

struct ogr_source;

/* Opens a source.  ERR_NOT_FOUND when there is no such file; ERR_DATA, in
 * GDAL's words, when it can't be read; ERR_USAGE when there is no such layer or
 * field, or the filter or the reference system can't be understood. */
int ogr_open(const struct ogr_options *options, struct ogr_source **source);

/* Reads the next feature: 1, 0 at the end, or ERR_DATA in GDAL's words. */
int ogr_next(struct ogr_source *source, struct ogr_feature *feature);

/* How many features there are to read; 0 when only reading them would tell. */
uint64_t ogr_feature_count(const struct ogr_source *source);

/* Closes the source; NULL is fine. */
void ogr_close(struct ogr_source *source);

#endif
