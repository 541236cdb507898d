/* SPDX-License-Identifier: BSD-2-Clause */

/* Fuzz target: any sequence of operations, on a region of any size, makes of a
 * tree what it makes of an array.
 *
 * The first byte of an input is the size of the region, the second says whether
 * pages have to wait for a lease; then come operations: a byte that says which,
 * and its arguments. */

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "rtree/batch.h"
#include "rtree/rtree.h"
#include "tests/fuzz/fuzz.h"
#include "tests/rtree/model.h"

const char *const fuzz_name = "operations";
const uint64_t fuzz_inputs = 20000;

#define ENDLESS_NS (1000000 * NS_PER_S)

/* What is left of the input. */
struct bytes {
	const uint8_t *next;
	const uint8_t *end;
};

struct session {
	struct bytes input;
	struct rtree_options options;
	struct rtree *tree;
	unsigned readers;
	struct model model;   /* of the version published last */
	struct model pending; /* and of the batch */
	struct rtree_batch *batch;

	/* A version that somebody reads for a while. */
	bool pinned;
	struct rtree_pin pin;
	struct model pinned_model;
};

static void must(int error)
{
	fuzz_require(!error, "%s", err_text());
}

/* --- Arguments ------------------------------------------------------------ */

static uint8_t take_byte(struct bytes *bytes)
{
	return bytes->next < bytes->end ? *bytes->next++ : 0;
}

static double take_coordinate(struct bytes *bytes)
{
	static const double rare[] = {
		-0.0,	  0x1p-1074, -0x1p-1074, DBL_MIN, DBL_MAX, -DBL_MAX,
		0x1p1023, 0x1p53,    1e300,	 -1e-300, 1e9,	   0.1,
		NAN,	  INFINITY,  -INFINITY,	 1e154,
	};
	uint8_t byte = take_byte(bytes);

	if (byte < 0xd0)
		return (double)(byte % 32) - 8;
	if (byte < 0xe0)
		return rare[byte & 15];
	return byte + take_byte(bytes) / 256.0;
}

/* Valid but for what is not finite; often without extent. */
static struct rect take_rect(struct bytes *bytes)
{
	bool point = take_byte(bytes) & 1;
	struct rect r;

	for (int d = 0; d < DIMENSIONS; d++) {
		double a = take_coordinate(bytes);
		double b = point ? a : take_coordinate(bytes);
		r.min[d] = a < b ? a : b;
		r.max[d] = a < b ? b : a;
	}
	return r;
}

static struct item take_item(struct bytes *bytes)
{
	int64_t id = take_byte(bytes) % 8;

	return (struct item){id, take_rect(bytes)};
}

/* One that is there, or any. */
static struct item take_known_item(struct session *s)
{
	uint8_t which = take_byte(&s->input);

	if (which == 0xff || !s->pending.count)
		return take_item(&s->input);
	return s->pending.items[which % s->pending.count];
}

/* --- Batches -------------------------------------------------------------- */

static void begin(struct session *s)
{
	must(rtree_batch_begin(s->tree, &s->batch));
	model_replace(&s->pending, s->model.items, s->model.count);
}

static void commit(struct session *s)
{
	uint64_t version;

	rtree_batch_commit(s->batch, &version);
	model_replace(&s->model, s->pending.items, s->pending.count);
	must(model_compare(&s->model, s->tree));
}

static void publish(struct session *s)
{
	commit(s);
	begin(s);
}

static void drop(struct session *s)
{
	rtree_batch_abort(s->batch);
	must(model_compare(&s->model, s->tree));
	begin(s);
}

/* What an operation may end with, if its rectangles are as they are.  True when
 * it was done. */
static bool is_done(struct session *s, int error, bool valid)
{
	bool full = error == ERR_NO_ROOM || error == ERR_AGAIN;

	fuzz_require(valid ? !error || full : error == ERR_DATA, "%d: %s",
		     error, err_text());
	if (full)
		publish(s);
	return !error;
}

static void insert(struct session *s)
{
	struct item item = take_item(&s->input);
	int error = rtree_insert(s->batch, &item);

	if (is_done(s, error, rect_valid(&item.rect)))
		model_insert(&s->pending, &item);
}

static void delete (struct session *s)
{
	struct item item = take_known_item(s);
	int error = rtree_delete(s->batch, &item);

	if (error == ERR_NOT_FOUND)
		fuzz_require(!model_delete(&s->pending, &item),
			     "%s, but it is there", err_text());
	else if (is_done(s, error, rect_valid(&item.rect)))
		fuzz_require(model_delete(&s->pending, &item),
			     "deleted, but it was not there");
}

static void update(struct session *s)
{
	struct item item = take_known_item(s);
	struct rect to = take_rect(&s->input);
	int error = rtree_update(s->batch, &item, &to);

	if (error == ERR_NOT_FOUND)
		fuzz_require(!model_delete(&s->pending, &item),
			     "%s, but it is there", err_text());
	else if (is_done(s, error, rect_valid(&item.rect) && rect_valid(&to)))
		fuzz_require(model_update(&s->pending, &item, &to),
			     "moved, but it was not there");
}

/* Many items, and how to pack them. */
struct load {
	struct rtree_pack_options options;
	struct model items;
	bool valid;
};

static struct load take_load(struct bytes *bytes)
{
	uint8_t how = take_byte(bytes);
	struct load load = {
		.options = {.order = how & 1 ? RTREE_ORDER_CURVE
					     : RTREE_ORDER_TILES,
			    .fill = how & 2 ? 0.5 : 1,
			    .threads = 1},
		.valid = true,
	};

	for (int i = 0; i < how >> 2; i++) {
		/* There are many even in a short input. */
		struct item item = bytes->next < bytes->end
					   ? take_item(bytes)
					   : (struct item){.id = i};
		load.valid = load.valid && rect_valid(&item.rect);
		model_insert(&load.items, &item);
	}
	return load;
}

/* An invalid one among them, or no room for them: either may be said. */
static bool is_loaded(struct session *s, int error, bool valid)
{
	bool full = error == ERR_NO_ROOM || error == ERR_AGAIN;

	return is_done(s, error, valid || full);
}

/* Alone in its batch. */
static void replace(struct session *s)
{
	struct load load = take_load(&s->input);
	struct model *items = &load.items;

	publish(s);
	int error = rtree_replace(s->batch, items->items, items->count,
				  &load.options);
	if (is_loaded(s, error, load.valid))
		model_replace(&s->pending, items->items, items->count);
	publish(s);
	model_fini(items);
}

static void append(struct session *s)
{
	struct load load = take_load(&s->input);
	struct model *items = &load.items;
	int error = rtree_append(s->batch, items->items, items->count,
				 &load.options);

	if (is_loaded(s, error, load.valid))
		for (size_t i = 0; i < items->count; i++)
			model_insert(&s->pending, &items->items[i]);
	model_fini(items);
}

/* --- Questions ------------------------------------------------------------ */

static void compare_count(struct session *s, const struct root *root,
			  const struct rect *query)
{
	for (int r = RELATION_INTERSECTS; r <= RELATION_WITHIN; r++) {
		struct model expected = {0};
		uint64_t count;
		model_search(&s->model, query, r, &expected);
		must(rtree_count(s->tree, root, query, r, &count));
		fuzz_require(count == expected.count,
			     "relation %d: %llu counted instead of %zu", r,
			     (unsigned long long)count, expected.count);
		model_fini(&expected);
	}
}

static void search(struct session *s)
{
	struct rect query = take_rect(&s->input);
	struct rtree_pin pin;

	if (!rect_valid(&query))
		return;
	must(rtree_pin(s->tree, &pin));
	must(model_compare_query(&s->model, s->tree, &pin.root, &query));
	compare_count(s, &pin.root, &query);
	rtree_unpin(s->tree, &pin);
	if (s->pinned)
		must(model_compare_query(&s->pinned_model, s->tree,
					 &s->pin.root, &query));
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

static int compare_neighbours(const void *a, const void *b)
{
	const struct neighbour *x = a, *y = b;

	if (x->distance2 != y->distance2)
		return x->distance2 < y->distance2 ? -1 : 1;
	return (x->item.id > y->item.id) - (x->item.id < y->item.id);
}

static void compare_nearest(const struct model *model,
			    const struct nearest *nearest, const double *point)
{
	struct neighbour *all = malloc((model->count + 1) * sizeof(*all));

	for (size_t i = 0; i < model->count; i++)
		all[i] = (struct neighbour){
			distance2(&model->items[i].rect, point),
			model->items[i]};
	qsort(all, model->count, sizeof(*all), compare_neighbours);
	for (size_t i = 0; i < nearest->found_count; i++)
		fuzz_require(!compare_neighbours(&nearest->found[i], &all[i]),
			     "neighbour %zu: item %lld at %.17g, not %lld at "
			     "%.17g",
			     i, (long long)nearest->found[i].item.id,
			     nearest->found[i].distance2,
			     (long long)all[i].item.id, all[i].distance2);
	free(all);
}

static void find_nearest(struct session *s)
{
	uint64_t k = take_byte(&s->input);
	struct rect query = take_rect(&s->input);
	struct nearest nearest;
	struct rtree_pin pin;

	if (!rect_valid(&query))
		return;
	must(rtree_pin(s->tree, &pin));
	must(rtree_nearest(s->tree, &pin.root, query.min, k, &nearest));
	rtree_unpin(s->tree, &pin);
	fuzz_require(nearest.found_count ==
			     (k < s->model.count ? k : s->model.count),
		     "%zu neighbours", nearest.found_count);
	compare_nearest(&s->model, &nearest, query.min);
	nearest_end(&nearest);
}

/* --- Versions ------------------------------------------------------------- */

static void unpin(struct session *s)
{
	const struct rect all = model_everywhere();

	must(model_compare_query(&s->pinned_model, s->tree, &s->pin.root,
				 &all));
	rtree_unpin(s->tree, &s->pin);
	s->pinned = false;
}

static void pin_or_unpin(struct session *s)
{
	if (s->pinned) {
		unpin(s);
		return;
	}
	must(rtree_pin(s->tree, &s->pin));
	model_replace(&s->pinned_model, s->model.items, s->model.count);
	s->pinned = true;
}

static void join_or_leave(struct session *s)
{
	if (s->readers++ % 2)
		rtree_reader_left(s->tree);
	else
		rtree_reader_joined(s->tree);
}

static int copy_to_file(struct session *s)
{
	int fd = memfd_create("region", MFD_CLOEXEC);
	struct rtree_snapshot *snapshot;
	char piece[1000];
	int64_t size;

	must(rtree_snapshot_begin(s->tree, &snapshot));
	while ((size = rtree_snapshot_read(snapshot, piece, sizeof(piece))) > 0)
		fuzz_require(write(fd, piece, (size_t)size) == size,
			     "no file in memory");
	rtree_snapshot_end(snapshot);
	fuzz_require(lseek(fd, 0, SEEK_SET) == 0, "no file in memory");
	return fd;
}

/* A new server goes on with the file of this one. */
static void save_and_load(struct session *s)
{
	struct rtree *loaded;

	publish(s);
	if (s->pinned)
		unpin(s);
	int fd = copy_to_file(s);
	must(rtree_create(&s->options, &loaded));
	int error = rtree_load(loaded, fd, "region");
	close(fd);
	if (error) {
		fuzz_require(error == ERR_NO_ROOM, "%s", err_text());
		rtree_destroy(loaded);
		return;
	}
	rtree_batch_abort(s->batch);
	rtree_destroy(s->tree);
	s->tree = loaded;
	s->readers = 0;
	must(model_compare(&s->model, s->tree));
	begin(s);
}

/* --- The session ---------------------------------------------------------- */

static void operate(struct session *s)
{
	static void (*const operations[])(struct session * s) = {
		insert,	 insert,       insert,	      insert,	     insert,
		insert,	 delete,       delete,	      update,	     update,
		search,	 find_nearest, pin_or_unpin,  save_and_load, drop,
		publish, replace,      join_or_leave, append,
	};
	enum { OPERATIONS = sizeof(operations) / sizeof(operations[0]) };

	operations[take_byte(&s->input) % OPERATIONS](s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct session s = {.input = {data, data + size}};

	s.options.size = rtree_size_min() +
			 (uint64_t)take_byte(&s.input) * RTREE_PAGE_SIZE;
	s.options.lease_ns = take_byte(&s.input) & 1 ? ENDLESS_NS : 0;
	must(rtree_create(&s.options, &s.tree));
	begin(&s);
	while (s.input.next < s.input.end)
		operate(&s);
	commit(&s);
	if (s.pinned)
		unpin(&s);
	rtree_destroy(s.tree);
	model_fini(&s.model);
	model_fini(&s.pending);
	model_fini(&s.pinned_model);
	return 0;
}
