/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BASE_RECT_H
#define BASE_RECT_H

/* Rectangles, items, and the relations that a query asks for.
 *
 * Thread-safety: pure functions. */

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* The same source is compiled for rectangles in the plane, the default, and for
 * boxes in space, which are called rectangles too. */
#ifndef CATFISH_DIMENSIONS
#define CATFISH_DIMENSIONS 2
#endif

enum { DIMENSIONS = CATFISH_DIMENSIONS };

/* The one of two string literals that is for these dimensions, such as the
 * names of a rectangle's coordinates. */
#if CATFISH_DIMENSIONS == 2
#define DIMENSIONAL(two, three) two
#elif CATFISH_DIMENSIONS == 3
#define DIMENSIONAL(two, three) three
#else
#error "CATFISH_DIMENSIONS must be 2 or 3"
#endif

#define RECT_COLUMNS                                                           \
	DIMENSIONAL("xmin,ymin,xmax,ymax", "xmin,ymin,zmin,xmax,ymax,zmax")

/* An axis-aligned rectangle.  Both corners belong to it, so touching edges
 * intersect.  Valid when all coordinates are finite and min <= max. */
struct rect {
	double min[DIMENSIONS];
	double max[DIMENSIONS];
};

/* What the tree holds.  Several items may share an id or a rectangle. */
struct item {
	int64_t id;
	struct rect rect;
};

/* How an item must stand to the query's rectangle to be an answer.  The
 * numbers are part of the wire protocol. */
enum relation {
	RELATION_INTERSECTS = 0, /* they share a point */
	RELATION_CONTAINS = 1,	 /* the item contains the query */
	RELATION_WITHIN = 2,	 /* the item lies in the query */
};

static inline bool rect_valid(const struct rect *r)
{
	for (int d = 0; d < DIMENSIONS; d++)
		/* Nor does NaN compare so. */
		if (!(r->min[d] >= -DBL_MAX && r->min[d] <= r->max[d] &&
		      r->max[d] <= DBL_MAX))
			return false;
	return true;
}

static inline bool rect_intersects(const struct rect *a, const struct rect *b)
{
	bool yes = true;
	for (int d = 0; d < DIMENSIONS; d++)
		yes &= (a->min[d] <= b->max[d]) & (b->min[d] <= a->max[d]);
	return yes;
}

static inline bool rect_contains(const struct rect *outer,
				 const struct rect *inner)
{
	bool yes = true;
	for (int d = 0; d < DIMENSIONS; d++)
		yes &= (outer->min[d] <= inner->min[d]) &
		       (outer->max[d] >= inner->max[d]);
	return yes;
}

/* Whether 'item' is an answer to 'query'. */
static inline bool rect_relation_holds(enum relation relation,
				       const struct rect *item,
				       const struct rect *query)
{
	switch (relation) {
	case RELATION_INTERSECTS:
		return rect_intersects(item, query);
	case RELATION_CONTAINS:
		return rect_contains(item, query);
	case RELATION_WITHIN:
		return rect_contains(query, item);
	}
	return false;
}

/* Same numbers; -0.0 equals 0.0. */
static inline bool rect_equal(const struct rect *a, const struct rect *b)
{
	bool yes = true;
	for (int d = 0; d < DIMENSIONS; d++)
		yes &= (a->min[d] == b->min[d]) & (a->max[d] == b->max[d]);
	return yes;
}

/* The product of all edges, and their sum. */
static inline double rect_area(const struct rect *r)
{
	double product = 1;
	for (int d = 0; d < DIMENSIONS; d++)
		product *= r->max[d] - r->min[d];
	return product;
}

static inline double rect_margin(const struct rect *r)
{
	double sum = 0;
	for (int d = 0; d < DIMENSIONS; d++)
		sum += r->max[d] - r->min[d];
	return sum;
}

/* The area that both cover. */
static inline double rect_overlap(const struct rect *a, const struct rect *b)
{
	double product = 1;
	for (int d = 0; d < DIMENSIONS; d++) {
		double min = a->min[d] > b->min[d] ? a->min[d] : b->min[d];
		double max = a->max[d] < b->max[d] ? a->max[d] : b->max[d];
		product *= max > min ? max - min : 0;
	}
	return product;
}

/* The rectangle of no points: the neutral element of rect_extend(). */
static inline struct rect rect_empty(void)
{
	struct rect r;
	for (int d = 0; d < DIMENSIONS; d++) {
		r.min[d] = INFINITY;
		r.max[d] = -INFINITY;
	}
	return r;
}

/* Makes 'r' just large enough to hold 'other' too. */
static inline void rect_extend(struct rect *r, const struct rect *other)
{
	for (int d = 0; d < DIMENSIONS; d++) {
		r->min[d] =
			other->min[d] < r->min[d] ? other->min[d] : r->min[d];
		r->max[d] =
			other->max[d] > r->max[d] ? other->max[d] : r->max[d];
	}
}

#endif
