/* SPDX-License-Identifier: BSD-2-Clause */

/* A connection that writes as fast as it can: inserts, moves and deletes items
 * of its own, and logs each request with the version in which it became
 * visible.
 *
 * The number of its items rises and falls, so that the tree grows from empty,
 * splits, merges, and grows again. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/random.h"
#include "tests/system/stage.h"

enum { ROUNDS = 4 }; /* of requests for each item, until it is empty again */

/* The slots of one writer: order[0 .. live) are of items that are there. */
struct population {
	uint32_t slots, live;
	struct rect *rect;
	uint32_t *order, *place;
};

struct author {
	struct stage *stage;
	unsigned number;
	struct random random;
	struct population all;
	struct catfish *server;
	uint64_t requests;
	struct change changes[CHANGES_MAX];
	struct rect before; /* of the first item that was moved */
};

static void write_on(struct author *a);
static uint64_t wanted(const struct author *a);
static int insert(struct author *a, uint32_t count,
		  struct catfish_written *written);
static int move(struct author *a, uint32_t count,
		struct catfish_written *written);
static int delete (struct author *a, uint32_t count,
		   struct catfish_written *written);
static void acknowledge(struct author *a, uint32_t count, bool moved,
			const struct catfish_written *written);
static void population_init(struct population *all, uint32_t slots);
static void population_fini(struct population *all);

void writer_run(struct stage *stage, unsigned number)
{
	const struct catfish_options options = {
		.timeout_ms = STAGE_PATIENCE_MS,
	};
	struct author *a = calloc(1, sizeof(*a));

	a->stage = stage;
	a->number = number;
	random_seed(&a->random, stage->seed * 1000 + number);
	population_init(&a->all, stage_slots(stage));
	if (catfish_connect(stage->address, &options, &a->server)) {
		fprintf(stderr, "writer %u: %s\n", number,
			catfish_error_text());
		_exit(1);
	}
	while (!atomic_load(&stage->ending))
		write_on(a);
	stream_end(&stage->writer[number].log);
	catfish_close(a->server);
	population_fini(&a->all);
	free(a);
}

enum kind { INSERT, MOVE, DELETE };

static void take_back(struct author *a, enum kind kind);

/* More of what brings the number of items to what is wanted. */
static enum kind choose_kind(struct author *a)
{
	uint64_t dice = random_below(&a->random, 100);
	bool grow = a->all.live < wanted(a);

	if (dice < (grow ? 50 : 20))
		return INSERT;
	return dice < (grow ? 80 : 50) ? MOVE : DELETE;
}

/* Half of the requests are of one item. */
static uint32_t choose_count(struct author *a)
{
	if (random_below(&a->random, 2))
		return 1;
	return 1 + (uint32_t)random_below(&a->random, a->stage->changes);
}

/* One request. */
static void write_on(struct author *a)
{
	static int (*const requests[])(struct author *, uint32_t,
				       struct catfish_written *) = {
		[INSERT] = insert, [MOVE] = move, [DELETE] = delete};
	struct catfish_written written = {0};
	enum kind kind = choose_kind(a);

	int error = requests[kind](a, choose_count(a), &written);
	a->requests++;
	/* Then nothing of a single change was done. */
	if (error == CATFISH_ERROR_NO_ROOM && a->stage->changes == 1) {
		take_back(a, kind);
		return;
	}
	/* Its items are all there, and nobody else's. */
	if (error || written.not_found) {
		fprintf(stderr, "writer %u: %s\n", a->number,
			error ? catfish_error_text()
			      : "an acknowledged item is lost");
		_exit(1);
	}
	if (written.applied)
		acknowledge(a, (uint32_t)written.applied, kind == MOVE,
			    &written);
}

/* What a full region has refused. */
static void take_back(struct author *a, enum kind kind)
{
	atomic_fetch_add(&a->stage->refused, 1);
	if (kind == INSERT)
		a->all.live--;
	else if (kind == MOVE)
		a->all.rect[a->changes[0].slot] = a->before;
	else
		a->all.live++;
}

/* How many items there should be by now: from none up and down to none. */
static uint64_t wanted(const struct author *a)
{
	uint64_t most = a->stage->items / a->stage->writers;
	uint64_t round = a->requests % (most * ROUNDS + 1);

	if (round < most * ROUNDS * 9 / 10)
		return most;
	return 0;
}

/* --- Rectangles --------------------------------------------------------- */

/* Most are small, some are points, a few are larger than the square's tenth;
 * some lie on a coarse grid, where edges touch. */
static struct rect random_rect(struct random *random,
			       const double corner[DIMENSIONS])
{
	uint64_t dice = random_below(random, 100);
	double edge = dice < 10 ? 0 : dice < 98 ? 0.01 : 0.3;
	struct rect rect;

	for (int d = 0; d < DIMENSIONS; d++) {
		double length = edge * random_unit(random);
		rect.min[d] = corner[d];
		if (dice % 4 == 0) {
			rect.min[d] = (int)(rect.min[d] * 256) / 256.0;
			length = (int)(length * 256) / 256.0;
		}
		rect.max[d] = rect.min[d] + length;
	}
	return rect;
}

static struct rect rect_anywhere(struct random *random)
{
	double corner[DIMENSIONS];

	for (int d = 0; d < DIMENSIONS; d++)
		corner[d] = random_unit(random);
	return random_rect(random, corner);
}

static struct rect rect_nearby(struct random *random, const struct rect *rect)
{
	double corner[DIMENSIONS];

	for (int d = 0; d < DIMENSIONS; d++)
		corner[d] = rect->min[d] + (random_unit(random) - 0.5) / 32;
	return random_rect(random, corner);
}

/* --- Requests ----------------------------------------------------------- */

static void swap(struct population *all, uint32_t a, uint32_t b)
{
	uint32_t slot = all->order[a];

	all->order[a] = all->order[b];
	all->order[b] = slot;
	all->place[all->order[a]] = a;
	all->place[all->order[b]] = b;
}

static void put_item(const struct author *a, uint32_t slot,
		     struct catfish_item *item)
{
	item->id = model_id(a->number, slot);
	memcpy(item->box, &a->all.rect[slot], sizeof(item->box));
}

static bool is_live(const struct population *all, uint32_t slot)
{
	return all->place[slot] < all->live;
}

static int insert(struct author *a, uint32_t count,
		  struct catfish_written *written)
{
	struct population *all = &a->all;
	struct catfish_item items[CHANGES_MAX];

	if (count > all->slots - all->live)
		count = all->slots - all->live;
	for (uint32_t i = 0; i < count; i++) {
		uint64_t any = random_below(&a->random, all->slots - all->live);
		swap(all, all->live, all->live + (uint32_t)any);
		uint32_t slot = all->order[all->live];
		/* Now and then one that is there already, id and all. */
		bool twin =
			is_live(all, slot ^ 1) && !random_below(&a->random, 4);
		all->live++;
		all->rect[slot] =
			twin ? all->rect[slot ^ 1] : rect_anywhere(&a->random);
		put_item(a, slot, &items[i]);
		a->changes[i] = (struct change){slot, 1, all->rect[slot]};
	}
	return catfish_insert(a->server, items, count, written);
}

static int move(struct author *a, uint32_t count,
		struct catfish_written *written)
{
	struct population *all = &a->all;
	struct catfish_move moves[CHANGES_MAX];

	if (count > all->live)
		count = all->live;
	for (uint32_t i = 0; i < count; i++) {
		/* Each is another: those chosen gather in front. */
		swap(all, i,
		     i + (uint32_t)random_below(&a->random, all->live - i));
		uint32_t slot = all->order[i];
		put_item(a, slot, &moves[i].item);
		if (i == 0)
			a->before = all->rect[slot];
		all->rect[slot] =
			random_below(&a->random, 4)
				? rect_nearby(&a->random, &all->rect[slot])
				: rect_anywhere(&a->random);
		memcpy(moves[i].to, &all->rect[slot], sizeof(moves[i].to));
		a->changes[i] = (struct change){slot, 1, all->rect[slot]};
	}
	return catfish_update(a->server, moves, count, NULL, NULL, written);
}

static int delete (struct author *a, uint32_t count,
		   struct catfish_written *written)
{
	struct population *all = &a->all;
	struct catfish_item items[CHANGES_MAX];

	if (count > all->live)
		count = all->live;
	for (uint32_t i = 0; i < count; i++) {
		uint64_t any = random_below(&a->random, all->live);
		swap(all, (uint32_t)any, --all->live);
		uint32_t slot = all->order[all->live];
		put_item(a, slot, &items[i]);
		a->changes[i] = (struct change){.slot = slot};
	}
	return catfish_delete(a->server, items, count, NULL, NULL, written);
}

/* --- The log ------------------------------------------------------------ */

static void raise_acknowledged(struct stage *stage, uint64_t version)
{
	uint64_t newest = atomic_load(&stage->acknowledged);

	while (newest < version &&
	       !atomic_compare_exchange_weak(&stage->acknowledged, &newest,
					     version))
		;
}

/* Tells the readers where there is something to be found. */
static void hint(struct author *a, const struct change *change)
{
	const double max = (double)((UINT64_C(1) << HINT_BITS) - 1);
	uint64_t packed = 0;

	for (int d = 0; d < DIMENSIONS; d++) {
		double middle = (change->rect.min[d] + change->rect.max[d]) / 2;
		middle = middle < 0 ? 0 : middle > 1 ? 1 : middle;
		packed = packed << HINT_BITS | (uint64_t)(middle * max);
	}
	atomic_store_explicit(&a->stage->hints[random_below(&a->random, HINTS)],
			      packed, memory_order_relaxed);
}

static void acknowledge(struct author *a, uint32_t count, bool moved,
			const struct catfish_written *written)
{
	struct stream *log = &a->stage->writer[a->number].log;
	uint64_t size =
		sizeof(struct write_record) + count * sizeof(struct change);

	raise_acknowledged(a->stage, written->version);
	struct write_record *record = stream_room(log, size);
	*record = (struct write_record){
		.record = {size, written->version},
		.writer = a->number,
		.count = count,
		.moved = moved,
	};
	memcpy(record->changes, a->changes, count * sizeof(struct change));
	stream_put(log);
	for (uint32_t i = 0; i < count; i++)
		if (a->changes[i].present)
			hint(a, &a->changes[i]);
}

/* --- Populations -------------------------------------------------------- */

static void population_init(struct population *all, uint32_t slots)
{
	all->slots = slots;
	all->rect = calloc(slots, sizeof(*all->rect));
	all->order = calloc(slots, sizeof(*all->order));
	all->place = calloc(slots, sizeof(*all->place));
	for (uint32_t i = 0; i < slots; i++)
		all->order[i] = all->place[i] = i;
}

static void population_fini(struct population *all)
{
	free(all->rect);
	free(all->order);
	free(all->place);
}
