/* SPDX-License-Identifier: BSD-2-Clause */

/* Whatever allocation fails, in whatever operation: it says so, or does
 * without; the published tree is as it was, and nothing is leaked. */

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "rtree/batch.h"
#include "tests/lib/test.h"
#include "tests/rtree/effort.h"
#include "tests/rtree/model.h"
#include "tests/rtree/scarce.h"
#include "tests/rtree/shape.h"

enum { ITEMS = 300 * NODE_CAPACITY, QUERIES = 100 };

/* A tree, its model, and what an operation needs; all made while there is still
 * memory. */
struct trial {
	struct rtree *tree;
	struct model model;
	struct rtree *empty; /* to load into */
	struct model loaded; /* what it has */
	struct item item;    /* one of the tree's */
	struct rect to;
	struct rect queries[QUERIES];
	struct model other; /* items to replace all by */
	char folder[64];
	char path[80];
	int file; /* a region file */
	uint64_t hits;
};

static void must(int error)
{
	ck_assert_msg(!error, "%s", err_text());
}

/* --- Operations ----------------------------------------------------------- */

static int end_batch(struct rtree_batch *batch, int error)
{
	uint64_t version;

	if (error)
		rtree_batch_abort(batch);
	else
		rtree_batch_commit(batch, &version);
	return error;
}

static int create(bool is_mappable)
{
	const struct rtree_options options = {
		.size = rtree_size_min(),
		.is_mappable = is_mappable,
	};
	struct rtree *tree;
	int error = rtree_create(&options, &tree);

	if (!error)
		rtree_destroy(tree);
	return error;
}

static int do_create(struct trial *t)
{
	return create(false);
}

static int do_create_mappable(struct trial *t)
{
	return create(true);
}

static int do_insert(struct trial *t)
{
	struct item item = {.id = 7, .rect = t->to};
	struct rtree_batch *batch;

	rtree_batch_begin(t->tree, &batch);
	return end_batch(batch, rtree_insert(batch, &item));
}

static void did_insert(struct trial *t)
{
	model_insert(&t->model, &(struct item){.id = 7, .rect = t->to});
}

static int do_update(struct trial *t)
{
	struct rtree_batch *batch;

	rtree_batch_begin(t->tree, &batch);
	return end_batch(batch, rtree_update(batch, &t->item, &t->to));
}

static void did_update(struct trial *t)
{
	ck_assert(model_update(&t->model, &t->item, &t->to));
	t->item.rect = t->to;
}

static int do_delete(struct trial *t)
{
	struct rtree_batch *batch;

	rtree_batch_begin(t->tree, &batch);
	return end_batch(batch, rtree_delete(batch, &t->item));
}

static void did_delete(struct trial *t)
{
	ck_assert(model_delete(&t->model, &t->item));
	t->item = t->model.items[0];
}

/* Moves all items, so that nodes are split and merged. */
static int do_batch(struct trial *t)
{
	struct rtree_batch *batch;
	int error = 0;

	rtree_batch_begin(t->tree, &batch);
	for (size_t i = 0; !error && i < t->model.count; i++)
		error = rtree_update(batch, &t->model.items[i],
				     &t->other.items[i % t->other.count].rect);
	return end_batch(batch, error);
}

static void did_batch(struct trial *t)
{
	for (size_t i = 0; i < t->model.count; i++)
		t->model.items[i].rect =
			t->other.items[i % t->other.count].rect;
	t->item = t->model.items[0];
}

static int replace(struct trial *t, enum rtree_order order)
{
	const struct rtree_pack_options options = {.order = order,
						   .threads = 3};
	struct rtree_batch *batch;

	rtree_batch_begin(t->tree, &batch);
	return end_batch(batch, rtree_replace(batch, t->other.items,
					      t->other.count, &options));
}

static int do_replace_by_tiles(struct trial *t)
{
	return replace(t, RTREE_ORDER_TILES);
}

static int do_replace_by_curve(struct trial *t)
{
	return replace(t, RTREE_ORDER_CURVE);
}

static void did_replace(struct trial *t)
{
	model_replace(&t->model, t->other.items, t->other.count);
	t->item = t->model.items[0];
}

/* Half as many as there are, at once. */
static int do_append(struct trial *t)
{
	const struct rtree_pack_options options = {.threads = 3};
	struct rtree_batch *batch;

	rtree_batch_begin(t->tree, &batch);
	return end_batch(batch, rtree_append(batch, t->other.items,
					     t->other.count, &options));
}

static void did_append(struct trial *t)
{
	for (size_t i = 0; i < t->other.count; i++)
		model_insert(&t->model, &t->other.items[i]);
}

static int count_hits(void *context, const struct node *leaf, uint64_t hits)
{
	struct trial *t = context;

	t->hits += (uint64_t)__builtin_popcountll(hits);
	return 0;
}

static int do_search(struct trial *t)
{
	const struct rect everywhere = model_everywhere();
	struct rtree_pin pin;
	int error = rtree_pin(t->tree, &pin);

	t->hits = 0;
	if (!error)
		error = rtree_search(t->tree, &pin.root, &everywhere,
				     RELATION_INTERSECTS, count_hits, t);
	rtree_unpin(t->tree, &pin);
	return error;
}

static void did_search(struct trial *t)
{
	ck_assert_uint_eq(t->hits, t->model.count);
}

static int count_group_hits(void *context, size_t query,
			    const struct node *leaf, uint64_t hits)
{
	return count_hits(context, leaf, hits);
}

static int do_search_group(struct trial *t)
{
	struct rtree_pin pin;
	int error = rtree_pin(t->tree, &pin);

	t->hits = 0;
	if (!error)
		error = rtree_search_group(t->tree, &pin.root, t->queries,
					   QUERIES, RELATION_INTERSECTS,
					   count_group_hits, t);
	rtree_unpin(t->tree, &pin);
	return error;
}

static void did_search_group(struct trial *t)
{
	struct model found = {0};

	for (int i = 0; i < QUERIES; i++)
		model_search(&t->model, &t->queries[i], RELATION_INTERSECTS,
			     &found);
	ck_assert_uint_eq(t->hits, found.count);
	model_fini(&found);
}

static int do_count_group(struct trial *t)
{
	uint64_t counts[QUERIES];
	struct rtree_pin pin;
	int error = rtree_pin(t->tree, &pin);

	t->hits = 0;
	if (!error)
		error = rtree_count_group(t->tree, &pin.root, t->queries,
					  QUERIES, RELATION_INTERSECTS, counts);
	rtree_unpin(t->tree, &pin);
	for (int i = 0; !error && i < QUERIES; i++)
		t->hits += counts[i];
	return error;
}

/* Feeds all that is wanted at a time, the last wanted last, so that the walk
 * has to remember many nodes. */
static int feed_in_waves(struct trial *t, struct walk *walk)
{
	static struct walk_wanted wanted[2 * ITEMS];
	int error = 0;

	for (;;) {
		size_t count = 0;
		while (walk_next(walk, &wanted[count]))
			count++;
		if (!count)
			return 0;
		for (size_t i = 0; !error && i < count; i++) {
			const struct node *node =
				rtree_node(t->tree, wanted[i].ref);
			uint64_t hits;
			error = walk_feed(walk, &wanted[i], node, &hits);
			if (!error)
				count_hits(t, node, hits);
		}
		if (error)
			return error;
	}
}

static int do_walk(struct trial *t)
{
	const struct rect everywhere = model_everywhere();
	struct rtree_region region;
	struct rtree_pin pin;
	struct walk walk;
	int error = rtree_pin(t->tree, &pin);

	t->hits = 0;
	rtree_describe(t->tree, &region);
	if (!error)
		error = walk_begin(&walk, &everywhere, RELATION_WITHIN,
				   pin.root.ref, region.page_count);
	if (!error) {
		error = feed_in_waves(t, &walk);
		walk_end(&walk);
	}
	rtree_unpin(t->tree, &pin);
	return error;
}

static int do_nearest(struct trial *t)
{
	struct nearest nearest;
	struct rtree_pin pin;
	int error = rtree_pin(t->tree, &pin);

	if (!error)
		error = rtree_nearest(t->tree, &pin.root, t->to.min, UINT64_MAX,
				      &nearest);
	rtree_unpin(t->tree, &pin);
	if (error)
		return error;
	t->hits = nearest.found_count;
	nearest_end(&nearest);
	return 0;
}

/* All that there are, from several points. */
static int do_nearest_group(struct trial *t)
{
	enum { POINTS = 3 };
	double points[POINTS][DIMENSIONS];
	struct nearest nearest[POINTS];
	struct rtree_pin pin;
	int error = rtree_pin(t->tree, &pin);

	for (int i = 0; i < POINTS; i++)
		memcpy(points[i], t->queries[i].min, sizeof(points[i]));
	if (!error)
		error = rtree_nearest_group(t->tree, &pin.root,
					    (const double(*)[DIMENSIONS])points,
					    POINTS, UINT64_MAX, nearest);
	rtree_unpin(t->tree, &pin);
	for (int i = 0; !error && i < POINTS; i++) {
		t->hits = nearest[i].found_count;
		nearest_end(&nearest[i]);
	}
	return error;
}

static int do_check(struct trial *t)
{
	uint64_t nodes, version;

	return rtree_check(t->tree, &nodes, &version);
}

static int do_stat(struct trial *t)
{
	struct rtree_stat stat;

	return rtree_stat(t->tree, &stat);
}

static int do_snapshot(struct trial *t)
{
	struct rtree_snapshot *snapshot;
	char bytes[5000];
	int error = rtree_snapshot_begin(t->tree, &snapshot);

	if (error)
		return error;
	while (rtree_snapshot_read(snapshot, bytes, sizeof(bytes)) > 0)
		;
	rtree_snapshot_end(snapshot);
	return 0;
}

static int do_save(struct trial *t)
{
	uint64_t version;

	return rtree_save(t->tree, t->path, &version);
}

/* Nothing but the file, if that, was left in the folder. */
static void did_save(struct trial *t)
{
	unlink(t->path);
	ck_assert_int_eq(rmdir(t->folder), 0);
	ck_assert_ptr_nonnull(mkdtemp(strcpy(t->folder, "/tmp/scarce-XXXXXX")));
	snprintf(t->path, sizeof(t->path), "%s/region", t->folder);
}

static int do_load(struct trial *t)
{
	if (lseek(t->file, 0, SEEK_SET))
		return ERR_SYSTEM;
	return rtree_load(t->empty, t->file, "FILE");
}

/* Makes another one that is new. */
static void did_load(struct trial *t)
{
	const struct rtree_options options = {
		.size = rtree_size_forecast(10 * ITEMS),
	};

	model_replace(&t->loaded, t->model.items, t->model.count);
	must(model_compare(&t->loaded, t->empty));
	rtree_destroy(t->empty);
	must(rtree_create(&options, &t->empty));
	model_clear(&t->loaded);
}

static const struct operation {
	const char *name;
	int (*run)(struct trial *t);
	void (*did)(struct trial *t); /* when it succeeded; or NULL */
	/* Allocations that it makes: at least so many, or none. */
	uint64_t calls_min;
} operations[] = {
	{"create", do_create, NULL, 9},
	{"create mappable", do_create_mappable, NULL, 9},
	{"insert", do_insert, did_insert, 0},
	{"update", do_update, did_update, 0},
	{"delete", do_delete, did_delete, 0},
	{"batch", do_batch, did_batch, 0},
	{"replace by tiles", do_replace_by_tiles, did_replace, 5},
	{"replace by curve", do_replace_by_curve, did_replace, 8},
	{"append", do_append, did_append, 3},
	{"search", do_search, did_search, 0},
	{"search in a group", do_search_group, did_search_group, 0},
	{"count in a group", do_count_group, did_search_group, 0},
	{"walk in waves", do_walk, did_search, 1},
	{"nearest", do_nearest, did_search, 10},
	{"nearest in a group", do_nearest_group, did_search, 10},
	{"check", do_check, NULL, 1},
	{"stat", do_stat, NULL, 0},
	{"snapshot", do_snapshot, NULL, 2},
	{"save", do_save, did_save, 6},
	{"save again", do_save, NULL, 6},
	{"load", do_load, did_load, 1},
};

enum { OPERATIONS = sizeof(operations) / sizeof(operations[0]) };

/* --- Trials --------------------------------------------------------------- */

static void fill(struct trial *t, struct random *random)
{
	for (int id = 0; id < ITEMS; id++) {
		model_insert(
			&t->model,
			&(struct item){id, shape_rect(SHAPE_UNIFORM, random)});
		if (id % 2)
			continue;
		model_insert(&t->other,
			     &(struct item){ITEMS + id,
					    shape_rect(SHAPE_MIXED, random)});
	}
	for (int i = 0; i < QUERIES; i++)
		t->queries[i] = shape_query(SHAPE_UNIFORM, random, &t->model);
	t->to = shape_rect(SHAPE_UNIFORM, random);
	t->item = t->model.items[ITEMS / 2];
}

static void make_file(struct trial *t)
{
	uint64_t version;
	struct rtree_batch *batch;

	must(rtree_batch_begin(t->tree, &batch));
	must(rtree_replace(batch, t->model.items, t->model.count, NULL));
	rtree_batch_commit(batch, &version);

	char path[] = "/tmp/scarce-XXXXXX";
	int fd = mkstemp(path);
	ck_assert_int_ge(fd, 0);
	must(rtree_save(t->tree, path, &version));
	close(fd);
	t->file = open(path, O_RDONLY | O_CLOEXEC);
	ck_assert_int_ge(t->file, 0);
	unlink(path);
}

static void trial_init(struct trial *t)
{
	const struct rtree_options options = {
		.size = rtree_size_forecast(10 * ITEMS),
	};
	struct random random;

	memset(t, 0, sizeof(*t));
	random_seed(&random, test_seed());
	must(rtree_create(&options, &t->tree));
	must(rtree_create(&options, &t->empty));
	fill(t, &random);
	make_file(t);
	ck_assert_ptr_nonnull(mkdtemp(strcpy(t->folder, "/tmp/scarce-XXXXXX")));
	snprintf(t->path, sizeof(t->path), "%s/region", t->folder);
}

static void trial_fini(struct trial *t)
{
	rtree_destroy(t->tree);
	rtree_destroy(t->empty);
	model_fini(&t->model);
	model_fini(&t->loaded);
	model_fini(&t->other);
	close(t->file);
	unlink(t->path);
	ck_assert_int_eq(rmdir(t->folder), 0);
}

static void check_held(const struct operation *o, uint64_t nth,
		       const struct scarce_held *before)
{
	struct scarce_held now = scarce_held();

	ck_assert_msg(
		now.blocks == before->blocks && now.mapped == before->mapped &&
			now.descriptors == before->descriptors,
		"%s, allocation %llu: %lld blocks, %lld mapped pages and %lld "
		"descriptors are left",
		o->name, (unsigned long long)nth,
		(long long)(now.blocks - before->blocks),
		(long long)(now.mapped - before->mapped),
		(long long)(now.descriptors - before->descriptors));
}

static void check_trees(const struct trial *t, const struct operation *o,
			uint64_t nth)
{
	int error = model_compare(&t->model, t->tree);

	if (!error)
		error = model_compare(&t->loaded, t->empty);
	ck_assert_msg(!error, "%s, allocation %llu: %s", o->name,
		      (unsigned long long)nth, err_text());
}

/* Runs it with one allocation, or all from that on, failing.  Returns whether
 * there was one. */
static bool try(struct trial *t, const struct operation *o, uint64_t nth,
		enum scarce_how how)
{
	struct scarce_held before = scarce_held();

	err_set(0, "nothing");
	scarce_begin(nth, how);
	int error = o->run(t);
	uint64_t calls = scarce_end();
	check_held(o, nth, &before);
	if (error) {
		ck_assert_uint_ge(calls, nth);
		ck_assert_msg(error == ERR_NO_MEMORY, "%s, allocation %llu: %s",
			      o->name, (unsigned long long)nth, err_text());
		ck_assert_msg(strstr(err_text(), "memory"), "%s: '%s'", o->name,
			      err_text());
	} else if (o->did) {
		o->did(t);
	}
	check_trees(t, o, nth);
	if (calls >= nth)
		return true;
	ck_assert_int_eq(error, 0);
	ck_assert_msg(o->calls_min ? calls >= o->calls_min : calls == 0,
		      "%s: %llu allocations", o->name,
		      (unsigned long long)calls);
	return false;
}

START_TEST(any_allocation_may_fail)
{
	const struct operation *o = &operations[_i];
	struct trial t;

	trial_init(&t);
	for (int how = SCARCE_ONCE; how <= SCARCE_FROM; how++)
		for (uint64_t nth = 1; try(&t, o, nth, how); nth++)
			;
	trial_fini(&t);
}
END_TEST

/* --- A stack that grows --------------------------------------------------- */

/* A walk from a root of the highest level, where all children of a node are one
 * node: it never gets to an end, and wants more nodes at a time than any tree
 * that fits here. */
static struct node *make_steep(uint64_t page_count, int height)
{
	struct node *pages = calloc(page_count, sizeof(*pages));

	ck_assert_ptr_nonnull(pages);
	for (int page = 1; page <= height; page++) {
		struct node *node = &pages[page];
		node->header = (struct node_header){
			.birth = 1,
			.page = (uint32_t)page,
			.count = page < height ? NODE_CAPACITY : 0,
			.level = (uint8_t)(height - page),
			.kind = NODE_KIND,
		};
		for (int i = 0; page < height && i < NODE_CAPACITY; i++)
			node->child[i] = node_ref_make((uint32_t)page + 1, 1);
	}
	return pages;
}

static int feed_all(struct walk *walk, const struct node *pages)
{
	struct walk_wanted wanted;
	uint64_t hits;
	int error = 0;

	while (!error && walk_next(walk, &wanted))
		error = walk_feed(walk, &wanted,
				  &pages[node_ref_page(wanted.ref)], &hits);
	return error;
}

START_TEST(a_walk_of_a_high_tree_may_run_out_of_memory)
{
	enum { PAGES = 20000, HEIGHT = NODE_LEVEL_MAX + 1 };
	const struct rect everywhere = model_everywhere();
	struct node *pages = make_steep(PAGES, HEIGHT);
	struct scarce_held before = scarce_held();
	uint64_t calls = 1;

	for (uint64_t nth = 1; nth <= calls; nth++) {
		struct walk walk;
		must(walk_begin(&walk, &everywhere, RELATION_INTERSECTS,
				node_ref_make(1, 1), PAGES));
		scarce_begin(nth, SCARCE_ONCE);
		int error = feed_all(&walk, pages);
		calls = scarce_end();
		walk_end(&walk);
		ck_assert_int_eq(error,
				 nth <= calls ? ERR_NO_MEMORY : ERR_DAMAGED);
		check_held(&(struct operation){.name = "walk"}, nth, &before);
	}
	ck_assert_uint_ge(calls, NODE_CAPACITY > 16);
	free(pages);
}
END_TEST

Suite *test_suite(const char **why)
{
	(void)why;
	Suite *suite = suite_create("scarce");
	TCase *memory = tcase_create("memory");

	tcase_set_timeout(memory, TEST_TIMEOUT_S);
	tcase_add_loop_test(memory, any_allocation_may_fail, 0, OPERATIONS);
	tcase_add_test(memory, a_walk_of_a_high_tree_may_run_out_of_memory);
	suite_add_tcase(suite, memory);
	return suite;
}
