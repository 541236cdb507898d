/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DATASETS_GEOMETRY_H
#define DATASETS_GEOMETRY_H

/* Queries by geometry: GEOS decides what an item's rectangle has to do with a
 * polygon.
 *
 * The tree is asked with the geometry's envelope, which finds every answer and
 * more; each item found is then held against the geometry itself:
 *
 *	struct rect box = geometry_envelope(geometry);
 *	... for each item that stands in the relation to 'box':
 *		int matches = geometry_matches(geometry, &item.rect);
 *
 * In three dimensions a geometry stands for the column of all heights above and
 * below it, its own z being passed over.
 *
 * Thread-safety: one geometry, one thread at a time; each has a GEOS context of
 * its own. */

#include "base/rect.h"

struct geometry;

/* Reads well-known text and prepares it to be asked for one relation.
 * ERR_USAGE, in GEOS's words, when it is not well-known text, is empty, is not
 * valid (a polygon that crosses itself), has a coordinate that is not finite,
 * or is a GEOMETRYCOLLECTION, for which not every relation is defined; also
 * when items of three dimensions are to contain it. */
int geometry_create(const char *wkt, enum relation relation,
		    struct geometry **geometry);
void geometry_destroy(struct geometry *geometry);

/* The smallest rectangle around it. */
struct rect geometry_envelope(const struct geometry *geometry);

/* Whether an item with this rectangle is an answer: 1, 0, or an error.  A
 * rectangle without area counts as a line or a point.
 *
 * RELATION_INTERSECTS: they share a point.
 * RELATION_CONTAINS: the item covers the geometry.
 * RELATION_WITHIN: the item is covered by the geometry. */
int geometry_matches(struct geometry *geometry, const struct rect *rect);

#endif
