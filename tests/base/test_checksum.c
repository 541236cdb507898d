/* SPDX-License-Identifier: BSD-2-Clause */

/* Checksums are XXH3's, in one piece or in two. */

#include "base/checksum.h"

#include <string.h>

#include "base/random.h"
#include "tests/lib/test.h"

enum { SIZE = 3000 };

static uint8_t bytes[SIZE];

static void fill(void)
{
	struct random random;

	random_seed(&random, 1);
	for (int i = 0; i < SIZE; i++)
		bytes[i] = random_next(&random);
}

START_TEST(nothing_has_the_published_checksum)
{
	ck_assert_uint_eq(checksum64("", 0), 0x2d06800538d394c2);
}
END_TEST

START_TEST(two_pieces_count_as_one)
{
	fill();
	for (size_t size = 0; size <= SIZE; size += 61)
		for (size_t cut = 0; cut <= size; cut += 97)
			ck_assert_uint_eq(checksum64(bytes, size),
					  checksum64_pair(bytes, cut,
							  bytes + cut,
							  size - cut));
}
END_TEST

START_TEST(every_flipped_bit_shows)
{
	enum { LINE = 64 };

	fill();
	uint64_t before = checksum64(bytes, LINE);
	for (int bit = 0; bit < 8 * LINE; bit++) {
		bytes[bit / 8] ^= 1 << bit % 8;
		ck_assert_uint_ne(checksum64(bytes, LINE), before);
		bytes[bit / 8] ^= 1 << bit % 8;
	}
}
END_TEST

Suite *test_suite(const char **why)
{
	Suite *suite = suite_create("checksum");
	TCase *tcase = tcase_create("checksum");

	tcase_add_test(tcase, nothing_has_the_published_checksum);
	tcase_add_test(tcase, two_pieces_count_as_one);
	tcase_add_test(tcase, every_flipped_bit_shows);
	suite_add_tcase(suite, tcase);
	return suite;
}
