/* SPDX-License-Identifier: BSD-2-Clause */

/* Whatever is done to a tree, it is what the same operations make of an array
 * that is searched item by item. */

#include <math.h>
#include <string.h>

#include "base/err.h"
#include "rtree/batch.h"
#include "tests/lib/test.h"
#include "tests/rtree/effort.h"
#include "tests/rtree/model.h"
#include "tests/rtree/shape.h"

/* A tree and the model of its newest version; 'pending' is that of the batch.
 */
struct session {
	struct random random;
	enum shape shape;
	struct rtree *tree;
	struct model model;
	struct model pending;
	struct rtree_batch *batch;
	uint64_t operations;
	uint64_t publications;
	/* Operations that a full region refused. */
	uint64_t refused;
};

/* Goes from 'packed' items, bulk-loaded, to 'most', stays about there, and goes
 * back to none. */
struct season {
	uint64_t packed;
	uint64_t most;
	uint64_t operations;
	unsigned batch_max;
};

static bool one_in(struct session *s, unsigned n)
{
	return random_below(&s->random, n) == 0;
}

static void session_init(struct session *s, uint64_t seed, enum shape shape,
			 uint64_t pages)
{
	const struct rtree_options options = {
		.size = rtree_size_min() + pages * RTREE_PAGE_SIZE,
	};

	memset(s, 0, sizeof(*s));
	random_seed(&s->random, seed);
	s->shape = shape;
	ck_assert_int_eq(rtree_create(&options, &s->tree), 0);
}

static void session_fini(struct session *s)
{
	rtree_destroy(s->tree);
	model_fini(&s->model);
	model_fini(&s->pending);
}

/* --- One operation ------------------------------------------------------ */

/* One that the model has, or very rarely one that it probably doesn't. */
static struct item pick(struct session *s)
{
	const struct model *m = &s->pending;
	struct item item = {
		.id = (int64_t)random_below(&s->random, 100) - 50,
		.rect = shape_rect(s->shape, &s->random),
	};

	if (!m->count || one_in(s, 50))
		return item;
	const struct item *there =
		&m->items[random_below(&s->random, m->count)];
	if (one_in(s, 50))
		item.rect = there->rect;
	else if (one_in(s, 50))
		item.id = there->id;
	else
		item = *there;
	return item;
}

static struct item make_item(struct session *s)
{
	/* Now and then there is one like it. */
	if (one_in(s, 20))
		return pick(s);
	return (struct item){
		.id = one_in(s, 4) ? (int64_t)random_next(&s->random)
				   : (int64_t)random_below(&s->random, 1000),
		.rect = shape_rect(s->shape, &s->random),
	};
}

static int insert(struct session *s)
{
	struct item item = make_item(s);
	int error = rtree_insert(s->batch, &item);

	if (!error)
		model_insert(&s->pending, &item);
	return error;
}

static int delete (struct session *s)
{
	struct item item = pick(s);
	int error = rtree_delete(s->batch, &item);

	if (error == 0)
		ck_assert(model_delete(&s->pending, &item));
	else if (error == ERR_NOT_FOUND)
		ck_assert(!model_delete(&s->pending, &item));
	return error == ERR_NOT_FOUND ? 0 : error;
}

static int update(struct session *s)
{
	struct item item = pick(s);
	struct rect to =
		one_in(s, 8) ? pick(s).rect : shape_rect(s->shape, &s->random);
	int error = rtree_update(s->batch, &item, &to);

	if (error == 0)
		ck_assert(model_update(&s->pending, &item, &to));
	else if (error == ERR_NOT_FOUND)
		ck_assert(!model_update(&s->pending, &item, &to));
	return error == ERR_NOT_FOUND ? 0 : error;
}

/* For now, or for good. */
static bool is_full(int error)
{
	return error == ERR_AGAIN || error == ERR_NO_ROOM;
}

/* Refused, and nothing else happens. */
static int refuse_invalid(struct session *s)
{
	struct item good = pick(s), bad = good;

	bad.rect = shape_invalid(&s->random);
	switch (random_below(&s->random, 5)) {
	case 0:
		ck_assert_int_eq(rtree_insert(s->batch, &bad), ERR_DATA);
		break;
	case 1:
		ck_assert_int_eq(rtree_delete(s->batch, &bad), ERR_DATA);
		break;
	case 2:
		ck_assert_int_eq(rtree_update(s->batch, &bad, &good.rect),
				 ERR_DATA);
		break;
	case 3:
		ck_assert_int_eq(rtree_update(s->batch, &good, &bad.rect),
				 ERR_DATA);
		break;
	default: {
		int error = rtree_replace(s->batch, &bad, 1, NULL);
		ck_assert(error == ERR_DATA || is_full(error));
	}
	}
	return 0;
}

static int operate(struct session *s, const struct season *season, bool growing)
{
	bool grow =
		s->pending.count == 0 ||
		(growing && s->pending.count < season->most && !one_in(s, 4));

	s->operations++;
	if (one_in(s, 50))
		return refuse_invalid(s);
	if (one_in(s, 4))
		return update(s);
	return grow ? insert(s) : delete (s);
}

/* --- One batch ---------------------------------------------------------- */

static void begin(struct session *s)
{
	ck_assert_int_eq(rtree_batch_begin(s->tree, &s->batch), 0);
	model_replace(&s->pending, s->model.items, s->model.count);
}

static void commit(struct session *s)
{
	struct rtree_pin before;
	uint64_t version;

	ck_assert_int_eq(rtree_pin(s->tree, &before), 0);
	rtree_batch_commit(s->batch, &version);
	ck_assert(version == before.root.version ||
		  version == before.root.version + 1);
	rtree_unpin(s->tree, &before);
	model_replace(&s->model, s->pending.items, s->pending.count);
	s->publications++;
}

/* A region that is full ends the batch early. */
static void fill_batch(struct session *s, const struct season *season,
		       bool growing)
{
	uint64_t count = 1 + random_below(&s->random, season->batch_max);

	/* Half of them are a single operation. */
	if (one_in(s, 2))
		count = 1;
	for (uint64_t i = 0; i < count; i++) {
		int error = operate(s, season, growing);
		if (!error)
			continue;
		ck_assert_msg(is_full(error), "%s", err_text());
		s->refused++;
		return;
	}
}

static void replace(struct session *s, uint64_t count)
{
	model_clear(&s->pending);
	for (uint64_t i = 0; i < count; i++) {
		struct item item = make_item(s);
		model_insert(&s->pending, &item);
	}
	int error = rtree_replace(s->batch, s->pending.items, s->pending.count,
				  NULL);
	if (!error)
		return;
	ck_assert_msg(is_full(error), "%s", err_text());
	s->refused++;
	model_replace(&s->pending, s->model.items, s->model.count);
}

static int compare_by_queries(struct session *s)
{
	struct rtree_pin pin;
	int count = s->model.count < 2000 ? 3 : 1;
	int error = rtree_pin(s->tree, &pin);

	for (int i = 0; !error && i < count; i++) {
		struct rect query =
			shape_query(s->shape, &s->random, &s->model);
		error = model_compare_query(&s->model, s->tree, &pin.root,
					    &query);
	}
	rtree_unpin(s->tree, &pin);
	return error;
}

static int do_batch(struct session *s, const struct season *season,
		    bool growing)
{
	begin(s);
	if (one_in(s, 500))
		replace(s, random_below(&s->random, 2 * s->model.count + 10));
	else
		fill_batch(s, season, growing);
	if (one_in(s, 10))
		rtree_batch_abort(s->batch);
	else
		commit(s);
	int error = compare_by_queries(s);
	return error ? error : model_compare(&s->model, s->tree);
}

static int live(struct session *s, const struct season *season)
{
	begin(s);
	replace(s, season->packed);
	commit(s);
	int error = model_compare(&s->model, s->tree);
	while (!error && s->operations < season->operations)
		error = do_batch(s, season, true);
	while (!error && s->model.count)
		error = do_batch(s, season, false);
	return error;
}

/* --- The tests ---------------------------------------------------------- */

static void live_through(enum shape shape, const struct season *season,
			 uint64_t pages, uint64_t *refused)
{
	struct session s;
	uint64_t seed = test_seed() * SHAPES + shape;

	session_init(&s, seed, shape, pages);
	int error = live(&s, season);
	ck_assert_msg(!error,
		      "CATFISH_TEST_SEED=%llu, %s, operation %llu, "
		      "publication %llu: %s",
		      (unsigned long long)test_seed(), shape_name(shape),
		      (unsigned long long)s.operations,
		      (unsigned long long)s.publications, err_text());
	ck_assert_uint_eq(s.model.count, 0);
	*refused = s.refused;
	session_fini(&s);
}

START_TEST(random_operations_make_what_they_make_of_an_array)
{
	const struct season season = {
		.most = 1000,
		.operations = test_effort(NODE_CAPACITY == 4 ? 15000 : 3000),
		.batch_max = 50,
	};
	uint64_t refused;

	live_through(_i, &season, 4096, &refused);
	ck_assert_uint_eq(refused, 0);
}
END_TEST

START_TEST(small_trees_are_right_at_every_size)
{
	const struct season season = {
		.most = 2 * NODE_CAPACITY + 4,
		.operations = test_effort(NODE_CAPACITY == 4 ? 15000 : 3000),
		.batch_max = 3,
	};
	uint64_t refused;

	live_through(_i, &season, 4096, &refused);
	ck_assert_uint_eq(refused, 0);
}
END_TEST

START_TEST(what_a_full_region_refuses_changes_nothing)
{
	const struct season season = {
		.packed = 90 * NODE_CAPACITY,
		.most = UINT64_MAX,
		.operations = test_effort(1000),
		.batch_max = 200,
	};
	uint64_t refused;

	live_through(_i, &season, 0, &refused);
	ck_assert_uint_gt(refused, 0);
}
END_TEST

/* --- From none to a million and back ------------------------------------- */

/* A tree and what it has, of which each item is known by its place. */
struct crowd {
	struct rtree *tree;
	struct model model;
	struct random random;
};

static void check_crowd(struct crowd *c)
{
	struct rtree_pin pin;
	int error = model_compare(&c->model, c->tree);

	ck_assert_int_eq(rtree_pin(c->tree, &pin), 0);
	for (int i = 0; !error && i < 5; i++) {
		struct rect query =
			shape_query(SHAPE_UNIFORM, &c->random, &c->model);
		error = model_compare_query(&c->model, c->tree, &pin.root,
					    &query);
	}
	rtree_unpin(c->tree, &pin);
	ck_assert_msg(!error, "%zu items: %s", c->model.count, err_text());
}

static int insert_new(struct crowd *c, struct rtree_batch *batch)
{
	struct item item = {(int64_t)c->model.count,
			    shape_rect(SHAPE_UNIFORM, &c->random)};

	model_insert(&c->model, &item);
	return rtree_insert(batch, &item);
}

static int delete_any(struct crowd *c, struct rtree_batch *batch)
{
	size_t i = random_below(&c->random, c->model.count);
	struct item item = c->model.items[i];

	c->model.items[i] = c->model.items[--c->model.count];
	return rtree_delete(batch, &item);
}

/* One batch of what leads there. */
static void go_towards(struct crowd *c, uint64_t count)
{
	struct rtree_batch *batch;
	uint64_t version;
	int error = 0;

	ck_assert_int_eq(rtree_batch_begin(c->tree, &batch), 0);
	for (uint64_t i = 1 + random_below(&c->random, 500);
	     i-- > 0 && !error && c->model.count != count;)
		error = c->model.count < count ? insert_new(c, batch)
					       : delete_any(c, batch);
	ck_assert_msg(!error, "%s", err_text());
	rtree_batch_commit(batch, &version);
}

START_TEST(a_tree_grows_from_nothing_and_shrinks_to_it)
{
	/* Small nodes are as many as large ones then. */
	const uint64_t most = test_effort(NODE_CAPACITY == 4 ? 2000 : 10000);
	const struct rtree_options options = {
		.size = rtree_size_forecast(8 * most),
	};
	struct rtree_stat stat;
	struct crowd c = {0};

	random_seed(&c.random, test_seed());
	ck_assert_int_eq(rtree_create(&options, &c.tree), 0);
	for (uint64_t next = 1; c.model.count < most; next *= 2) {
		next = next < most ? next : most;
		while (c.model.count < next)
			go_towards(&c, next);
		check_crowd(&c);
	}
	while (c.model.count) {
		uint64_t next = c.model.count / 2;
		while (c.model.count > next)
			go_towards(&c, next);
		check_crowd(&c);
	}
	ck_assert_int_eq(rtree_stat(c.tree, &stat), 0);
	ck_assert_int_eq(stat.height, 1);
	rtree_destroy(c.tree);
	model_fini(&c.model);
}
END_TEST

Suite *test_suite(const char **why)
{
	(void)why;
	Suite *suite = suite_create("model");
	TCase *operations = tcase_create("operations");
	TCase *growth = tcase_create("growth");

	tcase_set_timeout(operations, TEST_TIMEOUT_S);
	tcase_add_loop_test(operations,
			    random_operations_make_what_they_make_of_an_array,
			    0, SHAPES);
	tcase_add_loop_test(operations, small_trees_are_right_at_every_size, 0,
			    SHAPES);
	tcase_add_loop_test(operations,
			    what_a_full_region_refuses_changes_nothing, 0,
			    SHAPES);
	suite_add_tcase(suite, operations);

	tcase_set_timeout(growth, TEST_TIMEOUT_S);
	tcase_add_test(growth, a_tree_grows_from_nothing_and_shrinks_to_it);
	suite_add_tcase(suite, growth);
	return suite;
}
