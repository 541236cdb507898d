/* SPDX-License-Identifier: BSD-2-Clause */

/* What a trace counts, beside a linear scan; and the schedule, beside a linear
 * search. */

#include <math.h>

#include "base/err.h"
#include "sim/schedule.h"
#include "sim/trace.h"
#include "tests/lib/test.h"

START_TEST(a_trace_counts_what_a_scan_finds)
{
	enum { ITEMS = 20000, QUERIES = 200 };
	const struct generate_options of_items = {
		.kind = GENERATE_UNIFORM,
		.count = ITEMS,
		.seed = 1,
		.edge = 0.01,
	};
	const struct generate_options of_queries = {
		.kind = GENERATE_UNIFORM,
		.count = QUERIES,
		.seed = 2,
		.scale = 0.1,
	};
	struct trace_set items, queries;
	struct trace trace;
	uint64_t found = 0;

	ck_assert_int_eq(trace_set_generate(&of_items, &items), 0);
	ck_assert_int_eq(trace_set_generate(&of_queries, &queries), 0);
	ck_assert_int_eq(trace_make(&items, &queries, &trace), 0);
	ck_assert_uint_eq(trace.count, QUERIES);
	ck_assert_uint_eq(trace.height, 3);
	for (int q = 0; q < QUERIES; q++) {
		const struct cost *cost = &trace.costs[q];
		unsigned hits = 0;
		for (int i = 0; i < ITEMS; i++)
			hits += rect_intersects(&items.items[i].rect,
						&queries.items[q].rect);
		ck_assert_uint_eq(cost->items, hits);
		ck_assert_uint_eq(cost->nodes, cost->inner + cost->leaf_reads);
		ck_assert_uint_ge(64 * cost->filtered_reads, hits);
		ck_assert_uint_le(cost->filtered_reads, cost->leaf_reads);
		ck_assert_uint_le(cost->filtered_bytes, cost->leaf_bytes);
		found += hits;
	}
	ck_assert_uint_gt(found, QUERIES);
	trace_fini(&trace);
	trace_set_fini(&queries);
	trace_set_fini(&items);
}
END_TEST

START_TEST(sets_that_make_no_sense_are_refused)
{
	const struct generate_options wrong = {
		.kind = GENERATE_UNIFORM, .count = 10, .edge = 2};
	struct item item = {0};
	const struct trace_set one = {&item, 1}, none = {0};
	struct trace trace;
	struct trace_set set;

	ck_assert_int_eq(trace_set_generate(&wrong, &set), ERR_USAGE);
	ck_assert_int_eq(trace_make(&none, &one, &trace), ERR_USAGE);
	ck_assert_int_eq(trace_make(&one, &none, &trace), ERR_USAGE);
}
END_TEST

START_TEST(the_earliest_is_next_and_of_equals_the_first)
{
	const size_t counts[] = {1, 2, 3, 7, 64, 100};
	struct random random;
	double times[100];

	random_seed(&random, 3);
	for (int c = 0; c < 6; c++) {
		struct schedule *s = schedule_create(counts[c]);
		for (int i = 0; i < 100; i++)
			times[i] = INFINITY;
		for (int step = 0; step < 2000; step++) {
			size_t i = random_below(&random, counts[c]), first = 0;
			double next;
			times[i] = (double)random_below(&random, 20);
			schedule_set(s, i, times[i]);
			for (size_t k = 1; k < counts[c]; k++)
				if (times[k] < times[first])
					first = k;
			ck_assert_uint_eq(schedule_next(s, &next), first);
			ck_assert_double_eq(next, times[first]);
		}
		schedule_destroy(s);
	}
}
END_TEST

Suite *test_suite(const char **why)
{
	Suite *suite = suite_create("trace");
	TCase *tcase = tcase_create("trace");

	tcase_add_test(tcase, a_trace_counts_what_a_scan_finds);
	tcase_add_test(tcase, sets_that_make_no_sense_are_refused);
	tcase_add_test(tcase, the_earliest_is_next_and_of_equals_the_first);
	suite_add_tcase(suite, tcase);
	return suite;
}
