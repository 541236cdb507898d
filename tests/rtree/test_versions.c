/* SPDX-License-Identifier: BSD-2-Clause */

/* While a writer publishes as fast as it can, every search gets exactly the
 * items of the version that it names, by every way of reading; and with the
 * guard of that way taken away (base/guard.h) it doesn't, which shows that this
 * would be noticed. */

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "tests/lib/test.h"
#include "tests/rtree/effort.h"
#include "tests/rtree/race.h"

static const char *const way_names[] = {
	[RACE_PINNED] = "pinned",
	[RACE_MAPPED] = "mapped",
	[RACE_COPIED] = "copied",
};

static void run(const struct race_options *options, struct race_result *result)
{
	race_run(options, result);
	const struct history_verdict *v = &result->verdict;
	printf("%s, seed %llu: %llu searches, %llu not empty, of %llu versions "
	       "among %llu; %llu overlapped a publication, %llu retries; "
	       "%llu wrong, %llu failed, %llu outdated\n",
	       way_names[options->way], (unsigned long long)options->seed,
	       (unsigned long long)v->answers, (unsigned long long)v->not_empty,
	       (unsigned long long)v->versions,
	       (unsigned long long)result->publications,
	       (unsigned long long)result->overlapped,
	       (unsigned long long)result->retries,
	       (unsigned long long)v->wrong, (unsigned long long)v->failed,
	       (unsigned long long)result->outdated);
	if (v->wrong)
		printf("WRONG ANSWER: %s\n", v->first_wrong);
	if (v->failed)
		printf("NO ANSWER: %s\n", v->first_failed);
	fflush(stdout);
}

static void check_right(const struct race_result *result)
{
	const struct history_verdict *v = &result->verdict;

	ck_assert_msg(v->wrong == 0, "CATFISH_TEST_SEED=%llu: %s",
		      (unsigned long long)test_seed(), v->first_wrong);
	ck_assert_msg(v->failed == 0, "CATFISH_TEST_SEED=%llu: %s",
		      (unsigned long long)test_seed(), v->first_failed);
	ck_assert_uint_eq(result->outdated, 0);
}

/* Or else nothing was shown. */
static bool shows_enough(const struct race_result *result)
{
	const struct history_verdict *v = &result->verdict;

	return v->not_empty > v->answers / 2 && v->versions > 10 &&
	       result->overlapped > 10;
}

/* All is right, again and again until enough is shown: on a busy machine the
 * readers and the writer may never run at the same time. */
static void run_right(const struct race_options *options)
{
	enum { ROUNDS_MAX = 50 };
	struct race_options next = *options;
	struct race_result result;

	for (int round = 0; round < ROUNDS_MAX; round++, next.seed++) {
		run(&next, &result);
		check_right(&result);
		if (shows_enough(&result))
			return;
	}
	ck_abort_msg("%d rounds showed too little", ROUNDS_MAX);
}

#ifndef CATFISH_SEEDED_FAULTS

START_TEST(every_answer_is_the_version_that_it_names)
{
	const struct race_options options = {
		.way = _i,
		.readers = 3,
		.searches = test_effort(12000),
		.seed = test_seed(),
	};

	run_right(&options);
}
END_TEST

/* Shorter than any search, so that pages are used again below all of them. */
START_TEST(a_lease_of_microseconds_spoils_no_answer)
{
	const struct race_options options = {
		.way = _i,
		.readers = 3,
		.searches = test_effort(12000),
		.seed = test_seed(),
		.lease_ns = 2 * NS_PER_US,
	};

	run_right(&options);
}
END_TEST

#else

/* Which guard keeps which way of reading right, and where somebody has to be
 * slow for it to matter. */
static const struct {
	enum race_way way;
	const char *guard;
	const char *pause;
} guarded[] = {
	{RACE_PINNED, "pin", ""},
	{RACE_PINNED, "pin-again", "pin:1000:50"},
	{RACE_MAPPED, "horizon", ""},
	{RACE_COPIED, "retire-wait", ""},
	{RACE_COPIED, "lease", ""},
	{RACE_MAPPED, "birth-wrap", "root:1000:50"},
};

enum { GUARDED = sizeof(guarded) / sizeof(guarded[0]) };

START_TEST(without_its_guard_an_answer_is_wrong)
{
	struct race_options options = {
		.way = guarded[_i].way,
		.readers = 3,
		.searches = 3000,
		.seed = test_seed(),
	};
	struct race_result result;
	uint64_t wrong = 0;

	setenv("CATFISH_PAUSE", guarded[_i].pause, 1);
	run_right(&options);

	printf("the same without '%s':\n", guarded[_i].guard);
	setenv("CATFISH_FAULT", guarded[_i].guard, 1);
	for (int round = 0; !wrong && round < 20; round++) {
		run(&options, &result);
		wrong = result.verdict.wrong;
	}
	ck_assert_msg(wrong, "nothing was noticed without '%s'",
		      guarded[_i].guard);
}
END_TEST

#endif

Suite *test_suite(const char **why)
{
	(void)why;
	Suite *suite = suite_create("versions");
	TCase *races = tcase_create("races");

	tcase_set_timeout(races, TEST_TIMEOUT_S);
#ifndef CATFISH_SEEDED_FAULTS
	/* Reading what may change meanwhile, and finding that out afterwards,
	 * is a data race by definition. */
	tcase_add_loop_test(
		races, every_answer_is_the_version_that_it_names, RACE_PINNED,
		TEST_UNDER_TSAN ? RACE_PINNED + 1 : RACE_COPIED + 1);
	if (!TEST_UNDER_TSAN)
		tcase_add_loop_test(races,
				    a_lease_of_microseconds_spoils_no_answer,
				    RACE_MAPPED, RACE_COPIED + 1);
#else
	if (TEST_UNDER_TSAN) {
		*why = "it is about races";
		return NULL;
	}
	tcase_add_loop_test(races, without_its_guard_an_answer_is_wrong, 0,
			    GUARDED);
#endif
	suite_add_tcase(suite, races);
	return suite;
}
