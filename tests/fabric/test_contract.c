/* SPDX-License-Identifier: BSD-2-Clause */

/* What every fabric promises about WRITEs, polling and sleeping, whatever
 * carries them.  FABRIC is the one that this program tests. */

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/random.h"
#include "tests/fabric/pair.h"

/* By an emulated device all takes longer.  No other fabric's name is as long.
 */
enum {
	OVER_VERBS = sizeof(FABRIC) == sizeof("verbs") ||
		     sizeof(FABRIC) == sizeof("faulty:verbs"),
};

static struct place place;
static struct fabric_link *server, *client;

static void set_up(void)
{
	place_open(&place, FABRIC);
	connect_pair(&place, &server, &client);
}

static void tear_down(void)
{
	fabric_close(client);
	fabric_close(server);
	place_close(&place);
}

static const uint8_t *inbox_of(const struct fabric_link *link)
{
	uint32_t size;
	return fabric_inbox(link, &size);
}

static void write_ok(struct fabric_link *link, uint32_t offset,
		     const void *bytes, uint32_t size, uint32_t immediate)
{
	int error = fabric_write(link, offset, bytes, size, immediate);
	ck_assert_msg(!error, "%s", err_text());
}

START_TEST(both_ends_know_the_fabric_and_the_inboxes)
{
	uint32_t size;

	ck_assert_str_eq(fabric_link_name(server), place.carrier);
	ck_assert_str_eq(fabric_link_name(client),
			 place.is_faulty ? "faulty" : FABRIC);
	ck_assert_ptr_nonnull(fabric_inbox(server, &size));
	ck_assert_uint_eq(size, TEST_INBOX_SERVER);
	ck_assert_uint_eq(fabric_peer_inbox_size(client), TEST_INBOX_SERVER);
	ck_assert_ptr_nonnull(fabric_inbox(client, &size));
	ck_assert_uint_eq(size, TEST_INBOX_CLIENT);
	ck_assert_uint_eq(fabric_peer_inbox_size(server), TEST_INBOX_CLIENT);
}
END_TEST

/* --- WRITEs ------------------------------------------------------------- */

static void check_write(struct fabric_link *from, struct fabric_link *to,
			uint32_t offset, uint32_t size, uint8_t *expected,
			uint8_t fill)
{
	uint32_t inbox_size;
	const void *inbox = fabric_inbox(to, &inbox_size);

	memset(expected + offset, fill, size);
	write_ok(from, offset, expected + offset, size, offset ^ size);
	ck_assert_uint_eq(await_immediate(to), offset ^ size);
	ck_assert_mem_eq(inbox, expected, inbox_size);
}

static void check_writes(struct fabric_link *from, struct fabric_link *to)
{
	static const uint32_t sizes[] = {0,  1,	 2,   3,    7,	  8,	  63,
					 64, 65, 255, 4095, 4096, 1 << 14};
	uint32_t inbox_size = fabric_peer_inbox_size(from);
	uint8_t *expected = calloc(1, inbox_size);
	uint8_t fill = 1;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		const uint32_t offsets[] = {0, 1, 63, 64,
					    inbox_size - sizes[i]};
		for (size_t j = 0; j < sizeof(offsets) / sizeof(offsets[0]);
		     j++)
			check_write(from, to, offsets[j], sizes[i], expected,
				    fill++);
	}
	check_write(from, to, 0, inbox_size, expected, fill);
	free(expected);
}

START_TEST(writes_of_every_size_reach_every_offset_and_nothing_else)
{
	check_writes(client, server);
	check_writes(server, client);
}
END_TEST

START_TEST(a_write_beyond_the_inbox_is_refused)
{
	static const uint8_t bytes[TEST_INBOX_SERVER + 1];
	uint32_t size = fabric_peer_inbox_size(client);

	ck_assert_int_eq(fabric_write(client, 0, bytes, size + 1, 0),
			 ERR_USAGE);
	ck_assert_int_eq(fabric_write(client, size, bytes, 1, 0), ERR_USAGE);
	ck_assert_int_eq(fabric_write(client, size + 1, NULL, 0, 0), ERR_USAGE);
	ck_assert_int_eq(fabric_write(client, UINT32_MAX, bytes, 2, 0),
			 ERR_USAGE);
	ck_assert_int_eq(fabric_write_silently(client, size - 1, bytes, 2),
			 ERR_USAGE);
	write_ok(client, size, NULL, 0, 77);
	ck_assert_uint_eq(await_immediate(server), 77);
}
END_TEST

START_TEST(announcements_come_in_order_however_many_are_polled_at_a_time)
{
	struct fabric_event events[FABRIC_WRITES_MAX];
	uint32_t next = 0;

	for (uint32_t i = 0; i < FABRIC_WRITES_MAX; i++)
		write_ok(client, 8 * i, &i, sizeof(i), i * 2654435761U);
	for (size_t max = 1; next < FABRIC_WRITES_MAX; max = max % 37 + 3) {
		int count = fabric_poll(server, events, max);
		ck_assert_int_ge(count, 0);
		ck_assert_int_le(count, (int)max);
		for (int i = 0; i < count; i++, next++)
			ck_assert_uint_eq(events[i].immediate,
					  next * 2654435761U);
		if (!count)
			ck_assert(wait_ready(server, TEST_PATIENCE_MS));
	}
	ck_assert_int_eq(fabric_poll(server, events, 1), 0);
}
END_TEST

START_TEST(a_silent_write_is_there_with_the_next_announced_one)
{
	struct fabric_event event;

	ck_assert_int_eq(fabric_write_silently(server, 100, "silent", 7), 0);
	write_ok(server, 200, "loud", 5, 9);
	ck_assert_uint_eq(await_immediate(client), 9);
	ck_assert_str_eq((const char *)inbox_of(client) + 100, "silent");
	ck_assert_str_eq((const char *)inbox_of(client) + 200, "loud");
	ck_assert_int_eq(fabric_poll(client, &event, 1), 0);
}
END_TEST

START_TEST(counters_tell_what_was_written)
{
	const struct fabric_counters *counters = fabric_link_counters(client);

	write_ok(client, 0, "abc", 3, 1);
	ck_assert_int_eq(fabric_write_silently(client, 0, "defgh", 5), 0);
	ck_assert_int_eq(fabric_write(client, 0, NULL, UINT32_MAX, 1),
			 ERR_USAGE);
	ck_assert_uint_eq(counters->writes, 2);
	ck_assert_uint_eq(counters->written_bytes, 8);
	ck_assert_uint_eq(counters->reads, 0);
}
END_TEST

/* --- Bytes before immediate --------------------------------------------- */

enum {
	PIECE_COUNT = OVER_VERBS ? 200 : 3000,
	/* So long that whoever looks too early finds the end missing. */
	PIECE_SIZE = 60 * 1024,
	PIECE_WORDS = PIECE_SIZE / 8,
};

/* Fills a piece with words that only its number gives. */
static void fill_words(uint32_t number, uint64_t words[PIECE_WORDS])
{
	struct random random;

	random_seed(&random, number);
	for (int i = 0; i < PIECE_WORDS; i++)
		words[i] = random_next(&random);
}

/* Looks at the end first, which is written last. */
static bool is_whole(uint32_t number, const uint8_t *piece)
{
	uint64_t expected[PIECE_WORDS], last;

	memcpy(&last, piece + PIECE_SIZE - 8, 8);
	fill_words(number, expected);
	return last == expected[PIECE_WORDS - 1] &&
	       !memcmp(piece, expected, PIECE_SIZE);
}

static void *answer_pieces(void *argument)
{
	struct fabric_link *link = argument;
	const uint8_t *inbox = inbox_of(link);
	struct fabric_event event;

	for (uint32_t i = 0; i < PIECE_COUNT; i++) {
		MUST(spin_for_event(link, &event) == 1);
		MUST(event.immediate == i);
		MUST(is_whole(i, inbox));
		MUST(!fabric_write(link, 0, NULL, 0, i));
	}
	return NULL;
}

/* The receiver does nothing but look while a piece is written. */
START_TEST(bytes_are_there_before_their_immediate)
{
	static uint64_t words[PIECE_WORDS];
	struct fabric_event event;
	pthread_t thread;

	pthread_create(&thread, NULL, answer_pieces, server);
	for (uint32_t i = 0; i < PIECE_COUNT; i++) {
		fill_words(i, words);
		write_ok(client, 0, words, PIECE_SIZE, i);
		MUST(spin_for_event(client, &event) == 1);
		ck_assert_uint_eq(event.immediate, i);
	}
	pthread_join(thread, NULL);
}
END_TEST

/* --- Gathering ---------------------------------------------------------- */

static void expect(uint32_t immediate)
{
	struct fabric_event event;

	ck_assert_int_eq(spin_for_event(server, &event), 1);
	ck_assert_uint_eq(event.immediate, immediate);
}

START_TEST(what_is_gathered_is_posted_at_last)
{
	struct fabric_event event;

	fabric_gather(client);
	write_ok(client, 0, NULL, 0, 1);
	write_ok(client, 0, "bytes", 5, 2);
	ck_assert_int_eq(fabric_flush(client), 0);
	expect(1);
	expect(2);
	ck_assert_int_eq(memcmp(inbox_of(server), "bytes", 5), 0);

	write_ok(client, 0, NULL, 0, 3);
	ck_assert_int_eq(fabric_poll(client, &event, 1), 0);
	expect(3);

	write_ok(client, 0, NULL, 0, 4);
	ck_assert_int_eq(fabric_arm(client), 0);
	expect(4);

	write_ok(client, 0, NULL, 0, 5);
	fabric_close(client);
	client = NULL;
	expect(5);
}
END_TEST

/* Whoever gathers and never looks can't fill its memory. */
START_TEST(no_more_is_gathered_than_a_few_writes)
{
	uint32_t half = TEST_INBOX_SERVER / 2;
	uint8_t *bytes = calloc(1, half);

	fabric_gather(client);
	write_ok(client, 0, bytes, half, 1);
	expect(1);
	free(bytes);
}
END_TEST

/* --- Sleeping ----------------------------------------------------------- */

/* A round trip through an emulated device takes 100 times as long. */
enum { PING_COUNT = OVER_VERBS ? 1000 : 20000 };

static void *pong(void *argument)
{
	struct fabric_link *link = argument;
	struct fabric_event event;

	for (uint32_t i = 0; i < PING_COUNT; i++) {
		MUST(sleep_for_event(link, &event) == 1);
		MUST(event.immediate == i);
		MUST(!fabric_write(link, 0, NULL, 0, i));
	}
	return NULL;
}

START_TEST(who_sleeps_is_always_woken)
{
	pthread_t thread;

	pthread_create(&thread, NULL, pong, server);
	for (uint32_t i = 0; i < PING_COUNT; i++) {
		write_ok(client, 0, NULL, 0, i);
		ck_assert_uint_eq(await_immediate(client), i);
	}
	pthread_join(thread, NULL);
}
END_TEST

/* The one end sleeps between any two events, the other never does, so that
 * announcements meet the sleeper at every point of its falling asleep. */
START_TEST(who_sleeps_is_woken_by_who_spins)
{
	struct fabric_event event;
	struct random random;
	pthread_t thread;

	random_seed(&random, 1);
	pthread_create(&thread, NULL, pong, client);
	for (uint32_t i = 0; i < PING_COUNT; i++) {
		uint64_t pause = random_below(&random, 3000);
		for (volatile uint64_t n = 0; n < pause; n++)
			;
		write_ok(server, 0, NULL, 0, i);
		MUST(spin_for_event(server, &event) == 1);
		ck_assert_uint_eq(event.immediate, i);
	}
	pthread_join(thread, NULL);
}
END_TEST

/* The last look before sleeping may find something that isn't waited for. */
START_TEST(a_wake_up_stays_asked_for_when_the_last_look_finds_something)
{
	struct fabric_event event;

	write_ok(client, 0, NULL, 0, 1);
	ck_assert_int_eq(fabric_arm(server), 0);
	ck_assert_int_eq(spin_for_event(server, &event), 1);
	write_ok(client, 0, NULL, 0, 2);
	ck_assert(wait_ready(server, TEST_PATIENCE_MS));
}
END_TEST

START_TEST(the_descriptor_is_quiet_when_there_is_nothing)
{
	struct fabric_event event;

	for (uint32_t i = 0; i < 10; i++) {
		ck_assert_int_eq(fabric_arm(server), 0);
		ck_assert_int_eq(fabric_poll(server, &event, 1), 0);
		ck_assert(!wait_ready(server, 0));
		write_ok(client, 0, NULL, 0, i);
		ck_assert(wait_ready(server, TEST_PATIENCE_MS));
		ck_assert_int_eq(spin_for_event(server, &event), 1);
	}
}
END_TEST

Suite *test_suite(const char **why)
{
	*why = why_no_fabric(FABRIC);
	if (*why)
		return NULL;
	Suite *suite = suite_create("contract of " FABRIC);
	TCase *tests = tcase_create("contract");

	tcase_add_checked_fixture(tests, set_up, tear_down);
	tcase_set_timeout(tests, 120);
	tcase_add_test(tests, both_ends_know_the_fabric_and_the_inboxes);
	tcase_add_test(
		tests,
		writes_of_every_size_reach_every_offset_and_nothing_else);
	tcase_add_test(tests, a_write_beyond_the_inbox_is_refused);
	tcase_add_test(
		tests,
		announcements_come_in_order_however_many_are_polled_at_a_time);
	tcase_add_test(tests,
		       a_silent_write_is_there_with_the_next_announced_one);
	tcase_add_test(tests, counters_tell_what_was_written);
	tcase_add_test(tests, bytes_are_there_before_their_immediate);
	tcase_add_test(tests, what_is_gathered_is_posted_at_last);
	tcase_add_test(tests, no_more_is_gathered_than_a_few_writes);
	tcase_add_test(tests, who_sleeps_is_always_woken);
	tcase_add_test(tests, who_sleeps_is_woken_by_who_spins);
	tcase_add_test(
		tests,
		a_wake_up_stays_asked_for_when_the_last_look_finds_something);
	tcase_add_test(tests, the_descriptor_is_quiet_when_there_is_nothing);
	suite_add_tcase(suite, tests);
	return suite;
}
