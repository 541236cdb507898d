/* SPDX-License-Identifier: BSD-2-Clause */

/* What is kept of a session's writes, how long, and what goes first. */

#include <check.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "server/job.h"
#include "server/session.h"
#include "tests/lib/test.h"

enum { ENTRIES = 100 };

static struct session_table table;

static void start(void)
{
	session_table_init(&table);
}

static void stop(void)
{
	session_table_fini(&table);
}

static struct session *open_at(uint64_t id, uint64_t now_ns)
{
	struct session *session;

	ck_assert_int_eq(session_open(&table, id, now_ns, &session), 0);
	return session;
}

static bool is_there(uint64_t id, uint64_t now_ns)
{
	struct session *session = open_at(id, now_ns);
	bool there = session_id(session) == id;

	session_close(&table, session, now_ns);
	return there;
}

/* A delete whose answer is this, when it isn't a repetition; its job. */
static struct job *write_once(struct session *session, uint64_t number,
			      uint64_t oldest, uint64_t version)
{
	struct job *job;

	ck_assert_int_eq(job_create(WIRE_DELETE, ENTRIES, &job), 0);
	job->session = session;
	job->number = number;
	job->oldest = oldest;
	session_judge(job);
	if (!job->is_repeated) {
		job->written.version = version;
		job->written.applied = ENTRIES - 2;
		job->missing[job->missing_count++] = 3;
		job->missing[job->missing_count++] = 99;
	}
	session_finish(job);
	return job;
}

static void write_new(struct session *session, uint64_t number, uint64_t oldest)
{
	struct job *job = write_once(session, number, oldest, number);

	ck_assert(!job->is_repeated);
	ck_assert_int_eq(job->error, 0);
	job_destroy(job);
}

static int repeat(struct session *session, uint64_t number)
{
	struct job *job = write_once(session, number, number, UINT64_MAX);
	int error = job->error;

	ck_assert(job->is_repeated);
	if (!error) {
		ck_assert_uint_eq(job->written.version, number);
		ck_assert_uint_eq(job->written.applied, ENTRIES - 2);
		ck_assert_uint_eq(job->missing_count, 2);
		ck_assert_uint_eq(job->missing[0], 3);
		ck_assert_uint_eq(job->missing[1], 99);
	}
	job_destroy(job);
	return error;
}

START_TEST(a_number_that_comes_again_has_its_first_answer)
{
	struct session *session = open_at(0, 0);

	write_new(session, 1, 1);
	ck_assert_int_eq(repeat(session, 1), 0);
	ck_assert_int_eq(repeat(session, 1), 0);
	write_new(session, 2, 2);
	ck_assert_int_eq(repeat(session, 2), 0);
	session_close(&table, session, 0);
}
END_TEST

START_TEST(all_that_a_client_waits_for_is_kept)
{
	struct session *session = open_at(0, 0);

	for (uint64_t n = 1; n <= SESSION_ANSWERS_MAX; n++)
		write_new(session, n, 1);
	for (uint64_t n = 1; n <= SESSION_ANSWERS_MAX; n++)
		ck_assert_int_eq(repeat(session, n), 0);
	write_new(session, SESSION_ANSWERS_MAX + 1, 1);
	ck_assert_int_eq(repeat(session, 1), ERR_CONNECTION);
	ck_assert_int_eq(repeat(session, 2), 0);
	session_close(&table, session, 0);
}
END_TEST

/* It was left out before, and is not applied after those that came since. */
START_TEST(a_number_that_was_passed_over_is_not_applied)
{
	struct session *session = open_at(0, 0);

	write_new(session, 1, 1);
	write_new(session, 3, 1);
	ck_assert_int_eq(repeat(session, 2), ERR_CONNECTION);
	session_close(&table, session, 0);
}
END_TEST

START_TEST(errors_are_kept_too)
{
	struct session *session = open_at(0, 0);
	struct job *job;

	ck_assert_int_eq(job_create(WIRE_INSERT, 1, &job), 0);
	job->session = session;
	job->number = 1;
	session_judge(job);
	job_fail(job, err_set(ERR_NO_ROOM, "full"));
	session_finish(job);
	job->error = 0;
	strcpy(job->text, "");
	session_judge(job);
	session_finish(job);
	ck_assert_int_eq(job->error, ERR_NO_ROOM);
	ck_assert_str_eq(job->text, "full");
	/* Another write under the same number. */
	job->operation = WIRE_UPDATE;
	session_finish(job);
	ck_assert_int_eq(job->error, ERR_PROTOCOL);
	job_destroy(job);
	session_close(&table, session, 0);
}
END_TEST

START_TEST(a_session_goes_a_minute_after_its_last_connection)
{
	struct session *session = open_at(0, 0);
	uint64_t id = session_id(session);

	ck_assert_ptr_eq(open_at(id, 0), session);
	session_close(&table, session, 0);
	ck_assert(is_there(id, 10 * SESSION_KEPT_NS));
	session_close(&table, session, 10 * SESSION_KEPT_NS);
	ck_assert(is_there(id, 11 * SESSION_KEPT_NS));
	ck_assert(!is_there(id, 12 * SESSION_KEPT_NS + 1));
	ck_assert(!is_there(id + 1, 0));
}
END_TEST

START_TEST(each_of_many_is_found_by_its_id)
{
	static struct session *sessions[SESSIONS_MAX];
	static uint64_t ids[SESSIONS_MAX];

	for (int i = 0; i < SESSIONS_MAX; i++) {
		sessions[i] = open_at(0, 0);
		ids[i] = session_id(sessions[i]);
		/* The others are of either kind. */
		if (i % 2)
			write_new(sessions[i], 1, 1);
	}
	for (int i = 0; i < SESSIONS_MAX; i++)
		ck_assert(is_there(ids[i], 0));
	for (int i = 0; i < SESSIONS_MAX; i++)
		session_close(&table, sessions[i], 0);
	for (int i = 0; i < SESSIONS_MAX; i++) {
		ck_assert_ptr_eq(open_at(ids[i], 0), sessions[i]);
		session_close(&table, sessions[i], 0);
	}
}
END_TEST

START_TEST(when_there_are_too_many_the_unwritten_go_first)
{
	struct session *written = open_at(0, 0), *later = open_at(0, 0);
	uint64_t first_id = session_id(written), later_id = session_id(later);

	write_new(written, 1, 1);
	session_close(&table, written, 0);
	session_close(&table, later, 0);
	for (int i = 2; i < SESSIONS_MAX; i++)
		session_close(&table, open_at(0, 0), 0);
	ck_assert(is_there(first_id, 0));
	session_close(&table, open_at(0, 0), 0);
	ck_assert(!is_there(later_id, 0));
	ck_assert(is_there(first_id, 0));
}
END_TEST

Suite *test_suite(const char **why)
{
	Suite *suite = suite_create("server: sessions");
	TCase *tc = tcase_create("sessions");

	tcase_add_checked_fixture(tc, start, stop);
	tcase_add_test(tc, a_number_that_comes_again_has_its_first_answer);
	tcase_add_test(tc, all_that_a_client_waits_for_is_kept);
	tcase_add_test(tc, a_number_that_was_passed_over_is_not_applied);
	tcase_add_test(tc, errors_are_kept_too);
	tcase_add_test(tc, a_session_goes_a_minute_after_its_last_connection);
	tcase_add_test(tc, each_of_many_is_found_by_its_id);
	tcase_add_test(tc, when_there_are_too_many_the_unwritten_go_first);
	suite_add_tcase(suite, tc);
	return suite;
}
