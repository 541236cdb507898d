/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_SYSTEM_CHECKER_H
#define TESTS_SYSTEM_CHECKER_H

/* Replays the writes in the order of their versions, and holds each answer
 * against the items of exactly the version that it names.
 *
 * Versions never fall in any stream, so the streams are merged: a version is
 * complete once every writer's next request is of a later one, and done with
 * once no reader can answer from it any more.
 *
 * Thread-safety: one checker, one thread. */

#include <stdbool.h>
#include <stdint.h>

#include "tests/system/stage.h"

/* Of the answers of one path that were compared. */
struct tally {
	uint64_t searches;
	uint64_t non_empty;
	uint64_t items;
	uint64_t nearest;    /* of the searches */
	uint64_t cached;     /* answered by one READ and the cache */
	uint64_t overlapped; /* a newer version was there before they ended */
	uint64_t by_messaging;
	uint64_t lease_expiries;
	uint64_t most_expiries; /* of one search */
	uint64_t pushed_back;
	uint64_t retries;
	uint64_t refused;
	uint64_t failed;
};

struct checker {
	struct stage *stage;
	struct model *model;
	uint64_t version; /* that the model holds */
	uint64_t answered_version;

	struct tally tally[PATH_COUNT];
	uint64_t versions;	    /* replayed */
	uint64_t answered_versions; /* of these, some answer was from */
	uint64_t requests, inserts, moves, deletes;
	uint64_t most_items;
	uint64_t emptied; /* versions without items, but for the first */
	bool is_wrong;	  /* an answer was wrong, and was printed */
};

void checker_init(struct checker *checker, struct stage *stage);
void checker_fini(struct checker *checker);

/* Goes on as far as it can now. */
enum checker_progress {
	CHECKER_WORKED,
	CHECKER_WAITS, /* for more to come */
	CHECKER_ENDED, /* all has been compared, or an answer was wrong */
};
enum checker_progress checker_run(struct checker *checker);

#endif
