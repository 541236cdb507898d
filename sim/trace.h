/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SIM_TRACE_H
#define SIM_TRACE_H

/* What searches cost, counted in the real tree: a tree is packed from a
 * generated set of items, and each query of another set walks through it.
 *
 * Thread-safety: a trace that is made never changes. */

#include <stddef.h>
#include <stdint.h>

#include "datasets/generate.h"
#include "rtree/node.h"

struct cost {
	uint32_t nodes; /* visited */
	uint32_t inner; /* of these */
	uint32_t items; /* found */
	/* READs of leaves, and their bytes, by who has the inner nodes but no
	 * leaf; and by who knows the filters of all leaves too. */
	uint32_t leaf_reads, leaf_bytes;
	uint32_t filtered_reads, filtered_bytes;
};

struct trace {
	struct cost *costs;
	size_t count;
	unsigned height; /* levels of the tree */
};

/* ERR_USAGE for sets that can't be generated, ERR_NO_MEMORY. */
int trace_make(const struct generate_options *items,
	       const struct generate_options *queries, struct trace *trace);
void trace_fini(struct trace *trace);

#endif
