/* SPDX-License-Identifier: BSD-2-Clause */

/* Many items that are added at once make the tree that the same items make one
 * by one, or, where there is no room, leave it as it was. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "rtree/batch.h"
#include "tests/lib/test.h"
#include "tests/rtree/effort.h"
#include "tests/rtree/model.h"
#include "tests/rtree/shape.h"

enum {
	LEAF = NODE_CAPACITY,
	SOME = NODE_CAPACITY == 64 ? 5000 : 600,
	MANY = NODE_CAPACITY == 64 ? 30000 : 2000,
};

/* A tree, and what it must hold. */
struct trial {
	struct rtree *tree;
	struct model model;
	struct random random;
	int64_t next_id;
};

static void trial_init(struct trial *t, uint64_t size)
{
	const struct rtree_options options = {.size = size};

	*t = (struct trial){0};
	random_seed(&t->random, test_seed());
	ck_assert_int_eq(rtree_create(&options, &t->tree), 0);
}

static void trial_fini(struct trial *t)
{
	rtree_destroy(t->tree);
	model_fini(&t->model);
}

static struct item *make_items(struct trial *t, enum shape shape,
			       uint64_t count)
{
	struct item *items = malloc((count + 1) * sizeof(*items));

	for (uint64_t i = 0; i < count; i++)
		items[i] = (struct item){t->next_id++,
					 shape_rect(shape, &t->random)};
	return items;
}

static struct rtree_batch *begin(struct trial *t)
{
	struct rtree_batch *batch;

	ck_assert_int_eq(rtree_batch_begin(t->tree, &batch), 0);
	return batch;
}

static void note(struct trial *t, const struct item *items, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++)
		model_insert(&t->model, &items[i]);
}

static int append(struct trial *t, const struct item *items, uint64_t count,
		  const struct rtree_pack_options *options)
{
	struct rtree_batch *batch = begin(t);
	uint64_t version;
	int error = rtree_append(batch, items, count, options);

	if (error) {
		rtree_batch_abort(batch);
		return error;
	}
	rtree_batch_commit(batch, &version);
	note(t, items, count);
	return 0;
}

static void insert(struct trial *t, enum shape shape, uint64_t count)
{
	struct rtree_batch *batch = begin(t);
	struct item *items = make_items(t, shape, count);
	uint64_t version;

	for (uint64_t i = 0; i < count; i++)
		ck_assert_int_eq(rtree_insert(batch, &items[i]), 0);
	rtree_batch_commit(batch, &version);
	note(t, items, count);
	free(items);
}

static void load(struct trial *t, enum shape shape, uint64_t count)
{
	struct rtree_batch *batch = begin(t);
	struct item *items = make_items(t, shape, count);
	uint64_t version;

	ck_assert_int_eq(rtree_replace(batch, items, count, NULL), 0);
	rtree_batch_commit(batch, &version);
	model_replace(&t->model, items, count);
	free(items);
}

static void check(struct trial *t, const char *what)
{
	int error = model_compare(&t->model, t->tree);
	struct rtree_pin pin;

	ck_assert_int_eq(rtree_pin(t->tree, &pin), 0);
	for (int i = 0; !error && i < 3; i++) {
		struct rect query =
			shape_query(SHAPE_MIXED, &t->random, &t->model);
		error = model_compare_query(&t->model, t->tree, &pin.root,
					    &query);
	}
	rtree_unpin(t->tree, &pin);
	ck_assert_msg(!error, "%s, %zu items, CATFISH_TEST_SEED=%llu: %s", what,
		      t->model.count, (unsigned long long)test_seed(),
		      err_text());
}

static struct rtree_stat stat_of(struct trial *t)
{
	struct rtree_stat stat;

	ck_assert_int_eq(rtree_stat(t->tree, &stat), 0);
	return stat;
}

static void append_and_check(struct trial *t, enum shape shape, uint64_t count,
			     const struct rtree_pack_options *options)
{
	struct item *items = make_items(t, shape, count);

	if (append(t, items, count, options))
		ck_abort_msg("%s", err_text());
	check(t, shape_name(shape));
	free(items);
}

static const uint64_t region_size =
	UINT64_C(4000) * (NODE_CAPACITY == 64 ? 1 : 4) * RTREE_PAGE_SIZE;

/* --- What becomes of the tree --------------------------------------------- */

static const uint64_t sizes[] = {0,	   1,	 2,    LEAF - 1, LEAF,
				 LEAF + 1, 1000, SOME, MANY};

enum { SIZES = sizeof(sizes) / sizeof(sizes[0]) };

START_TEST(any_number_goes_to_any_number)
{
	for (int old = 0; old < SIZES; old++)
		for (int more = 0; more < SIZES; more++) {
			struct trial t;
			trial_init(&t, region_size);
			load(&t, _i, sizes[old]);
			append_and_check(&t, _i, sizes[more], NULL);
			trial_fini(&t);
		}
}
END_TEST

START_TEST(any_kind_goes_to_any_kind)
{
	for (enum shape shape = 0; shape < SHAPES; shape++) {
		struct trial t;
		trial_init(&t, region_size);
		insert(&t, _i, 1000);
		append_and_check(&t, shape, 1500, NULL);
		append_and_check(&t, shape, 100, NULL);
		append_and_check(&t, _i, 3000, NULL);
		trial_fini(&t);
	}
}
END_TEST

START_TEST(loads_follow_one_another)
{
	struct trial t;

	trial_init(&t, 4 * region_size);
	for (int i = 0; i < 60; i++) {
		const struct rtree_pack_options options = {
			.fill = (double)(i % 4) / 3,
			.threads = 1 + (unsigned)i % 3,
		};
		append_and_check(&t, _i, random_below(&t.random, 400),
				 &options);
	}
	trial_fini(&t);
}
END_TEST

static void delete_some(struct trial *t, struct rtree_batch *batch,
			uint64_t count)
{
	for (; count && t->model.count; count--) {
		struct item item = t->model.items[random_below(&t->random,
							       t->model.count)];
		ck_assert_int_eq(rtree_delete(batch, &item), 0);
		model_delete(&t->model, &item);
	}
}

/* Before, between and after in the same batch, whose nodes they then share. */
START_TEST(other_changes_share_the_batch)
{
	struct trial t;

	trial_init(&t, region_size);
	insert(&t, SHAPE_UNIFORM, SOME);
	for (int i = 0; i < 20; i++) {
		struct rtree_batch *batch = begin(&t);
		struct item *items = make_items(&t, SHAPE_UNIFORM, 501);
		uint64_t version;

		delete_some(&t, batch, random_below(&t.random, 1000));
		ck_assert_int_eq(rtree_append(batch, items, 200, NULL), 0);
		ck_assert_int_eq(rtree_insert(batch, items + 200), 0);
		note(&t, items, 201);
		delete_some(&t, batch, 50);
		ck_assert_int_eq(rtree_append(batch, items + 201, 300, NULL),
				 0);
		note(&t, items + 201, 300);
		rtree_batch_commit(batch, &version);
		check(&t, "mixed");
		free(items);
	}
	trial_fini(&t);
}
END_TEST

START_TEST(a_pinned_version_stays_as_it_was)
{
	struct trial t;
	struct rtree_pin pin;
	struct model then = {0};
	struct rect all = {{[0 ... DIMENSIONS - 1] = -9},
			   {[0 ... DIMENSIONS - 1] = 9}};

	trial_init(&t, region_size);
	insert(&t, SHAPE_UNIFORM, SOME);
	ck_assert_int_eq(rtree_pin(t.tree, &pin), 0);
	model_replace(&then, t.model.items, t.model.count);
	for (int i = 0; i < 5; i++)
		append_and_check(&t, SHAPE_UNIFORM, 300, NULL);
	ck_assert_msg(!model_compare_query(&then, t.tree, &pin.root, &all),
		      "%s", err_text());
	rtree_unpin(t.tree, &pin);
	model_fini(&then);
	trial_fini(&t);
}
END_TEST

/* Far fewer nodes than one insertion after the other leaves. */
START_TEST(what_is_as_dense_as_the_tree_is_packed)
{
	struct trial t;

	trial_init(&t, region_size);
	load(&t, SHAPE_UNIFORM, SOME);
	append_and_check(&t, SHAPE_UNIFORM, SOME, NULL);
	ck_assert_uint_eq(stat_of(&t).nodes[0], (2 * SOME + LEAF - 1) / LEAF);
	trial_fini(&t);
}
END_TEST

/* --- Failing -------------------------------------------------------------- */

START_TEST(an_invalid_item_changes_nothing)
{
	struct trial t;

	trial_init(&t, region_size);
	insert(&t, SHAPE_UNIFORM, SOME);
	for (int round = 0; round < 50; round++) {
		struct item *items = make_items(&t, SHAPE_POINTS, 1000);
		size_t at = random_below(&t.random, 1000);
		char name[32];
		items[at].rect = shape_invalid(&t.random);
		ck_assert_int_eq(append(&t, items, 1000, NULL), ERR_DATA);
		snprintf(name, sizeof(name), "item %zu:", at);
		ck_assert_ptr_nonnull(strstr(err_text(), name));
		free(items);
	}
	check(&t, "after invalid items");
	trial_fini(&t);
}
END_TEST

/* The bytes that a refusal asks for. */
static uint64_t bytes_wanted(void)
{
	const char *at = strstr(err_text(), "region of ");

	ck_assert_ptr_nonnull(at);
	return strtoull(at + strlen("region of "), NULL, 10);
}

/* Loads 2000 items and then adds some to them, in a region of that size. */
static int append_in(uint64_t size, enum shape shape, uint64_t count,
		     uint64_t *free_pages)
{
	struct trial t;

	trial_init(&t, size);
	load(&t, shape, 2000);
	struct item *items = make_items(&t, shape, count);
	int error = append(&t, items, count, NULL);
	uint64_t wanted = error ? bytes_wanted() : 0;
	check(&t, "afterwards");
	*free_pages = stat_of(&t).free_pages;
	if (error)
		err_set(error, "region of %llu", (unsigned long long)wanted);
	free(items);
	trial_fini(&t);
	return error;
}

/* To the page: with one less it is refused again. */
START_TEST(a_refusal_names_the_bytes_that_it_takes)
{
	static const uint64_t counts[] = {100, 1000, MANY};

	for (int i = 0; i < 3; i++) {
		uint64_t tight = rtree_size_forecast(2000), free_pages;
		int error = append_in(tight, _i, counts[i], &free_pages);
		if (!error && counts[i] < MANY)
			continue;
		ck_assert_int_eq(error, ERR_NO_ROOM);
		uint64_t wanted = bytes_wanted();
		ck_assert_int_eq(append_in(wanted, _i, counts[i], &free_pages),
				 0);
		/* None was asked for in vain. */
		ck_assert_uint_eq(free_pages, PAGES_RESERVED);
		ck_assert_int_eq(append_in(wanted - RTREE_PAGE_SIZE, _i,
					   counts[i], &free_pages),
				 ERR_NO_ROOM);
	}
}
END_TEST

/* --- Progress ------------------------------------------------------------- */

struct progress {
	uint64_t calls;
	uint64_t done;
};

static void note_progress(void *context, uint64_t done, uint64_t count)
{
	struct progress *progress = context;

	ck_assert_uint_eq(count, MANY);
	ck_assert_uint_gt(done, progress->done);
	ck_assert_uint_le(done, count);
	progress->done = done;
	progress->calls++;
}

START_TEST(progress_ends_with_all_items)
{
	struct progress progress = {0};
	const struct rtree_pack_options options = {
		.progress = note_progress,
		.context = &progress,
	};
	struct trial t;

	trial_init(&t, 4 * region_size);
	load(&t, SHAPE_UNIFORM, 3 * MANY);
	append_and_check(&t, SHAPE_UNIFORM, MANY, &options);
	ck_assert_uint_gt(progress.calls, 0);
	ck_assert_uint_eq(progress.done, MANY);
	trial_fini(&t);
}
END_TEST

Suite *test_suite(const char **why)
{
	(void)why;
	Suite *suite = suite_create("append");
	TCase *trees = tcase_create("trees");
	TCase *failures = tcase_create("failures");

	tcase_set_timeout(trees, TEST_TIMEOUT_S);
	tcase_add_loop_test(trees, any_number_goes_to_any_number, 0, SHAPES);
	tcase_add_loop_test(trees, any_kind_goes_to_any_kind, 0, SHAPES);
	tcase_add_loop_test(trees, loads_follow_one_another, 0, SHAPES);
	tcase_add_test(trees, other_changes_share_the_batch);
	tcase_add_test(trees, a_pinned_version_stays_as_it_was);
	tcase_add_test(trees, what_is_as_dense_as_the_tree_is_packed);
	tcase_add_test(trees, progress_ends_with_all_items);
	suite_add_tcase(suite, trees);

	tcase_set_timeout(failures, TEST_TIMEOUT_S);
	tcase_add_test(failures, an_invalid_item_changes_nothing);
	tcase_add_loop_test(failures, a_refusal_names_the_bytes_that_it_takes,
			    0, SHAPES);
	suite_add_tcase(suite, failures);
	return suite;
}
