/* SPDX-License-Identifier: BSD-2-Clause */

/* More than the server can do: what is past its deadline isn't worked on, what
 * waits is bounded, and every request gets an answer, also when the server is
 * told to end in the middle of it. */

#include <check.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "tests/client/daemon.h"
#include "tests/lib/test.h"
#include "tests/server/raw.h"

enum {
	FABRICS = 2,
	ITEMS = 4000,
	/* All in one place, so that each delete looks at all of them. */
	PILE = 500,
	ENTRIES = 1600,
	CLIENTS = 100,
	REQUESTS = 2,
	WRITES = CLIENTS * REQUESTS,
	/* Jobs for which the writer's queue has room, and all that waits for a
	 * turn. */
	QUEUED_MAX = (16 << 20) / (ENTRIES * 76) + CLIENTS + 2,
	ENDING_CLIENTS = 200,
	LOAD_WRITES = 20, /* of each */
	PILES = 5,
};

static struct daemon server;
static const struct rect everything = {{-1e300, -1e300}, {1e300, 1e300}};

static const char *address(int fabric)
{
	return fabric ? server.network : server.shm;
}

static struct item item_of(int64_t id)
{
	return (struct item){id, {{1, 1}, {2, 2}}};
}

static void fill(int count)
{
	static struct item items[ITEMS];
	struct raw raw;

	for (int i = 0; i < count; i++)
		items[i] = item_of(i);
	raw_open(&raw, server.shm, RAW_INBOX_SIZE);
	for (int i = 0; i < count; i += 100)
		raw_write(&raw, WIRE_INSERT, items + i, 100);
	raw_close(&raw);
}

static void send_pushable_count(struct raw *raw)
{
	struct wire_query query = {.flags = WIRE_QUERY_MAY_PUSH_BACK};

	wire_put_rect(&everything, &query.rect);
	raw_send(raw, WIRE_COUNT, &query, sizeof(query), NULL, 0, 0);
}

/* While the server stands still two clients ask; then one of them is the last
 * for whom nobody waits. */
START_TEST(while_another_waits_a_search_is_left_to_who_can_read)
{
	static const char *const options[] = {
		"--push-back", "1", "--threads", "1", "--spin", "0", NULL};
	struct raw raw[2];
	unsigned left = 0;

	daemon_start(&server, options);
	fill(100);
	for (int i = 0; i < 2; i++)
		raw_open(&raw[i], _i ? server.network : server.shm,
			 RAW_INBOX_SIZE);
	for (int i = 0; i < 2; i++)
		ck_assert_uint_eq(raw_count(&raw[i]), 100);
	daemon_pause(&server);
	for (int i = 0; i < 2; i++)
		send_pushable_count(&raw[i]);
	kill(server.pid, SIGCONT);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(raw_receive(&raw[i]), 0);
		ck_assert_int_eq(raw[i].header.operation, WIRE_COUNT);
		ck_assert(!(raw[i].header.flags & WIRE_ERROR));
		left += !!(raw[i].header.flags & WIRE_PUSHED_BACK);
	}
	ck_assert_uint_eq(left, _i && !daemon_uses_rdma() ? 0 : 1);
	ck_assert_uint_eq(raw_stat(&raw[0]).pushed_back, left);
	for (int i = 0; i < 2; i++)
		raw_close(&raw[i]);
	daemon_stop(&server);
}
END_TEST

/* The answer to the first is larger than the client's inbox, so the others are
 * seen, and wait, until the client takes it. */
START_TEST(past_its_deadline_nothing_is_worked_on)
{
	const struct item late = item_of(-1);
	struct wire_found found;
	struct raw raw;

	daemon_start(&server, NULL);
	fill(ITEMS);
	raw_open(&raw, address(_i), RAW_INBOX_SIZE);
	raw_open_session(&raw, 0);
	raw_send_query(&raw, WIRE_SEARCH, &everything, RELATION_INTERSECTS, 0);
	raw.deadline_us = 1;
	raw.write.number = 1;
	raw_send_query(&raw, WIRE_COUNT, &everything, RELATION_INTERSECTS, 0);
	raw_send_items(&raw, WIRE_INSERT, &late, 1);
	raw_send(&raw, WIRE_STAT, NULL, 0, NULL, 0, 0);
	raw.sequence -= 3;
	free(raw_expect_items(&raw, &found));
	ck_assert_uint_eq(found.total, ITEMS);
	for (int i = 0; i < 3; i++) {
		raw.sequence++;
		raw_expect_error(&raw, WIRE_E_TIMEOUT);
	}
	/* It has had its answer, and isn't applied later. */
	raw.deadline_us = 0;
	raw_send_items(&raw, WIRE_INSERT, &late, 1);
	raw_expect_error(&raw, WIRE_E_TIMEOUT);
	ck_assert_uint_eq(raw_count(&raw), ITEMS);
	raw_close(&raw);
	daemon_stop(&server);
}
END_TEST

/* Deletes one item, and looks for many that aren't there before that. */
static void send_deletes(struct raw *raw, int64_t id)
{
	static struct item items[ENTRIES];

	for (int i = 0; i < ENTRIES - 1; i++)
		items[i] = item_of(-1 - i);
	items[ENTRIES - 1] = item_of(id);
	raw_send_items(raw, WIRE_DELETE, items, ENTRIES);
}

/* Whether a write was applied; else it was told when to come back. */
static bool is_applied(struct raw *raw)
{
	struct wire_written written;

	do
		ck_assert_int_eq(raw_receive(raw), 0);
	while (raw->header.flags & WIRE_MORE);
	if (raw->header.flags & WIRE_ERROR) {
		const struct wire_error *error = raw_fixed(raw);
		ck_assert_uint_eq(error->code, WIRE_E_BUSY);
		ck_assert_uint_gt(error->retry_us, 0);
		return false;
	}
	memcpy(&written, raw_fixed(raw), sizeof(written));
	ck_assert_uint_eq(written.applied, 1);
	return true;
}

/* Until all that was sent has left. */
static void flush(struct raw *raw)
{
	short events;

	while (fabric_fd(raw->link, &events), events & POLLOUT)
		ck_assert_int_ge(fabric_ring_poll(raw->ring), 0);
}

static void check_queue(const struct raw *raw)
{
	struct wire_heartbeat beat;
	uint32_t size;

	memcpy(&beat, fabric_inbox(raw->link, &size), sizeof(beat));
	if (wire_heartbeat_is_whole(&beat))
		ck_assert_uint_le(beat.queued, QUEUED_MAX);
}

/* Each deletes another item; how many were applied.  All are answered. */
static uint64_t send_all(struct raw *clients, const struct raw *watcher)
{
	uint64_t applied = 0;

	for (int i = 0; i < WRITES; i++)
		send_deletes(&clients[i % CLIENTS], i);
	for (int i = 0; i < CLIENTS; i++)
		flush(&clients[i]);
	for (int i = 0; i < WRITES; i++) {
		check_queue(watcher);
		applied += is_applied(&clients[i % CLIENTS]);
	}
	return applied;
}

START_TEST(who_sends_more_writes_than_may_wait_is_told_to_come_back)
{
	static struct raw clients[CLIENTS];
	uint64_t applied = WRITES;
	struct raw watcher;

	daemon_start(&server, NULL);
	fill(PILE);
	raw_open(&watcher, daemon_uses_rdma() ? server.network : server.shm,
		 RAW_INBOX_SIZE);
	for (int i = 0; i < CLIENTS; i++)
		raw_open(&clients[i], address(_i), RAW_INBOX_SIZE);
	/* Where this process gets little time the server may keep up. */
	for (int round = 0; applied == WRITES && round < 20; round++) {
		if (round)
			fill(WRITES);
		applied = send_all(clients, &watcher);
	}
	ck_assert_uint_lt(applied, WRITES);
	ck_assert_uint_gt(applied, 0);
	ck_assert_uint_eq(raw_count(&watcher), PILE - applied);
	for (int i = 0; i < CLIENTS; i++)
		raw_close(&clients[i]);
	raw_close(&watcher);
	daemon_stop(&server);
}
END_TEST

/* Sends so much that some of it waits in the client's ring. */
static void send_load(struct raw *raw, int client)
{
	for (int i = 0; i < LOAD_WRITES; i++) {
		struct item item = item_of(client * 100 + i);
		raw_send_items(raw, WIRE_INSERT, &item, 1);
		if (i % 5 == 0)
			raw_send_query(raw, WIRE_COUNT, &everything,
				       RELATION_INTERSECTS, 0);
	}
}

/* What is known of the writes that a server was asked for until it closed the
 * link. */
struct told {
	uint64_t applied;
	uint64_t refused;
	uint64_t unknown;
};

static void take_refusal(const struct raw *raw)
{
	const struct wire_error *error = raw_fixed(raw);

	ck_assert_uint_eq(error->code, WIRE_E_BUSY);
	ck_assert_uint_eq(error->retry_us, 0);
	ck_assert_uint_eq(error->applied, 0);
}

static void take_answers(struct raw *raw, uint64_t writes, struct told *told)
{
	while (!raw_receive(raw)) {
		struct wire_written written;
		bool is_refused = raw->header.flags & WIRE_ERROR;
		if (is_refused)
			take_refusal(raw);
		if (raw->header.operation == WIRE_COUNT ||
		    raw->header.flags & WIRE_MORE)
			continue;
		writes--;
		told->refused += is_refused;
		if (is_refused)
			continue;
		memcpy(&written, raw_fixed(raw), sizeof(written));
		told->applied += written.applied;
	}
	told->unknown += writes;
}

/* What was acknowledged is there, and nothing that was refused. */
static void check_kept(uint64_t count, const struct told *told)
{
	ck_assert_uint_ge(count, told->applied);
	ck_assert_uint_le(count, told->applied + told->unknown);
}

START_TEST(a_server_that_ends_answers_for_what_it_has_applied)
{
	static struct raw clients[ENDING_CLIENTS];
	char region[128];
	struct told told = {0};

	daemon_start(&server, NULL);
	daemon_end(&server, SIGTERM);
	snprintf(region, sizeof(region), "%s/items.region", server.folder);
	const char *const options[] = {"--region", region, "--memory", "64M",
				       NULL};
	daemon_start_again(&server, options);
	for (int i = 0; i < ENDING_CLIENTS; i++)
		raw_open(&clients[i], address(_i), RAW_INBOX_SIZE);
	for (int i = 0; i < ENDING_CLIENTS; i++)
		send_load(&clients[i], i);
	kill(server.pid, SIGTERM);
	for (int i = 0; i < ENDING_CLIENTS; i++) {
		take_answers(&clients[i], LOAD_WRITES, &told);
		raw_close(&clients[i]);
	}
	ck_assert_int_eq(daemon_end(&server, 0), 0);
	daemon_start_again(&server, options);
	raw_open(&clients[0], address(_i), RAW_INBOX_SIZE);
	check_kept(raw_count(&clients[0]), &told);
	raw_close(&clients[0]);
	daemon_stop(&server);
}
END_TEST

/* Some seconds of work wait for the writer then.  What it comes to in time
 * depends on the machine, but not all. */
START_TEST(a_server_that_ends_refuses_what_takes_too_long)
{
	static struct raw clients[CLIENTS];
	struct told told = {0};

	daemon_start(&server, NULL);
	for (int i = 0; i < PILES; i++)
		fill(ITEMS);
	for (int i = 0; i < CLIENTS; i++)
		raw_open(&clients[i], address(_i), RAW_INBOX_SIZE);
	for (int i = 0; i < CLIENTS; i++)
		send_deletes(&clients[i], i);
	for (int i = 0; i < CLIENTS; i++)
		flush(&clients[i]);
	kill(server.pid, SIGTERM);
	for (int i = 0; i < CLIENTS; i++) {
		take_answers(&clients[i], 1, &told);
		raw_close(&clients[i]);
	}
	ck_assert_int_eq(daemon_end(&server, 0), 0);
	ck_assert_uint_lt(told.applied, CLIENTS);
	daemon_stop(&server);
}
END_TEST

/* Over shm, or over the network alone with an RDMA device. */
static void add(TCase *tc, const TTest *test)
{
	tcase_add_loop_test(tc, test, daemon_uses_rdma() ? 1 : 0, FABRICS);
}

Suite *test_suite(const char **why)
{
	Suite *suite = suite_create("server: overload");
	TCase *tc = tcase_create("overload");

	tcase_set_timeout(tc, 120);
	add(tc, past_its_deadline_nothing_is_worked_on);
	add(tc, while_another_waits_a_search_is_left_to_who_can_read);
	add(tc, who_sends_more_writes_than_may_wait_is_told_to_come_back);
	add(tc, a_server_that_ends_answers_for_what_it_has_applied);
	add(tc, a_server_that_ends_refuses_what_takes_too_long);
	suite_add_tcase(suite, tc);
	return suite;
}
