/* SPDX-License-Identifier: BSD-2-Clause */

/* Errors keep their words, per thread and in one line. */

#include "base/err.h"

#include <pthread.h>
#include <string.h>

#include "tests/lib/test.h"

START_TEST(nothing_failed_yet)
{
	ck_assert_str_eq(err_text(), "");
}
END_TEST

START_TEST(setting_returns_the_error_and_keeps_the_words)
{
	ck_assert_int_eq(err_set(ERR_DATA, "line %d", 3), ERR_DATA);
	ck_assert_str_eq(err_text(), "line 3");
	ck_assert_int_eq(err_set(ERR_BUSY, "%s again", err_text()), ERR_BUSY);
	ck_assert_str_eq(err_text(), "line 3 again");
}
END_TEST

START_TEST(a_prefix_goes_in_front)
{
	err_set(ERR_DATA, "no such column '%s'", "xmin");
	ck_assert_int_eq(err_prefix(ERR_DATA, "%s:%d", "a.csv", 1), ERR_DATA);
	ck_assert_str_eq(err_text(), "a.csv:1: no such column 'xmin'");
}
END_TEST

START_TEST(long_words_are_cut)
{
	char words[2000];

	memset(words, 'x', sizeof(words) - 1);
	words[sizeof(words) - 1] = 0;
	err_set(ERR_DATA, "%s", words);
	ck_assert_uint_eq(strlen(err_text()), 511);
	err_prefix(ERR_DATA, "file");
	ck_assert_uint_eq(strlen(err_text()), 511);
	ck_assert_int_eq(strncmp(err_text(), "file: xxx", 9), 0);
}
END_TEST

START_TEST(quoted_control_characters_are_masked)
{
	err_set(ERR_DATA, "not '%s'", "1\n\033[2Jé\x7f");
	ck_assert_str_eq(err_text(), "not '1??[2Jé?'");
}
END_TEST

static void *fail_elsewhere(void *unused)
{
	ck_assert_str_eq(err_text(), "");
	err_set(ERR_BUSY, "elsewhere");
	return NULL;
}

START_TEST(another_thread_has_its_own_words)
{
	pthread_t thread;

	err_set(ERR_DATA, "here");
	ck_assert_int_eq(pthread_create(&thread, NULL, fail_elsewhere, NULL),
			 0);
	pthread_join(thread, NULL);
	ck_assert_str_eq(err_text(), "here");
}
END_TEST

START_TEST(every_error_has_a_name_and_a_status)
{
	static const struct {
		int error;
		enum exit_status status;
	} cases[] = {
		{0, EXIT_OK},
		{ERR_USAGE, EXIT_USAGE},
		{ERR_UNSUPPORTED, EXIT_USAGE},
		{ERR_CONNECTION, EXIT_NO_CONNECTION},
		{ERR_PROTOCOL, EXIT_NO_CONNECTION},
		{ERR_BUSY, EXIT_BUSY},
		{ERR_DATA, EXIT_BAD_DATA},
		{ERR_DAMAGED, EXIT_DAMAGED},
		{ERR_NO_ROOM, EXIT_NO_ROOM},
		{ERR_NOT_FOUND, EXIT_USAGE},
		{ERR_NO_MEMORY, EXIT_NO_ROOM},
		{ERR_TIMEOUT, EXIT_BUSY},
		{ERR_AGAIN, EXIT_BUSY},
		{ERR_SYSTEM, EXIT_NO_ROOM},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ck_assert_str_ne(err_name(cases[i].error), "unknown error");
		ck_assert_int_eq(err_exit_status(cases[i].error),
				 cases[i].status);
	}
	ck_assert_str_eq(err_name(-12345), "unknown error");
	ck_assert_int_ne(err_exit_status(-12345), EXIT_OK);
}
END_TEST

START_TEST(failed_system_calls_have_their_meaning)
{
	ck_assert_int_eq(err_of_errno(ENOENT), ERR_NOT_FOUND);
	ck_assert_int_eq(err_of_errno(ENOSPC), ERR_NO_ROOM);
	ck_assert_int_eq(err_of_errno(ECONNREFUSED), ERR_CONNECTION);
	ck_assert_int_eq(err_of_errno(EACCES), ERR_USAGE);
	ck_assert_int_eq(err_of_errno(EMFILE), ERR_SYSTEM);
}
END_TEST

Suite *test_suite(const char **why)
{
	Suite *suite = suite_create("err");
	TCase *tcase = tcase_create("err");

	tcase_add_test(tcase, nothing_failed_yet);
	tcase_add_test(tcase, setting_returns_the_error_and_keeps_the_words);
	tcase_add_test(tcase, a_prefix_goes_in_front);
	tcase_add_test(tcase, long_words_are_cut);
	tcase_add_test(tcase, quoted_control_characters_are_masked);
	tcase_add_test(tcase, another_thread_has_its_own_words);
	tcase_add_test(tcase, every_error_has_a_name_and_a_status);
	tcase_add_test(tcase, failed_system_calls_have_their_meaning);
	suite_add_tcase(suite, tcase);
	return suite;
}
