/* SPDX-License-Identifier: BSD-2-Clause */

/* A connection goes by the paths that its policy chooses, finds the same by
 * each, and says why. */

#include <string.h>

#include "client/connection.h"
#include "tests/client/daemon.h"
#include "tests/client/model.h"
#include "tests/lib/test.h"

static struct daemon daemon_;
static struct model model;
static struct random dice;
static struct catfish *server;
static uint64_t by[2]; /* searches, by path */

static void begin(void)
{
	daemon_start(&daemon_, NULL);
	random_seed(&dice, 7);
}

static void connect_by(const char *address,
		       const struct catfish_options *options)
{
	int error = catfish_connect(address, options, &server);
	ck_assert_msg(!error, "%s", catfish_error_text());
	by[0] = by[1] = 0;
}

static void end(void)
{
	catfish_close(server);
	server = NULL;
	daemon_stop(&daemon_);
	model_clear(&model);
}

/* Inserts a few items, and finds what a linear scan finds, at once. */
static void search_after_insert(void)
{
	size_t count = model.count;
	struct model found = {0}, wanted = {0};
	struct catfish_answer answer;

	model_add_random(&model, &dice, 20);
	ck_assert_int_eq(catfish_insert(server, model.items + count, 20, NULL),
			 0);
	struct catfish_query query = model_random_query(&model, &dice, 0.3);
	model_search(&model, &query, &wanted);
	ck_assert_int_eq(
		catfish_search(server, &query, model_take, &found, &answer), 0);
	ck_assert(model_equal(&found, &wanted));
	model_clear(&found);
	model_clear(&wanted);
	by[answer.path]++;
}

static struct catfish_explanation explain(void)
{
	struct catfish_explanation why;

	int error = catfish_explain(server, &why);
	ck_assert_msg(!error, "%s", catfish_error_text());
	return why;
}

START_TEST(unless_one_says_otherwise_both_paths_are_tried_and_measured)
{
	begin();
	connect_by(daemon_.shm, NULL);
	for (int i = 0; i < 100; i++)
		search_after_insert();
	struct catfish_explanation why = explain();
	ck_assert_int_eq(why.policy, CATFISH_POLICY_ADAPTIVE);
	for (int path = 0; path < 2; path++) {
		ck_assert_uint_ge(by[path], 4);
		ck_assert_double_gt(why.predicted_us[path], 0);
		ck_assert_double_gt(why.measured_us[path], 0);
	}
	end();
}
END_TEST

/* The nearest go by both paths too. */
static int take_neighbour(void *context, int64_t id, const double *box,
			  double distance)
{
	ck_assert_double_ge(distance, *(double *)context);
	*(double *)context = distance;
	return 0;
}

START_TEST(so_do_searches_for_the_nearest)
{
	static const double point[] = {0.5, 0.5};
	const struct catfish_options copy = {.offload = CATFISH_OFFLOAD_COPY};

	begin();
	connect_by(daemon_.shm, &copy);
	search_after_insert();
	by[0] = by[1] = 0;
	for (int i = 0; i < 20; i++) {
		struct catfish_answer answer;
		double farthest = 0;
		ck_assert_int_eq(catfish_nearest(server, point, 5,
						 take_neighbour, &farthest,
						 &answer),
				 0);
		ck_assert_uint_eq(answer.count, 5);
		by[answer.path]++;
	}
	ck_assert_uint_ge(by[CATFISH_PATH_MESSAGING], 3);
	ck_assert_uint_ge(by[CATFISH_PATH_OFFLOAD], 3);
	end();
}
END_TEST

START_TEST(catfish_asks_a_server_that_is_not_above_its_threshold)
{
	const struct catfish_options options = {
		.policy = CATFISH_POLICY_CATFISH,
		.threshold = 1,
	};

	begin();
	connect_by(daemon_.shm, &options);
	for (int i = 0; i < 50; i++)
		search_after_insert();
	ck_assert_uint_eq(by[CATFISH_PATH_OFFLOAD], 0);
	struct catfish_explanation why = explain();
	ck_assert_int_eq(why.path, CATFISH_PATH_MESSAGING);
	ck_assert_msg(strstr(why.reason, "server"), "%s", why.reason);
	ck_assert_double_eq(why.predicted_us[CATFISH_PATH_OFFLOAD], 0);
	end();
}
END_TEST

START_TEST(where_there_is_one_path_the_policy_says_so)
{
	static const enum catfish_policy policies[] = {CATFISH_POLICY_ADAPTIVE,
						       CATFISH_POLICY_CATFISH};

	begin();
	for (int i = 0; i < 2; i++) {
		const struct catfish_options options = {.policy = policies[i]};
		connect_by(daemon_.network, &options);
		search_after_insert();
		ck_assert_uint_eq(by[CATFISH_PATH_MESSAGING], 1);
		struct catfish_explanation why = explain();
		ck_assert_int_eq(why.policy, policies[i]);
		ck_assert_str_eq(why.reason, "the fabric has no other");
		catfish_close(server);
	}
	server = NULL;
	end();
}
END_TEST

/* By each way of reading. */
static const struct catfish_options readers[] = {
	{.offload = CATFISH_OFFLOAD_MAPPED},
	{.offload = CATFISH_OFFLOAD_COPY},
	{.offload = CATFISH_OFFLOAD_COPY, .cache_size = CATFISH_NO_CACHE},
	{.offload = CATFISH_OFFLOAD_AUTO}, /* over the network */
};
enum { READERS = sizeof(readers) / sizeof(readers[0]) };

/* A server that pushes back whatever it may, and a client that always asks. */
static void begin_to_ask(const char *address, struct catfish_options options)
{
	static const char *const all[] = {"--push-back", "0", NULL};

	options.policy = CATFISH_POLICY_CATFISH;
	options.threshold = 1;
	daemon_start(&daemon_, all);
	random_seed(&dice, 7);
	connect_by(address, &options);
}

static struct catfish_answer count_everything(void)
{
	static const struct catfish_query everything = {
		.box = {-1e9, -1e9, 1e9, 1e9},
	};
	struct catfish_answer answer;
	uint64_t count;

	int error = catfish_count(server, &everything, &count, &answer);
	ck_assert_msg(!error, "%s", catfish_error_text());
	ck_assert_uint_eq(count, model.count);
	return answer;
}

START_TEST(a_search_that_the_server_leaves_is_made_by_the_client)
{
	bool has_way = _i < READERS - 1 || daemon_uses_rdma();
	struct catfish_stat stat;

	if (!has_way)
		return;
	begin_to_ask(_i < READERS - 1 ? daemon_.shm : daemon_.network,
		     readers[_i]);
	for (int i = 0; i < 50; i++)
		search_after_insert();
	ck_assert_uint_eq(by[CATFISH_PATH_OFFLOAD], 50);
	struct catfish_explanation why = explain();
	ck_assert_int_eq(why.path, CATFISH_PATH_MESSAGING);
	struct catfish_answer answer = count_everything();
	ck_assert_uint_eq(answer.pushed_back, 1);
	ck_assert_int_eq(answer.path, CATFISH_PATH_OFFLOAD);
	ck_assert_uint_ge(answer.round_trips, 1);
	ck_assert_int_eq(catfish_stat(server, &stat), 0);
	ck_assert_uint_eq(stat.pushed_back, 51);
	ck_assert_uint_eq(stat.searches + stat.counts, 51);
	end();
}
END_TEST

START_TEST(who_wants_messaging_or_has_nothing_else_is_left_no_search)
{
	struct catfish_stat stat;

	begin_to_ask(daemon_.shm, readers[0]);
	ck_assert_int_eq(catfish_set_policy(server, CATFISH_POLICY_MESSAGING,
					    CATFISH_OFFLOAD_AUTO),
			 0);
	for (int i = 0; i < 10; i++)
		search_after_insert();
	if (!daemon_uses_rdma()) {
		catfish_close(server);
		connect_by(daemon_.network, NULL);
		for (int i = 0; i < 10; i++)
			search_after_insert();
	}
	ck_assert_uint_eq(by[CATFISH_PATH_OFFLOAD], 0);
	ck_assert_int_eq(catfish_stat(server, &stat), 0);
	ck_assert_uint_eq(stat.pushed_back, 0);
	end();
}
END_TEST

/* What it learns of messaging then has both paths' costs in it. */
START_TEST(a_search_that_was_left_counts_as_one_by_messaging)
{
	static const char *const all[] = {"--push-back", "0", NULL};
	struct catfish_stat stat;

	daemon_start(&daemon_, all);
	random_seed(&dice, 7);
	connect_by(daemon_.shm, NULL);
	for (int i = 0; i < 50; i++)
		search_after_insert();
	ck_assert_uint_eq(by[CATFISH_PATH_OFFLOAD], 50);
	ck_assert_int_eq(catfish_stat(server, &stat), 0);
	/* Each path is tried four times at least. */
	ck_assert_uint_ge(stat.pushed_back, 4);
	ck_assert_uint_eq(stat.pushed_back, stat.searches);
	struct catfish_explanation why = explain();
	ck_assert_double_gt(why.measured_us[CATFISH_PATH_MESSAGING], 0);
	ck_assert_double_gt(why.measured_us[CATFISH_PATH_OFFLOAD], 0);
	end();
}
END_TEST

/* Has the controller learn that both paths take that long, and choose for a
 * search of that size. */
static void choose(double messaging_ns, double offload_ns,
		   const struct rect *box)
{
	const struct adaptive_query query = {{1, 1}};
	struct client_policy *policy = &server->policy;
	struct client_choice choice;

	for (int i = 0; i < 500; i++) {
		adaptive_completed(&policy->controller, ADAPTIVE_MESSAGING,
				   &query, messaging_ns);
		adaptive_completed(&policy->controller, ADAPTIVE_OFFLOAD,
				   &query, offload_ns);
	}
	/* Now and then it explores. */
	do
		client_choose_search(server, box, 0, &choice);
	while (policy->reason.why != ADAPTIVE_PREDICTED);
}

START_TEST(a_choice_stands_for_quick_searches_that_are_no_larger)
{
	const struct rect box = {{0.5, 0.5}, {0.51, 0.51}};
	const struct rect larger = {{0, 0}, {1, 1}};

	begin();
	connect_by(daemon_.shm, NULL);
	for (int i = 0; i < 100; i++)
		search_after_insert();
	struct client_policy *policy = &server->policy;
	choose(5000, 300, &box);
	uint64_t stands = policy->stands, searches = policy->searches;
	ck_assert_uint_gt(stands, 100);
	ck_assert(client_goes_on(policy, &box));
	ck_assert_uint_eq(policy->stands, stands - 1);
	ck_assert_uint_eq(policy->searches, searches + 1);
	ck_assert(!client_goes_on(policy, &larger));
	client_think_again(policy);
	ck_assert(!client_goes_on(policy, &box));
	choose(5000, 3000, &box);
	ck_assert_uint_lt(policy->stands, 50);
	/* Slow ones are thought about each time, and so are those that don't
	 * go that way. */
	choose(50000, 30000, &box);
	ck_assert_uint_eq(policy->stands, 0);
	choose(300, 5000, &box);
	ck_assert_uint_eq(policy->stands, 0);
	end();
}
END_TEST

START_TEST(what_is_learnt_goes_with_the_policy)
{
	begin();
	connect_by(daemon_.shm, NULL);
	struct catfish_explanation why;
	ck_assert_int_eq(catfish_explain(server, &why), CATFISH_ERROR_USAGE);
	ck_assert_str_eq(catfish_error_text(),
			 "there was no search to explain");
	for (int i = 0; i < 20; i++)
		search_after_insert();
	ck_assert_int_eq(catfish_set_policy(server, CATFISH_POLICY_OFFLOAD,
					    CATFISH_OFFLOAD_AUTO),
			 0);
	search_after_insert();
	why = explain();
	ck_assert_int_eq(why.path, CATFISH_PATH_OFFLOAD);
	ck_assert_str_eq(why.reason, "the policy has no other");
	ck_assert_double_eq(why.measured_us[CATFISH_PATH_MESSAGING], 0);
	end();
}
END_TEST

START_TEST(parameters_out_of_range_are_refused)
{
	static const struct catfish_options wrong[] = {
		{.threshold = 1.5},
		{.exploration = -1},
		{.policy = (enum catfish_policy)4},
	};

	begin();
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(
			catfish_connect(daemon_.shm, &wrong[i], &server),
			CATFISH_ERROR_USAGE);
	end();
}
END_TEST

Suite *test_suite(const char **why)
{
	Suite *suite = suite_create("client: policies");
	TCase *tcase = tcase_create("policies");

	tcase_set_timeout(tcase, 60);
	tcase_add_test(
		tcase,
		unless_one_says_otherwise_both_paths_are_tried_and_measured);
	tcase_add_test(tcase, so_do_searches_for_the_nearest);
	tcase_add_test(tcase,
		       catfish_asks_a_server_that_is_not_above_its_threshold);
	if (!daemon_uses_rdma())
		tcase_add_test(tcase,
			       where_there_is_one_path_the_policy_says_so);
	tcase_add_loop_test(
		tcase, a_search_that_the_server_leaves_is_made_by_the_client, 0,
		READERS);
	tcase_add_test(
		tcase,
		who_wants_messaging_or_has_nothing_else_is_left_no_search);
	tcase_add_test(tcase,
		       a_search_that_was_left_counts_as_one_by_messaging);
	tcase_add_test(tcase,
		       a_choice_stands_for_quick_searches_that_are_no_larger);
	tcase_add_test(tcase, what_is_learnt_goes_with_the_policy);
	tcase_add_test(tcase, parameters_out_of_range_are_refused);
	suite_add_tcase(suite, tcase);
	return suite;
}
