/* SPDX-License-Identifier: BSD-2-Clause */

/* How links begin and end, on every fabric: hellos, answers, refusals, those
 * who are slow or speak nonsense, and that each end notices when the other has
 * gone, however it went.  FABRIC is the one that this program tests. */

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/random.h"
#include "fabric/lobby.h"
#include "tests/fabric/pair.h"

static struct place place;

static void set_up(void)
{
	place_open(&place, FABRIC);
}

static void tear_down(void)
{
	place_close(&place);
}

/* A bare socket that is connected to the place and says nothing. */
static int bare_socket(void)
{
	union {
		struct sockaddr any;
		struct sockaddr_un local;
		struct sockaddr_in net;
	} to = {0};
	const char *address = place_address(&place);
	socklen_t size = sizeof(to.local);

	to.local.sun_family = AF_UNIX;
	if (strcmp(FABRIC, "shm")) {
		to.net.sin_family = AF_INET;
		to.net.sin_port =
			htons((uint16_t)atoi(strrchr(address, ':') + 1));
		to.net.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		size = sizeof(to.net);
	} else {
		strcpy(to.local.sun_path, place.path);
	}
	int fd = socket(to.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	MUST(fd >= 0);
	MUST(!connect(fd, &to.any, size));
	return fd;
}

static const struct fabric_ask good_ask = {
	.magic = FABRIC_MAGIC,
	.version = FABRIC_VERSION,
	.inbox_size = TEST_INBOX_CLIENT,
};

static void say(int fd, const void *bytes, size_t size)
{
	MUST(send(fd, bytes, size, MSG_NOSIGNAL) == (ssize_t)size);
}

/* Whether the socket's other end hangs up, after at most one reply. */
static bool hangs_up(int fd)
{
	const struct timeval patience = {.tv_sec = TEST_PATIENCE_MS / 1000};
	char bytes[sizeof(struct fabric_reply)];
	ssize_t size;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	do {
		size = recv(fd, bytes, sizeof(bytes), 0);
	} while (size > 0);
	return size == 0 || errno == ECONNRESET;
}

/* Lets the listener work until a socket has been hung up on. */
static bool listener_hangs_up(int fd)
{
	uint64_t deadline = clock_now_ns() + TEST_PATIENCE_NS;
	struct pollfd gone = {fd, POLLIN, 0};
	uint8_t hello[FABRIC_HELLO_SIZE];
	struct fabric_link *link;

	while (clock_now_ns() < deadline) {
		MUST(fabric_listener_next(place.listener, &link, hello) ==
		     ERR_AGAIN);
		if (poll(&gone, 1, 1) > 0)
			return hangs_up(fd);
	}
	return false;
}

/* --- Hello -------------------------------------------------------------- */

START_TEST(hello_and_answer_are_told)
{
	const uint8_t answer[FABRIC_HELLO_SIZE] = "welcome";
	uint8_t hello[FABRIC_HELLO_SIZE];
	struct dial dial;

	dial_init(&dial, place_address(&place));
	memset(dial.hello, 0xa5, sizeof(dial.hello));
	dial_begin(&dial);
	struct fabric_link *server = await_client(&place, hello);
	ck_assert_mem_eq(hello, dial.hello, sizeof(hello));
	ck_assert_int_eq(fabric_accept(server, answer), 0);
	ck_assert_int_eq(dial_end(&dial), 0);
	ck_assert_mem_eq(dial.answer, answer, sizeof(answer));
	fabric_close(dial.link);
	fabric_close(server);
}
END_TEST

START_TEST(a_refusal_carries_its_answer)
{
	const uint8_t answer[FABRIC_HELLO_SIZE] = "go away";
	uint8_t hello[FABRIC_HELLO_SIZE];
	struct dial dial;

	dial_init(&dial, place_address(&place));
	dial_begin(&dial);
	fabric_refuse(await_client(&place, hello), answer);
	ck_assert_int_eq(dial_end(&dial), ERR_PROTOCOL);
	ck_assert_mem_eq(dial.answer, answer, sizeof(answer));
	ck_assert_ptr_nonnull(strstr(dial.text, "refused"));
}
END_TEST

START_TEST(no_client_is_no_event)
{
	uint8_t hello[FABRIC_HELLO_SIZE];
	struct fabric_link *link;

	ck_assert_int_eq(fabric_listener_next(place.listener, &link, hello),
			 ERR_AGAIN);
}
END_TEST

START_TEST(a_hello_may_come_byte_by_byte)
{
	uint8_t hello[FABRIC_HELLO_SIZE];
	struct fabric_link *link;
	int fd = bare_socket();

	for (size_t i = 0; i < sizeof(good_ask); i++) {
		ck_assert_int_eq(
			fabric_listener_next(place.listener, &link, hello),
			ERR_AGAIN);
		say(fd, (const char *)&good_ask + i, 1);
	}
	fabric_close(await_client(&place, hello));
	ck_assert(hangs_up(fd));
	close(fd);
}
END_TEST

START_TEST(who_is_slow_to_say_hello_holds_up_nobody)
{
	struct fabric_link *server, *client;
	int slow[100];

	for (int i = 0; i < 100; i++) {
		slow[i] = bare_socket();
		say(slow[i], &good_ask, (size_t)(i % 60));
	}
	connect_pair(&place, &server, &client);
	fabric_close(client);
	fabric_close(server);
	for (int i = 0; i < 100; i++)
		close(slow[i]);
}
END_TEST

/* Not all places are free before the first have been turned out. */
START_TEST(more_slow_ones_than_there_are_places_are_turned_out)
{
	enum { SLOW_COUNT = FABRIC_LOBBY_GUESTS + 50 };
	struct fabric_link *server, *client;
	int slow[SLOW_COUNT];

	int before = count_fds();
	for (int i = 0; i < SLOW_COUNT; i++)
		slow[i] = bare_socket();
	connect_pair(&place, &server, &client);
	for (int i = 0; i < SLOW_COUNT; i++)
		ck_assert(listener_hangs_up(slow[i]));
	fabric_close(client);
	fabric_close(server);
	for (int i = 0; i < SLOW_COUNT; i++)
		close(slow[i]);
	ck_assert_int_eq(count_fds(), before);
}
END_TEST

static void check_turned_out(const void *bytes, size_t size)
{
	int fd = bare_socket();
	say(fd, bytes, size);
	shutdown(fd, SHUT_WR);
	ck_assert(listener_hangs_up(fd));
	close(fd);
}

START_TEST(who_says_a_wrong_hello_is_turned_out)
{
	struct fabric_ask ask = good_ask;
	struct fabric_link *server, *client;
	uint64_t garbage[64];
	struct random random;

	random_seed(&random, 2);
	check_turned_out(NULL, 0);
	check_turned_out(&ask, sizeof(ask) - 1);
	ask.magic++;
	check_turned_out(&ask, sizeof(ask));
	ask = good_ask;
	ask.version++;
	check_turned_out(&ask, sizeof(ask));
	ask = good_ask;
	ask.inbox_size = FABRIC_INBOX_MIN - 1;
	check_turned_out(&ask, sizeof(ask));
	ask.inbox_size = FABRIC_INBOX_MAX + 1;
	check_turned_out(&ask, sizeof(ask));
	for (int round = 0; round < 50; round++) {
		for (int i = 0; i < 64; i++)
			garbage[i] = random_next(&random);
		check_turned_out(garbage, 1 + random_below(&random, 512));
	}
	connect_pair(&place, &server, &client);
	fabric_close(client);
	fabric_close(server);
}
END_TEST

START_TEST(another_version_is_told_by_a_refusal)
{
	struct fabric_ask ask = good_ask;
	struct fabric_reply reply = {0};
	uint8_t hello[FABRIC_HELLO_SIZE];
	struct fabric_link *link;

	int fd = bare_socket();
	ask.version = FABRIC_VERSION + 1;
	say(fd, &ask, sizeof(ask));
	while (recv(fd, &reply, sizeof(reply), MSG_DONTWAIT) < 0)
		fabric_listener_next(place.listener, &link, hello);
	ck_assert_uint_eq(reply.magic, FABRIC_MAGIC);
	ck_assert_uint_eq(reply.version, FABRIC_VERSION);
	ck_assert_uint_eq(reply.accepted, 0);
	close(fd);
}
END_TEST

/* --- Nobody there ------------------------------------------------------- */

static int try_connect_with(const char *address, uint32_t inbox_size,
			    uint64_t timeout_ns)
{
	const struct fabric_connect_options options = {
		.inbox_size = inbox_size,
		.timeout_ns = timeout_ns,
	};
	uint8_t hello[FABRIC_HELLO_SIZE] = {0}, answer[FABRIC_HELLO_SIZE];
	struct fabric_link *link;

	return fabric_connect(address, hello, &options, answer, &link);
}

static int try_connect(const char *address, uint64_t timeout_ns)
{
	return try_connect_with(address, TEST_INBOX_CLIENT, timeout_ns);
}

START_TEST(connecting_where_nobody_listens_says_so)
{
	char address[128];

	strcpy(address, place_address(&place));
	fabric_listener_close(place.listener);
	place.listener = NULL;
	ck_assert_int_eq(try_connect(address, NS_PER_S), ERR_NOT_FOUND);
	ck_assert_ptr_nonnull(strstr(err_text(), "no server at "));
	ck_assert_ptr_nonnull(strstr(err_text(), address));
}
END_TEST

START_TEST(a_server_that_does_not_answer_is_waited_for_until_the_timeout)
{
	const char *address = place_address(&place);

	ck_assert_int_eq(try_connect(address, 50 * NS_PER_MS), ERR_CONNECTION);
	ck_assert_ptr_nonnull(strstr(err_text(), "no answer from"));
	ck_assert_int_eq(try_connect(address, 0), ERR_CONNECTION);
}
END_TEST

START_TEST(an_inbox_of_a_size_that_cannot_be_is_refused)
{
	struct fabric_listen_options options = {.inbox_size = 100};
	struct fabric_listener *listener;

	ck_assert_int_eq(try_connect_with(place_address(&place),
					  FABRIC_INBOX_MIN - 1, NS_PER_S),
			 ERR_USAGE);
	ck_assert_int_eq(try_connect_with(place_address(&place),
					  FABRIC_INBOX_MAX + 1U, NS_PER_S),
			 ERR_USAGE);
	ck_assert_int_eq(fabric_listen(place.address, &options, &listener),
			 ERR_USAGE);
}
END_TEST

START_TEST(an_address_that_is_listened_at_is_busy)
{
	const struct fabric_listen_options options = {
		.inbox_size = TEST_INBOX_SERVER,
		.socket_mode = 0600,
	};
	struct fabric_link *server, *client;
	struct fabric_listener *other;

	int error = fabric_listen(place_address(&place), &options, &other);
	ck_assert_int_eq(error, ERR_BUSY);
	ck_assert_ptr_nonnull(strstr(err_text(), "address in use"));
	connect_pair(&place, &server, &client);
	fabric_close(client);
	fabric_close(server);
}
END_TEST

START_TEST(an_address_is_free_again_after_closing)
{
	struct fabric_link *server, *client;

	for (int i = 0; i < 3; i++) {
		connect_pair(&place, &server, &client);
		strcpy(place.address, place_address(&place));
		fabric_listener_close(place.listener);
		/* Links live on. */
		ck_assert_int_eq(fabric_write(client, 0, "x", 1, 5), 0);
		ck_assert_uint_eq(await_immediate(server), 5);
		/* The end that closes first keeps the address for a while. */
		fabric_close(server);
		fabric_close(client);
		place_listen(&place);
	}
}
END_TEST

/* --- Closing ------------------------------------------------------------ */

static void check_gone(struct fabric_link *link, bool sleeping)
{
	struct fabric_event event;

	int count = sleeping ? sleep_for_event(link, &event)
			     : spin_for_event(link, &event);
	ck_assert_int_eq(count, ERR_CONNECTION);
	/* It stays so. */
	ck_assert_int_eq(fabric_poll(link, &event, 1), ERR_CONNECTION);
}

START_TEST(closing_is_noticed_by_the_other_end)
{
	bool by_server = _i & 1, sleeping = _i & 2;
	struct fabric_link *server, *client;

	connect_pair(&place, &server, &client);
	fabric_close(by_server ? server : client);
	check_gone(by_server ? client : server, sleeping);
	fabric_close(by_server ? client : server);
}
END_TEST

static void *close_later(void *link)
{
	const struct timespec pause = {.tv_nsec = 20 * NS_PER_MS};

	nanosleep(&pause, NULL);
	fabric_close(link);
	return NULL;
}

START_TEST(closing_is_noticed_by_who_waits_already)
{
	bool by_server = _i & 1, sleeping = _i & 2;
	struct fabric_link *server, *client;
	pthread_t thread;

	connect_pair(&place, &server, &client);
	pthread_create(&thread, NULL, close_later, by_server ? server : client);
	check_gone(by_server ? client : server, sleeping);
	pthread_join(thread, NULL);
	fabric_close(by_server ? client : server);
}
END_TEST

START_TEST(what_was_announced_before_closing_is_still_polled)
{
	bool by_server = _i & 1, sleeping = _i & 2;
	struct fabric_link *ends[2];

	connect_pair(&place, &ends[0], &ends[1]);
	struct fabric_link *closing = ends[!by_server];
	struct fabric_link *other = ends[by_server];
	for (uint32_t i = 0; i < 100; i++)
		ck_assert_int_eq(fabric_write(closing, 8 * i, &i, 4, i), 0);
	fabric_close(closing);
	for (uint32_t i = 0; i < 100; i++)
		ck_assert_uint_eq(await_immediate(other), i);
	check_gone(other, sleeping);
	fabric_close(other);
}
END_TEST

START_TEST(a_client_that_leaves_before_it_is_accepted_is_noticed)
{
	uint8_t hello[FABRIC_HELLO_SIZE];

	int fd = bare_socket();
	say(fd, &good_ask, sizeof(good_ask));
	struct fabric_link *server = await_client(&place, hello);
	close(fd);
	if (!fabric_accept(server, hello))
		check_gone(server, _i);
	fabric_close(server);
}
END_TEST

START_TEST(a_server_that_closes_instead_of_accepting_is_noticed)
{
	uint8_t hello[FABRIC_HELLO_SIZE];
	struct dial dial;

	dial_init(&dial, place_address(&place));
	dial_begin(&dial);
	fabric_close(await_client(&place, hello));
	ck_assert_int_eq(dial_end(&dial), ERR_CONNECTION);
}
END_TEST

START_TEST(a_listener_that_closes_takes_those_who_wait_along)
{
	struct dial dial;

	dial_init(&dial, place_address(&place));
	dial_begin(&dial);
	struct pollfd ready = {fabric_listener_fd(place.listener), POLLIN, 0};
	ck_assert_int_eq(poll(&ready, 1, TEST_PATIENCE_MS), 1);
	fabric_listener_close(place.listener);
	place.listener = NULL;
	ck_assert_int_eq(dial_end(&dial), ERR_CONNECTION);
}
END_TEST

/* An emulated device takes half a second for each. */
enum { CONNECTIONS = sizeof(FABRIC) == sizeof("verbs") ? 20 : 500 };

START_TEST(nothing_is_left_open_after_many_connections)
{
	struct fabric_link *server, *client;

	/* What the first one opens for good: a device. */
	connect_pair(&place, &server, &client);
	fabric_close(client);
	fabric_close(server);
	int before = count_fds();
	for (int i = 0; i < CONNECTIONS; i++) {
		connect_pair(&place, &server, &client);
		fabric_close(i & 1 ? client : server);
		fabric_close(i & 1 ? server : client);
	}
	ck_assert_int_eq(count_fds(), before);
}
END_TEST

/* --- Killed ------------------------------------------------------------- */

/* A device that was opened is of no use to a child process, so children start
 * before anything listens. */
static void prepare(void)
{
	place_prepare(&place, FABRIC);
}

/* Parent and child tell each other lines: an address, or just that they are
 * there. */
static int to_parent[2], to_child[2];

static void tell(const int to[2], const char *line)
{
	MUST(write(to[1], line, strlen(line) + 1) > 0);
}

static void listen_to(const int from[2], char line[128])
{
	MUST(read(from[0], line, 128) > 0);
}

static pid_t start_talking_child(void (*run)(void *))
{
	MUST(!pipe(to_parent) && !pipe(to_child));
	return start_child(run, NULL);
}

static void client_process(void *argument)
{
	char address[128];
	struct dial dial;

	(void)argument;
	listen_to(to_child, address);
	dial_init(&dial, address);
	dial_begin(&dial);
	MUST(!dial_end(&dial));
	for (uint32_t i = 0; i < 3; i++)
		MUST(!fabric_write(dial.link, 0, &i, sizeof(i), i));
	tell(to_parent, "connected");
}

START_TEST(a_killed_client_is_noticed)
{
	uint8_t hello[FABRIC_HELLO_SIZE];
	char line[128];

	pid_t child = start_talking_child(client_process);
	place_listen(&place);
	tell(to_child, place_address(&place));
	struct fabric_link *server = await_client(&place, hello);
	MUST(!fabric_accept(server, hello));
	listen_to(to_parent, line);
	for (uint32_t i = 0; i < 3; i++)
		ck_assert_uint_eq(await_immediate(server), i);
	kill_child(child);
	check_gone(server, _i);
	fabric_close(server);
}
END_TEST

static void server_process(void *argument)
{
	uint8_t hello[FABRIC_HELLO_SIZE];

	(void)argument;
	place_listen(&place);
	tell(to_parent, place_address(&place));
	struct fabric_link *server = await_client(&place, hello);
	MUST(!fabric_accept(server, hello));
	for (uint32_t i = 0; i < 3; i++)
		MUST(!fabric_write(server, 0, &i, sizeof(i), i));
	tell(to_parent, "accepted");
}

START_TEST(a_killed_server_is_noticed)
{
	char address[128], line[128];
	struct dial dial;

	pid_t child = start_talking_child(server_process);
	listen_to(to_parent, address);
	dial_init(&dial, address);
	dial_begin(&dial);
	ck_assert_int_eq(dial_end(&dial), 0);
	listen_to(to_parent, line);
	for (uint32_t i = 0; i < 3; i++)
		ck_assert_uint_eq(await_immediate(dial.link), i);
	kill_child(child);
	check_gone(dial.link, _i);
	fabric_close(dial.link);
	/* What it left is replaced. */
	place_listen(&place);
}
END_TEST

/* What clients do that have a bare socket and no manners. */
static void add_tests_of_sockets(TCase *tests)
{
	tcase_add_test(tests, a_hello_may_come_byte_by_byte);
	tcase_add_test(tests, who_is_slow_to_say_hello_holds_up_nobody);
	tcase_add_test(tests,
		       more_slow_ones_than_there_are_places_are_turned_out);
	tcase_add_test(tests, who_says_a_wrong_hello_is_turned_out);
	tcase_add_test(tests, another_version_is_told_by_a_refusal);
	tcase_add_loop_test(
		tests, a_client_that_leaves_before_it_is_accepted_is_noticed, 0,
		2);
}

Suite *test_suite(const char **why)
{
	*why = why_no_fabric(FABRIC);
	if (*why)
		return NULL;
	Suite *suite = suite_create("connections of " FABRIC);
	TCase *tests = tcase_create("connect");
	TCase *killed = tcase_create("killed");

	tcase_add_checked_fixture(tests, set_up, tear_down);
	tcase_set_timeout(tests, 120);
	tcase_add_test(tests, hello_and_answer_are_told);
	tcase_add_test(tests, a_refusal_carries_its_answer);
	tcase_add_test(tests, no_client_is_no_event);
	if (strcmp(FABRIC, "verbs"))
		add_tests_of_sockets(tests);
	tcase_add_test(tests, connecting_where_nobody_listens_says_so);
	tcase_add_test(
		tests,
		a_server_that_does_not_answer_is_waited_for_until_the_timeout);
	tcase_add_test(tests, an_inbox_of_a_size_that_cannot_be_is_refused);
	tcase_add_test(tests, an_address_that_is_listened_at_is_busy);
	tcase_add_test(tests, an_address_is_free_again_after_closing);
	tcase_add_loop_test(tests, closing_is_noticed_by_the_other_end, 0, 4);
	tcase_add_loop_test(tests, closing_is_noticed_by_who_waits_already, 0,
			    4);
	tcase_add_loop_test(
		tests, what_was_announced_before_closing_is_still_polled, 0, 4);
	tcase_add_test(tests,
		       a_server_that_closes_instead_of_accepting_is_noticed);
	tcase_add_test(tests,
		       a_listener_that_closes_takes_those_who_wait_along);
	tcase_add_test(tests, nothing_is_left_open_after_many_connections);
	suite_add_tcase(suite, tests);
	tcase_add_checked_fixture(killed, prepare, tear_down);
	tcase_set_timeout(killed, 120);
	tcase_add_loop_test(killed, a_killed_client_is_noticed, 0, 2);
	tcase_add_loop_test(killed, a_killed_server_is_noticed, 0, 2);
	suite_add_tcase(suite, killed);
	return suite;
}
