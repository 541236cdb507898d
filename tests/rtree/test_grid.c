/* SPDX-License-Identifier: BSD-2-Clause */

/* A node's grid never decides wrongly, whatever lies on it, and stays tight. */

#include "rtree/grid.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "rtree/batch.h"
#include "rtree/kernel.h"
#include "tests/lib/test.h"
#include "tests/rtree/effort.h"
#include "tests/rtree/random_node.h"

static double any_double(struct random *random)
{
	static const double extremes[] = {
		0.0,	  -0.0,	     DBL_MAX,	 -DBL_MAX,    DBL_MIN,
		DBL_MIN,  0x1p-1074, -0x1p-1074, 1 + 0x1p-52, 1 - 0x1p-53,
		INFINITY, -INFINITY, 0x1.fp1023, -0x1.fp1023,
	};
	uint64_t bits = random_next(random);
	double value;

	if (random_below(random, 8) == 0)
		return extremes[random_below(random, 14)];
	memcpy(&value, &bits, sizeof(value));
	return isnan(value) ? 1 : value;
}

START_TEST(cells_never_fall_when_coordinates_grow)
{
	struct random random;

	random_seed(&random, test_seed());
	for (uint64_t i = test_effort(2000000); i-- > 0;) {
		struct node_header grid;
		double a = any_double(&random), b = any_double(&random);
		if (random_below(&random, 2))
			b = nextafter(a, INFINITY);
		if (a > b) {
			double t = a;
			a = b;
			b = t;
		}
		random_grid(&random, &grid);
		uint8_t cell_a = grid_cell(a, grid.origin[0], grid.scale[0]);
		uint8_t cell_b = grid_cell(b, grid.origin[0], grid.scale[0]);
		if (cell_a > cell_b)
			ck_abort_msg("%a in cell %u, %a in cell %u: "
				     "origin %a, scale %a",
				     a, cell_a, b, cell_b, grid.origin[0],
				     grid.scale[0]);
	}
}
END_TEST

/* Whether what the cells say of each entry agrees with its rectangle. */
static void check_selection(const struct node *node, const struct rect *query,
			    enum relation relation)
{
	struct selection s =
		kernel->select(node, node->header.count, relation, query);

	if (s.certain & ~s.possible)
		ck_abort_msg("what is certain is not possible");
	for (unsigned i = 0; i < node->header.count; i++) {
		bool holds =
			rect_relation_holds(relation, &node->rect[i], query);
		if (holds && !(s.possible >> i & 1))
			ck_abort_msg("relation %d, entry %u was ruled out",
				     relation, i);
		if (!holds && s.certain >> i & 1)
			ck_abort_msg("relation %d, entry %u was certain",
				     relation, i);
	}
}

static void check_selections(const struct node *node, enum shape shape,
			     struct random *random)
{
	struct model items = {0};

	model_add_hits(&items, node,
		       node->header.count == 64
			       ? ~UINT64_C(0)
			       : (UINT64_C(1) << node->header.count) - 1);
	for (int q = 0; q < 4; q++) {
		struct rect query = shape_query(shape, random, &items);
		for (int r = RELATION_INTERSECTS; r <= RELATION_WITHIN; r++)
			check_selection(node, &query, r);
	}
	model_fini(&items);
}

START_TEST(cells_rule_out_no_match_and_prove_no_other)
{
	struct random random;

	random_seed(&random, test_seed() * SHAPES + _i);
	for (uint64_t round = test_effort(2000); round-- > 0;) {
		struct node node;
		random_leaf(&random, _i, &node);
		check_selections(&node, _i, &random);
		random_regrid(&random, &node);
		check_selections(&node, _i, &random);
	}
}
END_TEST

/* Where there is a choice, the bounds keep off the outermost cells, so that
 * what is beyond them is told apart. */
static bool keeps_off(const struct node *node, int d)
{
	double origin = node->header.origin[d], scale = node->header.scale[d];

	return scale == 0 ||
	       (grid_cell(node->bounds.min[d], origin, scale) > 0 &&
		grid_cell(node->bounds.max[d], origin, scale) < GRID_CELLS - 1);
}

START_TEST(a_grid_suits_the_bounds_that_it_is_laid_for)
{
	struct random random;

	random_seed(&random, test_seed() * SHAPES + _i);
	for (uint64_t round = test_effort(20000); round-- > 0;) {
		struct node node;
		memset(&node, 0, sizeof(node));
		node.bounds = shape_rect(_i, &random);
		grid_lay(&node);
		for (int d = 0; d < DIMENSIONS; d++)
			if (!grid_suits(&node) || !keeps_off(&node, d))
				ck_abort_msg("%a to %a: origin %a, scale %a",
					     node.bounds.min[d],
					     node.bounds.max[d],
					     node.header.origin[d],
					     node.header.scale[d]);
	}
}
END_TEST

START_TEST(a_grid_far_too_wide_or_too_narrow_does_not_suit)
{
	struct random random;

	random_seed(&random, test_seed() * SHAPES + _i);
	for (uint64_t round = test_effort(2000); round-- > 0;) {
		struct node node;
		memset(&node, 0, sizeof(node));
		node.bounds = shape_rect(_i, &random);
		grid_lay(&node);
		int d = (int)random_below(&random, DIMENSIONS);
		double *scale = &node.header.scale[d];
		if (*scale == 0)
			continue;
		double laid = *scale;
		const double others[] = {laid * 4, laid / 4, -laid,
					 0,	   NAN,	     INFINITY};
		for (int i = 0; i < 6; i++) {
			*scale = others[i];
			if (grid_suits(&node))
				ck_abort_msg("scale %a instead of %a",
					     others[i], laid);
		}
		*scale = laid;
		node.header.origin[d] = NAN;
		if (grid_suits(&node))
			ck_abort_msg("origin NaN");
	}
}
END_TEST

START_TEST(a_grid_whose_inner_cells_the_bounds_have_left_does_not_suit)
{
	struct random random;

	random_seed(&random, test_seed() * SHAPES + _i);
	for (uint64_t round = test_effort(2000); round-- > 0;) {
		struct node node;
		memset(&node, 0, sizeof(node));
		node.bounds = shape_rect(_i, &random);
		grid_lay(&node);
		int d = (int)random_below(&random, DIMENSIONS);
		double origin = node.header.origin[d];
		double scale = node.header.scale[d];
		double *min = &node.bounds.min[d], *max = &node.bounds.max[d];
		double inside = *min;
		*min = origin + 0.5 / scale;
		if (isfinite(*min) && *min < *max &&
		    grid_cell(*min, origin, scale) == 0 && grid_suits(&node))
			ck_abort_msg("%a in the first cell", *min);
		*min = inside;
		*max = origin + (GRID_CELLS - 0.5) / scale;
		if (isfinite(*max) && *min < *max &&
		    grid_cell(*max, origin, scale) == GRID_CELLS - 1 &&
		    grid_suits(&node))
			ck_abort_msg("%a in the last cell", *max);
	}
}
END_TEST

/* --- Grids of a tree that is written to --------------------------------- */

struct herd {
	struct rtree *tree;
	struct item *items;
	size_t count;
	struct random random;
	double wind; /* by how much it drifts with each move */
};

static void herd_init(struct herd *h, size_t count)
{
	const struct rtree_options options = {
		.size = rtree_size_forecast(8 * count),
	};
	struct rtree_batch *batch;
	uint64_t version;

	*h = (struct herd){.count = count};
	random_seed(&h->random, test_seed());
	h->items = calloc(count, sizeof(h->items[0]));
	ck_assert_ptr_nonnull(h->items);
	for (size_t i = 0; i < count; i++)
		h->items[i] = (struct item){
			(int64_t)i, shape_rect(SHAPE_UNIFORM, &h->random)};
	ck_assert_int_eq(rtree_create(&options, &h->tree), 0);
	ck_assert_int_eq(rtree_batch_begin(h->tree, &batch), 0);
	ck_assert_int_eq(rtree_replace(batch, h->items, count, NULL), 0);
	rtree_batch_commit(batch, &version);
}

static void herd_fini(struct herd *h)
{
	rtree_destroy(h->tree);
	free(h->items);
}

/* A small step, mostly with the wind; seldom to anywhere, or away from all, and
 * from there back. */
static struct rect moved(struct herd *h, const struct rect *from)
{
	bool away = random_below(&h->random, 100) == 0;
	bool was_away = from->min[0] > h->wind + 2;
	bool far = away || was_away || random_below(&h->random, 50) == 0;
	struct rect to = far ? shape_rect(SHAPE_UNIFORM, &h->random) : *from;

	for (int d = 0; d < DIMENSIONS; d++) {
		double by = 0.001 * (random_unit(&h->random) - 0.5) + 1e-5;
		if (far)
			by = h->wind;
		if (away)
			by += 20 * random_unit(&h->random);
		to.min[d] += by;
		to.max[d] += by;
	}
	return to;
}

static void move_some(struct herd *h, uint64_t count)
{
	struct rtree_batch *batch;
	uint64_t version;

	ck_assert_int_eq(rtree_batch_begin(h->tree, &batch), 0);
	for (; count-- > 0;) {
		struct item *item =
			&h->items[random_below(&h->random, h->count)];
		struct rect to = moved(h, &item->rect);
		if (rtree_update(batch, item, &to))
			ck_abort_msg("%s", err_text());
		item->rect = to;
		h->wind += 1e-5 / (double)h->count;
	}
	rtree_batch_commit(batch, &version);
}

/* Whether cell 'cell' holds 'v', as wide as one step, but for rounding. */
static bool is_in_cell(long double v, uint8_t cell, long double origin,
		       long double step)
{
	long double low = origin + cell * step, rounding = step * 0x1p-20L;

	return v >= low - rounding && v <= low + step + rounding;
}

/* Entry 'i' is a box on the grid that is less than one step larger, and a step
 * is no larger than it has to be. */
static void check_tight(const struct node *node, int i, const struct rect *r)
{
	for (int d = 0; d < DIMENSIONS; d++) {
		double origin = node->header.origin[d];
		long double step = 1 / (long double)node->header.scale[d];
		double width = node->bounds.max[d] - node->bounds.min[d];
		if (!is_in_cell(r->min[d], node->cell_min[d][i], origin,
				step) ||
		    !is_in_cell(r->max[d], node->cell_max[d][i], origin, step))
			ck_abort_msg("[%a, %a] in cells [%u, %u], origin %a, "
				     "step %La",
				     r->min[d], r->max[d], node->cell_min[d][i],
				     node->cell_max[d][i], origin, step);
		if (step * (GRID_CELLS - 1) > 2.3 * width)
			ck_abort_msg("%a wide, step %La", width, step);
	}
}

static void check_grids(const struct herd *h, const struct node *node)
{
	for (int i = 0; i < node->header.count; i++) {
		if (node->header.level == 0) {
			check_tight(node, i, &node->rect[i]);
			continue;
		}
		const struct node *child = rtree_node(h->tree, node->child[i]);
		check_tight(node, i, &child->bounds);
		check_grids(h, child);
	}
}

static void check_herd(struct herd *h)
{
	uint64_t nodes, version;
	struct rtree_pin pin;

	ck_assert_msg(!rtree_check(h->tree, &nodes, &version), "%s",
		      err_text());
	ck_assert_int_eq(rtree_pin(h->tree, &pin), 0);
	check_grids(h, rtree_node(h->tree, pin.root.ref));
	rtree_unpin(h->tree, &pin);
}

START_TEST(boxes_are_tight_after_any_number_of_moves)
{
	uint64_t moves = test_effort(50000), checks = 100;
	struct herd h;

	herd_init(&h, 3000);
	for (uint64_t done = 0; done < moves;) {
		for (uint64_t i = 0; i < moves / checks; i += 20, done += 20)
			move_some(&h, 20);
		check_herd(&h);
	}
	herd_fini(&h);
}
END_TEST

Suite *test_suite(const char **why)
{
	(void)why;
	Suite *suite = suite_create("grid");
	TCase *grids = tcase_create("grids");
	TCase *moves = tcase_create("moves");

	tcase_set_timeout(grids, TEST_TIMEOUT_S);
	tcase_add_test(grids, cells_never_fall_when_coordinates_grow);
	tcase_add_loop_test(grids, cells_rule_out_no_match_and_prove_no_other,
			    0, SHAPES);
	tcase_add_loop_test(grids, a_grid_suits_the_bounds_that_it_is_laid_for,
			    0, SHAPES);
	tcase_add_loop_test(grids,
			    a_grid_far_too_wide_or_too_narrow_does_not_suit, 0,
			    SHAPES);
	tcase_add_loop_test(
		grids,
		a_grid_whose_inner_cells_the_bounds_have_left_does_not_suit, 0,
		SHAPES);
	suite_add_tcase(suite, grids);

	tcase_set_timeout(moves, TEST_TIMEOUT_S);
	tcase_add_test(moves, boxes_are_tight_after_any_number_of_moves);
	suite_add_tcase(suite, moves);
	return suite;
}
