/* SPDX-License-Identifier: BSD-2-Clause */

/* What only tcp does: ports and hosts, frames from a peer that breaks the
 * rules, and peers that don't take what is sent to them. */

#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "base/random.h"
#include "fabric/handshake.h"
#include "tests/fabric/pair.h"

/* As docs/wire-protocol.md draws it. */
struct frame {
	uint32_t size;
	uint32_t offset;
	uint32_t immediate;
	uint32_t flags;
};

static struct place place;
static struct fabric_link *server, *client;
static int bare; /* the socket of a client made by hand */

static void set_up(void)
{
	place_open(&place, "tcp");
	connect_pair(&place, &server, &client);
}

static void tear_down(void)
{
	fabric_close(client);
	fabric_close(server);
	place_close(&place);
}

/* --- Addresses ------------------------------------------------------------ */

static int try_listen(const char *address, struct fabric_listener **listener)
{
	const struct fabric_listen_options options = {
		.inbox_size = TEST_INBOX_SERVER,
	};

	return fabric_listen(address, &options, listener);
}

/* Listens, connects to what the listener says, and closes all; returns whether
 * it was public.  'wanted' is how its address must begin. */
static bool is_public(const char *address, const char *wanted)
{
	int error = try_listen(address, &place.listener);
	ck_assert_msg(!error, "%s: %s", address, err_text());
	const char *given = fabric_listener_address(place.listener);
	ck_assert_msg(!strncmp(given, wanted, strlen(wanted)), "%s", given);
	ck_assert_int_gt(atoi(given + strlen(wanted)), 0);
	bool public = fabric_listener_is_public(place.listener);
	strcpy(place.client_address, given);
	place.client_inbox_size = TEST_INBOX_CLIENT;
	connect_pair(&place, &server, &client);
	fabric_close(client);
	fabric_close(server);
	fabric_listener_close(place.listener);
	return public;
}

static bool has_ipv6(void)
{
	struct fabric_listener *listener;

	if (try_listen("tcp://[::1]:0", &listener))
		return false;
	fabric_listener_close(listener);
	return true;
}

START_TEST(port_0_becomes_a_real_port_and_loopback_is_not_public)
{
	ck_assert(!is_public("tcp://127.0.0.1:0", "tcp://127.0.0.1:"));
	ck_assert(!is_public("tcp://127.1.2.3:0", "tcp://127.1.2.3:"));
	ck_assert(!is_public("tcp://localhost:0", "tcp://localhost:"));
	ck_assert(is_public("tcp://0.0.0.0:0", "tcp://0.0.0.0:"));
	if (!has_ipv6())
		return;
	ck_assert(!is_public("tcp://[::1]:0", "tcp://[::1]:"));
	ck_assert(is_public("tcp://[::]:0", "tcp://[::]:"));
}
END_TEST

START_TEST(a_host_that_is_not_this_machine_cannot_be_listened_at)
{
	struct fabric_listener *listener;

	/* TEST-NET-1: nobody's. */
	ck_assert_int_eq(try_listen("tcp://192.0.2.1:0", &listener), ERR_USAGE);
	ck_assert_int_eq(try_listen("tcp://no.such.host.invalid:1", &listener),
			 ERR_USAGE);
}
END_TEST

START_TEST(a_host_that_is_not_known_is_no_connection)
{
	const struct fabric_connect_options options = {
		.inbox_size = TEST_INBOX_CLIENT,
		.timeout_ns = 1000000000,
	};
	const uint8_t hello[FABRIC_HELLO_SIZE] = {0};
	uint8_t answer[FABRIC_HELLO_SIZE];

	ck_assert_int_eq(fabric_connect("tcp://no.such.host.invalid:1", hello,
					&options, answer, &client),
			 ERR_CONNECTION);
	ck_assert_ptr_nonnull(strstr(err_text(), "no.such.host.invalid"));
}
END_TEST

/* --- No READ ---------------------------------------------------------------
 */

START_TEST(there_is_nothing_to_read)
{
	const struct fabric_read read = {0, NULL, 0};
	uint64_t size;

	ck_assert(!fabric_is_one_sided(client));
	ck_assert(!fabric_is_one_sided(server));
	ck_assert_int_eq(fabric_read(client, &read, 1, 0), ERR_UNSUPPORTED);
	ck_assert_ptr_null(fabric_map(client, &size));
}
END_TEST

/* --- Slow peers ------------------------------------------------------------
 */

/* Sends chunks that their number fills until the peer is said to cheat. */
static uint32_t send_until_refused(uint32_t size)
{
	static uint8_t chunk[TEST_INBOX_CLIENT];
	uint32_t sent = 0;
	int error;

	for (;; sent++) {
		memset(chunk, (int)(sent % 251), size);
		error = fabric_write(server, 0, chunk, size, sent);
		if (error)
			break;
	}
	ck_assert_int_eq(error, ERR_PROTOCOL);
	return sent;
}

START_TEST(who_takes_nothing_is_found_out_and_memory_stays_bounded)
{
	short events;

	fabric_fd(server, &events);
	ck_assert_int_eq(events, POLLIN);
	ck_assert_uint_gt(send_until_refused(4096), 0);
	fabric_fd(server, &events);
	ck_assert_int_eq(events, POLLIN | POLLOUT);
	ck_assert_int_eq(
		fabric_write_silently(server, 0, &place, sizeof(place)),
		ERR_AGAIN);
}
END_TEST

/* While the other end sends kept bytes whenever it can. */
START_TEST(who_takes_it_late_gets_it_whole)
{
	uint32_t sent = send_until_refused(4096);
	struct fabric_event event;
	uint32_t received = 0, size;
	const uint8_t *inbox = fabric_inbox(client, &size);

	while (received < sent) {
		ck_assert_int_eq(fabric_poll(server, &event, 1), 0);
		int count = fabric_poll(client, &event, 1);
		ck_assert_int_ge(count, 0);
		if (!count)
			continue;
		ck_assert_uint_eq(event.immediate, received);
		ck_assert_uint_eq(inbox[0], received % 251);
		ck_assert_uint_eq(inbox[4095], received % 251);
		received++;
	}
	short events;
	fabric_fd(server, &events);
	ck_assert_int_eq(events, POLLIN);
}
END_TEST

/* --- A client that breaks the rules -----------------------------------------
 */

static void set_up_bare(void)
{
	struct sockaddr_in to = {.sin_family = AF_INET};
	const struct fabric_ask ask = {
		.magic = FABRIC_MAGIC,
		.version = FABRIC_VERSION,
		.inbox_size = TEST_INBOX_CLIENT,
	};
	uint8_t hello[FABRIC_HELLO_SIZE];

	place_open(&place, "tcp");
	to.sin_port =
		htons((uint16_t)atoi(strrchr(place_address(&place), ':') + 1));
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	bare = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	MUST(!connect(bare, (const struct sockaddr *)&to, sizeof(to)));
	MUST(send(bare, &ask, sizeof(ask), 0) == sizeof(ask));
	server = await_client(&place, hello);
	ck_assert_int_eq(fabric_accept(server, hello), 0);
}

static void tear_down_bare(void)
{
	close(bare);
	fabric_close(server);
	place_close(&place);
}

static void say(const void *bytes, size_t size)
{
	MUST(send(bare, bytes, size, MSG_NOSIGNAL) == (ssize_t)size);
}

START_TEST(a_frame_may_come_byte_by_byte)
{
	struct {
		struct frame frame;
		char bytes[5];
	} message = {{5, 1000, 42, 1}, "five"};
	struct fabric_event event;
	uint32_t size;

	for (size_t i = 0; i < sizeof(struct frame) + 5; i++) {
		ck_assert_int_eq(fabric_poll(server, &event, 1), 0);
		say((const char *)&message + i, 1);
	}
	ck_assert_int_eq(sleep_for_event(server, &event), 1);
	ck_assert_uint_eq(event.immediate, 42);
	ck_assert_str_eq((const char *)fabric_inbox(server, &size) + 1000,
			 "five");
}
END_TEST

START_TEST(an_impossible_frame_is_an_error)
{
	const struct frame frames[] = {
		{1, TEST_INBOX_SERVER, 0, 1},
		{TEST_INBOX_SERVER + 1, 0, 0, 1},
		{2, TEST_INBOX_SERVER - 1, 0, 0},
		{0, TEST_INBOX_SERVER + 1, 0, 1},
		{UINT32_MAX, 1, 0, 1},
		{1, UINT32_MAX, 0, 1},
		{0, 0, 0, 2},
		{0, 0, 0, 0x80000001},
	};
	struct fabric_event event;

	say(&frames[_i], sizeof(frames[_i]));
	ck_assert_int_eq(sleep_for_event(server, &event), ERR_PROTOCOL);
}
END_TEST

START_TEST(what_came_before_an_impossible_frame_is_polled)
{
	const struct frame frames[] = {
		{0, 0, 7, 1}, {0, 0, 8, 1}, {0, 0, 0, 9}};
	struct fabric_event event;

	say(frames, sizeof(frames));
	ck_assert_uint_eq(await_immediate(server), 7);
	ck_assert_uint_eq(await_immediate(server), 8);
	ck_assert_int_eq(sleep_for_event(server, &event), ERR_PROTOCOL);
}
END_TEST

START_TEST(an_end_in_the_middle_of_a_frame_is_a_lost_connection)
{
	const struct frame frame = {100, 0, 0, 1};
	struct fabric_event event;

	say(&frame, _i ? sizeof(frame) : sizeof(frame) - 1);
	shutdown(bare, SHUT_WR);
	ck_assert_int_eq(sleep_for_event(server, &event), ERR_CONNECTION);
}
END_TEST

START_TEST(garbage_does_no_harm)
{
	uint64_t garbage[512];
	struct fabric_event event;
	struct random random;
	int count;

	random_seed(&random, (uint64_t)_i);
	for (int i = 0; i < 512; i++)
		garbage[i] = random_next(&random) >> random_below(&random, 64);
	say(garbage, sizeof(garbage));
	shutdown(bare, SHUT_WR);
	do {
		count = sleep_for_event(server, &event);
	} while (count > 0);
	ck_assert(count == ERR_PROTOCOL || count == ERR_CONNECTION);
}
END_TEST

Suite *test_suite(const char **why)
{
	Suite *suite = suite_create("tcp");
	TCase *addresses = tcase_create("addresses");
	TCase *pairs = tcase_create("pairs");
	TCase *hostile = tcase_create("hostile client");

	(void)why;
	tcase_add_test(addresses,
		       port_0_becomes_a_real_port_and_loopback_is_not_public);
	tcase_add_test(addresses,
		       a_host_that_is_not_this_machine_cannot_be_listened_at);
	tcase_add_test(addresses, a_host_that_is_not_known_is_no_connection);
	suite_add_tcase(suite, addresses);

	tcase_add_checked_fixture(pairs, set_up, tear_down);
	tcase_add_test(pairs, there_is_nothing_to_read);
	tcase_add_test(pairs,
		       who_takes_nothing_is_found_out_and_memory_stays_bounded);
	tcase_add_test(pairs, who_takes_it_late_gets_it_whole);
	suite_add_tcase(suite, pairs);

	tcase_add_checked_fixture(hostile, set_up_bare, tear_down_bare);
	tcase_add_test(hostile, a_frame_may_come_byte_by_byte);
	tcase_add_loop_test(hostile, an_impossible_frame_is_an_error, 0, 8);
	tcase_add_test(hostile, what_came_before_an_impossible_frame_is_polled);
	tcase_add_loop_test(
		hostile, an_end_in_the_middle_of_a_frame_is_a_lost_connection,
		0, 2);
	tcase_add_loop_test(hostile, garbage_does_no_harm, 0, 30);
	suite_add_tcase(suite, hostile);
	for (TCase **c = (TCase *[]){addresses, pairs, hostile, NULL}; *c; c++)
		tcase_set_timeout(*c, 120);
	return suite;
}
