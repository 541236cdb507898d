/* SPDX-License-Identifier: BSD-2-Clause */

/* Counts, alone and in groups, and the items nearest to each point of a group
 * are those of an array that is looked at from one end to the other. */

#include <stdlib.h>

#include "base/err.h"
#include "rtree/rtree.h"
#include "tests/lib/test.h"
#include "tests/rtree/effort.h"
#include "tests/rtree/model.h"
#include "tests/rtree/shape.h"

enum { ITEMS = 3000, LARGEST = 70 };

struct trial {
	struct rtree *tree;
	struct model model;
	struct rtree_pin pin;
	struct random random;
};

static void trial_init(struct trial *t, enum shape shape)
{
	const struct rtree_options options = {.size = 32 << 20};
	struct rtree_batch *batch;
	uint64_t version;

	*t = (struct trial){0};
	random_seed(&t->random, test_seed() * SHAPES + shape);
	ck_assert_int_eq(rtree_create(&options, &t->tree), 0);
	ck_assert_int_eq(rtree_batch_begin(t->tree, &batch), 0);
	for (int i = 0; i < ITEMS; i++)
		model_insert(&t->model,
			     &(struct item){i, shape_rect(shape, &t->random)});
	ck_assert_int_eq(
		rtree_append(batch, t->model.items, t->model.count, NULL), 0);
	rtree_batch_commit(batch, &version);
	ck_assert_int_eq(rtree_pin(t->tree, &t->pin), 0);
}

static void trial_fini(struct trial *t)
{
	rtree_unpin(t->tree, &t->pin);
	rtree_destroy(t->tree);
	model_fini(&t->model);
}

/* None, one, some, and more than take turns at a time. */
static const size_t sizes[] = {0, 1, 5, 16, 17, LARGEST};

enum { SIZES = sizeof(sizes) / sizeof(sizes[0]) };

static uint64_t scan(const struct model *model, const struct rect *query,
		     enum relation relation)
{
	uint64_t count = 0;

	for (size_t i = 0; i < model->count; i++)
		count += rect_relation_holds(relation, &model->items[i].rect,
					     query);
	return count;
}

static void check_counts(struct trial *t, const struct rect *queries,
			 size_t size, enum relation relation)
{
	uint64_t counts[LARGEST];

	ck_assert_int_eq(rtree_count_group(t->tree, &t->pin.root, queries, size,
					   relation, counts),
			 0);
	for (size_t i = 0; i < size; i++) {
		uint64_t expected = scan(&t->model, &queries[i], relation);
		uint64_t alone;
		ck_assert_uint_eq(counts[i], expected);
		ck_assert_int_eq(rtree_count(t->tree, &t->pin.root, &queries[i],
					     relation, &alone),
				 0);
		ck_assert_uint_eq(alone, expected);
	}
}

START_TEST(counts_are_those_of_a_scan)
{
	struct rect queries[LARGEST];
	struct trial t;

	trial_init(&t, _i);
	for (int i = 0; i < SIZES; i++) {
		for (size_t q = 0; q < sizes[i]; q++)
			queries[q] = shape_query(_i, &t.random, &t.model);
		for (int relation = RELATION_INTERSECTS;
		     relation <= RELATION_WITHIN; relation++)
			check_counts(&t, queries, sizes[i],
				     (enum relation)relation);
	}
	trial_fini(&t);
}
END_TEST

/* --- The nearest ---------------------------------------------------------- */

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

static void check_nearest(const struct trial *t, const double *point,
			  const struct nearest *nearest, uint64_t k)
{
	static struct neighbour all[ITEMS];

	for (size_t i = 0; i < ITEMS; i++) {
		all[i].item = t->model.items[i];
		all[i].distance2 = distance2(&all[i].item.rect, point);
	}
	qsort(all, ITEMS, sizeof(all[0]), compare_neighbours);
	ck_assert_uint_eq(nearest->found_count, k < ITEMS ? k : ITEMS);
	for (size_t i = 0; i < nearest->found_count; i++)
		if (compare_neighbours(&nearest->found[i], &all[i]))
			ck_abort_msg("number %zu of %llu is %lld, not %lld", i,
				     (unsigned long long)k,
				     (long long)nearest->found[i].item.id,
				     (long long)all[i].item.id);
}

START_TEST(the_nearest_are_those_of_a_scan)
{
	static const uint64_t ks[] = {0, 1, 10, 100, ITEMS + 1, 3};
	static struct nearest nearest[LARGEST];
	double points[LARGEST][DIMENSIONS];
	struct trial t;

	trial_init(&t, _i);
	for (int i = 0; i < SIZES; i++) {
		for (size_t p = 0; p < sizes[i]; p++) {
			struct rect query =
				shape_query(_i, &t.random, &t.model);
			memcpy(points[p], query.min, sizeof(points[p]));
		}
		ck_assert_int_eq(
			rtree_nearest_group(t.tree, &t.pin.root,
					    (const double(*)[DIMENSIONS])points,
					    sizes[i], ks[i], nearest),
			0);
		for (size_t p = 0; p < sizes[i]; p++) {
			check_nearest(&t, points[p], &nearest[p], ks[i]);
			nearest_end(&nearest[p]);
		}
	}
	trial_fini(&t);
}
END_TEST

/* As the leak checker would tell. */
START_TEST(a_group_that_fails_leaves_nothing_to_be_ended)
{
	static struct nearest nearest[LARGEST];
	double points[LARGEST][DIMENSIONS] = {{0}};
	struct trial t;

	trial_init(&t, SHAPE_UNIFORM);
	const struct root none = {.ref = 0};
	ck_assert_int_eq(
		rtree_nearest_group(t.tree, &none,
				    (const double(*)[DIMENSIONS])points,
				    LARGEST, 10, nearest),
		ERR_DAMAGED);
	trial_fini(&t);
}
END_TEST

Suite *test_suite(const char **why)
{
	(void)why;
	Suite *suite = suite_create("groups");
	TCase *groups = tcase_create("groups");

	tcase_set_timeout(groups, TEST_TIMEOUT_S);
	tcase_add_loop_test(groups, counts_are_those_of_a_scan, 0, SHAPES);
	tcase_add_loop_test(groups, the_nearest_are_those_of_a_scan, 0, SHAPES);
	tcase_add_test(groups, a_group_that_fails_leaves_nothing_to_be_ended);
	suite_add_tcase(suite, groups);
	return suite;
}
