/* SPDX-License-Identifier: BSD-2-Clause */

/* The root record says which version is there, whole or not at all, and whether
 * its server lives. */

#include "rtree/root.h"

#include <linux/futex.h>
#include <pthread.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/random.h"
#include "rtree/rtree.h"
#include "tests/lib/test.h"
#include "tests/rtree/effort.h"

struct line {
	uint64_t words[8];
};

static struct rtree *make_tree(void)
{
	const struct rtree_options options = {.size = rtree_size_min(),
					      .is_mappable = true};
	struct rtree *tree;

	ck_assert_int_eq(rtree_create(&options, &tree), 0);
	return tree;
}

static const struct root_page *root_page_of(const struct rtree *tree)
{
	struct rtree_region region;

	rtree_describe(tree, &region);
	return region.memory;
}

static void publish(struct rtree *tree, int64_t id)
{
	const struct item item = {.id = id};
	struct rtree_batch *batch;
	uint64_t version;

	ck_assert_int_eq(rtree_batch_begin(tree, &batch), 0);
	ck_assert_int_eq(rtree_insert(batch, &item), 0);
	rtree_batch_commit(batch, &version);
}

static struct line read_line(const struct rtree *tree)
{
	struct line line;

	memcpy(&line, (const char *)root_page_of(tree) + ROOT_RECORD_OFFSET,
	       sizeof(line));
	return line;
}

START_TEST(the_header_names_the_region)
{
	struct rtree *tree = make_tree(), *other = make_tree();
	const struct region_header *header = &root_page_of(tree)->header;
	struct rtree_region region;

	rtree_describe(tree, &region);
	ck_assert_uint_eq(header->magic, REGION_MAGIC);
	ck_assert_uint_eq(header->fingerprint, RTREE_LAYOUT_FINGERPRINT);
	ck_assert_uint_eq(header->identity, region.identity);
	ck_assert_uint_eq(header->page_count, region.page_count);
	ck_assert_uint_eq(region.size, region.page_count * RTREE_PAGE_SIZE);
	ck_assert_uint_ne(header->identity,
			  root_page_of(other)->header.identity);
	rtree_destroy(tree);
	rtree_destroy(other);
}
END_TEST

START_TEST(a_record_is_read_as_it_was_published)
{
	struct rtree *tree = make_tree();

	for (int64_t id = 0; id < 1000; id++) {
		struct root loaded, decoded;
		struct line line = read_line(tree);
		root_load(root_page_of(tree), &loaded);
		ck_assert_int_eq(root_decode(&line, &decoded), 0);
		ck_assert_uint_eq(loaded.version, (uint64_t)id + 1);
		ck_assert_uint_eq(decoded.version, loaded.version);
		ck_assert_uint_eq(decoded.ref, loaded.ref);
		ck_assert_uint_eq(decoded.identity, loaded.identity);
		ck_assert_uint_eq(decoded.horizon, loaded.horizon);
		ck_assert_uint_eq(decoded.item_count, (uint64_t)id);
		ck_assert_uint_eq(node_ref_birth(loaded.ref), loaded.version);
		ck_assert_uint_le(loaded.horizon, loaded.version);
		publish(tree, id);
	}
	rtree_destroy(tree);
}
END_TEST

START_TEST(a_torn_record_is_told_from_a_whole_one)
{
	struct rtree *tree = make_tree();
	struct random random;
	struct root root;

	random_seed(&random, test_seed());
	struct line before = read_line(tree);
	for (int64_t id = 0; id < 2000; id++) {
		publish(tree, id);
		struct line after = read_line(tree), torn = before;
		/* Any bytes of the one among those of the other. */
		for (size_t i = 0; i < sizeof(torn); i++)
			if (random_below(&random, 2))
				((char *)&torn)[i] = ((char *)&after)[i];
		bool whole = !memcmp(&torn, &before, sizeof(torn)) ||
			     !memcmp(&torn, &after, sizeof(torn));
		int error = root_decode(&torn, &root);
		if (error != (whole ? 0 : ERR_AGAIN))
			ck_abort_msg("version %lld", (long long)id);
		before = after;
	}
	rtree_destroy(tree);
}
END_TEST

START_TEST(any_changed_bit_of_a_record_shows)
{
	struct rtree *tree = make_tree();
	struct line line = read_line(tree);
	struct root root;

	for (size_t bit = 0; bit < 8 * sizeof(line); bit++) {
		struct line changed = line;
		((char *)&changed)[bit / 8] ^= (char)(1 << bit % 8);
		ck_assert_int_eq(root_decode(&changed, &root), ERR_AGAIN);
	}
	rtree_destroy(tree);
}
END_TEST

START_TEST(a_version_follows_from_the_birth_of_its_root)
{
	static const uint64_t versions[] = {
		1,
		UINT32_MAX - 1,
		UINT32_MAX,
		UINT64_C(1) << 32,
		(UINT64_C(7) << 32) + 3,
	};
	struct root_page page;
	struct root root;

	memset(&page, 0, sizeof(page));
	for (int i = 0; i < 5; i++)
		/* The version word may be of a later one. */
		for (uint64_t later = 0; later < 5; later++) {
			page.record.version = versions[i] + later;
			page.record.root = node_ref_make(9, versions[i]);
			root_load(&page, &root);
			ck_assert_uint_eq(root.version, versions[i]);
		}
}
END_TEST

/* What the kernel leaves of the mutex that the owner holds. */
static bool owner_died(const struct root_page *page)
{
	unsigned word = *(const volatile unsigned *)(const void *)&page->owner;

	return !(word & FUTEX_TID_MASK) || (word & FUTEX_OWNER_DIED);
}

static void *make_and_leave(void *tree)
{
	*(struct rtree **)tree = make_tree();
	return NULL;
}

/* What has lost its owner can't be ended in order; it is kept till the end. */
static struct rtree *orphan;

START_TEST(an_owner_that_ended_shows)
{
	struct rtree *tree = make_tree();
	pthread_t thread;

	ck_assert(!owner_died(root_page_of(tree)));
	ck_assert_int_eq(pthread_create(&thread, NULL, make_and_leave, &orphan),
			 0);
	pthread_join(thread, NULL);
	ck_assert(owner_died(root_page_of(orphan)));
	ck_assert(!owner_died(root_page_of(tree)));
	rtree_destroy(tree);
}
END_TEST

START_TEST(an_owner_that_was_killed_shows)
{
	int to_child[2], to_parent[2];
	char byte = 0;

	orphan = make_tree();
	/* The child takes the owner's place in a region that both see. */
	ck_assert_int_eq(pipe(to_child), 0);
	ck_assert_int_eq(pipe(to_parent), 0);
	struct root_page *page = (struct root_page *)root_page_of(orphan);
	ck_assert_int_eq(pthread_mutex_unlock(&page->owner), 0);
	ck_assert(owner_died(page));
	pid_t child = fork();
	if (child == 0) {
		pthread_mutex_lock(&page->owner);
		if (write(to_parent[1], &byte, 1) == 1)
			(void)!read(to_child[0], &byte, 1);
		_exit(0);
	}
	ck_assert_int_eq(read(to_parent[0], &byte, 1), 1);
	ck_assert(!owner_died(page));
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	ck_assert(owner_died(page));
}
END_TEST

Suite *test_suite(const char **why)
{
	(void)why;
	Suite *suite = suite_create("root");
	TCase *roots = tcase_create("roots");

	tcase_set_timeout(roots, TEST_TIMEOUT_S);
	tcase_add_test(roots, the_header_names_the_region);
	tcase_add_test(roots, a_record_is_read_as_it_was_published);
	tcase_add_test(roots, a_torn_record_is_told_from_a_whole_one);
	tcase_add_test(roots, any_changed_bit_of_a_record_shows);
	tcase_add_test(roots, a_version_follows_from_the_birth_of_its_root);
	tcase_add_test(roots, an_owner_that_ended_shows);
	tcase_add_test(roots, an_owner_that_was_killed_shows);
	suite_add_tcase(suite, roots);
	return suite;
}
