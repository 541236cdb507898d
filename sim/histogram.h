/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SIM_HISTOGRAM_H
#define SIM_HISTOGRAM_H

/* Latencies, kept to about 1.6 %: 64 classes for each doubling.
 *
 * Thread-safety: one struct, one thread. */

#include <math.h>
#include <stdint.h>

enum {
	HISTOGRAM_PARTS = 64,
	HISTOGRAM_DOUBLINGS = 48, /* from 1 ns */
};

struct histogram {
	uint64_t count[HISTOGRAM_DOUBLINGS * HISTOGRAM_PARTS];
	uint64_t total;
	double sum;
};

static inline void histogram_add(struct histogram *h, double value)
{
	uint64_t whole = value < 1 ? 1 : (uint64_t)value;
	unsigned doubling = 63 - (unsigned)__builtin_clzll(whole);
	unsigned part = doubling >= 6 ? whole >> (doubling - 6) & 63
				      : whole << (6 - doubling) & 63;

	if (doubling >= HISTOGRAM_DOUBLINGS)
		doubling = HISTOGRAM_DOUBLINGS - 1;
	h->count[doubling * HISTOGRAM_PARTS + part]++;
	h->total++;
	h->sum += value;
}

/* The middle of the class that the part 'quantile' of all is below. */
static inline double histogram_quantile(const struct histogram *h,
					double quantile)
{
	uint64_t rest = (uint64_t)(quantile * (double)h->total);

	for (int i = 0; i < HISTOGRAM_DOUBLINGS * HISTOGRAM_PARTS; i++) {
		if (h->count[i] > rest)
			return ldexp(1 + (i % HISTOGRAM_PARTS + 0.5) /
						     HISTOGRAM_PARTS,
				     i / HISTOGRAM_PARTS);
		rest -= h->count[i];
	}
	return 0;
}

#endif
