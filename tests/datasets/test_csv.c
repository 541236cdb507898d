/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/lib/test.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/random.h"
#include "datasets/csv.h"

#define HEADER "id,xmin,ymin,xmax,ymax\n"
#define MOVE_HEADER                                                            \
	"id,xmin,ymin,xmax,ymax,new_xmin,new_ymin,new_xmax,new_ymax\n"

static FILE *file;

static void close_file(void)
{
	if (file)
		fclose(file);
	file = NULL;
}

/* A reader of a file with these bytes. */
static int open_bytes(const char *bytes, size_t size, enum csv_kind kind,
		      struct csv_reader **reader)
{
	close_file();
	file = tmpfile();
	ck_assert_ptr_nonnull(file);
	ck_assert_uint_eq(fwrite(bytes, 1, size, file), size);
	rewind(file);
	return csv_open_fd(fileno(file), "some.csv", kind, reader);
}

static int open_text(const char *text, struct csv_reader **reader)
{
	return open_bytes(text, strlen(text), CSV_ITEMS, reader);
}

static void expect_item(struct csv_reader *reader, int64_t id, double xmin,
			double ymin, double xmax, double ymax)
{
	struct item item;

	ck_assert_int_eq(csv_next_item(reader, &item), 1);
	ck_assert_int_eq(item.id, id);
	ck_assert(item.rect.min[0] == xmin && item.rect.min[1] == ymin);
	ck_assert(item.rect.max[0] == xmax && item.rect.max[1] == ymax);
}

static void expect_end(struct csv_reader *reader)
{
	struct item item;

	ck_assert_int_eq(csv_next_item(reader, &item), 0);
	csv_close(reader);
}

/* The file fails, when opened or read, with exactly these words. */
static void expect_error(const char *text, const char *words)
{
	struct csv_reader *reader;
	struct item item;
	int more = open_text(text, &reader);

	if (!more) {
		do
			more = csv_next_item(reader, &item);
		while (more > 0);
		csv_close(reader);
	}
	ck_assert_int_eq(more, ERR_DATA);
	ck_assert_str_eq(err_text(), words);
}

START_TEST(items_are_read_in_their_order)
{
	struct csv_reader *reader;

	ck_assert_int_eq(
		open_text(HEADER "1,0,0,1,1\n-2,-1.5,2e1,3,1e+2\n", &reader),
		0);
	expect_item(reader, 1, 0, 0, 1, 1);
	expect_item(reader, -2, -1.5, 20, 3, 100);
	ck_assert_uint_eq(csv_line(reader), 3);
	expect_end(reader);
}
END_TEST

START_TEST(columns_may_come_in_any_order)
{
	struct csv_reader *reader;

	ck_assert_int_eq(
		open_text("ymax,xmax,ymin,xmin,id\n4,3,2,1,7\n", &reader), 0);
	expect_item(reader, 7, 1, 2, 3, 4);
	expect_end(reader);
}
END_TEST

START_TEST(other_programs_ways_of_writing_csv_are_read)
{
	struct csv_reader *reader;

	ck_assert_int_eq(
		open_text("\xef\xbb\xbf\"id\", xmin,ymin,xmax , ymax\r\n"
			  "\r\n"
			  "\"1\",\"0.5\", 1 ,\t2,3\r\n"
			  "  \n"
			  "2,0,0,0,0",
			  &reader),
		0);
	expect_item(reader, 1, 0.5, 1, 2, 3);
	expect_item(reader, 2, 0, 0, 0, 0);
	ck_assert_uint_eq(csv_line(reader), 5);
	expect_end(reader);
}
END_TEST

START_TEST(a_header_alone_is_an_empty_set)
{
	struct csv_reader *reader;

	ck_assert_int_eq(open_text(HEADER, &reader), 0);
	expect_end(reader);
	ck_assert_int_eq(open_text("id,xmin,ymin,xmax,ymax", &reader), 0);
	expect_end(reader);
}
END_TEST

START_TEST(moves_have_both_rectangles)
{
	static const char text[] = MOVE_HEADER "5,1,2,3,4,11,12,13,14\n";
	struct csv_reader *reader;
	struct csv_move move;

	ck_assert_int_eq(open_bytes(text, strlen(text), CSV_MOVES, &reader), 0);
	ck_assert_int_eq(csv_next_move(reader, &move), 1);
	ck_assert_int_eq(move.item.id, 5);
	ck_assert(move.item.rect.max[1] == 4 && move.to.min[0] == 11 &&
		  move.to.max[1] == 14);
	ck_assert_int_eq(csv_next_move(reader, &move), 0);
	csv_close(reader);
}
END_TEST

START_TEST(a_bad_line_is_named_with_what_is_wrong)
{
	expect_error(HEADER "1,2,3,4\n",
		     "some.csv:2: 4 fields; the header has 5");
	expect_error(HEADER "1,0,0,1,1\n\n1,2,,4,5\n",
		     "some.csv:4: ymin is missing");
	expect_error(HEADER "1,2,3,4,\n", "some.csv:2: ymax is missing");
	expect_error(HEADER "1,2,3,4,5,6\n",
		     "some.csv:2: more fields than the header's 5");
	expect_error(HEADER "1,nan,3,4,5\n",
		     "some.csv:2: xmin: 'nan' is not a finite number");
	expect_error(HEADER "1,0,0,inf,5\n",
		     "some.csv:2: xmax: 'inf' is not a finite number");
	expect_error(HEADER "1,0,0,1e999,5\n",
		     "some.csv:2: xmax: '1e999' is not a finite number");
	expect_error(HEADER "1,0,0,0x10,5\n",
		     "some.csv:2: xmax: '0x10' is not a finite number");
	expect_error(HEADER "1,3,0,1,5\n",
		     "some.csv:2: xmin 3 is above xmax 1");
	expect_error(HEADER "1,0,7,1,5\n",
		     "some.csv:2: ymin 7 is above ymax 5");
	expect_error(HEADER "1.5,0,0,1,5\n",
		     "some.csv:2: id: '1.5' is not a 64-bit integer");
	expect_error(HEADER "9223372036854775808,0,0,1,5\n",
		     "some.csv:2: id: '9223372036854775808' is not a 64-bit "
		     "integer");
	expect_error(HEADER "\"1,0,0,1,5\n",
		     "some.csv:2: id: '\"1' is not a 64-bit integer");
	expect_error(HEADER "\x01\x02,0,0,1,5\n",
		     "some.csv:2: id: '\?\?' is not a 64-bit integer");
}
END_TEST

START_TEST(another_header_is_refused)
{
	expect_error("", "some.csv: empty, not even a header");
	expect_error("1,0,0,1,1\n", "some.csv:1: unknown column '1'");
	expect_error("id,xmin,ymin,xmax\n",
		     "some.csv:1: 4 columns; it needs all of "
		     "id,xmin,ymin,xmax,ymax");
	expect_error("id,xmin,ymin,xmax,ymax,name\n",
		     "some.csv:1: unknown column 'name'");
	expect_error("id,xmin,xmin,xmax,ymax\n",
		     "some.csv:1: column 'xmin' twice");
	expect_error(MOVE_HEADER, "some.csv:1: unknown column 'new_xmin'");
}
END_TEST

START_TEST(a_zero_byte_is_no_end_of_the_line)
{
	static const char text[] = HEADER "1,0,0,1,5\0,7\n";
	struct csv_reader *reader;
	struct item item;

	ck_assert_int_eq(open_bytes(text, sizeof(text) - 1, CSV_ITEMS, &reader),
			 0);
	ck_assert_int_eq(csv_next_item(reader, &item), ERR_DATA);
	csv_close(reader);
}
END_TEST

START_TEST(a_line_without_end_is_refused)
{
	size_t size = 1 << 20;
	char *bytes = malloc(size);
	struct csv_reader *reader;

	memset(bytes, '1', size);
	ck_assert_int_eq(open_bytes(bytes, size, CSV_ITEMS, &reader), ERR_DATA);
	ck_assert_str_eq(err_text(), "some.csv:1: longer than 262144 bytes, so "
				     "it is hardly CSV");
	free(bytes);
}
END_TEST

/* Lines then lie across the reader's pieces in every way. */
START_TEST(lines_are_read_whole_wherever_a_read_ends)
{
	struct csv_reader *reader;
	struct random random;

	close_file();
	file = tmpfile();
	fputs(HEADER, file);
	random_seed(&random, 5);
	for (int i = 0; i < 60000; i++) {
		double x = random_unit(&random), y = random_unit(&random);
		fprintf(file, "%d,%.17g,%.17g,%.17g,%.17g\n", i, x, y, x + 1,
			y + 1);
	}
	rewind(file);
	ck_assert_int_eq(
		csv_open_fd(fileno(file), "some.csv", CSV_ITEMS, &reader), 0);
	random_seed(&random, 5);
	for (int i = 0; i < 60000; i++) {
		double x = random_unit(&random), y = random_unit(&random);
		expect_item(reader, i, x, y, x + 1, y + 1);
	}
	uint64_t done, total;
	csv_progress(reader, &done, &total);
	ck_assert_uint_eq(done, total);
	expect_end(reader);
}
END_TEST

START_TEST(a_pipe_is_read_as_it_comes)
{
	struct csv_reader *reader;
	int ends[2];

	ck_assert_int_eq(pipe(ends), 0);
	ck_assert_int_eq(write(ends[1], HEADER "1,0,0,", 29), 29);
	ck_assert_int_eq(csv_open_fd(ends[0], "pipe", CSV_ITEMS, &reader), 0);
	ck_assert_int_eq(write(ends[1], "1,1", 3), 3);
	close(ends[1]);
	expect_item(reader, 1, 0, 0, 1, 1);
	expect_end(reader);
	close(ends[0]);
}
END_TEST

START_TEST(a_missing_file_is_not_found)
{
	struct csv_reader *reader;

	ck_assert_int_eq(csv_open("/nowhere/x.csv", CSV_ITEMS, &reader),
			 ERR_NOT_FOUND);
	ck_assert_str_eq(err_text(),
			 "/nowhere/x.csv: No such file or directory");
	ck_assert(!csv_dimensions("/nowhere/x.csv"));
	ck_assert(!csv_dimensions("/"));
}
END_TEST

static int dimensions_of(const char *text)
{
	char name[] = "/tmp/catfish-test-XXXXXX";
	int fd = mkstemp(name);

	ck_assert_int_eq(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	int dimensions = csv_dimensions(name);
	remove(name);
	return dimensions;
}

/* Also with columns missing or too many, which is then said. */
START_TEST(csv_is_recognised_by_a_column_xmin)
{
	ck_assert_int_eq(dimensions_of(HEADER), 2);
	ck_assert_int_eq(dimensions_of("\xef\xbb\xbf\"xmin\",b\r\n"), 2);
	ck_assert_int_eq(dimensions_of("id,xmin,ymin,xmax,ymax,name\n"), 2);
	ck_assert_int_eq(dimensions_of("id,xmin,ymin,zmin,xmax\n"), 3);
	ck_assert_int_eq(dimensions_of("id,WKT,xmins,zmin\n"), 0);
	ck_assert_int_eq(dimensions_of("{\"xmin\":1}"), 0);
	ck_assert_int_eq(dimensions_of(""), 0);
}
END_TEST

Suite *test_suite(const char **why)
{
	Suite *suite = suite_create("csv");
	TCase *tests = tcase_create("csv");

	(void)why;
	tcase_add_checked_fixture(tests, NULL, close_file);
	tcase_add_test(tests, items_are_read_in_their_order);
	tcase_add_test(tests, columns_may_come_in_any_order);
	tcase_add_test(tests, other_programs_ways_of_writing_csv_are_read);
	tcase_add_test(tests, a_header_alone_is_an_empty_set);
	tcase_add_test(tests, moves_have_both_rectangles);
	tcase_add_test(tests, a_bad_line_is_named_with_what_is_wrong);
	tcase_add_test(tests, another_header_is_refused);
	tcase_add_test(tests, a_zero_byte_is_no_end_of_the_line);
	tcase_add_test(tests, a_line_without_end_is_refused);
	tcase_add_test(tests, lines_are_read_whole_wherever_a_read_ends);
	tcase_add_test(tests, a_pipe_is_read_as_it_comes);
	tcase_add_test(tests, a_missing_file_is_not_found);
	tcase_add_test(tests, csv_is_recognised_by_a_column_xmin);
	suite_add_tcase(suite, tests);
	return suite;
}
