/* SPDX-License-Identifier: BSD-2-Clause */

/* The queue of an shm link by itself, without the system calls of a link, so
 * that its two ends meet closely and often. */

#include <pthread.h>
#include <sched.h>
#include <string.h>

#include "base/clock.h"
#include "fabric/shm_queue.h"
#include "tests/fabric/pair.h"

static struct queue queue;
static struct queue_sender sender;
static struct queue_receiver receiver;

static void set_up(void)
{
	memset(&queue, 0, sizeof(queue));
	sender = (struct queue_sender){.shared = &queue};
	receiver = (struct queue_receiver){.shared = &queue};
}

START_TEST(a_queue_is_full_at_its_size_and_goes_on_when_taken_from)
{
	/* The counters wrap around in the middle. */
	uint32_t put = UINT32_MAX - 1000, taken = put;

	sender.tail = put;
	receiver.head = put;
	atomic_store(&queue.tail, put);
	atomic_store(&queue.head, put);
	for (int round = 0; round < 10; round++) {
		while (queue_room(&sender) > 0)
			queue_put(&sender, put++);
		ck_assert_int_eq(queue_count(&receiver), QUEUE_SIZE);
		for (int i = 0; i <= 50 * round; i++)
			ck_assert_uint_eq(queue_peek(&receiver, (uint32_t)i),
					  taken++);
		queue_drop(&receiver, (uint32_t)(50 * round + 1));
		ck_assert_int_eq(queue_room(&sender), 50 * round + 1);
	}
}
END_TEST

START_TEST(impossible_counters_are_found_out)
{
	ck_assert_int_eq(queue_count(&receiver), 0);
	queue.tail = QUEUE_SIZE + 1;
	ck_assert_int_lt(queue_count(&receiver), 0);
	queue.tail = UINT32_MAX;
	ck_assert_int_lt(queue_count(&receiver), 0);
	ck_assert_int_eq(queue_room(&sender), QUEUE_SIZE);
	queue.head = 1;
	ck_assert_int_lt(queue_room(&sender), 0);
}
END_TEST

START_TEST(who_asked_to_be_woken_is_woken_once)
{
	queue_put(&sender, 0);
	ck_assert(!queue_must_wake(&sender));
	queue_arm(&receiver);
	queue_arm(&receiver);
	queue_put(&sender, 0);
	ck_assert(queue_must_wake(&sender));
	queue_put(&sender, 0);
	ck_assert(!queue_must_wake(&sender));
}
END_TEST

/* --- The two ends at a time ----------------------------------------------- */

enum { ROUNDS = 2000000 };

/* Both threads start each round together. */
static _Atomic uint32_t at_start[2];
static _Atomic bool ended;
static bool must_wake;

static bool start_together(int self, uint32_t round)
{
	atomic_store(&at_start[self], round);
	for (int spins = 1; atomic_load(&at_start[!self]) < round; spins++) {
		if (atomic_load(&ended))
			return false;
		if (spins % 1000 == 0)
			sched_yield();
	}
	return true;
}

static void *announce(void *argument)
{
	(void)argument;
	for (uint32_t round = 1; start_together(0, round); round += 2) {
		queue_put(&sender, round);
		must_wake = queue_must_wake(&sender);
		if (!start_together(0, round + 1))
			break;
	}
	return NULL;
}

/* As many rounds as a few seconds have, on a machine with other work. */
START_TEST(no_announcement_is_slept_over)
{
	uint64_t deadline = clock_now_ns() + 4 * NS_PER_S;
	pthread_t thread;

	pthread_create(&thread, NULL, announce, NULL);
	for (uint32_t round = 1; round < 2 * ROUNDS; round += 2) {
		MUST(start_together(1, round));
		queue_arm(&receiver);
		int count = queue_count(&receiver);
		MUST(start_together(1, round + 1));
		/* Both ends are done with this round. */
		MUST(count == 1 || must_wake);
		MUST(queue_count(&receiver) == 1);
		MUST(queue_peek(&receiver, 0) == round);
		queue_drop(&receiver, 1);
		atomic_store(&queue.armed, 0);
		if (round % 1001 == 0 && clock_now_ns() > deadline)
			break;
	}
	atomic_store(&ended, true);
	pthread_join(thread, NULL);
}
END_TEST

Suite *test_suite(const char **why)
{
	Suite *suite = suite_create("queue");
	TCase *tests = tcase_create("queue");

	(void)why;
	tcase_add_checked_fixture(tests, set_up, NULL);
	tcase_set_timeout(tests, 120);
	tcase_add_test(tests,
		       a_queue_is_full_at_its_size_and_goes_on_when_taken_from);
	tcase_add_test(tests, impossible_counters_are_found_out);
	tcase_add_test(tests, who_asked_to_be_woken_is_woken_once);
	tcase_add_test(tests, no_announcement_is_slept_over);
	suite_add_tcase(suite, tests);
	return suite;
}
