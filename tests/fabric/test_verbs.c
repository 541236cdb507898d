/* SPDX-License-Identifier: BSD-2-Clause */

/* What only verbs does: keys that open nothing else, as the device sees to it.
 * The links here do what fabric/verbs_link.c never does; what is refused ends
 * the link of who tried, and no other.  With WITHOUT_WINDOWS the device is one
 * that has no memory windows, so that each link has a protection domain. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/random.h"
#include "fabric/verbs_link.h"
#include "tests/fabric/pair.h"

#ifdef WITHOUT_WINDOWS
/* The linker puts this in the place of ibv_query_device(). */
int __real_ibv_query_device(struct ibv_context *context,
			    struct ibv_device_attr *limits);
int __wrap_ibv_query_device(struct ibv_context *context,
			    struct ibv_device_attr *limits);

int __wrap_ibv_query_device(struct ibv_context *context,
			    struct ibv_device_attr *limits)
{
	int number = __real_ibv_query_device(context, limits);

	limits->device_cap_flags &= ~(unsigned)IBV_DEVICE_MEM_WINDOW_TYPE_2B;
	return number;
}
#endif

static struct place place;
/* The offender, and one who has done nothing. */
static struct fabric_link *server, *client, *other_server, *other_client;

static void set_up(void)
{
	place_open(&place, "verbs");
	connect_pair(&place, &server, &client);
	connect_pair(&place, &other_server, &other_client);
}

static void tear_down(void)
{
	fabric_close(client);
	fabric_close(server);
	fabric_close(other_client);
	fabric_close(other_server);
	place_close(&place);
}

/* Both ends of the offender's link end with an error; the device sends the
 * reason to who tried. */
static void check_refused(void)
{
	struct fabric_event event;

	int error = spin_for_event(client, &event);
	ck_assert_int_eq(error, ERR_PROTOCOL);
	ck_assert_ptr_nonnull(strstr(err_text(), "remote access error"));
	ck_assert_int_lt(spin_for_event(server, &event), 0);
}

static void check_other_is_well(void)
{
	uint8_t bytes[64];
	const struct fabric_read read = {100, bytes, sizeof(bytes)};
	struct fabric_event event;

	ck_assert_int_eq(fabric_write(other_client, 0, "well", 5, 7), 0);
	ck_assert_uint_eq(await_immediate(other_server), 7);
	ck_assert_int_eq(fabric_write(other_server, 0, "well", 5, 8), 0);
	ck_assert_uint_eq(await_immediate(other_client), 8);
	ck_assert_int_eq(fabric_read(other_client, &read, 1, 9), 0);
	ck_assert_int_eq(spin_for_event(other_client, &event), 1);
	ck_assert_mem_eq(bytes, place.memory + 100, sizeof(bytes));
}

/* WRITEs by a key that isn't the client's. */
static void write_by(uint32_t key, uint32_t offset)
{
	uint8_t bytes[300];

	memset(bytes, 0xbd, sizeof(bytes));
	verbs_link_of(client)->peer_key = key;
	ck_assert_int_eq(fabric_write(client, offset, bytes, sizeof(bytes), 1),
			 0);
}

START_TEST(inboxes_are_opened_by_windows_where_there_are_any)
{
#ifdef WITHOUT_WINDOWS
	ck_assert_ptr_null(verbs_link_of(server)->window);
	ck_assert_ptr_ne(verbs_link_of(server)->domain->pd,
			 verbs_link_of(other_server)->domain->pd);
#else
	ck_assert_ptr_nonnull(verbs_link_of(server)->window);
	ck_assert_ptr_eq(verbs_link_of(server)->domain,
			 verbs_link_of(other_server)->domain);
#endif
	check_other_is_well();
}
END_TEST

START_TEST(the_key_of_another_client_opens_nothing)
{
	uint32_t size;
	const uint8_t *inbox = fabric_inbox(other_server, &size);

	write_by(verbs_link_of(other_client)->peer_key, 512);
	check_refused();
	for (uint32_t i = 0; i < size; i++)
		ck_assert_uint_eq(inbox[i], 0);
	check_other_is_well();
}
END_TEST

START_TEST(the_key_of_the_memory_behind_a_window_opens_nothing)
{
	write_by(verbs_link_of(other_server)->inbox.mr->rkey, 0);
	check_refused();
	check_other_is_well();
}
END_TEST

START_TEST(the_key_of_a_client_that_has_left_opens_nothing)
{
	uint32_t old = verbs_link_of(other_client)->peer_key;

	fabric_close(other_client);
	fabric_close(other_server);
	connect_pair(&place, &other_server, &other_client);
	ck_assert_uint_ne(verbs_link_of(other_client)->peer_key, old);
	write_by(old, 0);
	check_refused();
	check_other_is_well();
}
END_TEST

START_TEST(the_region_cannot_be_written)
{
	uint8_t *before = malloc(TEST_REGION_SIZE);

	memcpy(before, place.memory, TEST_REGION_SIZE);
	write_by(verbs_link_of(client)->region_key, 0);
	check_refused();
	ck_assert_mem_eq(before, place.memory, TEST_REGION_SIZE);
	check_other_is_well();
	free(before);
}
END_TEST

START_TEST(an_inbox_ends_where_it_was_said_to)
{
	client->peer_inbox_size = TEST_INBOX_SERVER + 4096;
	write_by(verbs_link_of(client)->peer_key, TEST_INBOX_SERVER - 299);
	check_refused();
	check_other_is_well();
}
END_TEST

/* By as little as one byte beyond the region, and far away. */
START_TEST(a_read_out_of_the_region_is_refused_by_the_device)
{
	static const uint64_t offsets[] = {TEST_REGION_SIZE - 63,
					   TEST_REGION_SIZE, UINT64_C(1) << 40,
					   UINT64_MAX - 64};
	uint8_t bytes[64];
	const struct fabric_read read = {offsets[_i], bytes, sizeof(bytes)};

	verbs_link_of(client)->region_size = UINT64_MAX;
	ck_assert_int_eq(fabric_read(client, &read, 1, 0), 0);
	check_refused();
	check_other_is_well();
}
END_TEST

START_TEST(an_inbox_cannot_be_read)
{
	uint8_t bytes[64];
	const struct fabric_read read = {0, bytes, sizeof(bytes)};

	verbs_link_of(client)->region_key = verbs_link_of(client)->peer_key;
	ck_assert_int_eq(fabric_read(client, &read, 1, 0), 0);
	check_refused();
	check_other_is_well();
}
END_TEST

/* --- Anything of this, again and again ---------------------------------- */

static void read_by(uint32_t key, uint64_t offset, uint32_t size)
{
	static uint8_t bytes[4096];
	const struct fabric_read read = {offset, bytes, size};

	verbs_link_of(client)->region_size = UINT64_MAX;
	verbs_link_of(client)->region_key = key;
	ck_assert_int_eq(fabric_read(client, &read, 1, 0), 0);
}

/* A key that is nobody's, or the one that was somebody's before, or that of
 * another link or of the other thing. */
static uint32_t wrong_key(struct random *random, uint32_t old, bool is_read)
{
	const struct verbs_link *own = verbs_link_of(client);
	const struct verbs_link *other = verbs_link_of(other_client);
	uint32_t right = is_read ? own->region_key : own->peer_key;
	const uint32_t keys[] = {
		(uint32_t)random_next(random),
		right + 1 + (uint32_t)random_below(random, 300),
		is_read ? own->peer_key : own->region_key,
		other->peer_key,
		old,
	};
	uint32_t key = keys[random_below(random, 5)];

	return key == right ? ~right : key;
}

static void offend(struct random *random, uint32_t old)
{
	uint32_t size = 1 + (uint32_t)random_below(random, 4096);

	switch (random_below(random, 4)) {
	case 0:
		write_by(wrong_key(random, old, false),
			 (uint32_t)random_below(random,
						TEST_INBOX_SERVER - 300));
		break;
	case 1:
		read_by(wrong_key(random, old, true),
			random_below(random, TEST_REGION_SIZE), size);
		break;
	case 2: /* at least one byte beyond */
		read_by(verbs_link_of(client)->region_key,
			TEST_REGION_SIZE + 1 - size +
				(random_next(random) >>
				 random_below(random, 64)),
			size);
		break;
	default:
		client->peer_inbox_size = UINT32_MAX;
		write_by(verbs_link_of(client)->peer_key,
			 TEST_INBOX_SERVER - 299 +
				 (uint32_t)random_below(random, 1 << 20));
		break;
	}
}

static int try_count(void)
{
	return getenv("CATFISH_TEST_LONG") ? 10000 : 10;
}

START_TEST(whatever_is_tried_is_refused_and_disturbs_nobody)
{
	uint8_t *before = malloc(TEST_REGION_SIZE);
	struct random random;
	uint32_t size, old = 0;
	const uint8_t *inbox = fabric_inbox(other_server, &size);

	memcpy(before, place.memory, TEST_REGION_SIZE);
	random_seed(&random, 1);
	for (int i = 0; i < try_count(); i++) {
		uint32_t key = verbs_link_of(client)->peer_key;
		offend(&random, old);
		check_refused();
		check_other_is_well();
		old = key;
		fabric_close(client);
		fabric_close(server);
		connect_pair(&place, &server, &client);
		if (i % 1000 == 999)
			fprintf(stderr, "# %d tried\n", i + 1);
	}
	ck_assert_mem_eq(before, place.memory, TEST_REGION_SIZE);
	for (uint32_t i = sizeof("well"); i < size; i++)
		ck_assert_uint_eq(inbox[i], 0);
	free(before);
}
END_TEST

Suite *test_suite(const char **why)
{
	*why = why_no_fabric("verbs");
	if (*why)
		return NULL;
	Suite *suite = suite_create("verbs");
	TCase *keys = tcase_create("keys");
	TCase *all = tcase_create("anything");

	tcase_add_checked_fixture(keys, set_up, tear_down);
	tcase_set_timeout(keys, 120);
	tcase_add_test(keys, inboxes_are_opened_by_windows_where_there_are_any);
	tcase_add_test(keys, the_key_of_another_client_opens_nothing);
	tcase_add_test(keys,
		       the_key_of_the_memory_behind_a_window_opens_nothing);
	tcase_add_test(keys, the_key_of_a_client_that_has_left_opens_nothing);
	tcase_add_test(keys, the_region_cannot_be_written);
	tcase_add_test(keys, an_inbox_ends_where_it_was_said_to);
	tcase_add_loop_test(
		keys, a_read_out_of_the_region_is_refused_by_the_device, 0, 4);
	tcase_add_test(keys, an_inbox_cannot_be_read);
	suite_add_tcase(suite, keys);
	tcase_add_checked_fixture(all, set_up, tear_down);
	tcase_set_timeout(all, 7200);
	tcase_add_test(all, whatever_is_tried_is_refused_and_disturbs_nobody);
	suite_add_tcase(suite, all);
	return suite;
}
