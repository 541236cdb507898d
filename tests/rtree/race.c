/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/rtree/race.h"

#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/guard.h"
#include "rtree/batch.h"
#include "rtree/rtree.h"
#include "tests/rtree/shape.h"

enum {
	ITEMS = 20 * NODE_CAPACITY, /* about so many */
	BATCH_MAX = 6,
	/* A reader that is slow now and then, and by how much. */
	SLOW_ONE_IN = 16,
	SLOW_PUBLICATIONS = 20,
	SLOW_YIELDS_MAX = 2000,
};

#define COPIED_LEASE_NS (4 * NS_PER_MS)
#define MAPPED_LEASE_NS (NS_PER_MS / 2)

struct race {
	const struct race_options *options;
	struct rtree *tree;
	const struct root_page *root_page;
	uint64_t page_count;
	uint64_t lease_ns;
	_Atomic uint64_t acknowledged; /* the newest version */
	_Atomic unsigned readers;      /* that go on */
};

static void must(int error)
{
	if (!error)
		return;
	fprintf(stderr, "race: %s\n", err_text());
	abort();
}

/* --- The writer ----------------------------------------------------------- */

struct writer {
	struct race *race;
	struct random random;
	struct model model; /* as if published now */
	struct history history;
	struct rtree_batch *batch;
	size_t published; /* changes of the history */
	int64_t next_id;
	uint64_t publications;
};

static int insert(struct writer *w, struct change *change)
{
	change->has_gained = true;
	change->gained = (struct item){w->next_id++,
				       shape_rect(SHAPE_UNIFORM, &w->random)};
	return rtree_insert(w->batch, &change->gained);
}

static int delete (struct writer *w, struct change *change)
{
	change->has_lost = true;
	change->lost = w->model.items[random_below(&w->random, w->model.count)];
	return rtree_delete(w->batch, &change->lost);
}

static int move(struct writer *w, struct change *change)
{
	change->has_lost = change->has_gained = true;
	change->lost = w->model.items[random_below(&w->random, w->model.count)];
	change->gained = (struct item){change->lost.id,
				       shape_rect(SHAPE_UNIFORM, &w->random)};
	return rtree_update(w->batch, &change->lost, &change->gained.rect);
}

static int change_something(struct writer *w)
{
	struct change change = {.version = w->batch->version};
	uint64_t kind = random_below(&w->random, 4);
	int error;

	if (w->model.count < ITEMS * 3 / 4)
		kind = 0;
	else if (w->model.count > ITEMS)
		kind = 1;
	if (kind == 0)
		error = insert(w, &change);
	else if (kind == 1)
		error = delete (w, &change);
	else
		error = move(w, &change);
	if (error)
		return error;
	if (change.has_lost)
		model_delete(&w->model, &change.lost);
	if (change.has_gained)
		model_insert(&w->model, &change.gained);
	history_add(&w->history, &change);
	return 0;
}

static void publish_batch(struct writer *w)
{
	uint64_t version, count = 1 + random_below(&w->random, BATCH_MAX);
	int error = 0;

	must(rtree_batch_begin(w->race->tree, &w->batch));
	for (uint64_t i = 0; !error && i < count; i++)
		error = change_something(w);
	if (error && error != ERR_AGAIN)
		must(error);
	rtree_batch_commit(w->batch, &version);
	w->publications++;
	atomic_store(&w->race->acknowledged, version);
	if (error)
		sched_yield();
}

static void *write_all(void *argument)
{
	struct writer *w = argument;

	while (atomic_load(&w->race->readers))
		publish_batch(w);
	return NULL;
}

/* --- Readers -------------------------------------------------------------- */

struct found_leaf {
	const struct node *leaf;
	uint64_t hits;
};

struct reader {
	struct race *race;
	struct random random;
	struct answer *answers;
	size_t count;
	uint64_t overlapped;
	uint64_t retries;
	uint64_t outdated;

	/* Of the search that goes on. */
	bool slow;
	struct found_leaf leaves[1024];
	size_t leaf_count;
	struct node *copies; /* of nodes that were READ */
};

/* Lets the writer go on for a while. */
static void dawdle(struct reader *r)
{
	uint64_t until =
		atomic_load(&r->race->acknowledged) + SLOW_PUBLICATIONS;

	for (int i = 0; r->slow && i < SLOW_YIELDS_MAX; i++) {
		if (atomic_load(&r->race->acknowledged) >= until)
			return;
		sched_yield();
	}
}

static int note_leaf(void *context, const struct node *leaf, uint64_t hits)
{
	struct reader *r = context;

	if (r->leaf_count == 1024)
		return ERR_DAMAGED;
	r->leaves[r->leaf_count++] = (struct found_leaf){leaf, hits};
	return 0;
}

/* Items are taken out of the leaves only at the end, to be late. */
static void gather(struct reader *r, struct answer *answer)
{
	dawdle(r);
	for (size_t i = 0; i < r->leaf_count; i++)
		model_add_hits(&answer->items, r->leaves[i].leaf,
			       r->leaves[i].hits);
}

static int walk_in_place(struct reader *r, struct answer *answer,
			 const struct root *root)
{
	const struct walk_pages pages = {(const void *)r->race->root_page,
					 r->race->page_count};
	struct walk_visited visited = {0};
	int error = walk_run(&pages, root->ref, &answer->query,
			     answer->relation, note_leaf, r, &visited);

	if (!error)
		gather(r, answer);
	return error;
}

static int search_pinned(struct reader *r, struct answer *answer)
{
	struct rtree_pin pin;

	must(rtree_pin(r->race->tree, &pin));
	answer->version = pin.root.version;
	answer->error = walk_in_place(r, answer, &pin.root);
	rtree_unpin(r->race->tree, &pin);
	return 0;
}

static int search_mapped(struct reader *r, struct answer *answer)
{
	struct root root;

	root_load(r->race->root_page, &root);
	answer->version = root.version;
	answer->error = walk_in_place(r, answer, &root);
	if (GUARD("horizon",
		  root_load_horizon(r->race->root_page) > root.version))
		return ERR_AGAIN;
	return 0;
}

/* What a READ of the root record brings. */
static void read_root(struct reader *r, struct root *root)
{
	char line[sizeof(struct root_record)];

	do
		memcpy(line, &r->race->root_page->record, sizeof(line));
	while (root_decode(line, root));
}

/* What a READ of a node brings: it may come in pieces. */
static const struct node *read_node(struct reader *r, size_t place,
				    uint32_t page)
{
	const char *from = (const char *)r->race->root_page +
			   (uint64_t)page * RTREE_PAGE_SIZE;
	char *to = (char *)&r->copies[place];

	memcpy(to, from, sizeof(struct node_header));
	if (r->slow && random_below(&r->random, 8) == 0)
		dawdle(r);
	memcpy(to + sizeof(struct node_header),
	       from + sizeof(struct node_header),
	       RTREE_PAGE_SIZE - sizeof(struct node_header));
	return &r->copies[place];
}

static int walk_copies(struct reader *r, struct answer *answer,
		       const struct root *root)
{
	struct walk_wanted wanted;
	struct walk walk;
	size_t place = 0;
	int error = walk_begin(&walk, &answer->query, answer->relation,
			       root->ref, r->race->page_count);

	if (error)
		return error;
	while (!error && walk_next(&walk, &wanted)) {
		const struct node *node =
			read_node(r, place++, node_ref_page(wanted.ref));
		uint64_t hits;
		error = walk_feed(&walk, &wanted, node, &hits);
		if (!error && hits)
			error = note_leaf(r, node, hits);
	}
	walk_end(&walk);
	if (!error)
		gather(r, answer);
	return error;
}

static int search_copied(struct reader *r, struct answer *answer)
{
	uint64_t asked_ns = clock_now_ns(), lease_ns = r->race->lease_ns;
	struct root root, now;

	read_root(r, &root);
	answer->version = root.version;
	answer->error = walk_copies(r, answer, &root);
	if (!GUARD("lease",
		   clock_now_ns() - asked_ns >= lease_ns - lease_ns / 8))
		return 0;
	read_root(r, &now);
	return now.horizon > root.version ? ERR_AGAIN : 0;
}

static int search(struct reader *r, struct answer *answer)
{
	r->leaf_count = 0;
	model_clear(&answer->items);
	switch (r->race->options->way) {
	case RACE_PINNED:
		return search_pinned(r, answer);
	case RACE_MAPPED:
		return search_mapped(r, answer);
	case RACE_COPIED:
		return search_copied(r, answer);
	}
	return 0;
}

static struct rect random_query(struct random *random)
{
	/* Some ten items, or a good part of them. */
	double edge = random_below(random, 10) ? sqrt(40.0 / ITEMS) : 1;
	struct rect r;

	for (int d = 0; d < DIMENSIONS; d++) {
		r.min[d] = random_unit(random);
		r.max[d] = r.min[d] + edge * random_unit(random);
	}
	return r;
}

static void search_once(struct reader *r)
{
	uint64_t last = r->count ? r->answers[r->count - 1].version : 0;
	uint64_t acknowledged = atomic_load(&r->race->acknowledged);
	struct answer *answer = &r->answers[r->count++];

	*answer = (struct answer){.query = random_query(&r->random)};
	/* Few items are as large as to contain a query. */
	answer->relation = random_below(&r->random, 2) ? RELATION_INTERSECTS
						       : RELATION_WITHIN;
	r->slow = random_below(&r->random, SLOW_ONE_IN) == 0;
	while (search(r, answer) == ERR_AGAIN) {
		r->retries++;
		r->slow = false;
	}
	r->outdated += answer->version < acknowledged || answer->version < last;
	r->overlapped += atomic_load(&r->race->acknowledged) > answer->version;
}

static void *read_all(void *argument)
{
	struct reader *r = argument;

	while (r->count < r->race->options->searches)
		search_once(r);
	atomic_fetch_sub(&r->race->readers, 1);
	return NULL;
}

/* --- The race ------------------------------------------------------------- */

static void race_init(struct race *race, const struct race_options *options)
{
	static const uint64_t leases_ns[] = {
		[RACE_PINNED] = 0,
		[RACE_MAPPED] = MAPPED_LEASE_NS,
		[RACE_COPIED] = COPIED_LEASE_NS,
	};
	/* Each pin holds back a tree. */
	uint64_t trees = options->way == RACE_PINNED ? options->readers : 1;
	const struct rtree_options tree_options = {
		.size = rtree_size_min() + 60 * trees * RTREE_PAGE_SIZE,
		.lease_ns = options->lease_ns ? options->lease_ns
					      : leases_ns[options->way],
	};
	struct rtree_region region;

	memset(race, 0, sizeof(*race));
	race->options = options;
	must(rtree_create(&tree_options, &race->tree));
	rtree_describe(race->tree, &region);
	race->root_page = region.memory;
	race->page_count = region.page_count;
	race->lease_ns = region.lease_ns;
	race->readers = options->readers;
	for (unsigned i = 0; options->way != RACE_PINNED && i < race->readers;
	     i++)
		rtree_reader_joined(race->tree);
}

static struct reader *make_reader(struct race *race, unsigned i)
{
	struct reader *r = calloc(1, sizeof(*r));

	if (!r)
		abort();
	r->race = race;
	random_seed(&r->random, race->options->seed * 1000 + i + 1);
	r->answers = calloc(race->options->searches, sizeof(*r->answers));
	r->copies = malloc((race->page_count + 1) * sizeof(*r->copies));
	if (!r->answers || !r->copies)
		abort();
	return r;
}

static void free_reader(struct reader *r)
{
	free(r->answers);
	free(r->copies);
	free(r);
}

/* Moves the reader's answers to those of all. */
static void collect(struct reader *r, struct answer *answers, size_t *count,
		    struct race_result *result)
{
	memcpy(&answers[*count], r->answers, r->count * sizeof(answers[0]));
	*count += r->count;
	result->overlapped += r->overlapped;
	result->retries += r->retries;
	result->outdated += r->outdated;
}

static void judge(const struct writer *w, struct reader **readers,
		  struct race_result *result)
{
	const struct race_options *options = w->race->options;
	struct answer *answers =
		calloc(options->readers * options->searches, sizeof(*answers));
	size_t count = 0;

	if (!answers)
		abort();
	for (unsigned i = 0; i < options->readers; i++)
		collect(readers[i], answers, &count, result);
	history_judge(&w->history, answers, count, &result->verdict);
	for (size_t i = 0; i < count; i++)
		answer_fini(&answers[i]);
	free(answers);
}

void race_run(const struct race_options *options, struct race_result *result)
{
	enum { READERS_MAX = 16 };
	struct reader *readers[READERS_MAX];
	pthread_t threads[READERS_MAX], writer_thread;
	struct race race;
	struct writer w = {.race = &race};

	memset(result, 0, sizeof(*result));
	race_init(&race, options);
	random_seed(&w.random, options->seed * 1000);
	for (int i = 0; i < ITEMS / BATCH_MAX; i++)
		publish_batch(&w);
	for (unsigned i = 0; i < options->readers; i++) {
		readers[i] = make_reader(&race, i);
		if (pthread_create(&threads[i], NULL, read_all, readers[i]))
			abort();
	}
	if (pthread_create(&writer_thread, NULL, write_all, &w))
		abort();
	for (unsigned i = 0; i < options->readers; i++)
		pthread_join(threads[i], NULL);
	pthread_join(writer_thread, NULL);

	result->publications = w.publications;
	judge(&w, readers, result);
	for (unsigned i = 0; i < options->readers; i++)
		free_reader(readers[i]);
	history_fini(&w.history);
	model_fini(&w.model);
	rtree_destroy(race.tree);
}
