/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/lib/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "datasets/generate.h"
#include "datasets/writer.h"

/* The SHA-256 of a set of 1,000 as CSV. */
static void sum_up(const struct generate_options *options, char sum[65])
{
	char name[] = "/tmp/catfish-test-XXXXXX";
	char command[128];
	struct generator generator;
	struct writer writer;
	struct item item;
	FILE *file = fdopen(mkstemp(name), "w");

	writer_begin(&writer, file, WRITER_CSV, false);
	ck_assert_int_eq(generate_begin(&generator, options), 0);
	while (generate_next(&generator, &item))
		writer_item(&writer, 0, &item);
	ck_assert_int_eq(writer_end(&writer), 0);
	fclose(file);

	snprintf(command, sizeof(command), "sha256sum %s", name);
	FILE *pipe = popen(command, "r");
	ck_assert_int_eq(fscanf(pipe, "%64s", sum), 1);
	pclose(pipe);
	remove(name);
}

static const struct {
	struct generate_options options;
	const char *sum;
} known[] = {
	{{GENERATE_UNIFORM, 1000, 1, 0, 0},
	 "3c2276148c5262506cd0753fe715c6ba1d099b03fbe24199a8b9261be5fcdca5"},
	{{GENERATE_UNIFORM, 1000, 2, 0.01, 0},
	 "994110722cbc62529d1e35a3809a8635a51c88f9c4fbb1c377328d0cd0bed9d3"},
	{{GENERATE_UNIFORM, 1000, 1, 0, 1e-5},
	 "0c10caf13b32af1f753fd926e24a0edada8b61a4146d8bbd84b6700430091cbc"},
	{{GENERATE_SKEWED, 1000, 1, 0, 0},
	 "d97926065d2f9407cd99e19174d8e0beefa794486b9347225900eebceda50517"},
	{{GENERATE_SKEWED, 1000, 1, 0, 0.01},
	 "23ea30eb37020b6a211ff01339f381e5f9e9c5b9c3950244fec9e2310810dc48"},
	{{GENERATE_POWERLAW_QUERIES, 1000, 1, 0, 0},
	 "f925da0a183080ab91f14d4fd0c5be169f2c7390dcc35f434438ee3147a92a4e"},
};
enum { KNOWN_COUNT = sizeof(known) / sizeof(*known) };

START_TEST(a_seed_gives_the_same_bytes_everywhere)
{
	char sum[65];

	sum_up(&known[_i].options, sum);
	ck_assert_str_eq(sum, known[_i].sum);
}
END_TEST

/* Makes a set; the caller frees it. */
static struct item *make(enum generate_kind kind, uint64_t count, uint64_t seed,
			 double edge, double scale)
{
	const struct generate_options options = {kind, count, seed, edge,
						 scale};
	struct item *items = calloc(count + 1, sizeof(*items));
	struct generator generator;
	uint64_t made = 0;

	ck_assert_int_eq(generate_begin(&generator, &options), 0);
	while (generate_next(&generator, &items[made]))
		made++;
	ck_assert_uint_eq(made, count);
	return items;
}

static double edge_of(const struct item *item, int d)
{
	return item->rect.max[d] - item->rect.min[d];
}

START_TEST(rectangles_lie_in_the_unit_square_and_keep_to_their_edge)
{
	enum { COUNT = 100000 };
	struct item *items = make((enum generate_kind)_i, COUNT, 3, 0.5, 0);
	const struct rect square = {{0, 0}, {1, 1}};
	double longest = 0;

	for (int i = 0; i < COUNT; i++) {
		ck_assert_int_eq(items[i].id, i + 1);
		ck_assert(rect_valid(&items[i].rect));
		ck_assert(rect_contains(&square, &items[i].rect));
		for (int d = 0; d < DIMENSIONS; d++) {
			ck_assert(edge_of(&items[i], d) > 0);
			if (edge_of(&items[i], d) > longest)
				longest = edge_of(&items[i], d);
		}
	}
	ck_assert(longest > 0.49 && longest <= 0.5);
	free(items);
}
END_TEST

/* With a density of S^-2 between 1e-5 and 1e-2 the share of scales above s is
 * (1/s - 1e2) / (1e5 - 1e2).  The longer edge is S times the larger of two
 * uniform numbers, 2/3 in the mean, so of longer edges it is 2/3 of that. */
START_TEST(scales_of_the_power_law_fall_as_said)
{
	enum { COUNT = 200000 };
	struct item *items = make(GENERATE_POWERLAW_QUERIES, COUNT, 4, 0, 0);
	int above_1e4 = 0, above_1e3 = 0, above_1e2 = 0;

	for (int i = 0; i < COUNT; i++) {
		double x = edge_of(&items[i], 0), y = edge_of(&items[i], 1);
		double longer = x > y ? x : y;
		above_1e4 += longer > 1e-4;
		above_1e3 += longer > 1e-3;
		above_1e2 += longer > 1e-2;
	}
	ck_assert_int_gt(above_1e4, COUNT * 0.0605);
	ck_assert_int_lt(above_1e4, COUNT * 0.0705);
	ck_assert_int_gt(above_1e3, COUNT * 0.0050);
	ck_assert_int_lt(above_1e3, COUNT * 0.0070);
	ck_assert_int_eq(above_1e2, 0);
	free(items);
}
END_TEST

/* In a square of 16 by 16 cells, how many hold half of all centres. */
static int cells_with_half(const struct item *items, int count)
{
	int cells[256] = {0};
	int needed = 0;

	for (int i = 0; i < count; i++) {
		int x = (int)(items[i].rect.min[0] * 16) & 15;
		int y = (int)(items[i].rect.min[1] * 16) & 15;
		cells[16 * y + x]++;
	}
	for (int held = 0; held < count / 2; needed++) {
		int largest = 0;
		for (int i = 0; i < 256; i++)
			if (cells[i] > cells[largest])
				largest = i;
		held += cells[largest];
		cells[largest] = 0;
	}
	return needed;
}

START_TEST(skewed_is_skewed_and_uniform_is_not)
{
	enum { COUNT = 100000 };
	struct item *skewed = make(GENERATE_SKEWED, COUNT, 5, 0, 0);
	struct item *uniform = make(GENERATE_UNIFORM, COUNT, 5, 0, 0);

	ck_assert_int_lt(cells_with_half(skewed, COUNT), 40);
	ck_assert_int_gt(cells_with_half(uniform, COUNT), 115);
	free(skewed);
	free(uniform);
}
END_TEST

/* Cells of 1/16 that both sets put at least 1 in 100 of their centres into. */
START_TEST(skewed_queries_go_where_the_data_are_but_are_others)
{
	enum { COUNT = 50000 };
	struct item *data = make(GENERATE_SKEWED, COUNT, 6, 1e-5, 0);
	struct item *queries = make(GENERATE_SKEWED, COUNT, 6, 0, 1e-5);
	int in_data[256] = {0}, in_queries[256] = {0};
	int popular = 0, shared = 0;

	for (int i = 0; i < COUNT; i++) {
		ck_assert(!rect_equal(&data[i].rect, &queries[i].rect));
		in_data[(int)(data[i].rect.min[1] * 16) * 16 +
			(int)(data[i].rect.min[0] * 16)]++;
		in_queries[(int)(queries[i].rect.min[1] * 16) * 16 +
			   (int)(queries[i].rect.min[0] * 16)]++;
	}
	for (int i = 0; i < 256; i++) {
		popular += in_data[i] > COUNT / 100;
		shared +=
			in_data[i] > COUNT / 100 && in_queries[i] > COUNT / 125;
	}
	ck_assert_int_gt(popular, 10);
	ck_assert_int_eq(shared, popular);
	free(data);
	free(queries);
}
END_TEST

START_TEST(impossible_options_are_refused)
{
	static const struct generate_options wrong[] = {
		{GENERATE_UNIFORM, 1, 1, -0.1, 0},
		{GENERATE_UNIFORM, 1, 1, 1.5, 0},
		{GENERATE_SKEWED, 1, 1, 0, 2},
		{GENERATE_UNIFORM, 1, 1, 0.1, 0.1},
		{GENERATE_POWERLAW_QUERIES, 1, 1, 0.1, 0},
		{GENERATE_POWERLAW_QUERIES, 1, 1, 0, 0.1},
		{GENERATE_UNIFORM, UINT64_MAX, 1, 0, 0},
	};
	struct generator generator;
	enum generate_kind kind;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		ck_assert_int_eq(generate_begin(&generator, &wrong[i]),
				 ERR_USAGE);
	ck_assert_int_eq(generate_kind_parse("skewed", &kind), 0);
	ck_assert_int_eq(kind, GENERATE_SKEWED);
	ck_assert_int_eq(generate_kind_parse("normal", &kind), ERR_USAGE);
}
END_TEST

Suite *test_suite(const char **why)
{
	Suite *suite = suite_create("generate");
	TCase *tests = tcase_create("generate");

	(void)why;
	tcase_add_loop_test(tests, a_seed_gives_the_same_bytes_everywhere, 0,
			    KNOWN_COUNT);
	tcase_add_loop_test(
		tests, rectangles_lie_in_the_unit_square_and_keep_to_their_edge,
		GENERATE_UNIFORM, GENERATE_SKEWED + 1);
	tcase_add_test(tests, scales_of_the_power_law_fall_as_said);
	tcase_add_test(tests, skewed_is_skewed_and_uniform_is_not);
	tcase_add_test(tests,
		       skewed_queries_go_where_the_data_are_but_are_others);
	tcase_add_test(tests, impossible_options_are_refused);
	suite_add_tcase(suite, tests);
	return suite;
}
