/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/rtree/history.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"

void history_fini(struct history *history)
{
	free(history->changes);
	*history = (struct history){0};
}

void history_add(struct history *history, const struct change *change)
{
	if (history->count == history->capacity) {
		history->capacity = 2 * history->capacity + 1024;
		history->changes =
			realloc(history->changes,
				history->capacity * sizeof(struct change));
		if (!history->changes)
			abort();
	}
	history->changes[history->count++] = *change;
}

void answer_fini(struct answer *answer)
{
	model_fini(&answer->items);
}

static int by_version(const void *a, const void *b)
{
	const struct answer *x = a, *y = b;

	return (x->version > y->version) - (x->version < y->version);
}

static void apply(struct model *model, const struct change *change)
{
	if (change->has_lost && !model_delete(model, &change->lost))
		abort();
	if (change->has_gained)
		model_insert(model, &change->gained);
}

/* Keeps the error text of the first. */
static void keep_text(char text[512], const struct answer *answer)
{
	const struct rect *q = &answer->query;

	if (*text)
		return;
	snprintf(text, 512,
		 "version %llu, relation %d to [%.9g, %.9g, %.9g, %.9g]: %s",
		 (unsigned long long)answer->version, answer->relation,
		 q->min[0], q->min[1], q->max[0], q->max[1], err_text());
}

static void judge(const struct model *state, struct answer *answer,
		  struct history_verdict *verdict)
{
	struct model expected = {0};

	verdict->answers++;
	verdict->not_empty += answer->items.count > 0;
	if (answer->error) {
		verdict->failed++;
		err_set(answer->error, "%s", err_name(answer->error));
		keep_text(verdict->first_failed, answer);
		return;
	}
	model_search(state, &answer->query, answer->relation, &expected);
	if (model_expect(&expected, &answer->items)) {
		verdict->wrong++;
		keep_text(verdict->first_wrong, answer);
	}
	model_fini(&expected);
}

void history_judge(const struct history *history, struct answer *answers,
		   size_t count, struct history_verdict *verdict)
{
	struct model state = {0};
	size_t next = 0;

	memset(verdict, 0, sizeof(*verdict));
	if (count)
		qsort(answers, count, sizeof(answers[0]), by_version);
	for (size_t i = 0; i < count; i++) {
		while (next < history->count &&
		       history->changes[next].version <= answers[i].version)
			apply(&state, &history->changes[next++]);
		judge(&state, &answers[i], verdict);
		verdict->versions +=
			i == 0 || answers[i].version != answers[i - 1].version;
	}
	model_fini(&state);
}
