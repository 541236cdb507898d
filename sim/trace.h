/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SIM_TRACE_H
#define SIM_TRACE_H

/* What searches cost, counted in the real tree: a tree is packed from a set of
 * items, and each query of another set walks through it.
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

struct trace_set {
	struct item *items;
	size_t count;
};

/* ERR_USAGE for a set that can't be generated; the errors of datasets/csv.h for
 * a file; ERR_NO_MEMORY. */
int trace_set_generate(const struct generate_options *options,
		       struct trace_set *set);
int trace_set_read(const char *path, struct trace_set *set);
void trace_set_fini(struct trace_set *set);

struct trace {
	struct cost *costs;
	size_t count;
	unsigned height; /* levels of the tree */
};

/* The sets stay the caller's.  ERR_USAGE for one without anything in it,
 * ERR_NO_MEMORY. */
int trace_make(const struct trace_set *items, const struct trace_set *queries,
	       struct trace *trace);
void trace_fini(struct trace *trace);

#endif
