/* SPDX-License-Identifier: BSD-2-Clause */

/* Part of a kernel (see kernel_body.h): searches of pages that nobody but this
 * process writes.
 *
 * Nothing has to be checked there, and so little is left to do that a processor
 * gets on to the next search while it waits for a leaf of this one: some 200
 * instructions each at four levels, of which those that are made today hold
 * 224 to 512 in flight. */

/* A node yet to be visited: its address, and in the lowest bit whether its
 * bounds lie within the query, so that everything below matches. */
struct visit {
	uintptr_t value;
};

INLINE struct visit visit_make(const struct node *node, bool covered)
{
	return (struct visit){(uintptr_t)node | covered};
}

INLINE const struct node *visit_node(struct visit visit)
{
	return (const struct node *)(visit.value & ~(uintptr_t)1);
}

INLINE bool visit_is_covered(struct visit visit)
{
	return visit.value & 1;
}

/* Pushes the children that 'bits' names; returns how many. */
INLINE size_t push_children(const struct node *pages, const struct node *node,
			    uint64_t bits, bool covered, struct visit *top)
{
	size_t count = 0;

	for (; bits; bits &= bits - 1) {
		node_ref ref = node->child[__builtin_ctzll(bits)];
		const struct node *child = &pages[node_ref_page(ref)];
		prefetch(child, covered);
		top[count++] = visit_make(child, covered);
	}
	return count;
}

/* Pushes the children of an inner node that have to be visited; returns how
 * many. */
INLINE size_t visit_inner(const struct node *pages, const struct node *node,
			  unsigned count, bool is_covered,
			  enum relation relation, const struct rect *query,
			  struct visit *top)
{
	if (is_covered)
		return push_children(pages, node,
				     first_bits(~UINT64_C(0), count), true,
				     top);
	uint64_t covered;
	uint64_t bits = select_children(node, count, relation, query, &covered);
	size_t pushed = push_children(pages, node, bits & ~covered, false, top);
	return pushed +
	       push_children(pages, node, bits & covered, true, top + pushed);
}

INLINE int search_for(enum relation relation, const struct node *pages,
		      node_ref root, const struct rect *query,
		      walk_found *found, void *context)
{
	struct visit stack[VISITS_MAX];
	size_t depth = 1;

	stack[0] = visit_make(&pages[node_ref_page(root)], false);
	while (depth) {
		struct visit visit = stack[--depth];
		const struct node *node = visit_node(visit);
		struct header_word word = load_header_word(node);
		if (word_level(word)) {
			depth += visit_inner(pages, node, word_count(word),
					     visit_is_covered(visit), relation,
					     query, stack + depth);
			continue;
		}
		uint64_t hits =
			search_leaf(node, word_count(word),
				    visit_is_covered(visit), relation, query);
		int error = hits ? found(context, node, hits) : 0;
		if (error)
			return error;
	}
	return 0;
}

KERNEL_TARGET static int search(const struct node *pages, node_ref root,
				const struct rect *query,
				enum relation relation, walk_found *found,
				void *context)
{
	/* The relation that most ask for has a loop of its own. */
	return relation == RELATION_INTERSECTS
		       ? search_for(RELATION_INTERSECTS, pages, root, query,
				    found, context)
		       : search_for(relation, pages, root, query, found,
				    context);
}

/* --- Groups of searches --------------------------------------------------- */

struct group_visit {
	struct visit visit;
	size_t query;
};

enum {
	GROUP_SIZE = 32,
	/* With so many nodes on their way into the cache there is enough to
	 * do, and more would drive each other out again. */
	GROUP_AHEAD = 4 * GROUP_SIZE,
	/* Room for what a block pushes then, and for one visit on top of that
	 * to be followed to the leaves. */
	GROUP_VISITS_MAX = GROUP_AHEAD + GROUP_SIZE * NODE_LANES + VISITS_MAX,
};

/* The visits still to be made for a group of searches.  They are made in
 * blocks: each asks for the nodes that it pushes to be fetched while the others
 * of its block compute. */
struct group {
	size_t depth;
	struct group_visit stack[GROUP_VISITS_MAX];
};

/* How many visits to make next: a block, or else one, which is followed to the
 * leaves before the next. */
INLINE size_t block_size(const struct group *group)
{
	if (group->depth > GROUP_AHEAD)
		return 1;
	return group->depth < GROUP_SIZE ? group->depth : GROUP_SIZE;
}

INLINE void group_push(struct group *group, const struct node *pages,
		       const struct node *node, unsigned count, bool covered,
		       enum relation relation, const struct rect *query,
		       size_t index)
{
	struct visit children[NODE_LANES];
	size_t pushed = visit_inner(pages, node, count, covered, relation,
				    query, children);
	struct group_visit *top = group->stack + group->depth;

	for (size_t i = 0; i < pushed; i++)
		top[i] = (struct group_visit){children[i], index};
	group->depth += pushed;
}

INLINE int group_run(struct group *group, enum relation relation,
		     const struct node *pages, const struct rect *queries,
		     walk_group_found *found, void *context)
{
	struct group_visit block[GROUP_SIZE];

	while (group->depth) {
		size_t size = block_size(group);
		group->depth -= size;
		memcpy(block, group->stack + group->depth,
		       size * sizeof(*block));
		for (size_t i = 0; i < size; i++) {
			const struct node *node = visit_node(block[i].visit);
			bool covered = visit_is_covered(block[i].visit);
			const struct rect *query = &queries[block[i].query];
			struct header_word word = load_header_word(node);
			if (word_level(word)) {
				group_push(group, pages, node, word_count(word),
					   covered, relation, query,
					   block[i].query);
				continue;
			}
			uint64_t hits = search_leaf(node, word_count(word),
						    covered, relation, query);
			int error = hits ? found(context, block[i].query, node,
						 hits)
					 : 0;
			if (error)
				return error;
		}
	}
	return 0;
}

KERNEL_TARGET static int search_group(const struct node *pages, node_ref root,
				      const struct rect *queries, size_t count,
				      enum relation relation,
				      walk_group_found *found, void *context)
{
	struct visit first = visit_make(&pages[node_ref_page(root)], false);
	struct group group;
	int error = 0;

	for (size_t base = 0; !error && base < count;) {
		for (group.depth = 0; group.depth < GROUP_SIZE && base < count;
		     base++)
			group.stack[group.depth++] =
				(struct group_visit){first, base};
		error = relation == RELATION_INTERSECTS
				? group_run(&group, RELATION_INTERSECTS, pages,
					    queries, found, context)
				: group_run(&group, relation, pages, queries,
					    found, context);
	}
	return error;
}
