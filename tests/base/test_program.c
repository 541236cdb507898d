/* SPDX-License-Identifier: BSD-2-Clause */

/* What programs say on standard error, and when lost output is an error. */

#include "base/program.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "tests/lib/test.h"

static int said;

static void catch_standard_error(void)
{
	int ends[2];

	ck_assert_int_eq(pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
	ck_assert_int_eq(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
	said = ends[0];
}

static void assert_said(const char *expected)
{
	char text[4096] = "";

	ssize_t length = read(said, text, sizeof(text) - 1);
	text[length > 0 ? length : 0] = 0;
	ck_assert_str_eq(text, expected);
}

START_TEST(a_failure_is_said_under_the_program_s_name)
{
	program_init("catfish query");
	ck_assert_int_eq(program_fail(err_set(ERR_DATA, "line 3: no")),
			 EXIT_BAD_DATA);
	assert_said("catfish query: line 3: no\n");
}
END_TEST

START_TEST(a_failure_without_words_is_named)
{
	program_init("catfishd");
	ck_assert_int_eq(program_fail(ERR_BUSY), EXIT_BUSY);
	assert_said("catfishd: busy\n");
}
END_TEST

START_TEST(a_wrong_command_line_points_to_help)
{
	program_init("catfishd");
	ck_assert_int_eq(program_usage_error("no option '%s'", "--x"),
			 EXIT_USAGE);
	assert_said("catfishd: no option '--x'\n"
		    "Try 'catfishd --help'.\n");
}
END_TEST

START_TEST(output_that_arrives_is_no_error)
{
	ck_assert_ptr_nonnull(freopen("/dev/null", "w", stdout));
	printf("x");
	ck_assert_int_eq(program_finish_output(), 0);
}
END_TEST

START_TEST(output_on_a_full_disk_is_an_error)
{
	ck_assert_ptr_nonnull(freopen("/dev/full", "w", stdout));
	printf("x");
	ck_assert_int_eq(program_finish_output(), ERR_NO_ROOM);
}
END_TEST

START_TEST(output_that_was_lost_before_is_an_error)
{
	ck_assert_ptr_nonnull(freopen("/dev/full", "w", stdout));
	printf("x");
	fflush(stdout);
	ck_assert_int_lt(program_finish_output(), 0);
}
END_TEST

START_TEST(the_log_leaves_out_what_is_below_its_level)
{
	unsetenv("CATFISH_LOG");
	log_init("catfishd");
	log_debug("no");
	log_info("yes %d", 1);
	setenv("CATFISH_LOG", "warn", 1);
	log_init("catfishd");
	log_info("no");
	log_warn("yes %d", 2);
	assert_said("catfishd: info: yes 1\ncatfishd: warn: yes 2\n");
}
END_TEST

START_TEST(a_long_log_line_is_cut_and_still_ends)
{
	char words[3000];
	char line[4096];

	memset(words, 'x', sizeof(words) - 1);
	words[sizeof(words) - 1] = 0;
	log_init("catfishd");
	log_error("%s", words);
	ssize_t length = read(said, line, sizeof(line));
	ck_assert_int_eq(length, 1024);
	ck_assert_int_eq(line[1023], '\n');
	ck_assert_int_eq(line[1022], 'x');
}
END_TEST

Suite *test_suite(const char **why)
{
	Suite *suite = suite_create("program");
	TCase *tcase = tcase_create("program");

	tcase_add_checked_fixture(tcase, catch_standard_error, NULL);
	tcase_add_test(tcase, a_failure_is_said_under_the_program_s_name);
	tcase_add_test(tcase, a_failure_without_words_is_named);
	tcase_add_test(tcase, a_wrong_command_line_points_to_help);
	tcase_add_test(tcase, output_that_arrives_is_no_error);
	tcase_add_test(tcase, output_on_a_full_disk_is_an_error);
	tcase_add_test(tcase, output_that_was_lost_before_is_an_error);
	tcase_add_test(tcase, the_log_leaves_out_what_is_below_its_level);
	tcase_add_test(tcase, a_long_log_line_is_cut_and_still_ends);
	suite_add_tcase(suite, tcase);
	return suite;
}
