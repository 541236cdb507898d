/* SPDX-License-Identifier: BSD-2-Clause */

/* Part of a kernel (see kernel_body.h): walks through nodes that are not
 * trusted, wherever their bytes come from. */

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

/* Appends the children of 'node' that 'bits' names to 'children'.  Returns how
 * many. */
INLINE int want(const struct walk *walk, const struct node *node, int level,
		uint64_t bits, uint64_t covered, struct walk_wanted *children)
{
	int count = 0;

	for (; bits; bits &= bits - 1) {
		int i = __builtin_ctzll(bits);
		/* Once, as for a header. */
		node_ref ref =
			__atomic_load_n(&node->child[i], __ATOMIC_RELAXED);
		uint64_t page = node_ref_page(ref);
		if (page - 1 >= walk->page_count - 1)
			return walk_wrong_ref(ref, walk->page_count);
		children[count].ref = ref;
		children[count].level = level - 1;
		children[count++].covered = covered >> i & 1;
		if (walk->pages)
			prefetch(&walk->pages[page], covered >> i & 1);
	}
	return count;
}

/* Searches one node: sets '*hits' for a leaf, appends to 'children', which has
 * room for NODE_LANES, for an inner node.  Returns how many it appended. */
INLINE int step(const struct walk *walk, struct goal goal,
		enum relation relation, const struct node *node, uint64_t *hits,
		bool *is_leaf, struct walk_wanted *children)
{
	struct header_word word = load_header_word(node);
	unsigned count = word_count(word);

	*hits = 0;
	*is_leaf = word_level(word) == 0;
	if (__builtin_expect(!is_wanted(node, word, goal), 0))
		return walk_wrong_node(goal.ref, goal.level, &node->header);
	if (*is_leaf) {
		*hits = search_leaf(node, count, goal.covered, relation,
				    walk->query);
		return 0;
	}
	uint64_t covered, bits = first_bits(~UINT64_C(0), count);
	if (goal.covered)
		covered = bits;
	else
		bits = select_children(node, count, relation, walk->query,
				       &covered);
	return want(walk, node, word_level(word), bits, covered, children);
}

KERNEL_TARGET static int feed_walk(struct walk *walk,
				   const struct walk_wanted *wanted,
				   const struct node *node, uint64_t *hits)
{
	if (walk->nodes >= walk->page_count)
		return walk_endless();
	if (walk->depth + NODE_LANES > walk->capacity) {
		int error = walk_grow(walk);
		if (error)
			return error;
	}
	bool is_leaf;
	int count = step(walk, goal_of(wanted), walk->relation, node, hits,
			 &is_leaf, walk->stack + walk->depth);
	if (count < 0)
		return count;
	walk->depth += (size_t)count;
	walk->nodes++;
	walk->leaves += is_leaf;
	return 0;
}

/* --- A walk through a region in memory ----------------------------------- */

/* A node yet to be visited: where in the region it is, in whose low bits there
 * is room for its level and for whether it is covered, and its ref. */
struct place {
	uint64_t value;
	node_ref ref;
};

enum { PLACE_LEVEL_SHIFT = 1 };

static_assert((NODE_LEVEL_MAX << PLACE_LEVEL_SHIFT | 1) < 64 &&
		      RTREE_PAGE_SIZE % 64 == 0,
	      "offsets of nodes leave room for a level");

INLINE struct place place_make(node_ref ref, int level, bool covered)
{
	struct place place;

	place.value = (uint64_t)node_ref_page(ref) * RTREE_PAGE_SIZE |
		      (unsigned)level << PLACE_LEVEL_SHIFT | covered;
	place.ref = ref;
	return place;
}

INLINE const struct node *place_node(const struct node *pages,
				     struct place place)
{
	const char *bytes = (const void *)pages;

	return (const void *)(bytes + (place.value & ~UINT64_C(63)));
}

INLINE int place_level(struct place place)
{
	return place.value >> PLACE_LEVEL_SHIFT & NODE_LEVEL_MAX;
}

/* A root says its level itself; one that no node can have is found wrong when
 * the root is visited. */
INLINE struct place place_of_root(const struct node *pages, node_ref root)
{
	struct place place = place_make(root, 0, false);
	int level = word_level(load_header_word(place_node(pages, place)));

	return place_make(root, level & NODE_LEVEL_MAX, false);
}

/* Whether this is the node that was wanted there: as is_wanted(). */
INLINE bool place_holds(struct place place, const struct node *node,
			struct header_word word)
{
	uint32_t page = (uint32_t)word.value, kind = (uint32_t)NODE_KIND << 8;
	uint32_t differs = (page ^ node_ref_page(place.ref)) |
			   ((uint32_t)(word.value >> 48) ^
			    (kind | (unsigned)place_level(place))) |
			   GUARD("birth", node_birth_kept(node->header.birth) ^
						  node_ref_birth(place.ref));

	return !differs && word_count(word) <= NODE_CAPACITY;
}

/* Pushes the children that 'bits' names; returns how many, or that one of them
 * can't be. */
INLINE int push_places(const struct node *pages, uint64_t page_count,
		       const struct node *node, int level, uint64_t bits,
		       bool covered, struct place *top)
{
	int count = 0;

	for (; bits; bits &= bits - 1) {
		/* Once, as for a header. */
		node_ref ref = __atomic_load_n(
			&node->child[__builtin_ctzll(bits)], __ATOMIC_RELAXED);
		if (node_ref_page(ref) - UINT64_C(1) >= page_count - 1)
			return walk_wrong_ref(ref, page_count);
		top[count] = place_make(ref, level - 1, covered);
		prefetch(place_node(pages, top[count++]), covered);
	}
	return count;
}

/* Pushes the children of an inner node that have to be visited. */
INLINE int visit_places(const struct node *pages, uint64_t page_count,
			const struct node *node, struct header_word word,
			bool is_covered, enum relation relation,
			const struct rect *query, struct place *top)
{
	unsigned count = word_count(word);
	int level = word_level(word);
	uint64_t covered;

	if (is_covered)
		return push_places(pages, page_count, node, level,
				   first_bits(~UINT64_C(0), count), true, top);
	uint64_t bits = select_children(node, count, relation, query, &covered);
	int pushed = push_places(pages, page_count, node, level,
				 bits & ~covered, false, top);
	if (!covered || pushed < 0)
		return pushed;
	int more = push_places(pages, page_count, node, level, bits & covered,
			       true, top + pushed);
	return more < 0 ? more : pushed + more;
}

/* As search_for(), checking what it meets. */
INLINE int run_relation(const struct walk_pages *region, node_ref root,
			const struct rect *query, enum relation relation,
			walk_found *found, void *context,
			struct walk_visited *visited)
{
	const struct node *pages = region->first;
	uint64_t page_count = region->count;
	struct place stack[VISITS_MAX];
	uint64_t nodes = 0, leaves = 0;
	size_t depth = 1;
	int error = 0;

	stack[0] = place_of_root(pages, root);
	while (depth && !error) {
		struct place place;
		place.value = stack[--depth].value;
		place.ref = stack[depth].ref;
		const struct node *node = place_node(pages, place);
		struct header_word word = load_header_word(node);
		bool is_covered = place.value & 1;

		nodes++;
		if (__builtin_expect(!place_holds(place, node, word), 0)) {
			error = walk_wrong_node(place.ref, place_level(place),
						&node->header);
		} else if (word_level(word) == 0) {
			leaves++;
			uint64_t hits =
				search_leaf(node, word_count(word), is_covered,
					    relation, query);
			if (hits)
				error = found(context, node, hits);
		} else {
			int pushed = visit_places(pages, page_count, node, word,
						  is_covered, relation, query,
						  stack + depth);
			/* All of them are on pages of their own. */
			if (pushed < 0)
				error = pushed;
			else if (nodes + (depth += (size_t)pushed) > page_count)
				error = walk_endless();
		}
	}
	visited->nodes = nodes;
	visited->leaves = leaves;
	return error;
}

KERNEL_TARGET static int run_walk(const struct walk_pages *pages, node_ref root,
				  const struct rect *query,
				  enum relation relation, walk_found *found,
				  void *context, struct walk_visited *visited)
{
	/* The relation that most ask for has a loop of its own. */
	return relation == RELATION_INTERSECTS
		       ? run_relation(pages, root, query, RELATION_INTERSECTS,
				      found, context, visited)
		       : run_relation(pages, root, query, relation, found,
				      context, visited);
}
