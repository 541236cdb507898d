/* SPDX-License-Identifier: BSD-2-Clause */

/* The body of a kernel: included by kernel_portable.c, kernel_avx2.c and
 * kernel_avx512.c, each of which has first defined
 *
 *	KERNEL_NAME, KERNEL_STRING	avx2, "avx2"
 *	KERNEL_TARGET			the target attribute of its functions
 *	lane				one cell, ready to be compared with many
 *	struct cells			a rectangle on a grid: lane min[], max[]
 *	cells_of(header, rect)		a rectangle on a node's grid
 *	box_of(header, rect)		the same as struct grid_box
 *	lanes_at_most(lanes, cell)	bit i: lanes[i] <= cell
 *	lanes_at_least(lanes, cell)	bit i: lanes[i] >= cell
 *	first_bits(bits, count)		the first 'count' bits of 'bits'
 *	add_gaps(min, max, low, high, unit, sums)
 *		sums[i] += (max(min[i] - low, high - max[i], 0) * unit) squared
 *	least_lane(values, among)	the index of the least of those among
 *
 * Every relation is the same pair of comparisons, lower <= at_most and upper >=
 * at_least in each dimension, with other arrays put in:
 *
 *	intersects	min <= query max	max >= query min
 *	contains	min <= query min	max >= query max
 *	within		max <= query max	min >= query min
 *
 * Where cells differ the coordinates do too, so the strict comparisons, which
 * are the same ones against the next cell, are proofs. */

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/guard.h"

#define INLINE static inline __attribute__((always_inline)) KERNEL_TARGET

/* What is compared with what. */
struct comparison {
	const uint8_t (*lower)[NODE_LANES];
	const uint8_t (*upper)[NODE_LANES];
	const lane *at_most;
	const lane *at_least;
};

INLINE struct comparison compare(const struct node *node,
				 enum relation relation,
				 const struct cells *cells)
{
	bool within = relation == RELATION_WITHIN;
	bool contains = relation == RELATION_CONTAINS;

	return (struct comparison){
		.lower = within ? node->cell_max : node->cell_min,
		.upper = within ? node->cell_min : node->cell_max,
		.at_most = contains ? cells->min : cells->max,
		.at_least = contains ? cells->max : cells->min,
	};
}

INLINE uint64_t possible(const struct comparison *c)
{
	uint64_t bits = ~UINT64_C(0);

	for (int d = 0; d < DIMENSIONS; d++)
		bits &= lanes_at_most(c->lower[d], c->at_most[d]) &
			lanes_at_least(c->upper[d], c->at_least[d]);
	return bits;
}

INLINE uint64_t certain(const struct comparison *c)
{
	uint64_t undecided = 0;

	for (int d = 0; d < DIMENSIONS; d++)
		undecided |= lanes_at_least(c->lower[d], c->at_most[d]) |
			     lanes_at_most(c->upper[d], c->at_least[d]);
	return ~undecided;
}

KERNEL_TARGET static struct selection select_entries(const struct node *node,
						     unsigned count,
						     enum relation relation,
						     const struct rect *query)
{
	struct cells cells = cells_of(&node->header, query);
	struct comparison c = compare(node, relation, &cells);

	return (struct selection){first_bits(possible(&c), count),
				  first_bits(certain(&c), count)};
}

/* --- One node of a search ------------------------------------------------ */

/* The second word of a header: page, count, level, kind. */
struct header_word {
	uint64_t value;
};

/* Once: the memory may change under a mapped reader, and what is checked must
 * be what is used. */
INLINE struct header_word load_header_word(const struct node *node)
{
	typedef uint64_t __attribute__((may_alias)) word;
	const void *at = &node->header.page;

	return (struct header_word){
		__atomic_load_n((const word *)at, __ATOMIC_RELAXED)};
}

INLINE unsigned word_count(struct header_word word)
{
	return word.value >> 32 & 0xffff;
}

INLINE int word_level(struct header_word word)
{
	return word.value >> 48 & 0xff;
}

/* Looks at the exact coordinates of the entries that the cells leave open. */
INLINE uint64_t decide(const struct node *leaf, uint64_t bits, uint64_t sure,
		       enum relation relation, const struct rect *query)
{
	for (uint64_t open = bits & ~sure; open; open &= open - 1) {
		int i = __builtin_ctzll(open);
		if (!rect_relation_holds(relation, &leaf->rect[i], query))
			bits &= ~(UINT64_C(1) << i);
	}
	return bits;
}

/* The entries of a leaf that match; all of them do when it is covered. */
INLINE uint64_t search_leaf(const struct node *leaf, unsigned count,
			    bool is_covered, enum relation relation,
			    const struct rect *query)
{
	if (is_covered)
		return first_bits(~UINT64_C(0), count);
	struct cells cells = cells_of(&leaf->header, query);
	struct comparison c = compare(leaf, relation, &cells);
	uint64_t bits = first_bits(possible(&c), count);
	return bits ? decide(leaf, bits, certain(&c), relation, query) : 0;
}

/* The children of an inner node that can have matches below; of these, those
 * whose bounds lie within the query are covered. */
INLINE uint64_t select_children(const struct node *node, unsigned count,
				enum relation relation,
				const struct rect *query, uint64_t *covered)
{
	/* An item within the query lies in a child that intersects it. */
	relation = relation == RELATION_CONTAINS ? RELATION_CONTAINS
						 : RELATION_INTERSECTS;
	struct cells cells = cells_of(&node->header, query);
	struct comparison c = compare(node, relation, &cells);
	uint64_t bits = first_bits(possible(&c), count);

	*covered = 0;
	/* A query that covers a child mostly meets its neighbours too; where
	 * it meets one child, nothing is lost by looking into that. */
	if (relation != RELATION_CONTAINS && (bits & (bits - 1))) {
		c = compare(node, RELATION_WITHIN, &cells);
		*covered = bits & certain(&c);
	}
	return bits;
}

/* Asks for what a search of a node reads first: its header and then its ids or
 * refs, where no comparison is needed, or its cells. */
INLINE void prefetch(const void *node, bool covered)
{
	const char *line = (const char *)node +
			   (covered ? offsetof(struct node, child) : 64);

	__builtin_prefetch(node);
	for (int d = 0; d < DIMENSIONS; d++) {
		__builtin_prefetch(line + 128 * d);
		__builtin_prefetch(line + 128 * d + 64);
	}
	if (covered)
		for (int i = 2 * DIMENSIONS; i < 8; i++)
			__builtin_prefetch(line + 64 * i);
}

/* Each level leaves at most all children but the one that is visited. */
enum { VISITS_MAX = NODE_LEVEL_MAX * (NODE_LANES - 1) + NODE_LANES };

/* What stands in files of its own; the second uses the first. */
#include "rtree/kernel_walk.h"

#include "rtree/kernel_measure.h"

#include "rtree/kernel_cells.h"
#include "rtree/kernel_choose.h"
#include "rtree/kernel_search.h"

const struct kernel KERNEL_NAME = {
	.name = KERNEL_STRING,
	.select = select_entries,
	.feed = feed_walk,
	.run = run_walk,
	.search = search,
	.search_group = search_group,
	.measure = measure_node,
	.least = least_lane,
	.choose = choose_child,
	.set_cells = set_cells,
};
