/* SPDX-License-Identifier: BSD-2-Clause */

/* A region may fill up, and pages may have to wait: nothing is lost by it, and
 * all pages come back. */

#include <sched.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/err.h"
#include "rtree/batch.h"
#include "tests/lib/test.h"
#include "tests/rtree/effort.h"
#include "tests/rtree/model.h"
#include "tests/rtree/shape.h"

/* So long that no test sees its end. */
#define ENDLESS_NS (1000000 * NS_PER_S)
#define SHORT_NS   (5 * NS_PER_MS)

struct space {
	struct rtree *tree;
	struct model model;
	struct random random;
	int64_t next_id;
};

static void space_init(struct space *s, uint64_t more_pages, uint64_t lease_ns)
{
	const struct rtree_options options = {
		.size = rtree_size_min() + more_pages * RTREE_PAGE_SIZE,
		.lease_ns = lease_ns,
	};

	memset(s, 0, sizeof(*s));
	random_seed(&s->random, test_seed());
	ck_assert_int_eq(rtree_create(&options, &s->tree), 0);
}

static void space_fini(struct space *s)
{
	rtree_destroy(s->tree);
	model_fini(&s->model);
}

static struct item new_item(struct space *s)
{
	return (struct item){s->next_id++,
			     shape_rect(SHAPE_UNIFORM, &s->random)};
}

static struct item any_item(struct space *s)
{
	return s->model.items[random_below(&s->random, s->model.count)];
}

static struct rtree_batch *begin(struct space *s)
{
	struct rtree_batch *batch;

	ck_assert_int_eq(rtree_batch_begin(s->tree, &batch), 0);
	return batch;
}

/* Publishes what was done, or nothing when it failed. */
static int end(struct rtree_batch *batch, int error)
{
	uint64_t version;

	if (error)
		rtree_batch_abort(batch);
	else
		rtree_batch_commit(batch, &version);
	return error;
}

static int insert_one(struct space *s)
{
	struct item item = new_item(s);
	struct rtree_batch *batch = begin(s);
	int error = end(batch, rtree_insert(batch, &item));

	if (!error)
		model_insert(&s->model, &item);
	return error;
}

static int delete_one(struct space *s)
{
	struct item item = any_item(s);
	struct rtree_batch *batch = begin(s);
	int error = end(batch, rtree_delete(batch, &item));

	if (!error)
		ck_assert(model_delete(&s->model, &item));
	return error;
}

static int move_one(struct space *s)
{
	struct item item = any_item(s);
	struct rect to = shape_rect(SHAPE_UNIFORM, &s->random);
	struct rtree_batch *batch = begin(s);
	int error = end(batch, rtree_update(batch, &item, &to));

	if (!error)
		ck_assert(model_update(&s->model, &item, &to));
	return error;
}

static void insert_many(struct space *s, int count)
{
	for (int i = 0; i < count; i++)
		ck_assert_int_eq(insert_one(s), 0);
}

static void check(struct space *s)
{
	ck_assert_msg(!model_compare(&s->model, s->tree), "%s", err_text());
}

static struct rtree_stat stat_of(struct space *s)
{
	struct rtree_stat stat;

	ck_assert_int_eq(rtree_stat(s->tree, &stat), 0);
	return stat;
}

static void sleep_until(uint64_t time_ns)
{
	for (uint64_t now; (now = clock_now_ns()) < time_ns;) {
		struct timespec rest = {
			.tv_sec = (time_t)((time_ns - now) / NS_PER_S),
			.tv_nsec = (long)((time_ns - now) % NS_PER_S),
		};
		nanosleep(&rest, NULL);
	}
}

/* Does it, waiting for pages as long as it has to. */
static int do_patiently(struct space *s, int operation(struct space *s))
{
	for (int tries = 0; tries < 10000; tries++) {
		int error = operation(s);
		if (error != ERR_AGAIN)
			return error;
		sleep_until(rtree_retry_ns(s->tree));
	}
	ck_abort_msg("pages don't come back");
}

static void empty_patiently(struct space *s)
{
	while (s->model.count)
		ck_assert_int_eq(do_patiently(s, delete_one), 0);
}

/* All but page 0 and the root are free, after as many looks as it takes. */
static void check_all_free(struct space *s)
{
	struct rtree_stat stat = stat_of(s);

	for (int i = 0; i < 10000 && stat.retired_pages; i++) {
		sleep_until(rtree_retry_ns(s->tree));
		rtree_batch_abort(begin(s));
		stat = stat_of(s);
	}
	ck_assert_uint_eq(stat.retired_pages, 0);
	ck_assert_uint_eq(stat.free_pages, stat.page_count - 2);
}

/* --- A full region -------------------------------------------------------- */

START_TEST(a_full_region_refuses_inserts_and_keeps_what_it_has)
{
	struct space s;
	int error;

	space_init(&s, 0, 0);
	while (!(error = insert_one(&s)))
		;
	ck_assert_int_eq(error, ERR_NO_ROOM);
	ck_assert_ptr_nonnull(strstr(err_text(), "--memory"));
	check(&s);
	for (int i = 0; i < 10; i++) {
		ck_assert_int_eq(insert_one(&s), ERR_NO_ROOM);
		ck_assert_int_eq(move_one(&s), ERR_NO_ROOM);
	}
	check(&s);
	space_fini(&s);
}
END_TEST

START_TEST(a_large_batch_fills_a_region_as_far)
{
	struct space s;
	int error = 0;

	space_init(&s, 0, 0);
	while (error != ERR_NO_ROOM) {
		struct rtree_batch *batch = begin(&s);
		do {
			struct item item = new_item(&s);
			error = rtree_insert(batch, &item);
			if (!error)
				model_insert(&s.model, &item);
		} while (!error);
		/* What was done before the refusal is published. */
		end(batch, 0);
		check(&s);
	}
	ck_assert_uint_gt(s.model.count, 100 * NODE_MIN);
	ck_assert_int_eq(insert_one(&s), ERR_NO_ROOM);
	space_fini(&s);
}
END_TEST

START_TEST(a_full_region_can_be_emptied)
{
	struct space s;

	space_init(&s, 0, 0);
	while (!insert_one(&s))
		;
	size_t full = s.model.count;
	while (s.model.count > full / 2)
		ck_assert_int_eq(delete_one(&s), 0);
	check(&s);
	insert_many(&s, (int)(full / 8));
	check(&s);
	while (s.model.count)
		ck_assert_int_eq(delete_one(&s), 0);
	check(&s);
	check_all_free(&s);
	space_fini(&s);
}
END_TEST

START_TEST(a_full_region_can_be_emptied_in_one_batch_after_another)
{
	struct space s;

	space_init(&s, 0, 0);
	while (!insert_one(&s))
		;
	for (int batches = 0; s.model.count; batches++) {
		struct rtree_batch *batch = begin(&s);
		int error = 0;
		ck_assert_int_lt(batches, 1000);
		while (!error && s.model.count) {
			struct item item = any_item(&s);
			error = rtree_delete(batch, &item);
			if (!error)
				model_delete(&s.model, &item);
		}
		ck_assert(error == 0 || error == ERR_AGAIN);
		end(batch, 0);
		check(&s);
	}
	check_all_free(&s);
	space_fini(&s);
}
END_TEST

/* What is done with item number 'i' in a batch that will be dropped. */
typedef int operation_in(struct space *s, struct rtree_batch *batch, size_t i);

static int insert_into(struct space *s, struct rtree_batch *batch, size_t i)
{
	struct item item = new_item(s);

	return rtree_insert(batch, &item);
}

static int move_in(struct space *s, struct rtree_batch *batch, size_t i)
{
	struct rect to = shape_rect(SHAPE_MIXED, &s->random);

	return rtree_update(batch, &s->model.items[i], &to);
}

static int delete_from(struct space *s, struct rtree_batch *batch, size_t i)
{
	return rtree_delete(batch, &s->model.items[i]);
}

/* Beside the pages of all that there is, and alone in its batch. */
static int replace_in(struct space *s, struct rtree_batch *batch, size_t i)
{
	return i ? 0
		 : rtree_replace(batch, s->model.items, s->model.count, NULL);
}

/* As many items as number 'i' says, beside those of the same batch before. */
static int append_to(struct space *s, struct rtree_batch *batch, size_t i)
{
	return rtree_append(batch, s->model.items, i, NULL);
}

/* Does it with one item after another in one batch, and drops that.  Returns
 * the error with which it was refused. */
static int exhaust(struct space *s, operation_in *operation)
{
	struct rtree_batch *batch = begin(s);
	int error = 0;

	for (size_t i = 0; !error && i < s->model.count; i++)
		error = operation(s, batch, i);
	rtree_batch_abort(batch);
	check(s);
	return error;
}

/* From a region that is empty to one that is full, at every number of free
 * pages: whatever is refused, after however much of a batch, leaves the tree as
 * it was, and something can always be deleted. */
START_TEST(at_every_fill_a_refusal_changes_nothing)
{
	static operation_in *const operations[] = {
		insert_into, move_in, delete_from, append_to, replace_in};
	uint64_t refused = 0, fullest = UINT64_MAX;
	struct space s;

	space_init(&s, 0, 0);
	while (!insert_one(&s)) {
		struct rtree_stat stat = stat_of(&s);
		if (stat.free_pages + stat.retired_pages >= fullest)
			continue;
		fullest = stat.free_pages + stat.retired_pages;
		for (int i = 0; i < 5; i++) {
			int error = exhaust(&s, operations[i]);
			ck_assert_msg(!error || error == ERR_NO_ROOM ||
					      error == ERR_AGAIN,
				      "%s", err_text());
			refused += error != 0;
		}
		ck_assert_int_eq(delete_one(&s), 0);
		check(&s);
	}
	/* Or else this showed nothing. */
	ck_assert_uint_gt(refused, 100);
	ck_assert_int_eq(delete_one(&s), 0);
	check(&s);
	space_fini(&s);
}
END_TEST

START_TEST(a_batch_that_is_dropped_costs_nothing)
{
	struct space s;

	space_init(&s, 200, 0);
	insert_many(&s, 100);
	struct rtree_stat before = stat_of(&s);
	for (int i = 0; i < 100; i++) {
		struct rtree_batch *batch = begin(&s);
		for (int j = 0; j < 100; j++) {
			struct item item = new_item(&s);
			ck_assert_int_eq(rtree_insert(batch, &item), 0);
		}
		rtree_batch_abort(batch);
	}
	struct rtree_stat after = stat_of(&s);
	ck_assert_uint_eq(after.root.version, before.root.version);
	ck_assert_uint_eq(after.free_pages + after.retired_pages,
			  before.free_pages + before.retired_pages);
	check(&s);
	/* One in which nothing was done is no version. */
	struct rtree_batch *batch = begin(&s);
	uint64_t version;
	rtree_batch_commit(batch, &version);
	ck_assert_uint_eq(version, before.root.version);
	space_fini(&s);
}
END_TEST

START_TEST(a_region_below_the_least_size_is_refused)
{
	const struct rtree_options options = {.size = rtree_size_min() - 1};
	struct rtree *tree;
	struct space s;

	ck_assert_int_eq(rtree_create(&options, &tree), ERR_USAGE);
	space_init(&s, 0, 0);
	insert_many(&s, 50);
	check(&s);
	space_fini(&s);
}
END_TEST

/* --- The lease ------------------------------------------------------------ */

/* Moves items until pages run short. */
static void use_up_pages(struct space *s)
{
	int error = 0;

	for (int i = 0; !error && i < 100000; i++)
		error = move_one(s);
	ck_assert_int_eq(error, ERR_AGAIN);
}

START_TEST(without_readers_no_page_waits)
{
	struct space s;

	space_init(&s, 0, ENDLESS_NS);
	insert_many(&s, 80);
	for (int i = 0; i < 2000; i++)
		ck_assert_int_eq(move_one(&s), 0);
	check(&s);
	space_fini(&s);
}
END_TEST

START_TEST(a_reader_makes_pages_wait_for_the_lease)
{
	struct space s;

	space_init(&s, 0, ENDLESS_NS);
	rtree_reader_joined(s.tree);
	insert_many(&s, 5);
	use_up_pages(&s);
	for (int i = 0; i < 10; i++)
		ck_assert_int_eq(move_one(&s), ERR_AGAIN);
	ck_assert_uint_gt(rtree_retry_ns(s.tree),
			  clock_now_ns() + ENDLESS_NS / 2);
	check(&s);
	/* It may have sent its last READ just now. */
	rtree_reader_left(s.tree);
	for (int i = 0; i < 10; i++)
		ck_assert_int_eq(move_one(&s), ERR_AGAIN);
	check(&s);
	space_fini(&s);
}
END_TEST

START_TEST(after_the_lease_pages_come_back)
{
	struct space s;

	space_init(&s, 0, SHORT_NS);
	rtree_reader_joined(s.tree);
	insert_many(&s, 5);
	for (int i = 0; i < 5; i++) {
		use_up_pages(&s);
		ck_assert_int_eq(do_patiently(&s, move_one), 0);
		check(&s);
	}
	rtree_reader_left(s.tree);
	/* Pages are used up within the lease, or it is over and none waits. */
	uint64_t until = clock_now_ns() + SHORT_NS;
	while (clock_now_ns() < until && !move_one(&s))
		;
	ck_assert_int_eq(do_patiently(&s, move_one), 0);
	empty_patiently(&s);
	check_all_free(&s);
	space_fini(&s);
}
END_TEST

START_TEST(a_lease_after_the_last_reader_none_waits)
{
	struct space s;

	space_init(&s, 0, SHORT_NS);
	rtree_reader_joined(s.tree);
	rtree_reader_joined(s.tree);
	insert_many(&s, 5);
	rtree_reader_left(s.tree);
	use_up_pages(&s);
	rtree_reader_left(s.tree);
	sleep_until(clock_now_ns() + SHORT_NS);
	for (int i = 0; i < 2000; i++)
		ck_assert_int_eq(move_one(&s), 0);
	check(&s);
	space_fini(&s);
}
END_TEST

START_TEST(a_full_region_can_be_emptied_under_a_lease)
{
	struct space s;

	space_init(&s, 0, SHORT_NS);
	while (!insert_one(&s))
		;
	rtree_reader_joined(s.tree);
	/* Each waits for pages now and then, so these are a few only. */
	for (int i = 0; i < 300 && s.model.count; i++)
		ck_assert_int_eq(do_patiently(&s, delete_one), 0);
	check(&s);
	rtree_reader_left(s.tree);
	empty_patiently(&s);
	check_all_free(&s);
	space_fini(&s);
}
END_TEST

/* --- Pins ----------------------------------------------------------------- */

START_TEST(a_pinned_version_stays_as_it_was)
{
	struct space s;
	struct rtree_pin pin;
	struct model then = {0};

	space_init(&s, 0, 0);
	insert_many(&s, 12 * NODE_CAPACITY);
	ck_assert_int_eq(rtree_pin(s.tree, &pin), 0);
	model_replace(&then, s.model.items, s.model.count);
	for (int i = 0; i < 3000; i++) {
		ck_assert_int_eq(do_patiently(&s, move_one), 0);
		if (i % 100)
			continue;
		struct rect query =
			shape_query(SHAPE_UNIFORM, &s.random, &then);
		ck_assert_msg(
			!model_compare_query(&then, s.tree, &pin.root, &query),
			"%s", err_text());
	}
	struct rect all = {{[0 ... DIMENSIONS - 1] = -9},
			   {[0 ... DIMENSIONS - 1] = 9}};
	ck_assert_msg(!model_compare_query(&then, s.tree, &pin.root, &all),
		      "%s", err_text());
	check(&s);
	rtree_unpin(s.tree, &pin);
	model_fini(&then);
	space_fini(&s);
}
END_TEST

static uint64_t nodes_of(struct space *s)
{
	struct rtree_stat stat = stat_of(s);

	return stat.page_count - 1 - stat.free_pages - stat.retired_pages;
}

/* A reader that holds on to a version for ever keeps its pages, but not those
 * of versions that came and went since. */
START_TEST(a_pin_holds_back_one_tree)
{
	struct space s;
	struct rtree_pin pin;

	space_init(&s, 0, 0);
	insert_many(&s, 20 * NODE_CAPACITY);
	ck_assert_int_eq(rtree_pin(s.tree, &pin), 0);
	uint64_t nodes = nodes_of(&s);
	for (int i = 0; i < 5000; i++)
		ck_assert_int_eq(move_one(&s), 0);
	rtree_batch_abort(begin(&s));
	ck_assert_uint_le(stat_of(&s).retired_pages, nodes);
	rtree_unpin(s.tree, &pin);
	for (int i = 0; i < 10; i++)
		rtree_batch_abort(begin(&s));
	ck_assert_uint_eq(stat_of(&s).retired_pages, 0);
	check(&s);
	space_fini(&s);
}
END_TEST

START_TEST(pages_that_only_a_pin_holds_come_back_after_it)
{
	struct space s;
	struct rtree_pin pin;
	int error = 0;

	space_init(&s, 0, 0);
	while (nodes_of(&s) < 80)
		ck_assert_int_eq(insert_one(&s), 0);
	ck_assert_int_eq(rtree_pin(s.tree, &pin), 0);
	for (int i = 0; !error && i < 100000; i++)
		error = move_one(&s);
	ck_assert_int_eq(error, ERR_AGAIN);
	ck_assert_int_eq(move_one(&s), ERR_AGAIN);
	rtree_unpin(s.tree, &pin);
	ck_assert_int_eq(move_one(&s), 0);
	check(&s);
	space_fini(&s);
}
END_TEST

START_TEST(too_many_pins_are_refused)
{
	static struct rtree_pin pins[RTREE_PINS_MAX];
	struct rtree_pin another;
	struct space s;

	space_init(&s, 0, 0);
	for (int i = 0; i < RTREE_PINS_MAX; i++)
		if (rtree_pin(s.tree, &pins[i]))
			ck_abort_msg("pin %d: %s", i, err_text());
	ck_assert_int_eq(rtree_pin(s.tree, &another), ERR_BUSY);
	rtree_unpin(s.tree, &pins[500]);
	ck_assert_int_eq(rtree_pin(s.tree, &another), 0);
	ck_assert_int_eq(rtree_pin(s.tree, &pins[500]), ERR_BUSY);
	space_fini(&s);
}
END_TEST

/* --- The horizon ---------------------------------------------------------- */

/* The pages of a version, and what was on them. */
struct copied {
	uint32_t pages[256];
	struct node nodes[256];
	size_t count;
};

static void copy_tree(struct space *s, node_ref ref, struct copied *copied)
{
	const struct node *node = rtree_node(s->tree, ref);

	if (copied->count == 256)
		ck_abort_msg("a larger tree than was expected");
	copied->pages[copied->count] = node->header.page;
	copied->nodes[copied->count++] = *node;
	for (int i = 0; node->header.level && i < node->header.count; i++)
		copy_tree(s, node->child[i], copied);
}

static bool is_untouched(struct space *s, const struct copied *copied)
{
	for (size_t i = 0; i < copied->count; i++)
		if (memcmp(rtree_node(s->tree,
				      node_ref_make(copied->pages[i], 0)),
			   &copied->nodes[i], RTREE_PAGE_SIZE) != 0)
			return false;
	return true;
}

START_TEST(no_page_of_a_version_is_touched_before_the_horizon_passes_it)
{
	static struct copied copied;
	struct space s;
	int touched = 0;

	space_init(&s, 0, 0);
	insert_many(&s, 20 * NODE_CAPACITY);
	for (int round = 0; round < 20; round++) {
		struct rtree_region region;
		struct root root;
		rtree_describe(s.tree, &region);
		root_load(region.memory, &root);
		copied.count = 0;
		copy_tree(&s, root.ref, &copied);
		for (int i = 0; i < 300; i++) {
			ck_assert_int_eq(do_patiently(&s, move_one), 0);
			bool is = is_untouched(&s, &copied);
			uint64_t horizon = root_load_horizon(region.memory);
			if (!is && horizon <= root.version)
				ck_abort_msg("horizon %llu, version %llu",
					     (unsigned long long)horizon,
					     (unsigned long long)root.version);
			if (is)
				continue;
			touched++;
			break;
		}
	}
	/* Or else this showed nothing. */
	ck_assert_int_gt(touched, 10);
	space_fini(&s);
}
END_TEST

Suite *test_suite(const char **why)
{
	(void)why;
	Suite *suite = suite_create("space");
	TCase *full = tcase_create("full");
	TCase *lease = tcase_create("lease");
	TCase *pins = tcase_create("pins");

	tcase_set_timeout(full, TEST_TIMEOUT_S);
	tcase_add_test(full,
		       a_full_region_refuses_inserts_and_keeps_what_it_has);
	tcase_add_test(full, a_large_batch_fills_a_region_as_far);
	tcase_add_test(full, a_full_region_can_be_emptied);
	tcase_add_test(full,
		       a_full_region_can_be_emptied_in_one_batch_after_another);
	tcase_add_test(full, at_every_fill_a_refusal_changes_nothing);
	tcase_add_test(full, a_batch_that_is_dropped_costs_nothing);
	tcase_add_test(full, a_region_below_the_least_size_is_refused);
	suite_add_tcase(suite, full);

	tcase_set_timeout(lease, TEST_TIMEOUT_S);
	tcase_add_test(lease, without_readers_no_page_waits);
	tcase_add_test(lease, a_reader_makes_pages_wait_for_the_lease);
	tcase_add_test(lease, after_the_lease_pages_come_back);
	tcase_add_test(lease, a_lease_after_the_last_reader_none_waits);
	tcase_add_test(lease, a_full_region_can_be_emptied_under_a_lease);
	suite_add_tcase(suite, lease);

	tcase_set_timeout(pins, TEST_TIMEOUT_S);
	tcase_add_test(pins, a_pinned_version_stays_as_it_was);
	tcase_add_test(pins, a_pin_holds_back_one_tree);
	tcase_add_test(pins, pages_that_only_a_pin_holds_come_back_after_it);
	tcase_add_test(pins, too_many_pins_are_refused);
	tcase_add_test(
		pins,
		no_page_of_a_version_is_touched_before_the_horizon_passes_it);
	suite_add_tcase(suite, pins);
	return suite;
}
