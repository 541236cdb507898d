/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CLIENT_NODE_CACHE_H
#define CLIENT_NODE_CACHE_H

/* Nodes of a server's tree that this process has READ and keeps.
 *
 * A published node never changes, so a kept node is as good as a new READ of it
 * wherever a tree names its ref: page and birth.  Of inner nodes all that a
 * search reads is kept, of leaves the filter: header and cells, which tell for
 * most leaves that a search needn't READ them.
 *
 *	node_cache_read_begin(cache);
 *	... node_cache_root(cache) ...
 *	... node_cache_find(cache, ref, version) ...
 *	node_cache_read_end(cache);
 *
 * What was READ is kept only once the answer that it was READ for has been
 * vouched for; until then it is fresh, and belongs to one connection:
 *
 *	node_cache_add(cache, &fresh, ref, node);
 *	node_cache_keep(cache, &fresh, &root);	or node_cache_drop(&fresh);
 *
 * The connections of a process to the same server share a cache.  It takes up
 * to the size that was asked for and then drops what was not used for the
 * longest time; a leaf's filter goes sixteen times as soon as an inner node.
 * Nodes that newer versions lack are used no more, and go the same way, or as
 * soon as another is kept that has come into the same page.
 *
 * Births are kept in 32 bits, so a ref alone doesn't tell two nodes apart that
 * were born 2^32 versions from each other in the same page.  A kept node knows
 * the last version that was seen to name it.  If no version between that one
 * and the one that is searched has the same 32 bits, then no other node can
 * have been born under that ref meanwhile; else it is not found, and READ anew.
 *
 * Thread-safety: any number of connections in as many threads.  Between begin
 * and end nothing is removed; nobody keeps the lock while waiting for a READ.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rtree/node.h"
#include "rtree/root.h"

struct node_cache;

/* Nodes that are not yet known to be right; all zero: none. */
struct node_cache_fresh {
	struct node_cache_entry *first;
	size_t size;
};

/* The cache of this size for the server of this identity at this address; it
 * is made for the first connection and goes with the last.  ERR_NO_MEMORY. */
int node_cache_open(const char *address, uint64_t identity, uint64_t size,
		    struct node_cache **cache);
void node_cache_close(struct node_cache *cache);

/* Nodes are looked up in between. */
void node_cache_read_begin(struct node_cache *cache);
void node_cache_read_end(struct node_cache *cache);

/* The newest root that was kept; its version is 0 when there is none. */
const struct root *node_cache_root(const struct node_cache *cache);

/* The node that 'version' names by this ref, or NULL.  Of a leaf only the first
 * RTREE_FILTER_SIZE bytes are there. */
const struct node *node_cache_find(const struct node_cache *cache, node_ref ref,
				   uint64_t version);

/* Copies what is kept of a node that was read by its ref.  Does nothing when
 * there is no memory, or no room even in an empty cache. */
void node_cache_add(const struct node_cache *cache,
		    struct node_cache_fresh *fresh, node_ref ref,
		    const struct node *node);

/* Keeps nodes that this root names, itself or by others, and the root. */
void node_cache_keep(struct node_cache *cache, struct node_cache_fresh *fresh,
		     const struct root *root);
void node_cache_drop(struct node_cache_fresh *fresh);

#endif
