/* SPDX-License-Identifier: BSD-2-Clause */

/* The checker passes right answers and tells each kind of wrong one. */

#include "tests/system/checker.h"

#include <string.h>

#include "tests/lib/test.h"

enum { FIRST_VERSION = 1, SIZE = 1 << 16 };

static struct stage stage;
static struct checker checker;

static struct rect square(double at)
{
	return (struct rect){{at, at}, {at + 0.01, at + 0.01}};
}

/* One request of one change. */
static void log_change(uint64_t version, uint32_t slot, bool present, double at)
{
	uint64_t size = sizeof(struct write_record) + sizeof(struct change);
	struct write_record *r = stream_room(&stage.writer[0].log, size);

	*r = (struct write_record){.record = {size, version}, .count = 1};
	r->changes[0] = (struct change){slot, present, square(at)};
	stream_put(&stage.writer[0].log);
}

/* Version 2 inserts slot 0, 3 inserts 2, 4 moves 2, 5 deletes 0, 6 and 7 insert
 * 4 and 5, which are the same item twice. */
static void setup(void)
{
	memset(&stage, 0, sizeof(stage));
	stage.writers = 1;
	stage.items = 100;
	stage.first_version = FIRST_VERSION;
	stage.reader_count = 1;
	stream_init(&stage.writer[0].log, SIZE);
	stream_init(&stage.reader[0].answers, SIZE);
	log_change(2, 0, true, 0.1);
	log_change(3, 2, true, 0.2);
	log_change(4, 2, true, 0.3);
	log_change(5, 0, false, 0);
	log_change(6, 4, true, 0.4);
	log_change(7, 5, true, 0.4);
	stream_end(&stage.writer[0].log);
}

static struct item item_at(uint32_t slot, double at)
{
	return (struct item){model_id(0, slot), square(at)};
}

/* An answer to a query of everything that is right but for its items. */
static struct answer_record answer_of(uint64_t version, uint64_t count)
{
	return (struct answer_record){
		.record.version = version,
		.acknowledged = version,
		.previous = version,
		.newest = version,
		.query = {{{0, 0}, {1, 1}}, RELATION_INTERSECTS},
		.answer = {.version = version, .count = count},
		.item_count = count,
	};
}

static void put_answer(struct answer_record head, const struct item *items)
{
	struct stream *answers = &stage.reader[0].answers;

	head.record.size = sizeof(head) + head.item_count * sizeof(*items);
	struct answer_record *record = stream_room(answers, head.record.size);
	*record = head;
	for (uint64_t i = 0; i < head.item_count; i++)
		record->items[i] = items[i];
	stream_put(answers);
}

static bool is_wrong(void)
{
	stream_end(&stage.reader[0].answers);
	checker_init(&checker, &stage);
	while (checker_run(&checker) != CHECKER_ENDED)
		;
	checker_fini(&checker);
	return checker.is_wrong;
}

START_TEST(right_answers_of_every_version_pass)
{
	const struct item one[] = {item_at(0, 0.1)};
	const struct item two[] = {item_at(2, 0.2), item_at(0, 0.1)};
	const struct item moved[] = {item_at(0, 0.1), item_at(2, 0.3)};
	const struct item twice[] = {item_at(5, 0.4), item_at(2, 0.3),
				     item_at(4, 0.4)};

	put_answer(answer_of(FIRST_VERSION, 0), NULL);
	put_answer(answer_of(2, 1), one);
	put_answer(answer_of(3, 2), two);
	put_answer(answer_of(4, 2), moved);
	put_answer(answer_of(5, 1), moved + 1);
	put_answer(answer_of(7, 3), twice);
	ck_assert(!is_wrong());
	ck_assert_uint_eq(checker.tally[0].searches, 6);
	ck_assert_uint_eq(checker.tally[0].non_empty, 5);
	ck_assert_uint_eq(checker.answered_versions, 6);
	ck_assert_uint_eq(checker.versions, 6);
}
END_TEST

START_TEST(limits_and_counts_are_understood)
{
	const struct item one[] = {item_at(0, 0.1)};
	struct answer_record limited = answer_of(3, 1);
	struct answer_record counted = answer_of(3, 2);

	limited.limit = 1;
	limited.answer.truncated = 1;
	put_answer(limited, one);
	counted.is_count = true;
	counted.item_count = 0;
	put_answer(counted, NULL);
	ck_assert(!is_wrong());
}
END_TEST

START_TEST(a_missing_item_is_told)
{
	const struct item one[] = {item_at(0, 0.1)};

	put_answer(answer_of(3, 1), one);
	ck_assert(is_wrong());
}
END_TEST

START_TEST(an_item_of_a_later_version_is_told)
{
	const struct item two[] = {item_at(0, 0.1), item_at(2, 0.2)};

	put_answer(answer_of(2, 2), two);
	ck_assert(is_wrong());
}
END_TEST

START_TEST(an_item_where_it_was_before_is_told)
{
	const struct item two[] = {item_at(0, 0.1), item_at(2, 0.2)};

	put_answer(answer_of(4, 2), two);
	ck_assert(is_wrong());
}
END_TEST

START_TEST(a_deleted_item_is_told)
{
	const struct item two[] = {item_at(0, 0.1), item_at(2, 0.3)};

	put_answer(answer_of(5, 2), two);
	ck_assert(is_wrong());
}
END_TEST

START_TEST(an_item_twice_is_told)
{
	const struct item two[] = {item_at(0, 0.1), item_at(0, 0.1)};

	put_answer(answer_of(3, 2), two);
	ck_assert(is_wrong());
}
END_TEST

START_TEST(an_item_that_is_no_answer_is_told)
{
	const struct item two[] = {item_at(0, 0.1), item_at(2, 0.2)};
	struct answer_record answer = answer_of(3, 2);

	answer.query.rect = square(0.1);
	put_answer(answer, two);
	ck_assert(is_wrong());
}
END_TEST

START_TEST(a_version_older_than_what_was_acknowledged_is_told)
{
	const struct item one[] = {item_at(0, 0.1)};
	struct answer_record answer = answer_of(2, 1);

	answer.acknowledged = 3;
	put_answer(answer, one);
	ck_assert(is_wrong());
}
END_TEST

START_TEST(a_version_older_than_the_answer_before_is_told)
{
	const struct item two[] = {item_at(2, 0.2), item_at(0, 0.1)};
	struct answer_record older = answer_of(2, 1);

	older.previous = 3;
	put_answer(answer_of(3, 2), two);
	put_answer(older, two + 1);
	ck_assert(is_wrong());
}
END_TEST

START_TEST(a_version_that_never_was_is_told)
{
	const struct item twice[] = {item_at(5, 0.4), item_at(2, 0.3),
				     item_at(4, 0.4)};

	put_answer(answer_of(8, 3), twice);
	ck_assert(is_wrong());
}
END_TEST

START_TEST(a_wrong_count_is_told)
{
	struct answer_record answer = answer_of(3, 3);

	answer.is_count = true;
	answer.item_count = 0;
	put_answer(answer, NULL);
	ck_assert(is_wrong());
}
END_TEST

START_TEST(a_limit_that_hides_nothing_is_told)
{
	const struct item two[] = {item_at(2, 0.2), item_at(0, 0.1)};
	struct answer_record answer = answer_of(3, 2);

	answer.answer.truncated = 1;
	put_answer(answer, two);
	ck_assert(is_wrong());
}
END_TEST

/* The two of version 3, asked for from the origin. */
static struct answer_record nearest_of(uint64_t count, uint64_t k)
{
	struct answer_record answer = answer_of(3, count);

	answer.is_nearest = true;
	answer.limit = k;
	return answer;
}

START_TEST(the_nearest_are_understood)
{
	const struct item two[] = {item_at(0, 0.1), item_at(2, 0.2)};

	put_answer(nearest_of(1, 1), two);
	put_answer(nearest_of(2, 2), two);
	put_answer(nearest_of(2, 3), two);
	ck_assert(!is_wrong());
	ck_assert_uint_eq(checker.tally[0].nearest, 3);
}
END_TEST

START_TEST(a_farther_item_is_told)
{
	const struct item farther[] = {item_at(2, 0.2)};

	put_answer(nearest_of(1, 1), farther);
	ck_assert(is_wrong());
}
END_TEST

START_TEST(the_nearest_in_another_order_are_told)
{
	const struct item two[] = {item_at(2, 0.2), item_at(0, 0.1)};

	put_answer(nearest_of(2, 2), two);
	ck_assert(is_wrong());
}
END_TEST

START_TEST(a_missing_neighbour_is_told)
{
	const struct item one[] = {item_at(0, 0.1)};

	put_answer(nearest_of(1, 2), one);
	ck_assert(is_wrong());
}
END_TEST

Suite *test_suite(const char **why)
{
	Suite *suite = suite_create("checker");
	TCase *tests = tcase_create("checker");

	tcase_add_checked_fixture(tests, setup, NULL);
	tcase_add_test(tests, right_answers_of_every_version_pass);
	tcase_add_test(tests, limits_and_counts_are_understood);
	tcase_add_test(tests, a_missing_item_is_told);
	tcase_add_test(tests, an_item_of_a_later_version_is_told);
	tcase_add_test(tests, an_item_where_it_was_before_is_told);
	tcase_add_test(tests, a_deleted_item_is_told);
	tcase_add_test(tests, an_item_twice_is_told);
	tcase_add_test(tests, an_item_that_is_no_answer_is_told);
	tcase_add_test(tests,
		       a_version_older_than_what_was_acknowledged_is_told);
	tcase_add_test(tests, a_version_older_than_the_answer_before_is_told);
	tcase_add_test(tests, a_version_that_never_was_is_told);
	tcase_add_test(tests, a_wrong_count_is_told);
	tcase_add_test(tests, a_limit_that_hides_nothing_is_told);
	tcase_add_test(tests, the_nearest_are_understood);
	tcase_add_test(tests, a_farther_item_is_told);
	tcase_add_test(tests, the_nearest_in_another_order_are_told);
	tcase_add_test(tests, a_missing_neighbour_is_told);
	suite_add_tcase(suite, tests);
	return suite;
}
