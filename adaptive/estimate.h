/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef ADAPTIVE_ESTIMATE_H
#define ADAPTIVE_ESTIMATE_H

/* What a search by one path takes, learnt from those that were made:
 *
 *	level * (base + slope * work)
 *
 * 'base' and 'slope' are a line through the last few hundred of them, by least
 * squares with weights that fade: how the path's time depends on the query.
 * 'level' is the ratio of what the last few dozen took to what that line says:
 * how the path is doing now.
 *
 * Thread-safety: one struct, one thread. */

#include <stdint.h>

/* All zero at first. */
struct estimate {
	/* Sums over samples of 1, work, time, work^2, work * time, time^2, that
	 * fade. */
	double n, x, y, xx, xy, yy;
	double base, slope; /* the line through them */
	/* Sums of times, and of what the line said of them, that fade faster;
	 * and their ratio. */
	double took, said;
	double level;
	uint64_t samples;
	uint64_t last; /* the client's search that was the last sample */
};

/* Nanoseconds for a search with that much work, more than 0; 0 as long as there
 * is no sample. */
static inline double estimate_predict(const struct estimate *e, double work)
{
	return e->level * (e->base + e->slope * work);
}

/* Takes a sample, the client's search number 'search' by any path. */
void estimate_add(struct estimate *e, uint64_t search, double work,
		  double took_ns);

#endif
