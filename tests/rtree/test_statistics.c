/* SPDX-License-Identifier: BSD-2-Clause */

/* What is said of a tree's shape is what its nodes add up to, in one version.
 */

#include <float.h>
#include <math.h>
#include <stdatomic.h>

#include "rtree/rtree.h"
#include "tests/lib/test.h"
#include "tests/rtree/effort.h"
#include "tests/rtree/shape.h"

static struct rtree *make_tree(enum shape shape, int count)
{
	const struct rtree_options options = {.size = 32 << 20};
	struct rtree_batch *batch;
	struct random random;
	struct rtree *tree;
	uint64_t version;

	random_seed(&random, test_seed());
	ck_assert_int_eq(rtree_create(&options, &tree), 0);
	ck_assert_int_eq(rtree_batch_begin(tree, &batch), 0);
	for (int i = 0; i < count; i++) {
		struct item item = {i, shape_rect(shape, &random)};
		ck_assert_int_eq(rtree_insert(batch, &item), 0);
	}
	rtree_batch_commit(batch, &version);
	return tree;
}

/* All nodes of one level, and the parent of each. */
struct level {
	const struct node *nodes[4000];
	const struct node *parents[4000];
	size_t count;
};

static void gather(const struct rtree *tree, const struct node *node,
		   const struct node *parent, int wanted, struct level *level)
{
	if (node->header.level == wanted) {
		if (level->count == 4000)
			ck_abort_msg("a larger tree than was expected");
		level->nodes[level->count] = node;
		level->parents[level->count++] = parent;
		return;
	}
	for (int i = 0; i < node->header.count; i++)
		gather(tree, rtree_node(tree, node->child[i]), node, wanted,
		       level);
}

static double edge(const struct node *a, const struct node *b, int d)
{
	return fmin(a->bounds.max[d], b->bounds.max[d]) -
	       fmax(a->bounds.min[d], b->bounds.min[d]);
}

static double shared(const struct node *a, const struct node *b)
{
	double product = 1;

	for (int d = 0; d < DIMENSIONS; d++)
		product *= fmax(edge(a, b, d), 0);
	return product;
}

static void check_close(const char *what, double is, double expected)
{
	if (!(fabs(is - expected) <= fabs(expected) * 1e-9))
		ck_abort_msg("%s is %.17g, not %.17g", what, is, expected);
}

static void check_level(const struct level *level,
			const struct rtree_level_statistics *said)
{
	double area = 0, margin = 0, overlap = 0;
	uint64_t entries = 0;
	unsigned least = UINT32_MAX, most = 0;

	for (size_t i = 0; i < level->count; i++) {
		const struct node *node = level->nodes[i];
		unsigned count = node->header.count;
		entries += count;
		least = count < least ? count : least;
		most = count > most ? count : most;
		area += shared(node, node);
		for (int d = 0; d < DIMENSIONS; d++)
			margin += edge(node, node, d);
		for (size_t j = 0; j < level->count; j++)
			if (j != i && level->parents[i] == level->parents[j])
				overlap += shared(node, level->nodes[j]) / 2;
	}
	ck_assert_uint_eq(said->nodes, level->count);
	ck_assert_uint_eq(said->entries, entries);
	ck_assert_uint_eq(said->least, least);
	ck_assert_uint_eq(said->most, most);
	check_close("the area", said->area, area);
	check_close("the margin", said->margin, margin);
	check_close("the overlap", said->overlap, overlap);
}

START_TEST(levels_add_up)
{
	static struct level level;
	struct rtree *tree = make_tree(_i, 3000);
	struct rtree_statistics statistics;
	struct rtree_pin pin;

	ck_assert_int_eq(rtree_statistics(tree, &statistics), 0);
	ck_assert_int_eq(rtree_pin(tree, &pin), 0);
	const struct node *root = rtree_node(tree, pin.root.ref);
	ck_assert_int_eq(statistics.height, root->header.level + 1);
	ck_assert_uint_eq(statistics.version, pin.root.version);
	ck_assert_uint_eq(statistics.identity, pin.root.identity);
	for (int i = 0; i < statistics.height; i++) {
		level.count = 0;
		gather(tree, root, NULL, i, &level);
		check_level(&level, &statistics.levels[i]);
	}
	ck_assert_uint_eq(statistics.levels[0].entries, 3000);
	ck_assert_uint_eq(statistics.levels[statistics.height].nodes, 0);
	rtree_unpin(tree, &pin);
	rtree_destroy(tree);
}
END_TEST

START_TEST(an_empty_tree_is_one_empty_leaf)
{
	struct rtree *tree = make_tree(SHAPE_UNIFORM, 0);
	struct rtree_statistics statistics;

	ck_assert_int_eq(rtree_statistics(tree, &statistics), 0);
	ck_assert_int_eq(statistics.height, 1);
	ck_assert_uint_eq(statistics.levels[0].nodes, 1);
	ck_assert_uint_eq(statistics.levels[0].entries, 0);
	ck_assert(statistics.levels[0].area == 0);
	rtree_destroy(tree);
}
END_TEST

/* --- One version ---------------------------------------------------------- */

/* As it is for a moment in every publication: the record has the new number of
 * items and the old root. */
START_TEST(items_are_counted_in_the_version_that_is_named)
{
	struct rtree *tree = make_tree(SHAPE_UNIFORM, 500);
	struct rtree_region region;
	struct rtree_stat stat;

	rtree_describe(tree, &region);
	struct root_page *page = (struct root_page *)region.memory;
	atomic_store(&page->record.item_count, 700);
	ck_assert_int_eq(rtree_stat(tree, &stat), 0);
	ck_assert_uint_eq(stat.root.item_count, 500);
	ck_assert_uint_eq(stat.entries[0], 500);
	rtree_destroy(tree);
}
END_TEST

Suite *test_suite(const char **why)
{
	(void)why;
	Suite *suite = suite_create("statistics");
	TCase *shapes = tcase_create("shapes");

	tcase_set_timeout(shapes, TEST_TIMEOUT_S);
	/* Beyond these, areas are too large for a double. */
	tcase_add_loop_test(shapes, levels_add_up, 0, SHAPE_HUGE);
	tcase_add_test(shapes, an_empty_tree_is_one_empty_leaf);
	tcase_add_test(shapes, items_are_counted_in_the_version_that_is_named);
	suite_add_tcase(suite, shapes);
	return suite;
}
