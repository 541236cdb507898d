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

INLINE int run_relation(struct walk *walk, const struct node *pages,
			enum relation relation, walk_found *found,
			void *context)
{
	struct walk_wanted *stack = walk->stack;
	size_t depth = walk->depth;
	uint64_t nodes = 0, leaves = 0;
	int error = 0;

	while (depth && !error) {
		struct goal goal = goal_of(&stack[--depth]);
		const struct node *node = &pages[node_ref_page(goal.ref)];
		uint64_t hits;
		bool is_leaf;
		int count = step(walk, goal, relation, node, &hits, &is_leaf,
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
		if (nodes + depth > walk->page_count) {
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
				  walk_found *found, void *context)
{
	walk->pages = pages;
	/* The relation that most ask for has a loop of its own. */
	return walk->relation == RELATION_INTERSECTS
		       ? run_relation(walk, pages, RELATION_INTERSECTS, found,
				      context)
		       : run_relation(walk, pages, walk->relation, found,
				      context);
}
