/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TOOLS_BENCH_HISTOGRAM_H
#define TOOLS_BENCH_HISTOGRAM_H

/* How often each latency was measured, in logarithmic buckets as those of
 * HdrHistogram: each power of two is divided into 128 buckets of equal width,
 * and below 128 each value has its own.  A value read back is the middle of its
 * bucket, so it is at most 1/256, 0.4 %, off; the largest is kept exactly.
 *
 * Thread-safety: one histogram, one thread at a time. */

#include <stdint.h>

enum {
	HISTOGRAM_BITS = 7,
	HISTOGRAM_STEPS = 1 << HISTOGRAM_BITS, /* of each power of two */
	HISTOGRAM_BUCKETS = (64 - HISTOGRAM_BITS + 1) * HISTOGRAM_STEPS,
};

/* All zeros is an empty one. */
struct histogram {
	uint64_t count;
	uint64_t max;
	uint64_t buckets[HISTOGRAM_BUCKETS];
};

void histogram_record(struct histogram *histogram, uint64_t value);

/* Adds all that 'from' holds. */
void histogram_add(struct histogram *histogram, const struct histogram *from);

/* The value that a share of 'quantile', 0 to 1, are not above; 0 when there are
 * none. */
uint64_t histogram_quantile(const struct histogram *histogram, double quantile);

/* The least and the greatest value that are counted in a bucket. */
void histogram_bucket_range(unsigned bucket, uint64_t *least,
			    uint64_t *greatest);

#endif
