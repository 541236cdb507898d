/* SPDX-License-Identifier: BSD-2-Clause */

/* Shared work is done once, all of it. */

#include "base/parallel.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "tests/lib/test.h"

enum { COUNT = 1000, PARTS_MAX = 9 };

struct record {
	atomic_int touched[COUNT];
	atomic_int calls[PARTS_MAX];
};

static void touch_share(void *context, unsigned i, uint64_t begin, uint64_t end)
{
	struct record *record = context;

	record->calls[i]++;
	for (uint64_t k = begin; k < end; k++)
		record->touched[k]++;
}

START_TEST(every_part_is_called_once_and_shares_meet)
{
	for (unsigned parts = 1; parts <= PARTS_MAX; parts++) {
		struct record *record = calloc(1, sizeof(*record));

		parallel_shares(touch_share, record, COUNT, parts);
		for (unsigned i = 0; i < PARTS_MAX; i++)
			ck_assert_int_eq(record->calls[i], i < parts);
		for (int k = 0; k < COUNT; k++)
			ck_assert_int_eq(record->touched[k], 1);
		free(record);
	}
}
END_TEST

START_TEST(there_may_be_less_work_than_parts)
{
	struct record *record = calloc(1, sizeof(*record));

	parallel_shares(touch_share, record, 2, PARTS_MAX);
	ck_assert_int_eq(record->touched[0], 1);
	ck_assert_int_eq(record->touched[1], 1);
	ck_assert_int_eq(record->touched[2], 0);
	free(record);
}
END_TEST

static void increment(void *argument)
{
	++*(int *)argument;
}

START_TEST(both_are_done_when_the_call_returns)
{
	int a = 0, b = 10;

	parallel_both(increment, &a, &b);
	ck_assert_int_eq(a, 1);
	ck_assert_int_eq(b, 11);
}
END_TEST

START_TEST(there_is_a_processor)
{
	ck_assert_uint_ge(parallel_processors(), 1);
}
END_TEST

Suite *test_suite(const char **why)
{
	Suite *suite = suite_create("parallel");
	TCase *tcase = tcase_create("parallel");

	tcase_add_test(tcase, every_part_is_called_once_and_shares_meet);
	tcase_add_test(tcase, there_may_be_less_work_than_parts);
	tcase_add_test(tcase, both_are_done_when_the_call_returns);
	tcase_add_test(tcase, there_is_a_processor);
	suite_add_tcase(suite, tcase);
	return suite;
}
