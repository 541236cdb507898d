/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CLIENT_NEAREST_H
#define CLIENT_NEAREST_H

/* One search for the nearest items on its way through the library; see
 * client/search.h for what ways do. */

#include <stdbool.h>
#include <stdint.h>

#include "client/connection.h"
#include "wire/message.h"

struct nearest_call {
	struct wire_nearest query;
	catfish_neighbour *found;
	void *context;
	struct catfish_answer answer;

	/* What has come of an answer by messaging. */
	uint64_t segments;
	uint64_t items;
	double farthest; /* so far */
	bool stopped;	 /* the caller has had enough */
};

/* Its parts for an answer by messaging that is received otherwise: the point
 * and the number of items, checked, and one segment, of which c->more says
 * whether another follows. */
struct client_entries;
int client_nearest_take_query(struct nearest_call *call, const double *point,
			      uint64_t k);
int client_nearest_take_segment(struct catfish *c, struct nearest_call *call,
				const struct wire_found *found,
				const struct client_entries *neighbours);

/* Reads the tree itself, by the way that was chosen.  ERR_AGAIN when no answer
 * could be vouched for. */
int client_nearest_by_offload(struct catfish *c, struct nearest_call *call);

#endif
