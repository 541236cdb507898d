/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/lib/test.h"

#include <math.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/random.h"
#include "datasets/csv.h"
#include "datasets/writer.h"

/* With area, a line, and a point. */
static const struct item items[] = {
	{1, {{10.5, 55}, {11, 55.25}}},
	{-2, {{0.1, -1e-7}, {0.1, 1e22}}},
	{INT64_MAX, {{-0.0, 3}, {-0.0, 3}}},
};
enum { ITEM_COUNT = sizeof(items) / sizeof(*items) };

/* What the items are in a format; the caller frees it. */
static char *write_items(enum writer_format format, bool several, int count)
{
	struct writer writer;
	char *text;
	size_t size;
	FILE *file = open_memstream(&text, &size);

	writer_begin(&writer, file, format, several);
	for (int i = 0; i < count; i++)
		ck_assert_int_eq(writer_item(&writer, 7 + i, &items[i]), 0);
	ck_assert_int_eq(writer_end(&writer), 0);
	fclose(file);
	return text;
}

static void expect(enum writer_format format, bool several, int count,
		   const char *expected)
{
	char *text = write_items(format, several, count);

	ck_assert_str_eq(text, expected);
	free(text);
}

START_TEST(csv_has_a_header_and_shortest_decimals)
{
	expect(WRITER_CSV, false, ITEM_COUNT,
	       "id,xmin,ymin,xmax,ymax\n"
	       "1,10.5,55,11,55.25\n"
	       "-2,0.1,-1e-07,0.1,1e+22\n"
	       "9223372036854775807,-0,3,-0,3\n");
	expect(WRITER_CSV, true, 1,
	       "query,id,xmin,ymin,xmax,ymax\n"
	       "7,1,10.5,55,11,55.25\n");
	expect(WRITER_CSV, false, 0, "id,xmin,ymin,xmax,ymax\n");
}
END_TEST

START_TEST(json_lines_have_id_and_bbox)
{
	expect(WRITER_JSONL, false, 2,
	       "{\"id\":1,\"bbox\":[10.5,55,11,55.25]}\n"
	       "{\"id\":-2,\"bbox\":[0.1,-1e-07,0.1,1e+22]}\n");
	expect(WRITER_JSONL, true, 1,
	       "{\"query\":7,\"id\":1,\"bbox\":[10.5,55,11,55.25]}\n");
	expect(WRITER_JSONL, false, 0, "");
}
END_TEST

START_TEST(geojson_is_one_collection_of_polygons_lines_and_points)
{
	expect(WRITER_GEOJSON, false, ITEM_COUNT,
	       "{\"type\":\"FeatureCollection\",\"features\":[\n"
	       "{\"type\":\"Feature\",\"id\":1,\"properties\":{},\"geometry\":"
	       "{\"type\":\"Polygon\",\"coordinates\":[[[10.5,55],[11,55],"
	       "[11,55.25],[10.5,55.25],[10.5,55]]]}},\n"
	       "{\"type\":\"Feature\",\"id\":-2,\"properties\":{},"
	       "\"geometry\":{\"type\":\"LineString\",\"coordinates\":"
	       "[[0.1,-1e-07],[0.1,1e+22]]}},\n"
	       "{\"type\":\"Feature\",\"id\":9223372036854775807,"
	       "\"properties\":{},\"geometry\":{\"type\":\"Point\","
	       "\"coordinates\":[-0,3]}}\n"
	       "]}\n");
	expect(WRITER_GEOJSON, true, 1,
	       "{\"type\":\"FeatureCollection\",\"features\":[\n"
	       "{\"type\":\"Feature\",\"id\":1,\"properties\":{\"query\":7},"
	       "\"geometry\":{\"type\":\"Polygon\",\"coordinates\":"
	       "[[[10.5,55],[11,55],[11,55.25],[10.5,55.25],[10.5,55]]]}}\n"
	       "]}\n");
	expect(WRITER_GEOJSON, false, 0,
	       "{\"type\":\"FeatureCollection\",\"features\":[\n]}\n");
}
END_TEST

START_TEST(wkt_lines_have_the_id_first)
{
	expect(WRITER_WKT, false, ITEM_COUNT,
	       "1 POLYGON((10.5 55,11 55,11 55.25,10.5 55.25,10.5 55))\n"
	       "-2 LINESTRING(0.1 -1e-07,0.1 1e+22)\n"
	       "9223372036854775807 POINT(-0 3)\n");
	expect(WRITER_WKT, true, 1,
	       "7 1 POLYGON((10.5 55,11 55,11 55.25,10.5 55.25,10.5 55))\n");
}
END_TEST

START_TEST(text_is_for_people)
{
	expect(WRITER_TEXT, false, 1, "         1  (10.5, 55) - (11, 55.25)\n");
	expect(WRITER_TEXT, true, 1,
	       "7:          1  (10.5, 55) - (11, 55.25)\n");
}
END_TEST

static void expect_neighbours(enum writer_format format, const char *expected)
{
	static const double distances[] = {0.1, INFINITY};
	struct writer writer;
	char *text;
	size_t size;
	FILE *file = open_memstream(&text, &size);

	writer_begin_neighbours(&writer, file, format);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(
			writer_neighbour(&writer, &items[2 * i], distances[i]),
			0);
	ck_assert_int_eq(writer_end(&writer), 0);
	fclose(file);
	ck_assert_str_eq(text, expected);
	free(text);
}

START_TEST(neighbours_have_a_distance)
{
	expect_neighbours(WRITER_TEXT, "         1  (10.5, 55) - (11, 55.25)"
				       "  distance 0.1\n"
				       "9223372036854775807  (-0, 3) - (-0, 3)"
				       "  distance inf\n");
	expect_neighbours(WRITER_CSV, "id,xmin,ymin,xmax,ymax,distance\n"
				      "1,10.5,55,11,55.25,0.1\n"
				      "9223372036854775807,-0,3,-0,3,inf\n");
	expect_neighbours(WRITER_JSONL,
			  "{\"id\":1,\"bbox\":[10.5,55,11,55.25],"
			  "\"distance\":0.1}\n"
			  "{\"id\":9223372036854775807,\"bbox\":[-0,3,-0,3],"
			  "\"distance\":null}\n");
	expect_neighbours(
		WRITER_GEOJSON,
		"{\"type\":\"FeatureCollection\",\"features\":[\n"
		"{\"type\":\"Feature\",\"id\":1,\"properties\":"
		"{\"distance\":0.1},\"geometry\":{\"type\":\"Polygon\","
		"\"coordinates\":[[[10.5,55],[11,55],[11,55.25],"
		"[10.5,55.25],[10.5,55]]]}},\n"
		"{\"type\":\"Feature\",\"id\":9223372036854775807,"
		"\"properties\":{\"distance\":null},\"geometry\":"
		"{\"type\":\"Point\",\"coordinates\":[-0,3]}}\n"
		"]}\n");
	expect_neighbours(WRITER_WKT,
			  "1 POLYGON((10.5 55,11 55,11 55.25,10.5 55.25,"
			  "10.5 55))\n"
			  "9223372036854775807 POINT(-0 3)\n");
}
END_TEST

START_TEST(what_was_written_as_csv_reads_back_the_same)
{
	struct csv_reader *reader;
	struct random random;
	struct writer writer;
	struct item item, back;
	FILE *file = tmpfile();

	random_seed(&random, 3);
	writer_begin(&writer, file, WRITER_CSV, false);
	for (int i = 0; i < 20000; i++) {
		struct rect r = {{random_unit(&random) * -180,
				  random_unit(&random) * 1e-9},
				 {random_unit(&random), 1}};
		item = (struct item){(int64_t)random_next(&random), r};
		ck_assert_int_eq(writer_item(&writer, 0, &item), 0);
	}
	ck_assert_int_eq(writer_end(&writer), 0);

	rewind(file);
	random_seed(&random, 3);
	ck_assert_int_eq(csv_open_fd(fileno(file), "x", CSV_ITEMS, &reader), 0);
	for (int i = 0; i < 20000; i++) {
		struct rect r = {{random_unit(&random) * -180,
				  random_unit(&random) * 1e-9},
				 {random_unit(&random), 1}};
		ck_assert_int_eq(csv_next_item(reader, &back), 1);
		ck_assert_int_eq(back.id, (int64_t)random_next(&random));
		ck_assert(rect_equal(&back.rect, &r));
	}
	csv_close(reader);
	fclose(file);
}
END_TEST

START_TEST(a_full_disk_is_an_error)
{
	struct writer writer;
	FILE *file = fopen("/dev/full", "w");

	ck_assert_ptr_nonnull(file);
	writer_begin(&writer, file, WRITER_CSV, false);
	ck_assert_int_eq(writer_end(&writer), ERR_NO_ROOM);
	ck_assert_str_eq(err_text(),
			 "can't write the results: No space left on device");
	fclose(file);
}
END_TEST

START_TEST(formats_go_by_their_names)
{
	enum writer_format format;

	ck_assert_int_eq(writer_format_parse("geojson", &format), 0);
	ck_assert_int_eq(format, WRITER_GEOJSON);
	ck_assert_int_eq(writer_format_parse("text", &format), 0);
	ck_assert_int_eq(format, WRITER_TEXT);
	ck_assert_int_eq(writer_format_parse("xml", &format), ERR_USAGE);
}
END_TEST

Suite *test_suite(const char **why)
{
	Suite *suite = suite_create("writer");
	TCase *tests = tcase_create("writer");

	(void)why;
	tcase_add_test(tests, csv_has_a_header_and_shortest_decimals);
	tcase_add_test(tests, json_lines_have_id_and_bbox);
	tcase_add_test(tests,
		       geojson_is_one_collection_of_polygons_lines_and_points);
	tcase_add_test(tests, wkt_lines_have_the_id_first);
	tcase_add_test(tests, text_is_for_people);
	tcase_add_test(tests, neighbours_have_a_distance);
	tcase_add_test(tests, what_was_written_as_csv_reads_back_the_same);
	tcase_add_test(tests, a_full_disk_is_an_error);
	tcase_add_test(tests, formats_go_by_their_names);
	suite_add_tcase(suite, tests);
	return suite;
}
