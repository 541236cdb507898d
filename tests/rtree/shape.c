/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/rtree/shape.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>

typedef double coordinate_of(struct random *random);

const char *shape_name(enum shape shape)
{
	static const char *const names[SHAPES] = {
		[SHAPE_UNIFORM] = "uniform",   [SHAPE_LATTICE] = "lattice",
		[SHAPE_POINTS] = "points",     [SHAPE_LINES] = "lines",
		[SHAPE_CLUSTERS] = "clusters", [SHAPE_FAR] = "far",
		[SHAPE_HUGE] = "huge",	       [SHAPE_TINY] = "tiny",
		[SHAPE_SAME] = "same",	       [SHAPE_MIXED] = "mixed",
	};
	return names[shape];
}

static bool one_in(struct random *random, unsigned n)
{
	return random_below(random, n) == 0;
}

static double signed_of(struct random *random, double magnitude)
{
	return one_in(random, 2) ? -magnitude : magnitude;
}

static double lattice_coordinate(struct random *random)
{
	double whole = (double)random_below(random, 12) - 6;

	return whole == 0 ? signed_of(random, 0) : whole;
}

static double far_coordinate(struct random *random)
{
	return 0x1p53 + 2 * (double)random_below(random, 1000);
}

static double huge_coordinate(struct random *random)
{
	int exponent = (int)random_below(random, 2047) - 1022;

	if (one_in(random, 16))
		return signed_of(random, DBL_MAX);
	return signed_of(random,
			 ldexp(0.5 + random_unit(random) / 2, exponent));
}

static double tiny_coordinate(struct random *random)
{
	int exponent = -1074 + (int)random_below(random, 100);

	if (one_in(random, 16))
		return signed_of(random, 0);
	return signed_of(random, ldexp(1 + random_unit(random), exponent));
}

/* The rectangle around two points. */
static struct rect span(coordinate_of *coordinate, struct random *random)
{
	struct rect r;

	for (int d = 0; d < DIMENSIONS; d++) {
		double a = coordinate(random), b = coordinate(random);
		r.min[d] = a < b ? a : b;
		r.max[d] = a < b ? b : a;
	}
	return r;
}

/* Edges of up to 'edge', in the square of 'side' at 'corner'. */
static struct rect box(struct random *random, double corner, double side,
		       double edge)
{
	struct rect r;

	for (int d = 0; d < DIMENSIONS; d++) {
		r.min[d] = corner + side * random_unit(random);
		r.max[d] = r.min[d] + edge * random_unit(random);
	}
	return r;
}

static struct rect line(struct random *random)
{
	struct rect r = box(random, -1, 2, one_in(random, 8) ? 2 : 0.01);
	int d = (int)random_below(random, DIMENSIONS);

	r.max[d] = r.min[d];
	return r;
}

static struct rect cluster(struct random *random)
{
	static const double corners[] = {-1e6, 0, 0.001, 7, 1e3};
	static const double sides[] = {1e-9, 1e-3, 1, 100, 1e6};
	uint64_t i = random_below(random, 5);

	return box(random, corners[i], sides[i], sides[i] / 100);
}

static struct rect same(struct random *random)
{
	struct rect r = {{0.1, -0.7}, {0.3, 0}};

	if (one_in(random, 64))
		r.max[1] = random_unit(random);
	return r;
}

struct rect shape_rect(enum shape shape, struct random *random)
{
	switch (shape) {
	case SHAPE_UNIFORM:
		return box(random, 0, 1, 0.02);
	case SHAPE_LATTICE:
		return span(lattice_coordinate, random);
	case SHAPE_POINTS:
		return box(random, -3, 6, 0);
	case SHAPE_LINES:
		return line(random);
	case SHAPE_CLUSTERS:
		return cluster(random);
	case SHAPE_FAR:
		return span(far_coordinate, random);
	case SHAPE_HUGE:
		return span(huge_coordinate, random);
	case SHAPE_TINY:
		return span(tiny_coordinate, random);
	case SHAPE_SAME:
		return same(random);
	default:
		return shape_rect(random_below(random, SHAPE_MIXED), random);
	}
}

/* --- Queries ------------------------------------------------------------ */

/* The least that a side can be moved outwards, or inwards. */
static void nudge(struct rect *r, struct random *random)
{
	int d = (int)random_below(random, DIMENSIONS);
	double towards = signed_of(random, DBL_MAX);

	if (one_in(random, 2))
		r->min[d] = nextafter(r->min[d], towards);
	else
		r->max[d] = nextafter(r->max[d], towards);
	if (r->min[d] > r->max[d])
		r->max[d] = r->min[d];
}

/* What shares an edge or a corner with 'r', and no more. */
static struct rect neighbour(const struct rect *r, enum shape shape,
			     struct random *random)
{
	struct rect other = shape_rect(shape, random);
	int d = (int)random_below(random, DIMENSIONS);

	if (other.max[d] >= r->max[d]) {
		other.min[d] = r->max[d];
	} else {
		other.min[d] =
			other.min[d] < r->min[d] ? other.min[d] : r->min[d];
		other.max[d] = r->min[d];
	}
	return other;
}

static struct rect corner(const struct rect *r, struct random *random)
{
	struct rect point = *r;

	for (int d = 0; d < DIMENSIONS; d++)
		if (one_in(random, 2))
			point.min[d] = point.max[d];
		else
			point.max[d] = point.min[d];
	return point;
}

struct rect shape_query(enum shape shape, struct random *random,
			const struct model *model)
{
	struct rect r = shape_rect(shape, random);

	if (model->count && !one_in(random, 4))
		r = model->items[random_below(random, model->count)].rect;
	switch (random_below(random, 12)) {
	case 0:
	case 1:
		nudge(&r, random);
		return r;
	case 2:
	case 3:
		return neighbour(&r, shape, random);
	case 4:
	case 5:
		return corner(&r, random);
	case 6:
	case 7: {
		struct rect other = shape_rect(shape, random);
		rect_extend(&r, &other);
		return r;
	}
	case 8:
		return one_in(random, 8) ? model_everywhere() : r;
	default:
		return r;
	}
}

struct rect shape_invalid(struct random *random)
{
	static const double bad[] = {NAN, INFINITY, -INFINITY};
	struct rect r = shape_rect(SHAPE_UNIFORM, random);
	int d = (int)random_below(random, DIMENSIONS);
	uint64_t kind = random_below(random, 7);

	if (kind < 3)
		r.min[d] = bad[kind];
	else if (kind < 6)
		r.max[d] = bad[kind - 3];
	else
		r.min[d] = nextafter(r.max[d], INFINITY);
	return r;
}
