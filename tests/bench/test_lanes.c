/* SPDX-License-Identifier: BSD-2-Clause */

/* The numbers that bench/layouts keeps boxes in: comparing many at once is
 * comparing each, and rounding loses no answer. */

#include "bench/lanes.h"

#include "base/random.h"
#include "tests/lib/test.h"

enum { LANES = 64, TRIES = 200 };

/* Few different values, so that many are equal. */
#define COMPARES_ONE_BY_ONE(KIND)                                              \
	START_TEST(KIND##_lanes_compare_as_each_does)                          \
	{                                                                      \
		struct random random;                                          \
		random_seed(&random, 1);                                       \
		for (int try = 0; try < TRIES; try++) {                        \
			unsigned count = 1 + (unsigned)(try % LANES);          \
			KIND lanes[LANES], limit;                              \
			uint64_t at_most = 0, at_least = 0;                    \
			limit = (KIND)random_below(&random, 256);              \
			for (unsigned i = 0; i < count; i++) {                 \
				lanes[i] = i % 3 ? (KIND)random_below(&random, \
								      256)     \
						 : limit;                      \
				at_most |= (uint64_t)(lanes[i] <= limit) << i; \
				at_least |= (uint64_t)(lanes[i] >= limit)      \
					    << i;                              \
			}                                                      \
			ck_assert_uint_eq(KIND##_at_most(lanes, count, limit), \
					  at_most);                            \
			ck_assert_uint_eq(                                     \
				KIND##_at_least(lanes, count, limit),          \
				at_least);                                     \
		}                                                              \
	}                                                                      \
	END_TEST

COMPARES_ONE_BY_ONE(u8)
COMPARES_ONE_BY_ONE(u16)
COMPARES_ONE_BY_ONE(f32)
COMPARES_ONE_BY_ONE(f64)

START_TEST(floats_are_rounded_outwards)
{
	struct random random;
	int inexact = 0;

	random_seed(&random, 2);
	for (int i = 0; i < 10000; i++) {
		double v = random_unit(&random) - 0.5;
		double down = f32_down(v, 0, 0), up = f32_up(v, 0, 0);
		ck_assert(down <= v && v <= up);
		ck_assert(up == nextafterf((float)down, INFINITY) ||
			  (down == v && up == v));
		inexact += down != up;
	}
	ck_assert_int_gt(inexact, 9000);
}
END_TEST

START_TEST(cells_never_fall_when_coordinates_grow)
{
	const double origin = -0.25, scale = 1000;
	struct random random;

	random_seed(&random, 3);
	for (int i = 0; i < 10000; i++) {
		double a = 2 * random_unit(&random) - 1;
		double b = a + random_unit(&random) / 1000;
		ck_assert_int_le(u8_down(a, origin, scale),
				 u8_up(b, origin, scale));
		ck_assert_int_le(u16_down(a, origin, scale),
				 u16_up(b, origin, scale));
	}
	ck_assert_int_eq(u8_down(-1, origin, scale), 0);
	ck_assert_int_eq(u8_down(1, origin, scale), 255);
	ck_assert_int_eq(u16_down(0, origin, scale), 250);
}
END_TEST

Suite *test_suite(const char **why)
{
	Suite *suite = suite_create("lanes");
	TCase *lanes = tcase_create("lanes");

	(void)why;
	tcase_add_test(lanes, u8_lanes_compare_as_each_does);
	tcase_add_test(lanes, u16_lanes_compare_as_each_does);
	tcase_add_test(lanes, f32_lanes_compare_as_each_does);
	tcase_add_test(lanes, f64_lanes_compare_as_each_does);
	tcase_add_test(lanes, floats_are_rounded_outwards);
	tcase_add_test(lanes, cells_never_fall_when_coordinates_grow);
	suite_add_tcase(suite, lanes);
	return suite;
}
