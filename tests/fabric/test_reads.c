/* SPDX-License-Identifier: BSD-2-Clause */

/* What every fabric with one-sided access promises about READs.  FABRIC is the
 * one that this program tests. */

#include <string.h>

#include "base/err.h"
#include "base/random.h"
#include "fabric/ring.h"
#include "tests/fabric/pair.h"

static struct place place;
static struct fabric_link *server, *client;

static void set_up(void)
{
	place_open(&place, FABRIC);
	connect_pair(&place, &server, &client);
}

static void tear_down(void)
{
	fabric_close(client);
	fabric_close(server);
	place_close(&place);
}

static int read_and_wait(const struct fabric_read *reads, size_t count)
{
	struct fabric_event event;
	static uint64_t cookie;

	int error = fabric_read(client, reads, count, ++cookie);
	if (error)
		return error;
	ck_assert_int_eq(sleep_for_event(client, &event), 1);
	ck_assert_int_eq(event.kind, FABRIC_READ);
	ck_assert_uint_eq(event.cookie, cookie);
	return 0;
}

/* An emulated device takes 100 times as long. */
enum { STEP = sizeof(FABRIC) == sizeof("verbs") ? 7 : 1 };

START_TEST(reads_of_every_size_at_every_alignment_equal_memory)
{
	static const uint32_t sizes[] = {0, 1, 3, 8, 64, 100, 640, 896, 2944};
	uint8_t bytes[2944 + 1];

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		for (uint64_t at = 0; at + sizes[i] <= TEST_REGION_SIZE;
		     at += at < 130 || at + sizes[i] + 130 > TEST_REGION_SIZE
				   ? STEP
				   : 61 * STEP) {
			const struct fabric_read read = {at, bytes, sizes[i]};
			bytes[sizes[i]] = 0x77;
			ck_assert_int_eq(read_and_wait(&read, 1), 0);
			ck_assert_mem_eq(bytes, place.memory + at, sizes[i]);
			ck_assert_uint_eq(bytes[sizes[i]], 0x77);
		}
}
END_TEST

START_TEST(a_list_of_reads_is_done_as_a_whole)
{
	static uint8_t bytes[FABRIC_READS_MAX][100];
	const struct fabric_counters *counters = fabric_link_counters(client);
	struct fabric_read reads[FABRIC_READS_MAX];
	struct random random;

	random_seed(&random, 4);
	for (size_t count = 0; count <= FABRIC_READS_MAX; count++) {
		for (size_t i = 0; i < count; i++)
			reads[i] = (struct fabric_read){
				random_below(&random, TEST_REGION_SIZE - 99),
				bytes[i], 100};
		ck_assert_int_eq(read_and_wait(reads, count), 0);
		for (size_t i = 0; i < count; i++)
			ck_assert_mem_eq(bytes[i],
					 place.memory + reads[i].offset, 100);
	}
	ck_assert_uint_eq(counters->read_lists, FABRIC_READS_MAX + 1);
	ck_assert_uint_eq(counters->reads,
			  FABRIC_READS_MAX * (FABRIC_READS_MAX + 1) / 2);
	ck_assert_uint_eq(counters->read_bytes, 100 * counters->reads);
}
END_TEST

START_TEST(a_read_beyond_the_region_is_refused)
{
	uint8_t bytes[16] = {0};
	const struct fabric_read bad[] = {
		{TEST_REGION_SIZE, bytes, 1},
		{TEST_REGION_SIZE - 15, bytes, 16},
		{TEST_REGION_SIZE + 1, bytes, 0},
		{UINT64_MAX, bytes, 1},
		{UINT64_MAX - 7, bytes, 16},
		{0, bytes, UINT32_MAX},
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		const struct fabric_read list[] = {{0, bytes, 16}, bad[i]};
		ck_assert_int_eq(fabric_read(client, list, 2, 0), ERR_USAGE);
	}
	const struct fabric_read good = {TEST_REGION_SIZE - 16, bytes, 16};
	ck_assert_int_eq(read_and_wait(&good, 1), 0);
}
END_TEST

START_TEST(too_many_reads_are_refused)
{
	struct fabric_event events[FABRIC_READ_LISTS_MAX + 1];
	struct fabric_read reads[FABRIC_READS_MAX + 1] = {0};
	uint64_t cookie = 0;

	ck_assert_int_eq(fabric_read(client, reads, FABRIC_READS_MAX + 1, 0),
			 ERR_USAGE);
	for (; cookie < FABRIC_READ_LISTS_MAX; cookie++)
		ck_assert_int_eq(fabric_read(client, reads, 1, cookie), 0);
	ck_assert_int_eq(fabric_read(client, reads, 1, cookie), ERR_AGAIN);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(spin_for_event(client, &events[i]), 1);
	ck_assert_int_eq(fabric_read(client, reads, 1, cookie), 0);
	for (int i = 3; i <= FABRIC_READ_LISTS_MAX; i++)
		ck_assert_int_eq(spin_for_event(client, &events[i]), 1);
	for (uint64_t i = 0; i <= cookie; i++)
		ck_assert_uint_eq(events[i].cookie, i);
}
END_TEST

/* Of fabrics that are no copies it says so, and READs nothing. */
START_TEST(what_is_read_now_is_there_without_an_event)
{
	uint8_t bytes[64] = {0}, untouched[64] = {0};
	const struct fabric_read read = {64, bytes, sizeof(bytes)};
	const struct fabric_read beyond = {TEST_REGION_SIZE, bytes, 1};
	struct fabric_event event;
	bool is_copy = strcmp(FABRIC, "shm") == 0;

	ck_assert_int_eq(fabric_read_now(client, &read, 1),
			 is_copy ? 0 : ERR_UNSUPPORTED);
	ck_assert_mem_eq(bytes, is_copy ? place.memory + 64 : untouched,
			 sizeof(bytes));
	ck_assert_uint_eq(fabric_link_counters(client)->read_lists, is_copy);
	ck_assert_int_eq(fabric_poll(client, &event, 1), 0);
	ck_assert_int_eq(fabric_read_now(client, &beyond, 1),
			 is_copy ? ERR_USAGE : ERR_UNSUPPORTED);
}
END_TEST

START_TEST(reads_and_writes_are_polled_together)
{
	struct fabric_event event;
	const struct fabric_read read = {0, &event, 0};
	int seen = 0;

	ck_assert_int_eq(fabric_write(server, 0, "x", 1, 5), 0);
	ck_assert_int_eq(fabric_read(client, &read, 1, 6), 0);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(spin_for_event(client, &event), 1);
		seen |= 1 << event.kind;
	}
	ck_assert_int_eq(seen, 1 << FABRIC_READ | 1 << FABRIC_WRITE);
	ck_assert_int_eq(fabric_poll(client, &event, 1), 0);
}
END_TEST

START_TEST(a_ring_counts_the_lists_that_are_done)
{
	const struct fabric_read read = {0, NULL, 0};
	struct fabric_ring *ring;
	unsigned done = 0;

	ck_assert_int_eq(fabric_ring_create(client, &ring), 0);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(fabric_read(client, &read, 1, 0), 0);
	while (done < 3)
		ck_assert_int_eq(fabric_ring_receive(ring, NULL, &done), 0);
	ck_assert_uint_eq(done, 3);
	fabric_ring_destroy(ring);
}
END_TEST

START_TEST(only_the_client_can_read)
{
	const struct fabric_read read = {0, NULL, 0};
	uint64_t size;

	ck_assert(fabric_is_one_sided(client));
	/* It tells the server about its client. */
	ck_assert(fabric_is_one_sided(server));
	ck_assert_int_eq(fabric_read(server, &read, 1, 0), ERR_UNSUPPORTED);
	ck_assert_ptr_null(fabric_map(server, &size));
}
END_TEST

START_TEST(a_server_knows_before_it_accepts_that_its_client_will_read)
{
	uint8_t hello[FABRIC_HELLO_SIZE];
	struct dial dial;

	dial_init(&dial, place_address(&place));
	dial_begin(&dial);
	struct fabric_link *link = await_client(&place, hello);
	ck_assert(fabric_is_one_sided(link));
	fabric_close(link);
	dial_end(&dial);
}
END_TEST

START_TEST(without_a_region_there_is_nothing_to_read)
{
	const struct fabric_read read = {0, NULL, 0};
	uint64_t size;

	place_prepare(&place, FABRIC);
	place.without_region = true;
	place_listen(&place);
	connect_pair(&place, &server, &client);
	ck_assert(!fabric_is_one_sided(client));
	ck_assert(!fabric_is_one_sided(server));
	ck_assert_int_eq(fabric_read(client, &read, 1, 0), ERR_UNSUPPORTED);
	ck_assert_ptr_null(fabric_map(client, &size));
	ck_assert_uint_eq(size, 0);
	tear_down();
}
END_TEST

START_TEST(a_list_may_have_so_many_bytes_and_no_more)
{
	/* None of them is in the region, so that is found out afterwards. */
	const struct fabric_read largest = {0, NULL, FABRIC_READ_LIST_SIZE_MAX};
	const struct fabric_read list[] = {largest, {0, NULL, 1}};

	ck_assert_int_eq(fabric_read(client, &largest, 1, 0), ERR_USAGE);
	ck_assert_ptr_nonnull(strstr(err_text(), "leaves the region"));
	ck_assert_int_eq(fabric_read(client, list, 2, 0), ERR_USAGE);
	ck_assert_ptr_nonnull(strstr(err_text(), "in one list"));
}
END_TEST

Suite *test_suite(const char **why)
{
	*why = why_no_fabric(FABRIC);
	if (*why)
		return NULL;
	Suite *suite = suite_create("READs over " FABRIC);
	TCase *reads = tcase_create("READs");
	TCase *alone = tcase_create("without a region");

	tcase_add_checked_fixture(reads, set_up, tear_down);
	tcase_set_timeout(reads, 120);
	tcase_add_test(reads,
		       reads_of_every_size_at_every_alignment_equal_memory);
	tcase_add_test(reads, a_list_of_reads_is_done_as_a_whole);
	tcase_add_test(reads, a_read_beyond_the_region_is_refused);
	tcase_add_test(reads, too_many_reads_are_refused);
	tcase_add_test(reads, a_list_may_have_so_many_bytes_and_no_more);
	tcase_add_test(reads, what_is_read_now_is_there_without_an_event);
	tcase_add_test(reads, reads_and_writes_are_polled_together);
	tcase_add_test(reads, a_ring_counts_the_lists_that_are_done);
	tcase_add_test(reads, only_the_client_can_read);
	tcase_add_test(
		reads,
		a_server_knows_before_it_accepts_that_its_client_will_read);
	suite_add_tcase(suite, reads);
	tcase_set_timeout(alone, 120);
	tcase_add_test(alone, without_a_region_there_is_nothing_to_read);
	suite_add_tcase(suite, alone);
	return suite;
}
