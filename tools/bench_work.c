/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/bench_work.h"

#include <string.h>

#include "base/err.h"
#include "base/parse.h"

enum { WORD_SIZE = 64 };

static const char *const names[BENCH_OPERATIONS] = {
	[BENCH_SEARCH] = "search",
	[BENCH_INSERT] = "insert",
};

/* One "search=90" of the list. */
static int parse_share(char *word, uint64_t weights[BENCH_OPERATIONS])
{
	char *value = strchr(word, '=');
	uint64_t weight;

	if (!value)
		return err_set(ERR_USAGE, "'%s' has no weight, as in search=90",
			       word);
	*value++ = '\0';
	int error = parse_uint64(value, &weight);
	if (error)
		return err_prefix(error, "%s", word);
	if (weight > UINT32_MAX)
		return err_set(ERR_USAGE, "%s: too large a weight", word);
	for (int i = 0; i < BENCH_OPERATIONS; i++) {
		if (strcmp(word, names[i]) == 0) {
			weights[i] = weight;
			return 0;
		}
	}
	return err_set(ERR_USAGE,
		       "no operation '%s'; there are search and insert", word);
}

int bench_plan_parse_mix(const char *text, struct bench_plan *plan)
{
	uint64_t weights[BENCH_OPERATIONS] = {0}, sum = 0;

	for (const char *end; *text; text = end + (*end == ',')) {
		char word[WORD_SIZE];
		size_t size = strcspn(text, ",");
		end = text + size;
		if (size >= sizeof(word))
			return err_set(ERR_USAGE, "too long a word");
		memcpy(word, text, size);
		word[size] = '\0';
		int error = parse_share(word, weights);
		if (error)
			return error;
	}
	for (int i = 0; i < BENCH_OPERATIONS; i++)
		sum += weights[i];
	if (!sum)
		return err_set(ERR_USAGE, "nothing to do: try search=90,"
					  "insert=10");
	memcpy(plan->weights, weights, sizeof(weights));
	return 0;
}

int bench_plan_parse_scale(const char *text, struct bench_plan *plan)
{
	double scale;

	if (strcmp(text, "powerlaw") == 0) {
		plan->scale = 0;
		return 0;
	}
	int error = parse_double(text, &scale);
	if (error)
		return error;
	if (!(scale > 0 && scale <= 1))
		return err_set(ERR_USAGE, "a number in (0, 1], or powerlaw");
	plan->scale = scale;
	return 0;
}

int bench_work_init(struct bench_work *work, const struct bench_plan *plan,
		    uint64_t client, uint64_t clients)
{
	struct random seeds;

	random_seed(&seeds, plan->seed + client);
	*work = (struct bench_work){
		.plan = plan,
		.next_query = plan->query_count * client / clients,
		.next_id = (int64_t)(UINT64_C(1) << 62 | client << 40),
	};
	random_seed(&work->random, random_next(&seeds));
	const struct generate_options queries = {
		.kind = plan->scale > 0 ? GENERATE_UNIFORM
					: GENERATE_POWERLAW_QUERIES,
		.count = INT64_MAX,
		.seed = random_next(&seeds),
		.scale = plan->scale,
	};
	const struct generate_options items = {
		.kind = GENERATE_UNIFORM,
		.count = INT64_MAX,
		.seed = random_next(&seeds),
		.edge = plan->edge,
	};
	int error = generate_begin(&work->queries, &queries);
	return error ? error : generate_begin(&work->items, &items);
}

static enum bench_operation draw(struct bench_work *work)
{
	const uint64_t *weights = work->plan->weights;

	if (!weights[BENCH_INSERT])
		return BENCH_SEARCH;
	uint64_t sum = weights[BENCH_SEARCH] + weights[BENCH_INSERT];
	return random_below(&work->random, sum) < weights[BENCH_SEARCH]
		       ? BENCH_SEARCH
		       : BENCH_INSERT;
}

static void draw_query(struct bench_work *work, struct item *query)
{
	const struct bench_plan *plan = work->plan;

	if (!plan->queries) {
		generate_next(&work->queries, query);
		return;
	}
	*query = plan->queries[work->next_query++];
	if (work->next_query == plan->query_count)
		work->next_query = 0;
}

enum bench_operation bench_work_next(struct bench_work *work,
				     struct catfish_query *query,
				     struct catfish_item *item)
{
	enum bench_operation operation = draw(work);
	struct item drawn;

	if (operation == BENCH_SEARCH) {
		draw_query(work, &drawn);
		memcpy(query->box, &drawn.rect, sizeof(query->box));
		query->relation = CATFISH_INTERSECTS;
		query->limit = 0;
	} else {
		generate_next(&work->items, &drawn);
		memcpy(item->box, &drawn.rect, sizeof(item->box));
		item->id = work->next_id++;
	}
	return operation;
}
