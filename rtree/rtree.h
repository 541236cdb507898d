/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef RTREE_RTREE_H
#define RTREE_RTREE_H

/* The versioned R-tree: a region of memory that one writer publishes versions
 * of a tree in, while any number of readers search.
 *
 * A published node never changes.  A writer gathers changes in a batch, copies
 * what they touch, and publishes them at once; a reader pins a version and
 * searches it for as long as it likes.  rtree/README.md argues why it is right.
 *
 * Thread-safety: one thread at a time may hold a batch; everything else is safe
 * from any thread at any time, and one struct rtree_pin or rtree_snapshot
 * belongs to one thread at a time. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/rect.h"
#include "rtree/nearest.h"
#include "rtree/root.h"
#include "rtree/walk.h"

struct rtree;
struct rtree_batch;

struct rtree_options {
	uint64_t size;	   /* bytes of the whole region */
	uint64_t lease_ns; /* how long a retired page stays untouched */
	/* Other processes may map the region, read-only: a sealed memfd.  Else
	 * it gets 2 MiB pages more easily. */
	bool is_mappable;
};

/* The smallest region: the root page, an empty tree, and the reserve that
 * deletes live from. */
uint64_t rtree_size_min(void);

/* Bytes of region that a bulk load of 'item_count' items needs. */
uint64_t rtree_size_forecast(uint64_t item_count);

/* Makes an empty tree, version 1, in a region of its own that is taken from
 * the system as it fills, unless there are reserved 2 MiB pages for it.  The
 * calling thread becomes the region's owner and must outlive it.  ERR_USAGE
 * when the size is below rtree_size_min(), ERR_NO_MEMORY. */
int rtree_create(const struct rtree_options *options, struct rtree **tree);
void rtree_destroy(struct rtree *tree);

/* The region, for a fabric to give to clients. */
struct rtree_region {
	const void *memory;
	uint64_t size; /* all its pages, and perhaps a little more */
	uint64_t page_count;
	int fd;		  /* of the sealed memfd, or -1 */
	bool is_reserved; /* on 2 MiB pages that the machine had reserved */
	uint64_t identity;
	uint64_t lease_ns;
};
void rtree_describe(const struct rtree *tree, struct rtree_region *region);

/* One-sided readers: while there is one, and for a lease after the last has
 * gone, retired pages wait for the lease. */
void rtree_reader_joined(struct rtree *tree);
void rtree_reader_left(struct rtree *tree);

/* --- Reading ------------------------------------------------------------ */

/* A version that a thread of the server reads; its pages stay while pinned. */
struct rtree_pin {
	struct root root;
	unsigned slot;
};

/* Pins the newest version.  ERR_BUSY when RTREE_PINS_MAX are pinned. */
enum { RTREE_PINS_MAX = 1024 };
int rtree_pin(struct rtree *tree, struct rtree_pin *pin);
void rtree_unpin(struct rtree *tree, struct rtree_pin *pin);

/* The node that a ref reachable from a pinned root names. */
const struct node *rtree_node(const struct rtree *tree, node_ref ref);

/* Calls 'found' with each leaf that has answers and their bits; stops early,
 * and returns what it returned, when that is not 0. */
int rtree_search(const struct rtree *tree, const struct root *root,
		 const struct rect *query, enum relation relation,
		 walk_found *found, void *context);

/* The same for several queries at once, interleaved: each search asks for its
 * next nodes to be fetched while the others compute.  'found' is also told the
 * index of the query; answers of different queries come mixed. */
typedef int walk_group_found(void *context, size_t query,
			     const struct node *leaf, uint64_t hits);
int rtree_search_group(const struct rtree *tree, const struct root *root,
		       const struct rect *queries, size_t count,
		       enum relation relation, walk_group_found *found,
		       void *context);

/* Counts the items that a search would find; '*count', or one for each query,
 * is what it counted. */
int rtree_count(const struct rtree *tree, const struct root *root,
		const struct rect *query, enum relation relation,
		uint64_t *count);
int rtree_count_group(const struct rtree *tree, const struct root *root,
		      const struct rect *queries, size_t count,
		      enum relation relation, uint64_t *counts);

/* Searches for the 'k' items nearest to a point; '*nearest' has them in order,
 * and is to be ended by nearest_end(). */
int rtree_nearest(const struct rtree *tree, const struct root *root,
		  const double point[DIMENSIONS], uint64_t k,
		  struct nearest *nearest);

/* The same for several points at once, interleaved: for each there is a struct
 * nearest, to be ended. When it fails none has to be. */
int rtree_nearest_group(const struct rtree *tree, const struct root *root,
			const double (*points)[DIMENSIONS], size_t count,
			uint64_t k, struct nearest *nearest);

/* --- Writing ------------------------------------------------------------ */

/* Starts the next version.  One batch at a time; waits for none. */
int rtree_batch_begin(struct rtree *tree, struct rtree_batch **batch);

/* Each either does the whole of what it says or leaves the batch as it was:
 *
 * ERR_AGAIN: retired pages must come back first; commit, wait until
 *	rtree_retry_ns(), and go on in a new batch.
 * ERR_NO_ROOM: the region is too small for it, and no wait will help. */
int rtree_insert(struct rtree_batch *batch, const struct item *item);

/* Removes one item with this id and exactly this rectangle; ERR_NOT_FOUND when
 * there is none. */
int rtree_delete(struct rtree_batch *batch, const struct item *item);

/* Moves one such item to another rectangle; ERR_NOT_FOUND when there is none.
 */
int rtree_update(struct rtree_batch *batch, const struct item *item,
		 const struct rect *to);

/* How a tree is packed; all zero is what suits most. */
struct rtree_pack_options {
	enum rtree_order {
		RTREE_ORDER_TILES, /* top-down STR: the best for searches */
		RTREE_ORDER_CURVE, /* Hilbert: loads faster */
	} order;
	double fill;	  /* of each leaf, 0.5 to 1; 0: 1 */
	unsigned threads; /* 0: one for each processor */
	/* Called now and then by the calling thread; may be NULL. */
	void (*progress)(void *context, uint64_t done, uint64_t count);
	void *context;
};

/* Packs 'count' items into a new tree that takes the place of the old one.
 * Alone in its batch.  'options' may be NULL.  Beside the region it takes 24
 * bytes an item while it runs. */
int rtree_replace(struct rtree_batch *batch, const struct item *items,
		  uint64_t count, const struct rtree_pack_options *options);

/* Adds 'count' items at once: faster than one by one, and what it packs is
 * searched faster.  'options' may be NULL; its order is not looked at, and its
 * fill is of the leaves that it packs.  The pages that it takes are counted
 * before anything is changed: ERR_AGAIN as above, ERR_NO_ROOM with the bytes of
 * region that are needed.  Beside the region it takes 9 bytes an item, 32 a
 * node that is changed, and while it packs some of the tree 60 bytes for each
 * item there. */
int rtree_append(struct rtree_batch *batch, const struct item *items,
		 uint64_t count, const struct rtree_pack_options *options);

/* Publishes the batch and ends it; '*version' is the new version, or the
 * current one when nothing changed. */
void rtree_batch_commit(struct rtree_batch *batch, uint64_t *version);

/* Drops everything since begin. */
void rtree_batch_abort(struct rtree_batch *batch);

/* When to try again after ERR_AGAIN, on the clock of base/clock.h. */
uint64_t rtree_retry_ns(const struct rtree *tree);

/* --- Looking inside ----------------------------------------------------- */

struct rtree_stat {
	struct root root;		    /* the items are of this version */
	int height;			    /* levels; an empty tree has 1 */
	uint64_t nodes[NODE_LEVEL_MAX + 1]; /* by level */
	uint64_t entries[NODE_LEVEL_MAX + 1]; /* by level */
	uint64_t page_count;
	uint64_t free_pages;
	uint64_t retired_pages;
	uint64_t lease_ns;
};
int rtree_stat(struct rtree *tree, struct rtree_stat *stat);

/* The nodes of one level.  'area', divided by the root's, is how many of them a
 * search for a point looks at on average, wherever in the root's bounds the
 * point is. */
struct rtree_level_statistics {
	uint64_t nodes;
	uint64_t entries;
	unsigned least; /* entries of one node */
	unsigned most;
	double area;	/* of their bounds, summed; in space their volume */
	double margin;	/* summed edges of their bounds, each axis once */
	double overlap; /* that each two children of a node share, summed */
};

struct rtree_statistics {
	uint64_t identity;
	uint64_t version;
	int height;
	struct rtree_level_statistics levels[NODE_LEVEL_MAX + 1];
};

/* Looks at every node of one pinned version; none of the numbers is about
 * items themselves but that they are the entries of level 0. */
int rtree_statistics(struct rtree *tree, struct rtree_statistics *statistics);

/* Verifies every invariant of rtree/README.md in one pinned version, whose
 * number is set.  Counts the nodes that it looked at; ERR_DAMAGED with the
 * first invariant that is broken. */
int rtree_check(struct rtree *tree, uint64_t *nodes, uint64_t *version);

/* --- Snapshots ---------------------------------------------------------- */

/* One version as the bytes of a region file, while writes go on. */
struct rtree_snapshot;
int rtree_snapshot_begin(struct rtree *tree, struct rtree_snapshot **snapshot);

/* Bytes of the whole file, and its version. */
uint64_t rtree_snapshot_size(const struct rtree_snapshot *snapshot);
uint64_t rtree_snapshot_version(const struct rtree_snapshot *snapshot);

/* The next bytes, at most 'size'; 0 at the end.  The snapshot pins its version
 * until it is ended, so whoever passes it on to others must bound the time. */
int64_t rtree_snapshot_read(struct rtree_snapshot *snapshot, void *bytes,
			    size_t size);
void rtree_snapshot_end(struct rtree_snapshot *snapshot);

/* Writes a snapshot to a file, which it replaces whole. */
int rtree_save(struct rtree *tree, const char *path, uint64_t *version);

/* Reads a region file into a tree that was just created, and verifies all of
 * it.  ERR_DAMAGED says what is wrong and where; ERR_NO_ROOM when the region is
 * too small, with the bytes needed; ERR_USAGE when its items have other
 * dimensions; ERR_NO_MEMORY.  The tree is as empty as before then. */
int rtree_load(struct rtree *tree, int fd, const char *name);

/* The dimensions of the items in a region file, by its first bytes alone; 0
 * when they don't tell. */
int rtree_file_dimensions(const char *path);

#endif
