/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TOOLS_STATISTICS_H
#define TOOLS_STATISTICS_H

/* The shape of a tree, level by level, as `catfish stat --tree` shows it.
 *
 * Thread-safety: one thread. */

#include <stdbool.h>

/* Shows that of a region file, or when 'region' is NULL of the server: a table
 * for people, or one JSON object. */
int statistics_show(const char *region, bool as_json);

#endif
