/* SPDX-License-Identifier: BSD-2-Clause */

/* The controller in virtual time: a world in which each path takes what a test
 * says. */

#include <math.h>
#include <string.h>

#include "adaptive/adaptive.h"
#include "base/err.h"
#include "tests/lib/test.h"

#define INTERVAL_NS UINT64_C(10000000)

/* Nanoseconds by each path: so much, and so much for each unit of work. */
struct world {
	struct adaptive controller;
	struct random random;
	double base_ns[ADAPTIVE_PATHS], work_ns[ADAPTIVE_PATHS];
	double now_ns;
	uint64_t beat;
	unsigned chosen[ADAPTIVE_PATHS], explored;
};

static void begin(struct world *w, enum adaptive_policy policy, uint64_t seed)
{
	const struct adaptive_options options = {
		.policy = policy,
		.seed = seed,
		.heartbeat_ns = INTERVAL_NS,
	};

	memset(w, 0, sizeof(*w));
	random_seed(&w->random, seed + 1000);
	ck_assert_int_eq(adaptive_init(&w->controller, &options), 0);
	w->now_ns = 1e9;
}

static void takes(struct world *w, double messaging_ns, double offload_ns)
{
	w->base_ns[ADAPTIVE_MESSAGING] = messaging_ns;
	w->base_ns[ADAPTIVE_OFFLOAD] = offload_ns;
}

static enum adaptive_path search(struct world *w, double work)
{
	const struct adaptive_query query = {{work, work}};
	struct adaptive_reason reason;
	enum adaptive_path path = adaptive_choose(
		&w->controller, (uint64_t)w->now_ns, &query, &reason);
	double noise = 0.9 + 0.2 * random_unit(&w->random);
	double latency = noise * (w->base_ns[path] + work * w->work_ns[path]);

	w->now_ns += latency;
	w->chosen[path]++;
	w->explored += reason.why == ADAPTIVE_EXPLORES;
	adaptive_completed(&w->controller, path, &query, latency);
	return path;
}

/* Searches of all sizes; returns the part of them that was offloaded. */
static double search_often(struct world *w, int count)
{
	memset(w->chosen, 0, sizeof(w->chosen));
	w->explored = 0;
	for (int i = 0; i < count; i++)
		search(w, 1 + (double)random_below(&w->random, 10));
	return (double)w->chosen[ADAPTIVE_OFFLOAD] / count;
}

static void hear(struct world *w, double utilisation, double link_load)
{
	const struct adaptive_heartbeat heartbeat = {
		.beat = ++w->beat,
		.utilisation = utilisation,
		.link_load = link_load,
	};

	adaptive_heartbeat(&w->controller, (uint64_t)w->now_ns, &heartbeat);
}

START_TEST(the_path_is_chosen_whose_rival_takes_for_ever)
{
	for (double worse = 10; worse < 1e7; worse *= 10) {
		struct world w;
		begin(&w, ADAPTIVE_POLICY_ADAPTIVE, 1);
		takes(&w, 1000 * worse, 1000);
		search_often(&w, 200);
		ck_assert_double_gt(search_often(&w, 2000), 0.99);

		begin(&w, ADAPTIVE_POLICY_ADAPTIVE, 1);
		takes(&w, 1000, 1000 * worse);
		search_often(&w, 200);
		ck_assert_double_lt(search_often(&w, 2000), 0.01);
	}
}
END_TEST

START_TEST(each_search_goes_by_the_path_that_suits_its_size)
{
	struct world w;
	int right = 0;

	/* Equal at 20. */
	begin(&w, ADAPTIVE_POLICY_ADAPTIVE, 2);
	takes(&w, 5000, 1000);
	w.work_ns[ADAPTIVE_MESSAGING] = 100;
	w.work_ns[ADAPTIVE_OFFLOAD] = 300;
	for (int i = 0; i < 4000; i++) {
		bool large = random_below(&w.random, 2);
		enum adaptive_path path = search(&w, large ? 100 : 1);
		if (i >= 2000)
			right += path == (large ? ADAPTIVE_MESSAGING
						: ADAPTIVE_OFFLOAD);
	}
	ck_assert_int_gt(right, 1960);
}
END_TEST

START_TEST(both_paths_are_tried_for_ever_at_small_cost)
{
	struct world w;

	begin(&w, ADAPTIVE_POLICY_ADAPTIVE, 3);
	takes(&w, 1000, 50000);
	search_often(&w, 1000);
	for (int i = 0; i < 10; i++) {
		double began = w.now_ns;
		search_often(&w, 50000);
		ck_assert_uint_gt(w.explored, 0);
		ck_assert_double_lt(w.now_ns - began, 1.03 * 50000 * 1000);
	}
}
END_TEST

START_TEST(a_path_that_became_faster_is_found_without_heartbeats)
{
	struct world w;

	begin(&w, ADAPTIVE_POLICY_ADAPTIVE, 4);
	takes(&w, 10000, 100000);
	search_often(&w, 1000);
	takes(&w, 10000, 1000);
	search_often(&w, 20000);
	ck_assert_double_gt(search_often(&w, 1000), 0.99);
}
END_TEST

START_TEST(what_slows_both_paths_and_passes_is_noticed_by_the_one_that_is_used)
{
	struct world w;

	begin(&w, ADAPTIVE_POLICY_ADAPTIVE, 14);
	takes(&w, 600000, 400000);
	search_often(&w, 500);
	ck_assert_double_gt(search_often(&w, 500), 0.99);
	takes(&w, 70000, 100000);
	search_often(&w, 200);
	ck_assert_double_lt(search_often(&w, 1000), 0.02);
}
END_TEST

START_TEST(a_path_that_is_slow_only_the_first_time_is_not_shunned)
{
	struct world w;
	enum adaptive_path last = ADAPTIVE_MESSAGING;

	begin(&w, ADAPTIVE_POLICY_ADAPTIVE, 15);
	for (int i = 0; i < 30000; i++) {
		takes(&w, 3000, last == ADAPTIVE_OFFLOAD ? 1000 : 5000);
		last = search(&w, 1);
	}
	memset(w.chosen, 0, sizeof(w.chosen));
	for (int i = 0; i < 1000; i++) {
		takes(&w, 3000, last == ADAPTIVE_OFFLOAD ? 1000 : 5000);
		last = search(&w, 1);
	}
	ck_assert_uint_gt(w.chosen[ADAPTIVE_OFFLOAD], 980);
}
END_TEST

START_TEST(a_line_through_few_scattered_samples_is_nearly_level)
{
	struct estimate e = {0};

	/* Eight times of which the works explain next to nothing. */
	static const double took[] = {100, 900, 200, 1000, 500, 100, 900, 800};
	for (int i = 0; i < 8; i++)
		estimate_add(&e, (uint64_t)i + 1, i % 4 + 1, took[i]);
	ck_assert_double_gt(estimate_predict(&e, 0),
			    0.4 * estimate_predict(&e, 4));

	/* And many that they explain wholly. */
	e = (struct estimate){0};
	for (int i = 0; i < 200; i++)
		estimate_add(&e, (uint64_t)i + 1, i % 4 + 1,
			     100 + 50 * (i % 4 + 1));
	ck_assert_double_eq_tol(estimate_predict(&e, 0), 100, 2);
	ck_assert_double_eq_tol(estimate_predict(&e, 10), 600, 6);
}
END_TEST

START_TEST(a_heartbeat_makes_that_quick)
{
	struct world w;

	begin(&w, ADAPTIVE_POLICY_ADAPTIVE, 5);
	takes(&w, 100000, 10000);
	hear(&w, 1, 0.1);
	ck_assert_double_gt(search_often(&w, 1000), 0.98);
	takes(&w, 1000, 10000);
	hear(&w, 0.1, 0.1);
	search_often(&w, 100);
	ck_assert_double_lt(search_often(&w, 1000), 0.02);
}
END_TEST

START_TEST(heartbeats_that_lie_about_the_server_cost_little)
{
	struct world w;

	begin(&w, ADAPTIVE_POLICY_ADAPTIVE, 6);
	takes(&w, 100000, 1000);
	search_often(&w, 1000);
	double began = w.now_ns;
	for (int i = 0; i < 20000; i++) {
		hear(&w, i % 2, 0);
		search_often(&w, 10);
	}
	ck_assert_double_lt(w.now_ns - began, 1.05 * 200000 * 1000);
}
END_TEST

START_TEST(a_heartbeat_that_lies_about_the_link_costs_the_toll_at_most)
{
	struct world w;

	begin(&w, ADAPTIVE_POLICY_ADAPTIVE, 7);
	takes(&w, 3000, 1000);
	search_often(&w, 100);
	for (int i = 0; i < 100; i++)
		hear(&w, 0, 1);
	ck_assert_double_gt(search_often(&w, 1000), 0.99);

	/* Where it does matter, it matters no longer than it is heard. */
	takes(&w, 1300, 1000);
	hear(&w, 0, 1);
	search_often(&w, 1000);
	hear(&w, 0, 1);
	ck_assert_double_lt(search_often(&w, 1000), 0.01);
	w.now_ns += 20.0 * INTERVAL_NS;
	search_often(&w, 200);
	ck_assert_double_gt(search_often(&w, 1000), 0.99);
}
END_TEST

START_TEST(a_full_link_drives_searches_off_it_and_an_empty_one_brings_them_back)
{
	struct world w;

	begin(&w, ADAPTIVE_POLICY_ADAPTIVE, 8);
	takes(&w, 1200, 1000);
	search_often(&w, 1000);
	ck_assert_double_gt(search_often(&w, 1000), 0.99);
	for (int i = 0; i < 20; i++)
		hear(&w, 0, 1);
	ck_assert_double_lt(search_often(&w, 1000), 0.01);
	for (int i = 0; i < 100; i++)
		hear(&w, 0, 0);
	ck_assert_double_gt(search_often(&w, 1000), 0.99);
}
END_TEST

/* With so much load told every few milliseconds; returns the part that was
 * offloaded. */
static double search_with_load(struct world *w, double link_load)
{
	double offloaded = 0;
	unsigned explored = 0;

	for (int i = 0; i < 100; i++) {
		hear(w, 0.5, link_load);
		offloaded += search_often(w, 2000) / 100;
		explored += w->explored;
	}
	w->explored = explored;
	return offloaded;
}

START_TEST(a_link_that_is_used_is_left_to_the_path_that_needs_less_of_it)
{
	struct world w;

	begin(&w, ADAPTIVE_POLICY_ADAPTIVE, 1);
	takes(&w, 3000, 2600);
	ck_assert_double_gt(search_with_load(&w, -1), 0.9);
	ck_assert_double_gt(search_with_load(&w, 0), 0.9);
	ck_assert_double_lt(search_with_load(&w, 0.85), 0.1);
	ck_assert_double_gt(search_with_load(&w, 0), 0.9);
	/* What is much faster stays so. */
	takes(&w, 3000, 1500);
	search_with_load(&w, 0.85);
	ck_assert_double_gt(search_with_load(&w, 0.85), 0.9);
}
END_TEST

START_TEST(the_more_a_link_is_used_the_fewer_tries_go_over_it_but_some_do)
{
	unsigned explored[3];
	static const double loads[] = {0, 0.5, 0.85};
	struct world w;

	begin(&w, ADAPTIVE_POLICY_ADAPTIVE, 1);
	takes(&w, 3000, 5000);
	for (int i = 0; i < 3; i++) {
		search_with_load(&w, loads[i]);
		search_with_load(&w, loads[i]);
		explored[i] = w.explored;
	}
	ck_assert_uint_lt(explored[1], explored[0] * 2 / 3);
	ck_assert_uint_lt(explored[2], explored[1] * 2 / 3);
	ck_assert_uint_gt(explored[2], 0);
}
END_TEST

START_TEST(heartbeats_from_the_past_and_senseless_ones_are_none)
{
	struct world w;

	begin(&w, ADAPTIVE_POLICY_CATFISH, 9);
	takes(&w, 1000, 1000);
	w.beat = 10;
	hear(&w, 0, 0);
	for (int i = 0; i < 2; i++) {
		w.beat = 4; /* from the past, and again */
		hear(&w, 1, 0);
		ck_assert_int_eq(search(&w, 1), ADAPTIVE_MESSAGING);
	}
	w.beat = 20;
	hear(&w, NAN, 0);
	hear(&w, -1, 0);
	hear(&w, 1.5, 0);
	hear(&w, 1, INFINITY);
	hear(&w, 1, NAN);
	ck_assert_double_lt(search_often(&w, 100), 0.01);

	/* One that makes sense is one, all the same. */
	hear(&w, 1, 0);
	ck_assert_double_gt(search_often(&w, 1000), 0.5);
}
END_TEST

START_TEST(without_heartbeats_catfish_asks_the_server)
{
	struct world w;

	begin(&w, ADAPTIVE_POLICY_CATFISH, 10);
	takes(&w, 1000, 1000);
	ck_assert_double_lt(search_often(&w, 100), 0.01);
	hear(&w, 1, 0);
	search_often(&w, 50);
	ck_assert_uint_gt(w.chosen[ADAPTIVE_OFFLOAD], 0);
	w.now_ns += 2.0 * INTERVAL_NS + 1;
	search_often(&w, 10000); /* what was drawn still lasts */
	ck_assert_double_eq(search_often(&w, 100), 0);
}
END_TEST

START_TEST(a_clock_that_goes_back_stops_nothing)
{
	struct world w;

	begin(&w, ADAPTIVE_POLICY_CATFISH, 11);
	takes(&w, 1000, 1000);
	hear(&w, 1, 0);
	w.now_ns = 0;
	ck_assert_double_gt(search_often(&w, 1000), 0.5);
}
END_TEST

static void teach_nonsense(struct world *w)
{
	static const double senseless[] = {NAN, INFINITY, -INFINITY, -1, 1e300};
	const struct adaptive_query sense = {{1, 1}};

	for (int i = 0; i < 5; i++)
		for (int path = 0; path < ADAPTIVE_PATHS; path++) {
			struct adaptive_query query = sense;
			adaptive_completed(&w->controller, path, &query,
					   senseless[i]);
			adaptive_completed(&w->controller, path, &query, 0);
			query.work[path] = senseless[i];
			adaptive_completed(&w->controller, path, &query, 1000);
			adaptive_choose(&w->controller, 0, &query, NULL);
		}
}

START_TEST(senseless_measurements_teach_nothing)
{
	struct world w;

	begin(&w, ADAPTIVE_POLICY_ADAPTIVE, 12);
	takes(&w, 1000, 10000);
	search_often(&w, 100);
	teach_nonsense(&w);
	ck_assert_double_lt(search_often(&w, 1000), 0.02);

	begin(&w, ADAPTIVE_POLICY_ADAPTIVE, 12);
	takes(&w, 10000, 1000);
	search_often(&w, 100);
	teach_nonsense(&w);
	ck_assert_double_gt(search_often(&w, 1000), 0.98);
}
END_TEST

/* FNV-1a of the paths of many searches. */
static uint64_t decisions(enum adaptive_policy policy, uint64_t seed)
{
	uint64_t hash = UINT64_C(14695981039346656037);
	struct world w;

	begin(&w, policy, seed);
	random_seed(&w.random, 1);
	takes(&w, 1000, 1020);
	for (int i = 0; i < 10000; i++) {
		if (i % 100 == 0)
			hear(&w, i % 300 ? 1 : 0.5, 0.5);
		hash = (hash ^ search(&w, 1)) * UINT64_C(1099511628211);
	}
	return hash;
}

START_TEST(a_seed_gives_the_same_decisions)
{
	for (int i = ADAPTIVE_POLICY_CATFISH; i <= ADAPTIVE_POLICY_ADAPTIVE;
	     i++) {
		ck_assert_uint_eq(decisions(i, 1), decisions(i, 1));
		ck_assert_uint_ne(decisions(i, 1), decisions(i, 2));
	}
}
END_TEST

START_TEST(fixed_policies_are_fixed)
{
	struct world w;

	begin(&w, ADAPTIVE_POLICY_MESSAGING, 13);
	takes(&w, 1e6, 1);
	ck_assert_double_eq(search_often(&w, 1000), 0);
	begin(&w, ADAPTIVE_POLICY_OFFLOAD, 13);
	takes(&w, 1, 1e6);
	ck_assert_double_eq(search_often(&w, 1000), 1);
}
END_TEST

START_TEST(policies_have_names)
{
	for (int i = 0; i <= ADAPTIVE_POLICY_ADAPTIVE; i++) {
		enum adaptive_policy policy;
		ck_assert_int_eq(
			adaptive_policy_parse(adaptive_policy_name(i), &policy),
			0);
		ck_assert_int_eq(policy, i);
	}
	enum adaptive_policy policy;
	ck_assert_int_eq(adaptive_policy_parse("fastest", &policy), ERR_USAGE);
	ck_assert_ptr_nonnull(strstr(err_text(), "catfish and adaptive"));
}
END_TEST

START_TEST(options_that_make_no_sense_are_refused)
{
	static const struct adaptive_options wrong[] = {
		{.threshold = 1.1},   {.threshold = -1},   {.threshold = NAN},
		{.exploration = 0.6}, {.exploration = -1}, {.exploration = NAN},
	};
	struct adaptive controller;

	for (int i = 0; i < 6; i++)
		ck_assert_int_eq(adaptive_init(&controller, &wrong[i]),
				 ERR_USAGE);
}
END_TEST

Suite *test_suite(const char **why)
{
	Suite *suite = suite_create("controller");
	TCase *tcase = tcase_create("controller");

	tcase_add_test(tcase, the_path_is_chosen_whose_rival_takes_for_ever);
	tcase_add_test(tcase, each_search_goes_by_the_path_that_suits_its_size);
	tcase_add_test(tcase, both_paths_are_tried_for_ever_at_small_cost);
	tcase_add_test(tcase,
		       a_path_that_became_faster_is_found_without_heartbeats);
	tcase_add_test(
		tcase,
		what_slows_both_paths_and_passes_is_noticed_by_the_one_that_is_used);
	tcase_add_test(tcase,
		       a_path_that_is_slow_only_the_first_time_is_not_shunned);
	tcase_add_test(tcase,
		       a_line_through_few_scattered_samples_is_nearly_level);
	tcase_add_test(tcase, a_heartbeat_makes_that_quick);
	tcase_add_test(tcase, heartbeats_that_lie_about_the_server_cost_little);
	tcase_add_test(
		tcase,
		a_heartbeat_that_lies_about_the_link_costs_the_toll_at_most);
	tcase_add_test(
		tcase,
		a_link_that_is_used_is_left_to_the_path_that_needs_less_of_it);
	tcase_add_test(
		tcase,
		the_more_a_link_is_used_the_fewer_tries_go_over_it_but_some_do);
	tcase_add_test(
		tcase,
		a_full_link_drives_searches_off_it_and_an_empty_one_brings_them_back);
	tcase_add_test(tcase,
		       heartbeats_from_the_past_and_senseless_ones_are_none);
	tcase_add_test(tcase, without_heartbeats_catfish_asks_the_server);
	tcase_add_test(tcase, a_clock_that_goes_back_stops_nothing);
	tcase_add_test(tcase, senseless_measurements_teach_nothing);
	tcase_add_test(tcase, a_seed_gives_the_same_decisions);
	tcase_add_test(tcase, fixed_policies_are_fixed);
	tcase_add_test(tcase, policies_have_names);
	tcase_add_test(tcase, options_that_make_no_sense_are_refused);
	suite_add_tcase(suite, tcase);
	return suite;
}
