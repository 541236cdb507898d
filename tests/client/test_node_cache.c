/* SPDX-License-Identifier: BSD-2-Clause */

/* The cache of nodes: it gives back what it was given and nothing else, keeps
 * to its size, drops what is least used, and knows when a ref has come to mean
 * another node.  Births wrap every 16 versions here. */

#include "client/node_cache.h"

#include <string.h>

#include "tests/lib/test.h"

static_assert(RTREE_BIRTH_BITS == 4, "births wrap soon");

enum { SIZE = 1 << 20, IDENTITY = 77 };

static struct node_cache *cache;
static struct root root;

static void set_up(void)
{
	ck_assert_int_eq(node_cache_open("here", IDENTITY, SIZE, &cache), 0);
	root = (struct root){.identity = IDENTITY, .version = 5};
}

static void tear_down(void)
{
	node_cache_close(cache);
}

static struct node make_node(uint32_t page, uint64_t birth, int level)
{
	struct node node = {.header = {.page = page,
				       .birth = birth,
				       .level = (uint8_t)level,
				       .kind = NODE_KIND}};

	memset(node.cell_min, (int)page, sizeof(node.cell_min));
	memset(node.child, (int)page + 1, sizeof(node.child));
	return node;
}

static node_ref ref_of(const struct node *node)
{
	return node_ref_make(node->header.page, node->header.birth);
}

static void add(struct node_cache_fresh *fresh, const struct node *node)
{
	node_cache_add(cache, fresh, ref_of(node), node);
}

static void keep(const struct node *node)
{
	struct node_cache_fresh fresh = {0};

	add(&fresh, node);
	node_cache_keep(cache, &fresh, &root);
}

static const struct node *find(node_ref ref, uint64_t version)
{
	node_cache_read_begin(cache);
	const struct node *found = node_cache_find(cache, ref, version);
	node_cache_read_end(cache);
	return found;
}

START_TEST(what_was_kept_is_found_by_its_ref)
{
	struct node inner = make_node(3, 4, 1), leaf = make_node(9, 5, 0);

	keep(&inner);
	keep(&leaf);
	ck_assert_mem_eq(find(ref_of(&inner), 5), &inner, RTREE_INNER_SIZE);
	ck_assert_mem_eq(find(ref_of(&leaf), 5), &leaf, RTREE_FILTER_SIZE);
	ck_assert_ptr_null(find(node_ref_make(3, 5), 5));
	ck_assert_ptr_null(find(node_ref_make(4, 4), 5));
}
END_TEST

START_TEST(what_is_fresh_or_dropped_is_not_found)
{
	struct node node = make_node(3, 4, 1);
	struct node_cache_fresh fresh = {0};

	add(&fresh, &node);
	ck_assert_ptr_null(find(ref_of(&node), 5));
	node_cache_drop(&fresh);
	node_cache_keep(cache, &fresh, &root);
	ck_assert_ptr_null(find(ref_of(&node), 5));
}
END_TEST

START_TEST(the_root_is_the_newest_that_was_kept)
{
	struct node_cache_fresh fresh = {0};
	const uint64_t versions[] = {5, 8, 7};
	const uint64_t newest[] = {5, 8, 8};

	ck_assert_uint_eq(node_cache_root(cache)->version, 0);
	for (int i = 0; i < 3; i++) {
		root.version = versions[i];
		node_cache_keep(cache, &fresh, &root);
		ck_assert_uint_eq(node_cache_root(cache)->version, newest[i]);
	}
}
END_TEST

/* Born in 4: the next node with these bits of its birth is of version 20. */
START_TEST(a_ref_that_may_mean_another_node_is_not_found)
{
	struct node node = make_node(3, 4, 1);

	keep(&node);
	ck_assert_ptr_null(find(ref_of(&node), 20));
	ck_assert_ptr_null(find(ref_of(&node), 1000));
	ck_assert_ptr_null(find(ref_of(&node), 3));
	ck_assert_ptr_nonnull(find(ref_of(&node), 4));
	ck_assert_ptr_nonnull(find(ref_of(&node), 19));
	/* Seen to be named by 19, it is no better known in 20. */
	ck_assert_ptr_null(find(ref_of(&node), 20));
}
END_TEST

/* A node that is older than births can tell is found as long as no version
 * since it was seen has its bits. */
START_TEST(an_old_node_that_was_seen_lately_is_found)
{
	struct node node = make_node(3, 4, 1);

	root.version = 101; /* 5 by its last four bits */
	keep(&node);
	ck_assert_ptr_nonnull(find(ref_of(&node), 115));
	ck_assert_ptr_null(find(ref_of(&node), 116));
}
END_TEST

START_TEST(an_ambiguous_node_is_replaced)
{
	struct node node = make_node(3, 4, 1), later = make_node(3, 20, 1);

	keep(&node);
	root.version = 21;
	later.child[0] = 12345;
	keep(&later);
	ck_assert_mem_eq(find(ref_of(&later), 21), &later, RTREE_INNER_SIZE);
}
END_TEST

/* However often a page is used again, it takes the room of one node. */
START_TEST(what_came_into_the_same_page_takes_its_place)
{
	struct node node = make_node(3, 4, 0), later = make_node(3, 6, 0);

	keep(&node);
	root.version = 7;
	keep(&later);
	ck_assert_ptr_null(find(ref_of(&node), 5));
	ck_assert_ptr_nonnull(find(ref_of(&later), 7));
	/* Who was slow to READ an older version doesn't turn it back. */
	root.version = 5;
	keep(&node);
	ck_assert_ptr_null(find(ref_of(&node), 5));
	ck_assert_ptr_nonnull(find(ref_of(&later), 7));
}
END_TEST

static unsigned count_found(uint32_t first, uint32_t count, int level)
{
	unsigned found = 0;

	for (uint32_t page = first; page < first + count; page++) {
		struct node node = make_node(page, 4, level);
		found += find(ref_of(&node), 5) != NULL;
	}
	return found;
}

START_TEST(it_keeps_to_its_size)
{
	for (uint32_t page = 1; page < 10000; page++) {
		struct node node = make_node(page, 4, (int)page % 2);
		keep(&node);
	}
	uint64_t inner = count_found(1, 10000, 1);
	ck_assert_uint_gt(inner, 100);
	ck_assert_uint_le(inner * RTREE_FILTER_SIZE, SIZE);
}
END_TEST

START_TEST(what_was_used_least_lately_goes_first)
{
	struct node old = make_node(1, 4, 0);

	keep(&old);
	for (uint32_t page = 2; page < 10000; page++) {
		struct node node = make_node(page, 4, 0);
		keep(&node);
		ck_assert_ptr_nonnull(find(ref_of(&old), 5));
	}
	ck_assert_ptr_null(find(node_ref_make(2, 4), 5));
	ck_assert_ptr_nonnull(find(node_ref_make(9999, 4), 5));
}
END_TEST

START_TEST(inner_nodes_stay_while_filters_come_and_go)
{
	for (uint32_t page = 1; page <= 100; page++) {
		struct node node = make_node(page, 4, 1);
		keep(&node);
	}
	for (uint32_t page = 1000; page < 10000; page++) {
		struct node leaf = make_node(page, 4, 0);
		keep(&leaf);
		find(node_ref_make(1 + page % 100, 4), 5);
	}
	ck_assert_uint_eq(count_found(1, 100, 1), 100);
}
END_TEST

START_TEST(only_connections_to_one_server_share_it)
{
	struct node_cache *same, *other;

	ck_assert_int_eq(node_cache_open("here", IDENTITY, SIZE, &same), 0);
	ck_assert_ptr_eq(same, cache);
	ck_assert_int_eq(node_cache_open("there", IDENTITY, SIZE, &other), 0);
	ck_assert_ptr_ne(other, cache);
	node_cache_close(other);
	ck_assert_int_eq(node_cache_open("here", IDENTITY + 1, SIZE, &other),
			 0);
	ck_assert_ptr_ne(other, cache);
	node_cache_close(other);
	node_cache_close(same);
}
END_TEST

Suite *test_suite(const char **why)
{
	const TTest *const tests[] = {
		what_was_kept_is_found_by_its_ref,
		what_is_fresh_or_dropped_is_not_found,
		the_root_is_the_newest_that_was_kept,
		a_ref_that_may_mean_another_node_is_not_found,
		an_old_node_that_was_seen_lately_is_found,
		an_ambiguous_node_is_replaced,
		what_came_into_the_same_page_takes_its_place,
		it_keeps_to_its_size,
		what_was_used_least_lately_goes_first,
		inner_nodes_stay_while_filters_come_and_go,
		only_connections_to_one_server_share_it,
	};
	Suite *suite = suite_create("client: the cache of nodes");
	TCase *tc = tcase_create("cache");

	(void)why;
	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_set_timeout(tc, 60);
	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		tcase_add_test(tc, tests[i]);
	suite_add_tcase(suite, tc);
	return suite;
}
