/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_SYSTEM_STAGE_H
#define TESTS_SYSTEM_STAGE_H

/* What the processes of one run of the version checker share.
 *
 * One process writes and one process for each path reads, each with as many
 * threads as were asked for; they put what they did and what they got into
 * streams, which the process that started them replays and compares.
 *
 * Thread-safety: what is not atomic is set before the processes start. */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "client/catfish.h"
#include "tests/system/model.h"
#include "tests/system/stream.h"

enum {
	WRITERS_MAX = 16,
	READERS_MAX = 16, /* by each path */
	HINTS = 1 << 12,
	HINT_BITS = 64 / DIMENSIONS, /* of each coordinate */
	/* Items that one request changes at most.  A server that is short of
	 * pages may spread a request over several versions, which can't be
	 * replayed, so there is a run for that with one change in each. */
	CHANGES_MAX = 64,
	NEAREST_MAX = 32,  /* items that are asked for at most */
	TOGETHER_MAX = 64, /* searches of a reader that are under way */
	/* For an answer: on a busy machine, over a link that loses packets,
	 * connecting alone may take more than the usual 10 s. */
	STAGE_PATIENCE_MS = 60000,
};

enum path {
	PATH_MESSAGING,
	PATH_COPY,
	PATH_MAPPED,
	PATH_COUNT,
};
extern const char *const path_name[PATH_COUNT];

/* One acknowledged request: its changes hold from record.version on. */
struct write_record {
	struct record record;
	uint32_t writer;
	uint32_t count;
	uint32_t moved; /* 1: the items were there before */
	uint32_t unused;
	struct change changes[];
};

enum { FAILURE_SIZE = 256 };

/* One answer, or one search that got none. */
struct answer_record {
	struct record record;
	enum path path;
	bool failed;  /* 'failure' says why; it has no items */
	bool refused; /* the server had no room for it: it may */
	bool is_count;
	bool is_nearest; /* to 'point', 'limit' items; 'query' is everything */
	double point[DIMENSIONS];
	uint64_t acknowledged; /* newest version when the search began */
	uint64_t newest;       /* and when it had ended */
	uint64_t previous;     /* version of this connection's last answer */
	struct model_query query;
	uint64_t limit;
	struct catfish_answer answer;
	char failure[FAILURE_SIZE];
	uint64_t item_count;
	struct item items[];
};

struct writer {
	struct stream log;
};

struct reader {
	enum path path;
	struct stream answers;
	/* No answer to come is of an older version. */
	_Atomic uint64_t floor;
};

struct stage {
	/* How it was asked for. */
	uint64_t seed;
	unsigned writers, readers;
	uint64_t items;
	unsigned changes;
	unsigned together; /* searches that a reader has under way, at most */
	char address[128];
	bool is_faulty;	     /* readers have links that tear, delay and break */
	bool is_pushed_back; /* who asks the server may be told to walk */

	uint64_t first_version; /* of the empty tree */
	uint64_t lease_ns;	/* of the server */
	_Atomic bool ending;
	_Atomic uint64_t refused;      /* writes, for want of room */
	_Atomic uint64_t acknowledged; /* the newest version, to anyone */
	/* Where items are that were written lately: two coordinates in 32 bits
	 * each; 0 is none. */
	_Atomic uint64_t hints[HINTS];

	struct writer writer[WRITERS_MAX];
	unsigned reader_count; /* in all */
	struct reader reader[PATH_COUNT * READERS_MAX];
};

/* Slots that each writer has for its items. */
uint32_t stage_slots(const struct stage *stage);

/* A thread of the writing process, and one of a reading process. */
void writer_run(struct stage *stage, unsigned number);
void reader_run(struct stage *stage, unsigned number);

#endif
