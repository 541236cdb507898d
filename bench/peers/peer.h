/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BENCH_PEERS_PEER_H
#define BENCH_PEERS_PEER_H

/* What a peer library has to do to be timed beside rtree-bench: each program
 * implements these functions on one library, with the parameters that suit it
 * best, and peer.c times them on the same files and prints the same lines.
 *
 * Ids are the items' indices.  An answer's ids are stored to a buffer that has
 * room for all items. */

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct peer_box {
	double min[2];
	double max[2];
};

/* The library and how it is used, such as "boost-packed". */
extern const char *const peer_name;

/* Any of these may be NULL where a library can't do it. */
struct peer {
	/* Builds a tree of all items at once, in place of what there is. */
	void (*bulk)(const struct peer_box *items, size_t count);
	/* Empties the tree, so that items can be inserted. */
	void (*clear)(void);
	void (*insert)(int64_t id, const struct peer_box *box);
	/* Returns 1 when the item was there. */
	int (*remove)(int64_t id, const struct peer_box *box);
	size_t (*search)(const struct peer_box *query, int64_t *ids);
	size_t (*nearest)(const double point[2], size_t k, int64_t *ids);
};
extern const struct peer peer;

#ifdef __cplusplus
}
#endif
#endif
