/* SPDX-License-Identifier: BSD-2-Clause */

/* The verbs fabric when what it calls fails, and when a device reports what
 * soft-RoCE never does; on the fake device of tests/fabric/fake_verbs.h.
 *
 * A session is all that two ends do with each other, from listening to closing.
 * It runs once for every call that either end makes, with that call failing,
 * until there is none left to fail. */

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "fabric/verbs_link.h"
#include "tests/fabric/fake_verbs.h"
#include "tests/fabric/pair.h"

enum { INBOX_SIZE = 8192, REGION_SIZE = 8192, SIDES = 2 };

/* How a session goes. */
static const struct course {
	const char *address;
	bool has_windows;
	bool is_refused;
} courses[] = {
	{"verbs://127.0.0.1:0", true, false},
	{"verbs://0.0.0.0:0", false, false},
	{"verbs://127.0.0.1:0", true, true},
};

enum { COURSES = sizeof(courses) / sizeof(courses[0]) };

/* What became of it. */
struct session {
	const struct course *course;
	struct fabric_listener *listener;
	struct fabric_link *link[SIDES];
	int error[SIDES]; /* the first of each side */
	char text[SIDES][512];
	const char *failed; /* before the ends were closed */
	char address[64];
	int done_fd; /* readable once the client is connected, or isn't */
};

static uint8_t region_memory[REGION_SIZE];
static const struct fabric_region region = {region_memory, REGION_SIZE, -1, 0};

static void note(struct session *s, enum fake_side side, int error)
{
	if (!error || s->error[side])
		return;
	s->error[side] = error;
	snprintf(s->text[side], sizeof(s->text[side]), "%s", err_text());
}

static bool has_failed(const struct session *s)
{
	return s->error[FAKE_SERVER] || s->error[FAKE_CLIENT];
}

/* --- Connecting --------------------------------------------------------- */

static void listen_at(struct session *s)
{
	const struct fabric_listen_options options = {
		.region = &region,
		.inbox_size = INBOX_SIZE,
	};

	fake_be(FAKE_SERVER);
	int error = fabric_listen(s->course->address, &options, &s->listener);
	note(s, FAKE_SERVER, error);
	if (error)
		return;
	/* One may not connect to every address. */
	snprintf(s->address, sizeof(s->address), "verbs://127.0.0.1%s",
		 strrchr(fabric_listener_address(s->listener), ':'));
}

static void *run_client(void *argument)
{
	static const uint8_t hello[FABRIC_HELLO_SIZE] = "hello";
	const struct fabric_connect_options options = {
		.inbox_size = INBOX_SIZE,
		.timeout_ns = TEST_PATIENCE_NS / 3,
	};
	struct session *s = argument;
	uint8_t answer[FABRIC_HELLO_SIZE];

	fake_be(FAKE_CLIENT);
	note(s, FAKE_CLIENT,
	     fabric_connect(s->address, hello, &options, answer,
			    &s->link[FAKE_CLIENT]));
	MUST(!eventfd_write(s->done_fd, 1));
	return NULL;
}

/* Lets the client go to sleep first, so that every session makes the same
 * calls. */
static void await_sleep(const struct session *s)
{
	struct pollfd done = {s->done_fd, POLLIN, 0};

	while (!fake_is_armed(FAKE_CLIENT) && !done.revents)
		poll(&done, 1, 1);
}

static void answer_client(struct session *s, struct fabric_link *link,
			  const uint8_t *hello)
{
	await_sleep(s);
	if (s->course->is_refused) {
		fabric_refuse(link, hello);
		return;
	}
	s->link[FAKE_SERVER] = link;
	note(s, FAKE_SERVER, fabric_accept(link, hello));
}

/* What a server that fails does: it closes the link and goes on. */
static void watch_link(struct session *s)
{
	struct fabric_link *link = s->link[FAKE_SERVER];
	struct fabric_event event;

	if (!link)
		return;
	int error = s->error[FAKE_SERVER];
	if (!error)
		error = fabric_arm(link);
	if (!error)
		error = fabric_poll(link, &event, 1);
	ck_assert_int_le(error, 0);
	if (!error)
		return;
	note(s, FAKE_SERVER, error);
	fabric_close(link);
	s->link[FAKE_SERVER] = NULL;
}

/* Serves until the client has an answer. */
static void serve(struct session *s)
{
	struct pollfd ready[] = {
		{s->done_fd, POLLIN, 0},
		{fabric_listener_fd(s->listener), POLLIN, 0},
		{-1, POLLIN, 0},
	};
	struct fabric_link *link;
	uint8_t hello[FABRIC_HELLO_SIZE];

	while (!ready[0].revents) {
		int error = fabric_listener_next(s->listener, &link, hello);
		if (!error) {
			answer_client(s, link, hello);
			continue;
		}
		if (error != ERR_AGAIN)
			note(s, FAKE_SERVER, error);
		watch_link(s);
		ready[2].fd = -1;
		if (s->link[FAKE_SERVER])
			ready[2].fd = fabric_fd(s->link[FAKE_SERVER],
						&ready[2].events);
		int count = poll(ready, 3, TEST_PATIENCE_MS);
		ck_assert_msg(count > 0, "hangs after %s failed",
			      fake_failed());
	}
	/* Who was refused has left; and one who gave up may have come. */
	if (!fabric_listener_next(s->listener, &link, hello))
		fabric_close(link);
}

static void connect_ends(struct session *s)
{
	pthread_t thread;

	s->done_fd = eventfd(0, EFD_CLOEXEC);
	MUST(s->done_fd >= 0);
	MUST(!pthread_create(&thread, NULL, run_client, s));
	serve(s);
	MUST(!pthread_join(thread, NULL));
	close(s->done_fd);
}

/* --- Exchanging --------------------------------------------------------- */

/* Waits for the next event of a side, or until either end has failed: what the
 * other didn't get sent doesn't come. */
static int await(struct session *s, enum fake_side side,
		 struct fabric_event *event)
{
	uint64_t deadline = clock_now_ns() + TEST_PATIENCE_NS;
	struct fabric_event other;

	while (clock_now_ns() < deadline) {
		fake_be(side);
		int count = fabric_poll(s->link[side], event, 1);
		if (count > 0)
			return count;
		if (!count)
			count = fabric_arm(s->link[side]);
		note(s, side, count);
		fake_be(!side);
		count = fabric_poll(s->link[!side], &other, 1);
		ck_assert_int_le(count, 0);
		note(s, !side, count);
		if (has_failed(s))
			return -1;
	}
	ck_abort_msg("hangs after %s failed", fake_failed());
}

/* WRITEs so many bytes, and the other end sees them and the immediate. */
static void write_to_other(struct session *s, enum fake_side side,
			   uint32_t size)
{
	uint8_t bytes[INBOX_SIZE];
	struct fabric_event event;
	uint32_t inbox_size;

	if (has_failed(s))
		return;
	memset(bytes, (int)size, sizeof(bytes));
	fake_be(side);
	int error = fabric_write(s->link[side], 0, bytes, size, size);
	note(s, side, error);
	if (error || await(s, !side, &event) != 1)
		return;
	ck_assert_int_eq(event.kind, FABRIC_WRITE);
	ck_assert_uint_eq(event.immediate, size);
	ck_assert_mem_eq(fabric_inbox(s->link[!side], &inbox_size), bytes,
			 size);
}

static void read_region(struct session *s)
{
	uint8_t to[3][1000];
	const struct fabric_read reads[] = {{0, to[0], sizeof(to[0])},
					    {5000, to[1], sizeof(to[1])},
					    {7, to[2], sizeof(to[2])}};
	struct fabric_event event;

	if (has_failed(s))
		return;
	fake_be(FAKE_CLIENT);
	int error = fabric_read(s->link[FAKE_CLIENT], reads, 3, 42);
	note(s, FAKE_CLIENT, error);
	if (error || await(s, FAKE_CLIENT, &event) != 1)
		return;
	ck_assert_int_eq(event.kind, FABRIC_READ);
	ck_assert_uint_eq(event.cookie, 42);
	for (int i = 0; i < 3; i++)
		ck_assert_mem_eq(to[i], region_memory + reads[i].offset,
				 sizeof(to[i]));
}

static void write_silently(struct session *s)
{
	if (has_failed(s))
		return;
	fake_be(FAKE_SERVER);
	note(s, FAKE_SERVER,
	     fabric_write_silently(s->link[FAKE_SERVER], 0, "beat", 5));
}

/* What failed after an event was told is told by the next poll. */
static void poll_once_more(struct session *s, enum fake_side side)
{
	struct fabric_event event;

	if (has_failed(s))
		return;
	fake_be(side);
	int count = fabric_poll(s->link[side], &event, 1);
	ck_assert_int_le(count, 0);
	note(s, side, count);
}

static void exchange(struct session *s)
{
	for (int i = 0; i < 2; i++) {
		write_to_other(s, FAKE_CLIENT, 40);
		write_to_other(s, FAKE_SERVER, 5000);
	}
	read_region(s);
	write_silently(s);
	write_to_other(s, FAKE_CLIENT, 3000);
	write_to_other(s, FAKE_SERVER, 0);
	poll_once_more(s, FAKE_SERVER);
	poll_once_more(s, FAKE_CLIENT);
}

/* --- Closing ------------------------------------------------------------ */

static void close_ends(struct session *s)
{
	struct fabric_event event;

	bool is_well = !has_failed(s) && s->link[FAKE_SERVER];
	fake_be(FAKE_CLIENT);
	fabric_close(s->link[FAKE_CLIENT]);
	fake_be(FAKE_SERVER);
	if (is_well) {
		int error = sleep_for_event(s->link[FAKE_SERVER], &event);
		ck_assert_int_lt(error, 0);
	}
	fabric_close(s->link[FAKE_SERVER]);
	if (s->listener)
		fabric_listener_close(s->listener);
}

static void session_run(struct session *s, const struct course *course)
{
	*s = (struct session){.course = course};
	listen_at(s);
	if (s->listener)
		connect_ends(s);
	if (s->link[FAKE_CLIENT] && s->link[FAKE_SERVER])
		exchange(s);
	s->failed = fake_failed();
	close_ends(s);
}

/* --- Every call failing in turn ----------------------------------------- */

/* Of what fails for one call, what its side is told; 0: nothing, as it goes on
 * without, or tries again. */
static const struct {
	const char *call;
	int error;
} errors[] = {
	{"a receive", ERR_PROTOCOL},
	{"a route", ERR_CONNECTION},
	{"a send", ERR_CONNECTION},
	{"an address", ERR_CONNECTION},
	{"ibv_get_cq_event", 0},
	{"rdma_disconnect", 0},
	{"rdma_get_devices", ERR_UNSUPPORTED},
	{"rdma_reject", 0},
	{"rdma_resolve_addr", ERR_CONNECTION},
	{"rdma_resolve_route", ERR_CONNECTION},
	{"rdma_set_option", 0},
};

static int error_of(const char *call)
{
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		if (!strcmp(errors[i].call, call))
			return errors[i].error;
	return ERR_SYSTEM;
}

/* The kernel's event queue is looked at again, once an end is connected. */
static bool may_pass(const char *call, enum fake_side side,
		     const struct session *s)
{
	return !error_of(call) ||
	       (!strcmp(call, "rdma_get_cm_event") &&
		(side == FAKE_SERVER || s->link[FAKE_CLIENT]));
}

/* A session in which nothing failed that matters. */
static void check_whole(const struct session *s)
{
	int refused = s->course->is_refused ? ERR_PROTOCOL : 0;

	ck_assert_msg(!s->error[FAKE_SERVER], "%s: %s", s->failed,
		      s->text[FAKE_SERVER]);
	ck_assert_msg(s->error[FAKE_CLIENT] == refused, "%s: %s", s->failed,
		      s->text[FAKE_CLIENT]);
}

/* A device tells a sender that what it sent was not taken. */
static bool other_may_say(const struct session *s, int error, int expected)
{
	return !error || error == ERR_CONNECTION ||
	       (error == ERR_PROTOCOL &&
		(expected == ERR_PROTOCOL || s->course->is_refused));
}

/* The side that failed knows why, and the other at most that it has gone. */
static void check_errors(const struct session *s, enum fake_side side)
{
	int expected = error_of(s->failed);
	const char *mine = s->text[side], *others = s->text[!side];

	ck_assert_ptr_null(strstr(mine, "no answer"));
	ck_assert_ptr_null(strstr(others, "no answer"));
	if (side == FAKE_SERVER && !s->error[side]) {
		/* A guest that was turned out is that guest's trouble. */
		ck_assert_msg(s->error[!side], "%s went unseen", s->failed);
	} else {
		ck_assert_msg(s->error[side] == expected, "%s: %d, %s",
			      s->failed, s->error[side], mine);
	}
	ck_assert_msg(other_may_say(s, s->error[!side], expected),
		      "%s at the other end: %d, %s", s->failed, s->error[!side],
		      others);
}

static void check_session(const struct session *s, enum fake_side side)
{
	const char *left = fake_what_is_left();

	ck_assert_msg(!left, "%s are left after %s failed", left,
		      fake_failed());
	if (!s->failed || may_pass(s->failed, side, s))
		check_whole(s);
	else
		check_errors(s, side);
}

/* Whether there is a call of that number. */
static bool run_with_failure(const struct course *course, enum fake_side side,
			     unsigned number)
{
	int fds = count_fds();
	struct session s;

	fake_begin(course->has_windows);
	fake_fail(side, number);
	session_run(&s, course);
	bool found = fake_failed();
	check_session(&s, side);
	fake_end();
	ck_assert_msg(count_fds() == fds,
		      "%d descriptors are left after %s failed",
		      count_fds() - fds, s.failed);
	return found;
}

START_TEST(every_call_that_fails_is_told_and_leaks_nothing)
{
	const struct course *course = &courses[_i / SIDES];
	enum fake_side side = _i % SIDES;
	unsigned number = 1;

	while (run_with_failure(course, side, number))
		number++;
	/* A session makes that many calls at least. */
	ck_assert_uint_gt(number, 25);
}
END_TEST

/* --- What a device reports ---------------------------------------------- */

static struct session session;

static void set_up(void)
{
	fake_begin(true);
	session = (struct session){.course = &courses[0]};
	listen_at(&session);
	connect_ends(&session);
	check_whole(&session);
}

static void tear_down(void)
{
	close_ends(&session);
	ck_assert_ptr_null(fake_what_is_left());
	fake_end();
}

/* Has the server look at what the device reported. */
static void look(void)
{
	uint8_t hello[FABRIC_HELLO_SIZE];
	struct pollfd ready = {fabric_listener_fd(session.listener), POLLIN, 0};
	struct fabric_link *link;

	fake_be(FAKE_SERVER);
	ck_assert_int_eq(poll(&ready, 1, 0), 1);
	ck_assert_int_eq(fabric_listener_next(session.listener, &link, hello),
			 ERR_AGAIN);
	ck_assert_uint_eq(fake_events_left(), 0);
	ck_assert_int_eq(poll(&ready, 1, 0), 0);
}

static struct ibv_qp *server_pair(void)
{
	return verbs_link_of(session.link[FAKE_SERVER])->qp;
}

static void check_well(void)
{
	exchange(&session);
	check_whole(&session);
}

START_TEST(a_path_that_migrates_changes_nothing)
{
	fake_raise(IBV_EVENT_PATH_MIG, server_pair());
	look();
	check_well();
	fake_raise(IBV_EVENT_PATH_MIG_ERR, server_pair());
	look();
	check_well();
}
END_TEST

START_TEST(a_port_that_comes_back_changes_nothing)
{
	fake_raise(IBV_EVENT_PORT_ERR, NULL);
	look();
	fake_raise(IBV_EVENT_PORT_ACTIVE, NULL);
	fake_raise(IBV_EVENT_GID_CHANGE, NULL);
	look();
	check_well();
}
END_TEST

START_TEST(a_port_that_stays_down_ends_the_link)
{
	struct fabric_event event;

	fake_raise(IBV_EVENT_PORT_ERR, NULL);
	look();
	/* The device sends it again in vain. */
	fake_fail(FAKE_CLIENT, 2);
	fake_be(FAKE_CLIENT);
	ck_assert_int_eq(
		fabric_write(session.link[FAKE_CLIENT], 0, "lost", 5, 1), 0);
	ck_assert_int_eq(spin_for_event(session.link[FAKE_CLIENT], &event),
			 ERR_CONNECTION);
	ck_assert_str_eq(fake_failed(), "a send");
	session.error[FAKE_CLIENT] = ERR_CONNECTION;
}
END_TEST

START_TEST(a_device_that_is_removed_ends_its_links)
{
	struct fabric_event event;

	fake_raise(IBV_EVENT_DEVICE_FATAL, NULL);
	fake_remove_device();
	look();
	for (enum fake_side side = FAKE_SERVER; side <= FAKE_CLIENT; side++) {
		fake_be(side);
		ck_assert_int_eq(sleep_for_event(session.link[side], &event),
				 ERR_CONNECTION);
		ck_assert_str_eq(err_text(), "device fake0 was removed");
		ck_assert_int_eq(fabric_write(session.link[side], 0, "", 1, 1),
				 ERR_CONNECTION);
		session.error[side] = ERR_CONNECTION;
	}
}
END_TEST

START_TEST(a_first_message_stands_for_a_lost_last_word)
{
	unsigned before = fake_notified();

	fake_raise(IBV_EVENT_COMM_EST, server_pair());
	look();
	ck_assert_uint_eq(fake_notified(), before + 1);
	check_well();
}
END_TEST

START_TEST(a_report_that_cannot_be_taken_is_taken_later)
{
	fake_raise(IBV_EVENT_PORT_ERR, NULL);
	fake_fail(FAKE_SERVER, 1);
	look();
	ck_assert_str_eq(fake_failed(), "ibv_get_async_event");
	check_well();
}
END_TEST

Suite *test_suite(const char **why)
{
	Suite *suite = suite_create("verbs errors");
	TCase *calls = tcase_create("calls");
	TCase *reports = tcase_create("reports");

	(void)why;
	for (int i = 0; i < REGION_SIZE; i++)
		region_memory[i] = (uint8_t)(i * 7 + i / 251);
	tcase_add_loop_test(calls,
			    every_call_that_fails_is_told_and_leaks_nothing, 0,
			    COURSES * SIDES);
	suite_add_tcase(suite, calls);

	tcase_add_checked_fixture(reports, set_up, tear_down);
	tcase_add_test(reports, a_path_that_migrates_changes_nothing);
	tcase_add_test(reports, a_port_that_comes_back_changes_nothing);
	tcase_add_test(reports, a_port_that_stays_down_ends_the_link);
	tcase_add_test(reports, a_device_that_is_removed_ends_its_links);
	tcase_add_test(reports, a_first_message_stands_for_a_lost_last_word);
	tcase_add_test(reports, a_report_that_cannot_be_taken_is_taken_later);
	suite_add_tcase(suite, reports);
	return suite;
}
