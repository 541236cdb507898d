/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_RTREE_SHAPE_H
#define TESTS_RTREE_SHAPE_H

/* Random rectangles of many kinds, among them those that are most likely to be
 * got wrong.
 *
 * Thread-safety: pure but for the generator. */

#include "base/random.h"
#include "base/rect.h"
#include "tests/rtree/model.h"

enum shape {
	SHAPE_UNIFORM,	/* small ones in the unit square */
	SHAPE_LATTICE,	/* small integers and both zeros: most touch */
	SHAPE_POINTS,	/* without extent */
	SHAPE_LINES,	/* without extent along one axis, some very long */
	SHAPE_CLUSTERS, /* of very different densities */
	SHAPE_FAR,	/* where doubles are whole numbers */
	SHAPE_HUGE,	/* of all magnitudes, up to the largest double */
	SHAPE_TINY,	/* around the smallest doubles, denormal ones too */
	SHAPE_SAME,	/* one and the same, nearly always */
	SHAPE_MIXED,	/* any of these */
	SHAPES,
};

const char *shape_name(enum shape shape);

/* A valid rectangle. */
struct rect shape_rect(enum shape shape, struct random *random);

/* A query on items of that shape; it often is, touches, or only just misses,
 * one of those in the model. */
struct rect shape_query(enum shape shape, struct random *random,
			const struct model *model);

/* A rectangle that is none: NaN, infinite or inverted. */
struct rect shape_invalid(struct random *random);

#endif
