/* SPDX-License-Identifier: BSD-2-Clause */

/* Messages over rings, on every fabric.  FABRIC is the one that this program
 * tests. */

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/random.h"
#include "fabric/ring.h"
#include "tests/fabric/pair.h"

#define CREDIT(messages, slots)                                                \
	(UINT32_C(0x80000000) | (uint32_t)(messages) << 24 | (uint32_t)(slots))

/* Inboxes of different sizes that are no whole number of slots. */
enum {
	SERVER_INBOX = 4096 + 777,
	CLIENT_INBOX = 12288 + 63,
};

/* One end of the link. */
struct end {
	struct fabric_link *link;
	struct fabric_ring *ring;
	uint8_t *message;
};

static struct place place;
static struct end server, client;

static void open_end(struct end *end, struct fabric_link *link)
{
	end->link = link;
	ck_assert_int_eq(fabric_ring_create(link, &end->ring), 0);
	end->message = malloc(fabric_ring_receive_max(end->ring));
}

static void close_end(struct end *end)
{
	fabric_ring_destroy(end->ring);
	fabric_close(end->link);
	free(end->message);
	*end = (struct end){0};
}

static void set_up(void)
{
	struct fabric_link *server_link, *client_link;

	place_prepare(&place, FABRIC);
	place.server_inbox_size = SERVER_INBOX;
	place.client_inbox_size = CLIENT_INBOX;
	place_listen(&place);
	connect_pair(&place, &server_link, &client_link);
	open_end(&server, server_link);
	open_end(&client, client_link);
}

static void tear_down(void)
{
	close_end(&client);
	close_end(&server);
	place_close(&place);
}

/* --- Messages that their number tells ----------------------------------- */

static uint32_t size_of_message(uint64_t number, uint32_t max)
{
	struct random random;

	random_seed(&random, number);
	/* Often the longest and the shortest. */
	switch (random_below(&random, 8)) {
	case 0:
		return max;
	case 1:
		return 1;
	default:
		return 1 + (uint32_t)random_below(&random, max);
	}
}

static bool can_send(const struct end *end, uint64_t number)
{
	uint32_t max = fabric_ring_send_max(end->ring);
	return fabric_ring_has_room(end->ring, size_of_message(number, max));
}

static void make_message(uint64_t number, uint8_t *message, uint32_t size)
{
	struct random random;

	random_seed(&random, ~number);
	for (uint32_t i = 0; i < size; i += 8) {
		uint64_t word = random_next(&random);
		memcpy(message + i, &word, size - i < 8 ? size - i : 8);
	}
}

static int try_send(struct end *end, uint64_t number)
{
	uint8_t message[CLIENT_INBOX];
	uint32_t size =
		size_of_message(number, fabric_ring_send_max(end->ring));

	make_message(number, message, size);
	return fabric_ring_send(end->ring, message, size);
}

static void check_message(const struct end *end, int64_t size, uint64_t number)
{
	uint8_t expected[CLIENT_INBOX];
	uint32_t wanted =
		size_of_message(number, fabric_ring_receive_max(end->ring));

	MUST(size == (int64_t)wanted);
	make_message(number, expected, wanted);
	MUST(!memcmp(end->message, expected, wanted));
}

/* Sleeps until something has come to this end. */
static void sleep_once(struct end *end)
{
	MUST(!fabric_arm(end->link));
	int came = fabric_ring_poll(end->ring);
	MUST(came >= 0);
	if (!came)
		MUST(wait_ready(end->link, TEST_PATIENCE_MS));
}

static int64_t await_message(struct end *end)
{
	for (;;) {
		int64_t size =
			fabric_ring_receive(end->ring, end->message, NULL);
		if (size)
			return size;
		MUST(!fabric_arm(end->link));
		size = fabric_ring_receive(end->ring, end->message, NULL);
		if (size)
			return size;
		MUST(wait_ready(end->link, TEST_PATIENCE_MS));
	}
}

/* So many of something, or a tenth: an emulated device takes a hundred times as
 * long as shared memory. */
static uint64_t effort(uint64_t count)
{
	if (strcmp(FABRIC, "verbs") || getenv("CATFISH_TEST_LONG"))
		return count;
	return count / 10;
}

/* --- What is promised ---------------------------------------------------- */

START_TEST(messages_of_every_size_arrive)
{
	uint32_t max = fabric_ring_send_max(client.ring);
	uint32_t step = max / (uint32_t)effort(max);
	uint8_t *message = malloc(max);

	for (uint32_t size = 1; size <= max; size += step) {
		make_message(size, message, size);
		ck_assert_int_eq(fabric_ring_send(client.ring, message, size),
				 0);
		ck_assert_int_eq(await_message(&server), size);
		ck_assert_mem_eq(server.message, message, size);
		fabric_ring_poll(client.ring);
	}
	free(message);
}
END_TEST

START_TEST(the_longest_message_is_a_quarter_of_the_ring)
{
	ck_assert_uint_eq(fabric_ring_send_max(client.ring),
			  (SERVER_INBOX - FABRIC_RING_OFFSET) / 64 / 4 * 64);
	ck_assert_uint_eq(fabric_ring_send_max(client.ring),
			  fabric_ring_receive_max(server.ring));
	ck_assert_uint_eq(fabric_ring_send_max(server.ring),
			  fabric_ring_receive_max(client.ring));
}
END_TEST

START_TEST(an_empty_or_too_long_message_is_refused)
{
	static const uint8_t bytes[CLIENT_INBOX];
	uint32_t max = fabric_ring_send_max(client.ring);

	ck_assert_int_eq(fabric_ring_send(client.ring, bytes, 0), ERR_USAGE);
	ck_assert_int_eq(fabric_ring_send(client.ring, bytes, max + 1),
			 ERR_USAGE);
	ck_assert_int_eq(fabric_ring_send(client.ring, bytes, max), 0);
	ck_assert_int_eq(await_message(&server), max);
}
END_TEST

START_TEST(what_is_written_silently_before_the_ring_stays)
{
	uint8_t head[FABRIC_RING_OFFSET];
	uint32_t size;

	memset(head, 0x5a, sizeof(head));
	ck_assert_int_eq(
		fabric_write_silently(client.link, 0, head, sizeof(head)), 0);
	for (uint64_t number = 0; number < 500; number++) {
		ck_assert_int_eq(try_send(&client, number), 0);
		check_message(&server, await_message(&server), number);
		fabric_ring_poll(client.ring);
	}
	ck_assert_mem_eq(fabric_inbox(server.link, &size), head, sizeof(head));
}
END_TEST

/* Sends until there is no room; returns how many were sent. */
static uint64_t fill(struct end *from, uint64_t number)
{
	uint64_t sent = 0;
	int error;

	while (!(error = try_send(from, number + sent)))
		sent++;
	ck_assert_int_eq(error, ERR_AGAIN);
	return sent;
}

START_TEST(a_full_ring_says_so_and_goes_on_once_it_is_drained)
{
	uint64_t sent = 0, received = 0;

	while (received < effort(5000)) {
		sent += fill(&client, sent);
		ck_assert_uint_gt(sent, received);
		while (received < sent) {
			check_message(&server, await_message(&server),
				      received);
			received++;
		}
		while (!fabric_ring_has_room(client.ring, 1))
			sleep_once(&client);
	}
}
END_TEST

START_TEST(there_are_never_more_messages_on_their_way_than_allowed)
{
	int sent = 0;

	while (!fabric_ring_send(server.ring, "x", 1))
		sent++;
	ck_assert_int_eq(sent, FABRIC_MESSAGES_MAX);
	while (sent--)
		ck_assert_int_eq(await_message(&client), 1);
	while (!fabric_ring_has_room(server.ring, 1))
		sleep_once(&server);
}
END_TEST

/* Wherever the ring stands, and though the receiver keeps back what isn't worth
 * a credit yet. */
START_TEST(a_drained_ring_has_room_for_the_longest_message)
{
	uint32_t max = fabric_ring_send_max(client.ring);
	struct random random;
	uint64_t number = 0;

	random_seed(&random, 3);
	for (uint64_t round = 0; round < effort(2000); round++) {
		uint64_t count = 1 + random_below(&random, 5);
		for (; count && !try_send(&client, number); count--) {
			check_message(&server, await_message(&server), number);
			number++;
		}
		while (!fabric_ring_has_room(client.ring, max))
			sleep_once(&client);
	}
}
END_TEST

START_TEST(credit_is_found_behind_messages_that_wait)
{
	uint64_t sent = fill(&client, 0);

	for (uint64_t i = 0; i < 5; i++)
		ck_assert_int_eq(try_send(&server, i), 0);
	for (uint64_t i = 0; i < sent; i++)
		check_message(&server, await_message(&server), i);
	while (try_send(&client, sent) == ERR_AGAIN)
		sleep_once(&client);
	check_message(&server, await_message(&server), sent);
	for (uint64_t i = 0; i < 5; i++)
		check_message(&client, await_message(&client), i);
}
END_TEST

enum { FLOOD_COUNT = 30000 };

/* Sends and receives at a time, as fast as it can, sleeping when it can't. */
static void *flood(void *argument)
{
	struct end *end = argument;
	uint64_t sent = 0, received = 0, count = effort(FLOOD_COUNT);

	while (sent < count || received < count) {
		bool more = sent < count;
		int error = more ? try_send(end, sent) : ERR_AGAIN;
		MUST(!error || error == ERR_AGAIN);
		sent += !error;
		int64_t size =
			fabric_ring_receive(end->ring, end->message, NULL);
		MUST(size >= 0);
		if (size)
			check_message(end, size, received++);
		else if (error && !(more && can_send(end, sent)))
			sleep_once(end);
	}
	return NULL;
}

/* Some 4,000 times around either ring, with all the effort. */
START_TEST(floods_in_both_directions_arrive_whole_and_in_order)
{
	pthread_t thread;

	pthread_create(&thread, NULL, flood, &server);
	flood(&client);
	pthread_join(thread, NULL);
}
END_TEST

START_TEST(messages_sent_before_closing_are_received)
{
	struct end *closing = _i ? &server : &client;
	struct end *other = _i ? &client : &server;
	uint64_t sent = fill(closing, 0);

	close_end(closing);
	for (uint64_t i = 0; i < sent; i++)
		check_message(other, await_message(other), i);
	ck_assert_int_eq(await_message(other), ERR_CONNECTION);
}
END_TEST

/* --- What a peer may not do ---------------------------------------------- */

static void check_protocol_error(struct end *end)
{
	ck_assert_int_eq(await_message(end), ERR_PROTOCOL);
	/* It stays so, whatever else comes. */
	ck_assert_int_eq(fabric_ring_receive(end->ring, end->message, NULL),
			 ERR_PROTOCOL);
	ck_assert_int_eq(fabric_ring_poll(end->ring), ERR_PROTOCOL);
}

START_TEST(a_message_of_impossible_length_is_an_error)
{
	uint32_t max = fabric_ring_receive_max(server.ring);
	const uint32_t lengths[] = {0, max + 1, 0x7fffffff};

	ck_assert_int_eq(fabric_write(client.link, 0, NULL, 0, lengths[_i]), 0);
	check_protocol_error(&server);
}
END_TEST

START_TEST(credit_for_what_was_not_sent_is_an_error)
{
	/* Three messages in three slots were. */
	const uint32_t credits[] = {
		CREDIT(0, 0), CREDIT(0, 1),	     CREDIT(4, 3),
		CREDIT(3, 4), CREDIT(127, 0xffffff), CREDIT(127, 3),
	};

	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(fabric_ring_send(server.ring, "x", 1), 0);
	ck_assert_int_eq(fabric_write(client.link, 0, NULL, 0, credits[_i]), 0);
	check_protocol_error(&server);
}
END_TEST

START_TEST(credit_given_twice_is_an_error)
{
	ck_assert_int_eq(fabric_ring_send(server.ring, "x", 1), 0);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(
			fabric_write(client.link, 0, NULL, 0, CREDIT(1, 1)), 0);
	check_protocol_error(&server);
}
END_TEST

START_TEST(messages_without_credit_are_an_error)
{
	for (int i = 0; i <= FABRIC_MESSAGES_MAX; i++)
		ck_assert_int_eq(fabric_write(client.link, 512, "x", 1, 1), 0);
	int came = 0;
	while (came >= 0) {
		came = fabric_ring_poll(server.ring);
		if (!came)
			MUST(wait_ready(server.link, TEST_PATIENCE_MS));
	}
	ck_assert_int_eq(came, ERR_PROTOCOL);
}
END_TEST

START_TEST(an_error_outlasts_the_messages_before_it)
{
	uint64_t sent = 0;
	int came = 0;

	/* So many that receiving them gives credit back. */
	for (; sent < FABRIC_MESSAGES_MAX / 4; sent++)
		ck_assert_int_eq(fabric_ring_send(client.ring, "x", 1), 0);
	ck_assert_int_eq(fabric_write(client.link, 0, NULL, 0, 0), 0);
	while (came >= 0) {
		came = fabric_ring_poll(server.ring);
		if (!came)
			MUST(wait_ready(server.link, TEST_PATIENCE_MS));
	}
	for (; sent; sent--)
		ck_assert_int_eq(await_message(&server), 1);
	check_protocol_error(&server);
}
END_TEST

START_TEST(random_immediates_do_no_harm)
{
	struct random random;
	int came = 0;

	random_seed(&random, (uint64_t)_i);
	for (int i = 0; i < FABRIC_WRITES_MAX; i++) {
		uint32_t immediate = (uint32_t)random_next(&random) >>
				     random_below(&random, 32);
		ck_assert_int_eq(
			fabric_write(client.link, 0, NULL, 0, immediate), 0);
	}
	while (came >= 0) {
		int64_t size =
			fabric_ring_receive(server.ring, server.message, NULL);
		came = size < 0 ? (int)size : 0;
		if (!size)
			MUST(wait_ready(server.link, TEST_PATIENCE_MS));
	}
	ck_assert_int_eq(came, ERR_PROTOCOL);
}
END_TEST

Suite *test_suite(const char **why)
{
	*why = why_no_fabric(FABRIC);
	if (*why)
		return NULL;
	Suite *suite = suite_create("rings over " FABRIC);
	TCase *tests = tcase_create("ring");

	tcase_add_checked_fixture(tests, set_up, tear_down);
	tcase_set_timeout(tests, 120);
	tcase_add_test(tests, messages_of_every_size_arrive);
	tcase_add_test(tests, the_longest_message_is_a_quarter_of_the_ring);
	tcase_add_test(tests, an_empty_or_too_long_message_is_refused);
	tcase_add_test(tests, what_is_written_silently_before_the_ring_stays);
	tcase_add_test(tests,
		       a_full_ring_says_so_and_goes_on_once_it_is_drained);
	tcase_add_test(tests,
		       there_are_never_more_messages_on_their_way_than_allowed);
	tcase_add_test(tests, a_drained_ring_has_room_for_the_longest_message);
	tcase_add_test(tests, credit_is_found_behind_messages_that_wait);
	tcase_add_test(tests,
		       floods_in_both_directions_arrive_whole_and_in_order);
	tcase_add_loop_test(tests, messages_sent_before_closing_are_received, 0,
			    2);
	tcase_add_loop_test(tests, a_message_of_impossible_length_is_an_error,
			    0, 3);
	tcase_add_loop_test(tests, credit_for_what_was_not_sent_is_an_error, 0,
			    6);
	tcase_add_test(tests, credit_given_twice_is_an_error);
	tcase_add_test(tests, messages_without_credit_are_an_error);
	tcase_add_test(tests, an_error_outlasts_the_messages_before_it);
	tcase_add_loop_test(tests, random_immediates_do_no_harm, 0,
			    (int)effort(20));
	suite_add_tcase(suite, tests);
	return suite;
}
