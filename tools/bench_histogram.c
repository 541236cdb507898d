/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/bench_histogram.h"

#include <math.h>

/* Values below 2 * HISTOGRAM_STEPS are their own bucket; each power of two
 * above loses one more of the lowest bits. */
static unsigned bucket_of(uint64_t value)
{
	unsigned shift = 0;

	if (value >= HISTOGRAM_STEPS)
		shift = 63 - HISTOGRAM_BITS - (unsigned)__builtin_clzll(value);
	return shift * HISTOGRAM_STEPS + (unsigned)(value >> shift);
}

void histogram_record(struct histogram *histogram, uint64_t value)
{
	histogram->count++;
	histogram->buckets[bucket_of(value)]++;
	if (value > histogram->max)
		histogram->max = value;
}

void histogram_add(struct histogram *histogram, const struct histogram *from)
{
	histogram->count += from->count;
	if (from->max > histogram->max)
		histogram->max = from->max;
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
		histogram->buckets[i] += from->buckets[i];
}

void histogram_bucket_range(unsigned bucket, uint64_t *least,
			    uint64_t *greatest)
{
	unsigned power = bucket / HISTOGRAM_STEPS;
	unsigned shift = power ? power - 1 : 0;

	*least = (uint64_t)(bucket - shift * HISTOGRAM_STEPS) << shift;
	*greatest = *least + ((UINT64_C(1) << shift) - 1);
}

uint64_t histogram_quantile(const struct histogram *histogram, double quantile)
{
	uint64_t wanted = (uint64_t)ceil(quantile * (double)histogram->count);
	uint64_t seen = 0, least, greatest;

	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
		seen += histogram->buckets[i];
		if (!histogram->buckets[i] || seen < wanted)
			continue;
		histogram_bucket_range(i, &least, &greatest);
		uint64_t middle = least + (greatest - least) / 2;
		return middle < histogram->max ? middle : histogram->max;
	}
	return histogram->max;
}
