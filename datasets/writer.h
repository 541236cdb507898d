/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DATASETS_WRITER_H
#define DATASETS_WRITER_H

/* Items as text, the way that `-o FORMAT` asks for.  Coordinates are the
 * shortest decimals that read back as the same double.
 *
 *	text	          1  (10.5, 55) - (11, 55.25)
 *	csv	 id,xmin,ymin,xmax,ymax
 *		 1,10.5,55,11,55.25
 *	jsonl	 {"id":1,"bbox":[10.5,55,11,55.25]}
 *	geojson	 one FeatureCollection, streamed, with a feature per line
 *	wkt	 1 POLYGON((10.5 55,11 55,11 55.25,10.5 55.25,10.5 55))
 *
 * With the answers of several queries each begins with its query's id: the
 * column "query" in csv, the member "query" in jsonl (in geojson among the
 * properties), "7: " in text, "7 " in wkt.
 *
 * Neighbours come with their distance: the last column, "distance", in csv, the
 * member "distance" in jsonl (in geojson among the properties), at the end of
 * the line in text, and not at all in wkt.  An infinite one is "inf", and null
 * in JSON, which has no word for it.
 *
 * A rectangle without area is a POINT or LINESTRING in geojson and wkt.
 *
 * In three dimensions csv has the columns zmin and zmax, a "bbox" six numbers
 * (geojson has it too then), and the geometry of geojson and wkt is what the
 * box is from above.
 *
 * Thread-safety: one writer, one thread. */

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/rect.h"

enum writer_format {
	WRITER_TEXT,
	WRITER_CSV,
	WRITER_JSONL,
	WRITER_GEOJSON,
	WRITER_WKT,
};

/* The format of that name; ERR_USAGE, with the names there are, otherwise. */
int writer_format_parse(const char *text, enum writer_format *format);

struct writer {
	FILE *file;
	enum writer_format format;
	bool several_queries;
	uint64_t items;
};

/* Starts writing: csv its header, geojson its beginning.  The file stays the
 * caller's. */
void writer_begin(struct writer *writer, FILE *file, enum writer_format format,
		  bool several_queries);

/* The same for the neighbours of one point. */
void writer_begin_neighbours(struct writer *writer, FILE *file,
			     enum writer_format format);

/* Writes one item; 'query' is the id of the query that it answers, of no
 * meaning unless there are several.  ERR_NO_ROOM when the disk is full,
 * ERR_SYSTEM when the file can't be written otherwise, for instance when
 * whoever reads it has gone: no more needs to be fetched. */
int writer_item(struct writer *writer, int64_t query, const struct item *item);

/* Writes one item with its distance, after writer_begin_neighbours(). */
int writer_neighbour(struct writer *writer, const struct item *item,
		     double distance);

/* Writes what a complete answer ends with, and flushes.  Errors as above,
 * also of what could not be written earlier. */
int writer_end(struct writer *writer);

#endif
