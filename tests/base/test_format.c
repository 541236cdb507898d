/* SPDX-License-Identifier: BSD-2-Clause */

/* A double goes to text and comes back as the same bits, in the fewest digits
 * that do so. */

#include "base/format.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "tests/lib/test.h"

enum { RANDOM_DOUBLES = 100000 };

static double double_of_bits(uint64_t bits)
{
	double value;

	memcpy(&value, &bits, sizeof(value));
	return value;
}

static int significant_digits(const char *text)
{
	int digits = 0, zeros = 0;

	for (; *text && *text != 'e'; text++) {
		if (*text < '0' || *text > '9' || (*text == '0' && !digits))
			continue;
		digits++;
		zeros = *text == '0' ? zeros + 1 : 0;
	}
	return digits - zeros;
}

/* It reads back, and no shorter rounding of the value does. */
static void assert_shortest(double value)
{
	char text[FORMAT_DOUBLE_SIZE], shorter[FORMAT_DOUBLE_SIZE];
	size_t length = format_double(text, value);
	int digits = significant_digits(text);

	if (length != strlen(text) || length > 24)
		ck_abort_msg("%s is said to be %zu long", text, length);
	double back = strtod(text, NULL);
	if (memcmp(&back, &value, sizeof(value)))
		ck_abort_msg("%a became %s", value, text);
	if (digits < 2)
		return;
	snprintf(shorter, sizeof(shorter), "%.*e", digits - 2, value);
	if (strtod(shorter, NULL) == value)
		ck_abort_msg("%s is longer than %s", text, shorter);
}

START_TEST(any_double_comes_back_from_the_fewest_digits)
{
	struct random random;

	random_seed(&random, 1);
	for (int i = 0; i < RANDOM_DOUBLES; i++) {
		double value = double_of_bits(random_next(&random));
		if (isfinite(value))
			assert_shortest(value);
	}
}
END_TEST

START_TEST(coordinates_come_back_from_the_fewest_digits)
{
	struct random random;

	random_seed(&random, 2);
	for (int i = 0; i < RANDOM_DOUBLES; i++) {
		int exponent = (int)random_below(&random, 66) - 11;
		double value = ldexp(1 + random_unit(&random), exponent);
		assert_shortest(i % 2 ? value : -value);
	}
}
END_TEST

START_TEST(powers_of_two_come_back_from_the_fewest_digits)
{
	for (int exponent = -1074; exponent <= 1023; exponent++)
		assert_shortest(ldexp(1, exponent));
}
END_TEST

START_TEST(known_doubles_look_as_expected)
{
	static const struct {
		double value;
		const char *text;
	} cases[] = {
		{0, "0"},
		{-0.0, "-0"},
		{1, "1"},
		{-180, "-180"},
		{0.1, "0.1"},
		{0.1 + 0.2, "0.30000000000000004"},
		{100, "100"},
		{-12.0625, "-12.0625"},
		{179.999999, "179.999999"},
		{1.0 / 3, "0.3333333333333333"},
		{9007199254740991.0, "9007199254740991"},
		{9007199254740993.0, "9007199254740992"},
		{0.001, "0.001"},
		/* Halfway between two decimals: the even one. */
		{0x1.742de24161238p46, "102303848749128.88"},
		{1e22, "1e+22"},
		{1e-7, "1e-07"},
		/* Printed by 16 digits, this one would not read back; rounded
		 * up it does. */
		{0x1p-24, "5.960464477539063e-08"},
		{0x1p-1074, "5e-324"},
		{0x1p-1022, "2.2250738585072014e-308"},
		{0x1.fffffffffffffp1023, "1.7976931348623157e+308"},
		{INFINITY, "inf"},
	};
	char text[FORMAT_DOUBLE_SIZE];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		format_double(text, cases[i].value);
		ck_assert_str_eq(text, cases[i].text);
	}
}
END_TEST

START_TEST(six_decimal_places_stay_six)
{
	char text[FORMAT_DOUBLE_SIZE], expected[FORMAT_DOUBLE_SIZE];
	struct random random;

	random_seed(&random, 3);
	for (int i = 0; i < RANDOM_DOUBLES; i++) {
		uint64_t micro = random_below(&random, 360000000);
		micro += micro % 10 == 0;
		snprintf(expected, sizeof(expected), "%d.%06d",
			 (int)(micro / 1000000), (int)(micro % 1000000));
		format_double(text, (double)micro / 1e6);
		/* What is smaller has an exponent. */
		if (micro >= 10000 && strcmp(text, expected) != 0)
			ck_abort_msg("%s instead of %s", text, expected);
	}
}
END_TEST

START_TEST(sizes_are_rounded_for_people)
{
	char text[FORMAT_SIZE_SIZE];

	ck_assert_str_eq(format_size(text, 0), "0 B");
	ck_assert_str_eq(format_size(text, 1023), "1023 B");
	ck_assert_str_eq(format_size(text, 1536), "1.5 KiB");
	ck_assert_str_eq(format_size(text, UINT64_C(3) << 29), "1.5 GiB");
	ck_assert_str_eq(format_size(text, UINT64_MAX), "16.0 EiB");
}
END_TEST

Suite *test_suite(const char **why)
{
	Suite *suite = suite_create("format");
	TCase *tcase = tcase_create("format");

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, any_double_comes_back_from_the_fewest_digits);
	tcase_add_test(tcase, coordinates_come_back_from_the_fewest_digits);
	tcase_add_test(tcase, powers_of_two_come_back_from_the_fewest_digits);
	tcase_add_test(tcase, known_doubles_look_as_expected);
	tcase_add_test(tcase, six_decimal_places_stay_six);
	tcase_add_test(tcase, sizes_are_rounded_for_people);
	suite_add_tcase(suite, tcase);
	return suite;
}
