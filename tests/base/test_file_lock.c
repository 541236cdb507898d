/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/lib/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file_lock.h"

static char folder[] = "/tmp/catfish-test-XXXXXX";
static char path[64], lock_path[80];

static void make_folder(void)
{
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/some.region", folder);
	snprintf(lock_path, sizeof(lock_path), "%s.lock", path);
}

static void remove_folder(void)
{
	remove(path);
	remove(lock_path);
	remove(folder);
}

/* What another process gets that tries to lock the file. */
static int lock_elsewhere(void)
{
	pid_t child = fork();
	int status, fd;

	if (!child)
		_exit(-file_lock(path, &fd));
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert(WIFEXITED(status));
	return -WEXITSTATUS(status);
}

START_TEST(one_process_at_a_time_has_the_lock)
{
	int fd;

	ck_assert_int_eq(file_lock(path, &fd), 0);
	ck_assert_int_eq(lock_elsewhere(), ERR_BUSY);
	close(fd);
	ck_assert_int_eq(lock_elsewhere(), 0);
}
END_TEST

START_TEST(the_lock_outlasts_the_files_replacement)
{
	char other[80];
	int fd;

	ck_assert_int_eq(file_lock(path, &fd), 0);
	snprintf(other, sizeof(other), "%s.new", path);
	fclose(fopen(other, "w"));
	ck_assert_int_eq(rename(other, path), 0);
	ck_assert_int_eq(lock_elsewhere(), ERR_BUSY);
	close(fd);
}
END_TEST

START_TEST(a_symbolic_link_has_the_lock_of_its_target)
{
	char target[80], target_lock[96];
	int fd;

	snprintf(target, sizeof(target), "%s/target", folder);
	snprintf(target_lock, sizeof(target_lock), "%s.lock", target);
	fclose(fopen(target, "w"));
	ck_assert_int_eq(symlink("target", path), 0);
	ck_assert_int_eq(file_lock(target, &fd), 0);
	ck_assert_int_eq(lock_elsewhere(), ERR_BUSY);
	close(fd);
	remove(target);
	remove(target_lock);
}
END_TEST

START_TEST(a_folder_that_is_missing_is_said)
{
	int fd;

	ck_assert_int_eq(file_lock("/nowhere/some.region", &fd), ERR_NOT_FOUND);
	ck_assert_str_eq(err_text(), "can't open /nowhere/some.region.lock: No "
				     "such file or directory");
}
END_TEST

Suite *test_suite(const char **why)
{
	Suite *suite = suite_create("file_lock");
	TCase *tests = tcase_create("file_lock");

	(void)why;
	tcase_add_checked_fixture(tests, make_folder, remove_folder);
	tcase_add_test(tests, one_process_at_a_time_has_the_lock);
	tcase_add_test(tests, the_lock_outlasts_the_files_replacement);
	tcase_add_test(tests, a_symbolic_link_has_the_lock_of_its_target);
	tcase_add_test(tests, a_folder_that_is_missing_is_said);
	suite_add_tcase(suite, tests);
	return suite;
}
