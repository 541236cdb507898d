/* SPDX-License-Identifier: BSD-2-Clause */

/* What a search by one path takes: the line, and the level above it. */

#include "adaptive/estimate.h"

/* What is forgotten with each sample: of the line, and of the level. */
#define FORGET_LINE  (1.0 / 256)
#define FORGET_LEVEL (1.0 / 32)

/* A level that is out of date is worth less, but one sample, that may have met
 * with something unusual, never counts for more than all before. */
#define FORGET_LEVEL_MOST 0.5

/* A slope of two standard errors counts by half. */
#define SIGNIFICANT 4.0

/* A sample counts as at most so many times what was expected. */
#define SURPRISE_MAX 8

static void add_to_line(struct estimate *e, double work, double took_ns);
static void draw_line(struct estimate *e);

void estimate_add(struct estimate *e, uint64_t search, double work,
		  double took_ns)
{
	double expected = estimate_predict(e, work);

	if (e->samples++ && took_ns > SURPRISE_MAX * expected)
		took_ns = SURPRISE_MAX * expected;
	add_to_line(e, work, took_ns);

	/* Both paths' levels are to remember equally long, in searches of the
	 * client: what is hardly used forgets faster with each sample. */
	double forget = FORGET_LEVEL * (double)(search - e->last);
	if (forget < FORGET_LEVEL)
		forget = FORGET_LEVEL;
	if (forget > FORGET_LEVEL_MOST)
		forget = FORGET_LEVEL_MOST;
	e->last = search;
	double said = e->base + e->slope * work;
	e->took += forget * (took_ns - e->took);
	e->said += forget * (said - e->said);
	e->level = e->took / e->said;
}

static void add_to_line(struct estimate *e, double work, double took_ns)
{
	const double keep = 1 - FORGET_LINE;

	e->n = keep * e->n + 1;
	e->x = keep * e->x + work;
	e->y = keep * e->y + took_ns;
	e->xx = keep * e->xx + work * work;
	e->xy = keep * e->xy + work * took_ns;
	e->yy = keep * e->yy + took_ns * took_ns;
	draw_line(e);
}

/* More work never takes less time, and no work never less than nothing: where
 * the samples say otherwise, that is chance.  So it is, too, where few of them
 * are scattered widely: of the slope counts what stands out from its standard
 * error. Both ends of the line stay above 0, so that the level is a number. */
static void draw_line(struct estimate *e)
{
	double x = e->x / e->n, y = e->y / e->n;
	double xx = e->xx / e->n - x * x, xy = e->xy / e->n - x * y;

	e->slope = 0;
	/* Works that differ by less than a thousandth tell nothing. */
	if (xx > 1e-6 * e->xx / e->n && xy > 0) {
		double slope = xy / xx;
		double rest = e->yy / e->n - y * y - slope * xy;
		double error = rest > 0 ? rest / (xx * e->n) : 0;
		e->slope = slope * slope * slope /
			   (slope * slope + SIGNIFICANT * error);
	}
	e->base = y - e->slope * x;
	if (e->base < 0) {
		e->base = 0;
		e->slope = y / x;
	}
	if (e->base < 1e-3 * y)
		e->base = 1e-3 * y;
}
