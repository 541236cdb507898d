/* SPDX-License-Identifier: BSD-2-Clause */

/* Many requests at once on a connection: to a real server over every fabric,
 * and to one that answers as it likes. */

#include <check.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "client/catfish.h"
#include "tests/client/daemon.h"
#include "tests/client/fake.h"
#include "tests/lib/test.h"

enum { ITEMS = 500, REQUESTS = 2000, MANY = 32 };

static struct daemon server;

/* Ways to be answered: by messages over each fabric, or by offloading. */
enum { WAYS = 4 };

static const char *address_of(int way)
{
	return way == 1 ? server.network : server.shm;
}

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

static struct catfish *connect_by(int way)
{
	static const enum catfish_offload offload[WAYS] = {
		[2] = CATFISH_OFFLOAD_COPY, [3] = CATFISH_OFFLOAD_MAPPED};
	const struct catfish_options options = {
		.timeout_ms = 20000,
		.policy = offload[way] ? CATFISH_POLICY_OFFLOAD
				       : CATFISH_POLICY_MESSAGING,
		.offload = offload[way],
	};
	struct catfish *c = NULL;

	succeeds(catfish_connect(address_of(way), &options, &c));
	return c;
}

static struct catfish *connect_to(const char *address)
{
	const struct catfish_options options = {.timeout_ms = 20000};
	struct catfish *c = NULL;

	succeeds(catfish_connect(address, &options, &c));
	return c;
}

/* Item i is the square from (i, i) to (i + 0.5, i + 0.5). */
static struct catfish_item item_of(int64_t i)
{
	return (struct catfish_item){
		i, {(double)i, (double)i, (double)i + .5, (double)i + .5}};
}

static void fill(const char *address)
{
	struct catfish *c = connect_to(address);
	struct catfish_item items[ITEMS];

	for (int i = 0; i < ITEMS; i++)
		items[i] = item_of(i);
	succeeds(catfish_insert(c, items, ITEMS, NULL));
	catfish_close(c);
}

/* One request, and what came of it. */
struct asked {
	struct catfish_query query;
	uint64_t expected;
	uint64_t found;
	uint64_t count;
	uint64_t version;
	int error;
	int done;
};

static int found_item(void *context, int64_t id, const double *box)
{
	struct asked *asked = context;

	ck_assert_double_le(box[0], asked->query.box[2]);
	ck_assert_double_ge(box[2], asked->query.box[0]);
	ck_assert_int_eq(id, (int64_t)box[0]);
	asked->found++;
	return 0;
}

static void finished(void *context, const struct catfish_result *result)
{
	struct asked *asked = context;

	asked->error = result->error;
	asked->count = result->answer.count;
	asked->version = result->answer.version;
	asked->done++;
	ck_assert_int_eq(result->error != 0, result->text[0] != '\0');
}

static struct catfish_call call_of(struct asked *asked)
{
	return (struct catfish_call){.done = finished, .context = asked};
}

/* A query that finds the items from 'first' to 'last'. */
static struct asked ask(int first, int last)
{
	return (struct asked){
		.query = {.box = {first, first, last, last}},
		.expected = (uint64_t)(last - first + 1),
	};
}

static void wait_for_all(struct catfish *c)
{
	while (catfish_outstanding(c))
		succeeds(catfish_wait(c, 20000, NULL));
}

static void begin(struct catfish *c, struct asked *asked, int i)
{
	struct catfish_call call = call_of(asked);

	if (i % 3)
		succeeds(catfish_begin_search(c, &asked->query, found_item,
					      &call, NULL));
	else
		succeeds(catfish_begin_count(c, &asked->query, &call, NULL));
}

START_TEST(each_of_many_gets_its_own_answer)
{
	static struct asked asked[REQUESTS];
	struct random random;

	fill(server.shm);
	struct catfish *c = connect_by(_i);
	random_seed(&random, 1);
	for (int i = 0; i < REQUESTS; i++) {
		int first = (int)random_below(&random, ITEMS);
		int last = first + (int)random_below(&random,
						     (uint64_t)(ITEMS - first));
		asked[i] = ask(first, last);
		while (catfish_outstanding(c) >= MANY)
			succeeds(catfish_wait(c, 20000, NULL));
		begin(c, &asked[i], i);
	}
	wait_for_all(c);
	for (int i = 0; i < REQUESTS; i++) {
		ck_assert_int_eq(asked[i].done, 1);
		ck_assert_int_eq(asked[i].error, CATFISH_OK);
		ck_assert_uint_eq(asked[i].count, asked[i].expected);
		ck_assert_uint_eq(asked[i].found,
				  i % 3 ? asked[i].expected : 0);
	}
	catfish_close(c);
}
END_TEST

static int next_item(void *context, int64_t id, const double *box,
		     double distance)
{
	struct asked *asked = context;

	/* Their corners are as far apart as their numbers. */
	ck_assert_int_eq(id, (int64_t)asked->found);
	ck_assert_double_eq_tol(distance, sqrt(2) * (double)id, 1e-9);
	asked->found++;
	return 0;
}

START_TEST(the_nearest_can_be_asked_for_among_others)
{
	const double origin[2] = {0, 0};
	struct asked asked[MANY];

	fill(server.shm);
	struct catfish *c = connect_by(_i);
	for (int i = 0; i < MANY; i++) {
		asked[i] = ask(0, i);
		struct catfish_call call = call_of(&asked[i]);
		if (i % 2)
			succeeds(catfish_begin_nearest(c, origin, i + 1,
						       next_item, &call, NULL));
		else
			begin(c, &asked[i], i);
	}
	wait_for_all(c);
	for (int i = 0; i < MANY; i++) {
		ck_assert_int_eq(asked[i].done, 1);
		ck_assert_uint_eq(asked[i].count, (uint64_t)i + 1);
		ck_assert(i % 2 == 0 || asked[i].found == asked[i].count);
	}
	catfish_close(c);
}
END_TEST

/* Until the connection has no room; then all are still answered. */
START_TEST(there_is_room_for_many_and_then_busy)
{
	static struct asked asked[1024];
	int begun = 0, error = 0;

	fill(server.shm);
	struct catfish *c = connect_to(address_of(_i));
	daemon_pause(&server);
	while (!error && begun < 1024) {
		struct catfish_call call = call_of(&asked[begun]);
		asked[begun] = ask(0, ITEMS - 1);
		error = catfish_begin_search(c, &asked[begun].query, found_item,
					     &call, NULL);
		begun += !error;
	}
	kill(server.pid, SIGCONT);
	ck_assert_int_eq(error, CATFISH_ERROR_BUSY);
	ck_assert_int_ge(begun, 64);
	ck_assert_uint_eq(catfish_outstanding(c), (uint64_t)begun);
	wait_for_all(c);
	for (int i = 0; i < begun; i++)
		ck_assert_uint_eq(asked[i].found, ITEMS);
	catfish_close(c);
}
END_TEST

struct written {
	struct catfish_written written;
	int error;
	int done;
};

static void wrote(void *context, const struct catfish_result *result)
{
	struct written *written = context;

	written->written = result->written;
	written->error = result->error;
	written->done++;
}

START_TEST(a_search_sees_the_writes_sent_before_it)
{
	struct written inserted = {0}, moved = {0}, deleted = {0};
	struct catfish_call insert = {.done = wrote, .context = &inserted};
	struct catfish_call update = {.done = wrote, .context = &moved};
	struct catfish_call drop = {.done = wrote, .context = &deleted};
	const struct catfish_item items[] = {item_of(1), item_of(2),
					     item_of(3)};
	struct catfish_move move = {.item = item_of(1)};
	struct asked after = ask(0, 9), at_last = ask(0, 9);
	struct catfish_call search = call_of(&after);
	struct catfish_call last = call_of(&at_last);
	struct catfish *c = connect_by(_i);

	memcpy(move.to, item_of(7).box, sizeof(move.to));
	succeeds(catfish_begin_insert(c, items, 3, &insert, NULL));
	succeeds(catfish_begin_count(c, &after.query, &search, NULL));
	succeeds(catfish_begin_update(c, &move, 1, &update, NULL));
	/* The second is found, the first has moved away. */
	succeeds(catfish_begin_delete(c, items, 2, &drop, NULL));
	succeeds(catfish_begin_count(c, &at_last.query, &last, NULL));
	wait_for_all(c);
	ck_assert_uint_eq(inserted.written.applied, 3);
	ck_assert_uint_eq(after.count, 3);
	ck_assert_uint_ge(after.version, inserted.written.version);
	ck_assert_uint_eq(moved.written.applied, 1);
	ck_assert_uint_eq(deleted.written.applied, 1);
	ck_assert_uint_eq(deleted.written.not_found, 1);
	ck_assert_uint_eq(at_last.count, 2);
	catfish_close(c);
}
END_TEST

START_TEST(nothing_is_called_for_a_cancelled_request)
{
	struct asked cancelled = ask(0, ITEMS - 1), kept = ask(3, 5);
	struct catfish_call call = call_of(&cancelled);
	struct catfish_call other = call_of(&kept);
	uint64_t request;

	fill(server.shm);
	struct catfish *c = connect_by(_i);
	succeeds(catfish_begin_search(c, &cancelled.query, found_item, &call,
				      &request));
	succeeds(
		catfish_begin_search(c, &kept.query, found_item, &other, NULL));
	succeeds(catfish_cancel(c, request));
	ck_assert_int_eq(catfish_cancel(c, request), CATFISH_ERROR_USAGE);
	ck_assert_uint_eq(catfish_outstanding(c), 2);
	wait_for_all(c);
	ck_assert_int_eq(cancelled.done, 0);
	ck_assert_uint_eq(cancelled.found, 0);
	ck_assert_int_eq(kept.done, 1);
	ck_assert_uint_eq(kept.found, 3);
	catfish_close(c);
}
END_TEST

START_TEST(a_request_past_its_deadline_is_completed_and_its_answer_dropped)
{
	struct asked late = ask(0, 9), kept = ask(0, 9);
	struct catfish_call call = call_of(&late), other = call_of(&kept);
	size_t completed = 0;

	fill(server.shm);
	struct catfish *c = connect_to(address_of(_i));
	call.deadline_ms = 50;
	daemon_pause(&server);
	succeeds(catfish_begin_search(c, &late.query, found_item, &call, NULL));
	succeeds(
		catfish_begin_search(c, &kept.query, found_item, &other, NULL));
	ck_assert_int_le(catfish_sleep_ms(c), 50);
	while (!completed)
		succeeds(catfish_wait(c, 20000, &completed));
	ck_assert_int_eq(late.error, CATFISH_ERROR_TIMEOUT);
	ck_assert_int_eq(kept.done, 0);
	ck_assert_uint_eq(catfish_outstanding(c), 2);
	kill(server.pid, SIGCONT);
	wait_for_all(c);
	ck_assert_int_eq(late.done, 1);
	ck_assert_uint_eq(late.found, 0);
	ck_assert_int_eq(kept.done, 1);
	ck_assert_uint_eq(kept.found, 10);
	catfish_close(c);
}
END_TEST

/* Begins another whenever one is done, until there were enough. */
struct chain {
	struct catfish *c;
	struct asked asked;
	int left;
};

static void next_of_chain(void *context, const struct catfish_result *result)
{
	struct chain *chain = context;
	struct catfish_call call = {.done = next_of_chain, .context = chain};

	ck_assert_int_eq(result->error, CATFISH_OK);
	ck_assert_uint_eq(result->answer.count, chain->asked.expected);
	ck_assert_int_eq(catfish_poll(chain->c, NULL), CATFISH_ERROR_USAGE);
	if (chain->left-- > 0)
		succeeds(catfish_begin_count(chain->c, &chain->asked.query,
					     &call, NULL));
}

START_TEST(a_file_descriptor_tells_when_to_look)
{
	struct chain chain = {.asked = ask(1, 8), .left = 300};
	struct catfish_call call = {.done = next_of_chain, .context = &chain};

	fill(server.shm);
	chain.c = connect_to(address_of(_i));
	succeeds(catfish_begin_count(chain.c, &chain.asked.query, &call, NULL));
	for (;;) {
		struct pollfd fd = {0};
		succeeds(catfish_arm(chain.c, NULL));
		if (!catfish_outstanding(chain.c))
			break;
		fd.fd = catfish_fd(chain.c, &fd.events);
		ck_assert_int_eq(poll(&fd, 1, 20000), 1);
	}
	ck_assert_int_eq(chain.left, -1);
	catfish_close(chain.c);
}
END_TEST

START_TEST(functions_that_wait_refuse_while_requests_are_outstanding)
{
	struct asked asked = ask(0, 9);
	struct catfish_call call = call_of(&asked);
	struct catfish_stat stat;

	fill(server.shm);
	struct catfish *c = connect_to(address_of(_i));
	succeeds(catfish_begin_count(c, &asked.query, &call, NULL));
	ck_assert_int_eq(catfish_stat(c, &stat), CATFISH_ERROR_USAGE);
	wait_for_all(c);
	succeeds(catfish_stat(c, &stat));
	/* And without any there is nothing to wait for. */
	succeeds(catfish_wait(c, 20000, NULL));
	catfish_close(c);
}
END_TEST

START_TEST(all_are_completed_when_the_server_is_killed)
{
	struct asked asked[MANY];
	struct catfish *c = connect_to(address_of(_i));
	int error = 0;

	daemon_pause(&server);
	for (int i = 0; i < MANY; i++) {
		asked[i] = ask(0, 9);
		begin(c, &asked[i], i);
	}
	daemon_end(&server, SIGKILL);
	while (!error)
		error = catfish_wait(c, 20000, NULL);
	ck_assert_int_eq(error, CATFISH_ERROR_CONNECTION);
	ck_assert_uint_eq(catfish_outstanding(c), 0);
	for (int i = 0; i < MANY; i++) {
		ck_assert_int_eq(asked[i].done, 1);
		ck_assert_int_eq(asked[i].error, CATFISH_ERROR_CONNECTION);
	}
	ck_assert_int_eq(catfish_wait(c, 1, NULL), CATFISH_ERROR_CONNECTION);
	catfish_close(c);
}
END_TEST

START_TEST(what_cannot_be_asked_is_refused_at_once)
{
	struct asked asked = ask(0, 9);
	struct catfish_call call = call_of(&asked), none = {0};
	struct catfish_item *items = calloc(100000, sizeof(*items));
	struct catfish *c = connect_to(server.shm);

	ck_assert_int_eq(
		catfish_begin_search(c, &asked.query, NULL, &call, NULL),
		CATFISH_ERROR_USAGE);
	ck_assert_int_eq(catfish_begin_count(c, &asked.query, &none, NULL),
			 CATFISH_ERROR_USAGE);
	ck_assert_int_eq(catfish_begin_count(c, NULL, &call, NULL),
			 CATFISH_ERROR_USAGE);
	ck_assert_int_eq(catfish_begin_insert(c, items, 100000, &call, NULL),
			 CATFISH_ERROR_USAGE);
	ck_assert_int_eq(catfish_begin_insert(c, items, 0, &call, NULL),
			 CATFISH_ERROR_USAGE);
	asked.query.box[0] = 11;
	ck_assert_int_eq(catfish_begin_count(c, &asked.query, &call, NULL),
			 CATFISH_ERROR_DATA);
	ck_assert_int_eq(catfish_cancel(c, 12345), CATFISH_ERROR_USAGE);
	ck_assert_uint_eq(catfish_outstanding(c), 0);
	ck_assert_int_eq(asked.done, 0);
	free(items);
	catfish_close(c);
}
END_TEST

/* --- A server that answers as it likes ---------------------------------- */

static struct wire_header held;

static void answer_one(struct fake *fake, const struct wire_header *request,
		       uint64_t total)
{
	const struct wire_found found = {
		.identity = fake->description.identity,
		.version = FAKE_VERSION,
		.total = total,
	};

	fake_send_found(fake, fake_segment_to(request), &found, NULL, 0);
}

/* Holds the first back until the second has been answered. */
static void answer_backwards(struct fake *fake,
			     const struct wire_header *request)
{
	if (request->sequence % 2 == 0) {
		held = *request;
		return;
	}
	answer_one(fake, request, request->sequence);
	answer_one(fake, &held, held.sequence);
}

static void answer_another(struct fake *fake, const struct wire_header *request)
{
	struct wire_header other = *request;

	other.sequence += 256;
	answer_one(fake, &other, 1);
}

static void answer_twice(struct fake *fake, const struct wire_header *request)
{
	answer_one(fake, request, 1);
	answer_one(fake, request, 1);
}

START_TEST(answers_are_told_by_their_sequence_number)
{
	struct asked first = ask(0, 9), second = ask(0, 9);
	struct catfish_call call = call_of(&first), other = call_of(&second);
	struct fake fake;
	uint64_t a, b;

	fake_start(&fake, 100, 1000000000);
	fake_answer_with(&fake, answer_backwards);
	struct catfish *c = connect_to(fake.address);
	succeeds(catfish_begin_count(c, &first.query, &call, &a));
	succeeds(catfish_begin_count(c, &second.query, &other, &b));
	ck_assert_uint_eq(a % 2, 0);
	wait_for_all(c);
	ck_assert_uint_eq(first.count, a);
	ck_assert_uint_eq(second.count, b);
	catfish_close(c);
	fake_stop(&fake);
}
END_TEST

START_TEST(an_answer_that_nobody_asked_for_ends_the_connection)
{
	fake_handler *const handlers[] = {answer_another, answer_twice};
	struct asked one = ask(0, 9), two = ask(0, 9);
	struct catfish_call call = call_of(&one), other = call_of(&two);
	struct fake fake;
	int error = 0;

	fake_start(&fake, 100, 1000000000);
	fake_answer_with(&fake, handlers[_i]);
	struct catfish *c = connect_to(fake.address);
	succeeds(catfish_begin_count(c, &one.query, &call, NULL));
	succeeds(catfish_begin_count(c, &two.query, &other, NULL));
	while (!error)
		error = catfish_wait(c, 20000, NULL);
	ck_assert_int_eq(error, CATFISH_ERROR_PROTOCOL);
	ck_assert_int_eq(one.done, 1);
	ck_assert_int_eq(two.done, 1);
	ck_assert_int_eq(two.error, CATFISH_ERROR_PROTOCOL);
	catfish_close(c);
	fake_stop(&fake);
}
END_TEST

static _Atomic int refusals;

static void be_busy(struct fake *fake, const struct wire_header *request)
{
	const struct wire_error error = {
		.code = WIRE_E_BUSY,
		.retry_us = 1000,
	};
	struct fake_segment segment = fake_segment_to(request);

	if (refusals-- <= 0) {
		answer_one(fake, request, 7);
		return;
	}
	segment.flags = WIRE_ERROR;
	segment.fixed = &error;
	segment.fixed_size = sizeof(error);
	fake_send(fake, &segment);
}

START_TEST(a_server_that_is_busy_is_asked_again_when_it_says)
{
	const struct catfish_options options = {
		.policy = CATFISH_POLICY_MESSAGING,
		.timeout_ms = 20000,
	};
	const struct catfish_query query = ask(0, 9).query;
	struct catfish *c = NULL;
	struct fake fake;
	uint64_t count;

	fake_start(&fake, 100, 1000000000);
	fake_answer_with(&fake, be_busy);
	refusals = 3;
	succeeds(catfish_connect(fake.address, &options, &c));
	succeeds(catfish_count(c, &query, &count, NULL));
	ck_assert_uint_eq(count, 7);
	catfish_close(c);
	fake_stop(&fake);
}
END_TEST

static void refused(void *context, const struct catfish_result *result)
{
	ck_assert_int_eq(result->error, CATFISH_ERROR_BUSY);
	ck_assert_uint_eq(result->retry_us, 1000);
	++*(int *)context;
}

START_TEST(one_that_stays_busy_is_given_up_within_the_timeout)
{
	const struct catfish_options options = {
		.policy = CATFISH_POLICY_MESSAGING,
		.timeout_ms = 500,
	};
	const struct catfish_query query = ask(0, 9).query;
	int done = 0;
	const struct catfish_call call = {.done = refused, .context = &done};
	struct catfish *c = NULL;
	struct fake fake;

	fake_start(&fake, 100, 1000000000);
	succeeds(catfish_connect(fake.address, &options, &c));
	fake_answer_with(&fake, be_busy);
	refusals = 1000000;
	int error = catfish_count(c, &query, NULL, NULL);
	ck_assert_msg(error == CATFISH_ERROR_BUSY ||
			      error == CATFISH_ERROR_CONNECTION,
		      "%s", catfish_error_text());
	catfish_close(c);
	/* Many at once leave it to their caller. */
	c = connect_to(fake.address);
	succeeds(catfish_begin_count(c, &query, &call, NULL));
	wait_for_all(c);
	ck_assert_int_eq(done, 1);
	catfish_close(c);
	fake_stop(&fake);
}
END_TEST

/* --- Limits ------------------------------------------------------------- */

static void is_refused(int expected, const char *words)
{
	struct catfish *c = NULL;

	for (int i = 0; i < 2; i++) {
		int error = catfish_connect(address_of(i), NULL, &c);
		ck_assert_msg(error == expected, "%s", catfish_error_text());
		ck_assert_msg(strstr(catfish_error_text(), words), "%s",
			      catfish_error_text());
	}
}

START_TEST(a_client_too_many_is_told_so)
{
	const char *const options[] = {"--max-clients", "2", NULL};

	daemon_start(&server, options);
	struct catfish *first = connect_to(address_of(0));
	struct catfish *second = connect_to(address_of(1));
	is_refused(CATFISH_ERROR_BUSY, "it has 2, the most");
	catfish_close(first);
	catfish_close(second);
	daemon_stop(&server);
}
END_TEST

START_TEST(a_client_that_would_take_too_much_memory_is_told_so)
{
	const char *const options[] = {"--max-memory-per-client", "800K", NULL};

	daemon_start(&server, options);
	is_refused(CATFISH_ERROR_NO_ROOM, "--max-memory-per-client");
	daemon_stop(&server);
}
END_TEST

Suite *test_suite(const char **why)
{
	Suite *suite = suite_create("requests");
	TCase *real = tcase_create("a real server");
	TCase *fake = tcase_create("another");

	tcase_set_timeout(real, 120);
	tcase_add_checked_fixture(real, start, stop);
	tcase_add_loop_test(real, each_of_many_gets_its_own_answer, 0, WAYS);
	tcase_add_loop_test(real, the_nearest_can_be_asked_for_among_others, 0,
			    WAYS);
	tcase_add_loop_test(real, there_is_room_for_many_and_then_busy, 0, 2);
	tcase_add_loop_test(real, a_search_sees_the_writes_sent_before_it, 0,
			    WAYS);
	tcase_add_loop_test(real, nothing_is_called_for_a_cancelled_request, 0,
			    WAYS);
	tcase_add_loop_test(
		real,
		a_request_past_its_deadline_is_completed_and_its_answer_dropped,
		0, 2);
	tcase_add_loop_test(real, a_file_descriptor_tells_when_to_look, 0, 2);
	tcase_add_loop_test(
		real, functions_that_wait_refuse_while_requests_are_outstanding,
		0, 2);
	tcase_add_loop_test(real, all_are_completed_when_the_server_is_killed,
			    0, 2);
	tcase_add_test(real, what_cannot_be_asked_is_refused_at_once);
	suite_add_tcase(suite, real);
	tcase_set_timeout(fake, 120);
	tcase_add_test(fake, answers_are_told_by_their_sequence_number);
	tcase_add_loop_test(fake,
			    an_answer_that_nobody_asked_for_ends_the_connection,
			    0, 2);
	tcase_add_test(fake, a_server_that_is_busy_is_asked_again_when_it_says);
	tcase_add_test(fake,
		       one_that_stays_busy_is_given_up_within_the_timeout);
	tcase_add_test(fake, a_client_too_many_is_told_so);
	tcase_add_test(fake,
		       a_client_that_would_take_too_much_memory_is_told_so);
	suite_add_tcase(suite, fake);
	return suite;
}
