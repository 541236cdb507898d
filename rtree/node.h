/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef RTREE_NODE_H
#define RTREE_NODE_H

/* The bytes of one R-tree node, the same in the server's memory, on the wire
 * and in a region file.  docs/memory-format.md draws them.
 *
 * A node fills one page.  What a search reads of an inner node stands first
 * (RTREE_INNER_SIZE bytes: all that a READ of it carries); only leaves go on
 * with the exact rectangles.
 *
 * Quantised boxes.  A node keeps its entries' boxes as 8-bit cells of a grid of
 * its own (the idea of the CR-tree: Kim, Cha and Kwon, SIGMOD 2001).  The cell
 * of a coordinate v is
 *
 *	cell(v) = trunc(clamp((v - origin) * scale, 0, 255)), NaN being 0,
 *
 * which never falls when v grows.  So with a query put on the same grid,
 * cell(min) > cell(query max) says for certain that they are apart,
 * cell(min) < cell(query max) says for certain that min < query max, and only
 * equal cells leave it to the exact coordinates.  Nothing is lost by rounding,
 * whatever origin and scale are, and coordinates beyond the grid are in its
 * outermost cells.
 *
 * Thread-safety: a published node never changes.  Bytes from outside are
 * untrusted: readers take each header field once and check it. */

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "base/rect.h"

#ifndef RTREE_FANOUT
#define RTREE_FANOUT 64
#endif

/* Bits of a birth that a ref has; fewer show what happens when they wrap. */
#ifndef RTREE_BIRTH_BITS
#define RTREE_BIRTH_BITS 32
#endif

enum {
	NODE_CAPACITY = RTREE_FANOUT, /* entries at most */
	NODE_LANES = 64,     /* entries that the arrays have room for */
	NODE_LEVEL_MAX = 15, /* of the root of the highest tree */
	NODE_KIND = 0xcf,    /* marks a page that holds a node */
	GRID_CELLS = 256,
};

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
	      "the bytes of a region are little-endian");
static_assert(RTREE_BIRTH_BITS >= 2 && RTREE_BIRTH_BITS <= 32,
	      "half of a ref is the birth");
static_assert(NODE_CAPACITY >= 4 && NODE_CAPACITY <= NODE_LANES,
	      "a split must leave two entries on either side");

/* How one node names another: page number and birth, the low bits of the
 * version in which that node was written.  Eight bytes, so that it is loaded
 * and stored whole. */
typedef uint64_t node_ref;

/* What a ref keeps of a birth. */
static inline uint32_t node_birth_kept(uint64_t birth)
{
	return (uint32_t)(birth & ((UINT64_C(1) << RTREE_BIRTH_BITS) - 1));
}

static inline node_ref node_ref_make(uint32_t page, uint64_t birth)
{
	return (uint64_t)page << 32 | node_birth_kept(birth);
}

static inline uint32_t node_ref_page(node_ref ref)
{
	return ref >> 32;
}

static inline uint32_t node_ref_birth(node_ref ref)
{
	return (uint32_t)ref;
}

/* One cache line. */
struct node_header {
	uint64_t birth; /* the version in which this node was written */
	uint32_t page;	/* the page that it is in */
	uint16_t count; /* entries */
	uint8_t level;	/* 0: leaf */
	uint8_t kind;	/* NODE_KIND */
	double origin[DIMENSIONS];
	double scale[DIMENSIONS];
	uint8_t unused[48 - 16 * DIMENSIONS];
};

struct node {
	struct node_header header;
	uint8_t cell_min[DIMENSIONS][NODE_LANES];
	uint8_t cell_max[DIMENSIONS][NODE_LANES];
	struct rect bounds; /* exact, of all entries */
	uint64_t checksum;  /* of the page with this field 0; only in a file */
	uint8_t unused[56 - 16 * DIMENSIONS];
	union {
		node_ref child[NODE_LANES]; /* inner node */
		int64_t id[NODE_LANES];	    /* leaf */
	};
	struct rect rect[NODE_LANES]; /* leaf: exact, in the order of ids */
};

enum {
	/* What a READ of the root record, an inner node and a leaf fetches. */
	RTREE_INNER_SIZE = offsetof(struct node, rect),
	RTREE_PAGE_SIZE = sizeof(struct node),
	/* Header and cells: what tells which entries a search can't want. */
	RTREE_FILTER_SIZE = offsetof(struct node, bounds),
};

static_assert(sizeof(struct node_header) == 64, "one cache line");
static_assert(offsetof(struct node, cell_min) == 64, "next to the header");
static_assert(offsetof(struct node, bounds) % 64 == 0, "own cache line");
static_assert(offsetof(struct node, child) ==
		      offsetof(struct node, bounds) + 64,
	      "bounds: one cache line");
static_assert(sizeof(struct node) % 64 == 0, "pages are whole cache lines");
static_assert(DIMENSIONS != 2 || sizeof(struct node) == 2944, "2 dimensions");
static_assert(DIMENSIONS != 3 || sizeof(struct node) == 4096, "3 dimensions");

/* Bytes that are read of a node of that level. */
static inline size_t node_size(int level)
{
	return level ? (size_t)RTREE_INNER_SIZE : (size_t)RTREE_PAGE_SIZE;
}

/* Bytes of a leaf with its first 'count' entries. */
static inline size_t node_leaf_size(unsigned count)
{
	return offsetof(struct node, rect) + count * sizeof(struct rect);
}

/* Asks for a node, all but the exact rectangles of a leaf, to be brought into
 * the cache. */
static inline void node_prefetch(const struct node *node)
{
	for (size_t i = 0; i < RTREE_INNER_SIZE; i += 64)
		__builtin_prefetch((const char *)node + i);
}

/* Identifies the layout above to a peer or a file: dimensions, lanes, capacity
 * and page size.  Ends of a connection with other fingerprints refuse it. */
#define RTREE_LAYOUT_FINGERPRINT NODE_LAYOUT_OF(DIMENSIONS)
#define NODE_LAYOUT_OF(dimensions)                                             \
	((uint64_t)1 << 56 | (uint64_t)(dimensions) << 48 |                    \
	 (uint64_t)NODE_LANES << 40 | (uint64_t)NODE_CAPACITY << 32 |          \
	 (uint64_t)(640 + 1152 * (dimensions)))

static_assert(RTREE_PAGE_SIZE == 640 + 1152 * DIMENSIONS, "page size");

/* The dimensions that a layout's fingerprint tells of: 2, 3, or, of a layout
 * that is not known here, 0. */
static inline int node_layout_dimensions(uint64_t fingerprint)
{
	return fingerprint == NODE_LAYOUT_OF(2)	  ? 2
	       : fingerprint == NODE_LAYOUT_OF(3) ? 3
						  : 0;
}

#endif
