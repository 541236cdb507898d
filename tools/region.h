/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TOOLS_REGION_H
#define TOOLS_REGION_H

/* Region files that are looked into, by the code that a server starts with: so
 * what can be read here can be served.
 *
 * Thread-safety: one thread. */

#include "rtree/rtree.h"

/* Reads a region file into a tree that is the caller's.  Unless the dimensions
 * are settled, this program first becomes the one for those of the file.
 * ERR_DAMAGED says what is wrong with it and where. */
int region_read(const char *path, struct rtree **tree);

#endif
