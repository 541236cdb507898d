/* SPDX-License-Identifier: BSD-2-Clause */

/* Options and CSV fields are read to the last digit, or refused. */

#include "base/parse.h"

#include <string.h>

#include "base/err.h"
#include "tests/lib/test.h"

START_TEST(times_have_units)
{
	static const struct {
		const char *text;
		uint64_t time_ns;
	} cases[] = {
		{"20us", 20000},
		{"5ms", 5000000},
		{"1.5s", 1500000000},
		{"2", 2000000000},
		{"0", 0},
		{"0.000000001", 1},
		{"0.1us", 100},
		{"9223372036s", UINT64_C(9223372036000000000)},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t time_ns;
		ck_assert_int_eq(parse_time_ns(cases[i].text, &time_ns), 0);
		ck_assert_uint_eq(time_ns, cases[i].time_ns);
	}
}
END_TEST

START_TEST(what_is_no_time_is_refused_with_its_text)
{
	static const char *const cases[] = {
		"",    "ms",   " 5ms",	 "5 ms",       "5ms ", "-1",
		"nan", "inf",  "1e400",	 "1e3",	       "5m",   "5msec",
		"5.",  ".5",   "0x10",	 "1,5s",       "5MS",  "1.5.5",
		"+5",  "5s5s", "1e400s", "9223372037",
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t time_ns = 7;
		ck_assert_int_eq(parse_time_ns(cases[i], &time_ns), ERR_USAGE);
		ck_assert_uint_eq(time_ns, 7);
		ck_assert_ptr_nonnull(strstr(err_text(), cases[i]));
	}
}
END_TEST

START_TEST(sizes_are_powers_of_1024)
{
	static const struct {
		const char *text;
		uint64_t size;
	} cases[] = {
		{"4096", 4096},
		{"64K", 65536},
		{"1.5K", 1536},
		{"1.5G", UINT64_C(1610612736)},
		{"3M", 3145728},
		{"9007199254740993", UINT64_C(9007199254740993)},
		{"18446744073709551615", UINT64_MAX},
		{"17179869183G", UINT64_C(17179869183) << 30},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t size;
		ck_assert_int_eq(parse_size(cases[i].text, &size), 0);
		ck_assert_uint_eq(size, cases[i].size);
	}
}
END_TEST

START_TEST(what_is_no_size_is_refused)
{
	static const char *const cases[] = {
		"",    "G",	 "1 G",		 "-1",
		"1T",  "1.5k",	 "1GB",		 "1e3",
		"nan", "0x1000", "17179869184G", "18446744073709551616",
		"1.K",
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t size = 7;
		ck_assert_int_eq(parse_size(cases[i], &size), ERR_USAGE);
		ck_assert_uint_eq(size, 7);
	}
}
END_TEST

START_TEST(integers_reach_their_limits_and_no_further)
{
	int64_t s = 7;
	uint64_t u = 7;

	ck_assert_int_eq(parse_int64("-9223372036854775808", &s), 0);
	ck_assert_int_eq(s, INT64_MIN);
	ck_assert_int_eq(parse_int64("9223372036854775807", &s), 0);
	ck_assert_int_eq(s, INT64_MAX);
	ck_assert_int_eq(parse_int64("9223372036854775808", &s), ERR_USAGE);
	ck_assert_int_eq(parse_uint64("18446744073709551615", &u), 0);
	ck_assert_uint_eq(u, UINT64_MAX);
	ck_assert_int_eq(parse_uint64("18446744073709551616", &u), ERR_USAGE);
	ck_assert_int_eq(parse_uint64("-1", &u), ERR_USAGE);
	ck_assert_int_eq(s, INT64_MAX);
	ck_assert_uint_eq(u, UINT64_MAX);
}
END_TEST

START_TEST(what_is_no_integer_is_refused)
{
	static const char *const cases[] = {
		"", " 1", "1 ", "1.0", "1e3", "0x10", "-", "+", "--1", "1,",
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int64_t s;
		uint64_t u;
		ck_assert_int_eq(parse_int64(cases[i], &s), ERR_USAGE);
		ck_assert_int_eq(parse_uint64(cases[i], &u), ERR_USAGE);
	}
}
END_TEST

START_TEST(doubles_are_finite_decimals)
{
	static const struct {
		const char *text;
		double value;
	} good[] = {
		{"1", 1},
		{"-1.5e3", -1500},
		{".5", 0.5},
		{"+2.", 2},
		{"1e-400", 0},
		{"-0", -0.0},
		{"5e-324", 0x1p-1074},
		{"1.7976931348623157e308", 0x1.fffffffffffffp1023},
	};
	static const char *const bad[] = {
		"",   "nan", "inf", "-inf", "infinity", "1e400", "-1e400",
		" 1", "1 ",  "1,5", "0x10", "0x1p3",	"--1",	 "e5",
		".",  "-",   "1e",  "1..2", "NAN(1)",	"1f",
	};

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		double value;
		ck_assert_int_eq(parse_double(good[i].text, &value), 0);
		ck_assert(!memcmp(&value, &good[i].value, sizeof(value)));
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		double value = 7;
		ck_assert_int_eq(parse_double(bad[i], &value), ERR_USAGE);
		ck_assert(value == 7);
	}
}
END_TEST

START_TEST(a_box_is_four_numbers_in_order)
{
	static const char *const bad[] = {
		"",	     "1,2,3",	"1,2,3,4,5", "1,2,3,4,", "1,2,3,nan",
		"3,2,1,4",   "1,4,3,2", "1 2 3 4",   "1,2,,4",	 "1, 2,3,4",
		"1,2,3,inf", ",,,",	"1,2,3,4 ",
	};
	struct rect rect;

	ck_assert_int_eq(parse_rect("-1,2.5,1e1,2.5", &rect), 0);
	ck_assert(rect.min[0] == -1 && rect.min[1] == 2.5);
	ck_assert(rect.max[0] == 10 && rect.max[1] == 2.5);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_int_eq(parse_rect(bad[i], &rect), ERR_USAGE);
	ck_assert(rect.max[0] == 10);
}
END_TEST

START_TEST(points_are_two_finite_numbers)
{
	static const char *const bad[] = {"",	   "1",	  "1,",	  "1,2,",
					  "1,2,3", "1;2", "1, 2", "nan,1",
					  "1,inf", "1,x"};
	double point[DIMENSIONS] = {7, 7};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_int_eq(parse_point(bad[i], point), ERR_USAGE);
	ck_assert(point[0] == 7 && point[1] == 7);
	ck_assert_int_eq(parse_point("-1,2.5e1", point), 0);
	ck_assert(point[0] == -1 && point[1] == 25);
}
END_TEST

START_TEST(a_rectangle_from_outside_is_named_by_its_fault)
{
	struct rect good = {{0, 0}, {0, 0}};
	struct rect inverted = {{0, 3}, {1, 2}};
	struct rect unknown = {{0, 0}, {__builtin_nan(""), 1}};
	struct rect endless = {{-__builtin_inf(), 0}, {0, 0}};

	ck_assert_int_eq(parse_check_rect(&good), 0);
	ck_assert_int_eq(parse_check_rect(&inverted), ERR_DATA);
	ck_assert_str_eq(err_text(), "ymin 3 is greater than ymax 2");
	ck_assert_int_eq(parse_check_rect(&unknown), ERR_DATA);
	ck_assert_ptr_nonnull(strstr(err_text(), "finite"));
	ck_assert_int_eq(parse_check_rect(&endless), ERR_DATA);
}
END_TEST

Suite *test_suite(const char **why)
{
	Suite *suite = suite_create("parse");
	TCase *tcase = tcase_create("parse");

	tcase_add_test(tcase, times_have_units);
	tcase_add_test(tcase, what_is_no_time_is_refused_with_its_text);
	tcase_add_test(tcase, sizes_are_powers_of_1024);
	tcase_add_test(tcase, what_is_no_size_is_refused);
	tcase_add_test(tcase, integers_reach_their_limits_and_no_further);
	tcase_add_test(tcase, what_is_no_integer_is_refused);
	tcase_add_test(tcase, doubles_are_finite_decimals);
	tcase_add_test(tcase, a_box_is_four_numbers_in_order);
	tcase_add_test(tcase, points_are_two_finite_numbers);
	tcase_add_test(tcase, a_rectangle_from_outside_is_named_by_its_fault);
	suite_add_tcase(suite, tcase);
	return suite;
}
