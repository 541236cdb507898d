/* SPDX-License-Identifier: BSD-2-Clause */

/* What a client counts of its searches is what the device counts: READs, and
 * round trips.  The devices are those of the virtual machine of tests/softroce
 * with a link, where the client's is another one than the server's and a READ's
 * request is one packet. */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client/catfish.h"
#include "tests/client/daemon.h"
#include "tests/client/model.h"
#include "tests/lib/test.h"

#define CLIENT_DEVICE "rxe1"
#define SERVER_DEVICE "rxe0"

enum {
	ITEMS = 5000,
	SEARCHES = 320,
	/* WRITEs that tell the server how many searches it was spared. */
	REPORTS = SEARCHES / 64,
	/* Messages without contents by which the client gives back room of its
	 * inbox, at most. */
	CREDITS_MAX = SEARCHES / 16,
	/* Runs in which a device may have sent something twice, as a processor
	 * that is kept waiting lets it do. */
	TRIES = 20,
};

static struct daemon daemon_;
static struct model model;
static struct random random_;

static void succeeds(int error)
{
	ck_assert_msg(!error, "%s: %s", catfish_strerror(error),
		      catfish_error_text());
}

static void path_of(const char *device, const char *counter, char path[256])
{
	snprintf(path, 256, "/sys/class/infiniband/%s/ports/1/hw_counters/%s",
		 device, counter);
}

static uint64_t counted(const char *device, const char *counter)
{
	char path[256];
	uint64_t count;

	path_of(device, counter, path);
	FILE *file = fopen(path, "re");
	ck_assert_msg(file, "%s: no such counter", path);
	ck_assert_int_eq(fscanf(file, "%" SCNu64, &count), 1);
	fclose(file);
	return count;
}

/* What was sent again, by either device. */
static uint64_t sent_again(void)
{
	return counted(CLIENT_DEVICE, "completer_retry_err") +
	       counted(CLIENT_DEVICE, "duplicate_request") +
	       counted(SERVER_DEVICE, "completer_retry_err") +
	       counted(SERVER_DEVICE, "duplicate_request");
}

static struct catfish *connect_by(enum catfish_policy policy,
				  uint64_t cache_size)
{
	const struct catfish_options options = {
		.policy = policy,
		.offload = CATFISH_OFFLOAD_COPY,
		.cache_size = cache_size,
		.timeout_ms = DAEMON_PATIENCE_MS,
	};
	struct catfish *server = NULL;

	succeeds(catfish_connect(daemon_.network, &options, &server));
	return server;
}

/* Heartbeats and looks whether the client is there would be acknowledged by the
 * client's device, and a lease that passes would make READs to be dropped. */
static void set_up(void)
{
	static const char *const options[] = {
		"--heartbeat", "60s", "--link-timeout", "600s", "--lease",
		"60s",	       NULL};

	daemon_start(&daemon_, options);
	random_seed(&random_, 1);
	model_add_random(&model, &random_, ITEMS);
	struct catfish *writer = connect_by(CATFISH_POLICY_MESSAGING, 0);
	/* At once, as what many inserts replace would wait for the lease. */
	succeeds(catfish_load_begin(writer, CATFISH_LOAD_EMPTY, model.count));
	succeeds(catfish_load_items(writer, model.items, model.count));
	succeeds(catfish_load_commit(writer, NULL));
	catfish_close(writer);
}

static void tear_down(void)
{
	model_clear(&model);
	daemon_stop(&daemon_);
}

static int ignore(void *context, int64_t id, const double *box)
{
	(void)context;
	(void)id;
	(void)box;
	return 0;
}

struct sums {
	uint64_t round_trips, reads, most_reads;
};

static void search(struct catfish *server, const struct catfish_query *query,
		   struct sums *sums)
{
	struct catfish_answer answer;

	succeeds(catfish_search(server, query, ignore, NULL, &answer));
	sums->round_trips += answer.round_trips;
	sums->reads += answer.reads;
	if (answer.reads > sums->most_reads)
		sums->most_reads = answer.reads;
}

static void search_anywhere(struct catfish *server, struct sums *sums)
{
	for (int i = 0; i < SEARCHES; i++) {
		struct catfish_query query =
			model_random_query(&model, &random_, 0.1);
		search(server, &query, sums);
	}
}

static void search_beside(struct catfish *server, struct sums *sums)
{
	static const struct catfish_query nothing = {.box = {5, 5, 6, 6}};

	for (int i = 0; i < SEARCHES; i++)
		search(server, &nothing, sums);
}

/* Searches until nothing had to be sent twice; '*sent' is what the counter of a
 * device went up by then. */
static struct sums count(struct catfish *server,
			 void (*run)(struct catfish *, struct sums *),
			 const char *device, const char *counter,
			 uint64_t *sent)
{
	for (int i = 0; i < TRIES; i++) {
		struct sums sums = {0};
		uint64_t again = sent_again();
		uint64_t before = counted(device, counter);

		run(server, &sums);
		*sent = counted(device, counter) - before;
		if (sent_again() == again)
			return sums;
		ck_assert_uint_ge(*sent, sums.reads);
	}
	ck_abort_msg("something is sent twice, each time");
}

START_TEST(every_read_is_a_packet_and_so_is_every_report)
{
	const uint64_t caches[] = {0, CATFISH_NO_CACHE};
	struct catfish *reader = connect_by(CATFISH_POLICY_OFFLOAD, caches[_i]);
	uint64_t sent;
	struct sums sums = count(reader, search_anywhere, CLIENT_DEVICE,
				 "sent_pkts", &sent);

	ck_assert_uint_eq(sent, sums.reads + REPORTS);
	ck_assert_uint_ge(sums.most_reads, 2);
	catfish_close(reader);
}
END_TEST

/* Where nothing can be, the root record is all that has to be read. */
START_TEST(every_round_trip_is_a_packet_where_it_is_one_read)
{
	struct catfish *reader = connect_by(CATFISH_POLICY_OFFLOAD, 0);
	struct sums warm_up = {0};
	uint64_t sent;

	search_beside(reader, &warm_up);
	struct sums sums =
		count(reader, search_beside, CLIENT_DEVICE, "sent_pkts", &sent);
	ck_assert_uint_eq(sums.round_trips, SEARCHES);
	ck_assert_uint_eq(sent, SEARCHES + REPORTS);
	catfish_close(reader);
}
END_TEST

START_TEST(every_round_trip_by_messaging_is_a_message_at_the_server)
{
	struct catfish *asker = connect_by(CATFISH_POLICY_MESSAGING, 0);
	uint64_t received;
	struct sums sums = count(asker, search_beside, SERVER_DEVICE,
				 "rdma_recvs", &received);

	ck_assert_uint_eq(sums.round_trips, SEARCHES);
	ck_assert_uint_eq(sums.reads, 0);
	ck_assert_uint_ge(received, SEARCHES);
	ck_assert_uint_le(received, SEARCHES + CREDITS_MAX);
	catfish_close(asker);
}
END_TEST

Suite *test_suite(const char **why)
{
	char path[256];

	path_of(CLIENT_DEVICE, "sent_pkts", path);
	if (!daemon_uses_rdma() || access(path, R_OK)) {
		*why = "no two soft-RoCE devices with a link between them";
		return NULL;
	}
	Suite *suite = suite_create("client: the device's counters");
	TCase *tc = tcase_create("counters");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, every_read_is_a_packet_and_so_is_every_report,
			    0, 2);
	tcase_add_test(tc, every_round_trip_is_a_packet_where_it_is_one_read);
	tcase_add_test(
		tc, every_round_trip_by_messaging_is_a_message_at_the_server);
	suite_add_tcase(suite, tc);
	return suite;
}
