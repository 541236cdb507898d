/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_RTREE_HISTORY_H
#define TESTS_RTREE_HISTORY_H

/* What was written, version by version, so that every answer can be compared
 * with the state of the version that it names.
 *
 * Thread-safety: one history, one thread. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/rtree/model.h"

/* One item that a version lost, or has, or both when it was moved. */
struct change {
	uint64_t version;
	bool has_lost;
	bool has_gained;
	struct item lost;
	struct item gained;
};

struct history {
	struct change *changes; /* in the order of their versions */
	size_t count;
	size_t capacity;
};

void history_fini(struct history *history);
void history_add(struct history *history, const struct change *change);

/* What a search found; or how it failed, when 'error' isn't 0. */
struct answer {
	uint64_t version;
	struct rect query;
	enum relation relation;
	int error;
	struct model items;
};

void answer_fini(struct answer *answer);

struct history_verdict {
	uint64_t answers;
	uint64_t not_empty;
	uint64_t versions; /* that were named, each counted once */
	uint64_t wrong;	   /* other items than the version has */
	uint64_t failed;   /* no answer at all */
	char first_wrong[512];
	char first_failed[512];
};

/* Replays the history from no items on and holds each answer against it; puts
 * them in order of their versions. */
void history_judge(const struct history *history, struct answer *answers,
		   size_t count, struct history_verdict *verdict);

#endif
