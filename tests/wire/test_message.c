/* SPDX-License-Identifier: BSD-2-Clause */

/* Messages are what they were sealed as, or are refused. */

#include "wire/message.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/random.h"
#include "tests/lib/test.h"

/* A request to insert three items. */
struct insertion {
	struct wire_header header;
	struct wire_item items[3];
};

static struct insertion make_insertion(void)
{
	struct insertion message;

	memset(&message, 0, sizeof(message));
	for (int i = 0; i < 3; i++) {
		struct item item = {
			.id = i - 1,
			.rect = {{i, -i}, {i + 0.5, 1e300}},
		};
		wire_put_item(&item, &message.items[i]);
	}
	wire_seal(&message.header, WIRE_INSERT, 0, 42, 3, sizeof(message));
	return message;
}

START_TEST(a_sealed_message_passes_and_keeps_its_items)
{
	struct insertion message = make_insertion();
	const void *entries;

	ck_assert_int_eq(wire_check(&message, sizeof(message)), 0);
	ck_assert_int_eq(message.header.operation, WIRE_INSERT);
	ck_assert_uint_eq(message.header.sequence, 42);
	ck_assert_int_eq(wire_body(&message, NULL, 0, sizeof(struct wire_item),
				   &entries),
			 0);
	ck_assert_ptr_eq(entries, message.items);
	for (int i = 0; i < 3; i++) {
		struct item item;

		ck_assert_int_eq(wire_get_item(&message.items[i], &item), 0);
		ck_assert_int_eq(item.id, i - 1);
		ck_assert(item.rect.min[0] == i && item.rect.min[1] == -i);
		ck_assert(item.rect.max[0] == i + 0.5);
		ck_assert(item.rect.max[1] == 1e300);
	}
}
END_TEST

START_TEST(every_other_value_of_every_byte_is_refused)
{
	const struct insertion sealed = make_insertion();

	for (size_t i = 0; i < sizeof(sealed); i++)
		for (unsigned change = 1; change < 256; change++) {
			struct insertion message = sealed;

			((uint8_t *)&message)[i] ^= change;
			ck_assert_int_eq(wire_check(&message, sizeof(message)),
					 ERR_PROTOCOL);
		}
}
END_TEST

START_TEST(every_other_length_is_refused)
{
	struct {
		struct insertion message;
		uint8_t more[64];
	} bytes = {.message = make_insertion()};

	for (size_t size = 0; size < sizeof(bytes); size++)
		if (size != sizeof(bytes.message))
			ck_assert_int_eq(wire_check(&bytes, size),
					 ERR_PROTOCOL);
}
END_TEST

START_TEST(random_bytes_are_refused)
{
	struct random random;
	uint64_t bytes[64];

	random_seed(&random, 1);
	for (int round = 0; round < 10000; round++) {
		for (int i = 0; i < 64; i++)
			bytes[i] = random_next(&random);
		/* Half of them get past the magic. */
		if (round % 2)
			bytes[0] = WIRE_MAGIC | (uint64_t)WIRE_VERSION << 32;
		size_t size = random_below(&random, sizeof(bytes));
		ck_assert_int_eq(wire_check(bytes, size), ERR_PROTOCOL);
	}
}
END_TEST

START_TEST(an_unknown_operation_is_told_from_a_broken_message)
{
	struct wire_header header;

	for (unsigned operation = 0; operation < 256; operation++) {
		wire_seal(&header, operation, 0, 1, 0, sizeof(header));
		bool known = operation >= WIRE_DESCRIBE &&
			     operation <= WIRE_OPERATION_MAX;
		ck_assert_int_eq(wire_check(&header, sizeof(header)),
				 known ? 0 : ERR_UNSUPPORTED);
	}
	wire_seal(&header, WIRE_STAT, 1 << 4, 1, 0, sizeof(header));
	ck_assert_int_eq(wire_check(&header, sizeof(header)), ERR_UNSUPPORTED);
}
END_TEST

START_TEST(a_count_that_does_not_fit_the_length_is_refused)
{
	struct insertion message = make_insertion();
	static const uint32_t counts[] = {0, 2, 4, 1 << 30, UINT32_MAX};

	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		wire_seal(&message.header, WIRE_INSERT, 0, 1, counts[i],
			  sizeof(message));
		ck_assert_int_eq(wire_check(&message, sizeof(message)), 0);
		ck_assert_int_eq(wire_body(&message, NULL, 0,
					   sizeof(struct wire_item), NULL),
				 ERR_PROTOCOL);
	}
}
END_TEST

START_TEST(a_body_without_entries_has_no_count)
{
	struct {
		struct wire_header header;
		struct wire_query query;
	} message = {.query.limit = 7};
	struct wire_query query;

	wire_seal(&message.header, WIRE_SEARCH, 0, 1, 0, sizeof(message));
	ck_assert_int_eq(wire_body(&message, &query, sizeof(query), 0, NULL),
			 0);
	ck_assert_uint_eq(query.limit, 7);
	wire_seal(&message.header, WIRE_SEARCH, 0, 1, 1, sizeof(message));
	ck_assert_int_eq(wire_body(&message, &query, sizeof(query), 0, NULL),
			 ERR_PROTOCOL);
}
END_TEST

START_TEST(points_that_are_not_finite_are_refused)
{
	static const double bad[][DIMENSIONS] = {{NAN, 0},
						 {0, NAN},
						 {INFINITY, 0},
						 {0, -INFINITY},
						 {[DIMENSIONS - 1] = NAN},
						 {[DIMENSIONS - 1] = INFINITY}};
	const double good[DIMENSIONS] = {-1e308, 3};
	double point[DIMENSIONS] = {7, 7};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_int_eq(wire_get_point(bad[i], point), ERR_DATA);
	ck_assert(point[0] == 7 && point[1] == 7);
	ck_assert_int_eq(wire_get_point(good, point), 0);
	ck_assert(point[0] == -1e308 && point[1] == 3);
}
END_TEST

START_TEST(neighbours_follow_what_every_answer_begins_with)
{
	struct {
		struct wire_header header;
		struct wire_found found;
		struct wire_neighbour neighbours[2];
	} message = {.found.total = 2, .neighbours[1].distance = 5};
	struct wire_found found;
	const void *entries;

	wire_seal(&message.header, WIRE_NEAREST, WIRE_ANSWER, 1, 2,
		  sizeof(message));
	ck_assert_int_eq(wire_check(&message, sizeof(message)), 0);
	ck_assert_int_eq(wire_body(&message, &found, sizeof(found),
				   sizeof(struct wire_neighbour), &entries),
			 0);
	ck_assert_uint_eq(found.total, 2);
	ck_assert_ptr_eq(entries, message.neighbours);
	/* They are no items. */
	ck_assert_int_eq(wire_body(&message, &found, sizeof(found),
				   sizeof(struct wire_item), &entries),
			 ERR_PROTOCOL);
}
END_TEST

START_TEST(rectangles_that_are_none_are_refused)
{
	static const struct wire_rect bad[] = {
		{{NAN, 0}, {1, 1}},
		{{0, 0}, {1, NAN}},
		{{-INFINITY, 0}, {1, 1}},
		{{0, 0}, {INFINITY, 1}},
		{{2, 0}, {1, 1}},
		{{0, 2}, {1, 1}},
		{{[DIMENSIONS - 1] = 2}, {1, 1}},
		{{[DIMENSIONS - 1] = NAN}, {1, 1}},
	};
	struct rect rect;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_int_eq(wire_get_rect(&bad[i], &rect), ERR_DATA);
}
END_TEST

START_TEST(a_torn_heartbeat_shows)
{
	struct wire_heartbeat sealed = {.beat = 9, .version = 3, .queued = 1};

	wire_seal_heartbeat(&sealed);
	ck_assert(wire_heartbeat_is_whole(&sealed));
	for (size_t i = 0; i < sizeof(sealed); i++) {
		struct wire_heartbeat torn = sealed;

		((uint8_t *)&torn)[i] ^= 1;
		ck_assert(!wire_heartbeat_is_whole(&torn));
	}
}
END_TEST

START_TEST(errors_come_back_as_they_went)
{
	static const int errors[] = {
		ERR_PROTOCOL,	 ERR_USAGE,   ERR_BUSY,	      ERR_DATA,
		ERR_DAMAGED,	 ERR_NO_ROOM, ERR_NO_MEMORY,  ERR_SYSTEM,
		ERR_UNSUPPORTED, ERR_TIMEOUT, ERR_CONNECTION,
	};

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		ck_assert_int_eq(wire_error_of_code(wire_error_code(errors[i])),
				 errors[i]);
	ck_assert_uint_eq(wire_error_code(ERR_NOT_FOUND), WIRE_E_SYSTEM);
	ck_assert_int_eq(wire_error_of_code(0), ERR_PROTOCOL);
	ck_assert_int_eq(wire_error_of_code(1000), ERR_PROTOCOL);
}
END_TEST

Suite *test_suite(const char **why)
{
	(void)why;
	Suite *suite = suite_create("message");
	TCase *messages = tcase_create("messages");

	tcase_add_test(messages, a_sealed_message_passes_and_keeps_its_items);
	tcase_add_test(messages, every_other_value_of_every_byte_is_refused);
	tcase_add_test(messages, every_other_length_is_refused);
	tcase_add_test(messages, random_bytes_are_refused);
	tcase_add_test(messages,
		       an_unknown_operation_is_told_from_a_broken_message);
	tcase_add_test(messages,
		       a_count_that_does_not_fit_the_length_is_refused);
	tcase_add_test(messages, a_body_without_entries_has_no_count);
	tcase_add_test(messages, points_that_are_not_finite_are_refused);
	tcase_add_test(messages,
		       neighbours_follow_what_every_answer_begins_with);
	tcase_add_test(messages, rectangles_that_are_none_are_refused);
	tcase_add_test(messages, a_torn_heartbeat_shows);
	tcase_add_test(messages, errors_come_back_as_they_went);
	suite_add_tcase(suite, messages);
	return suite;
}
