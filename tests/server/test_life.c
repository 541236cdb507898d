/* SPDX-License-Identifier: BSD-2-Clause */

/* What becomes of clients that go away or stop reading, of writes when the
 * server ends, and of what it counts. */

#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/random.h"
#include "tests/client/daemon.h"
#include "tests/lib/test.h"
#include "tests/server/raw.h"

enum {
	TEST_TIMEOUT_S = 120,
	FABRICS = 2,
	ITEMS = 40000,
	ITEMS_PER_REQUEST = 200,
};

static struct daemon server;
static struct item items[ITEMS];

static const struct rect everything = {{-1e300, -1e300}, {1e300, 1e300}};

static const char *address(int fabric)
{
	return fabric ? server.network : server.shm;
}

static struct item make_item(int64_t id)
{
	struct random random;
	struct item item = {.id = id};

	random_seed(&random, (uint64_t)id);
	for (int d = 0; d < DIMENSIONS; d++) {
		item.rect.min[d] = random_unit(&random);
		item.rect.max[d] = item.rect.min[d] + 0.001;
	}
	return item;
}

static void insert_items(struct raw *raw, int count)
{
	for (int i = 0; i < count; i++)
		items[i] = make_item(i);
	for (int i = 0; i < count; i += ITEMS_PER_REQUEST)
		raw_write(raw, WIRE_INSERT, items + i, ITEMS_PER_REQUEST);
}

static uint64_t count_of(int fabric)
{
	struct raw raw;

	raw_open(&raw, address(fabric), RAW_INBOX_SIZE);
	uint64_t count = raw_count(&raw);
	raw_close(&raw);
	return count;
}

/* Waits until the server has that many clients besides the one that asks. */
static void await_clients(uint64_t count)
{
	struct raw raw;

	raw_open(&raw, server.shm, RAW_INBOX_SIZE);
	while (raw_stat(&raw).clients != count + 1)
		usleep(10000);
	raw_close(&raw);
}

/* --- Clients that go ---------------------------------------------------- */

START_TEST(a_client_may_go_in_the_middle_of_an_answer)
{
	struct raw raw;

	daemon_start(&server, NULL);
	raw_open(&raw, address(_i), RAW_INBOX_SIZE);
	insert_items(&raw, ITEMS);
	raw_close(&raw);
	for (int i = 0; i < 20; i++) {
		raw_open(&raw, address(_i), FABRIC_INBOX_MIN << (i % 4));
		raw_send_query(&raw, i % 3 ? WIRE_SEARCH : WIRE_SAVE,
			       &everything, RELATION_INTERSECTS, 0);
		if (i % 2)
			ck_assert_int_eq(raw_receive(&raw), 0);
		raw_close(&raw);
	}
	await_clients(0);
	ck_assert_uint_eq(count_of(_i), ITEMS);
	daemon_stop(&server);
}
END_TEST

START_TEST(a_client_may_go_before_its_writes_are_answered)
{
	struct raw raw;

	daemon_start(&server, NULL);
	for (int i = 0; i < 20; i++) {
		struct item item = make_item(i);

		raw_open(&raw, address(_i), RAW_INBOX_SIZE);
		for (int k = 0; k < 50; k++)
			raw_send_items(&raw, WIRE_INSERT, &item, 1);
		raw_close(&raw);
	}
	await_clients(0);
	ck_assert_uint_le(count_of(_i), 20 * 50);
	daemon_stop(&server);
}
END_TEST

START_TEST(a_client_that_does_not_read_is_dropped_and_disturbs_nobody)
{
	static const char *const options[] = {"--stall-timeout", "1s", NULL};
	struct raw slow, other;

	daemon_start(&server, options);
	raw_open(&other, address(_i), RAW_INBOX_SIZE);
	insert_items(&other, ITEMS);
	raw_open(&slow, address(_i), RAW_INBOX_SIZE);
	raw_send_query(&slow, WIRE_SEARCH, &everything, RELATION_INTERSECTS, 0);
	while (raw_stat(&other).clients == 2) {
		struct wire_found found;

		raw_send_query(&other, WIRE_SEARCH, &items[0].rect,
			       RELATION_INTERSECTS, 0);
		free(raw_expect_items(&other, &found));
		ck_assert_uint_ge(found.total, 1);
		raw_write(&other, WIRE_DELETE, items, 1);
		raw_write(&other, WIRE_INSERT, items, 1);
		usleep(10000);
	}
	raw_close(&slow);
	raw_close(&other);
	daemon_stop(&server);
}
END_TEST

/* --- Pages -------------------------------------------------------------- */

START_TEST(an_answer_that_nobody_takes_ends_when_its_pages_are_needed)
{
	static const char *const options[] = {"--memory", "4M",
					      "--stall-timeout", "600s", NULL};
	struct raw slow, writer;
	bool ended = false;

	daemon_start(&server, options);
	raw_open(&writer, address(_i), RAW_INBOX_SIZE);
	insert_items(&writer, ITEMS);
	raw_open(&slow, address(_i), RAW_INBOX_SIZE);
	raw_send_query(&slow, WIRE_SEARCH, &everything, RELATION_INTERSECTS, 0);
	ck_assert_int_eq(raw_receive(&slow), 0);
	/* Each of these copies a few leaves, so the region is soon full of what
	 * the answer holds. */
	for (int i = 0; i < ITEMS / 4; i += ITEMS_PER_REQUEST) {
		raw_write(&writer, WIRE_DELETE, items + i, ITEMS_PER_REQUEST);
		raw_write(&writer, WIRE_INSERT, items + i, ITEMS_PER_REQUEST);
	}
	ck_assert_uint_eq(raw_count(&writer), ITEMS);
	while (!ended) {
		ck_assert_int_eq(raw_receive(&slow), 0);
		ended = !(slow.header.flags & WIRE_MORE);
	}
	const struct wire_error *error = raw_fixed(&slow);
	ck_assert(slow.header.flags & WIRE_ERROR);
	ck_assert_uint_eq(error->code, WIRE_E_BUSY);
	raw_close(&slow);
	raw_close(&writer);
	daemon_stop(&server);
}
END_TEST

START_TEST(a_full_region_refuses_inserts_and_lets_items_be_deleted)
{
	static const char *const options[] = {"--memory", "2M", "--lease",
					      "2ms", NULL};
	struct raw raw;
	uint64_t count = 0, applied = 0;

	daemon_start(&server, options);
	raw_open(&raw, address(_i), RAW_INBOX_SIZE);
	for (int64_t id = 0; id < ITEMS; id++)
		items[id] = make_item(id);
	for (;;) {
		raw_send_items(&raw, WIRE_INSERT, items + count,
			       ITEMS_PER_REQUEST);
		ck_assert_int_eq(raw_receive(&raw), 0);
		if (raw.header.flags & WIRE_ERROR)
			break;
		count += ITEMS_PER_REQUEST;
		ck_assert_uint_le(count, ITEMS - ITEMS_PER_REQUEST);
	}
	const struct wire_error *error = raw_fixed(&raw);
	ck_assert_uint_eq(error->code, WIRE_E_NO_ROOM);
	applied = error->applied;
	ck_assert_uint_lt(applied, ITEMS_PER_REQUEST);
	count += applied;
	ck_assert_uint_eq(raw_count(&raw), count);
	ck_assert_uint_gt(count, 1000);

	for (uint64_t i = 0; i < count; i++)
		ck_assert_uint_eq(
			raw_write(&raw, WIRE_DELETE, items + i, 1).applied, 1);
	ck_assert_uint_eq(raw_count(&raw), 0);
	raw_close(&raw);
	daemon_stop(&server);
}
END_TEST

START_TEST(an_import_without_room_beside_the_tree_leaves_it_as_it_was)
{
	static const char *const options[] = {"--memory", "4M", NULL};
	const struct wire_load load = {.mode = WIRE_LOAD_APPEND};
	struct raw raw;

	daemon_start(&server, options);
	raw_open(&raw, server.network, RAW_INBOX_SIZE);
	insert_items(&raw, ITEMS);
	struct wire_stat before = raw_stat(&raw);
	raw_send(&raw, WIRE_LOAD_BEGIN, &load, sizeof(load), NULL, 0, 0);
	raw_expect(&raw, WIRE_LOAD_BEGIN);
	/* All of them would fit, but their version needs a copy of nearly every
	 * leaf. */
	for (int i = 0; i < ITEMS / 4; i += ITEMS_PER_REQUEST) {
		raw_send_items(&raw, WIRE_LOAD_ITEMS, items + i,
			       ITEMS_PER_REQUEST);
		raw_expect(&raw, WIRE_LOAD_ITEMS);
	}
	raw_send(&raw, WIRE_LOAD_COMMIT, NULL, 0, NULL, 0, 0);
	raw_expect_error(&raw, WIRE_E_NO_ROOM);
	struct wire_stat after = raw_stat(&raw);
	ck_assert_uint_eq(after.version, before.version);
	ck_assert_uint_eq(after.item_count, before.item_count);
	raw_write(&raw, WIRE_DELETE, items, ITEMS_PER_REQUEST);
	ck_assert_uint_eq(raw_count(&raw), ITEMS - ITEMS_PER_REQUEST);
	raw_close(&raw);
	daemon_stop(&server);
}
END_TEST

/* --- One-sided clients -------------------------------------------------- */

START_TEST(one_sided_clients_get_heartbeats_and_their_reports_count)
{
	static const char *const options[] = {"--heartbeat", "2ms", NULL};
	struct wire_heartbeat beat = {0}, last = {0};
	struct wire_report report = {.offloaded = 5,
				     .complement = ~UINT64_C(5)};
	struct raw raw, other;
	uint32_t size;

	daemon_start(&server, options);
	raw_open(&raw, server.shm, RAW_INBOX_SIZE);
	struct item item = make_item(1);
	struct wire_written written = raw_write(&raw, WIRE_INSERT, &item, 1);
	while (last.beat < 100) {
		memcpy(&beat, fabric_inbox(raw.link, &size), sizeof(beat));
		if (!wire_heartbeat_is_whole(&beat))
			continue;
		ck_assert_uint_ge(beat.beat, last.beat);
		ck_assert_uint_le(beat.utilisation_ppm, 1000000);
		ck_assert_uint_eq(beat.lease_ns, 50 * NS_PER_MS);
		ck_assert(!beat.draining);
		last = beat;
	}
	ck_assert_uint_eq(last.version, written.version);

	raw_open(&other, server.network, RAW_INBOX_SIZE);
	fabric_write_silently(raw.link, 0, &report, sizeof(report));
	ck_assert_uint_eq(raw_stat(&other).offloaded, 5);
	/* One that is torn or falls is none. */
	report.offloaded = 9;
	fabric_write_silently(raw.link, 0, &report, sizeof(report));
	ck_assert_uint_eq(raw_stat(&other).offloaded, 5);
	report = (struct wire_report){2, ~UINT64_C(2)};
	fabric_write_silently(raw.link, 0, &report, sizeof(report));
	ck_assert_uint_eq(raw_stat(&other).offloaded, 5);
	/* The last one counts, whether or not the client has gone. */
	report = (struct wire_report){7, ~UINT64_C(7)};
	fabric_write_silently(raw.link, 0, &report, sizeof(report));
	raw_close(&raw);
	ck_assert_uint_eq(raw_stat(&other).offloaded, 7);
	raw_close(&other);
	daemon_stop(&server);
}
END_TEST

/* --- Servers that end --------------------------------------------------- */

/* Inserts items one by one, sent ahead, until the server ends. */
struct load {
	pthread_t thread;
	int fabric;
	int64_t first_id;
	int64_t acknowledged;
};

static void *write_until_the_end(void *argument)
{
	enum { AHEAD = 10 };
	struct load *load = argument;
	struct raw raw;

	raw_open(&raw, address(load->fabric), RAW_INBOX_SIZE);
	for (int64_t sent = 0; !load->acknowledged || sent < ITEMS; sent++) {
		struct {
			struct wire_header header;
			struct wire_write write;
			struct wire_item item;
		} request = {.write = {0}};
		struct item item = make_item(load->first_id + sent);

		wire_put_item(&item, &request.item);
		wire_seal(&request.header, WIRE_INSERT, 0, (uint64_t)sent + 1,
			  1, sizeof(request));
		if (raw_send_bytes(&raw, &request, sizeof(request)))
			break;
		if (sent < AHEAD)
			continue;
		if (raw_receive(&raw))
			break;
		load->acknowledged++;
	}
	while (!raw_receive(&raw))
		load->acknowledged++;
	raw_close(&raw);
	return NULL;
}

/* Asks for what another thread answers, until the server ends. */
static void *ask_until_the_end(void *argument)
{
	struct raw raw;

	raw_open(&raw, server.network, RAW_INBOX_SIZE);
	for (int i = 0;; i++) {
		struct wire_header request;

		wire_seal(&request, i % 2 ? WIRE_STAT : WIRE_SAVE, 0,
			  (uint64_t)i + 1, 0, sizeof(request));
		if (raw_send_bytes(&raw, &request, sizeof(request)))
			break;
		do {
			if (raw_receive(&raw))
				goto ended;
		} while (raw.header.flags & WIRE_MORE);
	}
ended:
	raw_close(&raw);
	return argument;
}

/* Every item that was acknowledged, and no other but those that were sent. */
static void check_items_of(const struct load *load)
{
	struct raw raw;

	raw_open(&raw, server.shm, RAW_INBOX_SIZE);
	for (int64_t i = 0; i < load->acknowledged; i++) {
		struct item item = make_item(load->first_id + i);
		struct wire_written written =
			raw_write(&raw, WIRE_DELETE, &item, 1);

		ck_assert_msg(written.applied == 1,
			      "item %" PRId64 " of %" PRId64 " is lost", i,
			      load->acknowledged);
	}
	raw_close(&raw);
}

static const int ending_signals[] = {SIGTERM, SIGINT, SIGHUP};

START_TEST(a_signal_under_load_saves_every_acknowledged_write)
{
	enum { LOADS = 4 };
	struct load loads[LOADS] = {0};
	char path[] = "/tmp/catfish-test-XXXXXX";
	int64_t acknowledged = 0;
	pthread_t asker;

	ck_assert_ptr_nonnull(mkdtemp(path));
	char file[64], lock[80];
	snprintf(file, sizeof(file), "%s/region", path);
	snprintf(lock, sizeof(lock), "%s.lock", file);
	const char *const options[] = {"--memory", "64M", "--region", file,
				       NULL};
	daemon_start(&server, options);
	for (int i = 0; i < LOADS; i++) {
		loads[i].fabric = i % FABRICS;
		loads[i].first_id = (int64_t)i << 32;
		pthread_create(&loads[i].thread, NULL, write_until_the_end,
			       &loads[i]);
	}
	pthread_create(&asker, NULL, ask_until_the_end, NULL);
	usleep(500000);
	/* The second must not cut short what the first began. */
	kill(server.pid, ending_signals[_i]);
	usleep(1000);
	ck_assert_int_eq(daemon_end(&server, ending_signals[_i]), 0);
	for (int i = 0; i < LOADS; i++) {
		pthread_join(loads[i].thread, NULL);
		acknowledged += loads[i].acknowledged;
	}
	pthread_join(asker, NULL);
	ck_assert_int_gt(acknowledged, 100);

	daemon_start_again(&server, options);
	ck_assert_uint_ge(count_of(0), (uint64_t)acknowledged);
	for (int i = 0; i < LOADS; i++)
		check_items_of(&loads[i]);
	daemon_stop(&server);
	unlink(file);
	unlink(lock);
	rmdir(path);
}
END_TEST

START_TEST(a_region_that_needs_more_memory_is_refused_with_how_much)
{
	char path[] = "/tmp/catfish-test-XXXXXX";
	char file[64], command[8192], line[512] = "";
	struct raw raw;

	ck_assert_ptr_nonnull(mkdtemp(path));
	snprintf(file, sizeof(file), "%s/region", path);
	const char *const options[] = {"--region", file, NULL};
	daemon_start(&server, options);
	raw_open(&raw, server.shm, RAW_INBOX_SIZE);
	insert_items(&raw, ITEMS);
	raw_close(&raw);
	daemon_stop(&server);

	snprintf(command, sizeof(command),
		 "%s --listen shm://%s/sock --region %s --memory 1M 2>&1; "
		 "echo status $?; rm -r %s",
		 daemon_program(), path, file, path);
	FILE *output = popen(command, "r");
	ck_assert_ptr_nonnull(fgets(line, sizeof(line), output));
	ck_assert_msg(strstr(line, "--memory") && strstr(line, " bytes"), "%s",
		      line);
	ck_assert_ptr_nonnull(fgets(line, sizeof(line), output));
	ck_assert_str_eq(line, "status 7\n");
	ck_assert_int_eq(pclose(output), 0);
}
END_TEST

START_TEST(a_server_starts_where_a_killed_one_was)
{
	struct raw raw;

	daemon_start(&server, NULL);
	raw_open(&raw, address(_i), RAW_INBOX_SIZE);
	insert_items(&raw, ITEMS_PER_REQUEST);
	uint64_t identity = raw_stat(&raw).identity;
	daemon_end(&server, SIGKILL);
	ck_assert_int_eq(raw_receive(&raw), ERR_CONNECTION);
	raw_close(&raw);

	daemon_start_again(&server, NULL);
	raw_open(&raw, address(_i), RAW_INBOX_SIZE);
	ck_assert_uint_ne(raw_stat(&raw).identity, identity);
	ck_assert_uint_eq(raw_count(&raw), 0);
	raw_close(&raw);
	daemon_stop(&server);
}
END_TEST

START_TEST(an_idle_client_does_not_hold_up_the_end)
{
	struct raw raw;

	daemon_start(&server, NULL);
	raw_open(&raw, address(_i), RAW_INBOX_SIZE);
	raw_count(&raw);
	ck_assert_int_eq(daemon_end(&server, SIGINT), 0);
	ck_assert_int_eq(raw_receive(&raw), ERR_CONNECTION);
	raw_close(&raw);
	daemon_stop(&server);
}
END_TEST

static void add(TCase *tests, const TTest *test)
{
	/* With an RDMA device only what goes over it. */
	tcase_add_loop_test(tests, test, daemon_uses_rdma() ? 1 : 0, FABRICS);
}

Suite *test_suite(const char **why)
{
	Suite *suite = suite_create("life");
	TCase *tests = tcase_create("life");

	tcase_set_timeout(tests, TEST_TIMEOUT_S);
	add(tests, a_client_may_go_in_the_middle_of_an_answer);
	add(tests, a_client_may_go_before_its_writes_are_answered);
	add(tests, a_client_that_does_not_read_is_dropped_and_disturbs_nobody);
	add(tests, an_answer_that_nobody_takes_ends_when_its_pages_are_needed);
	add(tests, a_full_region_refuses_inserts_and_lets_items_be_deleted);
	tcase_add_test(
		tests,
		an_import_without_room_beside_the_tree_leaves_it_as_it_was);
	tcase_add_test(
		tests,
		one_sided_clients_get_heartbeats_and_their_reports_count);
	tcase_add_loop_test(tests,
			    a_signal_under_load_saves_every_acknowledged_write,
			    0, sizeof(ending_signals) / sizeof(int));
	tcase_add_test(
		tests,
		a_region_that_needs_more_memory_is_refused_with_how_much);
	add(tests, a_server_starts_where_a_killed_one_was);
	add(tests, an_idle_client_does_not_hold_up_the_end);
	suite_add_tcase(suite, tests);
	return suite;
}
