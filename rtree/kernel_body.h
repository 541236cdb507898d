/* SPDX-License-Identifier: BSD-2-Clause */

/* The body of a kernel: included by kernel_portable.c, kernel_avx2.c and
 * kernel_avx512.c, each of which has first defined
 *
 *	KERNEL_NAME, KERNEL_STRING	avx2, "avx2"
 *	KERNEL_TARGET			the target attribute of its functions
 *	lane				one cell, ready to be compared with many
 *	struct cells			a rectangle on a grid: lane min[], max[]
 *	cells_of(header, rect)		a rectangle on a node's grid
 *	lanes_at_most(lanes, cell)	bit i: lanes[i] <= cell
 *	lanes_at_least(lanes, cell)	bit i: lanes[i] >= cell
 *	first_bits(bits, count)		the first 'count' bits of 'bits'
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

/* --- One step of a walk -------------------------------------------------- */

/* What stays the same from node to node. */
struct search {
	const struct rect *query;
	enum relation relation; /* a constant wherever this is inlined */
	uint64_t page_count;
	const struct node *pages; /* or NULL */
	/* The pages are this process's own: nothing has to be checked. */
	bool trusted;
};

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

/* What is wanted, in variables of its own: a load of the whole struct, right
 * after its fields were stored, would wait for these stores to leave the
 * processor's pipeline, and with them for the node before. */
struct goal {
	node_ref ref;
	int level;
	bool covered;
};

INLINE struct goal goal_of(const struct walk_wanted *wanted)
{
	struct goal goal;

	goal.ref = wanted->ref;
	goal.level = wanted->level;
	goal.covered = wanted->covered;
	return goal;
}

/* Whether this is the node that was wanted.  What is used of the header later
 * is what was checked here, should the memory change meanwhile. */
INLINE bool is_wanted(const struct node *node, struct header_word word,
		      struct goal goal)
{
	int level = goal.level == WALK_LEVEL_UNKNOWN ? word_level(word)
						     : goal.level;
	uint64_t expected = (uint64_t)NODE_KIND << 56 | (uint64_t)level << 48 |
			    (uint64_t)word_count(word) << 32 |
			    node_ref_page(goal.ref);
	uint64_t differs = (word.value ^ expected) |
			   GUARD("birth", node_birth_kept(node->header.birth) ^
						  node_ref_birth(goal.ref));

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
			    const struct node *leaf, unsigned count,
			    bool covered)
{
	if (covered)
		return first_bits(~UINT64_C(0), count);
	struct cells cells = cells_of(&leaf->header, search->query);
	struct comparison c = compare(leaf, search->relation, &cells);
	uint64_t bits = first_bits(possible(&c), count);
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

/* Appends the children of 'node' that 'bits' names to 'children'.  Returns how
 * many. */
INLINE int want(const struct search *search, const struct node *node, int level,
		uint64_t bits, uint64_t covered, struct walk_wanted *children)
{
	int count = 0;

	while (bits) {
		int i = __builtin_ctzll(bits);
		/* Once, as for a header. */
		node_ref ref =
			__atomic_load_n(&node->child[i], __ATOMIC_RELAXED);
		uint64_t page = node_ref_page(ref);
		if (!search->trusted && page - 1 >= search->page_count - 1)
			return walk_wrong_ref(ref, search->page_count);
		children[count].ref = ref;
		children[count].level = level - 1;
		children[count++].covered = covered >> i & 1;
		if (search->pages)
			prefetch(&search->pages[page], covered >> i & 1);
		bits &= bits - 1;
	}
	return count;
}

INLINE int search_inner(const struct search *search, const struct node *node,
			int level, unsigned count, bool all_covered,
			struct walk_wanted *children)
{
	uint64_t bits = first_bits(~UINT64_C(0), count);

	if (all_covered)
		return want(search, node, level, bits, bits, children);
	/* An item within the query lies in a child that intersects it. */
	enum relation relation = search->relation == RELATION_CONTAINS
					 ? RELATION_CONTAINS
					 : RELATION_INTERSECTS;
	struct cells cells = cells_of(&node->header, search->query);
	struct comparison c = compare(node, relation, &cells);
	uint64_t covered = 0;
	bits &= possible(&c);
	/* A query that covers a child mostly meets its neighbours too; where
	 * it meets one child, nothing is lost by looking into that. */
	if (search->relation != RELATION_CONTAINS && (bits & (bits - 1))) {
		c = compare(node, RELATION_WITHIN, &cells);
		covered = certain(&c);
	}
	return want(search, node, level, bits, covered, children);
}

/* Searches one node: sets '*hits' for a leaf, appends to 'children', which has
 * room for NODE_LANES, for an inner node.  Returns how many it appended. */
INLINE int step(const struct search *search, struct goal goal,
		const struct node *node, uint64_t *hits, bool *is_leaf,
		struct walk_wanted *children)
{
	struct header_word word = load_header_word(node);

	*hits = 0;
	*is_leaf = word_level(word) == 0;
	if (!search->trusted &&
	    __builtin_expect(!is_wanted(node, word, goal), 0))
		return walk_wrong_node(goal.ref, goal.level, &node->header);
	if (word_level(word))
		return search_inner(search, node, word_level(word),
				    word_count(word), goal.covered, children);
	*hits = search_leaf(search, node, word_count(word), goal.covered);
	return 0;
}

/* --- Walks --------------------------------------------------------------- */

KERNEL_TARGET static int feed_walk(struct walk *walk,
				   const struct walk_wanted *wanted,
				   const struct node *node, uint64_t *hits)
{
	struct search search = {
		.query = walk->query,
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
	bool is_leaf;
	int count = step(&search, goal_of(wanted), node, hits, &is_leaf,
			 walk->stack + walk->depth);
	if (count < 0)
		return count;
	walk->depth += (size_t)count;
	walk->nodes++;
	walk->leaves += is_leaf;
	return 0;
}

INLINE int run_relation(struct walk *walk, const struct node *pages,
			enum relation relation, bool trusted, walk_found *found,
			void *context)
{
	const struct search search = {
		.query = walk->query,
		.relation = relation,
		.page_count = walk->page_count,
		.pages = pages,
		.trusted = trusted,
	};
	struct walk_wanted *stack = walk->stack;
	size_t depth = walk->depth;
	uint64_t nodes = 0, leaves = 0;
	int error = 0;

	while (depth && !error) {
		struct goal goal = goal_of(&stack[--depth]);
		const struct node *node = &pages[node_ref_page(goal.ref)];
		uint64_t hits;
		bool is_leaf;
		int count = step(&search, goal, node, &hits, &is_leaf,
				 stack + depth);
		nodes++;
		if (is_leaf) {
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
		if (!trusted && nodes + depth > walk->page_count) {
			error = walk_endless();
			break;
		}
		if (depth + NODE_LANES > walk->capacity) {
			walk->depth = depth;
			error = walk_grow(walk);
			stack = walk->stack;
		}
	}
	walk->depth = depth;
	walk->nodes += nodes;
	walk->leaves += leaves;
	return error;
}

KERNEL_TARGET static int run_walk(struct walk *walk, const struct node *pages,
				  bool trusted, walk_found *found,
				  void *context)
{
	enum relation relation = walk->relation;

	/* The relation that most ask for, in most cases in memory of one's own,
	 * has a loop of its own: the processor gets on to the next query while
	 * it waits for this one's leaf if there is little to do between. */
	if (relation == RELATION_INTERSECTS && trusted)
		return run_relation(walk, pages, RELATION_INTERSECTS, true,
				    found, context);
	return run_relation(walk, pages, relation, trusted, found, context);
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
	struct cells cells = cells_of(&node->header, rect);
	struct comparison c = compare(node, RELATION_CONTAINS, &cells);
	uint64_t holding = first_bits(possible(&c), count);
	int32_t growth[NODE_LANES];

	if (holding)
		return smallest(node, holding);
	struct grid_box box = grid_box(&node->header, rect);
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

	if (!is_wanted(node, word, goal_of(wanted)))
		return walk_wrong_node(wanted->ref, wanted->level,
				       &node->header);
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
		bool is_leaf;
		search->query = &queries[g->query];
		int count = step(search, goal_of(&g->wanted), node, &hits,
				 &is_leaf, children);
		if (count < 0)
			return count;
		int error = 0;
		if (!is_leaf)
			error = frontier_reserve(to, (size_t)count);
		else if (hits)
			error = found(context, base + g->query, node, hits);
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
