/* SPDX-License-Identifier: BSD-2-Clause */

/* A server that leaves a search to its client may be wrong about where to
 * begin, late, or say it where it may not: the client then asks once more or
 * ends the connection, and finds nothing that isn't there. */

#include <string.h>

#include "base/clock.h"
#include "client/catfish.h"
#include "rtree/root.h"
#include "tests/client/fake.h"
#include "tests/lib/test.h"

enum { ITEMS = 5000, WAYS = 2 };
#define LONG_LEASE (3600 * NS_PER_S)

static const enum catfish_offload ways[WAYS] = {CATFISH_OFFLOAD_COPY,
						CATFISH_OFFLOAD_MAPPED};

static struct fake fake;
static struct catfish *server;
static uint64_t found_count;
static bool found_fake_item;

/* What the server answers who may be left a search, and how often it did. */
static struct wire_pushed_back told;
static _Atomic unsigned times_told;
static unsigned flags_told;

static void leave(struct fake *f, const struct wire_header *request)
{
	struct fake_segment segment = fake_segment_to(request);

	times_told++;
	segment.flags = flags_told;
	segment.fixed = &told;
	segment.fixed_size = sizeof(told);
	fake_send(f, &segment);
}

static void answer_itself(struct fake *f, const struct wire_header *request)
{
	const struct wire_found found = {
		.identity = f->region.identity,
		.version = FAKE_VERSION,
		.total = 1,
	};
	const struct wire_item item = {FAKE_ITEM, {{0, 0}, {1, 1}}};

	fake_send_found(f, fake_segment_to(request), &found, &item, 1);
}

static void leave_if_it_may(struct fake *f, const struct wire_header *request)
{
	struct wire_query query;

	memcpy(&query, request + 1, sizeof(query));
	if (query.flags & WIRE_QUERY_MAY_PUSH_BACK)
		leave(f, request);
	else
		answer_itself(f, request);
}

/* In the middle of an answer. */
static void leave_late(struct fake *f, const struct wire_header *request)
{
	const struct wire_found found = {
		.identity = f->region.identity,
		.version = FAKE_VERSION,
		.total = 1,
	};
	const struct wire_item item = {FAKE_ITEM, {{0, 0}, {1, 1}}};
	struct fake_segment segment = fake_segment_to(request);

	segment.flags = WIRE_MORE;
	fake_send_found(f, segment, &found, &item, 1);
	leave(f, request);
}

static struct root newest(void)
{
	struct root root;

	root_load(fake_root_page(&fake), &root);
	return root;
}

/* It asks always: no heartbeat ever tells it of a busy server. */
static void begin_by(enum catfish_policy policy, enum catfish_offload offload,
		     fake_handler *handler, uint64_t lease_ns)
{
	const struct catfish_options options = {
		.policy = policy,
		.offload = offload,
		.timeout_ms = 2000,
		.reconnect_ms = CATFISH_NO_RECONNECT,
	};

	fake_start(&fake, ITEMS, lease_ns);
	const struct root root = newest();
	told = (struct wire_pushed_back){
		.identity = root.identity,
		.version = root.version,
		.root = root.ref,
		.item_count = root.item_count,
	};
	times_told = 0;
	flags_told = WIRE_PUSHED_BACK;
	fake_answer_with(&fake, handler);
	int error = catfish_connect(fake.address, &options, &server);
	ck_assert_msg(!error, "%s", catfish_error_text());
}

static void begin(int way, uint64_t lease_ns)
{
	begin_by(CATFISH_POLICY_CATFISH, ways[way], leave_if_it_may, lease_ns);
}

/* From here on the fake tells what is in 'told' and 'flags_told' now: its thread
 * sees them with the handler. */
static void tell_so(void)
{
	fake_answer_with(&fake, leave_if_it_may);
}

static void end(void)
{
	catfish_close(server);
	server = NULL;
	fake_stop(&fake);
}

static int note(void *context, int64_t id, const double box[4])
{
	found_count++;
	found_fake_item |= id == FAKE_ITEM && box[2] == 1;
	return 0;
}

static int search(struct catfish_answer *answer)
{
	static const struct catfish_query everything = {
		.box = {-1, -1, 1e9, 1e9},
	};

	found_count = 0;
	found_fake_item = false;
	return catfish_search(server, &everything, note, NULL, answer);
}

static void assert_refused(enum catfish_error wanted, const char *words)
{
	struct catfish_answer answer;

	int error = search(&answer);
	ck_assert_msg(error == wanted, "%s: %s", catfish_strerror(error),
		      catfish_error_text());
	ck_assert_msg(strstr(catfish_error_text(), words), "'%s' not in '%s'",
		      words, catfish_error_text());
	end();
}

/* --- What is right ------------------------------------------------------ */

START_TEST(the_walk_begins_where_it_was_told_to)
{
	struct catfish_answer answer;

	begin(_i, LONG_LEASE);
	for (unsigned i = 1; i <= 3; i++) {
		ck_assert_msg(!search(&answer), "%s", catfish_error_text());
		ck_assert_uint_eq(found_count, ITEMS);
		ck_assert_int_eq(answer.path, CATFISH_PATH_OFFLOAD);
		ck_assert_int_eq(answer.offload, ways[_i]);
		ck_assert_uint_eq(answer.version, told.version);
		ck_assert_uint_eq(answer.identity, told.identity);
		ck_assert_uint_eq(answer.pushed_back, 1);
		ck_assert_uint_eq(answer.lease_expiries, 0);
		ck_assert_uint_eq(times_told, i);
	}
	end();
}
END_TEST

/* A version that is older than the newest, as when others were published since
 * the server answered. */
START_TEST(it_ends_in_the_version_that_it_was_told)
{
	struct catfish_answer answer;

	begin(_i, LONG_LEASE);
	struct root root = newest();
	root.version++;
	root.ref = node_ref_make(node_ref_page(root.ref), root.version);
	fake_write_record(&fake, &root);
	ck_assert_msg(!search(&answer), "%s", catfish_error_text());
	ck_assert_uint_eq(found_count, ITEMS);
	ck_assert_uint_eq(answer.version, told.version);
	end();
}
END_TEST

/* Then the server is asked to do it itself, once. */
START_TEST(a_walk_that_nobody_can_vouch_for_is_the_servers_again)
{
	struct catfish_answer answer;

	begin(_i, 0);
	struct root root = newest();
	root.horizon = root.version + 1;
	fake_write_record(&fake, &root);
	ck_assert_msg(!search(&answer), "%s", catfish_error_text());
	ck_assert_uint_eq(found_count, 1);
	ck_assert(found_fake_item);
	ck_assert_int_eq(answer.path, CATFISH_PATH_MESSAGING);
	ck_assert_uint_eq(answer.pushed_back, 1);
	ck_assert_uint_eq(answer.lease_expiries, 1);
	ck_assert_uint_eq(times_told, 1);
	end();
}
END_TEST

/* --- What can't be ------------------------------------------------------ */

START_TEST(a_search_left_to_whom_it_may_not_is_refused)
{
	static const enum catfish_policy policies[] = {CATFISH_POLICY_MESSAGING,
						       CATFISH_POLICY_CATFISH};

	begin_by(policies[_i], CATFISH_OFFLOAD_AUTO, leave,
		 _i ? 0 : LONG_LEASE);
	if (_i) {
		/* It may once, but not in answer to the second question. */
		struct root root = newest();
		root.horizon = root.version + 1;
		fake_write_record(&fake, &root);
	}
	assert_refused(CATFISH_ERROR_PROTOCOL, "left to this client");
}
END_TEST

START_TEST(a_search_left_in_the_middle_of_an_answer_is_refused)
{
	begin_by(CATFISH_POLICY_CATFISH, ways[_i], leave_late, LONG_LEASE);
	assert_refused(CATFISH_ERROR_PROTOCOL, "left to this client");
}
END_TEST

START_TEST(a_search_left_with_more_to_come_is_refused)
{
	begin(_i, LONG_LEASE);
	flags_told |= WIRE_MORE;
	tell_so();
	assert_refused(CATFISH_ERROR_PROTOCOL, "left to this client");
}
END_TEST

START_TEST(another_servers_root_is_refused)
{
	begin(_i, LONG_LEASE);
	told.identity++;
	tell_so();
	assert_refused(CATFISH_ERROR_CONNECTION, "another server");
}
END_TEST

START_TEST(a_root_older_than_the_last_answer_is_refused)
{
	begin(_i, LONG_LEASE);
	fake_answer_with(&fake, answer_itself);
	ck_assert_int_eq(search(NULL), 0);
	fake_answer_with(&fake, leave_if_it_may);
	assert_refused(CATFISH_ERROR_PROTOCOL, "after it had answered");
}
END_TEST

START_TEST(a_root_of_another_version_is_refused)
{
	begin(_i, LONG_LEASE);
	told.version++;
	tell_so();
	assert_refused(CATFISH_ERROR_PROTOCOL, "is not that of version");
}
END_TEST

START_TEST(a_root_out_of_the_region_is_damage)
{
	begin(_i, LONG_LEASE);
	told.root =
		node_ref_make((uint32_t)fake.region.page_count, told.version);
	tell_so();
	assert_refused(CATFISH_ERROR_DAMAGED, "names page");
}
END_TEST

START_TEST(a_page_that_is_no_root_is_damage)
{
	begin(_i, LONG_LEASE);
	told.version++;
	told.root = node_ref_make(node_ref_page(told.root), told.version);
	tell_so();
	assert_refused(CATFISH_ERROR_DAMAGED, "does not hold");
}
END_TEST

Suite *test_suite(const char **why)
{
	Suite *suite = suite_create("client: searches that the server leaves");
	TCase *tc = tcase_create("push-back");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, the_walk_begins_where_it_was_told_to, 0, WAYS);
	tcase_add_loop_test(tc, it_ends_in_the_version_that_it_was_told, 0,
			    WAYS);
	tcase_add_loop_test(
		tc, a_walk_that_nobody_can_vouch_for_is_the_servers_again, 0,
		WAYS);
	tcase_add_loop_test(tc, a_search_left_to_whom_it_may_not_is_refused, 0,
			    2);
	tcase_add_loop_test(tc,
			    a_search_left_in_the_middle_of_an_answer_is_refused,
			    0, WAYS);
	tcase_add_loop_test(tc, a_search_left_with_more_to_come_is_refused, 0,
			    WAYS);
	tcase_add_loop_test(tc, another_servers_root_is_refused, 0, WAYS);
	tcase_add_loop_test(tc, a_root_older_than_the_last_answer_is_refused, 0,
			    WAYS);
	tcase_add_loop_test(tc, a_root_of_another_version_is_refused, 0, WAYS);
	tcase_add_loop_test(tc, a_root_out_of_the_region_is_damage, 0, WAYS);
	tcase_add_loop_test(tc, a_page_that_is_no_root_is_damage, 0, WAYS);
	suite_add_tcase(suite, tc);
	return suite;
}
