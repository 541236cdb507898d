/* SPDX-License-Identifier: BSD-2-Clause */

/* Walks: where they begin and end, and what can go wrong in them.  What is done
 * with a node is in kernel_walk.h. */

#include "rtree/walk.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "rtree/kernel.h"

enum {
	STACK_INLINE = sizeof(((struct walk *)0)->inline_stack) /
		       sizeof(struct walk_wanted)
};

static bool ref_in_range(node_ref ref, uint64_t page_count)
{
	return node_ref_page(ref) > 0 && node_ref_page(ref) < page_count;
}

int walk_begin(struct walk *walk, const struct rect *query,
	       enum relation relation, node_ref root, uint64_t page_count)
{
	if (!ref_in_range(root, page_count))
		return walk_wrong_ref(root, page_count);
	walk->query = query;
	walk->relation = relation;
	walk->stack = walk->inline_stack;
	walk->depth = 1;
	walk->capacity = STACK_INLINE;
	walk->page_count = page_count;
	walk->nodes = 0;
	walk->leaves = 0;
	walk->pages = NULL;
	walk->stack[0] = (struct walk_wanted){
		.ref = root,
		.level = WALK_LEVEL_UNKNOWN,
	};
	return 0;
}

int walk_feed(struct walk *walk, const struct walk_wanted *wanted,
	      const struct node *node, uint64_t *hits)
{
	return kernel->feed(walk, wanted, node, hits);
}

struct walk_filtered walk_filter(const struct walk *walk,
				 const struct walk_wanted *wanted,
				 const struct node *filter)
{
	unsigned count = filter->header.count;

	if (wanted->covered) {
		uint64_t all = count ? ~UINT64_C(0) >> (64 - count) : 0;
		return (struct walk_filtered){all, all};
	}
	struct selection selection =
		kernel->select(filter, count, walk->relation, walk->query);
	return (struct walk_filtered){selection.possible,
				      selection.possible & selection.certain};
}

void walk_end(struct walk *walk)
{
	if (walk->stack != walk->inline_stack)
		free(walk->stack);
}

int walk_run(const struct walk_pages *pages, node_ref root,
	     const struct rect *query, enum relation relation,
	     walk_found *found, void *context, struct walk_visited *visited)
{
	if (!ref_in_range(root, pages->count)) {
		*visited = (struct walk_visited){0};
		return walk_wrong_ref(root, pages->count);
	}
	return kernel->run(pages, root, query, relation, found, context,
			   visited);
}

int walk_grow(struct walk *walk)
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

int walk_wrong_ref(node_ref ref, uint64_t page_count)
{
	return err_set(ERR_DAMAGED, "a node names page %u of a region of %llu",
		       node_ref_page(ref), (unsigned long long)page_count);
}

int walk_wrong_node(node_ref ref, int level, const struct node_header *header)
{
	return err_set(ERR_DAMAGED,
		       "page %u does not hold the node of level %d born in %u: "
		       "kind %u, page %u, birth %u, level %u, count %u",
		       node_ref_page(ref), level, node_ref_birth(ref),
		       header->kind, header->page, (unsigned)header->birth,
		       header->level, header->count);
}

int walk_endless(void)
{
	return err_set(ERR_DAMAGED,
		       "the tree has more nodes than the region has pages");
}
