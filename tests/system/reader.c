/* SPDX-License-Identifier: BSD-2-Clause */

/* A connection that searches by one path as fast as it can, and passes on every
 * answer with what was known before it asked. */

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/random.h"
#include "tests/system/stage.h"

enum {
	/* A faulty link breaks once in so many. */
	OPERATIONS_PER_BREAK = 2000,
	/* One search in so many is made together with so many others. */
	TOGETHER_EVERY = 8,
	OTHERS = 5,
	CONNECTS_MAX = 10,
};

struct asker {
	struct stage *stage;
	struct reader *reader;
	unsigned number;
	struct random random;
	struct catfish *server;
	uint64_t previous;
	struct catfish_result result; /* of a search that was begun */
	struct item *items;
	uint64_t item_count, item_room;
};

static struct catfish *connect_by(const struct stage *stage, unsigned number);
static void ask(struct asker *a);
static struct catfish_query choose_query(struct asker *a);
static void ask_for_nearest(struct asker *a, struct answer_record *head);
static int take_item(void *context, int64_t id, const double *box);
static catfish_neighbour take_neighbour;
static bool pass_on(struct asker *a, const struct answer_record *head);
static void connect_again(struct asker *a);
static void rest(void);

void reader_run(struct stage *stage, unsigned number)
{
	struct asker *a = calloc(1, sizeof(*a));

	a->stage = stage;
	a->reader = &stage->reader[number];
	a->number = number;
	a->server = connect_by(stage, number);
	random_seed(&a->random, stage->seed * 1000 + WRITERS_MAX + number);
	while (!atomic_load(&stage->ending))
		ask(a);
	stream_end(&a->reader->answers);
	catfish_close(a->server);
	free(a->items);
	free(a);
}

static struct catfish *connect_by(const struct stage *stage, unsigned number)
{
	/* The only reader by copy has the cache that users have; of several,
	 * others have none, or one that is always full. */
	static const uint64_t cache_sizes[] = {16384, 0, CATFISH_NO_CACHE};
	static const struct catfish_options ways[PATH_COUNT] = {
		[PATH_MESSAGING] = {.policy = CATFISH_POLICY_MESSAGING},
		[PATH_COPY] = {.policy = CATFISH_POLICY_OFFLOAD,
			       .offload = CATFISH_OFFLOAD_COPY},
		[PATH_MAPPED] = {.policy = CATFISH_POLICY_OFFLOAD,
				 .offload = CATFISH_OFFLOAD_MAPPED},
	};
	enum path path = stage->reader[number].path;
	struct catfish_options options = ways[path];
	char address[sizeof(stage->address) + 64];
	struct catfish *server;

	options.cache_size = cache_sizes[number % 3];
	options.timeout_ms = STAGE_PATIENCE_MS;
	snprintf(address, sizeof(address), "%s", stage->address);
	if (stage->is_faulty)
		snprintf(address, sizeof(address), "faulty:%" PRIu64 ":%d:%s",
			 stage->seed, OPERATIONS_PER_BREAK, stage->address);
	/* Each try is another link with other faults. */
	for (int tries = stage->is_faulty ? CONNECTS_MAX : 1; tries; tries--)
		if (!catfish_connect(address, &options, &server))
			return server;
	fprintf(stderr, "%s reader: %s\n", path_name[path],
		catfish_error_text());
	_exit(1);
}

/* What the search is told to find, as the checker understands it. */
static struct model_query query_of_model(const struct catfish_query *query)
{
	struct model_query of_model;

	memcpy(&of_model.rect, query->box, sizeof(of_model.rect));
	of_model.relation = (enum relation)query->relation;
	return of_model;
}

/* What is known before the search; no answer may be older. */
static struct answer_record prepare(struct asker *a,
				    const struct catfish_query *query)
{
	struct answer_record head = {
		.path = a->reader->path,
		.is_count = random_below(&a->random, 16) == 0,
		.query = query_of_model(query),
		.limit = query->limit,
		.previous = a->previous,
		.acknowledged = atomic_load(&a->stage->acknowledged),
	};

	a->item_count = 0;
	atomic_store(&a->reader->floor, head.acknowledged > a->previous
						? head.acknowledged
						: a->previous);
	return head;
}

static int ignore(void *context, int64_t id, const double *box)
{
	return 0;
}

static void end_other(void *context, const struct catfish_result *result)
{
}

static void end_search(void *context, const struct catfish_result *result)
{
	struct asker *a = context;

	a->result = *result;
}

/* Makes a search together with others.  One that can't be begun has failed. */
static int call_together(struct asker *a, const struct catfish_query *query,
			 struct answer_record *head)
{
	const struct catfish_call call = {.done = end_search, .context = a};
	const struct catfish_call other = {.done = end_other};

	int error = catfish_begin_search(a->server, query, take_item, &call,
					 NULL);
	for (int i = 0; !error && i < OTHERS; i++) {
		const struct catfish_query another = choose_query(a);
		error = catfish_begin_search(a->server, &another, ignore,
					     &other, NULL);
	}
	while (catfish_outstanding(a->server))
		(void)catfish_wait(a->server, STAGE_PATIENCE_MS, NULL);
	head->answer = a->result.answer;
	return error ? error : a->result.error;
}

static int call(struct asker *a, const struct catfish_query *query,
		struct answer_record *head)
{
	if (!head->is_nearest && !head->is_count &&
	    random_below(&a->random, TOGETHER_EVERY) == 0)
		return call_together(a, query, head);
	if (head->is_nearest)
		return catfish_nearest(a->server, head->point, head->limit,
				       take_neighbour, a, &head->answer);
	if (head->is_count)
		return catfish_count(a->server, query, NULL, &head->answer);
	return catfish_search(a->server, query, take_item, a, &head->answer);
}

static int search(struct asker *a, const struct catfish_query *query,
		  struct answer_record *head)
{
	int error = call(a, query, head);

	head->newest = atomic_load(&a->stage->acknowledged);
	head->failed = error != 0;
	head->refused = error == CATFISH_ERROR_BUSY;
	if (error)
		snprintf(head->failure, sizeof(head->failure), "%s",
			 catfish_error_text());
	else
		a->previous = head->answer.version;
	return error;
}

static void ask(struct asker *a)
{
	struct catfish_query query = choose_query(a);
	struct answer_record head = prepare(a, &query);
	if (!head.is_count && random_below(&a->random, 32) == 0)
		ask_for_nearest(a, &head);
	int error = search(a, &query, &head);
	bool lost = error == CATFISH_ERROR_CONNECTION ||
		    error == CATFISH_ERROR_PROTOCOL;

	if (lost && a->stage->is_faulty) {
		connect_again(a);
		return;
	}
	if (lost)
		fprintf(stderr, "%s reader: %s\n", path_name[a->reader->path],
			head.failure);
	if (!pass_on(a, &head) || lost)
		_exit(1);
	/* An empty tree is searched in no time: that should not be what most
	 * searches are. */
	if (!head.answer.count)
		rest();
}

/* What was broken on purpose. */
static void connect_again(struct asker *a)
{
	catfish_close(a->server);
	a->server = connect_by(a->stage, a->number);
}

static void rest(void)
{
	const struct timespec a_moment = {.tv_nsec = 20 * 1000};

	nanosleep(&a_moment, NULL);
}

/* --- Queries ------------------------------------------------------------ */

/* About an item that was written lately, or anywhere. */
static void choose_middle(struct asker *a, double middle[DIMENSIONS])
{
	uint64_t hint = atomic_load_explicit(
		&a->stage->hints[random_below(&a->random, HINTS)],
		memory_order_relaxed);

	if (!hint || random_below(&a->random, 8) == 0)
		hint = random_next(&a->random);
	const uint64_t max = (UINT64_C(1) << HINT_BITS) - 1;
	for (int d = DIMENSIONS - 1; d >= 0; d--, hint >>= HINT_BITS)
		middle[d] = (double)(hint & max) / (double)max;
}

/* Of any size from that of an item to that of all there is. */
static double choose_edge(struct asker *a)
{
	uint64_t dice = random_below(&a->random, 64);

	if (dice == 0)
		return 4;
	return ldexp(1 + random_unit(&a->random),
		     -3 - (int)random_below(&a->random, dice < 8 ? 2 : 8));
}

static struct catfish_query choose_query(struct asker *a)
{
	uint64_t dice = random_below(&a->random, 16);
	struct catfish_query query = {
		.relation = dice == 0	? CATFISH_CONTAINS
			    : dice == 1 ? CATFISH_WITHIN
					: CATFISH_INTERSECTS,
		.limit = random_below(&a->random, 16)
				 ? 0
				 : 1 + random_below(&a->random, 100),
	};
	double middle[DIMENSIONS], edge[DIMENSIONS];

	choose_middle(a, middle);
	edge[0] = choose_edge(a);
	for (int d = 1; d < DIMENSIONS; d++)
		edge[d] = dice < 14 ? edge[0] : choose_edge(a);
	for (int d = 0; d < DIMENSIONS; d++) {
		/* Items that contain it must be larger than it is. */
		double half = dice ? edge[d] / 2 : 1e-9;
		double min = middle[d] - half, max = middle[d] + half;
		if (dice > 13) {
			/* Where edges touch. */
			min = floor(min * 256) / 256;
			max = ceil(max * 256) / 256;
		}
		query.box[d] = min;
		query.box[DIMENSIONS + d] = max;
	}
	return query;
}

/* Turns a query into one for what is nearest to its corner. */
static void ask_for_nearest(struct asker *a, struct answer_record *head)
{
	head->is_nearest = true;
	head->limit = 1 + random_below(&a->random, NEAREST_MAX);
	for (int d = 0; d < DIMENSIONS; d++) {
		head->point[d] = head->query.rect.min[d];
		head->query.rect.min[d] = -10;
		head->query.rect.max[d] = 10;
	}
	head->query.relation = RELATION_INTERSECTS;
}

/* --- Answers ------------------------------------------------------------ */

static int take_item(void *context, int64_t id, const double *box)
{
	struct asker *a = context;

	if (a->item_count == a->item_room) {
		a->item_room = a->item_room ? 2 * a->item_room : 1024;
		a->items = realloc(a->items, a->item_room * sizeof(*a->items));
		if (!a->items) {
			perror("realloc");
			_exit(99);
		}
	}
	struct item *item = &a->items[a->item_count++];
	item->id = id;
	memcpy(&item->rect, box, sizeof(item->rect));
	return 0;
}

static int take_neighbour(void *context, int64_t id, const double *box,
			  double distance)
{
	(void)distance;
	return take_item(context, id, box);
}

/* False when the answer is larger than any can be. */
static bool pass_on(struct asker *a, const struct answer_record *head)
{
	struct stream *answers = &a->reader->answers;
	uint64_t count = head->failed ? 0 : a->item_count;
	uint64_t size = sizeof(*head) + count * sizeof(struct item);

	if (size > answers->size / 2) {
		fprintf(stderr,
			"%s reader: WRONG ANSWER of %" PRIu64 " items\n",
			path_name[head->path], count);
		return false;
	}
	struct answer_record *record = stream_room(answers, size);
	*record = *head;
	record->record.size = size;
	record->record.version = head->failed ? atomic_load(&a->reader->floor)
					      : head->answer.version;
	record->item_count = count;
	if (count)
		memcpy(record->items, a->items, count * sizeof(struct item));
	stream_put(answers);
	return true;
}
