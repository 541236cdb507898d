/* SPDX-License-Identifier: BSD-2-Clause */

/* A client believes nothing that can't be: neither what a server says nor what
 * stands in its memory. */

#include <fcntl.h>
#include <linux/futex.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "client/catfish.h"
#include "rtree/root.h"
#include "tests/client/fake.h"
#include "tests/lib/test.h"

enum { ITEMS = 5000 };
#define LONG_LEASE (3600 * NS_PER_S)

static struct fake fake;
static struct catfish *server;

static const struct catfish_query everything = {.box = {-1, -1, 1e9, 1e9}};

/* What a search handed out. */
static uint64_t found_count;
static bool found_fake_item;

static int note(void *context, int64_t id, const double box[4])
{
	found_count++;
	found_fake_item |= id == FAKE_ITEM && box[2] == 1;
	return 0;
}

static int search(const struct catfish_query *query,
		  struct catfish_answer *answer)
{
	found_count = 0;
	found_fake_item = false;
	return catfish_search(server, query, note, NULL, answer);
}

static void connect_by(enum catfish_policy policy, enum catfish_offload offload)
{
	const struct catfish_options options = {
		.policy = policy,
		.offload = offload,
		.timeout_ms = 2000,
		.reconnect_ms = CATFISH_NO_RECONNECT,
	};

	int error = catfish_connect(fake.address, &options, &server);
	ck_assert_msg(!error, "%s", catfish_error_text());
}

static void begin_messaging(void)
{
	fake_start(&fake, 10, LONG_LEASE);
	connect_by(CATFISH_POLICY_MESSAGING, CATFISH_OFFLOAD_AUTO);
}

static void end(void)
{
	catfish_close(server);
	server = NULL;
	fake_stop(&fake);
}

/* The error came with these words. */
static void assert_says(int error, int wanted, const char *words)
{
	ck_assert_msg(error == wanted, "%s: %s", catfish_strerror(error),
		      catfish_error_text());
	ck_assert_msg(strstr(catfish_error_text(), words), "'%s' not in '%s'",
		      words, catfish_error_text());
}

static void assert_broken(void)
{
	assert_says(search(&everything, NULL), CATFISH_ERROR_CONNECTION,
		    "connect again");
}

/* --- Connecting --------------------------------------------------------- */

static int try_to_connect(void)
{
	int error = catfish_connect(fake.address, NULL, &server);
	if (error)
		ck_assert_ptr_null(server);
	return error;
}

START_TEST(a_server_of_another_protocol_is_refused)
{
	fake_start(&fake, 1, LONG_LEASE);
	fake.hello.version = WIRE_VERSION + 1;
	fake.hello.status = WIRE_HELLO_OTHER_VERSION;
	fake.refuses = true;
	assert_says(try_to_connect(), CATFISH_ERROR_PROTOCOL, "same release");
	fake_stop(&fake);
}
END_TEST

START_TEST(a_server_of_another_layout_is_refused)
{
	fake_start(&fake, 1, LONG_LEASE);
	fake.hello.fingerprint++;
	fake.hello.status = WIRE_HELLO_OTHER_LAYOUT;
	fake.refuses = true;
	assert_says(try_to_connect(), CATFISH_ERROR_PROTOCOL, "same build");
	fake_stop(&fake);
}
END_TEST

START_TEST(a_layout_that_the_server_let_pass_is_refused_here)
{
	fake_start(&fake, 1, LONG_LEASE);
	fake.hello.fingerprint++;
	assert_says(try_to_connect(), CATFISH_ERROR_PROTOCOL, "same build");
	fake_stop(&fake);
}
END_TEST

START_TEST(a_full_server_is_busy)
{
	fake_start(&fake, 1, LONG_LEASE);
	fake.hello.status = WIRE_HELLO_BUSY;
	fake.refuses = true;
	assert_says(try_to_connect(), CATFISH_ERROR_BUSY, "no more clients");
	fake_stop(&fake);
}
END_TEST

START_TEST(a_region_that_cannot_be_is_refused)
{
	fake_start(&fake, 1, LONG_LEASE);
	fake.description.page_count = fake.region.page_count + 1000000;
	assert_says(try_to_connect(), CATFISH_ERROR_PROTOCOL, "can't be");
	fake_stop(&fake);
}
END_TEST

START_TEST(a_region_larger_than_what_is_mapped_is_refused)
{
	const struct catfish_options options = {
		.policy = CATFISH_POLICY_OFFLOAD,
		.offload = CATFISH_OFFLOAD_MAPPED,
		.timeout_ms = 2000,
	};

	fake_start(&fake, 1, LONG_LEASE);
	fake.description.page_count += 1000000;
	fake.description.region_size += 1000000ull * RTREE_PAGE_SIZE;
	assert_says(catfish_connect(fake.address, &options, &server),
		    CATFISH_ERROR_PROTOCOL, "larger than what it shares");
	fake_stop(&fake);
}
END_TEST

/* --- Messaging ---------------------------------------------------------- */

/* An honest answer, to be made a lie of. */
static struct wire_found honest(void)
{
	return (struct wire_found){
		.identity = fake.region.identity,
		.version = FAKE_VERSION,
		.total = 1,
	};
}

static const struct wire_item one_item = {FAKE_ITEM, {{0, 0}, {1, 1}}};

START_TEST(an_honest_answer_is_believed)
{
	struct catfish_answer answer;

	begin_messaging();
	ck_assert_int_eq(search(&everything, &answer), 0);
	ck_assert_uint_eq(found_count, 1);
	ck_assert(found_fake_item);
	ck_assert_uint_eq(answer.version, FAKE_VERSION);
	ck_assert_uint_eq(answer.identity, fake.region.identity);
	ck_assert_uint_eq(answer.round_trips, 1);
	end();
}
END_TEST

static void to_another_request(struct fake *f,
			       const struct wire_header *request)
{
	struct wire_found found = honest();
	struct fake_segment segment = fake_segment_to(request);

	segment.sequence++;
	fake_send_found(f, segment, &found, &one_item, 1);
}

START_TEST(an_answer_to_another_request_is_refused)
{
	begin_messaging();
	fake_answer_with(&fake, to_another_request);
	assert_says(search(&everything, NULL), CATFISH_ERROR_PROTOCOL,
		    "was asked");
	ck_assert_uint_eq(found_count, 0);
	assert_broken();
	end();
}
END_TEST

static void of_another_kind(struct fake *f, const struct wire_header *request)
{
	struct wire_found found = honest();
	struct fake_segment segment = fake_segment_to(request);

	segment.operation = WIRE_COUNT;
	fake_send_found(f, segment, &found, NULL, 0);
}

START_TEST(an_answer_of_another_kind_is_refused)
{
	begin_messaging();
	fake_answer_with(&fake, of_another_kind);
	assert_says(search(&everything, NULL), CATFISH_ERROR_PROTOCOL,
		    "was asked");
	end();
}
END_TEST

static void spoilt(struct fake *f, const struct wire_header *request)
{
	struct wire_found found = honest();
	struct fake_segment segment = fake_segment_to(request);

	segment.spoilt = true;
	fake_send_found(f, segment, &found, &one_item, 1);
}

START_TEST(a_spoilt_answer_is_refused)
{
	begin_messaging();
	fake_answer_with(&fake, spoilt);
	assert_says(search(&everything, NULL), CATFISH_ERROR_PROTOCOL,
		    "checksum");
	ck_assert_uint_eq(found_count, 0);
	end();
}
END_TEST

static void too_short(struct fake *f, const struct wire_header *request)
{
	struct fake_segment segment = fake_segment_to(request);

	segment.fixed = &one_item;
	segment.fixed_size = 8;
	fake_send(f, &segment);
}

START_TEST(an_answer_of_the_wrong_length_is_refused)
{
	begin_messaging();
	fake_answer_with(&fake, too_short);
	assert_says(search(&everything, NULL), CATFISH_ERROR_PROTOCOL, "bytes");
	end();
}
END_TEST

static void from_another_server(struct fake *f,
				const struct wire_header *request)
{
	struct wire_found found = honest();

	found.identity++;
	fake_send_found(f, fake_segment_to(request), &found, &one_item, 1);
}

START_TEST(an_answer_from_another_server_is_refused)
{
	begin_messaging();
	fake_answer_with(&fake, from_another_server);
	assert_says(search(&everything, NULL), CATFISH_ERROR_CONNECTION,
		    "another server");
	ck_assert_uint_eq(found_count, 0);
	assert_broken();
	end();
}
END_TEST

static void from_an_older_version(struct fake *f,
				  const struct wire_header *request)
{
	struct wire_found found = honest();

	found.version--;
	fake_send_found(f, fake_segment_to(request), &found, &one_item, 1);
}

START_TEST(an_answer_older_than_the_last_is_refused)
{
	begin_messaging();
	ck_assert_int_eq(search(&everything, NULL), 0);
	fake_answer_with(&fake, from_an_older_version);
	assert_says(search(&everything, NULL), CATFISH_ERROR_PROTOCOL,
		    "answered from version 999 after");
	ck_assert_uint_eq(found_count, 0);
	end();
}
END_TEST

static void from_two_versions(struct fake *f, const struct wire_header *request)
{
	struct wire_found found = honest();
	struct fake_segment segment = fake_segment_to(request);

	segment.flags = WIRE_MORE;
	fake_send_found(f, segment, &found, &one_item, 1);
	segment.flags = 0;
	found.version++;
	found.total = 2;
	fake_send_found(f, segment, &found, &one_item, 1);
}

START_TEST(an_answer_from_two_versions_is_refused)
{
	begin_messaging();
	fake_answer_with(&fake, from_two_versions);
	assert_says(search(&everything, NULL), CATFISH_ERROR_PROTOCOL,
		    "in the middle");
	ck_assert_uint_eq(found_count, 1);
	end();
}
END_TEST

static void with_items_missing(struct fake *f,
			       const struct wire_header *request)
{
	struct wire_found found = honest();

	found.total = 2;
	fake_send_found(f, fake_segment_to(request), &found, &one_item, 1);
}

START_TEST(an_answer_with_items_missing_is_refused)
{
	begin_messaging();
	fake_answer_with(&fake, with_items_missing);
	assert_says(search(&everything, NULL), CATFISH_ERROR_PROTOCOL,
		    "sent 1 items and says there were 2");
	end();
}
END_TEST

static void with_too_many_items(struct fake *f,
				const struct wire_header *request)
{
	const struct wire_item items[3] = {one_item, one_item, one_item};
	struct wire_found found = honest();

	found.total = 3;
	fake_send_found(f, fake_segment_to(request), &found, items, 3);
}

START_TEST(more_items_than_the_limit_are_refused)
{
	struct catfish_query query = everything;

	begin_messaging();
	fake_answer_with(&fake, with_too_many_items);
	query.limit = 2;
	assert_says(search(&query, NULL), CATFISH_ERROR_PROTOCOL, "at most 2");
	ck_assert_uint_eq(found_count, 0);
	end();
}
END_TEST

static void with_a_rectangle_of_nan(struct fake *f,
				    const struct wire_header *request)
{
	struct wire_item items[2] = {one_item, one_item};
	struct wire_found found = honest();

	items[1].rect.max[1] = NAN;
	found.total = 2;
	fake_send_found(f, fake_segment_to(request), &found, items, 2);
}

START_TEST(an_item_without_a_rectangle_is_refused)
{
	begin_messaging();
	fake_answer_with(&fake, with_a_rectangle_of_nan);
	assert_says(search(&everything, NULL), CATFISH_ERROR_PROTOCOL,
		    "sent an item");
	ck_assert_uint_eq(found_count, 0);
	end();
}
END_TEST

static void with_silence(struct fake *f, const struct wire_header *request)
{
}

START_TEST(a_server_that_hangs_is_given_up)
{
	const struct catfish_options options = {
		.policy = CATFISH_POLICY_MESSAGING,
		.timeout_ms = 50,
		.reconnect_ms = CATFISH_NO_RECONNECT,
	};

	fake_start(&fake, 1, LONG_LEASE);
	ck_assert_int_eq(catfish_connect(fake.address, &options, &server), 0);
	fake_answer_with(&fake, with_silence);
	assert_says(search(&everything, NULL), CATFISH_ERROR_CONNECTION,
		    "no answer within 0.05 s");
	assert_broken();
	end();
}
END_TEST

static void with_an_error(struct fake *f, const struct wire_header *request)
{
	const struct wire_error error = {
		.code = WIRE_E_NO_ROOM,
		.applied = 2,
	};
	struct fake_segment segment = fake_segment_to(request);

	segment.flags = WIRE_ERROR;
	segment.fixed = &error;
	segment.fixed_size = sizeof(error);
	segment.entries = "no\x1b[31m room";
	segment.entries_size = segment.count = 12;
	fake_send(f, &segment);
}

START_TEST(an_error_is_passed_on_and_the_connection_lives)
{
	begin_messaging();
	fake_answer_with(&fake, with_an_error);
	assert_says(search(&everything, NULL), CATFISH_ERROR_NO_ROOM,
		    "no?[31m room");
	fake_answer_with(&fake, NULL);
	ck_assert_int_eq(search(&everything, NULL), 0);
	end();
}
END_TEST

START_TEST(what_was_applied_before_an_error_is_told)
{
	const struct catfish_item items[3] = {{.id = 1}, {.id = 2}, {.id = 3}};
	struct catfish_written written;

	begin_messaging();
	fake_answer_with(&fake, with_an_error);
	ck_assert_int_eq(catfish_insert(server, items, 3, &written),
			 CATFISH_ERROR_NO_ROOM);
	ck_assert_uint_eq(written.applied, 2);
	end();
}
END_TEST

static void with_one_write_too_few(struct fake *f,
				   const struct wire_header *request)
{
	const struct wire_written written = {
		.identity = fake.region.identity,
		.version = FAKE_VERSION,
		.applied = request->count - 1,
	};
	struct fake_segment segment = fake_segment_to(request);

	segment.fixed = &written;
	segment.fixed_size = sizeof(written);
	fake_send(f, &segment);
}

START_TEST(a_write_that_was_forgotten_is_noticed)
{
	const struct catfish_item items[3] = {{.id = 1}, {.id = 2}, {.id = 3}};

	begin_messaging();
	fake_answer_with(&fake, with_one_write_too_few);
	assert_says(catfish_insert(server, items, 3, NULL),
		    CATFISH_ERROR_PROTOCOL, "writes were applied");
	end();
}
END_TEST

static void not_finding_what_was_not_asked(struct fake *f,
					   const struct wire_header *request)
{
	const uint32_t index = request->count;
	const struct wire_written written = {
		.identity = fake.region.identity,
		.version = FAKE_VERSION,
		.applied = request->count - 1,
	};
	struct fake_segment segment = fake_segment_to(request);

	segment.fixed = &written;
	segment.fixed_size = sizeof(written);
	segment.entries = &index;
	segment.entries_size = sizeof(index);
	segment.count = 1;
	fake_send(f, &segment);
}

START_TEST(an_index_beyond_the_array_is_refused)
{
	const struct catfish_item items[3] = {{.id = 1}, {.id = 2}, {.id = 3}};

	begin_messaging();
	fake_answer_with(&fake, not_finding_what_was_not_asked);
	assert_says(catfish_delete(server, items, 3, NULL, NULL, NULL),
		    CATFISH_ERROR_PROTOCOL, "didn't find entry 3 of 3");
	end();
}
END_TEST

/* --- The nearest -------------------------------------------------------- */

static int ignore(void *context, int64_t id, const double box[4],
		  double distance)
{
	found_count++;
	return 0;
}

static void assert_nearest_is_refused(fake_handler *answer, const char *words)
{
	const double point[2] = {0, 0};

	begin_messaging();
	fake_answer_with(&fake, answer);
	found_count = 0;
	assert_says(catfish_nearest(server, point, 2, ignore, NULL, NULL),
		    CATFISH_ERROR_PROTOCOL, words);
	ck_assert_uint_eq(found_count, 0);
	assert_broken();
	end();
}

/* Answers with items at these distances. */
static void send_neighbours(struct fake *f, const struct wire_header *request,
			    const double *distances, uint32_t count,
			    uint64_t total)
{
	const struct wire_found found = {
		.identity = fake.region.identity,
		.version = FAKE_VERSION,
		.total = total,
	};
	struct wire_neighbour neighbours[3] = {0};
	struct fake_segment segment = fake_segment_to(request);

	for (uint32_t i = 0; i < count; i++)
		neighbours[i].distance = distances[i];
	segment.fixed = &found;
	segment.fixed_size = sizeof(found);
	segment.entries = neighbours;
	segment.entries_size = count * (uint32_t)sizeof(neighbours[0]);
	segment.count = count;
	fake_send(f, &segment);
}

static void with_the_farther_first(struct fake *f,
				   const struct wire_header *request)
{
	send_neighbours(f, request, (const double[]){2, 1}, 2, 2);
}

static void with_nan_for_a_distance(struct fake *f,
				    const struct wire_header *request)
{
	send_neighbours(f, request, (const double[]){1, NAN}, 2, 2);
}

static void with_a_negative_distance(struct fake *f,
				     const struct wire_header *request)
{
	send_neighbours(f, request, (const double[]){-1}, 1, 1);
}

static void with_a_neighbour_too_many(struct fake *f,
				      const struct wire_header *request)
{
	send_neighbours(f, request, (const double[]){1, 2, 3}, 3, 3);
}

START_TEST(neighbours_out_of_order_are_refused)
{
	assert_nearest_is_refused(with_the_farther_first, "1 after one of 2");
	assert_nearest_is_refused(with_nan_for_a_distance, "nan after");
	assert_nearest_is_refused(with_a_negative_distance, "-1 after");
}
END_TEST

START_TEST(more_neighbours_than_asked_for_are_refused)
{
	assert_nearest_is_refused(with_a_neighbour_too_many,
				  "3 items where at most 2");
}
END_TEST

static void with_a_neighbour_missing(struct fake *f,
				     const struct wire_header *request)
{
	send_neighbours(f, request, (const double[]){1}, 1, 2);
}

START_TEST(an_answer_with_neighbours_missing_is_refused)
{
	const double point[2] = {0, 0};

	begin_messaging();
	fake_answer_with(&fake, with_a_neighbour_missing);
	assert_says(catfish_nearest(server, point, 2, ignore, NULL, NULL),
		    CATFISH_ERROR_PROTOCOL, "1 items and says there were 2");
	assert_broken();
	end();
}
END_TEST

/* --- Snapshots ---------------------------------------------------------- */

static void with_half_a_snapshot(struct fake *f,
				 const struct wire_header *request)
{
	const struct wire_saved saved = {
		.identity = fake.region.identity,
		.version = FAKE_VERSION,
		.total = 16,
	};
	struct fake_segment segment = fake_segment_to(request);

	segment.fixed = &saved;
	segment.fixed_size = sizeof(saved);
	segment.entries = "12345678";
	segment.entries_size = segment.count = 8;
	fake_send(f, &segment);
}

START_TEST(half_a_snapshot_replaces_nothing)
{
	char path[] = "/tmp/catfish-save-XXXXXX";
	struct stat stat;

	begin_messaging();
	int fd = mkstemp(path);
	ck_assert_int_eq(write(fd, "old", 3), 3);
	fake_answer_with(&fake, with_half_a_snapshot);
	assert_says(catfish_save(server, path, NULL, NULL),
		    CATFISH_ERROR_PROTOCOL, "8 of 16 bytes");
	ck_assert_int_eq(fstat(fd, &stat), 0);
	ck_assert_int_eq(stat.st_size, 3);
	ck_assert_int_eq(stat.st_nlink, 1);
	close(fd);
	unlink(path);
	end();
}
END_TEST

/* --- Offloading: each test by copy and mapped --------------------------- */

static const enum catfish_offload ways[] = {CATFISH_OFFLOAD_COPY,
					    CATFISH_OFFLOAD_MAPPED};

static void begin_offload(int way, uint64_t lease_ns)
{
	fake_start(&fake, ITEMS, lease_ns);
	connect_by(CATFISH_POLICY_OFFLOAD, ways[way]);
}

static struct root newest(void)
{
	struct root root;

	root_load(fake_root_page(&fake), &root);
	return root;
}

/* The last child of the root that every item's query reads. */
static struct node *some_leaf(void)
{
	struct node *node = fake_page(&fake, node_ref_page(newest().ref));

	while (node->header.level)
		node = fake_page(&fake, node_ref_page(node->child[0]));
	return node;
}

START_TEST(an_undisturbed_walk_finds_all)
{
	struct catfish_answer answer;

	begin_offload(_i, LONG_LEASE);
	ck_assert_msg(!search(&everything, &answer), "%s",
		      catfish_error_text());
	ck_assert_uint_eq(found_count, ITEMS);
	ck_assert_uint_eq(answer.count, ITEMS);
	ck_assert_int_eq(answer.path, CATFISH_PATH_OFFLOAD);
	ck_assert_int_eq(answer.offload, ways[_i]);
	ck_assert_uint_eq(answer.version, newest().version);
	ck_assert_uint_gt(answer.nodes, ITEMS / NODE_CAPACITY);
	ck_assert_uint_gt(answer.read_bytes, ITEMS * 40);
	ck_assert(ways[_i] == CATFISH_OFFLOAD_MAPPED || answer.reads);
	end();
}
END_TEST

START_TEST(a_horizon_beyond_the_version_drops_the_answer)
{
	struct catfish_answer answer;

	begin_offload(_i, 0);
	struct root root = newest();
	root.horizon = root.version + 1;
	fake_write_record(&fake, &root);
	ck_assert_int_eq(search(&everything, &answer), 0);
	ck_assert_uint_eq(found_count, 1);
	ck_assert(found_fake_item);
	ck_assert_int_eq(answer.path, CATFISH_PATH_MESSAGING);
	ck_assert_uint_ge(answer.lease_expiries, 1);
	end();
}
END_TEST

START_TEST(a_lease_that_passed_is_harmless_while_the_horizon_stands)
{
	struct catfish_answer answer;

	begin_offload(0, 0);
	struct root root = newest();
	root.horizon = root.version;
	fake_write_record(&fake, &root);
	ck_assert_int_eq(search(&everything, &answer), 0);
	ck_assert_uint_eq(found_count, ITEMS);
	ck_assert_int_eq(answer.path, CATFISH_PATH_OFFLOAD);
	ck_assert_uint_eq(answer.lease_expiries, 0);
	end();
}
END_TEST

START_TEST(a_page_reused_is_no_damage)
{
	struct catfish_answer answer;

	begin_offload(_i, 0);
	struct root root = newest();
	some_leaf()->header.birth++;
	root.horizon = root.version + 1;
	fake_write_record(&fake, &root);
	ck_assert_int_eq(search(&everything, &answer), 0);
	ck_assert(found_fake_item);
	ck_assert_int_eq(answer.path, CATFISH_PATH_MESSAGING);
	end();
}
END_TEST

START_TEST(a_wrong_node_is_damage)
{
	begin_offload(_i, LONG_LEASE);
	some_leaf()->header.birth++;
	assert_says(search(&everything, NULL), CATFISH_ERROR_DAMAGED, "page");
	ck_assert_uint_eq(found_count, 0);
	end();
}
END_TEST

START_TEST(a_ref_out_of_the_region_is_damage)
{
	begin_offload(_i, LONG_LEASE);
	struct node *root = fake_page(&fake, node_ref_page(newest().ref));
	root->child[0] = node_ref_make(UINT32_MAX, 1);
	assert_says(search(&everything, NULL), CATFISH_ERROR_DAMAGED, "page");
	end();
}
END_TEST

START_TEST(a_root_out_of_the_region_is_damage)
{
	begin_offload(_i, LONG_LEASE);
	struct root root = newest();
	root.ref = node_ref_make((uint32_t)fake.region.page_count,
				 (uint32_t)root.version);
	fake_write_record(&fake, &root);
	assert_says(search(&everything, NULL), CATFISH_ERROR_DAMAGED, "page");
	end();
}
END_TEST

START_TEST(an_item_that_is_no_answer_is_damage)
{
	const struct catfish_query corner = {.box = {-1, -1, 20, 20}};

	begin_offload(_i, LONG_LEASE);
	struct node *leaf = some_leaf();
	for (int i = 0; i < NODE_LANES; i++)
		leaf->rect[i] = (struct rect){{NAN, 1}, {2, 2}};
	assert_says(search(&everything, NULL), CATFISH_ERROR_DAMAGED,
		    "no answer");
	ck_assert_uint_eq(found_count, 0);
	search(&corner, NULL);
	ck_assert_uint_le(found_count, 21);
	end();
}
END_TEST

START_TEST(a_walk_in_circles_ends)
{
	begin_offload(_i, LONG_LEASE);
	/* Every page claims to be the child that was asked for. */
	struct node *root = fake_page(&fake, node_ref_page(newest().ref));
	for (int i = 0; i < NODE_LANES; i++)
		root->child[i] = newest().ref;
	ck_assert_int_eq(search(&everything, NULL), CATFISH_ERROR_DAMAGED);
	end();
}
END_TEST

START_TEST(an_older_version_in_memory_is_refused)
{
	begin_offload(_i, LONG_LEASE);
	ck_assert_int_eq(search(&everything, NULL), 0);
	struct root root = newest();
	root.version--;
	root.ref = node_ref_make(node_ref_page(root.ref),
				 node_ref_birth(root.ref) - 1);
	fake_write_record(&fake, &root);
	assert_says(search(&everything, NULL), CATFISH_ERROR_PROTOCOL,
		    "after it had answered");
	assert_broken();
	end();
}
END_TEST

START_TEST(memory_of_another_server_is_refused)
{
	begin_offload(_i, LONG_LEASE);
	struct root root = newest();
	root.identity++;
	fake_write_record(&fake, &root);
	assert_says(search(&everything, NULL), CATFISH_ERROR_CONNECTION,
		    "another server");
	assert_broken();
	end();
}
END_TEST

START_TEST(memory_of_a_dead_server_is_refused)
{
	begin_offload(_i, LONG_LEASE);
	ck_assert_int_eq(search(&everything, NULL), 0);
	_Atomic unsigned *futex = (void *)&fake_root_page(&fake)->owner;
	unsigned word = *futex;
	*futex = word | FUTEX_OWNER_DIED;
	ck_assert_int_eq(search(&everything, NULL), CATFISH_ERROR_CONNECTION);
	ck_assert_uint_eq(found_count, 0);
	*futex = word;
	assert_broken();
	end();
}
END_TEST

START_TEST(a_record_that_stays_torn_is_not_waited_for)
{
	struct catfish_answer answer;

	begin_offload(0, LONG_LEASE);
	fake_root_page(&fake)->record.checksum++;
	ck_assert_int_eq(search(&everything, &answer), 0);
	ck_assert(found_fake_item);
	ck_assert_int_eq(answer.path, CATFISH_PATH_MESSAGING);
	ck_assert_uint_ge(answer.retries, 1);
	end();
}
END_TEST

START_TEST(offloaded_searches_are_reported)
{
	begin_offload(_i, LONG_LEASE);
	for (int i = 0; i < 65; i++)
		ck_assert_int_eq(search(&everything, NULL), 0);
	while (!atomic_load(&fake.offloaded))
		usleep(100);
	ck_assert_uint_eq(atomic_load(&fake.offloaded), 64);
	end();
}
END_TEST

/* --- The suite ---------------------------------------------------------- */

static TCase *connecting(void)
{
	TCase *tc = tcase_create("connecting");

	tcase_add_test(tc, a_server_of_another_protocol_is_refused);
	tcase_add_test(tc, a_server_of_another_layout_is_refused);
	tcase_add_test(tc, a_layout_that_the_server_let_pass_is_refused_here);
	tcase_add_test(tc, a_full_server_is_busy);
	tcase_add_test(tc, a_region_that_cannot_be_is_refused);
	tcase_add_test(tc, a_region_larger_than_what_is_mapped_is_refused);
	return tc;
}

static TCase *messaging(void)
{
	TCase *tc = tcase_create("messaging");

	tcase_add_test(tc, an_honest_answer_is_believed);
	tcase_add_test(tc, an_answer_to_another_request_is_refused);
	tcase_add_test(tc, an_answer_of_another_kind_is_refused);
	tcase_add_test(tc, a_spoilt_answer_is_refused);
	tcase_add_test(tc, an_answer_of_the_wrong_length_is_refused);
	tcase_add_test(tc, an_answer_from_another_server_is_refused);
	tcase_add_test(tc, an_answer_older_than_the_last_is_refused);
	tcase_add_test(tc, an_answer_from_two_versions_is_refused);
	tcase_add_test(tc, an_answer_with_items_missing_is_refused);
	tcase_add_test(tc, more_items_than_the_limit_are_refused);
	tcase_add_test(tc, an_item_without_a_rectangle_is_refused);
	tcase_add_test(tc, a_server_that_hangs_is_given_up);
	tcase_add_test(tc, an_error_is_passed_on_and_the_connection_lives);
	tcase_add_test(tc, what_was_applied_before_an_error_is_told);
	tcase_add_test(tc, a_write_that_was_forgotten_is_noticed);
	tcase_add_test(tc, an_index_beyond_the_array_is_refused);
	tcase_add_test(tc, neighbours_out_of_order_are_refused);
	tcase_add_test(tc, more_neighbours_than_asked_for_are_refused);
	tcase_add_test(tc, an_answer_with_neighbours_missing_is_refused);
	tcase_add_test(tc, half_a_snapshot_replaces_nothing);
	return tc;
}

static TCase *offloading(void)
{
	TCase *tc = tcase_create("offloading");

	tcase_add_loop_test(tc, an_undisturbed_walk_finds_all, 0, 2);
	tcase_add_loop_test(tc, a_horizon_beyond_the_version_drops_the_answer,
			    0, 2);
	tcase_add_test(
		tc, a_lease_that_passed_is_harmless_while_the_horizon_stands);
	tcase_add_loop_test(tc, a_page_reused_is_no_damage, 0, 2);
	tcase_add_loop_test(tc, a_wrong_node_is_damage, 0, 2);
	tcase_add_loop_test(tc, a_ref_out_of_the_region_is_damage, 0, 2);
	tcase_add_loop_test(tc, a_root_out_of_the_region_is_damage, 0, 2);
	tcase_add_loop_test(tc, an_item_that_is_no_answer_is_damage, 0, 2);
	tcase_add_loop_test(tc, a_walk_in_circles_ends, 0, 2);
	tcase_add_loop_test(tc, an_older_version_in_memory_is_refused, 0, 2);
	tcase_add_loop_test(tc, memory_of_another_server_is_refused, 0, 2);
	tcase_add_loop_test(tc, memory_of_a_dead_server_is_refused, 0, 2);
	tcase_add_test(tc, a_record_that_stays_torn_is_not_waited_for);
	tcase_add_loop_test(tc, offloaded_searches_are_reported, 0, 2);
	return tc;
}

Suite *test_suite(const char **why)
{
	Suite *suite = suite_create("client: hostile servers");
	TCase *cases[] = {connecting(), messaging(), offloading()};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		/* With sanitizers, on a busy machine. */
		tcase_set_timeout(cases[i], 60);
		suite_add_tcase(suite, cases[i]);
	}
	return suite;
}
