/* SPDX-License-Identifier: BSD-2-Clause */

/* All kernels that run on this processor do the same, and what they are defined
 * to do. */

#include "rtree/kernel.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/random.h"
#include "tests/lib/test.h"
#include "tests/rtree/effort.h"
#include "tests/rtree/random_node.h"

/* The next kernel behind 'k' that runs here, the first one behind NULL. */
static const struct kernel *kernel_behind(const struct kernel *k)
{
	unsigned i = 0;

	while (k && kernel_at(i) != k)
		i++;
	for (i += k != NULL; kernel_at(i); i++)
		if (kernel_runs_here(kernel_at(i)))
			return kernel_at(i);
	return NULL;
}

#define for_each_kernel(k)                                                     \
	for (const struct kernel *k = kernel_behind(NULL); k;                  \
	     k = kernel_behind(k))

/* The last one; it runs anywhere. */
static const struct kernel *portable(void)
{
	const struct kernel *last = NULL;

	for_each_kernel(k) last = k;
	return last;
}

START_TEST(the_kernels_of_this_processor_can_be_chosen)
{
	for (unsigned i = 0; kernel_at(i); i++) {
		const struct kernel *k = kernel_at(i);
		bool runs = kernel_runs_here(k);
		ck_assert_int_eq(kernel_choose(k->name),
				 runs ? 0 : ERR_UNSUPPORTED);
		ck_assert(!runs || kernel == k);
	}
	ck_assert_int_eq(kernel_choose("mmx"), ERR_USAGE);
	ck_assert_ptr_eq(kernel, portable());
	ck_assert_str_eq(kernel->name, "portable");
}
END_TEST

/* --- Selecting ----------------------------------------------------------- */

/* Entry by entry, as rtree/node.h defines cells. */
static struct selection select_slowly(const struct node *node, unsigned count,
				      enum relation relation,
				      const struct rect *query)
{
	struct grid_box box = grid_box(&node->header, query);
	struct selection s = {0, 0};

	for (unsigned i = 0; i < count; i++) {
		bool possible = true, certain = true;
		for (int d = 0; d < DIMENSIONS; d++) {
			int min = node->cell_min[d][i];
			int max = node->cell_max[d][i];
			int below = 0, above = 0;
			switch (relation) {
			case RELATION_INTERSECTS:
				below = box.max[d] - min;
				above = max - box.min[d];
				break;
			case RELATION_CONTAINS:
				below = box.min[d] - min;
				above = max - box.max[d];
				break;
			case RELATION_WITHIN:
				below = box.max[d] - max;
				above = min - box.min[d];
				break;
			}
			possible &= below >= 0 && above >= 0;
			certain &= below > 0 && above > 0;
		}
		s.possible |= (uint64_t)possible << i;
		s.certain |= (uint64_t)certain << i;
	}
	return s;
}

static void check_select(const struct kernel *k, const struct node *node,
			 const struct rect *query)
{
	for (unsigned count = 0; count <= NODE_LANES; count++)
		for (int r = RELATION_INTERSECTS; r <= RELATION_WITHIN; r++) {
			struct selection got = k->select(node, count, r, query);
			struct selection wanted =
				select_slowly(node, count, r, query);
			if (got.possible != wanted.possible ||
			    got.certain != wanted.certain)
				ck_abort_msg("%s, relation %d, count %u",
					     k->name, r, count);
		}
}

/* One whose edges often lie on the borders of the grid's cells. */
static struct rect random_query(struct random *random, const struct node *node)
{
	struct rect r = shape_rect(SHAPE_MIXED, random);

	for (int d = 0; d < DIMENSIONS; d++) {
		double origin = node->header.origin[d];
		double scale = node->header.scale[d];
		double a = origin + (double)random_below(random, 257) / scale;
		double b = origin + (double)random_below(random, 257) / scale;
		if (!isfinite(a) || !isfinite(b))
			continue;
		r.min[d] = a < b ? a : b;
		r.max[d] = a < b ? b : a;
	}
	return r;
}

START_TEST(every_kernel_selects_by_the_definition)
{
	struct random random;

	random_seed(&random, test_seed());
	for (uint64_t round = test_effort(500); round-- > 0;) {
		struct node node;
		random_cells(&random, &node);
		struct rect query = random_query(&random, &node);
		for_each_kernel(k) check_select(k, &node, &query);
	}
}
END_TEST

/* --- Choosing and measuring ---------------------------------------------- */

/* Entries' cells as those of an inner node, whose children have those bounds.
 */
static struct node make_inner(const struct node *leaf)
{
	struct node inner = *leaf;

	inner.header.level = 1;
	return inner;
}

START_TEST(every_kernel_chooses_the_same_child)
{
	struct random random;

	random_seed(&random, test_seed() * SHAPES + _i);
	for (uint64_t round = test_effort(3000); round-- > 0;) {
		struct node leaf;
		random_leaf(&random, _i, &leaf);
		struct node inner = make_inner(&leaf);
		struct rect rect = shape_rect(_i, &random);
		int wanted = portable()->choose(&inner, &rect);
		ck_assert_int_ge(wanted, 0);
		ck_assert_int_lt(wanted, inner.header.count);
		for_each_kernel(k) ck_assert_msg(
			k->choose(&inner, &rect) == wanted, "%s", k->name);
	}
}
END_TEST

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

static void measure(const struct kernel *k, const struct node *leaf,
		    const double *point, double bounds2[NODE_LANES])
{
	const struct walk_wanted wanted = {.level = 0};
	int level;

	memset(bounds2, 0, NODE_LANES * sizeof(bounds2[0]));
	ck_assert_int_eq(k->measure(leaf, &wanted, point, bounds2, &level),
			 leaf->header.count);
	ck_assert_int_eq(level, 0);
}

START_TEST(every_kernel_measures_the_same_and_never_too_much)
{
	struct random random;

	random_seed(&random, test_seed() * SHAPES + _i);
	for (uint64_t round = test_effort(3000); round-- > 0;) {
		enum shape shape = round % 2 ? (enum shape)_i : SHAPE_MIXED;
		struct rect at = shape_rect(shape, &random);
		double wanted[NODE_LANES], bounds2[NODE_LANES];
		struct node leaf;
		random_leaf(&random, _i, &leaf);
		measure(portable(), &leaf, at.min, wanted);
		for (int i = 0; i < leaf.header.count; i++)
			if (wanted[i] > distance2(&leaf.rect[i], at.min))
				ck_abort_msg("bound %g, distance %g", wanted[i],
					     distance2(&leaf.rect[i], at.min));
		for_each_kernel(k)
		{
			measure(k, &leaf, at.min, bounds2);
			ck_assert_msg(!memcmp(bounds2, wanted, sizeof(wanted)),
				      "%s", k->name);
		}
	}
}
END_TEST

static unsigned least_slowly(const double *values, uint64_t among)
{
	unsigned best = NODE_LANES;

	for (unsigned i = 0; i < NODE_LANES; i++)
		if (among >> i & 1 &&
		    (best == NODE_LANES || values[i] < values[best]))
			best = i;
	return best;
}

/* Some of them equal, some infinite. */
static double random_bound(struct random *random)
{
	uint64_t kind = random_below(random, 8);

	return kind == 0   ? INFINITY
	       : kind == 1 ? (double)random_below(random, 3)
			   : random_unit(random);
}

START_TEST(every_kernel_finds_the_least)
{
	struct random random;

	random_seed(&random, test_seed());
	for (uint64_t round = test_effort(5000); round-- > 0;) {
		double values[NODE_LANES];
		for (int i = 0; i < NODE_LANES; i++)
			values[i] = random_bound(&random);
		uint64_t among = random_next(&random) >> (round % 64);
		among |= UINT64_C(1) << (round % NODE_LANES);
		unsigned wanted = least_slowly(values, among);
		for_each_kernel(k) ck_assert_msg(
			k->least(values, among) == wanted, "%s", k->name);
	}
}
END_TEST

/* Of values that cannot be compared, any of those that were asked for. */
START_TEST(no_kernel_is_led_astray_by_what_is_no_number)
{
	double values[NODE_LANES];

	for (int i = 0; i < NODE_LANES; i++)
		values[i] = NAN;
	for (int i = 0; i < NODE_LANES; i++) {
		uint64_t among = UINT64_C(1) << i;
		for_each_kernel(k)
			ck_assert_int_eq((int)k->least(values, among), i);
	}
}
END_TEST

START_TEST(every_kernel_sets_the_cells_that_the_grid_has)
{
	struct random random;

	random_seed(&random, test_seed() * SHAPES + _i);
	for (uint64_t round = test_effort(1000); round-- > 0;) {
		struct node leaf;
		random_leaf(&random, _i, &leaf);
		random_regrid(&random, &leaf);
		unsigned count = leaf.header.count;
		for (unsigned i = 0; i < count; i++)
			grid_set_entry(&leaf, (int)i, &leaf.rect[i]);
		for_each_kernel(k)
		{
			struct node got = leaf;
			memset(got.cell_min, 0xaa, sizeof(got.cell_min));
			memset(got.cell_max, 0xaa, sizeof(got.cell_max));
			k->set_cells(&got, got.rect, sizeof(*got.rect), count);
			for (int d = 0; d < DIMENSIONS; d++) {
				ck_assert_mem_eq(got.cell_min[d],
						 leaf.cell_min[d], count);
				ck_assert_mem_eq(got.cell_max[d],
						 leaf.cell_max[d], count);
			}
		}
	}
}
END_TEST

/* --- Searching ----------------------------------------------------------- */

/* Leaves that were found, in order. */
struct finding {
	const struct node *leaf;
	uint64_t hits;
	size_t query;
};

struct findings {
	struct finding found[4096];
	size_t count;
};

static int note_group(void *context, size_t query, const struct node *leaf,
		      uint64_t hits)
{
	struct findings *f = context;

	if (f->count == 4096)
		ck_abort_msg("more leaves than the tree can have");
	f->found[f->count++] = (struct finding){leaf, hits, query};
	return 0;
}

static int note(void *context, const struct node *leaf, uint64_t hits)
{
	return note_group(context, 0, leaf, hits);
}

static void find_by_feeding(const struct rtree *tree, const struct root *root,
			    const struct rect *query, enum relation relation,
			    struct findings *f)
{
	struct rtree_region region;
	struct walk_wanted wanted;
	struct walk walk;
	uint64_t hits;

	rtree_describe(tree, &region);
	ck_assert_int_eq(walk_begin(&walk, query, relation, root->ref,
				    region.page_count),
			 0);
	while (walk_next(&walk, &wanted)) {
		const struct node *node = rtree_node(tree, wanted.ref);
		if (walk_feed(&walk, &wanted, node, &hits))
			ck_abort_msg("%s", err_text());
		if (hits)
			note(f, node, hits);
	}
	walk_end(&walk);
}

static bool same_findings(const struct findings *a, const struct findings *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (a->found[i].leaf != b->found[i].leaf ||
		    a->found[i].hits != b->found[i].hits)
			return false;
	return true;
}

static int compare_findings(const void *a, const void *b)
{
	const struct finding *x = a, *y = b;

	if (x->query != y->query)
		return x->query < y->query ? -1 : 1;
	return (x->leaf > y->leaf) - (x->leaf < y->leaf);
}

static void sort_findings(struct findings *f)
{
	qsort(f->found, f->count, sizeof(f->found[0]), compare_findings);
}

static struct rtree *make_tree(const struct model *model)
{
	const struct rtree_options options = {.size = 64 << 20};
	struct rtree_batch *batch;
	struct rtree *tree;
	uint64_t version;

	ck_assert_int_eq(rtree_create(&options, &tree), 0);
	ck_assert_int_eq(rtree_batch_begin(tree, &batch), 0);
	ck_assert_int_eq(rtree_replace(batch, model->items, model->count, NULL),
			 0);
	rtree_batch_commit(batch, &version);
	return tree;
}

static struct model make_items(enum shape shape, struct random *random,
			       int count)
{
	struct model model = {0};

	for (int id = 0; id < count; id++)
		model_insert(&model,
			     &(struct item){id, shape_rect(shape, random)});
	return model;
}

/* By each kernel, by feeding and by running, one query and several at once. */
static void check_search(const struct rtree *tree, const struct root *root,
			 const struct rect *queries, size_t count,
			 enum relation relation)
{
	static struct findings fed, run, one_by_one, group;

	one_by_one.count = 0;
	for (size_t q = 0; q < count; q++) {
		fed.count = run.count = 0;
		find_by_feeding(tree, root, &queries[q], relation, &fed);
		ck_assert_int_eq(rtree_search(tree, root, &queries[q], relation,
					      note, &run),
				 0);
		sort_findings(&fed);
		sort_findings(&run);
		ck_assert(same_findings(&fed, &run));
		for (size_t i = 0; i < run.count; i++)
			note_group(&one_by_one, q, run.found[i].leaf,
				   run.found[i].hits);
	}
	group.count = 0;
	ck_assert_int_eq(rtree_search_group(tree, root, queries, count,
					    relation, note_group, &group),
			 0);
	sort_findings(&one_by_one);
	sort_findings(&group);
	ck_assert(same_findings(&one_by_one, &group));
}

START_TEST(every_kernel_finds_the_same_by_every_way)
{
	enum { QUERIES = 40 };
	struct rect queries[QUERIES];
	struct random random;
	struct rtree_pin pin;

	random_seed(&random, test_seed() * SHAPES + _i);
	struct model model = make_items(_i, &random, 2000);
	struct rtree *tree = make_tree(&model);
	ck_assert_int_eq(rtree_pin(tree, &pin), 0);
	for (int round = 0; round < 4; round++) {
		for (int q = 0; q < QUERIES; q++)
			queries[q] = shape_query(_i, &random, &model);
		for_each_kernel(k)
		{
			ck_assert_int_eq(kernel_choose(k->name), 0);
			for (int r = 0; r <= RELATION_WITHIN; r++)
				check_search(tree, &pin.root, queries, QUERIES,
					     r);
			ck_assert_msg(!model_compare_query(&model, tree,
							   &pin.root, queries),
				      "%s: %s", k->name, err_text());
		}
	}
	rtree_unpin(tree, &pin);
	rtree_destroy(tree);
	model_fini(&model);
}
END_TEST

Suite *test_suite(const char **why)
{
	(void)why;
	Suite *suite = suite_create("kernel");
	TCase *kernels = tcase_create("kernels");

	tcase_set_timeout(kernels, TEST_TIMEOUT_S);
	tcase_add_test(kernels, the_kernels_of_this_processor_can_be_chosen);
	tcase_add_test(kernels, every_kernel_selects_by_the_definition);
	tcase_add_loop_test(kernels, every_kernel_chooses_the_same_child, 0,
			    SHAPES);
	tcase_add_loop_test(kernels,
			    every_kernel_measures_the_same_and_never_too_much,
			    0, SHAPES);
	tcase_add_test(kernels, every_kernel_finds_the_least);
	tcase_add_test(kernels, no_kernel_is_led_astray_by_what_is_no_number);
	tcase_add_loop_test(kernels,
			    every_kernel_sets_the_cells_that_the_grid_has, 0,
			    SHAPES);
	tcase_add_loop_test(kernels, every_kernel_finds_the_same_by_every_way,
			    0, SHAPES);
	suite_add_tcase(suite, kernels);
	return suite;
}
