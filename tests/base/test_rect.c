/* SPDX-License-Identifier: BSD-2-Clause */

/* Rectangles are closed: their edges count as inside. */

#include "base/rect.h"

#include "tests/lib/test.h"

static const struct rect unit = {{0, 0}, {1, 1}};
static const struct rect corner = {{1, 1}, {2, 2}};
static const struct rect apart = {{1.5, 1}, {2, 2}};
static const struct rect point = {{1, 0}, {1, 0}};
static const struct rect strip = {{0, 0.25}, {1, 0.75}};

START_TEST(touching_edges_intersect)
{
	ck_assert(rect_intersects(&unit, &corner));
	ck_assert(rect_intersects(&corner, &unit));
	ck_assert(rect_intersects(&unit, &point));
	ck_assert(!rect_intersects(&unit, &apart));
	ck_assert(!rect_intersects(&apart, &unit));
}
END_TEST

START_TEST(edges_may_be_shared_by_what_is_contained)
{
	ck_assert(rect_contains(&unit, &unit));
	ck_assert(rect_contains(&unit, &strip));
	ck_assert(rect_contains(&unit, &point));
	ck_assert(!rect_contains(&strip, &unit));
	ck_assert(!rect_contains(&unit, &corner));
}
END_TEST

START_TEST(relations_say_which_of_both_contains_the_other)
{
	ck_assert(rect_relation_holds(RELATION_CONTAINS, &unit, &strip));
	ck_assert(!rect_relation_holds(RELATION_WITHIN, &unit, &strip));
	ck_assert(rect_relation_holds(RELATION_WITHIN, &strip, &unit));
	ck_assert(!rect_relation_holds(RELATION_CONTAINS, &strip, &unit));
	ck_assert(rect_relation_holds(RELATION_INTERSECTS, &strip, &unit));
	ck_assert(!rect_relation_holds(RELATION_INTERSECTS, &apart, &unit));
}
END_TEST

START_TEST(only_finite_rectangles_in_order_are_valid)
{
	ck_assert(rect_valid(&unit));
	ck_assert(rect_valid(&point));
	ck_assert(!rect_valid(&(struct rect){{1, 0}, {0, 1}}));
	ck_assert(!rect_valid(&(struct rect){{0, NAN}, {1, 1}}));
	ck_assert(!rect_valid(&(struct rect){{0, 0}, {INFINITY, 1}}));
	struct rect empty = rect_empty();
	ck_assert(!rect_valid(&empty));
}
END_TEST

START_TEST(extending_nothing_gives_the_rectangle_itself)
{
	struct rect r = rect_empty();

	rect_extend(&r, &strip);
	ck_assert(rect_equal(&r, &strip));
	rect_extend(&r, &corner);
	ck_assert(rect_equal(&r, &(struct rect){{0, 0.25}, {2, 2}}));
}
END_TEST

START_TEST(the_sign_of_zero_does_not_matter)
{
	struct rect negative = {{-0.0, -0.0}, {1, 1}};

	ck_assert(rect_equal(&unit, &negative));
	ck_assert(rect_contains(&negative, &unit));
	ck_assert(rect_contains(&unit, &negative));
}
END_TEST

Suite *test_suite(const char **why)
{
	Suite *suite = suite_create("rect");
	TCase *tcase = tcase_create("rect");

	tcase_add_test(tcase, touching_edges_intersect);
	tcase_add_test(tcase, edges_may_be_shared_by_what_is_contained);
	tcase_add_test(tcase, relations_say_which_of_both_contains_the_other);
	tcase_add_test(tcase, only_finite_rectangles_in_order_are_valid);
	tcase_add_test(tcase, extending_nothing_gives_the_rectangle_itself);
	tcase_add_test(tcase, the_sign_of_zero_does_not_matter);
	suite_add_tcase(suite, tcase);
	return suite;
}
