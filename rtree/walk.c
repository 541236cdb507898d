/* SPDX-License-Identifier: BSD-2-Clause */

/* The one search: from node to node without knowing where they come from. */

#include "rtree/walk.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "rtree/kernel.h"

enum {
	STACK_INLINE = sizeof(((struct walk *)0)->inline_stack) /
		       sizeof(struct walk_wanted)
};

static int check_ref(const struct walk *walk, node_ref ref)
{
	uint64_t page = node_ref_page(ref);

	if (page == 0 || page >= walk->page_count)
		return err_set(ERR_DAMAGED,
			       "a node names page %llu of a region of %llu",
			       (unsigned long long)page,
			       (unsigned long long)walk->page_count);
	return 0;
}

int walk_begin(struct walk *walk, const struct rect *query,
	       enum relation relation, node_ref root, uint64_t page_count)
{
	walk->query = *query;
	walk->relation = relation;
	walk->stack = walk->inline_stack;
	walk->depth = 0;
	walk->capacity = STACK_INLINE;
	walk->page_count = page_count;
	walk->nodes = 0;
	walk->leaves = 0;
	walk->memory = NULL;

	int error = check_ref(walk, root);
	if (error)
		return error;
	walk->stack[walk->depth++] = (struct walk_wanted){
		.ref = root,
		.level = WALK_LEVEL_UNKNOWN,
	};
	return 0;
}

bool walk_next(struct walk *walk, struct walk_wanted *wanted)
{
	if (!walk->depth)
		return false;
	*wanted = walk->stack[--walk->depth];
	return true;
}

/* Whether 'header' is that of the node that was wanted. */
static int check_header(const struct node_header *header,
			const struct walk_wanted *wanted)
{
	bool level_known = wanted->level != WALK_LEVEL_UNKNOWN;

	if (header->kind == NODE_KIND &&
	    header->page == node_ref_page(wanted->ref) &&
	    (uint32_t)header->birth == node_ref_birth(wanted->ref) &&
	    header->count <= NODE_CAPACITY && header->level <= NODE_LEVEL_MAX &&
	    (!level_known || header->level == wanted->level))
		return 0;
	return err_set(ERR_DAMAGED,
		       "page %u does not hold node %u.%u of level %d: "
		       "kind %u, page %u, birth %u, level %u, count %u",
		       node_ref_page(wanted->ref), node_ref_page(wanted->ref),
		       node_ref_birth(wanted->ref), wanted->level, header->kind,
		       header->page, (unsigned)header->birth, header->level,
		       header->count);
}

static int grow_stack(struct walk *walk)
{
	size_t capacity = walk->capacity * 2;
	bool is_inline = walk->stack == walk->inline_stack;
	struct walk_wanted *stack = realloc(is_inline ? NULL : walk->stack,
					    capacity * sizeof(*stack));
	if (!stack)
		return err_set(ERR_NO_MEMORY, "no memory to go on searching");
	if (is_inline)
		memcpy(stack, walk->inline_stack, sizeof(walk->inline_stack));
	walk->stack = stack;
	walk->capacity = capacity;
	return 0;
}

static void prefetch_node(const struct walk *walk, node_ref ref)
{
	const char *node =
		walk->memory + (uint64_t)node_ref_page(ref) * RTREE_PAGE_SIZE;
	for (size_t line = 0; line < offsetof(struct node, bounds); line += 64)
		__builtin_prefetch(node + line);
}

/* Wants the children that 'selected' has bits for. */
static int want_children(struct walk *walk, const struct node *node, int level,
			 uint64_t selected)
{
	if (walk->depth + NODE_LANES > walk->capacity) {
		int error = grow_stack(walk);
		if (error)
			return error;
	}
	for (; selected; selected &= selected - 1) {
		node_ref ref = node->child[__builtin_ctzll(selected)];
		int error = check_ref(walk, ref);
		if (error)
			return error;
		walk->stack[walk->depth++] = (struct walk_wanted){
			.ref = ref,
			.level = level - 1,
		};
		if (walk->memory)
			prefetch_node(walk, ref);
	}
	return 0;
}

/* Looks at the exact coordinates of the entries that the cells leave open. */
static uint64_t decide(const struct walk *walk, const struct node *leaf,
		       struct selection s)
{
	uint64_t hits = s.certain;

	for (uint64_t open = s.possible & ~s.certain; open; open &= open - 1) {
		int i = __builtin_ctzll(open);
		if (rect_relation_holds(walk->relation, &leaf->rect[i],
					&walk->query))
			hits |= UINT64_C(1) << i;
	}
	return hits;
}

int walk_feed(struct walk *walk, const struct walk_wanted *wanted,
	      const struct node *node, uint64_t *hits)
{
	/* A copy, so that what was checked is what is used. */
	const struct node_header header = node->header;
	int error = check_header(&header, wanted);
	if (error)
		return error;
	if (walk->nodes >= walk->page_count)
		return err_set(ERR_DAMAGED,
			       "the tree has more nodes than the region pages");
	walk->nodes++;

	struct grid_box box = grid_box(&header, &walk->query);
	if (header.level == 0) {
		walk->leaves++;
		*hits = decide(walk, node,
			       kernel_select(node, header.count, walk->relation,
					     &box));
		return 0;
	}
	/* An item within the query lies in a child that intersects it. */
	enum relation relation = walk->relation == RELATION_CONTAINS
					 ? RELATION_CONTAINS
					 : RELATION_INTERSECTS;
	*hits = 0;
	return want_children(
		walk, node, header.level,
		kernel_select(node, header.count, relation, &box).possible);
}

void walk_end(struct walk *walk)
{
	if (walk->stack != walk->inline_stack)
		free(walk->stack);
}
