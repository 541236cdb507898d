/* SPDX-License-Identifier: BSD-2-Clause */

/* The faulty fabric has the faults that it is there for: READs come torn into
 * lines, words and bytes, lists out of order, announcements late, and links
 * break when asked to; and what it carries is right in the end. */

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "tests/fabric/pair.h"

static struct place place;
static struct fabric_link *server, *client;

static void set_up(void)
{
	place_open(&place, "faulty:shm");
	connect_pair(&place, &server, &client);
}

static void tear_down(void)
{
	fabric_close(client);
	fabric_close(server);
	place_close(&place);
}

START_TEST(what_nobody_writes_is_read_as_it_is)
{
	uint8_t bytes[4096];
	struct fabric_event event;

	for (uint32_t size = 0; size < sizeof(bytes); size += 37) {
		const struct fabric_read reads[] = {
			{size, bytes, size / 2},
			{7, bytes + size / 2, size - size / 2},
		};
		ck_assert_int_eq(fabric_read(client, reads, 2, size), 0);
		ck_assert_int_eq(sleep_for_event(client, &event), 1);
		ck_assert_int_eq(event.kind, FABRIC_READ);
		ck_assert_uint_eq(event.cookie, size);
		ck_assert_mem_eq(bytes, place.memory + size, size / 2);
		ck_assert_mem_eq(bytes + size / 2, place.memory + 7,
				 size - size / 2);
	}
}
END_TEST

/* The smallest run of bytes that are all old or all new. */
static size_t shortest_run(const uint8_t *bytes, size_t size)
{
	size_t shortest = size, run = 1;

	for (size_t i = 1; i < size; i++, run++)
		if (bytes[i] != bytes[i - 1]) {
			shortest = run < shortest ? run : shortest;
			run = 0;
		}
	return shortest;
}

/* The region changes between two polls; what is old and what is new in a READ
 * tells where it was torn. */
START_TEST(reads_are_torn_into_lines_words_and_bytes)
{
	bool whole = false, lines = false, words = false, bytes = false;
	uint8_t got[1024];
	struct fabric_event event;

	for (int i = 0; i < 4000; i++) {
		const struct fabric_read read = {4096, got, sizeof(got)};
		memset(place.memory + 4096, 0, sizeof(got));
		ck_assert_int_eq(fabric_read(client, &read, 1, 0), 0);
		int count = fabric_poll(client, &event, 1);
		memset(place.memory + 4096, 1, sizeof(got));
		if (!count)
			ck_assert_int_eq(spin_for_event(client, &event), 1);
		size_t run = shortest_run(got, sizeof(got));
		whole |= run == sizeof(got);
		lines |= run % 64 == 0 && run < sizeof(got);
		words |= run % 8 == 0 && run < 64;
		bytes |= run < 8;
	}
	ck_assert(whole && lines && words && bytes);
}
END_TEST

START_TEST(lists_are_done_in_another_order)
{
	struct fabric_event event;
	uint8_t bytes[4][256];
	bool reordered = false;

	for (int round = 0; round < 200; round++) {
		for (uint64_t i = 0; i < 4; i++) {
			const struct fabric_read read = {0, bytes[i], 256};
			ck_assert_int_eq(fabric_read(client, &read, 1, i), 0);
		}
		unsigned seen = 0;
		for (uint64_t i = 0; i < 4; i++) {
			ck_assert_int_eq(spin_for_event(client, &event), 1);
			reordered |= event.cookie != i;
			seen |= 1u << event.cookie;
		}
		ck_assert_uint_eq(seen, 15);
	}
	ck_assert(reordered);
}
END_TEST

START_TEST(announcements_come_late_but_in_order)
{
	struct fabric_event event;
	int late = 0;

	for (uint32_t i = 0; i < 1000; i++) {
		ck_assert_int_eq(fabric_write(server, 0, &i, 4, i), 0);
		int count = fabric_poll(client, &event, 1);
		late += count == 0;
		if (!count)
			ck_assert_int_eq(sleep_for_event(client, &event), 1);
		ck_assert_uint_eq(event.immediate, i);
	}
	ck_assert_int_gt(late, 0);
}
END_TEST

START_TEST(a_link_breaks_when_asked_to)
{
	char address[sizeof(place.client_address) + 8];
	uint8_t hello[FABRIC_HELLO_SIZE] = {0};
	struct fabric_link *other;
	struct dial dial;
	int error = 0, writes = 0;

	snprintf(address, sizeof(address), "faulty:1:50:%s",
		 fabric_listener_address(place.listener));
	dial_init(&dial, address);
	dial_begin(&dial);
	other = await_client(&place, hello);
	ck_assert_int_eq(fabric_accept(other, hello), 0);
	ck_assert_msg(!dial_end(&dial), "%s", dial.text);
	for (; !error && writes < 10000; writes++)
		error = fabric_write_silently(dial.link, 0, "x", 1);
	ck_assert_int_eq(error, ERR_CONNECTION);
	ck_assert_int_gt(writes, 1);
	/* For good. */
	ck_assert_int_eq(fabric_write(dial.link, 0, "x", 1, 0), ERR_CONNECTION);
	fabric_close(dial.link);
	fabric_close(other);
}
END_TEST

/* By an even seed the message is lost, by an odd one it arrives. */
START_TEST(a_link_breaks_at_the_message_that_is_named)
{
	char address[sizeof(place.client_address) + 8];
	uint8_t hello[FABRIC_HELLO_SIZE] = {0};
	struct fabric_event events[8];
	struct dial dial;
	int came = 0, count = 0;

	snprintf(address, sizeof(address), "faulty:%d:@3:%s", _i,
		 fabric_listener_address(place.listener));
	dial_init(&dial, address);
	dial_begin(&dial);
	struct fabric_link *other = await_client(&place, hello);
	ck_assert_int_eq(fabric_accept(other, hello), 0);
	ck_assert_msg(!dial_end(&dial), "%s", dial.text);
	ck_assert_int_eq(fabric_write(dial.link, 0, "x", 1, 1), 0);
	ck_assert_int_eq(fabric_write(dial.link, 0, "x", 1, 2), 0);
	ck_assert_int_eq(fabric_write(dial.link, 0, "x", 1, 3), ERR_CONNECTION);
	ck_assert_int_eq(fabric_write(dial.link, 0, "x", 1, 4), ERR_CONNECTION);
	fabric_close(dial.link);
	while ((came = fabric_poll(other, events, 8)) >= 0)
		count += came;
	ck_assert_int_eq(count, 2 + _i);
	fabric_close(other);
}
END_TEST

START_TEST(a_bad_address_is_refused)
{
	const struct fabric_connect_options connecting = {
		.inbox_size = FABRIC_INBOX_MIN,
		.timeout_ns = 0,
	};
	static const char *const bad[] = {"faulty:",
					  "faulty:1",
					  "faulty:1:",
					  "faulty:x:shm:///a",
					  "faulty:1:2:3:shm:///a",
					  "faulty:1:@:shm:///a",
					  "faulty:@1:shm:///a"};
	const struct fabric_listen_options options = {
		.inbox_size = FABRIC_INBOX_MIN,
	};
	uint8_t hello[FABRIC_HELLO_SIZE] = {0};
	struct fabric_listener *listener;
	struct fabric_link *link;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_int_eq(fabric_connect(bad[i], hello, &connecting,
						hello, &link),
				 ERR_USAGE);
	ck_assert_int_eq(
		fabric_listen("faulty:1:shm:///tmp/a", &options, &listener),
		ERR_USAGE);
}
END_TEST

Suite *test_suite(const char **why)
{
	Suite *suite = suite_create("faulty");
	TCase *tests = tcase_create("faulty");

	(void)why;
	tcase_add_checked_fixture(tests, set_up, tear_down);
	tcase_set_timeout(tests, 120);
	tcase_add_test(tests, what_nobody_writes_is_read_as_it_is);
	tcase_add_test(tests, reads_are_torn_into_lines_words_and_bytes);
	tcase_add_test(tests, lists_are_done_in_another_order);
	tcase_add_test(tests, announcements_come_late_but_in_order);
	tcase_add_test(tests, a_link_breaks_when_asked_to);
	tcase_add_loop_test(tests, a_link_breaks_at_the_message_that_is_named,
			    0, 2);
	tcase_add_test(tests, a_bad_address_is_refused);
	suite_add_tcase(suite, tests);
	return suite;
}
