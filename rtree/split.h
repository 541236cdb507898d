/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef RTREE_SPLIT_H
#define RTREE_SPLIT_H

#include "rtree/batch.h"

/* Puts 'entries' in such an order, into 'ordered', that the first of them, as
 * many as it returns, go to one node and the rest to another: the topological
 * split of the R*-tree (Beckmann, Kriegel, Schneider and Seeger, SIGMOD 1990,
 * section 4.2), which takes the axis with the least sum of margins and on it
 * the division with the least overlap, then the least area.  Entries are sorted
 * by their centres, once an axis, not by either edge.  Each group has at least
 * NODE_MIN entries, where the R*-tree takes two fifths of them: searches then
 * visit fewer nodes.  Neither has more than a node holds; 'count' is at most
 * twice that. */
int split_entries(const struct entry *entries, int count,
		  struct entry *ordered);

#endif
