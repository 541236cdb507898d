/* SPDX-License-Identifier: BSD-2-Clause */

/* The model reproduces what queueing theory knows, and what a pencil can
 * calculate. */

#include <math.h>
#include <string.h>

#include "base/err.h"
#include "sim/model.h"
#include "tests/lib/test.h"

/* Nothing takes any time, and there is room for everything. */
static const struct parameters nothing = {
	.cores = 1,
	.threads = 1,
	.push_back = 1e9,
	.heartbeat_ns = 1e7,
	.mtu_bytes = 1e9,
	.initiator_depth = 1e9,
	.responder_resources = 1e9,
	.clients_per_host = 1,
	.host_cores = 1,
	.offload = 1,
};

/* All searches alike: three inner nodes, ten leaves, no items. */
static struct cost cost = {
	.nodes = 13,
	.inner = 3,
	.leaf_reads = 10,
	.leaf_bytes = 10 * RTREE_PAGE_SIZE,
	.filtered_reads = 2,
	.filtered_bytes = 2 * 1000,
};
static const struct trace trace = {.costs = &cost, .count = 1, .height = 4};

static struct model_options of(struct parameters p, enum adaptive_policy policy,
			       uint32_t clients)
{
	return (struct model_options){
		.parameters = p,
		.trace = &trace,
		.clients = clients,
		.cache = MODEL_CACHE_INNER,
		.controller = {.policy = policy, .seed = 1},
	};
}

/* What happens in 'time_ns', after a tenth of it. */
static struct model_result run(const struct model_options *options,
			       double time_ns)
{
	struct model_result result;
	struct model *model;

	ck_assert_int_eq(model_create(options, &model), 0);
	model_run(model, time_ns / 10);
	model_reset(model);
	model_run(model, time_ns * 1.1);
	model_result(model, &result);
	model_destroy(model);
	return result;
}

static double throughput(const struct model_result *r)
{
	return 1e9 * (double)r->searches / r->time_ns;
}

static void about(double value, double expected, double tolerance)
{
	ck_assert_double_le(fabs(value - expected), tolerance * expected);
}

/* Pollaczek and Khinchine: a Poisson stream at a server that takes s each time
 * waits rho s / (2 (1 - rho)) on average. */
START_TEST(many_thinking_clients_wait_as_in_an_m_d_1_queue)
{
	const double rhos[] = {0.3, 0.6, 0.8};

	for (int i = 0; i < 3; i++) {
		struct parameters p = nothing;
		const double s = 1000;
		p.message_ns = s;
		struct model_options options =
			of(p, ADAPTIVE_POLICY_MESSAGING, 4000);
		options.think_ns = 4000 * s / rhos[i];
		struct model_result r = run(&options, 2e9);
		double rho = throughput(&r) * s / 1e9;
		about(rho, rhos[i], 0.01);
		about(r.utilisation, rho, 0.01);
		about(r.mean_ns, s + rho * s / (2 * (1 - rho)), 0.02);
	}
}
END_TEST

/* Little's law and the bounds of closed systems: N clients that don't think
 * reach min(N / (sum of all times), 1 / (time at the bottleneck)), exactly when
 * all times are constant. */
START_TEST(closed_loops_reach_their_bounds_by_messaging)
{
	struct parameters p = nothing;
	p.threads = p.cores = 4;
	p.message_ns = 870;
	p.node_ns = 10; /* 1000 ns for 13 nodes */
	p.one_way_ns = 3000;
	p.client_message_ns = 1000;
	p.wake_ns = 0;

	for (uint32_t n = 1; n <= 64; n *= 2) {
		struct model_options options =
			of(p, ADAPTIVE_POLICY_MESSAGING, n);
		struct model_result r = run(&options, 1e8);
		double bound = fmin(n / 8e-6, 4 / 1e-6);
		ck_assert_double_le(throughput(&r), 1.001 * bound);
		/* As many clients as fill the workers queue now and then. */
		about(throughput(&r), bound, n == 32 ? 0.05 : 0.001);
		about(n / throughput(&r) * 1e9, r.mean_ns, 0.001);
	}
}
END_TEST

START_TEST(offloading_is_bound_by_the_link_and_by_the_adapter)
{
	struct parameters p = nothing;
	double bytes = 64 + 10 * RTREE_PAGE_SIZE;

	p.one_way_ns = 1000;
	p.link_gbps = 10;
	p.heartbeat_ns = 1e11; /* they take the adapter's time as well */
	struct model_options options = of(p, ADAPTIVE_POLICY_OFFLOAD, 100);
	struct model_result r = run(&options, 1e8);
	about(throughput(&r), 1e10 / (8 * bytes), 0.001);
	about(r.link_load, 1, 0.001);
	about(r.read_bytes, bytes, 0.001);
	about(r.round_trips, 1, 0.001);

	p.nic_message_ns = 1e4; /* for each of 11 READs */
	options = of(p, ADAPTIVE_POLICY_OFFLOAD, 100);
	r = run(&options, 1e9);
	about(throughput(&r), 1e9 / 11e4, 0.01);

	/* Alone: the way there and back, and the time on the wire. */
	p.nic_message_ns = 0;
	options = of(p, ADAPTIVE_POLICY_OFFLOAD, 1);
	r = run(&options, 1e8);
	about(r.mean_ns, 2000 + 8 * (bytes + 11 * 16) / 10, 0.001);
}
END_TEST

START_TEST(round_trips_follow_from_outstanding_reads_and_the_cache)
{
	struct parameters p = nothing;

	p.one_way_ns = 1000;
	p.initiator_depth = 4; /* 11 READs: 4, 4, 3 */
	struct model_options options = of(p, ADAPTIVE_POLICY_OFFLOAD, 1);
	struct model_result r = run(&options, 1e7);
	about(r.round_trips, 3, 0.001);
	p.initiator_depth = 100;
	p.responder_resources = 6;
	options = of(p, ADAPTIVE_POLICY_OFFLOAD, 1);
	r = run(&options, 1e7);
	about(r.round_trips, 2, 0.001);

	options.parameters.responder_resources = 100;
	options.cache = MODEL_CACHE_NONE; /* the record with the root */
	r = run(&options, 1e7);
	about(r.round_trips, 4, 0.001);
	about(r.read_bytes, 64 + 2 * RTREE_INNER_SIZE + 11 * RTREE_PAGE_SIZE,
	      0.001);
	options.cache = MODEL_CACHE_FILTERS;
	r = run(&options, 1e7);
	about(r.round_trips, 1, 0.001);
	about(r.read_bytes, 64 + 2 * 1000, 0.001);
}
END_TEST

START_TEST(workers_without_cores_share_them)
{
	struct parameters p = nothing;

	p.threads = 8;
	p.cores = 2;
	p.message_ns = 1000;
	struct model_options options = of(p, ADAPTIVE_POLICY_MESSAGING, 64);
	struct model_result r = run(&options, 1e8);
	/* A core may wait for the one worker that it was promised to. */
	about(throughput(&r), 2e6, 0.04);
	about(r.utilisation, 1, 0.01);
}
END_TEST

START_TEST(what_the_server_leaves_costs_both_paths)
{
	struct parameters p = nothing;

	p.one_way_ns = 1000;
	p.node_ns = 1e6; /* of the server, which visits none */
	p.client_node_ns = 100;
	p.push_back = 0;
	struct model_options options = of(p, ADAPTIVE_POLICY_CATFISH, 1);
	struct model_result r = run(&options, 1e8);
	ck_assert_uint_gt(r.searches, 0);
	ck_assert_uint_eq(r.pushed_back, r.searches);
	ck_assert_uint_eq(r.offloaded, r.searches);
	about(r.mean_ns, 2000 + 2000 + 1300, 0.001);
	about(r.read_bytes, 10 * RTREE_PAGE_SIZE, 0.001);
	options = of(p, ADAPTIVE_POLICY_MESSAGING, 1);
	r = run(&options, 1e8);
	ck_assert_uint_gt(r.searches, 0);
	ck_assert_uint_eq(r.pushed_back, 0);
}
END_TEST

START_TEST(only_who_finds_others_waiting_is_left_a_search)
{
	struct parameters p = nothing;

	p.one_way_ns = 1000;
	p.message_ns = 1000;
	p.push_back = 4;
	struct model_options options = of(p, ADAPTIVE_POLICY_CATFISH, 4);
	options.controller.threshold = 1;
	struct model_result r = run(&options, 1e8);
	ck_assert_uint_eq(r.pushed_back, 0);
	options.clients = 8;
	r = run(&options, 1e8);
	ck_assert_uint_gt(r.pushed_back, 0);
	ck_assert_uint_lt(r.pushed_back, r.searches);
}
END_TEST

START_TEST(a_part_that_is_given_is_offloaded_whatever_the_policy_says)
{
	struct parameters p = nothing;

	p.one_way_ns = 1000;
	p.message_ns = 100000;
	struct model_options options = of(p, ADAPTIVE_POLICY_ADAPTIVE, 16);
	options.draws_path = true;
	for (double part = 0; part <= 1; part += 0.25) {
		options.offloaded_part = part;
		struct model_result r = run(&options, 1e8);
		ck_assert_uint_gt(r.searches, 500);
		double offloaded = (double)r.offloaded / (double)r.searches;
		ck_assert_double_le(fabs(offloaded - part), 0.05);
	}
}
END_TEST

START_TEST(inserts_take_turns_at_the_one_writer)
{
	struct parameters p = nothing;

	p.threads = p.cores = 8;
	p.insert_ns = 1000;
	struct model_options options = of(p, ADAPTIVE_POLICY_MESSAGING, 64);
	options.inserts = 1;
	struct model_result r = run(&options, 1e8);
	ck_assert_uint_eq(r.searches, 0);
	about(1e9 * (double)r.inserts / r.time_ns, 1e6, 0.01);
}
END_TEST

START_TEST(catfish_needs_heartbeats_to_offload)
{
	struct parameters p = nothing;

	p.message_ns = 10000;
	p.one_way_ns = 1000;
	struct model_options options = of(p, ADAPTIVE_POLICY_CATFISH, 16);
	struct model_result heard = run(&options, 5e8);
	options.parameters.heartbeat_loss = 1;
	struct model_result deaf = run(&options, 5e8);
	ck_assert_uint_gt(heard.offloaded, heard.searches / 2);
	ck_assert_uint_eq(deaf.offloaded, 0);
}
END_TEST

START_TEST(adaptive_follows_cores_that_go_and_come_back)
{
	struct model_result result;
	struct model *model;
	struct parameters p = nothing;

	p.threads = p.cores = 8;
	p.message_ns = 1000;
	p.one_way_ns = 1000;
	p.client_read_ns = 200; /* offloading: 4200 ns */
	struct model_options options = of(p, ADAPTIVE_POLICY_ADAPTIVE, 8);
	ck_assert_int_eq(model_create(&options, &model), 0);
	model_run(model, 2e8);
	model_reset(model);
	model_run(model, 3e8);
	model_result(model, &result);
	ck_assert_double_lt((double)result.offloaded,
			    0.05 * (double)result.searches);
	ck_assert_int_eq(model_change(model, "cores=1"), 0);
	ck_assert_int_eq(model_change(model, "message_ns=20000"), 0);
	model_run(model, 4e8);
	model_reset(model);
	model_run(model, 5e8);
	model_result(model, &result);
	ck_assert_double_gt((double)result.offloaded,
			    0.95 * (double)result.searches);
	ck_assert_int_eq(model_change(model, "cores=8"), 0);
	ck_assert_int_eq(model_change(model, "message_ns=1000"), 0);
	model_run(model, 6e8);
	model_reset(model);
	model_run(model, 7e8);
	model_result(model, &result);
	ck_assert_double_lt((double)result.offloaded,
			    0.05 * (double)result.searches);

	ck_assert_int_eq(model_change(model, "threads=2"), ERR_USAGE);
	ck_assert_int_eq(model_change(model, "speed=2"), ERR_USAGE);
	model_destroy(model);
}
END_TEST

START_TEST(where_nothing_can_be_offloaded_only_messaging_is_possible)
{
	struct parameters p = nothing;
	struct model *model;

	p.offload = 0;
	p.one_way_ns = 1000;
	struct model_options options = of(p, ADAPTIVE_POLICY_ADAPTIVE, 1);
	ck_assert_int_eq(model_create(&options, &model), ERR_UNSUPPORTED);
	options.controller.policy = ADAPTIVE_POLICY_MESSAGING;
	ck_assert_int_eq(model_create(&options, &model), 0);
	model_destroy(model);
}
END_TEST

START_TEST(clients_that_wait_awake_share_a_core_in_turns)
{
	struct parameters p = nothing;

	p.one_way_ns = 1000;
	p.clients_per_host = 4;
	for (uint32_t clients = 1; clients <= 4; clients += 3) {
		p.client_slice_ns = 0;
		struct model_options options =
			of(p, ADAPTIVE_POLICY_MESSAGING, clients);
		struct model_result r = run(&options, 1e8);
		about(throughput(&r), clients * 1e9 / 2000, 0.001);
		about(r.p99_ns, 2000, 0.02);

		/* A slice goes on until its last search is over. */
		p.client_slice_ns = 1e6;
		options = of(p, ADAPTIVE_POLICY_MESSAGING, clients);
		r = run(&options, 1e8);
		about(throughput(&r), 1e9 / 2000, 0.001);
		about(r.p50_ns, 2000, 0.02);
		about(r.mean_ns, clients * 2000.0, 0.05);
	}
}
END_TEST

START_TEST(a_core_that_is_passed_on_loses_a_part_of_each_slice)
{
	struct parameters p = nothing;

	p.one_way_ns = 1000;
	p.clients_per_host = 4;
	p.client_slice_ns = 1e6;
	p.client_switch_ns = 1e5;
	for (uint32_t clients = 1; clients <= 4; clients += 3) {
		struct model_options options =
			of(p, ADAPTIVE_POLICY_MESSAGING, clients);
		struct model_result r = run(&options, 1e8);
		about(throughput(&r), (clients > 1 ? 0.9 : 1) * 1e9 / 2000,
		      0.002);
	}
}
END_TEST

START_TEST(a_leaf_with_answers_takes_its_time_by_every_path)
{
	struct parameters p = nothing;

	p.one_way_ns = 1000;
	p.leaf_ns = 300; /* two of them */
	p.client_leaf_ns = 500;
	struct model_options options = of(p, ADAPTIVE_POLICY_MESSAGING, 1);
	struct model_result r = run(&options, 1e7);
	about(r.mean_ns, 2000 + 600, 0.001);
	options = of(p, ADAPTIVE_POLICY_OFFLOAD, 1);
	r = run(&options, 1e7);
	about(r.mean_ns, 2000 + 1000, 0.001);
	options.parameters.mapped = 1;
	r = run(&options, 1e7);
	about(r.mean_ns, 1000, 0.001);
}
END_TEST

START_TEST(choosing_takes_time_only_where_there_is_a_choice)
{
	struct parameters p = nothing;

	p.one_way_ns = 1000;
	p.mapped = 1;
	p.client_ask_ns = 700;
	p.client_choose_ns = 100;
	p.client_search_ns = 900;
	const struct {
		enum adaptive_policy policy;
		double p50_ns;
	} expected[] = {
		{ADAPTIVE_POLICY_MESSAGING, 2000},
		{ADAPTIVE_POLICY_OFFLOAD, 900},
		{ADAPTIVE_POLICY_CATFISH, 2000 + 700},
		{ADAPTIVE_POLICY_ADAPTIVE, 900 + 100},
	};
	for (int i = 0; i < 4; i++) {
		struct model_options options = of(p, expected[i].policy, 1);
		struct model_result r = run(&options, 1e7);
		about(r.p50_ns, expected[i].p50_ns, 0.02);
	}
}
END_TEST

START_TEST(nodes_that_are_new_take_more)
{
	struct parameters p = nothing;

	p.mapped = 1;
	p.one_way_ns = 1000;
	p.client_search_ns = 1000;
	p.client_fresh_ns = 100;
	struct model_options options = of(p, ADAPTIVE_POLICY_OFFLOAD, 1);
	struct model_result r = run(&options, 1e8);
	about(r.mean_ns, 1000, 0.001);
	/* All 13, of each second search. */
	options.inserts = 0.5;
	r = run(&options, 1e8);
	about(r.mean_ns, 1000 + 0.5 * 1300, 0.01);
}
END_TEST

Suite *test_suite(const char **why)
{
	Suite *suite = suite_create("model");
	TCase *tcase = tcase_create("model");

	tcase_add_test(tcase, many_thinking_clients_wait_as_in_an_m_d_1_queue);
	tcase_add_test(tcase, closed_loops_reach_their_bounds_by_messaging);
	tcase_add_test(tcase,
		       offloading_is_bound_by_the_link_and_by_the_adapter);
	tcase_add_test(tcase,
		       round_trips_follow_from_outstanding_reads_and_the_cache);
	tcase_add_test(tcase, workers_without_cores_share_them);
	tcase_add_test(tcase, what_the_server_leaves_costs_both_paths);
	tcase_add_test(tcase, only_who_finds_others_waiting_is_left_a_search);
	tcase_add_test(
		tcase,
		a_part_that_is_given_is_offloaded_whatever_the_policy_says);
	tcase_add_test(tcase, inserts_take_turns_at_the_one_writer);
	tcase_add_test(tcase, catfish_needs_heartbeats_to_offload);
	tcase_add_test(tcase, adaptive_follows_cores_that_go_and_come_back);
	tcase_add_test(
		tcase,
		where_nothing_can_be_offloaded_only_messaging_is_possible);
	tcase_add_test(tcase, clients_that_wait_awake_share_a_core_in_turns);
	tcase_add_test(tcase,
		       a_core_that_is_passed_on_loses_a_part_of_each_slice);
	tcase_add_test(tcase, a_leaf_with_answers_takes_its_time_by_every_path);
	tcase_add_test(tcase, choosing_takes_time_only_where_there_is_a_choice);
	tcase_add_test(tcase, nodes_that_are_new_take_more);
	suite_add_tcase(suite, tcase);
	return suite;
}
