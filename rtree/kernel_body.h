/* SPDX-License-Identifier: BSD-2-Clause */

/* The body of a kernel: included by kernel_portable.c, kernel_avx2.c and
 * kernel_avx512.c, each of which has first defined
 *
 *	KERNEL_NAME, KERNEL_STRING	avx2, "avx2"
 *	KERNEL_TARGET			the target attribute of its functions
 *	grid_box_of(header, rect)	a rectangle on a node's grid
 *	lanes_at_most(lanes, cell)	bit i: lanes[i] <= cell
 *	lanes_at_least(lanes, cell)	bit i: lanes[i] >= cell
 *	add_gaps(min, max, low, high, unit, sums)
 *		sums[i] += (max(min[i] - low, high - max[i], 0) * unit) squared
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
	const uint8_t *at_most;
	const uint8_t *at_least;
};

INLINE struct comparison compare(const struct node *node,
				 enum relation relation,
				 const struct grid_box *box)
{
	bool within = relation == RELATION_WITHIN;
	bool contains = relation == RELATION_CONTAINS;

	return (struct comparison){
		.lower = within ? node->cell_max : node->cell_min,
		.upper = within ? node->cell_min : node->cell_max,
		.at_most = contains ? box->min : box->max,
		.at_least = contains ? box->max : box->min,
	};
}

INLINE uint64_t first_bits(unsigned count)
{
	return count < 64 ? (UINT64_C(1) << count) - 1 : ~UINT64_C(0);
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

/* Whether any entry could lie strictly within the query's cells. */
INLINE bool may_cover(const struct grid_box *box)
{
	bool yes = true;

	for (int d = 0; d < DIMENSIONS; d++)
		yes &= box->max[d] - box->min[d] > 1;
	return yes;
}

KERNEL_TARGET static struct selection select_entries(const struct node *node,
						     unsigned count,
						     enum relation relation,
						     const struct rect *query)
{
	struct grid_box box = grid_box_of(&node->header, query);
	struct comparison c = compare(node, relation, &box);
	uint64_t valid = first_bits(count);

	return (struct selection){possible(&c) & valid, certain(&c) & valid};
}

/* --- One step of a walk -------------------------------------------------- */

/* What stays the same from node to node. */
struct search {
	const struct rect *query;
	enum relation relation; /* a constant wherever this is inlined */
	uint64_t page_count;
	const struct node *pages; /* or NULL */
};

/* The second word of a header: page, count, level, kind. */
struct header_word {
	uint64_t value;
};

INLINE struct header_word load_header_word(const struct node *node)
{
	struct header_word word;

	memcpy(&word, (const char *)node + offsetof(struct node_header, page),
	       sizeof(word));
	return word;
}

INLINE unsigned word_count(struct header_word word)
{
	return word.value >> 32 & 0xffff;
}

INLINE int word_level(struct header_word word)
{
	return word.value >> 48 & 0xff;
}

/* Whether this is the node that was wanted.  What is used of the header later
 * is what was checked here, should the memory change meanwhile. */
INLINE bool is_wanted(const struct node *node, struct header_word word,
		      const struct walk_wanted *wanted)
{
	int level = wanted->level == WALK_LEVEL_UNKNOWN ? word_level(word)
							: wanted->level;
	uint64_t expected = (uint64_t)NODE_KIND << 56 | (uint64_t)level << 48 |
			    (uint64_t)word_count(word) << 32 |
			    node_ref_page(wanted->ref);

	uint64_t differs = (word.value ^ expected) |
			   GUARD("birth", (uint32_t)node->header.birth ^
						  node_ref_birth(wanted->ref));

	return !differs && level <= NODE_LEVEL_MAX &&
	       word_count(word) <= NODE_CAPACITY;
}

/* Looks at the exact coordinates of the entries that the cells leave open. */
INLINE uint64_t decide(const struct search *search, const struct node *leaf,
		       uint64_t bits, uint64_t sure)
{
	for (uint64_t open = bits & ~sure; open; open &= open - 1) {
		int i = __builtin_ctzll(open);
		if (!rect_relation_holds(search->relation, &leaf->rect[i],
					 search->query))
			bits &= ~(UINT64_C(1) << i);
	}
	return bits;
}

INLINE uint64_t search_leaf(const struct search *search,
			    const struct node *leaf, uint64_t valid,
			    bool covered)
{
	if (covered)
		return valid;
	struct grid_box box = grid_box_of(&leaf->header, search->query);
	struct comparison c = compare(leaf, search->relation, &box);
	uint64_t bits = possible(&c) & valid;
	return bits ? decide(search, leaf, bits, certain(&c)) : 0;
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

/* Appends the children of 'node' that 'bits' names to 'children', the last
 * first, so that a stack gives them back in their order.  Returns how many. */
INLINE int want(const struct search *search, const struct node *node, int level,
		uint64_t bits, uint64_t covered, struct walk_wanted *children)
{
	int count = 0;

	while (bits) {
		int i = 63 - __builtin_clzll(bits);
		uint64_t bit = UINT64_C(1) << i;
		node_ref ref = node->child[i];
		uint64_t page = node_ref_page(ref);
		if (page - 1 >= search->page_count - 1)
			return walk_wrong_ref(ref, search->page_count);
		children[count++] = (struct walk_wanted){
			.ref = ref,
			.level = (int16_t)(level - 1),
			.covered = covered & bit,
		};
		if (search->pages)
			prefetch(&search->pages[page], covered & bit);
		bits ^= bit;
	}
	return count;
}

INLINE int search_inner(const struct search *search, const struct node *node,
			int level, uint64_t valid, bool all_covered,
			struct walk_wanted *children)
{
	if (all_covered)
		return want(search, node, level, valid, valid, children);
	/* An item within the query lies in a child that intersects it. */
	enum relation relation = search->relation == RELATION_CONTAINS
					 ? RELATION_CONTAINS
					 : RELATION_INTERSECTS;
	struct grid_box box = grid_box_of(&node->header, search->query);
	struct comparison c = compare(node, relation, &box);
	uint64_t bits = possible(&c) & valid, covered = 0;
	if (search->relation != RELATION_CONTAINS && may_cover(&box)) {
		c = compare(node, RELATION_WITHIN, &box);
		covered = certain(&c) & bits;
	}
	return want(search, node, level, bits, covered, children);
}

/* Searches one node: sets '*hits' for a leaf, appends to 'children', which has
 * room for NODE_LANES, for an inner node.  Returns how many it appended. */
INLINE int step(const struct search *search, const struct walk_wanted *wanted,
		const struct node *node, uint64_t *hits,
		struct walk_wanted *children)
{
	struct header_word word = load_header_word(node);

	*hits = 0;
	if (__builtin_expect(!is_wanted(node, word, wanted), 0))
		return walk_wrong_node(wanted, &node->header);
	uint64_t valid = first_bits(word_count(word));
	if (word_level(word))
		return search_inner(search, node, word_level(word), valid,
				    wanted->covered, children);
	*hits = search_leaf(search, node, valid, wanted->covered);
	return 0;
}

/* --- Walks --------------------------------------------------------------- */

KERNEL_TARGET static int feed_walk(struct walk *walk,
				   const struct walk_wanted *wanted,
				   const struct node *node, uint64_t *hits)
{
	struct search search = {
		.query = &walk->query,
		.relation = walk->relation,
		.page_count = walk->page_count,
		.pages = walk->pages,
	};

	if (walk->nodes >= walk->page_count)
		return walk_endless();
	if (walk->depth + NODE_LANES > walk->capacity) {
		int error = walk_grow(walk);
		if (error)
			return error;
	}
	int count =
		step(&search, wanted, node, hits, walk->stack + walk->depth);
	if (count < 0)
		return count;
	walk->depth += (size_t)count;
	walk->nodes++;
	walk->leaves += node->header.level == 0;
	return 0;
}

INLINE int run_relation(struct walk *walk, const struct node *pages,
			enum relation relation, walk_found *found,
			void *context)
{
	const struct search search = {
		.query = &walk->query,
		.relation = relation,
		.page_count = walk->page_count,
		.pages = pages,
	};
	struct walk_wanted *stack = walk->stack;
	size_t depth = walk->depth, capacity = walk->capacity;
	uint64_t nodes = 0, leaves = 0;
	int error = 0;

	while (depth && !error) {
		struct walk_wanted wanted = stack[--depth];
		const struct node *node = &pages[node_ref_page(wanted.ref)];
		uint64_t hits;
		int count = step(&search, &wanted, node, &hits, stack + depth);
		nodes++;
		if (wanted.level == 0) {
			leaves++;
			error = hits ? found(context, node, hits) : count;
			continue;
		}
		if (count < 0) {
			error = count;
			break;
		}
		/* All of them are on pages of their own. */
		depth += (size_t)count;
		if (nodes + depth > walk->page_count) {
			error = walk_endless();
			break;
		}
		leaves += node->header.level == 0; /* the root is one */
		if (hits)
			error = found(context, node, hits);
		if (depth + NODE_LANES > capacity) {
			walk->depth = depth;
			error = walk_grow(walk);
			stack = walk->stack;
			capacity = walk->capacity;
		}
	}
	walk->depth = depth;
	walk->nodes += nodes;
	walk->leaves += leaves;
	return error;
}

KERNEL_TARGET static int run_walk(struct walk *walk, const struct node *pages,
				  walk_found *found, void *context)
{
	switch (walk->relation) {
	case RELATION_INTERSECTS:
		return run_relation(walk, pages, RELATION_INTERSECTS, found,
				    context);
	case RELATION_CONTAINS:
		return run_relation(walk, pages, RELATION_CONTAINS, found,
				    context);
	default:
		return run_relation(walk, pages, RELATION_WITHIN, found,
				    context);
	}
}

/* --- Insertion ------------------------------------------------------------ */

INLINE int cell_area(const struct node *node, int i)
{
	int area = 1;

	for (int d = 0; d < DIMENSIONS; d++)
		area *= node->cell_max[d][i] - node->cell_min[d][i] + 1;
	return area;
}

/* Of the entries in 'bits', the one with the smallest area. */
INLINE int smallest(const struct node *node, uint64_t bits)
{
	int best = __builtin_ctzll(bits), least = cell_area(node, best);

	for (bits &= bits - 1; bits; bits &= bits - 1) {
		int i = __builtin_ctzll(bits), area = cell_area(node, i);
		if (area < least) {
			least = area;
			best = i;
		}
	}
	return best;
}

/* By how much each entry's area would grow, and its index below: the least of
 * these names the best. */
INLINE void measure_growth(const struct node *node, const struct grid_box *box,
			   int32_t growth[NODE_LANES])
{
	enum { INDEX_BITS = 6 };
	int32_t area[NODE_LANES], grown[NODE_LANES];

	for (int i = 0; i < NODE_LANES; i++)
		area[i] = grown[i] = 1;
	for (int d = 0; d < DIMENSIONS; d++) {
		int32_t low = box->min[d], high = box->max[d];
		for (int i = 0; i < NODE_LANES; i++) {
			int32_t min = node->cell_min[d][i];
			int32_t max = node->cell_max[d][i];
			area[i] *= max - min + 1;
			min = min < low ? min : low;
			max = max > high ? max : high;
			grown[i] *= max - min + 1;
		}
	}
	for (int i = 0; i < NODE_LANES; i++)
		growth[i] = (grown[i] - area[i]) << INDEX_BITS | i;
}

KERNEL_TARGET static int choose_child(const struct node *node,
				      const struct rect *rect)
{
	const unsigned count = node->header.count;
	struct grid_box box = grid_box_of(&node->header, rect);
	struct comparison c = compare(node, RELATION_CONTAINS, &box);
	uint64_t holding = possible(&c) & first_bits(count);
	int32_t growth[NODE_LANES];

	if (holding)
		return smallest(node, holding);
	measure_growth(node, &box, growth);
	int32_t least = growth[0];
	for (unsigned i = 1; i < count; i++)
		least = growth[i] < least ? growth[i] : least;
	return least & (NODE_LANES - 1);
}

/* --- Distances ------------------------------------------------------------ */

/* A lower bound of how far, squared, each entry's rectangle is from a point, by
 * its cells.  Coordinates and cells are a rounding apart, which 'slack' and
 * 'shrink' more than make up for. */
KERNEL_TARGET static int measure_node(const struct node *node,
				      const struct walk_wanted *wanted,
				      const double *point,
				      double bounds2[NODE_LANES], int *level)
{
	const double slack = 0x1p-20, shrink = 1 - 0x1p-20;
	struct header_word word = load_header_word(node);

	if (!is_wanted(node, word, wanted))
		return walk_wrong_node(wanted, &node->header);
	*level = word_level(word);
	memset(bounds2, 0, NODE_LANES * sizeof(*bounds2));
	for (int d = 0; d < DIMENSIONS; d++) {
		double scale = node->header.scale[d];
		double at = (point[d] - node->header.origin[d]) * scale;
		/* With all in one cell, or a point too many cells away for a
		 * number, nothing is known. */
		if (scale > 0 && isfinite(at))
			add_gaps(node->cell_min[d], node->cell_max[d],
				 at + slack, at - 1 - slack, shrink / scale,
				 bounds2);
	}
	return (int)word_count(word);
}

/* --- Groups of walks ----------------------------------------------------- */

/* What one of several searches wants. */
struct group_wanted {
	struct walk_wanted wanted;
	uint32_t query;
};

/* Nodes that are wanted by all the searches, in the order to be looked at. */
struct frontier {
	struct group_wanted *wanted;
	size_t count;
	size_t capacity;
};

enum { GROUP_SIZE = 32 };

static int frontier_reserve(struct frontier *f, size_t more)
{
	if (f->count + more <= f->capacity)
		return 0;
	size_t capacity = 2 * (f->count + more);
	struct group_wanted *wanted =
		realloc(f->wanted, capacity * sizeof(*wanted));
	if (!wanted)
		return err_set(ERR_NO_MEMORY, "no memory to go on searching");
	f->wanted = wanted;
	f->capacity = capacity;
	return 0;
}

/* Looks at every node of one frontier, and gathers the next one. */
INLINE int advance(const struct rect *queries, struct search *search,
		   const struct frontier *from, struct frontier *to,
		   size_t base, walk_group_found *found, void *context)
{
	struct walk_wanted children[NODE_LANES];

	to->count = 0;
	for (size_t i = 0; i < from->count; i++) {
		const struct group_wanted *g = &from->wanted[i];
		const struct node *node =
			&search->pages[node_ref_page(g->wanted.ref)];
		uint64_t hits;
		search->query = &queries[g->query];
		int count = step(search, &g->wanted, node, &hits, children);
		if (count < 0)
			return count;
		int error = hits ? found(context, base + g->query, node, hits)
				 : frontier_reserve(to, (size_t)count);
		if (error)
			return error;
		for (int c = count; c-- > 0;)
			to->wanted[to->count++] =
				(struct group_wanted){children[c], g->query};
	}
	return 0;
}

KERNEL_TARGET static int run_group(const struct rect *queries, size_t count,
				   enum relation relation, node_ref root,
				   const struct node *pages,
				   uint64_t page_count, walk_group_found *found,
				   void *context)
{
	struct frontier now = {0}, next = {0};
	struct search search = {
		.relation = relation,
		.page_count = page_count,
		.pages = pages,
	};
	int error = 0;

	for (size_t base = 0; !error && base < count; base += GROUP_SIZE) {
		size_t size = count - base;
		size = size < GROUP_SIZE ? size : GROUP_SIZE;
		now.count = 0;
		error = frontier_reserve(&now, size);
		for (size_t q = 0; !error && q < size; q++)
			now.wanted[now.count++] = (struct group_wanted){
				{.ref = root, .level = WALK_LEVEL_UNKNOWN},
				(uint32_t)q};
		for (int level = 0; !error && now.count; level++) {
			if (level > NODE_LEVEL_MAX ||
			    now.count > size * page_count)
				error = walk_endless();
			else
				error = advance(queries + base, &search, &now,
						&next, base, found, context);
			struct frontier swapped = now;
			now = next;
			next = swapped;
		}
	}
	free(now.wanted);
	free(next.wanted);
	return error;
}

const struct kernel KERNEL_NAME = {
	.name = KERNEL_STRING,
	.select = select_entries,
	.feed = feed_walk,
	.run = run_walk,
	.run_group = run_group,
	.measure = measure_node,
	.choose = choose_child,
};
