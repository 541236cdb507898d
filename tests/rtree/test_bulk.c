/* SPDX-License-Identifier: BSD-2-Clause */

/* A bulk load of any size and kind makes a right tree, in the room that was
 * forecast for it. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "rtree/batch.h"
#include "tests/lib/test.h"
#include "tests/rtree/effort.h"
#include "tests/rtree/model.h"
#include "tests/rtree/shape.h"

enum {
	MANY = NODE_CAPACITY == 64 ? 100000 : 5000,
	LEAF = NODE_CAPACITY,
	TREE2 = NODE_CAPACITY * NODE_CAPACITY,
};

static const uint64_t sizes[] = {
	0,
	1,
	2,
	LEAF - 1,
	LEAF,
	LEAF + 1,
	2 * LEAF + 1,
	1000,
	TREE2 - 1,
	TREE2,
	TREE2 + 1,
	TREE2 + LEAF + 1,
};

static struct model make_items(enum shape shape, uint64_t count)
{
	struct random random;
	struct model model = {0};

	random_seed(&random, test_seed() + count);
	for (uint64_t i = 0; i < count; i++)
		model_insert(&model, &(struct item){.id = (int64_t)i,
						    .rect = shape_rect(
							    shape, &random)});
	return model;
}

static struct rtree *make_tree(uint64_t size)
{
	const struct rtree_options options = {.size = size};
	struct rtree *tree;

	ck_assert_int_eq(rtree_create(&options, &tree), 0);
	return tree;
}

static int load(struct rtree *tree, const struct model *model,
		const struct rtree_pack_options *options)
{
	struct rtree_batch *batch;
	uint64_t version;

	ck_assert_int_eq(rtree_batch_begin(tree, &batch), 0);
	int error = rtree_replace(batch, model->items, model->count, options);
	if (error)
		rtree_batch_abort(batch);
	else
		rtree_batch_commit(batch, &version);
	return error;
}

static int compare_by_queries(struct rtree *tree, const struct model *model,
			      enum shape shape, int count)
{
	struct random random;
	struct rtree_pin pin;
	int error = rtree_pin(tree, &pin);

	random_seed(&random, test_seed());
	for (int i = 0; !error && i < count; i++) {
		struct rect query = shape_query(shape, &random, model);
		error = model_compare_query(model, tree, &pin.root, &query);
	}
	rtree_unpin(tree, &pin);
	return error;
}

/* Loads the items in just the room that was forecast. */
static void check_load(const struct model *model, enum shape shape,
		       const struct rtree_pack_options *options, int queries)
{
	struct rtree *tree = make_tree(rtree_size_forecast(model->count));
	int error = load(tree, model, options);

	if (!error)
		error = model_compare(model, tree);
	if (!error)
		error = compare_by_queries(tree, model, shape, queries);
	ck_assert_msg(!error, "%zu items, %s, CATFISH_TEST_SEED=%llu: %s",
		      model->count, shape_name(shape),
		      (unsigned long long)test_seed(), err_text());
	rtree_destroy(tree);
}

static const struct rtree_pack_options ways[] = {
	{.order = RTREE_ORDER_TILES},
	{.order = RTREE_ORDER_TILES, .threads = 1},
	{.order = RTREE_ORDER_TILES, .threads = 5},
	{.order = RTREE_ORDER_CURVE, .threads = 1},
	{.order = RTREE_ORDER_CURVE, .threads = 3},
};

enum { WAYS = sizeof(ways) / sizeof(ways[0]) };

START_TEST(every_size_makes_a_right_tree)
{
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		for (int way = 0; way < WAYS; way++) {
			struct model model = make_items(_i, sizes[i]);
			check_load(&model, _i, &ways[way], 3);
			model_fini(&model);
		}
}
END_TEST

START_TEST(many_items_make_a_right_tree)
{
	struct model model = make_items(_i, test_effort(MANY));

	check_load(&model, _i, &ways[0], 3);
	check_load(&model, _i, &ways[4], 3);
	model_fini(&model);
}
END_TEST

static int by_x(const void *a, const void *b)
{
	const struct item *x = a, *y = b;

	return (x->rect.min[0] > y->rect.min[0]) -
	       (x->rect.min[0] < y->rect.min[0]);
}

static void reverse(struct model *model)
{
	for (size_t i = 0, j = model->count; i + 1 < j; i++) {
		struct item item = model->items[i];
		model->items[i] = model->items[--j];
		model->items[j] = item;
	}
}

START_TEST(sorted_items_make_a_right_tree)
{
	struct model model = make_items(SHAPE_UNIFORM, test_effort(MANY));

	qsort(model.items, model.count, sizeof(model.items[0]), by_x);
	check_load(&model, SHAPE_UNIFORM, &ways[0], 3);
	reverse(&model);
	check_load(&model, SHAPE_UNIFORM, &ways[0], 3);
	model_fini(&model);
}
END_TEST

/* Item i is a point at (x(i), y(i)). */
static struct model make_points(uint64_t count, double x(uint64_t),
				double y(uint64_t))
{
	struct model model = {0};

	for (uint64_t i = 0; i < count; i++)
		model_insert(&model, &(struct item){.id = (int64_t)i,
						    .rect = {{x(i), y(i)},
							     {x(i), y(i)}}});
	return model;
}

static double zero(uint64_t i)
{
	(void)i;
	return 0;
}

static double same(uint64_t i)
{
	return (double)i;
}

/* 0 to 499 and back. */
static double there_and_back(uint64_t i)
{
	return (double)(i % 1000 < 500 ? i % 1000 : 999 - i % 1000);
}

static double two_values(uint64_t i)
{
	return i % 2 ? 1e300 : -1e300;
}

/* Not 0 as floats yet, but a thousand times their least. */
static double hardly_anything(uint64_t i)
{
	return (double)(i % 7) * 0x1p-140;
}

START_TEST(collinear_items_make_a_right_tree)
{
	static double (*const along[])(uint64_t) = {
		zero, same, there_and_back, two_values, hardly_anything,
	};
	enum { KINDS = sizeof(along) / sizeof(along[0]) };

	for (int x = 0; x < KINDS; x++)
		for (int y = 0; y < KINDS; y++)
			for (int way = 0; way < WAYS; way++) {
				struct model model =
					make_points(3000, along[x], along[y]);
				check_load(&model, SHAPE_POINTS, &ways[way], 3);
				model_fini(&model);
			}
}
END_TEST

static uint64_t count_nodes(struct rtree *tree, struct rtree_stat *stat)
{
	uint64_t nodes = 0;

	ck_assert_int_eq(rtree_stat(tree, stat), 0);
	for (int level = 0; level < stat->height; level++)
		nodes += stat->nodes[level];
	return nodes;
}

START_TEST(the_forecast_is_what_it_takes)
{
	for (uint64_t count = 1; count < test_effort(50000);
	     count += count / 7 + 1) {
		struct model model = make_items(SHAPE_UNIFORM, count);
		uint64_t forecast = rtree_size_forecast(count);
		struct rtree *tree = make_tree(forecast);
		struct rtree_stat stat;
		ck_assert_int_eq(load(tree, &model, NULL), 0);
		uint64_t nodes = count_nodes(tree, &stat);
		ck_assert_uint_eq(forecast, rtree_size_min() +
						    nodes * RTREE_PAGE_SIZE);
		rtree_destroy(tree);
		model_fini(&model);
	}
}
END_TEST

START_TEST(leaves_are_filled_as_far_as_asked)
{
	static const double fills[] = {0.01, 0.5, 0.7, 0.9, 1, 3};
	struct model model = make_items(SHAPE_UNIFORM, 3000);
	uint64_t before = UINT64_MAX;

	for (size_t i = 0; i < sizeof(fills) / sizeof(fills[0]); i++) {
		const struct rtree_pack_options options = {.fill = fills[i]};
		struct rtree *tree = make_tree(rtree_size_forecast(10000));
		struct rtree_stat stat;
		ck_assert_int_eq(load(tree, &model, &options), 0);
		ck_assert_msg(!model_compare(&model, tree), "fill %g: %s",
			      fills[i], err_text());
		count_nodes(tree, &stat);
		ck_assert_uint_le(stat.nodes[0], before);
		before = stat.nodes[0];
		rtree_destroy(tree);
	}
	ck_assert_uint_eq(before, (3000 + NODE_CAPACITY - 1) / NODE_CAPACITY);
	model_fini(&model);
}
END_TEST

START_TEST(a_load_with_an_invalid_item_changes_nothing)
{
	struct model model = make_items(SHAPE_UNIFORM, 500);
	struct rtree *tree = make_tree(rtree_size_forecast(2000));
	struct random random;

	random_seed(&random, test_seed());
	ck_assert_int_eq(load(tree, &model, NULL), 0);
	for (int round = 0; round < 100; round++) {
		struct model bad = make_items(SHAPE_POINTS, 1000);
		size_t at = random_below(&random, bad.count);
		char name[32];
		bad.items[at].rect = shape_invalid(&random);
		ck_assert_int_eq(load(tree, &bad, &ways[round % WAYS]),
				 ERR_DATA);
		snprintf(name, sizeof(name), "item %zu:", at);
		ck_assert_ptr_nonnull(strstr(err_text(), name));
		ck_assert_msg(!model_compare(&model, tree), "%s", err_text());
		model_fini(&bad);
	}
	rtree_destroy(tree);
	model_fini(&model);
}
END_TEST

START_TEST(a_load_that_does_not_fit_changes_nothing)
{
	struct model small = make_items(SHAPE_UNIFORM, 500);
	struct model large = make_items(SHAPE_POINTS, 40 * MANY / 100);
	struct rtree *tree = make_tree(rtree_size_forecast(500));

	ck_assert_int_eq(load(tree, &small, NULL), 0);
	ck_assert_int_eq(load(tree, &large, NULL), ERR_NO_ROOM);
	ck_assert_msg(!model_compare(&small, tree), "%s", err_text());
	rtree_destroy(tree);
	model_fini(&small);
	model_fini(&large);
}
END_TEST

struct progress {
	uint64_t calls;
	uint64_t done;
	uint64_t count;
};

static void note_progress(void *context, uint64_t done, uint64_t count)
{
	struct progress *progress = context;

	ck_assert_uint_le(done, count);
	progress->calls++;
	progress->done = done;
	progress->count = count;
}

START_TEST(progress_ends_with_all_items)
{
	struct model model = make_items(SHAPE_UNIFORM, 5000);
	struct rtree *tree = make_tree(rtree_size_forecast(5000));
	struct progress progress = {0};
	const struct rtree_pack_options options = {
		.progress = note_progress,
		.context = &progress,
	};

	ck_assert_int_eq(load(tree, &model, &options), 0);
	ck_assert_uint_gt(progress.calls, 0);
	ck_assert_uint_eq(progress.done, 5000);
	ck_assert_uint_eq(progress.count, 5000);
	rtree_destroy(tree);
	model_fini(&model);
}
END_TEST

Suite *test_suite(const char **why)
{
	(void)why;
	Suite *suite = suite_create("bulk");
	TCase *loads = tcase_create("loads");

	tcase_set_timeout(loads, TEST_TIMEOUT_S);
	tcase_add_loop_test(loads, every_size_makes_a_right_tree, 0, SHAPES);
	tcase_add_loop_test(loads, many_items_make_a_right_tree, 0, SHAPES);
	tcase_add_test(loads, sorted_items_make_a_right_tree);
	tcase_add_test(loads, collinear_items_make_a_right_tree);
	tcase_add_test(loads, the_forecast_is_what_it_takes);
	tcase_add_test(loads, leaves_are_filled_as_far_as_asked);
	tcase_add_test(loads, a_load_with_an_invalid_item_changes_nothing);
	tcase_add_test(loads, a_load_that_does_not_fit_changes_nothing);
	tcase_add_test(loads, progress_ends_with_all_items);
	suite_add_tcase(suite, loads);
	return suite;
}
