/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BENCH_ITEMS_H
#define BENCH_ITEMS_H

/* Items from files that other libraries can be given as well, and queries,
 * whose ids mean nothing.
 *
 * Thread-safety: one struct items, one thread. */

#include <stddef.h>

#include "base/rect.h"

/* All zero: none. */
struct items {
	struct item *items;
	size_t count;
	size_t capacity;
};

/* Reads a file into items that are all zero: CSV as 'catfish generate' writes
 * it or, when the name ends in .f64, raw little-endian doubles, min and max
 * corner of each, with ids from 0.  ERR_NOT_FOUND, ERR_DATA, ERR_NO_MEMORY. */
int items_read(const char *path, struct items *items);

/* Writes the rectangles as a raw file. */
int items_save_raw(const char *path, const struct items *items);

int items_append(struct items *items, const struct item *item);
void items_fini(struct items *items);

#endif
