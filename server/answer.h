/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SERVER_ANSWER_H
#define SERVER_ANSWER_H

/* What answers one request, a segment at a time: each kind of answer goes on
 * only when the segment before has found room in the client's ring, and never
 * for long, so that neither a slow client nor a large answer holds up others.
 *
 * Thread-safety: an answer belongs to the thread of its connection. */

#include "server/segment.h"

enum answer_progress {
	ANSWER_WORKING, /* wants another turn; the segment is not complete */
	ANSWER_SEGMENT, /* the segment is complete, and more will follow */
	ANSWER_LAST,	/* the segment is complete, and is the last */
};

struct answer_ops {
	/* Goes on with 'segment', for a bounded time.  Returns an enum
	 * answer_progress, or an error that the client is told instead of the
	 * rest. */
	int (*step)(void *answer, struct segment *segment);

	/* Gives back what it holds; also of an answer that is given up. */
	void (*end)(void *answer);

	/* It holds a version, whose pages can't be used again meanwhile. */
	bool holds_pages;
};

#endif
