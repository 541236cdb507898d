/* SPDX-License-Identifier: BSD-2-Clause */

/* Another library's R-tree finds the same: after bulk loading in either order,
 * and after insertions, moves and deletions. */

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "rtree/rtree.h"
#include "tests/lib/test.h"
#include "tests/rtree/effort.h"
#include "tests/rtree/model.h"
#include "tests/rtree/peer.h"
#include "tests/rtree/shape.h"

static_assert(DIMENSIONS == 2 &&
		      sizeof(struct peer_item) == sizeof(struct item) &&
		      offsetof(struct peer_item, min) ==
			      offsetof(struct item, rect) &&
		      offsetof(struct peer_item, max) ==
			      offsetof(struct item, rect) +
				      offsetof(struct rect, max),
	      "an item is an item");
static_assert((int)PEER_INTERSECTS == RELATION_INTERSECTS &&
		      (int)PEER_CONTAINS == RELATION_CONTAINS &&
		      (int)PEER_WITHIN == RELATION_WITHIN,
	      "a relation is a relation");

/* Queries that are asked at a time, so that some can be asked in a group. */
enum { BATCH = 16, NEAREST_MAX = 20 };

/* Which ids were found, and how often. */
struct found {
	uint64_t count;
	uint64_t hash;
};

struct trial {
	enum shape shape;
	struct random random;
	struct rtree *tree;
	struct peer_tree *peer;
	struct model model;
	int64_t *ids; /* room for all */
	int64_t next_id;
	uint64_t searches;
	uint64_t hits;
};

static void must(int error)
{
	ck_assert_msg(!error, "%s", err_text());
}

/* --- Making trees --------------------------------------------------------- */

enum way {
	LOADED_BY_TILES,
	LOADED_BY_CURVE,
	APPENDED, /* half of them to the other half */
	INSERTED,
	CHANGED, /* after that */
	WAYS,
};

static struct item new_item(struct trial *t)
{
	return (struct item){t->next_id++, shape_rect(t->shape, &t->random)};
}

static void load(struct trial *t, enum rtree_order order)
{
	const struct rtree_pack_options options = {.order = order};
	struct rtree_batch *batch;
	uint64_t version;

	must(rtree_batch_begin(t->tree, &batch));
	must(rtree_replace(batch, t->model.items, t->model.count, &options));
	rtree_batch_commit(batch, &version);
}

static void append(struct trial *t)
{
	size_t half = t->model.count / 2;
	struct rtree_batch *batch;
	uint64_t version;

	must(rtree_batch_begin(t->tree, &batch));
	must(rtree_replace(batch, t->model.items, half, NULL));
	rtree_batch_commit(batch, &version);
	must(rtree_batch_begin(t->tree, &batch));
	must(rtree_append(batch, t->model.items + half, t->model.count - half,
			  NULL));
	rtree_batch_commit(batch, &version);
}

static void insert_all(struct trial *t)
{
	struct rtree_batch *batch;
	uint64_t version;

	must(rtree_batch_begin(t->tree, &batch));
	must(rtree_replace(batch, NULL, 0, NULL));
	rtree_batch_commit(batch, &version);
	must(rtree_batch_begin(t->tree, &batch));
	for (size_t i = 0; i < t->model.count; i++)
		must(rtree_insert(batch, &t->model.items[i]));
	rtree_batch_commit(batch, &version);
}

static void change_item(struct trial *t, struct rtree_batch *batch, size_t i)
{
	struct item *item = &t->model.items[i];

	if (random_below(&t->random, 2)) {
		struct rect to = shape_rect(t->shape, &t->random);
		must(rtree_update(batch, item, &to));
		item->rect = to;
	} else {
		must(rtree_delete(batch, item));
		*item = t->model.items[--t->model.count];
	}
}

/* Moves, deletes and inserts, in small batches. */
static void change(struct trial *t)
{
	size_t changes = t->model.count;

	for (size_t done = 0; done < changes;) {
		struct rtree_batch *batch;
		uint64_t version;
		must(rtree_batch_begin(t->tree, &batch));
		for (int i = 0; i < 50; i++, done++) {
			size_t count = t->model.count;
			if (count && random_below(&t->random, 3)) {
				change_item(t, batch,
					    random_below(&t->random, count));
				continue;
			}
			struct item item = new_item(t);
			must(rtree_insert(batch, &item));
			model_insert(&t->model, &item);
		}
		rtree_batch_commit(batch, &version);
	}
}

static void give_to_peer(struct trial *t)
{
	if (t->peer)
		peer.destroy(t->peer);
	t->peer = peer.create((const void *)t->model.items, t->model.count);
	t->ids = realloc(t->ids,
			 (t->model.count + NEAREST_MAX) * sizeof(t->ids[0]));
	ck_assert_ptr_nonnull(t->ids);
}

static void make(struct trial *t, enum way way)
{
	switch (way) {
	case LOADED_BY_TILES:
		load(t, RTREE_ORDER_TILES);
		break;
	case LOADED_BY_CURVE:
		load(t, RTREE_ORDER_CURVE);
		break;
	case APPENDED:
		append(t);
		break;
	case INSERTED:
		insert_all(t);
		break;
	default:
		change(t);
		give_to_peer(t);
	}
}

static void trial_init(struct trial *t, enum shape shape, size_t count)
{
	const struct rtree_options options = {
		.size = rtree_size_forecast(8 * count + 1000),
	};

	*t = (struct trial){.shape = shape};
	random_seed(&t->random, test_seed() * SHAPES + shape);
	must(rtree_create(&options, &t->tree));
	while (t->model.count < count) {
		struct item item = new_item(t);
		model_insert(&t->model, &item);
	}
	give_to_peer(t);
}

static void trial_fini(struct trial *t)
{
	rtree_destroy(t->tree);
	peer.destroy(t->peer);
	model_fini(&t->model);
	free(t->ids);
}

/* --- Asking --------------------------------------------------------------- */

static void add_id(struct found *found, int64_t id)
{
	uint64_t hash = (uint64_t)(id + 1) * UINT64_C(0x9e3779b97f4a7c15);

	found->count++;
	found->hash += hash ^ hash >> 29;
}

static int add_hits(void *context, const struct node *leaf, uint64_t hits)
{
	for (; hits; hits &= hits - 1)
		add_id(context, leaf->id[__builtin_ctzll(hits)]);
	return 0;
}

static int add_group_hits(void *context, size_t query, const struct node *leaf,
			  uint64_t hits)
{
	struct found *found = context;

	return add_hits(&found[query], leaf, hits);
}

static struct found ask_peer(struct trial *t, enum relation relation,
			     const struct rect *query)
{
	struct item item = {.rect = *query};
	struct found found = {0};
	size_t count = peer.search(t->peer, (enum peer_relation)relation,
				   (const void *)&item, t->ids);

	for (size_t i = 0; i < count; i++)
		add_id(&found, t->ids[i]);
	return found;
}

static void ask_tree(struct trial *t, const struct root *root,
		     enum relation relation, const struct rect *queries,
		     struct found *found)
{
	memset(found, 0, BATCH * sizeof(found[0]));
	if (random_below(&t->random, 2)) {
		must(rtree_search_group(t->tree, root, queries, BATCH, relation,
					add_group_hits, found));
		return;
	}
	for (int i = 0; i < BATCH; i++)
		must(rtree_search(t->tree, root, &queries[i], relation,
				  add_hits, &found[i]));
}

static _Noreturn void differ(const struct trial *t, enum relation relation,
			     const struct rect *q, const struct found *ours,
			     const struct found *theirs)
{
	ck_abort_msg("CATFISH_TEST_SEED=%llu, %s, %zu items, relation %d to "
		     "[%.17g, %.17g, %.17g, %.17g]: %llu items, of %s %llu",
		     (unsigned long long)test_seed(), shape_name(t->shape),
		     t->model.count, relation, q->min[0], q->min[1], q->max[0],
		     q->max[1], (unsigned long long)ours->count, peer.name,
		     (unsigned long long)theirs->count);
}

static void compare_batch(struct trial *t, const struct root *root)
{
	struct rect queries[BATCH];
	struct found found[BATCH];

	for (int i = 0; i < BATCH; i++)
		queries[i] = shape_query(t->shape, &t->random, &t->model);
	for (int r = RELATION_INTERSECTS; r <= RELATION_WITHIN; r++) {
		if (!peer.knows((enum peer_relation)r))
			continue;
		ask_tree(t, root, r, queries, found);
		for (int i = 0; i < BATCH; i++) {
			struct found theirs = ask_peer(t, r, &queries[i]);
			if (found[i].count != theirs.count ||
			    found[i].hash != theirs.hash)
				differ(t, r, &queries[i], &found[i], &theirs);
			t->searches++;
			t->hits += theirs.count;
		}
	}
}

/* --- Nearest items -------------------------------------------------------- */

static int compare_doubles(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static double distance2(const struct rect *rect, const double *point)
{
	double sum = 0;

	for (int d = 0; d < DIMENSIONS; d++) {
		double side = fmax(
			fmax(rect->min[d] - point[d], point[d] - rect->max[d]),
			0);
		sum += side * side;
	}
	return sum;
}

static const struct item *item_of_id(const struct trial *t, int64_t id)
{
	for (size_t i = 0; i < t->model.count; i++)
		if (t->model.items[i].id == id)
			return &t->model.items[i];
	ck_abort_msg("%s found an item %lld", peer.name, (long long)id);
}

/* As far away as theirs; which of several at one distance come is left open. */
static void compare_nearest(struct trial *t, const struct root *root)
{
	struct rect query = shape_query(t->shape, &t->random, &t->model);
	uint64_t k = 1 + random_below(&t->random, NEAREST_MAX);
	double theirs[NEAREST_MAX];
	struct nearest nearest;
	size_t count = peer.nearest(t->peer, query.min, k, t->ids);

	for (size_t i = 0; i < count; i++)
		theirs[i] =
			distance2(&item_of_id(t, t->ids[i])->rect, query.min);
	qsort(theirs, count, sizeof(theirs[0]), compare_doubles);
	must(rtree_nearest(t->tree, root, query.min, k, &nearest));
	ck_assert_uint_eq(nearest.found_count, count);
	for (size_t i = 0; i < count; i++)
		if (nearest.found[i].distance2 != theirs[i])
			ck_abort_msg("%s, number %zu of the nearest to %.17g, "
				     "%.17g: %.17g, of %s %.17g",
				     shape_name(t->shape), i, query.min[0],
				     query.min[1], nearest.found[i].distance2,
				     peer.name, theirs[i]);
	nearest_end(&nearest);
	t->searches++;
}

/* --- The tests ------------------------------------------------------------ */

static void compare(struct trial *t, uint64_t searches)
{
	uint64_t end = t->searches + searches;
	struct rtree_pin pin;

	must(rtree_pin(t->tree, &pin));
	while (t->searches < end) {
		compare_batch(t, &pin.root);
		if (peer.nearest && t->model.count)
			compare_nearest(t, &pin.root);
	}
	rtree_unpin(t->tree, &pin);
}

/* Many items only where few are answers. */
static size_t items_max(enum shape shape)
{
	switch (shape) {
	case SHAPE_UNIFORM:
	case SHAPE_POINTS:
	case SHAPE_LINES:
	case SHAPE_CLUSTERS:
		return 20000 / TEST_SLOWDOWN;
	default:
		return 2000;
	}
}

START_TEST(the_peer_finds_the_same)
{
	enum { SIZES = 5, NORMAL = 100000 };
	const size_t sizes[SIZES] = {0, 3, 65, 500, items_max(_i)};
	uint64_t each = test_effort(NORMAL) / SHAPES / SIZES / WAYS;
	uint64_t searches = 0, hits = 0;

	for (int s = 0; s < SIZES; s++) {
		struct trial t;
		trial_init(&t, _i, sizes[s]);
		for (int way = 0; way < WAYS; way++) {
			make(&t, way);
			must(model_compare(&t.model, t.tree));
			compare(&t, each + 1);
		}
		searches += t.searches;
		hits += t.hits;
		trial_fini(&t);
	}
	printf("%s, %s: %llu searches, %llu answers, no difference\n",
	       peer.name, shape_name(_i), (unsigned long long)searches,
	       (unsigned long long)hits);
}
END_TEST

Suite *test_suite(const char **why)
{
	(void)why;
	Suite *suite = suite_create("peers");
	TCase *searches = tcase_create("searches");

	tcase_set_timeout(searches, TEST_TIMEOUT_S);
	tcase_add_loop_test(searches, the_peer_finds_the_same, 0, SHAPES);
	suite_add_tcase(suite, searches);
	return suite;
}
