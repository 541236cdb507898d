/* SPDX-License-Identifier: BSD-2-Clause */

/* The nearest items are those of an array sorted by distance. */

#include "rtree/nearest.h"

#include <stdlib.h>

#include "base/err.h"
#include "rtree/kernel.h"
#include "rtree/rtree.h"
#include "tests/lib/test.h"
#include "tests/rtree/effort.h"
#include "tests/rtree/shape.h"

static double distance2(const struct rect *rect, const double *point)
{
	double sum = 0;

	for (int d = 0; d < DIMENSIONS; d++) {
		double below = rect->min[d] - point[d];
		double above = point[d] - rect->max[d];
		double side = below > above ? below : above;
		sum += side > 0 ? side * side : 0;
	}
	return sum;
}

static int compare_neighbours(const void *a, const void *b)
{
	const struct neighbour *x = a, *y = b;

	if (x->distance2 != y->distance2)
		return x->distance2 < y->distance2 ? -1 : 1;
	return (x->item.id > y->item.id) - (x->item.id < y->item.id);
}

static struct neighbour *sort_by_distance(const struct model *model,
					  const double *point)
{
	struct neighbour *all = malloc((model->count + 1) * sizeof(*all));

	for (size_t i = 0; i < model->count; i++)
		all[i] = (struct neighbour){
			.distance2 = distance2(&model->items[i].rect, point),
			.item = model->items[i],
		};
	qsort(all, model->count, sizeof(*all), compare_neighbours);
	return all;
}

struct trial {
	struct rtree *tree;
	struct model model;
	struct rtree_pin pin;
	struct random random;
};

static void trial_init(struct trial *t, enum shape shape, int count)
{
	const struct rtree_options options = {.size = 32 << 20};
	struct rtree_batch *batch;
	uint64_t version;

	*t = (struct trial){0};
	random_seed(&t->random, test_seed() * SHAPES + shape);
	ck_assert_int_eq(rtree_create(&options, &t->tree), 0);
	ck_assert_int_eq(rtree_batch_begin(t->tree, &batch), 0);
	for (int i = 0; i < count; i++) {
		struct item item = {(int64_t)random_below(&t->random, 1000000),
				    shape_rect(shape, &t->random)};
		if (rtree_insert(batch, &item))
			ck_abort_msg("%s", err_text());
		model_insert(&t->model, &item);
	}
	rtree_batch_commit(batch, &version);
	ck_assert_int_eq(rtree_pin(t->tree, &t->pin), 0);
}

static void trial_fini(struct trial *t)
{
	rtree_unpin(t->tree, &t->pin);
	rtree_destroy(t->tree);
	model_fini(&t->model);
}

/* Whether the 'k' nearest that are found are the first of 'all'. */
static void check_nearest(struct trial *t, const double *point, uint64_t k,
			  const struct neighbour *all)
{
	uint64_t count = k < t->model.count ? k : t->model.count;
	struct nearest nearest;

	if (rtree_nearest(t->tree, &t->pin.root, point, k, &nearest))
		ck_abort_msg("%s", err_text());
	if (nearest.found_count != count)
		ck_abort_msg("%zu of %llu", nearest.found_count,
			     (unsigned long long)count);
	for (uint64_t i = 0; i < count; i++)
		if (compare_neighbours(&nearest.found[i], &all[i]))
			ck_abort_msg("from (%.17g, %.17g), number %llu of %llu "
				     "is %lld at %.17g instead of %lld at "
				     "%.17g",
				     point[0], point[1], (unsigned long long)i,
				     (unsigned long long)k,
				     (long long)nearest.found[i].item.id,
				     nearest.found[i].distance2,
				     (long long)all[i].item.id,
				     all[i].distance2);
	nearest_end(&nearest);
}

static void check_point(struct trial *t, const double *point)
{
	struct neighbour *all = sort_by_distance(&t->model, point);
	const uint64_t ks[] = {0, 1, 2, 10, 100, t->model.count, UINT64_MAX};

	for (int i = 0; i < 7; i++)
		check_nearest(t, point, ks[i], all);
	free(all);
}

START_TEST(the_nearest_are_found_in_order)
{
	struct trial t;

	trial_init(&t, _i, 1500);
	for (uint64_t round = test_effort(40); round-- > 0;) {
		enum shape shape = round % 2 ? (enum shape)_i : SHAPE_MIXED;
		struct rect query = shape_query(shape, &t.random, &t.model);
		check_point(&t, query.min);
	}
	trial_fini(&t);
}
END_TEST

START_TEST(every_kernel_finds_the_same_neighbours)
{
	struct trial t;

	trial_init(&t, _i, 500);
	for (unsigned k = 0; kernel_at(k); k++) {
		if (kernel_choose(kernel_at(k)->name))
			continue;
		for (int round = 0; round < 5; round++) {
			struct rect r = shape_rect(_i, &t.random);
			check_point(&t, r.max);
		}
	}
	trial_fini(&t);
}
END_TEST

START_TEST(an_empty_tree_has_no_neighbours)
{
	static const double point[DIMENSIONS] = {1, 2};
	struct trial t;

	trial_init(&t, SHAPE_UNIFORM, 0);
	check_point(&t, point);
	trial_fini(&t);
}
END_TEST

/* Many places at (0, 0) are far from where one asks, but the nearest yet. */
START_TEST(a_leaf_of_equal_points_is_not_too_far_away)
{
	static const double point[DIMENSIONS] = {3e5, 10};
	struct rtree_batch *batch;
	struct trial t;
	uint64_t version;

	trial_init(&t, SHAPE_UNIFORM, 0);
	rtree_unpin(t.tree, &t.pin);
	ck_assert_int_eq(rtree_batch_begin(t.tree, &batch), 0);
	for (int i = 0; i < 400; i++) {
		double x = i < 200 ? 0 : 7e5 + i;
		struct item item = {i, {{x, 0}, {x, 0}}};
		ck_assert_int_eq(rtree_insert(batch, &item), 0);
		model_insert(&t.model, &item);
	}
	rtree_batch_commit(batch, &version);
	ck_assert_int_eq(rtree_pin(t.tree, &t.pin), 0);
	check_point(&t, point);
	trial_fini(&t);
}
END_TEST

Suite *test_suite(const char **why)
{
	(void)why;
	Suite *suite = suite_create("nearest");
	TCase *searches = tcase_create("searches");

	tcase_set_timeout(searches, TEST_TIMEOUT_S);
	tcase_add_loop_test(searches, the_nearest_are_found_in_order, 0,
			    SHAPES);
	tcase_add_loop_test(searches, every_kernel_finds_the_same_neighbours, 0,
			    SHAPES);
	tcase_add_test(searches, an_empty_tree_has_no_neighbours);
	tcase_add_test(searches, a_leaf_of_equal_points_is_not_too_far_away);
	suite_add_tcase(suite, searches);
	return suite;
}
