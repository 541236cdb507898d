/* SPDX-License-Identifier: BSD-2-Clause */

/* What searches by copy take over the fabric, counted: round trips and bytes,
 * with caches of several sizes, on uniform rectangles.  A million searches of
 * two million items with CATFISH_TEST_LONG=1, else fewer of fewer, in squares
 * that are as much larger as the items are sparser. */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "client/catfish.h"
#include "rtree/node.h"
#include "tests/client/daemon.h"
#include "tests/lib/test.h"

static struct {
	uint64_t items, searches;
	double shrinks; /* edges, relative to two million items */
} effort = {200000, 20000, 3.1622776601683795};

static struct daemon daemon_;
static struct catfish *writer, *reader;
static struct catfish_item *items;
static struct random random_;
static uint64_t height;

static void succeeds(int error)
{
	ck_assert_msg(!error, "%s: %s", catfish_strerror(error),
		      catfish_error_text());
}

static void random_box(const double middle[DIMENSIONS], double edge,
		       double *box)
{
	for (int d = 0; d < DIMENSIONS; d++) {
		double half = edge * effort.shrinks * random_unit(&random_) / 2;
		box[d] = middle[d] - half;
		box[DIMENSIONS + d] = middle[d] + half;
	}
}

static void anywhere(double middle[DIMENSIONS])
{
	for (int d = 0; d < DIMENSIONS; d++)
		middle[d] = random_unit(&random_);
}

static void load(void)
{
	enum { AT_ONCE = 1000 };

	items = calloc(effort.items, sizeof(*items));
	ck_assert_ptr_nonnull(items);
	for (uint64_t i = 0; i < effort.items; i++) {
		double middle[DIMENSIONS];
		anywhere(middle);
		items[i].id = (int64_t)i;
		random_box(middle, 1e-4, items[i].box);
	}
	succeeds(catfish_load_begin(writer, CATFISH_LOAD_EMPTY, effort.items));
	for (uint64_t i = 0; i < effort.items; i += AT_ONCE)
		succeeds(catfish_load_items(writer, items + i, AT_ONCE));
	succeeds(catfish_load_commit(writer, NULL));
}

/* What is READ goes over a network where that can. */
static const char *address(void)
{
	return daemon_uses_rdma() ? daemon_.network : daemon_.shm;
}

static void begin(uint64_t cache_size)
{
	/* A lease that no run outlasts: what is counted is what the reader
	 * means to do. */
	static const char *const options[] = {"--memory", "256M", "--lease",
					      "60s", NULL};
	const struct catfish_options copy = {
		.policy = CATFISH_POLICY_OFFLOAD,
		.offload = CATFISH_OFFLOAD_COPY,
		.cache_size = cache_size,
	};
	struct catfish_stat stat;

	random_seed(&random_, 1);
	daemon_start(&daemon_, options);
	succeeds(catfish_connect(daemon_.shm, NULL, &writer));
	load();
	succeeds(catfish_connect(address(), &copy, &reader));
	succeeds(catfish_stat(writer, &stat));
	height = stat.height;
}

static void end(void)
{
	catfish_close(reader);
	catfish_close(writer);
	daemon_stop(&daemon_);
	free(items);
}

/* --- Searches ----------------------------------------------------------- */

/* Sums over searches. */
struct sums {
	uint64_t searches, found, round_trips, read_bytes, nodes, most_trips;
};

static int ignore(void *context, int64_t id, const double *box)
{
	(void)context;
	(void)id;
	(void)box;
	return 0;
}

static void search(const double middle[DIMENSIONS], struct sums *sums)
{
	struct catfish_query query = {.relation = CATFISH_INTERSECTS};
	struct catfish_answer answer;

	random_box(middle, 1e-5, query.box);
	succeeds(catfish_search(reader, &query, ignore, NULL, &answer));
	ck_assert_int_eq(answer.path, CATFISH_PATH_OFFLOAD);
	sums->searches++;
	sums->found += answer.count;
	sums->round_trips += answer.round_trips;
	sums->read_bytes += answer.read_bytes;
	sums->nodes += answer.nodes;
	if (sums->most_trips < answer.round_trips)
		sums->most_trips = answer.round_trips;
}

static struct sums search_anywhere(uint64_t seed)
{
	struct sums sums = {0};
	double middle[DIMENSIONS];

	random_seed(&random_, seed);
	for (uint64_t i = 0; i < effort.searches; i++) {
		anywhere(middle);
		search(middle, &sums);
	}
	return sums;
}

static struct sums search_around_items(uint64_t seed)
{
	struct sums sums = {0};

	random_seed(&random_, seed);
	for (uint64_t i = 0; i < effort.searches; i++) {
		const double *box =
			items[random_below(&random_, effort.items)].box;
		double middle[DIMENSIONS];
		for (int d = 0; d < DIMENSIONS; d++)
			middle[d] = (box[d] + box[DIMENSIONS + d]) / 2;
		search(middle, &sums);
	}
	return sums;
}

static void report(const char *what, const struct sums *sums)
{
	double n = (double)sums->searches;

	fprintf(stderr,
		"%s: %.4f found, %.4f round trips, %.1f bytes, %.3f nodes\n",
		what, (double)sums->found / n, (double)sums->round_trips / n,
		(double)sums->read_bytes / n, (double)sums->nodes / n);
}

/* --- Tests -------------------------------------------------------------- */

START_TEST(a_warm_cache_takes_one_round_trip_and_hardly_a_leaf)
{
	begin(0);
	search_anywhere(2);
	search_around_items(3);
	struct sums sums = search_anywhere(2);
	report("anywhere", &sums);
	ck_assert_uint_gt(sums.found, 0);
	ck_assert_uint_eq(sums.round_trips, sums.searches);
	ck_assert_uint_le(sums.read_bytes, 100 * sums.searches);

	sums = search_around_items(3);
	report("around items", &sums);
	ck_assert_uint_ge(sums.found, sums.searches);
	ck_assert_uint_eq(sums.round_trips, sums.searches);
	/* The root record, and of mostly one leaf little more than an entry. */
	ck_assert_uint_le(sums.read_bytes, 400 * sums.searches);
	end();
}
END_TEST

START_TEST(with_the_inner_nodes_alone_it_reads_the_leaves_it_visits)
{
	uint64_t inner_nodes = 2 * effort.items / NODE_CAPACITY / NODE_CAPACITY;

	/* Room for a few filters besides. */
	begin(inner_nodes * 1024 + 65536);
	search_anywhere(2);
	struct sums sums = search_anywhere(2);
	report("anywhere", &sums);
	uint64_t leaves = sums.nodes - sums.searches * (height - 1);
	ck_assert_uint_eq(sums.round_trips, sums.searches);
	ck_assert_uint_le(10 * sums.read_bytes, 13 * leaves * RTREE_PAGE_SIZE);
	/* And no less than most of them, or this shows nothing. */
	ck_assert_uint_ge(2 * sums.read_bytes, leaves * RTREE_PAGE_SIZE);
	end();
}
END_TEST

START_TEST(without_a_cache_it_takes_a_round_trip_for_each_level)
{
	begin(CATFISH_NO_CACHE);
	search_around_items(2);
	struct sums sums = search_around_items(2);
	report("around items", &sums);
	ck_assert_uint_eq(sums.round_trips, sums.searches * height);
	ck_assert_uint_eq(sums.most_trips, height);
	end();
}
END_TEST

START_TEST(a_publication_costs_a_round_trip_or_a_few)
{
	enum { SEARCHES = 100 };
	struct sums sums = {0};
	double middle[DIMENSIONS];
	uint64_t rounds = effort.searches / SEARCHES;

	begin(0);
	search_anywhere(2);
	for (uint64_t i = 0; i < rounds; i++) {
		struct catfish_item new = {.id = -1};
		anywhere(middle);
		random_box(middle, 1e-4, new.box);
		succeeds(catfish_insert(writer, &new, 1, NULL));
		for (int k = 0; k < SEARCHES; k++) {
			anywhere(middle);
			search(middle, &sums);
		}
	}
	report("with a publication every 100", &sums);
	ck_assert_uint_le(10 * sums.round_trips, 11 * sums.searches);
	ck_assert_uint_ge(sums.round_trips, sums.searches + rounds);
	end();
}
END_TEST

START_TEST(connections_to_one_server_share_what_they_know)
{
	const struct catfish_options copy = {
		.policy = CATFISH_POLICY_OFFLOAD,
		.offload = CATFISH_OFFLOAD_COPY,
	};

	begin(0);
	search_anywhere(2);
	struct catfish *first = reader;
	succeeds(catfish_connect(address(), &copy, &reader));
	struct sums sums = search_anywhere(2);
	ck_assert_uint_eq(sums.round_trips, sums.searches);
	catfish_close(first);
	sums = search_anywhere(2);
	ck_assert_uint_eq(sums.round_trips, sums.searches);
	end();
}
END_TEST

/* Sums of what requests were completed with. */
struct completed {
	uint64_t requests, failed, ids, round_trips, count;
	uint64_t versions; /* others than the first's */
	uint64_t version;
};

/* Of one request, whose items come before it is completed. */
struct begun {
	struct completed *all;
	uint64_t ids;
};

static int add_id(void *context, int64_t id, const double *box)
{
	struct begun *begun = context;

	(void)box;
	begun->ids += (uint64_t)id + 1;
	return 0;
}

static void complete(void *context, const struct catfish_result *result)
{
	struct begun *begun = context;
	struct completed *all = begun->all;

	all->failed +=
		result->error || result->answer.path != CATFISH_PATH_OFFLOAD;
	if (!all->requests++)
		all->version = result->answer.version;
	all->versions += result->answer.version != all->version;
	all->round_trips += result->answer.round_trips;
	all->ids += begun->ids;
	all->count += result->answer.count;
}

static void random_query(struct catfish_query *query, double edge)
{
	const double *box = items[random_below(&random_, effort.items)].box;
	double middle[DIMENSIONS];

	*query = (struct catfish_query){.relation = CATFISH_INTERSECTS};
	for (int d = 0; d < DIMENSIONS; d++)
		middle[d] = (box[d] + box[DIMENSIONS + d]) / 2;
	random_box(middle, edge, query->box);
}

/* Begins searches and completes them together, then makes each alone, and
 * compares. */
static void compare_together(size_t count, double edge, struct completed *all)
{
	enum { MOST = 100 };
	struct begun begun[MOST];
	struct catfish_query queries[MOST];
	uint64_t ids = 0, found = 0, one;
	size_t completed = 0, some;

	*all = (struct completed){0};
	for (size_t i = 0; i < count; i++) {
		const struct catfish_call call = {.done = complete,
						  .context = &begun[i]};
		begun[i] = (struct begun){.all = all};
		random_query(&queries[i], edge);
		if (i % 4)
			succeeds(catfish_begin_search(reader, &queries[i],
						      add_id, &call, NULL));
		else
			succeeds(catfish_begin_count(reader, &queries[i], &call,
						     NULL));
	}
	for (; completed < count; completed += some)
		succeeds(catfish_wait(reader, 1000, &some));
	ck_assert_uint_eq(all->requests, count);
	ck_assert_uint_eq(all->failed, 0);
	for (size_t i = 0; i < count; i++) {
		struct completed alone = {0};
		struct begun search = {.all = &alone};
		succeeds(catfish_count(reader, &queries[i], &one, NULL));
		found += one;
		if (i % 4)
			succeeds(catfish_search(reader, &queries[i], add_id,
						&search, NULL));
		ids += search.ids;
	}
	ck_assert_uint_gt(found, 0);
	ck_assert_uint_eq(all->count, found);
	ck_assert_uint_eq(all->ids, ids);
}

START_TEST(searches_that_are_begun_together_share_round_trips)
{
	struct completed all;

	begin(0);
	search_anywhere(2);
	search_around_items(3);
	/* As many READs as are needed fit into two lists. */
	random_seed(&random_, 3);
	compare_together(16, 1e-5, &all);
	ck_assert_uint_le(all.round_trips, 2);
	ck_assert_uint_eq(all.versions, 0);
	/* More than a group, and more than a list for one of them. */
	compare_together(100, 1e-5, &all);
	ck_assert_uint_le(all.round_trips, 16);
	compare_together(100, 1e-1, &all);
	end();
}
END_TEST

/* What was READ for the version before is used again, for the search that it
 * was READ for: of a leaf that is only what this one wants. */
START_TEST(searches_begun_together_find_all_after_a_publication)
{
	enum { ROUNDS = 10 };
	struct completed all;
	double middle[DIMENSIONS];

	begin(0);
	search_around_items(3);
	for (int i = 0; i < ROUNDS; i++) {
		struct catfish_item new = {.id = -1};
		anywhere(middle);
		random_box(middle, 1e-4, new.box);
		succeeds(catfish_insert(writer, &new, 1, NULL));
		compare_together(60, 1e-2, &all);
		ck_assert_uint_eq(all.versions, 0);
	}
	end();
}
END_TEST

START_TEST(searches_begun_together_walk_down_together)
{
	struct completed all;

	begin(CATFISH_NO_CACHE);
	compare_together(16, 1e-5, &all);
	ck_assert_uint_le(all.round_trips, 2 * height);
	ck_assert_uint_ge(all.round_trips, height);
	end();
}
END_TEST

Suite *test_suite(const char **why)
{
	Suite *suite = suite_create("client: round trips");
	TCase *tests = tcase_create("round trips");

	if (getenv("CATFISH_TEST_LONG")) {
		effort.items = 2000000;
		effort.searches = 1000000;
		effort.shrinks = 1;
	} else if (daemon_uses_rdma()) {
		/* A device in a virtual machine is slow. */
		effort.searches = 4000;
	}
	(void)why;
	tcase_set_timeout(tests, 600);
	tcase_add_test(tests,
		       a_warm_cache_takes_one_round_trip_and_hardly_a_leaf);
	tcase_add_test(
		tests,
		with_the_inner_nodes_alone_it_reads_the_leaves_it_visits);
	tcase_add_test(tests,
		       without_a_cache_it_takes_a_round_trip_for_each_level);
	tcase_add_test(tests, a_publication_costs_a_round_trip_or_a_few);
	tcase_add_test(tests, connections_to_one_server_share_what_they_know);
	tcase_add_test(tests,
		       searches_that_are_begun_together_share_round_trips);
	tcase_add_test(tests,
		       searches_begun_together_find_all_after_a_publication);
	tcase_add_test(tests, searches_begun_together_walk_down_together);
	suite_add_tcase(suite, tests);
	return suite;
}
