/* SPDX-License-Identifier: BSD-2-Clause */

/* A walk finds the same however it is fed, and whatever it is fed it ends. */

#include "rtree/walk.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "rtree/batch.h"
#include "rtree/kernel.h"
#include "rtree/nearest.h"
#include "tests/lib/test.h"
#include "tests/rtree/effort.h"
#include "tests/rtree/shape.h"

/* The bytes of a region, as a client has them that READ all of it. */
struct image {
	struct node *pages;
	uint64_t page_count;
	node_ref root;
	struct model model;
};

static const struct rect everywhere = {{[0 ... DIMENSIONS - 1] = -1e300},
				       {[0 ... DIMENSIONS - 1] = 1e300}};
static const double nowhere[DIMENSIONS] = {0.25, 0.75};

static struct model make_items(enum shape shape, uint64_t count)
{
	struct random random;
	struct model model = {0};

	random_seed(&random, test_seed());
	for (uint64_t id = 0; id < count; id++)
		model_insert(&model, &(struct item){.id = (int64_t)id,
						    .rect = shape_rect(
							    shape, &random)});
	return model;
}

static struct image make_image(enum shape shape, uint64_t count)
{
	struct image image = {.model = make_items(shape, count)};
	const struct rtree_options options = {
		.size = rtree_size_forecast(count),
	};
	struct rtree_region region;
	struct rtree_batch *batch;
	struct rtree_pin pin;
	struct rtree *tree;
	uint64_t version;

	ck_assert_int_eq(rtree_create(&options, &tree), 0);
	ck_assert_int_eq(rtree_batch_begin(tree, &batch), 0);
	ck_assert_int_eq(rtree_replace(batch, image.model.items, count, NULL),
			 0);
	rtree_batch_commit(batch, &version);
	ck_assert_int_eq(rtree_pin(tree, &pin), 0);
	rtree_describe(tree, &region);
	image.page_count = region.page_count;
	image.root = pin.root.ref;
	image.pages = malloc(region.size);
	ck_assert_ptr_nonnull(image.pages);
	memcpy(image.pages, region.memory, region.size);
	rtree_unpin(tree, &pin);
	rtree_destroy(tree);
	return image;
}

static void image_fini(struct image *image)
{
	free(image->pages);
	model_fini(&image->model);
}

static struct node *image_node(const struct image *image, node_ref ref)
{
	return &image->pages[node_ref_page(ref)];
}

/* --- Feeding ------------------------------------------------------------- */

/* Nodes that are on their way. */
struct pool {
	struct walk_wanted wanted[4096];
	size_t count;
};

/* Asks for all that is wanted now, and takes any of it. */
static bool take_any(struct walk *walk, struct pool *pool,
		     struct random *random, struct walk_wanted *wanted)
{
	while (walk_next(walk, &pool->wanted[pool->count]))
		if (++pool->count == 4096)
			ck_abort_msg("more is wanted than there is");
	if (!pool->count)
		return false;
	size_t i = random_below(random, pool->count);
	*wanted = pool->wanted[i];
	pool->wanted[i] = pool->wanted[--pool->count];
	return true;
}

static void search_in_any_order(const struct image *image,
				const struct rect *query,
				enum relation relation, struct random *random,
				struct model *answer)
{
	struct walk_wanted wanted;
	static struct pool pool;
	struct walk walk;
	uint64_t hits;

	pool.count = 0;
	ck_assert_int_eq(walk_begin(&walk, query, relation, image->root,
				    image->page_count),
			 0);
	while (take_any(&walk, &pool, random, &wanted)) {
		const struct node *node = image_node(image, wanted.ref);
		/* Just the bytes that a READ of it brings. */
		size_t size = wanted.level == WALK_LEVEL_UNKNOWN
				      ? RTREE_PAGE_SIZE
				      : node_size(wanted.level);
		struct node *copy = malloc(size);
		memcpy(copy, node, size);
		int error = walk_feed(&walk, &wanted, copy, &hits);
		free(copy);
		if (error)
			ck_abort_msg("%s", err_text());
		model_add_hits(answer, node, hits);
	}
	walk_end(&walk);
}

START_TEST(nodes_may_come_in_any_order)
{
	struct image image = make_image(_i, 5000);
	struct random random;

	random_seed(&random, test_seed());
	for (int round = 0; round < 60; round++) {
		struct model wanted = {0}, answer = {0};
		struct rect query = shape_query(_i, &random, &image.model);
		enum relation relation = round % 3;
		model_search(&image.model, &query, relation, &wanted);
		search_in_any_order(&image, &query, relation, &random, &answer);
		ck_assert_msg(!model_expect(&wanted, &answer), "%s",
			      err_text());
		model_fini(&wanted);
		model_fini(&answer);
	}
	image_fini(&image);
}
END_TEST

START_TEST(a_walk_counts_its_nodes_and_leaves)
{
	static const uint64_t counts[] = {0, 1, 64, 65, 5000};

	for (int i = 0; i < 5; i++) {
		struct image image = make_image(SHAPE_UNIFORM, counts[i]);
		struct model answer = {0};
		struct walk_pages pages = {image.pages, image.page_count};
		struct walk_visited visited = {0};
		uint64_t leaves = counts[i] ? (counts[i] + 63) / 64 : 1;
		ck_assert_int_eq(walk_run(&pages, image.root, &everywhere,
					  RELATION_INTERSECTS, model_add_hits,
					  &answer, &visited),
				 0);
		ck_assert_uint_eq(answer.count, counts[i]);
		ck_assert_uint_eq(visited.leaves, leaves);
		ck_assert_uint_ge(visited.nodes, leaves);
		ck_assert_uint_lt(visited.nodes, leaves + 4);
		model_fini(&answer);
		image_fini(&image);
	}
}
END_TEST

static int give_up(void *context, const struct node *leaf, uint64_t hits)
{
	(void)leaf;
	(void)hits;
	return ++*(int *)context == 3 ? 42 : 0;
}

START_TEST(a_walk_ends_when_its_caller_has_enough)
{
	struct image image = make_image(SHAPE_UNIFORM, 5000);
	struct walk_pages pages = {image.pages, image.page_count};
	struct walk_visited visited = {0};
	int calls = 0;

	ck_assert_int_eq(walk_run(&pages, image.root, &everywhere,
				  RELATION_WITHIN, give_up, &calls, &visited),
			 42);
	ck_assert_int_eq(calls, 3);
	image_fini(&image);
}
END_TEST

/* --- Nodes that can't be right ------------------------------------------- */

static int count_hits(void *context, const struct node *leaf, uint64_t hits)
{
	(void)leaf;
	*(uint64_t *)context += (uint64_t)__builtin_popcountll(hits);
	return 0;
}

/* The error that a search for everything ends with, by each way of searching;
 * they have to agree, and must not visit more nodes than there are pages. */
static int search_by_run(const struct image *image)
{
	uint64_t count = 0;
	struct walk_pages pages = {image->pages, image->page_count};
	struct walk_visited visited = {0};
	int error = walk_run(&pages, image->root, &everywhere,
			     RELATION_INTERSECTS, count_hits, &count, &visited);

	ck_assert_uint_le(visited.nodes, image->page_count);
	return error;
}

static int search_by_feed(const struct image *image)
{
	struct walk_wanted wanted;
	uint64_t hits, visits = 0;
	struct walk walk;
	int error = walk_begin(&walk, &everywhere, RELATION_INTERSECTS,
			       image->root, image->page_count);

	if (error)
		return error;
	while (!error && walk_next(&walk, &wanted)) {
		/* In memory of its own, so that what is read beyond shows. */
		struct node copy = *image_node(image, wanted.ref);
		error = walk_feed(&walk, &wanted, &copy, &hits);
		visits += !error;
	}
	ck_assert_uint_eq(visits, walk.nodes);
	ck_assert_uint_le(visits, image->page_count);
	walk_end(&walk);
	return error;
}

static int search_nearest(const struct image *image)
{
	struct walk_wanted wanted;
	struct nearest nearest;
	int error = nearest_begin(&nearest, nowhere, UINT64_MAX, image->root,
				  image->page_count);

	if (error)
		return error;
	while (!error && nearest_next(&nearest, &wanted))
		error = nearest_feed(&nearest, &wanted,
				     image_node(image, wanted.ref));
	nearest_end(&nearest);
	return error;
}

static int search_every_way(const struct image *image)
{
	int error = search_by_run(image);

	ck_assert_int_eq(search_by_feed(image), error);
	ck_assert_int_eq(search_nearest(image), error);
	return error;
}

/* With each kernel that runs here. */
static int search(const struct image *image)
{
	int error = search_every_way(image);

	for (unsigned i = 0; kernel_at(i); i++)
		if (kernel_choose(kernel_at(i)->name) == 0)
			ck_assert_int_eq(search_every_way(image), error);
	return error;
}

static node_ref root_child(const struct image *image, int i)
{
	return image_node(image, image->root)->child[i];
}

START_TEST(a_sound_image_is_no_damage)
{
	struct image image = make_image(_i, 5000);

	ck_assert_int_eq(search(&image), 0);
	image_fini(&image);
}
END_TEST

START_TEST(a_node_that_is_not_the_one_wanted_is_damage)
{
	struct image image = make_image(SHAPE_UNIFORM, 5000);
	node_ref inner = root_child(&image, 1);
	const node_ref refs[] = {
		image.root,
		inner,
		image_node(&image, inner)->child[3],
	};

	for (int i = 0; i < 3; i++) {
		struct node *node = image_node(&image, refs[i]);
		const struct node_header header = node->header;
		struct node_header wrong[11];
		for (int w = 0; w < 11; w++)
			wrong[w] = header;
		wrong[0].kind = 0;
		wrong[1].kind ^= 1;
		wrong[2].page ^= 1;
		wrong[3].page = 0;
		wrong[4].birth++;
		wrong[5].birth--;
		wrong[6].count = NODE_CAPACITY + 1;
		wrong[7].count = UINT16_MAX;
		wrong[8].level = NODE_LEVEL_MAX + 1;
		wrong[9].level = UINT8_MAX;
		/* A root of another level than before is believed, but then
		 * its children aren't of the level below. */
		wrong[10].level++;
		for (int w = 0; w < 11; w++) {
			node->header = wrong[w];
			ck_assert_int_eq(search(&image), ERR_DAMAGED);
		}
		node->header = header;
	}
	/* Of a birth, a ref has the low 32 bits. */
	image_node(&image, inner)->header.birth += UINT64_C(1) << 32;
	ck_assert_int_eq(search(&image), 0);
	image_fini(&image);
}
END_TEST

START_TEST(a_ref_out_of_the_region_is_damage)
{
	struct image image = make_image(SHAPE_UNIFORM, 5000);
	uint32_t birth = node_ref_birth(image.root);
	const node_ref wrong[] = {
		0,
		node_ref_make(0, birth),
		node_ref_make((uint32_t)image.page_count, birth),
		node_ref_make(UINT32_MAX, birth),
	};

	for (int w = 0; w < 4; w++) {
		struct image other = image;
		struct walk walk;
		other.root = wrong[w];
		ck_assert_int_eq(walk_begin(&walk, &everywhere, RELATION_WITHIN,
					    other.root, other.page_count),
				 ERR_DAMAGED);
		ck_assert_int_eq(search(&other), ERR_DAMAGED);
		node_ref *child = &image_node(&image, image.root)->child[1];
		node_ref right = *child;
		*child = wrong[w];
		ck_assert_int_eq(search(&image), ERR_DAMAGED);
		*child = right;
	}
	image_fini(&image);
}
END_TEST

START_TEST(a_node_that_is_its_own_child_is_damage)
{
	struct image image = make_image(SHAPE_UNIFORM, 5000);
	node_ref inner = root_child(&image, 1);

	image_node(&image, image.root)->child[0] = image.root;
	ck_assert_int_eq(search(&image), ERR_DAMAGED);
	image_node(&image, image.root)->child[0] = inner;
	image_node(&image, inner)->child[0] = image.root;
	ck_assert_int_eq(search(&image), ERR_DAMAGED);
	image_fini(&image);
}
END_TEST

/* Each of 'levels' nodes names the one below 'fan' times: from two of them on
 * there is no tree like that. */
static struct image make_bush(int levels, int fan)
{
	struct image image = {
		.pages = calloc((size_t)levels + 1, sizeof(struct node)),
		.page_count = (uint64_t)levels + 1,
		.root = node_ref_make((uint32_t)levels, 1),
	};

	ck_assert_ptr_nonnull(image.pages);
	for (int level = 0; level < levels; level++) {
		struct node *node = &image.pages[level + 1];
		node->header = (struct node_header){
			.birth = 1,
			.page = (uint32_t)level + 1,
			.count = (uint16_t)fan,
			.level = (uint8_t)level,
			.kind = NODE_KIND,
		};
		for (int i = 0; level && i < fan; i++)
			node->child[i] = node_ref_make((uint32_t)level, 1);
	}
	return image;
}

START_TEST(a_tree_of_more_nodes_than_pages_is_damage)
{
	for (int levels = 2; levels <= NODE_LEVEL_MAX + 1; levels++)
		for (int fan = 2; fan <= NODE_CAPACITY; fan *= 2) {
			struct image image = make_bush(levels, fan);
			/* A walk may visit as many nodes as there are pages,
			 * though page 0 holds none. */
			int wanted = levels == 2 && fan == 2 ? 0 : ERR_DAMAGED;
			ck_assert_int_eq(search_by_run(&image), wanted);
			ck_assert_int_eq(search_by_feed(&image), wanted);
			ck_assert_int_eq(search_nearest(&image), wanted);
			image_fini(&image);
		}
}
END_TEST

START_TEST(a_group_of_walks_in_such_a_tree_ends_too)
{
	struct image image = make_bush(NODE_LEVEL_MAX + 1, NODE_CAPACITY);

	image_fini(&image);
}
END_TEST

Suite *test_suite(const char **why)
{
	(void)why;
	Suite *suite = suite_create("walk");
	TCase *feeding = tcase_create("feeding");
	TCase *damage = tcase_create("damage");

	tcase_set_timeout(feeding, TEST_TIMEOUT_S);
	tcase_add_loop_test(feeding, nodes_may_come_in_any_order, 0, SHAPES);
	tcase_add_test(feeding, a_walk_counts_its_nodes_and_leaves);
	tcase_add_test(feeding, a_walk_ends_when_its_caller_has_enough);
	suite_add_tcase(suite, feeding);

	tcase_set_timeout(damage, TEST_TIMEOUT_S);
	tcase_add_loop_test(damage, a_sound_image_is_no_damage, 0, SHAPES);
	tcase_add_test(damage, a_node_that_is_not_the_one_wanted_is_damage);
	tcase_add_test(damage, a_ref_out_of_the_region_is_damage);
	tcase_add_test(damage, a_node_that_is_its_own_child_is_damage);
	tcase_add_test(damage, a_tree_of_more_nodes_than_pages_is_damage);
	tcase_add_test(damage, a_group_of_walks_in_such_a_tree_ends_too);
	suite_add_tcase(suite, damage);
	return suite;
}
