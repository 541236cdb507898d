/* SPDX-License-Identifier: BSD-2-Clause */

/* The R*-tree's split of a node's entries. */

#include "rtree/split.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ENTRIES_MAX = 2 * NODE_CAPACITY };

/* Bounds of the first i + 1 entries, and of those from i on. */
struct sweep {
	struct rect up_to[ENTRIES_MAX];
	struct rect from[ENTRIES_MAX];
};

/* How good a division is, and where: the first 'first' entries against the
 * rest. */
struct division {
	double overlap;
	double area;
	int first;
};

/* Sorting by either corner along one axis, the other breaking ties. */
typedef int compare(const void *a, const void *b, void *axis);

static int compare_double(double a, double b)
{
	return (a > b) - (a < b);
}

static int by_min(const void *a, const void *b, void *axis)
{
	const struct entry *x = a, *y = b;
	int d = *(int *)axis;
	int order = compare_double(x->rect.min[d], y->rect.min[d]);
	return order ? order : compare_double(x->rect.max[d], y->rect.max[d]);
}

static int by_max(const void *a, const void *b, void *axis)
{
	const struct entry *x = a, *y = b;
	int d = *(int *)axis;
	int order = compare_double(x->rect.max[d], y->rect.max[d]);
	return order ? order : compare_double(x->rect.min[d], y->rect.min[d]);
}

static double margin(const struct rect *r)
{
	double sum = 0;
	for (int d = 0; d < DIMENSIONS; d++)
		sum += r->max[d] - r->min[d];
	return sum;
}

static double area(const struct rect *r)
{
	double product = 1;
	for (int d = 0; d < DIMENSIONS; d++)
		product *= r->max[d] - r->min[d];
	return product;
}

static double overlap(const struct rect *a, const struct rect *b)
{
	double product = 1;
	for (int d = 0; d < DIMENSIONS; d++) {
		double side =
			fmin(a->max[d], b->max[d]) - fmax(a->min[d], b->min[d]);
		product *= side > 0 ? side : 0;
	}
	return product;
}

static void sweep(const struct entry *entries, int count, struct sweep *s)
{
	s->up_to[0] = entries[0].rect;
	for (int i = 1; i < count; i++) {
		s->up_to[i] = s->up_to[i - 1];
		rect_extend(&s->up_to[i], &entries[i].rect);
	}
	s->from[count - 1] = entries[count - 1].rect;
	for (int i = count - 1; i-- > 0;) {
		s->from[i] = s->from[i + 1];
		rect_extend(&s->from[i], &entries[i].rect);
	}
}

/* Entries that either group has at least. */
static int group_min(int count)
{
	int least = count * 2 / 5;
	if (least < count - NODE_CAPACITY)
		least = count - NODE_CAPACITY;
	return least < NODE_MIN ? NODE_MIN : least;
}

static double margin_sum(const struct sweep *s, int count)
{
	double sum = 0;
	for (int i = group_min(count); i <= count - group_min(count); i++)
		sum += margin(&s->up_to[i - 1]) + margin(&s->from[i]);
	return sum;
}

/* Whether 'a' is the better division. */
static bool better(const struct division *a, const struct division *b)
{
	return a->overlap < b->overlap ||
	       (a->overlap == b->overlap && a->area < b->area);
}

static struct division best_division(const struct sweep *s, int count)
{
	struct division best = {INFINITY, INFINITY, count / 2};

	for (int i = group_min(count); i <= count - group_min(count); i++) {
		const struct rect *a = &s->up_to[i - 1], *b = &s->from[i];
		struct division d = {overlap(a, b), area(a) + area(b), i};
		if (better(&d, &best))
			best = d;
	}
	return best;
}

/* Sorts the entries along axis 'd' by that corner which divides them better. */
static struct division divide_along(int d, struct entry *entries, int count,
				    double *margins)
{
	static compare *const orders[] = {by_min, by_max};
	struct division best = {0};
	struct entry sorted[ENTRIES_MAX];
	struct sweep s;

	*margins = 0;
	for (int o = 0; o < 2; o++) {
		memcpy(sorted, entries, (size_t)count * sizeof(*entries));
		qsort_r(sorted, (size_t)count, sizeof(*entries), orders[o], &d);
		sweep(sorted, count, &s);
		*margins += margin_sum(&s, count);
		struct division division = best_division(&s, count);
		if (o == 0 || better(&division, &best)) {
			best = division;
			memcpy(entries, sorted,
			       (size_t)count * sizeof(*entries));
		}
	}
	return best;
}

int split_entries(struct entry *entries, int count)
{
	struct entry ordered[ENTRIES_MAX];
	struct division best = {0};
	double least_margins = INFINITY;

	for (int d = 0; d < DIMENSIONS; d++) {
		double margins;
		memcpy(ordered, entries, (size_t)count * sizeof(*entries));
		struct division division =
			divide_along(d, ordered, count, &margins);
		if (d == 0 || margins < least_margins) {
			least_margins = margins;
			best = division;
			memcpy(entries, ordered,
			       (size_t)count * sizeof(*entries));
		}
	}
	return best.first;
}
