/* SPDX-License-Identifier: BSD-2-Clause */

/* A connection that is lost and had again, at every message of a session: each
 * write is applied once, its first answer is given, and what the session sees
 * is what it has written.  By faulty:SEED:@N the link breaks at message N,
 * which is lost (an even seed) or still arrives (an odd one). */

#include <check.h>
#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/catfish.h"
#include "tests/client/daemon.h"
#include "tests/lib/test.h"

enum {
	/* Each session has fewer messages. */
	BREAKS = 30,
	/* The first two are the connection's own, which fails without them. */
	FIRST = 3,
	WAYS = 4, /* shm or the network, lost or delivered */
	ITEMS = 40,
};

static struct daemon server;

static void start(void)
{
	daemon_start(&server, (const char *const[]){"--memory", "64M", NULL});
}

static void stop(void)
{
	daemon_stop(&server);
}

static void succeeds(int error)
{
	ck_assert_msg(error == CATFISH_OK, "%s: %s", catfish_strerror(error),
		      catfish_error_text());
}

static const char *plain_address(int way)
{
	return way & 2 ? server.network : server.shm;
}

static struct catfish *connect_to(const char *address, uint32_t reconnect_ms)
{
	const struct catfish_options options = {
		.policy = CATFISH_POLICY_MESSAGING,
		.timeout_ms = DAEMON_PATIENCE_MS,
		.reconnect_ms = reconnect_ms,
	};
	struct catfish *c = NULL;

	succeeds(catfish_connect(address, &options, &c));
	return c;
}

static struct catfish *connect_breaking(int way, int message,
					uint32_t reconnect_ms)
{
	char address[256];

	snprintf(address, sizeof(address), "faulty:%d:@%d:%s", way,
		 FIRST + message, plain_address(way));
	return connect_to(address, reconnect_ms);
}

/* Item i of a session, which has a place of its own. */
static struct catfish_item item_of(int session, int i)
{
	double x = session * 1000 + i;

	return (struct catfish_item){i, {x, 0, x + .5, .5}};
}

static struct catfish_query all_of(int session)
{
	double x = session * 1000;

	return (struct catfish_query){.box = {x, 0, x + 999, 1}};
}

static uint64_t count_all(struct catfish *c, int session)
{
	const struct catfish_query query = all_of(session);
	uint64_t count;

	succeeds(catfish_count(c, &query, &count, NULL));
	return count;
}

static int count_files(void)
{
	DIR *folder = opendir("/proc/self/fd");
	int count = 0;

	while (readdir(folder))
		count++;
	closedir(folder);
	return count;
}

/* With what the first connection to an address leaves open for the next: a
 * device. */
static int open_files(int way)
{
	catfish_close(connect_to(plain_address(way), 0));
	return count_files();
}

/* The server has no connection but this one, in time. */
static void nothing_is_left(void)
{
	struct catfish *c = connect_to(server.shm, 0);
	struct catfish_stat stat;

	do
		succeeds(catfish_stat(c, &stat));
	while (stat.clients > 1);
	catfish_close(c);
}

/* --- One call after the other ------------------------------------------- */

static void note_missing(void *context, size_t index)
{
	size_t *last = context;

	ck_assert_uint_eq(index, *last + 2);
	*last = index;
}

/* Inserts, and deletes of which every second finds nothing. */
static void write_some(struct catfish *c, int session)
{
	struct catfish_item items[ITEMS];
	struct catfish_written written;
	size_t last = (size_t)-1;

	for (int i = 0; i < ITEMS; i++)
		items[i] = item_of(session, i);
	for (int i = 0; i < ITEMS; i += 10) {
		succeeds(catfish_insert(c, items + i, 10, &written));
		ck_assert_uint_eq(written.applied, 10);
		ck_assert_uint_eq(count_all(c, session), (uint64_t)i + 10);
	}
	for (int i = 1; i < ITEMS; i += 2)
		items[i].id += 1000;
	succeeds(
		catfish_delete(c, items, ITEMS, note_missing, &last, &written));
	ck_assert_uint_eq(written.applied, ITEMS / 2);
	ck_assert_uint_eq(written.not_found, ITEMS / 2);
	ck_assert_uint_eq(written.uncertain, 0);
	ck_assert_uint_eq(last, ITEMS - 1);
	ck_assert_uint_eq(count_all(c, session), ITEMS / 2);
}

START_TEST(writes_are_applied_once_wherever_the_link_breaks)
{
	int files = open_files(_i);

	for (int i = 0; i < BREAKS; i++) {
		struct catfish *c = connect_breaking(_i, i, 0);
		write_some(c, i);
		catfish_close(c);
		ck_assert_int_eq(count_files(), files);
	}
	nothing_is_left();
}
END_TEST

/* It holds everything or nothing, and what the caller is told is true. */
static void import_some(int way, int i)
{
	struct catfish_item items[ITEMS];
	struct catfish_written written = {0};

	for (int k = 0; k < ITEMS; k++)
		items[k] = item_of(i, k);
	struct catfish *c = connect_breaking(way, i, 0);
	int error = catfish_load_begin(c, CATFISH_LOAD_APPEND, 0);
	for (int k = 0; !error && k < ITEMS; k += 10)
		error = catfish_load_items(c, items + k, 10);
	if (!error)
		error = catfish_load_commit(c, &written);
	if (error)
		ck_assert_msg(error == CATFISH_ERROR_CONNECTION, "%d: %s",
			      error, catfish_error_text());
	ck_assert_uint_eq(written.uncertain, 0);
	ck_assert_uint_eq(written.applied, error ? 0 : ITEMS);
	ck_assert_uint_eq(count_all(c, i), error ? 0 : ITEMS);
	catfish_close(c);
}

START_TEST(an_import_is_committed_once_or_not_at_all)
{
	for (int i = 0; i < BREAKS / 2; i++)
		import_some(_i, i);
	nothing_is_left();
}
END_TEST

static int count_item(void *context, int64_t id, const double *box)
{
	++*(int *)context;
	return 0;
}

static int count_neighbour(void *context, int64_t id, const double *box,
			   double distance)
{
	return count_item(context, id, box);
}

static void insert_all(int session)
{
	struct catfish *c = connect_to(server.shm, 0);
	struct catfish_item items[ITEMS];

	for (int i = 0; i < ITEMS; i++)
		items[i] = item_of(session, i);
	succeeds(catfish_insert(c, items, ITEMS, NULL));
	catfish_close(c);
}

START_TEST(what_reads_is_asked_again)
{
	const double origin[2] = {0, 0};
	char path[128];

	insert_all(0);
	snprintf(path, sizeof(path), "%s/copy", server.folder);
	for (int i = 0; i < BREAKS / 2; i++) {
		struct catfish_statistics statistics;
		const struct catfish_query query = all_of(0);
		struct catfish_answer answer;
		int64_t ids[ITEMS];
		int found = 0;
		struct catfish *c = connect_breaking(_i, i, 0);

		succeeds(
			catfish_search(c, &query, count_item, &found, &answer));
		ck_assert_int_eq(found, ITEMS);
		succeeds(catfish_search_into(c, &query, ids, NULL, ITEMS,
					     &answer));
		ck_assert_uint_eq(answer.count, ITEMS);
		succeeds(catfish_check(c, NULL, NULL));
		succeeds(catfish_statistics(c, &statistics));
		succeeds(catfish_save(c, path, NULL, NULL));
		succeeds(catfish_nearest(c, origin, 1, count_neighbour, &found,
					 NULL));
		ck_assert_int_eq(found, ITEMS + 1);
		catfish_close(c);
	}
}
END_TEST

/* READs are lost with their link, too. */
START_TEST(offloading_goes_on_over_another_link)
{
	static const enum catfish_policy policies[] = {
		CATFISH_POLICY_OFFLOAD,
		CATFISH_POLICY_ADAPTIVE,
	};
	struct catfish_options options = {
		.policy = policies[_i],
		.offload = CATFISH_OFFLOAD_COPY,
		.timeout_ms = DAEMON_PATIENCE_MS,
	};
	const struct catfish_query query = all_of(0);
	struct catfish_answer answer;
	uint64_t offloaded = 0;
	struct catfish *c = NULL;
	char address[256];

	insert_all(0);
	snprintf(address, sizeof(address), "faulty:%d:40:%s", _i, server.shm);
	while (catfish_connect(address, &options, &c) != CATFISH_OK)
		;
	for (int i = 0; i < 300; i++) {
		int found = 0;
		succeeds(
			catfish_search(c, &query, count_item, &found, &answer));
		ck_assert_int_eq(found, ITEMS);
		offloaded += answer.path == CATFISH_PATH_OFFLOAD;
	}
	ck_assert_uint_gt(offloaded, 0);
	catfish_close(c);
}
END_TEST

START_TEST(without_reconnecting_the_loss_is_told)
{
	struct catfish_item items[10];
	struct catfish_written written;

	for (int i = 0; i < 10; i++)
		items[i] = item_of(0, i);
	struct catfish *c = connect_breaking(_i, 0, CATFISH_NO_RECONNECT);
	ck_assert_int_eq(catfish_insert(c, items, 10, &written),
			 CATFISH_ERROR_CONNECTION);
	ck_assert_uint_eq(written.applied, 0);
	ck_assert_uint_eq(written.uncertain, 10);
	ck_assert_int_eq(catfish_check(c, NULL, NULL),
			 CATFISH_ERROR_CONNECTION);
	ck_assert_ptr_nonnull(strstr(catfish_error_text(), "connect again"));
	catfish_close(c);
}
END_TEST

/* --- Many at once ------------------------------------------------------- */

enum { REQUESTS = 24 };

struct asked {
	int done;
	uint64_t expected; /* to be written; of counts, at least */
	bool is_count;
};

static void finished(void *context, const struct catfish_result *result)
{
	struct asked *asked = context;

	ck_assert_msg(!result->error, "%s", result->text);
	if (asked->is_count)
		ck_assert_uint_ge(result->answer.count, asked->expected);
	else
		ck_assert_uint_eq(result->written.applied, asked->expected);
	asked->done++;
}

/* An insert, a count that sees it, and so on; one that is sent again may see
 * those after it as well. */
static void begin_some(struct catfish *c, int session, struct asked *asked)
{
	const struct catfish_query query = all_of(session);

	for (int i = 0; i < REQUESTS; i++) {
		struct catfish_call call = {
			.done = finished,
			.context = &asked[i],
		};
		struct catfish_item item = item_of(session, i);
		asked[i] = (struct asked){
			.expected = i % 2 ? (uint64_t)i / 2 + 1 : 1,
			.is_count = i % 2,
		};
		int error =
			i % 2 ? catfish_begin_count(c, &query, &call, NULL)
			      : catfish_begin_insert(c, &item, 1, &call, NULL);
		succeeds(error);
		if (i == REQUESTS / 2)
			succeeds(catfish_poll(c, NULL));
	}
}

START_TEST(requests_under_way_are_answered_once_and_in_order)
{
	int files = open_files(_i);

	for (int i = 0; i < 2 * REQUESTS + 2; i++) {
		struct asked asked[REQUESTS];
		struct catfish *c = connect_breaking(_i, i, 0);

		begin_some(c, i, asked);
		while (catfish_outstanding(c))
			succeeds(catfish_wait(c, DAEMON_PATIENCE_MS, NULL));
		for (int k = 0; k < REQUESTS; k++)
			ck_assert_int_eq(asked[k].done, 1);
		ck_assert_uint_eq(count_all(c, i), REQUESTS / 2);
		catfish_close(c);
		ck_assert_int_eq(count_files(), files);
	}
	nothing_is_left();
}
END_TEST

static void ran_out_of_time(void *context, const struct catfish_result *result)
{
	struct asked *asked = context;

	ck_assert_int_eq(result->error, CATFISH_ERROR_TIMEOUT);
	asked->done++;
}

/* A connection that was lost, and is looked for at a server that is stopped:
 * a count is outstanding. */
static struct catfish *lose(int way, struct asked *asked)
{
	const struct catfish_query query = all_of(0);
	const struct catfish_call call = {.done = finished, .context = asked};
	struct catfish *c = connect_breaking(way, 0, 0);
	short events;

	*asked = (struct asked){.is_count = true};
	daemon_pause(&server);
	succeeds(catfish_begin_count(c, &query, &call, NULL));
	while (catfish_fd(c, &events) >= 0 && events & POLLOUT)
		succeeds(catfish_poll(c, NULL));
	succeeds(catfish_poll(c, NULL));
	succeeds(catfish_poll(c, NULL));
	return c;
}

START_TEST(nothing_waits_while_a_connection_is_had_back)
{
	const struct catfish_query query = all_of(0);
	struct asked asked, late = {0};
	const struct catfish_call call = {
		.done = ran_out_of_time,
		.context = &late,
		.deadline_ms = 1,
	};
	short events;

	struct catfish *c = lose(_i, &asked);
	ck_assert_int_ge(catfish_fd(c, &events), 0);
	ck_assert_int_eq(events, POLLIN);
	succeeds(catfish_begin_count(c, &query, &call, NULL));
	while (!late.done)
		succeeds(catfish_wait(c, 1, NULL));
	ck_assert_int_eq(asked.done, 0);
	kill(server.pid, SIGCONT);
	while (catfish_outstanding(c))
		succeeds(catfish_wait(c, DAEMON_PATIENCE_MS, NULL));
	ck_assert_int_eq(asked.done, 1);
	ck_assert_uint_eq(count_all(c, 0), 0);
	catfish_close(c);
}
END_TEST

/* What was being had back goes, too, as soon as it is there. */
START_TEST(a_connection_that_is_had_back_can_be_closed)
{
	int files = open_files(_i);
	struct asked asked;

	struct catfish *c = lose(_i, &asked);
	catfish_close(c);
	ck_assert_int_eq(asked.done, 0);
	kill(server.pid, SIGCONT);
	while (count_files() != files)
		;
	nothing_is_left();
}
END_TEST

/* --- Servers that end --------------------------------------------------- */

static void lost(void *context, const struct catfish_result *result)
{
	struct asked *asked = context;

	ck_assert_int_eq(result->error, CATFISH_ERROR_CONNECTION);
	ck_assert_uint_eq(result->written.applied, 0);
	ck_assert_uint_eq(result->written.uncertain, asked->expected);
	asked->done++;
}

/* Its session has ended with it. */
START_TEST(a_write_whose_server_was_started_anew_is_told_to_be_uncertain)
{
	struct catfish_item item = item_of(0, 0);
	struct asked asked = {.expected = 1};
	const struct catfish_call call = {.done = lost, .context = &asked};

	struct catfish *c = connect_to(plain_address(_i), 0);
	succeeds(catfish_insert(c, &item, 1, NULL));
	daemon_pause(&server);
	succeeds(catfish_begin_insert(c, &item, 1, &call, NULL));
	daemon_end(&server, SIGKILL);
	daemon_start_again(&server, NULL);
	while (catfish_outstanding(c))
		if (catfish_wait(c, DAEMON_PATIENCE_MS, NULL))
			break;
	ck_assert_int_eq(asked.done, 1);
	ck_assert_msg(strstr(catfish_error_text(), "started anew"), "%s",
		      catfish_error_text());
	ck_assert_int_eq(catfish_insert(c, &item, 1, NULL),
			 CATFISH_ERROR_CONNECTION);
	catfish_close(c);
	c = connect_to(plain_address(_i), 0);
	ck_assert_uint_eq(count_all(c, 0), 0);
	catfish_close(c);
}
END_TEST

static void hang_and_go_on(struct catfish *c)
{
	struct catfish_item item = item_of(0, 0);
	struct catfish_written written;

	daemon_pause(&server);
	ck_assert_int_eq(catfish_load_begin(c, CATFISH_LOAD_APPEND, 0),
			 CATFISH_ERROR_CONNECTION);
	kill(server.pid, SIGCONT);
	succeeds(catfish_insert(c, &item, 1, &written));
	ck_assert_uint_eq(count_all(c, 0), 1);
}

START_TEST(after_a_timeout_the_next_call_connects_again)
{
	const struct catfish_options options = {
		.policy = CATFISH_POLICY_MESSAGING,
		.timeout_ms = 500,
		.reconnect_ms = DAEMON_PATIENCE_MS,
	};
	struct catfish *c = NULL;

	succeeds(catfish_connect(plain_address(_i), &options, &c));
	hang_and_go_on(c);
	catfish_close(c);
}
END_TEST

Suite *test_suite(const char **why)
{
	Suite *suite = suite_create("client: connections had again");
	TCase *tc = tcase_create("reconnect");

	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, start, stop);
	tcase_add_loop_test(
		tc, writes_are_applied_once_wherever_the_link_breaks, 0, WAYS);
	tcase_add_loop_test(tc, an_import_is_committed_once_or_not_at_all, 0,
			    WAYS);
	tcase_add_loop_test(tc, what_reads_is_asked_again, 0, WAYS);
	tcase_add_loop_test(tc, offloading_goes_on_over_another_link, 0, 2);
	tcase_add_loop_test(tc, without_reconnecting_the_loss_is_told, 0, WAYS);
	tcase_add_loop_test(
		tc, requests_under_way_are_answered_once_and_in_order, 0, WAYS);
	tcase_add_loop_test(tc, nothing_waits_while_a_connection_is_had_back, 0,
			    WAYS);
	tcase_add_loop_test(tc, a_connection_that_is_had_back_can_be_closed, 0,
			    WAYS);
	suite_add_tcase(suite, tc);

	TCase *ends = tcase_create("servers that end");
	tcase_set_timeout(ends, 120);
	tcase_add_checked_fixture(ends, start, stop);
	for (int i = 0; i < WAYS; i += 2)
		tcase_add_loop_test(
			ends,
			a_write_whose_server_was_started_anew_is_told_to_be_uncertain,
			i, i + 1);
	tcase_add_test(ends, after_a_timeout_the_next_call_connects_again);
	suite_add_tcase(suite, ends);
	return suite;
}
