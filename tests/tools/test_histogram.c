/* SPDX-License-Identifier: BSD-2-Clause */

/* The histogram of catfish bench: its buckets, and what is read back. */

#include <check.h>
#include <stdlib.h>

#include "base/random.h"
#include "tests/lib/test.h"
#include "tools/bench_histogram.h"

START_TEST(buckets_follow_each_other_without_gaps)
{
	uint64_t least, greatest, before = UINT64_MAX;

	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
		histogram_bucket_range(i, &least, &greatest);
		ck_assert_uint_eq(least, before + 1);
		ck_assert_uint_ge(greatest, least);
		before = greatest;
	}
	ck_assert_uint_eq(before, UINT64_MAX);
}
END_TEST

START_TEST(a_value_is_counted_in_a_bucket_that_holds_it)
{
	struct random random;
	uint64_t least, greatest;

	random_seed(&random, 1);
	for (int i = 0; i < 10000; i++) {
		struct histogram histogram = {0};
		uint64_t value =
			random_next(&random) >> random_below(&random, 64);
		unsigned bucket = 0;
		histogram_record(&histogram, value);
		while (!histogram.buckets[bucket])
			bucket++;
		histogram_bucket_range(bucket, &least, &greatest);
		ck_assert_uint_le(least, value);
		ck_assert_uint_ge(greatest, value);
		/* A bucket's middle is within 1/256 of all that it holds. */
		ck_assert_uint_le((greatest - least) / 2, least / 256);
	}
}
END_TEST

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

START_TEST(quantiles_are_those_of_the_sorted_values)
{
	enum { COUNT = 100000 };
	static const double quantiles[] = {0.001, 0.5, 0.9, 0.99, 0.999, 1};
	static struct histogram one, other;
	uint64_t *values = malloc(COUNT * sizeof(*values));
	struct random random;

	random_seed(&random, 2);
	for (int i = 0; i < COUNT; i++) {
		values[i] = random_next(&random) >>
			    (30 + random_below(&random, 30));
		histogram_record(i % 2 ? &one : &other, values[i]);
	}
	histogram_add(&one, &other);
	ck_assert_uint_eq(one.count, COUNT);
	qsort(values, COUNT, sizeof(*values), compare);
	ck_assert_uint_eq(one.max, values[COUNT - 1]);
	for (size_t i = 0; i < sizeof(quantiles) / sizeof(*quantiles); i++) {
		size_t rank = (size_t)(quantiles[i] * COUNT);
		double exact = (double)values[rank - 1];
		double got = (double)histogram_quantile(&one, quantiles[i]);
		ck_assert_double_le(got, exact * (1 + 1.0 / 256));
		ck_assert_double_ge(got, exact * (1 - 1.0 / 256));
	}
	free(values);
}
END_TEST

START_TEST(nothing_has_no_latency)
{
	static const struct histogram empty;

	ck_assert_uint_eq(histogram_quantile(&empty, 0.99), 0);
}
END_TEST

Suite *test_suite(const char **skip_reason)
{
	Suite *suite = suite_create("histogram");
	TCase *tcase = tcase_create("histogram");

	tcase_add_test(tcase, buckets_follow_each_other_without_gaps);
	tcase_add_test(tcase, a_value_is_counted_in_a_bucket_that_holds_it);
	tcase_add_test(tcase, quantiles_are_those_of_the_sorted_values);
	tcase_add_test(tcase, nothing_has_no_latency);
	suite_add_tcase(suite, tcase);
	return suite;
}
