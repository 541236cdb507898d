/* SPDX-License-Identifier: BSD-2-Clause */

/* A file is replaced whole or stays as it was. */

#include "base/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "tests/lib/test.h"

static char folder[] = "/tmp/catfish-test-file.XXXXXX";
static char path[64];

static void make_folder(void)
{
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/file", folder);
}

static void remove_folder(void)
{
	char other[64];

	unlink(path);
	snprintf(other, sizeof(other), "%s/link", folder);
	unlink(other);
	/* Fails when a test left something behind. */
	ck_assert_int_eq(rmdir(folder), 0);
}

static void write_file(const char *text)
{
	FILE *file = fopen(path, "w");

	ck_assert_ptr_nonnull(file);
	fputs(text, file);
	fclose(file);
}

static void assert_file_holds(const char *expected)
{
	char text[64] = "";
	FILE *file = fopen(path, "r");

	ck_assert_ptr_nonnull(file);
	text[fread(text, 1, sizeof(text) - 1, file)] = 0;
	fclose(file);
	ck_assert_str_eq(text, expected);
}

static int files_in_folder(void)
{
	DIR *dir = opendir(folder);
	int count = 0;

	ck_assert_ptr_nonnull(dir);
	for (struct dirent *entry; (entry = readdir(dir));)
		count += entry->d_name[0] != '.';
	closedir(dir);
	return count;
}

START_TEST(a_commit_puts_the_new_bytes_in_place)
{
	struct file_replacement file;

	write_file("old");
	ck_assert_int_eq(file_replace_begin(&file, path), 0);
	ck_assert_int_eq(file_replace_write(&file, "ne", 2), 0);
	ck_assert_int_eq(file_replace_write(&file, "wer", 3), 0);
	assert_file_holds("old");
	ck_assert_int_eq(file_replace_commit(&file), 0);
	file_replace_abort(&file);
	assert_file_holds("newer");
	ck_assert_int_eq(files_in_folder(), 1);
}
END_TEST

START_TEST(a_file_that_was_not_there_is_made)
{
	struct file_replacement file;
	struct stat made;

	umask(027);
	ck_assert_int_eq(file_replace_begin(&file, path), 0);
	ck_assert_int_eq(file_replace_write(&file, "x", 1), 0);
	ck_assert_int_eq(file_replace_commit(&file), 0);
	assert_file_holds("x");
	ck_assert_int_eq(stat(path, &made), 0);
	ck_assert_uint_eq(made.st_mode & 07777, 0640);
}
END_TEST

START_TEST(an_abort_leaves_the_old_file)
{
	struct file_replacement file;

	write_file("old");
	ck_assert_int_eq(file_replace_begin(&file, path), 0);
	ck_assert_int_eq(file_replace_write(&file, "new", 3), 0);
	file_replace_abort(&file);
	assert_file_holds("old");
	ck_assert_int_eq(files_in_folder(), 1);
}
END_TEST

/* The limit on the size of files stands for a full disk. */
START_TEST(a_failed_write_leaves_the_old_file)
{
	struct rlimit limit = {.rlim_cur = 4096, .rlim_max = RLIM_INFINITY};
	struct file_replacement file;
	char bytes[8192] = "";

	write_file("old");
	signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(file_replace_begin(&file, path), 0);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	int error = file_replace_write(&file, bytes, sizeof(bytes));
	limit.rlim_cur = RLIM_INFINITY;
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	ck_assert_int_eq(error, ERR_NO_ROOM);
	file_replace_abort(&file);
	assert_file_holds("old");
	ck_assert_int_eq(files_in_folder(), 1);
}
END_TEST

/* What was written is taken away by someone else, so the rename fails. */
START_TEST(a_failed_commit_leaves_the_old_file)
{
	struct file_replacement file;

	write_file("old");
	ck_assert_int_eq(file_replace_begin(&file, path), 0);
	ck_assert_int_eq(file_replace_write(&file, "new", 3), 0);
	ck_assert_int_eq(unlink(file.temporary), 0);
	ck_assert_int_eq(file_replace_commit(&file), ERR_NOT_FOUND);
	file_replace_abort(&file);
	assert_file_holds("old");
	ck_assert_int_eq(files_in_folder(), 1);
}
END_TEST

START_TEST(mode_and_symbolic_link_stay)
{
	struct file_replacement file;
	struct stat after;
	char name[64];

	write_file("old");
	ck_assert_int_eq(chmod(path, 0604), 0);
	snprintf(name, sizeof(name), "%s/link", folder);
	ck_assert_int_eq(symlink("file", name), 0);
	ck_assert_int_eq(file_replace_begin(&file, name), 0);
	ck_assert_int_eq(file_replace_write(&file, "new", 3), 0);
	ck_assert_int_eq(file_replace_commit(&file), 0);
	assert_file_holds("new");
	ck_assert_int_eq(stat(path, &after), 0);
	ck_assert_uint_eq(after.st_mode & 07777, 0604);
	ck_assert_int_eq(lstat(name, &after), 0);
	ck_assert(S_ISLNK(after.st_mode));
}
END_TEST

START_TEST(what_cannot_be_replaced_is_refused)
{
	struct file_replacement file;
	char missing[80];

	snprintf(missing, sizeof(missing), "%s/none/file", folder);
	ck_assert_int_eq(file_replace_begin(&file, missing), ERR_NOT_FOUND);
	ck_assert_int_eq(file_replace_begin(&file, folder), ERR_USAGE);
	ck_assert_int_eq(file_replace_begin(&file, "/dev/null"), ERR_USAGE);
	file_replace_abort(&file);
	ck_assert_int_eq(files_in_folder(), 0);
}
END_TEST

START_TEST(a_file_that_ends_too_early_is_bad_data)
{
	char bytes[8];

	write_file("12345");
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ck_assert_int_eq(file_read_full(fd, bytes, 4), 0);
	ck_assert_int_eq(memcmp(bytes, "1234", 4), 0);
	ck_assert_int_eq(file_read_full(fd, bytes, 2), ERR_DATA);
	ck_assert_int_eq(file_read_full(fd, bytes, 0), 0);
	close(fd);
}
END_TEST

Suite *test_suite(const char **why)
{
	Suite *suite = suite_create("file");
	TCase *tcase = tcase_create("file");

	tcase_add_checked_fixture(tcase, make_folder, remove_folder);
	tcase_add_test(tcase, a_commit_puts_the_new_bytes_in_place);
	tcase_add_test(tcase, a_file_that_was_not_there_is_made);
	tcase_add_test(tcase, an_abort_leaves_the_old_file);
	tcase_add_test(tcase, a_failed_write_leaves_the_old_file);
	tcase_add_test(tcase, a_failed_commit_leaves_the_old_file);
	tcase_add_test(tcase, mode_and_symbolic_link_stay);
	tcase_add_test(tcase, what_cannot_be_replaced_is_refused);
	tcase_add_test(tcase, a_file_that_ends_too_early_is_bad_data);
	suite_add_tcase(suite, tcase);
	return suite;
}
