/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/system/checker.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

enum {
	ITEMS_PRINTED = 8,
	FAILURES_PRINTED = 5,
};

static bool find_next_version(const struct checker *checker, uint64_t *next);
static bool finish_version(struct checker *checker, uint64_t next,
			   bool *worked);
static void replay(struct checker *checker, uint64_t version);
static void judge(struct checker *checker, const struct answer_record *answer);
/* What is wrong with an answer; NULL when nothing is. */
static const char *find_fault(struct checker *checker,
			      const struct answer_record *answer);
static void count_answer(struct checker *checker,
			 const struct answer_record *answer);
static void report_wrong(struct checker *checker,
			 const struct answer_record *answer, const char *fault);

void checker_init(struct checker *checker, struct stage *stage)
{
	*checker = (struct checker){
		.stage = stage,
		.model = model_create(stage->writers, stage_slots(stage)),
		.version = stage->first_version,
	};
}

void checker_fini(struct checker *checker)
{
	model_destroy(checker->model);
}

enum checker_progress checker_run(struct checker *checker)
{
	uint64_t next;
	bool worked = false;

	bool is_known = find_next_version(checker, &next);
	bool is_finished = finish_version(checker, next, &worked);
	if (checker->is_wrong)
		return CHECKER_ENDED;
	if (!is_known || !is_finished)
		return worked ? CHECKER_WORKED : CHECKER_WAITS;
	if (next == UINT64_MAX)
		return CHECKER_ENDED;
	replay(checker, next);
	return CHECKER_WORKED;
}

/* --- Merging ------------------------------------------------------------ */

/* The version of the next record; UINT64_MAX when there is none and never will
 * be.  Otherwise, when there is none now, false. */
static bool next_of(const struct stream *stream, uint64_t *version)
{
	bool ended = stream_ended(stream);
	const struct record *record = stream_next(stream);

	*version = record ? record->version : UINT64_MAX;
	return record || ended;
}

/* The oldest version that is not replayed yet.  As long as it isn't known, it
 * is at least the one after the model's. */
static bool find_next_version(const struct checker *checker, uint64_t *next)
{
	struct stage *stage = checker->stage;

	*next = UINT64_MAX;
	for (unsigned i = 0; i < stage->writers; i++) {
		uint64_t version;
		if (!next_of(&stage->writer[i].log, &version)) {
			*next = checker->version + 1;
			return false;
		}
		if (version < *next)
			*next = version;
	}
	return true;
}

/* Judges what a reader has answered from versions before 'next'; true when no
 * more can come of them. */
static bool finish_reader(struct checker *checker, struct reader *reader,
			  uint64_t next, bool *worked)
{
	struct stream *answers = &reader->answers;

	while (!checker->is_wrong) {
		/* In this order: an answer that came before the floor was
		 * raised is seen. */
		uint64_t floor = atomic_load(&reader->floor);
		uint64_t version;
		bool is_known = next_of(answers, &version);
		if (!is_known)
			return floor >= next;
		if (version >= next)
			return true;
		judge(checker, (const void *)stream_next(answers));
		stream_take(answers);
		*worked = true;
	}
	return false;
}

static bool finish_version(struct checker *checker, uint64_t next, bool *worked)
{
	struct stage *stage = checker->stage;
	bool is_finished = true;

	for (unsigned i = 0; i < stage->reader_count; i++)
		is_finished &=
			finish_reader(checker, &stage->reader[i], next, worked);
	return is_finished;
}

static void replay_request(struct checker *checker,
			   const struct write_record *request)
{
	for (uint32_t i = 0; i < request->count; i++) {
		const struct change *change = &request->changes[i];
		model_apply(checker->model, request->writer, change);
		checker->moves += request->moved;
		checker->inserts += change->present && !request->moved;
		checker->deletes += !change->present;
	}
	checker->requests++;
}

static void replay(struct checker *checker, uint64_t version)
{
	struct stage *stage = checker->stage;

	for (unsigned i = 0; i < stage->writers; i++) {
		struct stream *log = &stage->writer[i].log;
		const struct record *next;
		while ((next = stream_next(log)) && next->version == version) {
			replay_request(checker, (const void *)next);
			stream_take(log);
		}
	}
	checker->version = version;
	checker->versions++;
	uint64_t items = model_size(checker->model);
	checker->emptied += items == 0;
	if (checker->most_items < items)
		checker->most_items = items;
}

/* --- Judging ------------------------------------------------------------ */

static void judge(struct checker *checker, const struct answer_record *answer)
{
	struct tally *tally = &checker->tally[answer->path];

	if (answer->refused) {
		tally->refused++;
		return;
	}
	if (answer->failed) {
		if (tally->failed++ < FAILURES_PRINTED)
			printf("failed search by %s: %s\n",
			       path_name[answer->path], answer->failure);
		return;
	}
	const char *fault = find_fault(checker, answer);
	if (fault)
		report_wrong(checker, answer, fault);
	else
		count_answer(checker, answer);
}

static const char *find_fault_of_version(const struct checker *checker,
					 const struct answer_record *answer)
{
	uint64_t version = answer->answer.version;

	if (version < answer->acknowledged)
		return "it is older than what was acknowledged before";
	if (version < answer->previous)
		return "it is older than this connection's previous answer";
	if (version != checker->version)
		return "there never was such a version";
	return NULL;
}

/* Ticks off every item of the answer. */
static const char *find_fault_of_items(struct checker *checker,
				       const struct answer_record *answer)
{
	const char *fault = NULL;

	model_untick(checker->model);
	for (uint64_t i = 0; i < answer->item_count; i++)
		if (!model_tick(checker->model, &answer->query,
				&answer->items[i]))
			fault = "an item is invented or there twice";
	return fault;
}

/* The nearest of a version, by distance and then by id. */
struct ranking {
	const double *point;
	uint64_t count, most;
	struct ranked {
		double distance2;
		int64_t id;
	} ranked[NEAREST_MAX];
};

static struct ranked rank_of(const double *point, const struct item *item)
{
	struct ranked ranked = {0, item->id};

	for (int d = 0; d < DIMENSIONS; d++) {
		double below = item->rect.min[d] - point[d];
		double above = point[d] - item->rect.max[d];
		double side = fmax(fmax(below, above), 0);
		ranked.distance2 += side * side;
	}
	return ranked;
}

static bool is_nearer(const struct ranked *a, const struct ranked *b)
{
	return a->distance2 < b->distance2 ||
	       (a->distance2 == b->distance2 && a->id < b->id);
}

static void rank_item(void *context, const struct item *item, bool ticked)
{
	struct ranking *ranking = context;
	struct ranked new = rank_of(ranking->point, item);
	uint64_t i = ranking->count;

	(void)ticked;
	if (i == ranking->most) {
		if (!is_nearer(&new, &ranking->ranked[i - 1]))
			return;
		i--;
	} else {
		ranking->count++;
	}
	for (; i > 0 && is_nearer(&new, &ranking->ranked[i - 1]); i--)
		ranking->ranked[i] = ranking->ranked[i - 1];
	ranking->ranked[i] = new;
}

static const char *find_fault_of_order(struct checker *checker,
				       const struct answer_record *answer)
{
	struct ranking ranking = {
		.point = answer->point,
		.most = answer->limit,
	};

	model_search(checker->model, &answer->query, rank_item, &ranking);
	if (answer->item_count != ranking.count ||
	    answer->answer.count != ranking.count)
		return answer->item_count < ranking.count
			       ? "nearest items are missing"
			       : "it counts others than it gives";
	for (uint64_t i = 0; i < ranking.count; i++) {
		struct ranked got = rank_of(answer->point, &answer->items[i]);
		if (got.distance2 != ranking.ranked[i].distance2 ||
		    got.id != ranking.ranked[i].id)
			return "another item is nearer";
	}
	return NULL;
}

static const char *find_fault(struct checker *checker,
			      const struct answer_record *answer)
{
	const char *fault = find_fault_of_version(checker, answer);
	/* A count has no use for a limit. */
	uint64_t limit =
		answer->limit && !answer->is_count ? answer->limit : UINT64_MAX;

	if (!fault)
		fault = find_fault_of_items(checker, answer);
	if (!fault && answer->is_nearest)
		fault = find_fault_of_order(checker, answer);
	if (fault || answer->is_nearest)
		return fault;
	uint64_t there =
		model_search(checker->model, &answer->query, NULL, NULL);
	uint64_t wanted = there < limit ? there : limit;
	if (answer->answer.count != wanted)
		return answer->answer.count < wanted ? "items are missing"
						     : "too many are counted";
	if (!answer->is_count && answer->item_count != wanted)
		return "it counts others than it gives";
	if (!answer->answer.truncated != (there <= limit))
		return "it is wrong about there being more";
	return NULL;
}

static void count_answer(struct checker *checker,
			 const struct answer_record *answer)
{
	struct tally *tally = &checker->tally[answer->path];
	uint64_t version = answer->answer.version;

	tally->searches++;
	tally->non_empty += answer->answer.count != 0;
	tally->items += answer->answer.count;
	tally->nearest += answer->is_nearest;
	tally->cached += answer->answer.reads == 1;
	tally->overlapped += version < answer->newest;
	tally->by_messaging += answer->answer.path == CATFISH_PATH_MESSAGING;
	tally->lease_expiries += answer->answer.lease_expiries;
	if (tally->most_expiries < answer->answer.lease_expiries)
		tally->most_expiries = answer->answer.lease_expiries;
	tally->pushed_back += answer->answer.pushed_back;
	tally->retries += answer->answer.retries;
	checker->answered_versions += version != checker->answered_version;
	checker->answered_version = version;
}

/* --- Saying what is wrong ----------------------------------------------- */

static void print_item(const struct item *item)
{
	const struct rect *r = &item->rect;

	printf(" %" PRId64 " (%.17g,%.17g,%.17g,%.17g)", item->id, r->min[0],
	       r->min[1], r->max[0], r->max[1]);
}

struct printed {
	uint64_t missing;
	uint64_t found;
	bool only_missing;
};

static void print_expected(void *context, const struct item *item, bool ticked)
{
	struct printed *printed = context;

	if (!printed->only_missing && printed->found++ < ITEMS_PRINTED)
		print_item(item);
	if (printed->only_missing && !ticked &&
	    printed->missing++ < ITEMS_PRINTED)
		print_item(item);
}

static void print_invented(struct checker *checker,
			   const struct answer_record *answer)
{
	uint64_t invented = 0;

	printf("\n  invented or twice:");
	model_untick(checker->model);
	for (uint64_t i = 0; i < answer->item_count; i++)
		if (!model_tick(checker->model, &answer->query,
				&answer->items[i]) &&
		    invented++ < ITEMS_PRINTED)
			print_item(&answer->items[i]);
	printf(" (%" PRIu64 ")", invented);
}

static void print_items(struct checker *checker,
			const struct answer_record *answer)
{
	struct printed printed = {0};

	printf("  expected of version %" PRIu64 ":", checker->version);
	model_search(checker->model, &answer->query, print_expected, &printed);
	printf(" (%" PRIu64 ")\n  got:", printed.found);
	for (uint64_t i = 0; i < answer->item_count && i < ITEMS_PRINTED; i++)
		print_item(&answer->items[i]);
	printf(" (%" PRIu64 ")", answer->answer.count);
	if (answer->is_count) {
		printf("\n");
		return;
	}
	print_invented(checker, answer);
	printf("\n  missing:");
	printed.only_missing = true;
	model_search(checker->model, &answer->query, print_expected, &printed);
	printf(" (%" PRIu64 ")\n", printed.missing);
}

static void report_wrong(struct checker *checker,
			 const struct answer_record *answer, const char *fault)
{
	static const char *const relations[] = {"intersects", "contains",
						"within"};
	const struct rect *r = &answer->query.rect;

	printf("WRONG ANSWER: path %s, version %" PRIu64 ": %s\n",
	       path_name[answer->path], answer->answer.version, fault);
	printf("  query: %s %.17g,%.17g,%.17g,%.17g limit %" PRIu64 "%s\n",
	       relations[answer->query.relation], r->min[0], r->min[1],
	       r->max[0], r->max[1], answer->limit,
	       answer->is_count ? " count" : "");
	if (answer->is_nearest)
		printf("  nearest to: %.17g,%.17g\n", answer->point[0],
		       answer->point[1]);
	printf("  asked: version %" PRIu64 " was acknowledged, %" PRIu64
	       " was this connection's previous; answered by %s after %" PRIu64
	       " us\n",
	       answer->acknowledged, answer->previous,
	       answer->answer.path == CATFISH_PATH_MESSAGING ? "messaging"
							     : "itself",
	       answer->answer.time_ns / 1000);
	if (answer->answer.version == checker->version)
		print_items(checker, answer);
	printf("  seed: %" PRIu64 "\n", checker->stage->seed);
	checker->is_wrong = true;
}
