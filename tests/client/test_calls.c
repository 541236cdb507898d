/* SPDX-License-Identifier: BSD-2-Clause */

/* Every call, by every path, against a linear scan. */

#include <dirent.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/client/daemon.h"
#include "tests/client/model.h"
#include "tests/lib/test.h"

/* --- Paths -------------------------------------------------------------- */

static const struct way {
	const char *name;
	bool network;
	enum catfish_policy policy;
	enum catfish_offload offload;
	uint64_t cache_size;
} ways[] = {
	{"shm, messaging", false, CATFISH_POLICY_MESSAGING, 0, 0},
	{"shm, copy", false, CATFISH_POLICY_OFFLOAD, CATFISH_OFFLOAD_COPY, 0},
	{"shm, copy, hardly a cache", false, CATFISH_POLICY_OFFLOAD,
	 CATFISH_OFFLOAD_COPY, 8192},
	{"shm, copy, no cache", false, CATFISH_POLICY_OFFLOAD,
	 CATFISH_OFFLOAD_COPY, CATFISH_NO_CACHE},
	{"shm, mapped", false, CATFISH_POLICY_OFFLOAD, CATFISH_OFFLOAD_MAPPED,
	 0},
	{"faulty shm, messaging", false, CATFISH_POLICY_MESSAGING, 0, 0},
	{"faulty network, messaging", true, CATFISH_POLICY_MESSAGING, 0, 0},
	{"network, messaging", true, CATFISH_POLICY_MESSAGING, 0, 0},
	{"rdma, copy", true, CATFISH_POLICY_OFFLOAD, CATFISH_OFFLOAD_COPY, 0},
	{"rdma, copy, hardly a cache", true, CATFISH_POLICY_OFFLOAD,
	 CATFISH_OFFLOAD_COPY, 8192},
	{"rdma, copy, no cache", true, CATFISH_POLICY_OFFLOAD,
	 CATFISH_OFFLOAD_COPY, CATFISH_NO_CACHE},
};
enum {
	WAYS_MAX = sizeof(ways) / sizeof(ways[0]),
	FAULTY_NETWORK = 6,
	NETWORK_MESSAGING,
	RDMA_COPY,
};

/* Those that are tested one by one: with an RDMA device only what goes over it,
 * and unless there is time for more (CATFISH_TEST_LONG=1) with one cache, as
 * the others do the same over shm. */
static int first_way(void)
{
	return daemon_uses_rdma() ? FAULTY_NETWORK : 0;
}

static int way_count(void)
{
	if (!daemon_uses_rdma())
		return RDMA_COPY;
	return getenv("CATFISH_TEST_LONG") ? WAYS_MAX : RDMA_COPY + 1;
}

/* The same of calls that are messages whatever the way is: all ways are
 * compared afterwards, anyhow. */
static int writer_count(void)
{
	if (daemon_uses_rdma() && !getenv("CATFISH_TEST_LONG"))
		return NETWORK_MESSAGING + 1;
	return way_count();
}

static struct daemon daemon_;
static struct model model;

static void succeeds(int error)
{
	ck_assert_msg(!error, "%s: %s", catfish_strerror(error),
		      catfish_error_text());
}

static void fails(int error, int wanted, const char *words)
{
	ck_assert_msg(error == wanted, "%s: %s", catfish_strerror(error),
		      catfish_error_text());
	ck_assert_msg(strstr(catfish_error_text(), words), "'%s' not in '%s'",
		      words, catfish_error_text());
}

static struct catfish *connect_way(const struct way *way)
{
	const struct catfish_options options = {
		.policy = way->policy,
		.offload = way->offload,
		.cache_size = way->cache_size,
		.timeout_ms = DAEMON_PATIENCE_MS,
	};
	struct catfish *server = NULL;
	char address[160];

	snprintf(address, sizeof(address), "%s%s",
		 strncmp(way->name, "faulty", 6) ? "" : "faulty:1:",
		 way->network ? daemon_.network : daemon_.shm);
	succeeds(catfish_connect(address, &options, &server));
	return server;
}

static int open_files(void)
{
	DIR *entries = opendir("/proc/self/fd");
	int count = 0;

	while (readdir(entries))
		count++;
	closedir(entries);
	return count;
}

static int files_before;

static void begin(void)
{
	daemon_start(&daemon_, NULL);
	/* A device stays open from the first connection on. */
	catfish_close(connect_way(&ways[NETWORK_MESSAGING]));
	files_before = open_files();
}

/* Nothing is left of connections, here or, in time, at the server. */
static void end(void)
{
	if (files_before)
		ck_assert_int_eq(open_files(), files_before);
	if (daemon_.pid) {
		struct catfish *server = connect_way(&ways[0]);
		struct catfish_stat stat;
		do
			succeeds(catfish_stat(server, &stat));
		while (stat.clients > 1);
		catfish_close(server);
	}
	daemon_stop(&daemon_);
	model_clear(&model);
}

/* --- Comparing ---------------------------------------------------------- */

/* Searches and compares with what the model says. */
static void assert_search_is_right(struct catfish *server,
				   const struct catfish_query *query)
{
	struct model found = {0}, wanted = {0};
	struct catfish_answer answer;

	model_search(&model, query, &wanted);
	succeeds(catfish_search(server, query, model_take, &found, &answer));
	ck_assert_uint_eq(answer.count, wanted.count);
	ck_assert(!answer.truncated);
	ck_assert(model_equal(&found, &wanted));
	model_clear(&found);
	model_clear(&wanted);
}

static const struct catfish_query everything = {.box = {-10, -10, 10, 10}};

static void assert_server_holds_the_model(void)
{
	for (int i = 0; i < way_count(); i++) {
		struct catfish *server = connect_way(&ways[i]);
		assert_search_is_right(server, &everything);
		catfish_close(server);
	}
}

static void insert_model(void)
{
	struct catfish *server = connect_way(&ways[0]);
	struct catfish_written written;

	succeeds(catfish_insert(server, model.items, model.count, &written));
	ck_assert_uint_eq(written.applied, model.count);
	ck_assert_uint_eq(written.not_found, 0);
	catfish_close(server);
}

static void insert_random(struct random *random, size_t count)
{
	random_seed(random, 42);
	model_add_random(&model, random, count);
	insert_model();
}

/* --- Searching ---------------------------------------------------------- */

START_TEST(searches_find_what_a_linear_scan_finds)
{
	struct random random;

	begin();
	insert_random(&random, 4000);
	struct catfish *server = connect_way(&ways[_i]);
	for (int i = 0; i < 300; i++) {
		struct catfish_query query =
			model_random_query(&model, &random, i % 3 ? 0.05 : 0.7);
		assert_search_is_right(server, &query);
	}
	catfish_close(server);
	end();
}
END_TEST

START_TEST(an_answer_says_how_it_came)
{
	struct catfish_answer answer;
	struct random random;
	uint64_t count;

	begin();
	insert_random(&random, 4000);
	struct catfish *server = connect_way(&ways[_i]);
	succeeds(catfish_count(server, &everything, &count, &answer));
	ck_assert_uint_eq(count, 4000);
	ck_assert_uint_eq(answer.count, 4000);
	ck_assert_int_eq(answer.path == CATFISH_PATH_OFFLOAD,
			 ways[_i].policy == CATFISH_POLICY_OFFLOAD);
	ck_assert_int_eq(answer.offload, ways[_i].offload);
	ck_assert_uint_ge(answer.version, 2);
	ck_assert_uint_gt(answer.nodes, 4000 / 64);
	ck_assert_uint_gt(answer.time_ns, 0);
	switch (ways[_i].offload) {
	case CATFISH_OFFLOAD_AUTO:
		ck_assert_uint_eq(answer.round_trips, 1);
		ck_assert_uint_eq(answer.reads, 0);
		break;
	case CATFISH_OFFLOAD_COPY:
		ck_assert_uint_ge(answer.round_trips, 1);
		ck_assert_uint_ge(answer.reads, answer.round_trips);
		break;
	case CATFISH_OFFLOAD_MAPPED:
		ck_assert_uint_eq(answer.round_trips, 0);
		ck_assert_uint_gt(answer.read_bytes, 4000 * 40);
		break;
	}
	catfish_close(server);
	end();
}
END_TEST

START_TEST(a_limit_gives_that_many_and_says_that_there_are_more)
{
	struct model wanted = {0};
	struct catfish_answer answer;
	struct random random;

	begin();
	insert_random(&random, 3000);
	struct catfish *server = connect_way(&ways[_i]);
	struct catfish_query query = {.box = {0.2, 0.2, 0.6, 0.6}};
	model_search(&model, &query, &wanted);
	ck_assert_uint_gt(wanted.count, 100);
	const uint64_t limits[] = {1,
				   2,
				   63,
				   64,
				   65,
				   wanted.count - 1,
				   wanted.count,
				   wanted.count + 1};
	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		struct model found = {0};
		query.limit = limits[i];
		succeeds(catfish_search(server, &query, model_take, &found,
					&answer));
		uint64_t count =
			limits[i] < wanted.count ? limits[i] : wanted.count;
		ck_assert_uint_eq(found.count, count);
		ck_assert_uint_eq(answer.count, count);
		ck_assert_int_eq(answer.truncated, limits[i] < wanted.count);
		ck_assert(model_includes(&wanted, &found));
		model_clear(&found);
	}
	succeeds(catfish_count(server, &query, NULL, &answer));
	ck_assert_uint_eq(answer.count, wanted.count);
	model_clear(&wanted);
	catfish_close(server);
	end();
}
END_TEST

START_TEST(arrays_take_what_they_have_room_for)
{
	int64_t ids[101] = {0};
	double boxes[101 * 4] = {0};
	struct catfish_answer answer;
	struct random random;

	begin();
	insert_random(&random, 1000);
	struct catfish *server = connect_way(&ways[_i]);
	ids[100] = 4711;
	succeeds(catfish_search_into(server, &everything, ids, boxes, 100,
				     &answer));
	ck_assert_uint_eq(answer.count, 1000);
	ck_assert_int_eq(ids[100], 4711);
	struct model stored = {0};
	for (int i = 0; i < 100; i++)
		model_take(&stored, ids[i], boxes + 4 * i);
	ck_assert(model_includes(&model, &stored));
	model_clear(&stored);
	succeeds(catfish_search_into(server, &everything, ids, NULL, 100,
				     &answer));
	succeeds(catfish_search_into(server, &everything, NULL, NULL, 0,
				     &answer));
	ck_assert_uint_eq(answer.count, 1000);
	catfish_close(server);
	end();
}
END_TEST

static int stop_at_ten(void *context, int64_t id, const double box[4])
{
	return ++*(int *)context == 10;
}

START_TEST(the_caller_can_end_a_search)
{
	struct catfish_answer answer;
	struct random random;
	int count = 0;

	begin();
	insert_random(&random, 10000);
	struct catfish *server = connect_way(&ways[_i]);
	succeeds(catfish_search(server, &everything, stop_at_ten, &count,
				&answer));
	ck_assert_int_eq(count, 10);
	ck_assert_uint_eq(answer.count, 10000);
	assert_search_is_right(server, &everything);
	catfish_close(server);
	end();
}
END_TEST

START_TEST(an_empty_tree_has_no_answers)
{
	begin();
	struct catfish *server = connect_way(&ways[_i]);
	assert_search_is_right(server, &everything);
	catfish_close(server);
	end();
}
END_TEST

START_TEST(the_path_can_be_changed)
{
	struct catfish_answer answer;
	struct random random;

	begin();
	insert_random(&random, 500);
	struct catfish *server = connect_way(&ways[0]);
	for (int i = 0; i < 3; i++) {
		succeeds(catfish_set_policy(server, ways[i].policy,
					    ways[i].offload));
		succeeds(catfish_count(server, &everything, NULL, &answer));
		ck_assert_uint_eq(answer.count, 500);
		ck_assert_int_eq(answer.path == CATFISH_PATH_OFFLOAD,
				 ways[i].policy == CATFISH_POLICY_OFFLOAD);
		ck_assert_int_eq(answer.offload, ways[i].offload);
	}
	succeeds(catfish_set_policy(server, CATFISH_POLICY_OFFLOAD,
				    CATFISH_OFFLOAD_AUTO));
	succeeds(catfish_count(server, &everything, NULL, &answer));
	ck_assert_int_eq(answer.offload, CATFISH_OFFLOAD_MAPPED);
	catfish_close(server);
	end();
}
END_TEST

/* --- Arguments ---------------------------------------------------------- */

START_TEST(a_query_must_be_a_rectangle)
{
	static const double boxes[][4] = {
		{NAN, 0, 1, 1},
		{0, 0, INFINITY, 1},
		{1, 0, 0, 1},
		{0, 1, 1, 0},
	};

	begin();
	struct catfish *server = connect_way(&ways[_i]);
	for (int i = 0; i < 4; i++) {
		struct catfish_query query = {0};
		memcpy(query.box, boxes[i], sizeof(query.box));
		fails(catfish_count(server, &query, NULL, NULL),
		      CATFISH_ERROR_DATA, "the query's rectangle");
	}
	struct catfish_query query = {.relation = 7};
	fails(catfish_count(server, &query, NULL, NULL), CATFISH_ERROR_USAGE,
	      "relation 7");
	assert_search_is_right(server, &everything);
	catfish_close(server);
	end();
}
END_TEST

START_TEST(what_is_missing_is_said)
{
	begin();
	struct catfish *server = connect_way(&ways[0]);
	struct catfish_item item = {0};
	fails(catfish_search(server, &everything, NULL, NULL, NULL),
	      CATFISH_ERROR_USAGE, "a function to call");
	fails(catfish_search(server, NULL, model_take, NULL, NULL),
	      CATFISH_ERROR_USAGE, "no query");
	fails(catfish_search(NULL, &everything, model_take, NULL, NULL),
	      CATFISH_ERROR_USAGE, "no connection");
	fails(catfish_search_into(server, &everything, NULL, NULL, 1, NULL),
	      CATFISH_ERROR_USAGE, "room");
	fails(catfish_insert(server, NULL, 1, NULL), CATFISH_ERROR_USAGE,
	      "no items");
	fails(catfish_load_items(server, &item, 1), CATFISH_ERROR_USAGE,
	      "no load");
	fails(catfish_load_commit(server, NULL), CATFISH_ERROR_USAGE,
	      "no load");
	fails(catfish_load_begin(server, 9, 0), CATFISH_ERROR_USAGE, "9");
	fails(catfish_set_policy(server, 9, 0), CATFISH_ERROR_USAGE,
	      "no policy");
	fails(catfish_stat(server, NULL), CATFISH_ERROR_USAGE, "no place");
	fails(catfish_save(server, NULL, NULL, NULL), CATFISH_ERROR_USAGE,
	      "file name");
	fails(catfish_connect(NULL, NULL, &server), CATFISH_ERROR_USAGE,
	      "address");
	succeeds(catfish_insert(server, NULL, 0, NULL));
	catfish_close(server);
	catfish_close(NULL);
	end();
}
END_TEST

START_TEST(tcp_has_no_offloading)
{
	const struct catfish_options options = {.policy =
							CATFISH_POLICY_OFFLOAD};
	struct catfish *server = NULL;

	begin();
	fails(catfish_connect(daemon_.network, &options, &server),
	      CATFISH_ERROR_UNSUPPORTED, "not possible over tcp");
	ck_assert_ptr_null(server);
	server = connect_way(&ways[NETWORK_MESSAGING]);
	fails(catfish_set_policy(server, CATFISH_POLICY_OFFLOAD,
				 CATFISH_OFFLOAD_COPY),
	      CATFISH_ERROR_UNSUPPORTED, "not possible over tcp");
	assert_search_is_right(server, &everything);
	catfish_close(server);
	end();
}
END_TEST

/* --- Changing ----------------------------------------------------------- */

/* The indices that were not found, in order. */
struct missing {
	size_t count;
	size_t indices[4000];
};

static void note_missing(void *context, size_t index)
{
	struct missing *missing = context;

	missing->indices[missing->count++] = index;
}

/* Deletes items of which every third isn't there. */
static void delete_some(struct catfish *server, struct random *random,
			size_t count)
{
	static struct missing missing;
	struct catfish_item items[3000];
	struct catfish_written written;
	size_t found = 0;

	missing.count = 0;
	for (size_t i = 0; i < count; i++) {
		items[i] = model.items[random_below(random, model.count)];
		if (i % 3 == 0)
			items[i].id = 1000000;
		else
			found += model_remove(&model, &items[i]);
	}
	succeeds(catfish_delete(server, items, count, note_missing, &missing,
				&written));
	ck_assert_uint_eq(written.applied, found);
	ck_assert_uint_eq(written.not_found, count - found);
	ck_assert_uint_eq(missing.count, count - found);
	for (size_t i = 0; i < missing.count; i++)
		ck_assert_int_eq(items[missing.indices[i]].id, 1000000);
}

static void move_some(struct catfish *server, struct random *random,
		      size_t count)
{
	static struct missing missing;
	struct catfish_move moves[3000];
	struct catfish_written written;
	struct model moved = {0};

	missing.count = 0;
	for (size_t i = 0; i < count; i++) {
		moves[i].item = model.items[random_below(random, model.count)];
		bool there = model_remove(&model, &moves[i].item);
		ck_assert(there);
		struct catfish_query to =
			model_random_query(&model, random, 0.1);
		memcpy(moves[i].to, to.box, sizeof(to.box));
		struct catfish_item item = {.id = moves[i].item.id};
		memcpy(item.box, to.box, sizeof(item.box));
		model_add(&moved, &item);
	}
	moves[count] = moves[0];
	moves[count].item.id = 1000000;
	succeeds(catfish_update(server, moves, count + 1, note_missing,
				&missing, &written));
	ck_assert_uint_eq(written.applied, count);
	ck_assert_uint_eq(written.not_found, 1);
	ck_assert_uint_eq(missing.count, 1);
	ck_assert_uint_eq(missing.indices[0], count);
	for (size_t i = 0; i < moved.count; i++)
		model_add(&model, &moved.items[i]);
	model_clear(&moved);
}

START_TEST(writes_do_what_they_say)
{
	struct random random;

	begin();
	insert_random(&random, 6000);
	struct catfish *server = connect_way(&ways[_i]);
	for (int i = 0; i < 3; i++) {
		delete_some(server, &random, 500 + 700 * (size_t)i);
		assert_search_is_right(server, &everything);
		move_some(server, &random, 10 + 900 * (size_t)i);
		assert_search_is_right(server, &everything);
	}
	succeeds(catfish_check(server, NULL, NULL));
	catfish_close(server);
	assert_server_holds_the_model();
	end();
}
END_TEST

START_TEST(one_of_several_equal_items_goes_at_a_time)
{
	const struct catfish_item items[3] = {
		{5, {1, 1, 2, 2}}, {5, {1, 1, 2, 2}}, {5, {1, 1, 2, 2}}};
	struct catfish_written written;

	begin();
	struct catfish *server = connect_way(&ways[_i]);
	for (int i = 0; i < 3; i++)
		model_add(&model, &items[i]);
	succeeds(catfish_insert(server, items, 3, NULL));
	for (int i = 0; i < 3; i++) {
		assert_search_is_right(server, &everything);
		succeeds(
			catfish_delete(server, items, 1, NULL, NULL, &written));
		ck_assert_uint_eq(written.applied, 1);
		ck_assert(model_remove(&model, items));
	}
	succeeds(catfish_delete(server, items, 1, NULL, NULL, &written));
	ck_assert_uint_eq(written.applied, 0);
	ck_assert_uint_eq(written.not_found, 1);
	assert_search_is_right(server, &everything);
	catfish_close(server);
	end();
}
END_TEST

START_TEST(a_bad_rectangle_changes_nothing)
{
	struct catfish_item items[3] = {{.id = 1}, {.id = 2}, {.id = 3}};
	struct catfish_move move = {.item = {.id = 1}, .to = {0, 0, NAN, 0}};
	struct catfish_written written = {.applied = 99};

	begin();
	struct catfish *server = connect_way(&ways[0]);
	items[2].box[0] = 1;
	fails(catfish_insert(server, items, 3, &written), CATFISH_ERROR_DATA,
	      "item 2");
	ck_assert_uint_eq(written.applied, 0);
	fails(catfish_update(server, &move, 1, NULL, NULL, NULL),
	      CATFISH_ERROR_DATA, "item 0");
	succeeds(catfish_load_begin(server, CATFISH_LOAD_EMPTY, 0));
	fails(catfish_load_items(server, items, 3), CATFISH_ERROR_DATA,
	      "item 2");
	succeeds(catfish_load_abort(server));
	assert_search_is_right(server, &everything);
	catfish_close(server);
	end();
}
END_TEST

START_TEST(what_was_acknowledged_is_seen_by_every_path_at_once)
{
	struct catfish_written written;
	struct catfish_answer answer;
	struct catfish *readers[WAYS_MAX];
	struct catfish_item item = {.id = 1};

	begin();
	struct catfish *writer = connect_way(&ways[_i]);
	for (int r = 0; r < way_count(); r++)
		readers[r] = connect_way(&ways[r]);
	for (uint64_t i = 1; i <= 200; i++) {
		succeeds(catfish_insert(writer, &item, 1, &written));
		for (int r = 0; r < way_count(); r++) {
			succeeds(catfish_count(readers[r], &everything, NULL,
					       &answer));
			ck_assert_uint_eq(answer.count, i);
			ck_assert_uint_eq(answer.version, written.version);
			ck_assert_uint_eq(answer.identity, written.identity);
		}
	}
	for (int r = 0; r < way_count(); r++)
		catfish_close(readers[r]);
	catfish_close(writer);
	end();
}
END_TEST

START_TEST(a_full_region_says_so_and_goes_on_serving)
{
	static const char *const options[] = {"--memory", "4M", "--lease",
					      "1ms", NULL};
	struct catfish_written written;
	uint64_t applied = 0, count;
	struct random random;
	int error;

	daemon_start(&daemon_, options);
	random_seed(&random, 1);
	model_add_random(&model, &random, 4000);
	struct catfish *server = connect_way(&ways[0]);
	do {
		error = catfish_insert(server, model.items, model.count,
				       &written);
		applied += written.applied;
	} while (!error);
	fails(error, CATFISH_ERROR_NO_ROOM, "");
	succeeds(catfish_count(server, &everything, &count, NULL));
	ck_assert_uint_eq(count, applied);
	succeeds(catfish_delete(server, model.items, 1000, NULL, NULL,
				&written));
	ck_assert_uint_eq(written.applied, 1000);
	succeeds(catfish_check(server, NULL, NULL));
	catfish_close(server);
	end();
}
END_TEST

/* --- Loading ------------------------------------------------------------ */

START_TEST(a_load_is_seen_at_once_and_whole)
{
	struct catfish_written written;
	struct catfish_answer answer;
	struct random random;

	begin();
	struct catfish *server = connect_way(&ways[_i]);
	random_seed(&random, 7);
	model_add_random(&model, &random, 20000);
	succeeds(catfish_load_begin(server, CATFISH_LOAD_EMPTY, 20000));
	succeeds(catfish_load_items(server, model.items, 12345));
	succeeds(catfish_count(server, &everything, NULL, &answer));
	ck_assert_uint_eq(answer.count, 0);
	succeeds(catfish_load_items(server, model.items + 12345, 7655));
	succeeds(catfish_load_commit(server, &written));
	ck_assert_uint_eq(written.applied, 20000);
	ck_assert_uint_eq(written.version, answer.version + 1);
	assert_search_is_right(server, &everything);
	catfish_close(server);
	assert_server_holds_the_model();
	end();
}
END_TEST

START_TEST(a_load_appends_or_replaces_when_told)
{
	const struct catfish_item more = {-1, {3, 3, 4, 4}};
	struct random random;

	begin();
	insert_random(&random, 1000);
	struct catfish *server = connect_way(&ways[_i]);
	fails(catfish_load_begin(server, CATFISH_LOAD_EMPTY, 1),
	      CATFISH_ERROR_USAGE, "1000 items");

	succeeds(catfish_load_begin(server, CATFISH_LOAD_APPEND, 0));
	fails(catfish_load_begin(server, CATFISH_LOAD_APPEND, 0),
	      CATFISH_ERROR_USAGE, "under way");
	succeeds(catfish_load_items(server, &more, 1));
	succeeds(catfish_load_commit(server, NULL));
	model_add(&model, &more);
	assert_search_is_right(server, &everything);

	succeeds(catfish_load_begin(server, CATFISH_LOAD_REPLACE, 1));
	succeeds(catfish_load_items(server, &more, 1));
	succeeds(catfish_load_commit(server, NULL));
	model_clear(&model);
	model_add(&model, &more);
	assert_search_is_right(server, &everything);
	catfish_close(server);
	end();
}
END_TEST

START_TEST(an_aborted_load_is_never_seen)
{
	const struct catfish_item item = {1, {0, 0, 1, 1}};

	begin();
	struct catfish *server = connect_way(&ways[_i]);
	succeeds(catfish_load_abort(server));
	succeeds(catfish_load_begin(server, CATFISH_LOAD_APPEND, 0));
	succeeds(catfish_load_items(server, &item, 1));
	succeeds(catfish_load_abort(server));
	assert_search_is_right(server, &everything);
	/* And one that the connection's end aborts. */
	succeeds(catfish_load_begin(server, CATFISH_LOAD_APPEND, 0));
	succeeds(catfish_load_items(server, &item, 1));
	catfish_close(server);
	assert_server_holds_the_model();
	end();
}
END_TEST

START_TEST(a_load_too_large_is_refused_at_once)
{
	begin();
	struct catfish *server = connect_way(&ways[_i]);
	fails(catfish_load_begin(server, CATFISH_LOAD_EMPTY, 100000000),
	      CATFISH_ERROR_NO_ROOM, "100000000 items");
	assert_search_is_right(server, &everything);
	catfish_close(server);
	end();
}
END_TEST

/* --- The server --------------------------------------------------------- */

START_TEST(stat_counts)
{
	struct catfish_stat stat;
	struct random random;

	begin();
	insert_random(&random, 3000);
	struct catfish *server = connect_way(&ways[_i]);
	struct catfish *offloader =
		connect_way(&ways[daemon_uses_rdma() ? RDMA_COPY : 1 + _i % 2]);
	succeeds(catfish_count(server, &everything, NULL, NULL));
	for (int i = 0; i < 64; i++)
		assert_search_is_right(offloader, &everything);
	catfish_close(offloader);
	succeeds(catfish_stat(server, &stat));
	ck_assert_uint_eq(stat.items, 3000);
	ck_assert_uint_eq(stat.entries[0], 3000);
	ck_assert_uint_ge(stat.height, 2);
	ck_assert_uint_gt(stat.nodes[0], 3000 / 64);
	ck_assert_uint_eq(stat.nodes[stat.height - 1], 1);
	ck_assert_uint_le(stat.region_bytes, 64 << 20);
	ck_assert_uint_eq(stat.lease_ns, 50000000);
	ck_assert_uint_eq(stat.heartbeat_ns, 10000000);
	ck_assert_uint_eq(stat.since_save_ns, UINT64_MAX);
	ck_assert_uint_ge(stat.inserts, 2);
	ck_assert_uint_ge(stat.clients, 1);
	ck_assert_uint_ge(stat.unsaved_versions, 1);
	ck_assert_double_ge(stat.utilisation, 0);
	ck_assert_double_le(stat.utilisation, 1);
	/* A report is looked at by and by. */
	while (stat.offloaded < 64) {
		usleep(1000);
		succeeds(catfish_stat(server, &stat));
	}
	ck_assert_uint_eq(stat.offloaded, 64);
	catfish_close(server);
	end();
}
END_TEST

START_TEST(a_check_looks_at_every_node)
{
	struct catfish_stat stat;
	struct random random;
	uint64_t nodes, version;

	begin();
	insert_random(&random, 3000);
	struct catfish *server = connect_way(&ways[_i]);
	succeeds(catfish_check(server, &nodes, &version));
	succeeds(catfish_stat(server, &stat));
	ck_assert_uint_eq(version, stat.version);
	uint64_t all = 0;
	for (int level = 0; level < CATFISH_LEVELS; level++)
		all += stat.nodes[level];
	ck_assert_uint_eq(nodes, all);
	catfish_close(server);
	end();
}
END_TEST

START_TEST(a_saved_file_can_be_served)
{
	char path[128];
	struct random random;
	uint64_t version, bytes;

	begin();
	insert_random(&random, 20000);
	struct catfish *server = connect_way(&ways[_i]);
	snprintf(path, sizeof(path), "%s/region", daemon_.folder);
	succeeds(catfish_save(server, path, &version, &bytes));
	ck_assert_uint_ge(version, 2);
	ck_assert_uint_gt(bytes, 20000 * 40);
	fails(catfish_save(server, "/nowhere/at/all", NULL, NULL),
	      CATFISH_ERROR_USAGE, "/nowhere/at/all");
	assert_search_is_right(server, &everything);
	catfish_close(server);

	ck_assert_int_eq(daemon_end(&daemon_, SIGTERM), 0);
	const char *const options[] = {"--region", path, NULL};
	daemon_start_again(&daemon_, options);
	assert_server_holds_the_model();
	end();
}
END_TEST

START_TEST(a_full_disk_leaves_the_connection_usable)
{
	struct random random;

	begin();
	insert_random(&random, 20000);
	struct catfish *server = connect_way(&ways[_i]);
	struct rlimit limit = {.rlim_cur = 65536, .rlim_max = RLIM_INFINITY};
	char path[128];
	snprintf(path, sizeof(path), "%s/region", daemon_.folder);
	signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	ck_assert_int_eq(catfish_save(server, path, NULL, NULL),
			 CATFISH_ERROR_NO_ROOM);
	ck_assert_int_ne(access(path, F_OK), 0);
	assert_search_is_right(server, &everything);
	catfish_close(server);
	end();
}
END_TEST

/* --- The suite ---------------------------------------------------------- */

static TCase *searching(void)
{
	TCase *tc = tcase_create("searching");

	tcase_add_loop_test(tc, searches_find_what_a_linear_scan_finds,
			    first_way(), way_count());
	tcase_add_loop_test(tc, an_answer_says_how_it_came, first_way(),
			    way_count());
	tcase_add_loop_test(
		tc, a_limit_gives_that_many_and_says_that_there_are_more,
		first_way(), way_count());
	tcase_add_loop_test(tc, arrays_take_what_they_have_room_for,
			    first_way(), way_count());
	tcase_add_loop_test(tc, the_caller_can_end_a_search, first_way(),
			    way_count());
	tcase_add_loop_test(tc, an_empty_tree_has_no_answers, first_way(),
			    way_count());
	tcase_add_test(tc, the_path_can_be_changed);
	tcase_add_loop_test(tc, a_query_must_be_a_rectangle, first_way(),
			    way_count());
	tcase_add_test(tc, what_is_missing_is_said);
	if (!daemon_uses_rdma())
		tcase_add_test(tc, tcp_has_no_offloading);
	return tc;
}

static TCase *writing(void)
{
	TCase *tc = tcase_create("writing");

	tcase_add_loop_test(tc, writes_do_what_they_say, first_way(),
			    writer_count());
	tcase_add_loop_test(tc, one_of_several_equal_items_goes_at_a_time,
			    first_way(), writer_count());
	tcase_add_test(tc, a_bad_rectangle_changes_nothing);
	tcase_add_loop_test(tc,
			    what_was_acknowledged_is_seen_by_every_path_at_once,
			    first_way(), writer_count());
	tcase_add_test(tc, a_full_region_says_so_and_goes_on_serving);
	tcase_add_loop_test(tc, a_load_is_seen_at_once_and_whole, first_way(),
			    writer_count());
	tcase_add_loop_test(tc, a_load_appends_or_replaces_when_told,
			    first_way(), writer_count());
	tcase_add_loop_test(tc, an_aborted_load_is_never_seen, first_way(),
			    writer_count());
	tcase_add_loop_test(tc, a_load_too_large_is_refused_at_once,
			    first_way(), writer_count());
	return tc;
}

static TCase *looking(void)
{
	TCase *tc = tcase_create("looking");

	tcase_add_loop_test(tc, stat_counts, first_way(), writer_count());
	tcase_add_loop_test(tc, a_check_looks_at_every_node, first_way(),
			    writer_count());
	tcase_add_loop_test(tc, a_saved_file_can_be_served, first_way(),
			    writer_count());
	tcase_add_loop_test(tc, a_full_disk_leaves_the_connection_usable,
			    first_way(), writer_count());
	return tc;
}

Suite *test_suite(const char **why)
{
	Suite *suite = suite_create("client: every call by every path");
	TCase *cases[] = {searching(), writing(), looking()};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		/* With sanitizers, on a busy machine. */
		tcase_set_timeout(cases[i], 60);
		suite_add_tcase(suite, cases[i]);
	}
	return suite;
}
