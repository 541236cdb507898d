/* SPDX-License-Identifier: BSD-2-Clause */

/* A seed gives the same numbers on every machine. */

#include "base/random.h"

#include <stdlib.h>

#include "tests/lib/test.h"

/* Computed by an implementation of its own, from the authors' description. */
START_TEST(a_seed_gives_the_published_sequence)
{
	static const struct {
		uint64_t seed;
		uint64_t next[4];
	} cases[] = {
		{0,
		 {0x53175d61490b23df, 0x61da6f3dc380d507, 0x5c0fdf91ec9a7bfc,
		  0x02eebf8c3bbe5e1a}},
		{42,
		 {0xd0764d4f4476689f, 0x519e4174576f3791, 0xfbe07cfb0c24ed8c,
		  0xb37d9f600cd835b8}},
		{UINT64_MAX,
		 {0x56ccf8ce948e27b2, 0xe68588432e5a5b90, 0xe3e9b5a48119ca8b,
		  0x460f19495532ae73}},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct random random;
		random_seed(&random, cases[i].seed);
		for (int j = 0; j < 4; j++)
			ck_assert_uint_eq(random_next(&random),
					  cases[i].next[j]);
	}
}
END_TEST

START_TEST(units_are_the_upper_53_bits)
{
	struct random a, b;

	random_seed(&a, 7);
	random_seed(&b, 7);
	for (int i = 0; i < 10000; i++) {
		double unit = random_unit(&a);
		ck_assert(unit >= 0 && unit < 1);
		ck_assert(unit * 0x1p53 == (double)(random_next(&b) >> 11));
	}
}
END_TEST

START_TEST(numbers_below_a_bound_are_evenly_spread)
{
	enum { BELOW = 7, DRAWS = 70000 };
	struct random random;
	int drawn[BELOW] = {0};

	random_seed(&random, 8);
	for (int i = 0; i < DRAWS; i++) {
		uint64_t number = random_below(&random, BELOW);
		ck_assert_uint_lt(number, BELOW);
		drawn[number]++;
	}
	/* Five standard deviations, with a seed that doesn't change. */
	for (int i = 0; i < BELOW; i++)
		ck_assert_int_lt(abs(drawn[i] - DRAWS / BELOW), 463);
}
END_TEST

/* Two thirds of 2^64, rounded up: without rejection even numbers would come up
 * twice as often as odd ones. */
START_TEST(a_bound_near_the_limit_is_without_bias)
{
	uint64_t below = UINT64_MAX / 3 * 2 + 1;
	enum { DRAWS = 10000 };
	struct random random;
	int odd = 0;

	random_seed(&random, 9);
	for (int i = 0; i < DRAWS; i++) {
		uint64_t number = random_below(&random, below);
		ck_assert_uint_lt(number, below);
		odd += number % 2;
	}
	ck_assert_int_lt(abs(odd - DRAWS / 2), 250);
	ck_assert_uint_eq(random_below(&random, 1), 0);
}
END_TEST

START_TEST(entropy_differs_from_call_to_call)
{
	ck_assert_uint_ne(random_entropy(), random_entropy());
}
END_TEST

Suite *test_suite(const char **why)
{
	Suite *suite = suite_create("random");
	TCase *tcase = tcase_create("random");

	tcase_add_test(tcase, a_seed_gives_the_published_sequence);
	tcase_add_test(tcase, units_are_the_upper_53_bits);
	tcase_add_test(tcase, numbers_below_a_bound_are_evenly_spread);
	tcase_add_test(tcase, a_bound_near_the_limit_is_without_bias);
	tcase_add_test(tcase, entropy_differs_from_call_to_call);
	suite_add_tcase(suite, tcase);
	return suite;
}
