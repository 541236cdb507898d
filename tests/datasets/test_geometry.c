/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/lib/test.h"

#include <geos_c.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/random.h"
#include "datasets/geometry.h"
#include "datasets/writer.h"

/* Whether the rectangle matches the text. */
static int ask(const char *wkt, enum relation relation, double xmin,
	       double ymin, double xmax, double ymax)
{
	struct rect rect = {{xmin, ymin}, {xmax, ymax}};
	struct geometry *geometry;

	ck_assert_msg(!geometry_create(wkt, relation, &geometry), "%s: %s", wkt,
		      err_text());
	int yes = geometry_matches(geometry, &rect);
	geometry_destroy(geometry);
	return yes;
}

static void expect_refusal(const char *wkt, const char *words)
{
	struct geometry *geometry;

	ck_assert_int_eq(geometry_create(wkt, RELATION_INTERSECTS, &geometry),
			 ERR_USAGE);
	ck_assert_msg(strstr(err_text(), words), "%s: %s", wkt, err_text());
}

static const char triangle[] = "POLYGON((0 0,4 0,0 4,0 0))";
static const char ring[] =
	"POLYGON((0 0,9 0,9 9,0 9,0 0),(3 3,6 3,6 6,3 6,3 3))";

START_TEST(touching_edges_and_corners_intersect)
{
	ck_assert_int_eq(ask(triangle, RELATION_INTERSECTS, 2, 2, 5, 5), 1);
	ck_assert_int_eq(ask(triangle, RELATION_INTERSECTS, -1, -1, 0, 0), 1);
	ck_assert_int_eq(ask(triangle, RELATION_INTERSECTS, 4, -1, 5, 1), 1);
	ck_assert_int_eq(ask(triangle, RELATION_INTERSECTS, 3, 3, 4, 4), 0);
	ck_assert_int_eq(ask(ring, RELATION_INTERSECTS, 4, 4, 5, 5), 0);
	ck_assert_int_eq(ask(ring, RELATION_INTERSECTS, 4, 4, 6, 5), 1);
}
END_TEST

START_TEST(within_counts_the_edge_as_inside)
{
	ck_assert_int_eq(ask(triangle, RELATION_WITHIN, 0, 0, 2, 2), 1);
	ck_assert_int_eq(ask(triangle, RELATION_WITHIN, 0, 0, 2, 2.5), 0);
	ck_assert_int_eq(ask(ring, RELATION_WITHIN, 0, 0, 9, 3), 1);
	ck_assert_int_eq(ask(ring, RELATION_WITHIN, 0, 0, 9, 4), 0);
}
END_TEST

START_TEST(an_item_contains_what_its_rectangle_covers)
{
	ck_assert_int_eq(ask(triangle, RELATION_CONTAINS, 0, 0, 4, 4), 1);
	ck_assert_int_eq(ask(triangle, RELATION_CONTAINS, 0, 0, 4, 3), 0);
	ck_assert_int_eq(ask("POINT(1 1)", RELATION_CONTAINS, 1, 1, 1, 1), 1);
}
END_TEST

START_TEST(rectangles_without_area_are_lines_and_points)
{
	ck_assert_int_eq(ask(triangle, RELATION_WITHIN, 0, 4, 0, 4), 1);
	ck_assert_int_eq(ask(triangle, RELATION_WITHIN, 1, 1, 3, 1), 1);
	ck_assert_int_eq(ask(triangle, RELATION_WITHIN, 1, 1, 3.5, 1), 0);
	ck_assert_int_eq(ask(triangle, RELATION_WITHIN, 0, 0, 0, 4), 1);
	ck_assert_int_eq(
		ask("LINESTRING(0 0,5 0)", RELATION_WITHIN, 1, 0, 2, 0), 1);
	ck_assert_int_eq(
		ask("LINESTRING(0 0,5 5)", RELATION_INTERSECTS, 3, 3, 3, 3), 1);
}
END_TEST

START_TEST(the_envelope_is_the_smallest_rectangle)
{
	struct geometry *geometry;

	ck_assert_int_eq(geometry_create("MULTIPOINT((1 7),(-3 2))",
					 RELATION_INTERSECTS, &geometry),
			 0);
	struct rect box = geometry_envelope(geometry);
	ck_assert(rect_equal(&box, &(struct rect){{-3, 2}, {1, 7}}));
	geometry_destroy(geometry);
}
END_TEST

START_TEST(what_cannot_be_a_query_is_refused_in_words)
{
	expect_refusal("", "not well-known text");
	expect_refusal("POLYGON((0 0,1 1", "not well-known text");
	expect_refusal("POLYGON((0 0,1 1,0 0))", "Too few points");
	expect_refusal("CIRCLE(0 0 1)", "Unknown type: 'CIRCLE'");
	expect_refusal("POLYGON EMPTY", "an empty geometry");
	expect_refusal("POLYGON((0 0,2 2,2 0,0 2,0 0))", "Self-intersection");
	expect_refusal("LINESTRING(0 0,1e999 1)", "Invalid Coordinate");
	expect_refusal("GEOMETRYCOLLECTION(POINT(1 1))", "GEOMETRYCOLLECTION");
}
END_TEST

/* --- Against GEOS's own predicates -------------------------------------- */

/* A star around the middle of a square of 10, with corners on its grid so that
 * edges often touch. */
static void random_star(struct random *random, char *wkt, size_t size)
{
	static const int directions[8][2] = {{1, 0},  {1, 1},  {0, 1},
					     {-1, 1}, {-1, 0}, {-1, -1},
					     {0, -1}, {1, -1}};
	size_t used = (size_t)snprintf(wkt, size, "POLYGON((");
	int first[2] = {0, 0};

	for (int i = 0; i < 8; i++) {
		int reach = 1 + (int)random_below(random, 5);
		int x = 5 + directions[i][0] * reach;
		int y = 5 + directions[i][1] * reach;
		if (!i)
			first[0] = x, first[1] = y;
		used += (size_t)snprintf(wkt + used, size - used, "%d %d,", x,
					 y);
	}
	snprintf(wkt + used, size - used, "%d %d))", first[0], first[1]);
}

static struct rect random_rect(struct random *random)
{
	struct rect rect;

	for (int d = 0; d < DIMENSIONS; d++) {
		double a = 0.5 * (double)random_below(random, 21);
		double b = a + 0.5 * (double)random_below(random, 7);
		rect.min[d] = a;
		rect.max[d] = b;
	}
	return rect;
}

/* The rectangle as GEOS reads what the writer makes of it. */
static GEOSGeometry *read_rect(GEOSContextHandle_t context,
			       GEOSWKTReader *reader, const struct rect *rect)
{
	const struct item item = {0, *rect};
	struct writer writer;
	char text[512] = "";
	FILE *file = fmemopen(text, sizeof(text) - 1, "w");

	writer_begin(&writer, file, WRITER_WKT, false);
	writer_item(&writer, 0, &item);
	writer_end(&writer);
	fclose(file);
	return GEOSWKTReader_read_r(context, reader, strchr(text, ' '));
}

static int ask_geos(GEOSContextHandle_t context, enum relation relation,
		    const GEOSGeometry *query, const GEOSGeometry *item)
{
	switch (relation) {
	case RELATION_INTERSECTS:
		return GEOSIntersects_r(context, item, query);
	case RELATION_CONTAINS:
		return GEOSCovers_r(context, item, query);
	case RELATION_WITHIN:
		return GEOSCoveredBy_r(context, item, query);
	}
	return 2;
}

START_TEST(all_relations_are_those_of_geos)
{
	enum relation relation = (enum relation)_i;
	GEOSContextHandle_t context = GEOS_init_r();
	GEOSWKTReader *reader = GEOSWKTReader_create_r(context);
	struct random random;
	int answers = 0, candidates = 0;

	random_seed(&random, 17);
	for (int i = 0; i < 100; i++) {
		struct geometry *geometry;
		char wkt[256];

		random_star(&random, wkt, sizeof(wkt));
		if (relation == RELATION_CONTAINS)
			snprintf(wkt, sizeof(wkt), "LINESTRING(%d 4,4 %d)",
				 3 + i % 3, 5 + i % 2);
		ck_assert_int_eq(geometry_create(wkt, relation, &geometry), 0);
		GEOSGeometry *query =
			GEOSWKTReader_read_r(context, reader, wkt);
		struct rect box = geometry_envelope(geometry);
		for (int j = 0; j < 200; j++) {
			struct rect rect = random_rect(&random);
			GEOSGeometry *item = read_rect(context, reader, &rect);
			int expected = ask_geos(context, relation, query, item);
			ck_assert_int_eq(geometry_matches(geometry, &rect),
					 expected);
			/* The tree, asked with the envelope, finds it. */
			bool found = rect_relation_holds(relation, &rect, &box);
			ck_assert(found || !expected);
			answers += expected;
			candidates += found;
			GEOSGeom_destroy_r(context, item);
		}
		GEOSGeom_destroy_r(context, query);
		geometry_destroy(geometry);
	}
	fprintf(stderr, "relation %d: %d answers of %d candidates\n", _i,
		answers, candidates);
	ck_assert_int_gt(answers, 200);
	GEOSWKTReader_destroy_r(context, reader);
	GEOS_finish_r(context);
}
END_TEST

Suite *test_suite(const char **why)
{
	Suite *suite = suite_create("geometry");
	TCase *tests = tcase_create("geometry");

	(void)why;
	tcase_add_test(tests, touching_edges_and_corners_intersect);
	tcase_add_test(tests, within_counts_the_edge_as_inside);
	tcase_add_test(tests, an_item_contains_what_its_rectangle_covers);
	tcase_add_test(tests, rectangles_without_area_are_lines_and_points);
	tcase_add_test(tests, the_envelope_is_the_smallest_rectangle);
	tcase_add_test(tests, what_cannot_be_a_query_is_refused_in_words);
	tcase_add_loop_test(tests, all_relations_are_those_of_geos,
			    RELATION_INTERSECTS, RELATION_WITHIN + 1);
	suite_add_tcase(suite, tests);
	return suite;
}
