/* SPDX-License-Identifier: BSD-2-Clause */

/* Connections of several threads don't disturb each other: each thread has its
 * own items, finds exactly them, by a path of its own, and has error texts of
 * its own. */

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "tests/client/daemon.h"
#include "tests/client/model.h"
#include "tests/lib/test.h"

enum { ROUNDS = 300 };

struct worker {
	pthread_t thread;
	const char *address;
	struct catfish_options options;
	double place; /* its items lie in the square from there */
	char failure[256];
};

static struct daemon daemon_;

/* What the thread found wrong; asserting is for the main thread. */
#define EXPECT(condition)                                                      \
	do {                                                                   \
		if (!(condition)) {                                            \
			snprintf(w->failure, sizeof(w->failure),               \
				 "line %d: " #condition ": %.100s", __LINE__,  \
				 catfish_error_text());                        \
			goto close;                                            \
		}                                                              \
	} while (0)

static void *work(void *argument)
{
	struct worker *w = argument;
	const struct catfish_query query = {
		.box = {w->place, 0, w->place + 1, 1},
	};
	struct catfish *server = NULL;
	struct catfish_answer answer;
	struct catfish_written written;
	char path[32];

	EXPECT(!catfish_connect(w->address, &w->options, &server));
	for (int i = 0; i < ROUNDS; i++) {
		double at = w->place + (double)i / ROUNDS;
		const struct catfish_item item = {i, {at, 0, at, 1}};
		EXPECT(!catfish_insert(server, &item, 1, &written));
		EXPECT(!catfish_count(server, &query, NULL, &answer));
		EXPECT(answer.count == (uint64_t)i + 1);
		EXPECT(answer.version >= written.version);

		snprintf(path, sizeof(path), "%d-of-%g", i, w->place);
		struct catfish *other = NULL;
		EXPECT(catfish_connect(path, NULL, &other));
		EXPECT(strstr(catfish_error_text(), path));
	}
close:
	catfish_close(server);
	return NULL;
}

START_TEST(threads_with_a_connection_each_do_not_disturb_each_other)
{
	struct worker workers[] = {
		{.place = 0, .options.policy = CATFISH_POLICY_MESSAGING},
		{.place = 2,
		 .options.policy = CATFISH_POLICY_OFFLOAD,
		 .options.offload = CATFISH_OFFLOAD_COPY},
		{.place = 4,
		 .options.policy = CATFISH_POLICY_OFFLOAD,
		 .options.offload = CATFISH_OFFLOAD_MAPPED},
		{.place = 6, .address = daemon_.network},
		{.place = 8,
		 .address = daemon_.network,
		 .options.policy = CATFISH_POLICY_OFFLOAD,
		 .options.offload = CATFISH_OFFLOAD_COPY},
	};
	enum { WORKERS_MAX = sizeof(workers) / sizeof(workers[0]) };
	/* tcp has no offloading. */
	const int count = daemon_uses_rdma() ? WORKERS_MAX : WORKERS_MAX - 1;

	daemon_start(&daemon_, NULL);
	for (int i = 0; i < count; i++) {
		if (!workers[i].address)
			workers[i].address = daemon_.shm;
		ck_assert_int_eq(pthread_create(&workers[i].thread, NULL, work,
						&workers[i]),
				 0);
	}
	for (int i = 0; i < count; i++)
		pthread_join(workers[i].thread, NULL);
	for (int i = 0; i < count; i++)
		ck_assert_msg(!workers[i].failure[0], "%s", workers[i].failure);
	daemon_stop(&daemon_);
}
END_TEST

Suite *test_suite(const char **why)
{
	Suite *suite = suite_create("client: threads");
	TCase *tc = tcase_create("threads");

	tcase_set_timeout(tc, 60);
	tcase_add_test(
		tc, threads_with_a_connection_each_do_not_disturb_each_other);
	suite_add_tcase(suite, tc);
	return suite;
}
