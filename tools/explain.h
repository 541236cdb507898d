/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TOOLS_EXPLAIN_H
#define TOOLS_EXPLAIN_H

/* What catfish query --explain says on standard error of each answer: why its
 * path was chosen, and what it took.
 *
 * Thread-safety: one thread. */

#include <stdbool.h>
#include <stdint.h>

#include "client/catfish.h"

/* What the answer itself doesn't tell. */
struct explained {
	bool has_query_id; /* there are several queries */
	int64_t query_id;
	uint64_t found;
	bool has_candidates; /* the items of the answer: 'found' are fewer */
	uint64_t shown_ns;   /* time that showing them took */
};

void explain_answer(const struct catfish *server,
		    const struct catfish_answer *answer,
		    const struct explained *what);

#endif
