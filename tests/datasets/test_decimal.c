/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/lib/test.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "datasets/decimal.h"

/* Reads a whole text as a double; NAN when anything is left over. */
static double read_double(const char *text)
{
	double value;
	const char *end = decimal_read_double(text, &value);

	return end && !*end ? value : NAN;
}

static void must_be_what_strtod_reads(const char *text)
{
	double expected = strtod(text, NULL);
	double value = read_double(text);

	ck_assert_msg(!memcmp(&value, &expected, sizeof(value)),
		      "%s: %a instead of %a", text, value, expected);
}

START_TEST(any_double_with_any_number_of_digits_is_read_as_by_strtod)
{
	struct random random;
	char text[64];

	random_seed(&random, 1);
	for (int i = 0; i < 200000; i++) {
		uint64_t bits = random_next(&random);
		double value;
		memcpy(&value, &bits, sizeof(value));
		if (!isfinite(value))
			continue;
		snprintf(text, sizeof(text), "%.*e", i % 20, value);
		must_be_what_strtod_reads(text);
		snprintf(text, sizeof(text), "%.*g", 1 + i % 20,
			 (random_unit(&random) - 0.5) * 360);
		must_be_what_strtod_reads(text);
	}
}
END_TEST

/* A tie between two doubles goes to the even one; the smallest digit more
 * breaks it. */
START_TEST(ties_are_rounded_to_even)
{
	ck_assert(read_double("9007199254740993") == 0x1p53);
	ck_assert(read_double("9007199254740993.0") == 0x1p53);
	ck_assert(read_double("9007199254740993.001") == 0x1p53 + 2);
	ck_assert(read_double("9007199254740995") == 0x1p53 + 4);
	ck_assert(read_double("0.5000000000000000277") == 0.5);
	must_be_what_strtod_reads("4503599627370497.5");
	must_be_what_strtod_reads("4503599627370496.5");
	must_be_what_strtod_reads("4503599627370496.51");
}
END_TEST

START_TEST(every_way_to_write_a_decimal_is_read)
{
	static const char *const texts[] = {
		"0",
		"-0",
		"+1",
		"1.",
		".5",
		"-.5e1",
		"1e22",
		"1E-5",
		"1e+05",
		"000012.500",
		"1e308",
		"1e-308",
		"5e-324",
		"1e-400",
		"18446744073709551615",
		"18446744073709551616",
		"0.0000000000000000000000001",
		"123456789012345678901234567890",
		"0.1000000000000000055511151231257827021181583404541015625",
	};
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		must_be_what_strtod_reads(texts[i]);
	ck_assert(isinf(read_double("1e999")));
	ck_assert(isinf(read_double("-1e99999999999")));
}
END_TEST

START_TEST(what_is_no_decimal_is_refused)
{
	static const char *const texts[] = {
		"",    "-",   ".",   "e5", "nan", "inf",
		"abc", "--1", "0x1", "1e", "1,5", "1 ",
	};
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		ck_assert_msg(isnan(read_double(texts[i])), "'%s'", texts[i]);
}
END_TEST

START_TEST(integers_fill_64_bits_and_no_more)
{
	int64_t value;

	ck_assert(decimal_read_int64("9223372036854775807", &value));
	ck_assert_int_eq(value, INT64_MAX);
	ck_assert(decimal_read_int64("-9223372036854775808", &value));
	ck_assert_int_eq(value, INT64_MIN);
	ck_assert(decimal_read_int64("+007,", &value));
	ck_assert_int_eq(value, 7);
	ck_assert_ptr_null(decimal_read_int64("9223372036854775808", &value));
	ck_assert_ptr_null(decimal_read_int64("-9223372036854775809", &value));
	ck_assert_ptr_null(decimal_read_int64("18446744073709551617", &value));
	ck_assert_ptr_null(decimal_read_int64("-", &value));
	ck_assert_ptr_null(decimal_read_int64("x", &value));
}
END_TEST

Suite *test_suite(const char **why)
{
	Suite *suite = suite_create("decimal");
	TCase *tests = tcase_create("decimal");

	(void)why;
	tcase_add_test(
		tests,
		any_double_with_any_number_of_digits_is_read_as_by_strtod);
	tcase_add_test(tests, ties_are_rounded_to_even);
	tcase_add_test(tests, every_way_to_write_a_decimal_is_read);
	tcase_add_test(tests, what_is_no_decimal_is_refused);
	tcase_add_test(tests, integers_fill_64_bits_and_no_more);
	suite_add_tcase(suite, tests);
	return suite;
}
