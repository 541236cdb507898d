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
	/* Once in so many times several are asked together. */
	TOGETHER_EVERY = 8,
	CONNECTS_MAX = 10,
};

/* One search on its way. */
struct asked {
	struct asker *asker;
	struct catfish_query query;
	struct item *items; /* that were found */
	uint64_t item_count, item_room;
	bool lost; /* with the link */
	struct answer_record head;
};

struct asker {
	struct stage *stage;
	struct reader *reader;
	unsigned number;
	struct random random;
	struct catfish *server;
	uint64_t previous;
	struct asked *asked[TOGETHER_MAX]; /* as many as can be together */
};

static struct catfish *connect_by(const struct stage *stage, unsigned number);
static void ask(struct asker *a);
static struct asked *make_search(struct asker *a);
static void destroy_search(struct asked *asked);
static void choose(struct asker *a, struct asked *asked, bool any_kind);
static struct catfish_query choose_query(struct asker *a);
static void ask_for_nearest(struct asker *a, struct answer_record *head);
static catfish_found take_item;
static catfish_neighbour take_neighbour;
static bool pass_on(struct asker *a, const struct asked *asked);
static void connect_again(struct asker *a);
static void rest(void);

void reader_run(struct stage *stage, unsigned number)
{
	struct asker *a = calloc(1, sizeof(*a));

	a->stage = stage;
	a->reader = &stage->reader[number];
	a->number = number;
	a->server = connect_by(stage, number);
	for (unsigned i = 0; i < stage->together; i++)
		a->asked[i] = make_search(a);
	random_seed(&a->random, stage->seed * 1000 + WRITERS_MAX + number);
	while (!atomic_load(&stage->ending))
		ask(a);
	stream_end(&a->reader->answers);
	catfish_close(a->server);
	for (unsigned i = 0; i < stage->together; i++)
		destroy_search(a->asked[i]);
	free(a);
}

static struct asked *make_search(struct asker *a)
{
	struct asked *asked = calloc(1, sizeof(*asked));

	if (!asked) {
		perror("calloc");
		_exit(99);
	}
	asked->asker = a;
	return asked;
}

static void destroy_search(struct asked *asked)
{
	free(asked->items);
	free(asked);
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

	if (path == PATH_MESSAGING && stage->is_pushed_back) {
		/* Asks always, and lets itself be told to walk: by either way.
		 */
		options.policy = CATFISH_POLICY_CATFISH;
		options.threshold = 1;
		if (number % 2)
			options.offload = CATFISH_OFFLOAD_COPY;
	}
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

/* Chooses what is asked, of any kind or what can be offloaded together, and
 * notes what is known before: no answer may be older. */
static void choose(struct asker *a, struct asked *asked, bool any_kind)
{
	asked->query = choose_query(a);
	asked->item_count = 0;
	asked->head = (struct answer_record){
		.path = a->reader->path,
		.is_count = random_below(&a->random, 16) == 0,
		.query = query_of_model(&asked->query),
		.limit = asked->query.limit,
		.previous = a->previous,
		.acknowledged = atomic_load(&a->stage->acknowledged),
	};
	if (any_kind && !asked->head.is_count &&
	    random_below(&a->random, 32) == 0)
		ask_for_nearest(a, &asked->head);
}

static void note_end(struct asked *asked, int error, const char *text)
{
	struct answer_record *head = &asked->head;

	head->newest = atomic_load(&asked->asker->stage->acknowledged);
	head->failed = error != 0;
	head->refused = error == CATFISH_ERROR_BUSY;
	asked->lost = error == CATFISH_ERROR_CONNECTION ||
		      error == CATFISH_ERROR_PROTOCOL;
	if (error)
		snprintf(head->failure, sizeof(head->failure), "%s", text);
}

static void ask_alone(struct asker *a, struct asked *asked)
{
	struct answer_record *head = &asked->head;
	int error;

	if (head->is_nearest)
		error = catfish_nearest(a->server, head->point, head->limit,
					take_neighbour, asked, &head->answer);
	else if (head->is_count)
		error = catfish_count(a->server, &asked->query, NULL,
				      &head->answer);
	else
		error = catfish_search(a->server, &asked->query, take_item,
				       asked, &head->answer);
	note_end(asked, error, catfish_error_text());
}

static void end_one(void *context, const struct catfish_result *result)
{
	struct asked *asked = context;

	asked->head.answer = result->answer;
	note_end(asked, result->error, result->text);
}

static void begin_one(struct asker *a, struct asked *asked)
{
	const struct catfish_call call = {.done = end_one, .context = asked};
	const struct answer_record *head = &asked->head;
	int error;

	if (head->is_nearest)
		error = catfish_begin_nearest(a->server, head->point,
					      head->limit, take_neighbour,
					      &call, NULL);
	else if (head->is_count)
		error = catfish_begin_count(a->server, &asked->query, &call,
					    NULL);
	else
		error = catfish_begin_search(a->server, &asked->query,
					     take_item, &call, NULL);
	if (error)
		note_end(asked, error, catfish_error_text());
}

static uint64_t version_of(const struct asked *asked)
{
	const struct answer_record *head = &asked->head;

	return head->failed ? atomic_load(&asked->asker->reader->floor)
			    : head->answer.version;
}

static int by_version(const void *a, const void *b)
{
	uint64_t left = version_of(*(struct asked *const *)a);
	uint64_t right = version_of(*(struct asked *const *)b);

	return (left > right) - (left < right);
}

/* No answer to come is older. */
static uint64_t newest_known(const struct asker *a)
{
	uint64_t acknowledged = atomic_load(&a->stage->acknowledged);

	return acknowledged > a->previous ? acknowledged : a->previous;
}

/* What a faulty link has lost is no answer; another may not lose any. */
static void take_answer(struct asker *a, const struct asked *asked)
{
	const struct answer_record *head = &asked->head;

	if (!head->failed)
		a->previous = head->answer.version;
	if (asked->lost && a->stage->is_faulty)
		return;
	if (asked->lost)
		fprintf(stderr, "%s reader: %s\n", path_name[head->path],
			head->failure);
	if (!pass_on(a, asked) || asked->lost)
		_exit(1);
}

static void ask_together(struct asker *a, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		begin_one(a, a->asked[i]);
	while (catfish_outstanding(a->server))
		(void)catfish_wait(a->server, STAGE_PATIENCE_MS, NULL);
	qsort(a->asked, count, sizeof(*a->asked), by_version);
}

/* Asks one, or several together, whose answers may come in any order. */
static void ask(struct asker *a)
{
	unsigned count = random_below(&a->random, TOGETHER_EVERY)
				 ? 1
				 : a->stage->together;
	bool any_kind = count == 1 || random_below(&a->random, 2);
	bool found = false, lost = false;

	atomic_store(&a->reader->floor, newest_known(a));
	for (unsigned i = 0; i < count; i++)
		choose(a, a->asked[i], any_kind);
	if (count == 1)
		ask_alone(a, a->asked[0]);
	else
		ask_together(a, count);
	for (unsigned i = 0; i < count; i++) {
		lost |= a->asked[i]->lost;
		found |= a->asked[i]->head.answer.count != 0;
		take_answer(a, a->asked[i]);
	}
	if (lost)
		connect_again(a);
	/* An empty tree is searched in no time: that should not be what most
	 * searches are. */
	else if (!found)
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
	struct asked *asked = context;

	if (asked->item_count == asked->item_room) {
		asked->item_room = asked->item_room ? 2 * asked->item_room : 64;
		asked->items = realloc(asked->items,
				       asked->item_room * sizeof(struct item));
		if (!asked->items) {
			perror("realloc");
			_exit(99);
		}
	}
	struct item *item = &asked->items[asked->item_count++];
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
static bool pass_on(struct asker *a, const struct asked *asked)
{
	struct stream *answers = &a->reader->answers;
	const struct answer_record *head = &asked->head;
	uint64_t count = head->failed ? 0 : asked->item_count;
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
	record->record.version = version_of(asked);
	record->item_count = count;
	if (count)
		memcpy(record->items, asked->items,
		       count * sizeof(struct item));
	stream_put(answers);
	return true;
}
