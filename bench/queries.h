/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BENCH_QUERIES_H
#define BENCH_QUERIES_H

/* Queries that go where the items are.
 *
 * Thread-safety: pure functions on the caller's memory. */

#include <stddef.h>
#include <stdint.h>

#include "base/rect.h"

/* Moves each query, without changing its size but for rounding, so that its
 * centre is that of an item that is drawn at random. */
void queries_centre(struct item *queries, size_t query_count,
		    const struct item *items, size_t item_count, uint64_t seed);

#endif
