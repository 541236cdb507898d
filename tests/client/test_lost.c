/* SPDX-License-Identifier: BSD-2-Clause */

/* A server that is not there, or that is killed: one clear error, and never an
 * answer from the dead. */

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests/client/daemon.h"
#include "tests/client/model.h"
#include "tests/lib/test.h"

static const struct way {
	bool network;
	enum catfish_policy policy;
	enum catfish_offload offload;
} ways[] = {
	{false, CATFISH_POLICY_OFFLOAD, CATFISH_OFFLOAD_COPY},
	{false, CATFISH_POLICY_OFFLOAD, CATFISH_OFFLOAD_MAPPED},
	{false, CATFISH_POLICY_MESSAGING, 0},
	{true, CATFISH_POLICY_MESSAGING, 0},
	{true, CATFISH_POLICY_OFFLOAD, CATFISH_OFFLOAD_COPY},
};
enum { SHM_MESSAGING = 2, NETWORK_MESSAGING, RDMA_COPY, WAYS_MAX };

/* With an RDMA device only what goes over it. */
static int first_way(void)
{
	return daemon_uses_rdma() ? NETWORK_MESSAGING : 0;
}

static int way_count(void)
{
	return daemon_uses_rdma() ? WAYS_MAX : RDMA_COPY;
}

enum { ITEMS = 50000 };

static const struct catfish_query everything = {.box = {-10, -10, 10, 10}};

static struct daemon daemon_;

static struct catfish *connect_way(const struct way *way)
{
	const struct catfish_options options = {.policy = way->policy,
						.offload = way->offload};
	struct catfish *server = NULL;

	int error =
		catfish_connect(way->network ? daemon_.network : daemon_.shm,
				&options, &server);
	ck_assert_msg(!error, "%s", catfish_error_text());
	return server;
}

static void load(size_t count, uint64_t seed)
{
	struct catfish *server = connect_way(&ways[0]);
	struct model model = {0};
	struct random random;

	random_seed(&random, seed);
	model_add_random(&model, &random, count);
	ck_assert_int_eq(
		catfish_load_begin(server, CATFISH_LOAD_REPLACE, count), 0);
	ck_assert_int_eq(catfish_load_items(server, model.items, count), 0);
	ck_assert_int_eq(catfish_load_commit(server, NULL), 0);
	model_clear(&model);
	catfish_close(server);
}

static void fails(int error, const char *words)
{
	ck_assert_msg(error == CATFISH_ERROR_CONNECTION, "%s: %s",
		      catfish_strerror(error), catfish_error_text());
	ck_assert_msg(strstr(catfish_error_text(), words), "'%s' not in '%s'",
		      words, catfish_error_text());
}

static int count_item(void *context, int64_t id, const double box[4])
{
	++*(int *)context;
	return 0;
}

START_TEST(no_server_is_said_with_its_address)
{
	struct catfish *server = NULL;

	fails(catfish_connect("shm:///tmp/catfish-nobody.sock", NULL, &server),
	      "no server at shm:///tmp/catfish-nobody.sock: ");
	fails(catfish_connect("tcp://127.0.0.1:1", NULL, &server),
	      "no server at tcp://127.0.0.1:1: ");
	ck_assert_ptr_null(server);
}
END_TEST

START_TEST(an_address_that_cannot_be_is_a_usage_error)
{
	struct catfish *server = NULL;

	ck_assert_int_eq(catfish_connect("http://x", NULL, &server),
			 CATFISH_ERROR_USAGE);
	ck_assert_int_eq(catfish_connect("tcp://localhost", NULL, &server),
			 CATFISH_ERROR_USAGE);
}
END_TEST

START_TEST(a_socket_that_a_killed_server_left_has_no_server)
{
	struct catfish *server = NULL;

	daemon_start(&daemon_, NULL);
	daemon_end(&daemon_, SIGKILL);
	fails(catfish_connect(daemon_.shm, NULL, &server), "no server at");
	fails(catfish_connect(daemon_.network, NULL, &server), "no server at");
	daemon_stop(&daemon_);
}
END_TEST

static int kill_at_first(void *context, int64_t id, const double box[4])
{
	if (daemon_.pid)
		daemon_end(&daemon_, SIGKILL);
	return 0;
}

START_TEST(a_server_killed_in_the_middle_of_an_answer_is_an_error)
{
	daemon_start(&daemon_, NULL);
	load(ITEMS, 1);
	struct catfish *server = connect_way(&ways[_i]);
	int error =
		catfish_search(server, &everything, kill_at_first, NULL, NULL);
	ck_assert_msg(error == CATFISH_ERROR_CONNECTION, "%s: %s",
		      catfish_strerror(error), catfish_error_text());
	fails(catfish_count(server, &everything, NULL, NULL), "connect again");
	catfish_close(server);
	daemon_stop(&daemon_);
}
END_TEST

START_TEST(a_dead_server_answers_nothing)
{
	int found = 0;

	daemon_start(&daemon_, NULL);
	load(ITEMS, 1);
	struct catfish *server = connect_way(&ways[_i]);
	ck_assert_int_eq(
		catfish_search(server, &everything, count_item, &found, NULL),
		0);
	ck_assert_int_eq(found, ITEMS);
	daemon_end(&daemon_, SIGKILL);
	found = 0;
	int error =
		catfish_search(server, &everything, count_item, &found, NULL);
	ck_assert_msg(error == CATFISH_ERROR_CONNECTION, "%s: %s",
		      catfish_strerror(error), catfish_error_text());
	ck_assert_int_eq(found, 0);
	catfish_close(server);
	daemon_stop(&daemon_);
}
END_TEST

START_TEST(a_server_that_ended_in_peace_answers_nothing)
{
	int found = 0;

	daemon_start(&daemon_, NULL);
	load(ITEMS, 1);
	struct catfish *server = connect_way(&ways[_i]);
	ck_assert_int_eq(daemon_end(&daemon_, SIGTERM), 0);
	int error =
		catfish_search(server, &everything, count_item, &found, NULL);
	ck_assert_msg(error == CATFISH_ERROR_CONNECTION, "%s: %s",
		      catfish_strerror(error), catfish_error_text());
	ck_assert_int_eq(found, 0);
	catfish_close(server);
	daemon_stop(&daemon_);
}
END_TEST

START_TEST(a_successor_does_not_answer_for_the_dead)
{
	struct catfish_answer answer, before;
	int found = 0;

	daemon_start(&daemon_, NULL);
	load(ITEMS, 1);
	struct catfish *old = connect_way(&ways[_i]);
	ck_assert_int_eq(catfish_count(old, &everything, NULL, &before), 0);
	daemon_end(&daemon_, SIGKILL);
	daemon_start_again(&daemon_, NULL);
	load(1000, 2);

	ck_assert_int_eq(
		catfish_search(old, &everything, count_item, &found, NULL),
		CATFISH_ERROR_CONNECTION);
	ck_assert_int_eq(found, 0);
	struct catfish *new = connect_way(&ways[_i]);
	ck_assert_int_eq(
		catfish_search(new, &everything, count_item, &found, &answer),
		0);
	ck_assert_int_eq(found, 1000);
	ck_assert_uint_ne(answer.identity, before.identity);
	catfish_close(old);
	catfish_close(new);
	daemon_stop(&daemon_);
}
END_TEST

START_TEST(a_stopped_server_is_given_up_after_the_timeout)
{
	/* Connecting counts, too, and takes longer over verbs. */
	const struct catfish_options options = {
		.policy = CATFISH_POLICY_MESSAGING,
		.timeout_ms = daemon_uses_rdma() ? 5000 : 100,
	};
	struct catfish *server = NULL;

	daemon_start(&daemon_, NULL);
	ck_assert_int_eq(catfish_connect(ways[_i].network ? daemon_.network
							  : daemon_.shm,
					 &options, &server),
			 0);
	daemon_pause(&daemon_);
	fails(catfish_count(server, &everything, NULL, NULL),
	      daemon_uses_rdma() ? "no answer within 5 s"
				 : "no answer within 0.1 s");
	catfish_close(server);
	kill(daemon_.pid, SIGCONT);
	daemon_stop(&daemon_);
}
END_TEST

/* Every acknowledged insert is there as long as the server lives, and how many
 * were acknowledged is told when it dies. */
START_TEST(a_server_killed_during_writes_tells_what_was_applied)
{
	struct catfish_written written = {0};
	static struct catfish_item items[200000];

	daemon_start(&daemon_, NULL);
	struct catfish *server = connect_way(&ways[_i]);
	pid_t killer = fork();
	if (killer == 0) {
		usleep(20000);
		kill(daemon_.pid, SIGKILL);
		_exit(0);
	}
	int error;
	do
		error = catfish_insert(server, items, 200000, &written);
	while (!error);
	ck_assert_int_eq(error, CATFISH_ERROR_CONNECTION);
	ck_assert_uint_lt(written.applied, 200000);
	catfish_close(server);
	daemon_end(&daemon_, SIGKILL);
	daemon_stop(&daemon_);
}
END_TEST

static void add_messaging(TCase *tc, const TTest *test)
{
	tcase_add_loop_test(tc, test,
			    daemon_uses_rdma() ? NETWORK_MESSAGING
					       : SHM_MESSAGING,
			    NETWORK_MESSAGING + 1);
}

static void add(TCase *tc, const TTest *test)
{
	tcase_add_loop_test(tc, test, first_way(), way_count());
}

Suite *test_suite(const char **why)
{
	Suite *suite = suite_create("client: lost servers");
	TCase *tc = tcase_create("lost");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, no_server_is_said_with_its_address);
	tcase_add_test(tc, an_address_that_cannot_be_is_a_usage_error);
	tcase_add_test(tc, a_socket_that_a_killed_server_left_has_no_server);
	add_messaging(tc,
		      a_server_killed_in_the_middle_of_an_answer_is_an_error);
	add(tc, a_dead_server_answers_nothing);
	add(tc, a_server_that_ended_in_peace_answers_nothing);
	add(tc, a_successor_does_not_answer_for_the_dead);
	add_messaging(tc, a_stopped_server_is_given_up_after_the_timeout);
	add_messaging(tc, a_server_killed_during_writes_tells_what_was_applied);
	suite_add_tcase(suite, tc);
	return suite;
}
