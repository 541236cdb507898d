/* SPDX-License-Identifier: BSD-2-Clause */

/* What a real catfishd answers to each request, by each fabric. */

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/random.h"
#include "rtree/node.h"
#include "rtree/rtree.h"
#include "tests/client/daemon.h"
#include "tests/lib/test.h"
#include "tests/server/raw.h"

enum {
	TEST_TIMEOUT_S = 120,
	FABRICS = 2,
	ITEMS = 20000,
	ITEMS_PER_REQUEST = 100,
};

static struct daemon server;
static struct raw raw;
static struct item items[ITEMS];

static const struct rect everything = {{-1e300, -1e300}, {1e300, 1e300}};
static const char *const options[] = {"--memory", "64M", NULL};

static void start_client(int fabric)
{
	daemon_start(&server, options);
	raw_open(&raw, fabric ? server.network : server.shm, RAW_INBOX_SIZE);
}

static void stop_client(void)
{
	raw_close(&raw);
	daemon_stop(&server);
}

/* Small rectangles in the unit square; ids repeat. */
static void make_items(uint64_t seed)
{
	struct random random;

	random_seed(&random, seed);
	for (int i = 0; i < ITEMS; i++) {
		struct rect *r = &items[i].rect;

		items[i].id = i / 2;
		for (int d = 0; d < DIMENSIONS; d++) {
			r->min[d] = random_unit(&random);
			r->max[d] = r->min[d] + random_unit(&random) / 50;
		}
	}
}

static void insert_items(int count)
{
	for (int i = 0; i < count; i += ITEMS_PER_REQUEST) {
		int n = count - i < ITEMS_PER_REQUEST ? count - i
						      : ITEMS_PER_REQUEST;
		struct wire_written written =
			raw_write(&raw, WIRE_INSERT, items + i, (uint32_t)n);
		ck_assert_uint_eq(written.applied, (uint64_t)n);
	}
}

static int compare_items(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct item));
}

/* Holds an answer against a linear scan of the first 'count' items. */
static void check_search(const struct rect *query, enum relation relation,
			 int count)
{
	static struct item wanted[ITEMS];
	struct wire_found found;
	uint64_t n = 0;

	for (int i = 0; i < count; i++)
		if (rect_relation_holds(relation, &items[i].rect, query))
			wanted[n++] = items[i];
	raw_send_query(&raw, WIRE_SEARCH, query, relation, 0);
	struct item *got = raw_expect_items(&raw, &found);
	ck_assert_uint_eq(found.total, n);
	qsort(wanted, n, sizeof(wanted[0]), compare_items);
	qsort(got, n, sizeof(got[0]), compare_items);
	ck_assert_int_eq(memcmp(got, wanted, n * sizeof(got[0])), 0);
	free(got);

	raw_send_query(&raw, WIRE_COUNT, query, relation, 0);
	memcpy(&found, raw_expect(&raw, WIRE_COUNT), sizeof(found));
	ck_assert_uint_eq(found.total, n);
}

START_TEST(searches_find_what_a_linear_scan_finds)
{
	struct random random;

	start_client(_i);
	make_items(1);
	insert_items(ITEMS);
	random_seed(&random, 2);
	for (int i = 0; i < 100; i++) {
		struct rect query = items[random_below(&random, ITEMS)].rect;
		double grow = i % 4 ? random_unit(&random) / (i % 4) : 0;

		for (int d = 0; d < DIMENSIONS; d++)
			query.max[d] += grow;
		for (int relation = 0; relation < 3; relation++)
			check_search(&query, (enum relation)relation, ITEMS);
	}
	check_search(&everything, RELATION_WITHIN, ITEMS);
	stop_client();
}
END_TEST

START_TEST(a_limit_gives_that_many_and_says_whether_there_are_more)
{
	static const uint64_t limits[] = {1, 2, 99, 100, 101};
	struct wire_found found;

	start_client(_i);
	make_items(3);
	insert_items(100);
	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		raw_send_query(&raw, WIRE_SEARCH, &everything,
			       RELATION_INTERSECTS, limits[i]);
		free(raw_expect_items(&raw, &found));
		ck_assert_uint_eq(found.total,
				  limits[i] < 100 ? limits[i] : 100);
		ck_assert_uint_eq(found.truncated, limits[i] < 100);
	}
	stop_client();
}
END_TEST

START_TEST(writes_name_what_they_did_not_find)
{
	const uint32_t *missing;
	struct item pair[3];

	start_client(_i);
	make_items(4);
	insert_items(100);
	pair[0] = items[0];
	pair[1] = items[1];
	pair[1].rect.max[0] += 1; /* not this one */
	pair[2] = items[2];
	struct wire_written written = raw_write(&raw, WIRE_DELETE, pair, 3);
	ck_assert_uint_eq(written.applied, 2);
	ck_assert_uint_eq(raw.header.count, 1);
	missing = raw_entries(&raw, sizeof(written));
	ck_assert_uint_eq(missing[0], 1);
	ck_assert_uint_eq(raw_count(&raw), 98);

	/* Again: what is gone is not found, and makes no version. */
	written = raw_write(&raw, WIRE_DELETE, items, 1);
	struct wire_written again = raw_write(&raw, WIRE_DELETE, items, 1);
	ck_assert_uint_eq(again.applied, 0);
	ck_assert_uint_eq(again.version, written.version);
	stop_client();
}
END_TEST

START_TEST(a_list_of_missing_items_may_take_several_segments)
{
	/* The smallest inbox: an answer of 960 bytes at most. */
	struct wire_written written;
	uint32_t next = 0;

	daemon_start(&server, options);
	raw_open(&raw, _i ? server.network : server.shm, FABRIC_INBOX_MIN);
	make_items(5);
	raw_send_items(&raw, WIRE_DELETE, items, 1000);
	do {
		const void *entries;

		ck_assert_int_eq(raw_receive(&raw), 0);
		ck_assert_int_eq(wire_body(raw.in, &written, sizeof(written),
					   sizeof(uint32_t), &entries),
				 0);
		for (uint32_t i = 0; i < raw.header.count; i++)
			ck_assert_uint_eq(((const uint32_t *)entries)[i],
					  next++);
	} while (raw.header.flags & WIRE_MORE);
	ck_assert_uint_eq(next, 1000);
	ck_assert_uint_eq(written.applied, 0);
	stop_client();
}
END_TEST

START_TEST(an_update_moves_one_item)
{
	struct wire_move move[2];

	start_client(_i);
	make_items(6);
	insert_items(100);
	wire_put_item(&items[7], &move[0].item);
	items[7].rect = (struct rect){{5, 5}, {6, 6}};
	wire_put_rect(&items[7].rect, &move[0].to);
	wire_put_item(&items[7], &move[1].item);
	move[1].item.id = -1;
	move[1].to = move[0].to;
	raw_send(&raw, WIRE_UPDATE, NULL, 0, move, 2, sizeof(move[0]));
	const struct wire_written *written = raw_expect(&raw, WIRE_UPDATE);
	ck_assert_uint_eq(written->applied, 1);
	ck_assert_uint_eq(raw.header.count, 1);
	check_search(&everything, RELATION_INTERSECTS, 100);
	stop_client();
}
END_TEST

START_TEST(a_bad_rectangle_refuses_its_whole_request)
{
	start_client(_i);
	make_items(7);
	items[99].rect.max[1] = NAN;
	raw_send_items(&raw, WIRE_INSERT, items, 100);
	ck_assert_uint_eq(raw_expect_error(&raw, WIRE_E_DATA)->applied, 0);
	raw_send_query(&raw, WIRE_SEARCH, &items[99].rect, RELATION_WITHIN, 0);
	raw_expect_error(&raw, WIRE_E_DATA);
	ck_assert_uint_eq(raw_count(&raw), 0);
	stop_client();
}
END_TEST

START_TEST(requests_that_are_not_understood_are_answered)
{
	start_client(_i);
	raw_send(&raw, (enum wire_operation)200, NULL, 0, NULL, 0, 0);
	raw_expect_error(&raw, WIRE_E_UNSUPPORTED);
	raw_send(&raw, (enum wire_operation)0, NULL, 0, "x", 1, 1);
	raw_expect_error(&raw, WIRE_E_UNSUPPORTED);
	for (int operation = 1; operation <= WIRE_OPERATION_MAX; operation++) {
		/* No body has 7 bytes. */
		raw_send(&raw, (enum wire_operation)operation, "1234567", 7,
			 NULL, 0, 0);
		ck_assert_int_eq(raw_receive(&raw), 0);
		ck_assert(raw.header.flags & WIRE_ERROR);
		ck_assert_uint_eq(raw.header.operation, operation);
	}
	struct wire_query query = {.relation = 3};
	raw_send(&raw, WIRE_SEARCH, &query, sizeof(query), NULL, 0, 0);
	raw_expect_error(&raw, WIRE_E_USAGE);
	ck_assert_uint_eq(raw_count(&raw), 0);
	stop_client();
}
END_TEST

static void send_nearest(double x, double y, uint64_t k)
{
	const struct wire_nearest query = {.point = {x, y}, .k = k};

	raw_send(&raw, WIRE_NEAREST, &query, sizeof(query), NULL, 0, 0);
}

START_TEST(the_nearest_of_no_point_or_none_are_refused)
{
	start_client(_i);
	send_nearest(0, 0, 0);
	raw_expect_error(&raw, WIRE_E_USAGE);
	send_nearest(NAN, 0, 1);
	raw_expect_error(&raw, WIRE_E_DATA);
	send_nearest(0, INFINITY, 1);
	raw_expect_error(&raw, WIRE_E_DATA);
	ck_assert_uint_eq(raw_count(&raw), 0);
	stop_client();
}
END_TEST

/* Kilobytes of memory that the server has ever had. */
static uint64_t server_peak_kb(void)
{
	char path[64], line[256];
	unsigned long long peak = 0;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)server.pid);
	FILE *status = fopen(path, "r");
	ck_assert_ptr_nonnull(status);
	while (fgets(line, sizeof(line), status))
		if (sscanf(line, "VmPeak: %llu kB", &peak) == 1)
			break;
	fclose(status);
	ck_assert_uint_gt(peak, 0);
	return peak;
}

START_TEST(memory_is_for_the_nearest_found_not_for_those_asked_for)
{
	start_client(_i);
	make_items(20);
	insert_items(100);
	uint64_t before = server_peak_kb();
	send_nearest(0, 0, UINT64_C(1000000000000));
	const struct wire_found *found = raw_expect(&raw, WIRE_NEAREST);
	ck_assert_uint_eq(found->total, 100);
	ck_assert_uint_eq(raw.header.count, 100);
	ck_assert_uint_le(server_peak_kb(), before + 1024);
	stop_client();
}
END_TEST

/* Sends bytes that are no message and waits to be dropped for it. */
static void expect_drop(const char *address, const void *bytes, uint32_t size)
{
	struct raw other;

	raw_open(&other, address, RAW_INBOX_SIZE);
	raw_send_bytes(&other, bytes, size);
	int error = raw_receive(&other);
	ck_assert_msg(error == ERR_CONNECTION, "%d: %s", error, err_text());
	raw_close(&other);
}

START_TEST(bytes_that_are_no_message_end_that_connection_alone)
{
	struct random random;
	uint64_t bytes[128];

	start_client(_i);
	make_items(8);
	insert_items(100);
	raw_send_query(&raw, WIRE_COUNT, &everything, RELATION_INTERSECTS, 0);
	raw_expect(&raw, WIRE_COUNT);
	/* A request with one bit that is another. */
	raw.out[40] ^= 1;
	const char *address = _i ? server.network : server.shm;
	expect_drop(address, raw.out,
		    ((struct wire_header *)(void *)raw.out)->size);
	random_seed(&random, 9);
	for (int i = 0; i < 100; i++) {
		for (int k = 0; k < 128; k++)
			bytes[k] = random_next(&random);
		expect_drop(address, bytes,
			    1 + (uint32_t)random_below(&random, 1024));
	}
	ck_assert_uint_eq(raw_count(&raw), 100);
	stop_client();
}
END_TEST

START_TEST(requests_sent_ahead_are_answered_in_their_order)
{
	enum { REQUESTS = 60 };
	uint64_t inserted = 0;

	start_client(_i);
	make_items(10);
	/* Writes, now and then one that is refused, and a count of all that
	 * was written before it. */
	for (int i = 0; i < REQUESTS; i++)
		if (i % 10 == 9)
			raw_send_query(&raw, WIRE_COUNT, &everything,
				       RELATION_INTERSECTS, 0);
		else if (i % 10 == 4)
			raw_send(&raw, WIRE_INSERT, "x", 1, NULL, 0, 0);
		else
			raw_send_items(&raw, WIRE_INSERT, items + i, 1);
	for (uint64_t i = 0; i < REQUESTS; i++) {
		ck_assert_int_eq(raw_receive(&raw), 0);
		ck_assert_uint_eq(raw.header.sequence, i + 1);
		ck_assert_uint_eq(!!(raw.header.flags & WIRE_ERROR),
				  i % 10 == 4);
		inserted += i % 10 != 4 && i % 10 != 9;
		const struct wire_found *found = raw_fixed(&raw);
		if (i % 10 == 9)
			ck_assert_uint_eq(found->total, inserted);
	}
	stop_client();
}
END_TEST

START_TEST(large_answers_sent_for_ahead_all_come)
{
	enum { REQUESTS = 20 };

	start_client(_i);
	make_items(11);
	insert_items(ITEMS);
	for (int i = 0; i < REQUESTS; i++)
		raw_send_query(&raw, WIRE_SEARCH, &everything,
			       RELATION_INTERSECTS, 0);
	raw.sequence -= REQUESTS;
	for (int i = 0; i < REQUESTS; i++) {
		struct wire_found found;

		raw.sequence++;
		free(raw_expect_items(&raw, &found));
		ck_assert_uint_eq(found.total, ITEMS);
	}
	stop_client();
}
END_TEST

START_TEST(stat_and_check_say_what_was_done)
{
	struct wire_checked checked;

	start_client(_i);
	make_items(12);
	insert_items(1000);
	ck_assert_uint_eq(raw_count(&raw), 1000);
	struct wire_stat stat = raw_stat(&raw);
	ck_assert_uint_eq(stat.item_count, 1000);
	ck_assert_uint_eq(stat.entries[0], 1000);
	ck_assert_uint_ge(stat.height, 2);
	ck_assert_uint_eq(stat.version, 11);
	ck_assert_uint_eq(stat.unsaved_versions, 10);
	ck_assert_uint_eq(stat.since_save_ns, UINT64_MAX);
	ck_assert_uint_eq(stat.clients, 1);
	ck_assert_uint_eq(stat.one_sided_clients, !_i);
	ck_assert_uint_eq(stat.requests[WIRE_INSERT], 10);
	ck_assert_uint_eq(stat.requests[WIRE_COUNT], 1);
	ck_assert_uint_eq(stat.requests[WIRE_STAT], 1);

	struct wire_statistics statistics;
	raw_send(&raw, WIRE_STATISTICS, NULL, 0, NULL, 0, 0);
	memcpy(&statistics, raw_expect(&raw, WIRE_STATISTICS),
	       sizeof(statistics));
	ck_assert_uint_eq(statistics.identity, stat.identity);
	ck_assert_uint_eq(statistics.version, stat.version);
	ck_assert_uint_eq(statistics.height, stat.height);
	for (uint64_t i = 0; i < WIRE_LEVELS; i++) {
		ck_assert_uint_eq(statistics.levels[i].nodes, stat.nodes[i]);
		ck_assert_uint_eq(statistics.levels[i].entries,
				  stat.entries[i]);
		ck_assert_int_eq(statistics.levels[i].area > 0,
				 i < stat.height);
	}

	raw_send(&raw, WIRE_CHECK, NULL, 0, NULL, 0, 0);
	memcpy(&checked, raw_expect(&raw, WIRE_CHECK), sizeof(checked));
	ck_assert_uint_eq(checked.version, stat.version);
	ck_assert_uint_eq(checked.nodes,
			  stat.nodes[0] + stat.nodes[1] + stat.nodes[2]);
	stop_client();
}
END_TEST

START_TEST(a_save_is_a_region_file)
{
	char path[] = "/tmp/catfish-test-XXXXXX";
	struct wire_saved saved;
	struct rtree *tree;
	uint64_t size = 0, nodes, version;

	start_client(_i);
	make_items(13);
	insert_items(5000);
	int fd = mkstemp(path);
	ck_assert_int_ge(fd, 0);
	raw_send(&raw, WIRE_SAVE, NULL, 0, NULL, 0, 0);
	do {
		const void *bytes;

		ck_assert_int_eq(raw_receive(&raw), 0);
		ck_assert_int_eq(
			wire_body(raw.in, &saved, sizeof(saved), 1, &bytes), 0);
		ck_assert_int_eq(write(fd, bytes, raw.header.count),
				 raw.header.count);
		size += raw.header.count;
	} while (raw.header.flags & WIRE_MORE);
	ck_assert_uint_eq(size, saved.total);

	const struct rtree_options tree_options = {.size = 1 << 26};
	ck_assert_int_eq(rtree_create(&tree_options, &tree), 0);
	lseek(fd, 0, SEEK_SET);
	int error = rtree_load(tree, fd, path);
	ck_assert_msg(!error, "%s", err_text());
	ck_assert_int_eq(rtree_check(tree, &nodes, &version), 0);
	ck_assert_uint_eq(version, saved.version);
	rtree_destroy(tree);
	close(fd);
	unlink(path);
	stop_client();
}
END_TEST

/* --- Imports ------------------------------------------------------------ */

static void begin_load(enum wire_load_mode mode, uint64_t count)
{
	const struct wire_load load = {.mode = mode, .item_count = count};

	raw_send(&raw, WIRE_LOAD_BEGIN, &load, sizeof(load), NULL, 0, 0);
}

static void load_items(int begin, int end)
{
	for (int i = begin; i < end; i += ITEMS_PER_REQUEST) {
		raw_send_items(&raw, WIRE_LOAD_ITEMS, items + i,
			       ITEMS_PER_REQUEST);
		raw_expect(&raw, WIRE_LOAD_ITEMS);
	}
}

static struct wire_written commit_load(void)
{
	struct wire_written written;

	raw_send(&raw, WIRE_LOAD_COMMIT, NULL, 0, NULL, 0, 0);
	memcpy(&written, raw_expect(&raw, WIRE_LOAD_COMMIT), sizeof(written));
	return written;
}

START_TEST(an_import_is_one_version)
{
	start_client(_i);
	make_items(14);
	begin_load(WIRE_LOAD_EMPTY, 10000);
	raw_expect(&raw, WIRE_LOAD_BEGIN);
	load_items(0, 10000);
	ck_assert_uint_eq(raw_count(&raw), 0);
	struct wire_written written = commit_load();
	ck_assert_uint_eq(written.applied, 10000);
	ck_assert_uint_eq(written.version, 2);
	check_search(&everything, RELATION_INTERSECTS, 10000);

	begin_load(WIRE_LOAD_APPEND, 0);
	raw_expect(&raw, WIRE_LOAD_BEGIN);
	load_items(10000, ITEMS);
	written = commit_load();
	ck_assert_uint_eq(written.version, 3);
	check_search(&everything, RELATION_INTERSECTS, ITEMS);

	begin_load(WIRE_LOAD_REPLACE, 100);
	raw_expect(&raw, WIRE_LOAD_BEGIN);
	load_items(0, 100);
	written = commit_load();
	ck_assert_uint_eq(written.version, 4);
	check_search(&everything, RELATION_INTERSECTS, 100);
	stop_client();
}
END_TEST

START_TEST(an_import_for_an_empty_tree_is_refused_by_a_full_one)
{
	struct raw other;

	start_client(_i);
	make_items(15);
	begin_load(WIRE_LOAD_EMPTY, 0);
	raw_expect(&raw, WIRE_LOAD_BEGIN);
	load_items(0, 100);
	/* It was empty when the import began. */
	raw_open(&other, server.shm, RAW_INBOX_SIZE);
	raw_write(&other, WIRE_INSERT, items, 1);
	raw_close(&other);
	raw_send(&raw, WIRE_LOAD_COMMIT, NULL, 0, NULL, 0, 0);
	raw_expect_error(&raw, WIRE_E_USAGE);
	begin_load(WIRE_LOAD_EMPTY, 0);
	raw_expect_error(&raw, WIRE_E_USAGE);
	ck_assert_uint_eq(raw_count(&raw), 1);
	stop_client();
}
END_TEST

START_TEST(an_import_that_is_given_up_leaves_nothing)
{
	start_client(_i);
	make_items(16);
	begin_load(WIRE_LOAD_APPEND, 0);
	raw_expect(&raw, WIRE_LOAD_BEGIN);
	load_items(0, 1000);
	raw_send(&raw, WIRE_LOAD_ABORT, NULL, 0, NULL, 0, 0);
	raw_expect(&raw, WIRE_LOAD_ABORT);
	raw_send(&raw, WIRE_LOAD_COMMIT, NULL, 0, NULL, 0, 0);
	raw_expect_error(&raw, WIRE_E_USAGE);

	/* An item that can't be one ends the import too. */
	begin_load(WIRE_LOAD_APPEND, 0);
	raw_expect(&raw, WIRE_LOAD_BEGIN);
	load_items(0, 1000);
	items[500].rect.min[0] = INFINITY;
	raw_send_items(&raw, WIRE_LOAD_ITEMS, items + 450, 100);
	raw_expect_error(&raw, WIRE_E_DATA);
	raw_send(&raw, WIRE_LOAD_COMMIT, NULL, 0, NULL, 0, 0);
	raw_expect_error(&raw, WIRE_E_USAGE);

	/* And so does the end of the connection. */
	begin_load(WIRE_LOAD_APPEND, 0);
	raw_expect(&raw, WIRE_LOAD_BEGIN);
	load_items(0, 400);
	raw_close(&raw);
	raw_open(&raw, _i ? server.network : server.shm, RAW_INBOX_SIZE);
	ck_assert_uint_eq(raw_count(&raw), 0);
	stop_client();
}
END_TEST

START_TEST(an_import_that_can_not_fit_is_refused_at_once)
{
	start_client(_i);
	begin_load(WIRE_LOAD_APPEND, UINT64_MAX);
	raw_expect_error(&raw, WIRE_E_NO_ROOM);
	begin_load(WIRE_LOAD_APPEND, 2000000);
	raw_expect_error(&raw, WIRE_E_NO_ROOM);
	begin_load((enum wire_load_mode)3, 1);
	raw_expect_error(&raw, WIRE_E_USAGE);
	ck_assert_uint_eq(raw_count(&raw), 0);
	stop_client();
}
END_TEST

/* --- Hello -------------------------------------------------------------- */

static uint32_t status_for(const char *address, const struct wire_hello *hello,
			   uint32_t inbox_size)
{
	const struct fabric_connect_options wanted = {
		.inbox_size = inbox_size,
		.timeout_ns = UINT64_C(10000000000),
	};
	struct fabric_link *link = NULL;
	struct wire_hello answer = {0};

	int error = fabric_connect(address, (const uint8_t *)hello, &wanted,
				   (uint8_t *)&answer, &link);
	ck_assert_int_eq(error, ERR_PROTOCOL);
	return answer.status;
}

START_TEST(clients_of_another_kind_are_told_why_they_are_refused)
{
	const struct wire_hello good = {
		.magic = WIRE_MAGIC,
		.version = WIRE_VERSION,
		.fingerprint = RTREE_LAYOUT_FINGERPRINT,
	};

	start_client(_i);
	const char *address = _i ? server.network : server.shm;
	struct wire_hello hello = good;
	hello.magic++;
	ck_assert_uint_eq(status_for(address, &hello, RAW_INBOX_SIZE),
			  WIRE_HELLO_OTHER_VERSION);
	hello = good;
	hello.version++;
	ck_assert_uint_eq(status_for(address, &hello, RAW_INBOX_SIZE),
			  WIRE_HELLO_OTHER_VERSION);
	hello = good;
	hello.fingerprint++;
	ck_assert_uint_eq(status_for(address, &hello, RAW_INBOX_SIZE),
			  WIRE_HELLO_OTHER_LAYOUT);
	ck_assert_uint_eq(status_for(address, &good, FABRIC_INBOX_MAX),
			  WIRE_HELLO_INBOX_TOO_LARGE);
	stop_client();
}
END_TEST

static void add(TCase *tests, const TTest *test)
{
	/* With an RDMA device only what goes over it. */
	tcase_add_loop_test(tests, test, daemon_uses_rdma() ? 1 : 0, FABRICS);
}

Suite *test_suite(const char **why)
{
	Suite *suite = suite_create("requests");
	TCase *tests = tcase_create("requests");

	tcase_set_timeout(tests, TEST_TIMEOUT_S);
	add(tests, searches_find_what_a_linear_scan_finds);
	add(tests, a_limit_gives_that_many_and_says_whether_there_are_more);
	add(tests, writes_name_what_they_did_not_find);
	add(tests, a_list_of_missing_items_may_take_several_segments);
	add(tests, an_update_moves_one_item);
	add(tests, a_bad_rectangle_refuses_its_whole_request);
	add(tests, requests_that_are_not_understood_are_answered);
	add(tests, the_nearest_of_no_point_or_none_are_refused);
	add(tests, memory_is_for_the_nearest_found_not_for_those_asked_for);
	add(tests, bytes_that_are_no_message_end_that_connection_alone);
	add(tests, requests_sent_ahead_are_answered_in_their_order);
	add(tests, large_answers_sent_for_ahead_all_come);
	add(tests, stat_and_check_say_what_was_done);
	add(tests, a_save_is_a_region_file);
	add(tests, an_import_is_one_version);
	add(tests, an_import_for_an_empty_tree_is_refused_by_a_full_one);
	add(tests, an_import_that_is_given_up_leaves_nothing);
	add(tests, an_import_that_can_not_fit_is_refused_at_once);
	add(tests, clients_of_another_kind_are_told_why_they_are_refused);
	suite_add_tcase(suite, tests);
	return suite;
}
