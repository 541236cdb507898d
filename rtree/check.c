/* SPDX-License-Identifier: BSD-2-Clause */

/* Verifying a tree, node by node.  The numbers are those of the invariants in
 * rtree/README.md. */

#include "rtree/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "rtree/batch.h"
#include "rtree/grid.h"

struct check {
	const struct node *pages;
	uint64_t page_count;
	uint64_t version;
	uint8_t *seen; /* a bit for each page */
	uint64_t nodes;
	uint64_t items;
};

__attribute__((format(printf, 3, 4))) static int
broken(int invariant, const struct node *node, const char *format, ...)
{
	char what[256];
	va_list args;

	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	return err_set(ERR_DAMAGED,
		       "invariant %d: node on page %u, level %u: %s", invariant,
		       node->header.page, node->header.level, what);
}

static const struct node *node_at(const struct check *check, node_ref ref)
{
	return &check->pages[node_ref_page(ref)];
}

/* Invariants 1 to 3: the ref is of a page that nothing else names. */
static int check_ref(struct check *check, node_ref ref)
{
	uint64_t page = node_ref_page(ref);

	if (page == 0 || page >= check->page_count)
		return err_set(ERR_DAMAGED,
			       "invariant 1: a node names page %llu of %llu",
			       (unsigned long long)page,
			       (unsigned long long)check->page_count);
	const struct node *node = node_at(check, ref);
	if (check->seen[page / 8] & 1 << page % 8)
		return broken(2, node, "page %llu is named twice",
			      (unsigned long long)page);
	check->seen[page / 8] |= (uint8_t)(1 << page % 8);
	if (node->header.kind != NODE_KIND || node->header.page != page ||
	    node_birth_kept(node->header.birth) != node_ref_birth(ref) ||
	    node->header.birth > check->version)
		return broken(3, node, "page %llu, birth %u was named",
			      (unsigned long long)page, node_ref_birth(ref));
	return 0;
}

/* Invariants 4 and 5: level and number of entries. */
static int check_shape(const struct node *node, int level, bool is_root)
{
	int least = is_root ? (level ? 2 : 0) : NODE_MIN;
	int count = node->header.count;

	if (node->header.level != level || level > NODE_LEVEL_MAX)
		return broken(4, node, "level %d was expected", level);
	if (count < least || count > NODE_CAPACITY)
		return broken(5, node, "%d entries, not %d to %d", count, least,
			      NODE_CAPACITY);
	return 0;
}

/* Invariants 6 and 7: the entry is a valid rectangle, and its cells are those
 * of its exact coordinates. */
static int check_entry(const struct node *node, int i, const struct rect *rect)
{
	struct grid_box box = grid_box(&node->header, rect);

	if (!rect_valid(rect))
		return broken(6, node, "entry %d is no valid rectangle", i);
	for (int d = 0; d < DIMENSIONS; d++)
		if (node->cell_min[d][i] != box.min[d] ||
		    node->cell_max[d][i] != box.max[d])
			return broken(7, node, "entry %d is not on its cell",
				      i);
	return 0;
}

/* Invariants 8 and 9: bounds are exact, and the grid suits them if there are
 * any. */
static int check_bounds(const struct node *node, const struct rect *bounds)
{
	if (!rect_equal(bounds, &node->bounds))
		return broken(8, node,
			      "its bounds are not those of its "
			      "entries");
	if (node->header.count && !grid_suits(node))
		return broken(9, node, "its grid doesn't suit its bounds");
	return 0;
}

static int check_node(struct check *check, node_ref ref, int level,
		      bool is_root)
{
	const struct node *node = node_at(check, ref);
	struct rect bounds = rect_empty();
	int error = check_shape(node, level, is_root);

	check->nodes++;
	if (level == 0)
		check->items += node->header.count;
	for (int i = 0; !error && i < node->header.count; i++) {
		const struct rect *rect = &node->rect[i];
		if (level > 0) {
			error = check_ref(check, node->child[i]);
			if (!error)
				error = check_node(check, node->child[i],
						   level - 1, false);
			if (error)
				break;
			rect = &node_at(check, node->child[i])->bounds;
		}
		rect_extend(&bounds, rect);
		error = check_entry(node, i, rect);
	}
	return error ? error : check_bounds(node, &bounds);
}

int check_tree(const struct node *pages, uint64_t page_count, node_ref root,
	       uint64_t version, uint64_t *nodes, uint64_t *items)
{
	struct check check = {
		.pages = pages,
		.page_count = page_count,
		.version = version,
		.seen = calloc(page_count / 8 + 1, 1),
	};
	if (!check.seen)
		return err_set(ERR_NO_MEMORY, "no memory to check a tree");
	int error = check_ref(&check, root);
	if (!error)
		error = check_node(&check, root,
				   node_at(&check, root)->header.level, true);
	free(check.seen);
	if (!error) {
		*nodes = check.nodes;
		*items = check.items;
	}
	return error;
}

int rtree_check(struct rtree *tree, uint64_t *nodes, uint64_t *version)
{
	struct rtree_pin pin;
	uint64_t items;
	int error = rtree_pin(tree, &pin);
	if (error)
		return error;
	*version = pin.root.version;
	error = check_tree(tree->region.pages, tree->region.page_count,
			   pin.root.ref, pin.root.version, nodes, &items);
	rtree_unpin(tree, &pin);
	return error;
}
