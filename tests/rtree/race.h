/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_RTREE_RACE_H
#define TESTS_RTREE_RACE_H

/* Readers that search while a writer publishes one version after another, in a
 * region so small that pages are used again at once. */

#include <stdint.h>

#include "tests/rtree/history.h"

/* How a reader makes sure that what it found is one version. */
enum race_way {
	/* As a thread of the server: it pins the version. */
	RACE_PINNED,
	/* As a client that has the region mapped: it looks at the horizon
	 * afterwards. */
	RACE_MAPPED,
	/* As a client that READs: it copies nodes, in two pieces at any times,
	 * and looks at the clock afterwards. */
	RACE_COPIED,
};

struct race_options {
	enum race_way way;
	unsigned readers;
	uint64_t searches; /* of each reader */
	uint64_t seed;
	uint64_t lease_ns; /* 0: what suits the way */
};

struct race_result {
	struct history_verdict verdict;
	uint64_t publications;
	uint64_t overlapped; /* searches while a version was published */
	uint64_t retries;    /* of searches that nobody could vouch for */
	/* Answers older than what had been acknowledged before, or than the
	 * same reader's answer before. */
	uint64_t outdated;
};

void race_run(const struct race_options *options, struct race_result *result);

#endif
