/* SPDX-License-Identifier: BSD-2-Clause */

/* The nearest items, by every connection, against a linear scan. */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/client/daemon.h"
#include "tests/client/model.h"
#include "tests/lib/test.h"

static const struct way {
	bool network;
	enum catfish_policy policy;
	enum catfish_offload offload;
	uint64_t cache_size;
} ways[] = {
	{false, CATFISH_POLICY_MESSAGING, 0, 0},
	{false, CATFISH_POLICY_OFFLOAD, CATFISH_OFFLOAD_COPY, 0},
	{false, CATFISH_POLICY_OFFLOAD, CATFISH_OFFLOAD_COPY, 8192},
	{false, CATFISH_POLICY_OFFLOAD, CATFISH_OFFLOAD_COPY, CATFISH_NO_CACHE},
	{false, CATFISH_POLICY_OFFLOAD, CATFISH_OFFLOAD_MAPPED, 0},
	{true, CATFISH_POLICY_MESSAGING, 0, 0},
	{true, CATFISH_POLICY_OFFLOAD, CATFISH_OFFLOAD_COPY, 0},
	{true, CATFISH_POLICY_OFFLOAD, CATFISH_OFFLOAD_COPY, CATFISH_NO_CACHE},
};
enum {
	WAYS_MAX = sizeof(ways) / sizeof(ways[0]),
	NETWORK_MESSAGING = 5,
	RDMA_COPY,
};

/* With an RDMA device only what goes over it is tested, and unless there is
 * time for more (CATFISH_TEST_LONG=1) with a cache. */
static int first_way(void)
{
	return daemon_uses_rdma() ? NETWORK_MESSAGING : 0;
}

static int way_count(void)
{
	if (!daemon_uses_rdma())
		return RDMA_COPY;
	return getenv("CATFISH_TEST_LONG") ? WAYS_MAX : RDMA_COPY + 1;
}

static struct daemon daemon_;
static struct model model;
static struct catfish *server;

static void succeeds(int error)
{
	ck_assert_msg(!error, "%s: %s", catfish_strerror(error),
		      catfish_error_text());
}

static void fails(int error, int wanted, const char *words)
{
	ck_assert_msg(error == wanted, "%s: %s", catfish_strerror(error),
		      catfish_error_text());
	ck_assert_msg(strstr(catfish_error_text(), words), "'%s' not in '%s'",
		      words, catfish_error_text());
}

static void begin_with(const struct way *way, const char *const *options)
{
	const struct catfish_options connect = {
		.policy = way->policy,
		.offload = way->offload,
		.cache_size = way->cache_size,
		.timeout_ms = DAEMON_PATIENCE_MS,
	};

	daemon_start(&daemon_, options);
	succeeds(catfish_connect(way->network ? daemon_.network : daemon_.shm,
				 &connect, &server));
}

static void begin(const struct way *way)
{
	begin_with(way, NULL);
}

static void end(void)
{
	catfish_close(server);
	daemon_stop(&daemon_);
	model_clear(&model);
}

static void insert_model(void)
{
	succeeds(catfish_insert(server, model.items, model.count, NULL));
}

/* --- Comparing ---------------------------------------------------------- */

struct neighbour {
	double distance2;
	double distance;
	struct catfish_item item;
};

/* What was handed out, or what a scan finds. */
struct neighbours {
	struct neighbour *all;
	size_t count;
};

static struct neighbours make_room(size_t count)
{
	/* One more, to see one too many. */
	struct neighbours room = {calloc(count + 1, sizeof(*room.all)), 0};

	ck_assert_ptr_nonnull(room.all);
	return room;
}

static double distance2(const double box[4], const double point[2])
{
	double x = fmax(0, fmax(box[0] - point[0], point[0] - box[2]));
	double y = fmax(0, fmax(box[1] - point[1], point[1] - box[3]));

	return x * x + y * y;
}

static int take(void *context, int64_t id, const double box[4], double distance)
{
	struct neighbours *found = context;
	struct neighbour *n = &found->all[found->count++];

	ck_assert_uint_le(found->count, model.count);
	n->distance = distance;
	n->item.id = id;
	memcpy(n->item.box, box, sizeof(n->item.box));
	return 0;
}

/* By distance and id, as the answer is; then by rectangle, which an answer may
 * have in any order. */
static int compare(const void *left, const void *right)
{
	const struct neighbour *a = left, *b = right;

	if (a->distance2 != b->distance2)
		return a->distance2 < b->distance2 ? -1 : 1;
	if (a->item.id != b->item.id)
		return a->item.id < b->item.id ? -1 : 1;
	return memcmp(a->item.box, b->item.box, sizeof(a->item.box));
}

static struct neighbours scan(const double point[2])
{
	struct neighbours all = make_room(model.count);

	for (; all.count < model.count; all.count++) {
		struct neighbour *n = &all.all[all.count];
		n->item = model.items[all.count];
		n->distance2 = distance2(n->item.box, point);
	}
	if (all.count)
		qsort(all.all, all.count, sizeof(*all.all), compare);
	return all;
}

/* Whether an item came that a scan of the model finds at that distance, and
 * none twice that is there once. */
static void assert_is_of_the_model(struct neighbours *found)
{
	struct model items = {0};

	for (size_t i = 0; i < found->count; i++)
		model_add(&items, &found->all[i].item);
	ck_assert(model_includes(&model, &items));
	model_clear(&items);
}

static void assert_nearest_is_right(const double point[2], uint64_t k)
{
	struct neighbours wanted = scan(point);
	struct neighbours found = make_room(model.count);
	struct catfish_answer answer;

	succeeds(catfish_nearest(server, point, k, take, &found, &answer));
	ck_assert_uint_eq(found.count, k < model.count ? k : model.count);
	ck_assert_uint_eq(answer.count, found.count);
	ck_assert_int_eq(answer.truncated, 0);
	for (size_t i = 0; i < found.count; i++) {
		const struct neighbour *f = &found.all[i];
		const struct neighbour *w = &wanted.all[i];
		ck_assert(distance2(f->item.box, point) == w->distance2);
		ck_assert(f->distance == sqrt(w->distance2));
		ck_assert_int_eq(f->item.id, w->item.id);
	}
	assert_is_of_the_model(&found);
	free(found.all);
	free(wanted.all);
}

/* --- Answers ------------------------------------------------------------ */

START_TEST(the_nearest_are_those_of_a_linear_scan)
{
	static const uint64_t ks[] = {1, 2, 10, 63, 64, 65, 1500, 3000};
	struct random random;

	begin(&ways[_i]);
	random_seed(&random, 11);
	model_add_random(&model, &random, 3000);
	insert_model();
	for (int i = 0; i < 40; i++) {
		/* In the midst of the items and far from all of them. */
		double spread = i % 4 ? 1 : 100;
		double point[2] = {spread * random_unit(&random),
				   spread * random_unit(&random)};
		assert_nearest_is_right(point, ks[i % 8]);
	}
	end();
}
END_TEST

START_TEST(equal_distances_are_in_order_of_id)
{
	const double centre[2] = {0, 0};
	int64_t id = 0;

	begin(&ways[_i]);
	/* Four corners of as many squares, all equally far, ids mixed. */
	for (int i = 0; i < 1000; i++) {
		id = (id + 387) % 1000;
		double x = i & 1 ? 3 : -3, y = i & 2 ? 4 : -4;
		struct catfish_item item = {id, {x, y, x, y}};
		model_add(&model, &item);
	}
	insert_model();
	for (uint64_t k = 1; k <= 1000; k += 111)
		assert_nearest_is_right(centre, k);
	end();
}
END_TEST

START_TEST(items_that_hold_the_point_are_at_no_distance)
{
	const double point[2] = {1, 1};
	const struct catfish_item items[] = {
		{9, {0, 0, 1, 1}},
		{3, {1, 1, 1, 1}},
		{5, {-10, -10, 10, 10}},
		{1, {1, 2, 3, 3}},
	};

	begin(&ways[_i]);
	for (int i = 0; i < 4; i++)
		model_add(&model, &items[i]);
	insert_model();
	struct neighbours found = make_room(4);
	succeeds(catfish_nearest(server, point, 4, take, &found, NULL));
	static const int64_t ids[] = {3, 5, 9, 1};
	static const double distances[] = {0, 0, 0, 1};
	for (int i = 0; i < 4; i++) {
		ck_assert_int_eq(found.all[i].item.id, ids[i]);
		ck_assert(found.all[i].distance == distances[i]);
	}
	free(found.all);
	end();
}
END_TEST

START_TEST(a_k_beyond_all_bounds_gives_all_there_is)
{
	static const uint64_t ks[] = {20001, UINT64_C(1000000000000),
				      UINT64_MAX};
	const double point[2] = {0.3, 0.7};
	struct random random;

	begin(&ways[_i]);
	random_seed(&random, 12);
	model_add_random(&model, &random, 20000);
	insert_model();
	for (int i = 0; i < 3; i++)
		assert_nearest_is_right(point, ks[i]);
	end();
}
END_TEST

START_TEST(an_empty_tree_has_no_nearest)
{
	const double point[2] = {0, 0};

	begin(&ways[_i]);
	assert_nearest_is_right(point, 1);
	assert_nearest_is_right(point, UINT64_MAX);
	end();
}
END_TEST

START_TEST(a_distance_too_far_to_square_is_infinite)
{
	const double point[2] = {-1e300, 0};
	const struct catfish_item item = {1, {1e300, 0, 1e300, 0}};

	begin(&ways[_i]);
	model_add(&model, &item);
	insert_model();
	struct neighbours found = make_room(1);
	succeeds(catfish_nearest(server, point, 1, take, &found, NULL));
	ck_assert_uint_eq(found.count, 1);
	ck_assert(isinf(found.all[0].distance));
	free(found.all);
	end();
}
END_TEST

START_TEST(what_was_acknowledged_is_found_at_once)
{
	const double point[2] = {0, 0};

	begin(&ways[_i]);
	for (int i = 0; i < 100; i++) {
		double x = 100 - i;
		struct catfish_item item = {i, {x, 0, x, 0}};
		struct catfish_written written;
		struct catfish_answer answer;
		struct neighbours found = make_room(1);

		model_add(&model, &item);
		succeeds(catfish_insert(server, &item, 1, &written));
		succeeds(catfish_nearest(server, point, 1, take, &found,
					 &answer));
		ck_assert_int_eq(found.all[0].item.id, i);
		ck_assert_uint_eq(answer.version, written.version);
		ck_assert_uint_eq(answer.identity, written.identity);
		free(found.all);
	}
	end();
}
END_TEST

/* --- The call ----------------------------------------------------------- */

START_TEST(the_answer_says_how_it_came)
{
	const double point[2] = {0.5, 0.5};
	struct catfish_answer answer;
	struct random random;

	begin(&ways[_i]);
	random_seed(&random, 13);
	model_add_random(&model, &random, 4000);
	insert_model();
	struct neighbours found = make_room(10);
	succeeds(catfish_nearest(server, point, 10, take, &found, &answer));
	ck_assert_int_eq(answer.path == CATFISH_PATH_OFFLOAD,
			 ways[_i].policy == CATFISH_POLICY_OFFLOAD);
	ck_assert_int_eq(answer.offload, ways[_i].offload);
	ck_assert_uint_eq(answer.count, 10);
	bool copies = answer.offload == CATFISH_OFFLOAD_COPY;
	bool asks = answer.path == CATFISH_PATH_MESSAGING;
	ck_assert(copies ? answer.reads >= answer.round_trips
			 : answer.reads == 0);
	ck_assert(copies ? answer.round_trips > 1 : answer.round_trips == asks);
	ck_assert_uint_gt(answer.nodes, 1);
	ck_assert_uint_lt(answer.nodes, 4000 / 64);
	ck_assert_uint_gt(answer.time_ns, 0);
	free(found.all);

	end();
}
END_TEST

static int stop_at_ten(void *context, int64_t id, const double box[4],
		       double distance)
{
	return ++*(int *)context == 10;
}

START_TEST(the_caller_can_end_it)
{
	const double point[2] = {0.5, 0.5};
	struct catfish_answer answer;
	struct random random;
	int count = 0;

	begin(&ways[_i]);
	random_seed(&random, 14);
	model_add_random(&model, &random, 10000);
	insert_model();
	succeeds(catfish_nearest(server, point, 10000, stop_at_ten, &count,
				 &answer));
	ck_assert_int_eq(count, 10);
	ck_assert_uint_eq(answer.count, 10000);
	assert_nearest_is_right(point, 5);
	end();
}
END_TEST

START_TEST(what_can_not_be_asked_is_refused)
{
	static const double bad[][2] = {
		{NAN, 0}, {0, NAN}, {INFINITY, 0}, {0, -INFINITY}};
	const double point[2] = {0, 0};
	struct neighbours none = make_room(0);

	begin(&ways[_i]);
	for (int i = 0; i < 4; i++)
		fails(catfish_nearest(server, bad[i], 1, take, &none, NULL),
		      CATFISH_ERROR_DATA, "the point");
	fails(catfish_nearest(server, point, 0, take, &none, NULL),
	      CATFISH_ERROR_USAGE, "nearest 0");
	fails(catfish_nearest(server, NULL, 1, take, &none, NULL),
	      CATFISH_ERROR_USAGE, "no point");
	fails(catfish_nearest(server, point, 1, NULL, NULL, NULL),
	      CATFISH_ERROR_USAGE, "a function to call");
	fails(catfish_nearest(NULL, point, 1, take, &none, NULL),
	      CATFISH_ERROR_USAGE, "no connection");
	assert_nearest_is_right(point, 1);
	free(none.all);
	end();
}
END_TEST

static void load_on_a_line(int count)
{
	enum { AT_A_TIME = 10000 };
	static struct catfish_item items[AT_A_TIME];
	struct catfish_written written;

	succeeds(catfish_load_begin(server, CATFISH_LOAD_EMPTY, 0));
	for (int id = 0; id < count;) {
		int n = 0;
		for (; n < AT_A_TIME && id < count; n++, id++)
			items[n] = (struct catfish_item){id, {id, 0, id, 0}};
		succeeds(catfish_load_items(server, items, (size_t)n));
	}
	succeeds(catfish_load_commit(server, &written));
}

static int tally(void *count, int64_t id, const double box[4], double distance)
{
	++*(int *)count;
	return 0;
}

START_TEST(more_than_a_million_are_not_gathered)
{
	enum { MOST = 1000000 };
	static const char *const options[] = {"--memory", "128M", NULL};
	const double point[2] = {0, 0};
	int count = 0;

	begin_with(&ways[0], options);
	load_on_a_line(MOST + 1);
	fails(catfish_nearest(server, point, MOST + 1, tally, &count, NULL),
	      CATFISH_ERROR_NO_ROOM, "the nearest 1000001 of 1000001");
	fails(catfish_nearest(server, point, UINT64_MAX, tally, &count, NULL),
	      CATFISH_ERROR_NO_ROOM, "gathered");
	ck_assert_int_eq(count, 0);
	succeeds(catfish_nearest(server, point, MOST, tally, &count, NULL));
	ck_assert_int_eq(count, MOST);
	end();
}
END_TEST

START_TEST(stat_counts_it)
{
	const double point[2] = {0, 0};
	struct catfish_stat stat;

	begin(&ways[_i]);
	for (int i = 0; i < 3; i++)
		assert_nearest_is_right(point, 1);
	succeeds(catfish_stat(server, &stat));
	/* What a client finds by itself it tells of now and then. */
	ck_assert_uint_eq(stat.nearest,
			  ways[_i].policy == CATFISH_POLICY_MESSAGING ? 3 : 0);
	ck_assert_uint_eq(stat.searches, 0);
	ck_assert_uint_eq(stat.counts, 0);
	end();
}
END_TEST

Suite *test_suite(const char **why)
{
	const TTest *const tests[] = {
		the_nearest_are_those_of_a_linear_scan,
		equal_distances_are_in_order_of_id,
		items_that_hold_the_point_are_at_no_distance,
		a_k_beyond_all_bounds_gives_all_there_is,
		an_empty_tree_has_no_nearest,
		a_distance_too_far_to_square_is_infinite,
		what_was_acknowledged_is_found_at_once,
		the_answer_says_how_it_came,
		the_caller_can_end_it,
		what_can_not_be_asked_is_refused,
		stat_counts_it,
	};
	Suite *suite = suite_create("client: the nearest");
	TCase *tc = tcase_create("nearest");

	tcase_set_timeout(tc, 60);
	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		tcase_add_loop_test(tc, tests[i], first_way(), way_count());
	/* Over shm. */
	if (!daemon_uses_rdma())
		tcase_add_test(tc, more_than_a_million_are_not_gathered);
	suite_add_tcase(suite, tc);
	return suite;
}
