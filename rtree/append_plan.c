/* SPDX-License-Identifier: BSD-2-Clause */
#include "rtree/append_plan.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/parse.h"
#include "rtree/grid.h"
#include "rtree/kernel.h"
#include "rtree/pack.h"

/* A subtree is packed anew when it holds at most that many times what comes to
 * it.  Half a million items more for a million took the same time with 0, 1, 2
 * and 4; from 4 on the packing of old items is more than what the new ones are
 * worth. */
enum { PACKED_RATIO = 2 };

/* What becomes of a node. */
struct outcome {
	uint64_t nodes; /* that take its place, at its level */
	uint64_t stack; /* nodes that have to be kept meanwhile, at most */
};

/* --- Sharing items out ---------------------------------------------------- */

/* What goes to one child. */
struct share {
	uint64_t count;
	struct rect bounds;
};

/* Copies a node to the scratch one, on a grid on which the items to come can
 * be told apart. */
static void copy_to_scratch(struct append_plan *p, const struct node *node,
			    const struct rect *coming)
{
	struct node *scratch = &p->scratch;

	memcpy(scratch, node, RTREE_INNER_SIZE);
	rect_extend(&scratch->bounds, coming);
	if (grid_suits(scratch))
		return;
	grid_lay(scratch);
	for (int i = 0; i < node->header.count; i++)
		grid_set_entry(scratch, i,
			       &batch_node(p->batch, node->child[i])->bounds);
}

static void widen_cells(struct node *node, int i, const struct rect *rect)
{
	struct grid_box box = grid_box(&node->header, rect);

	for (int d = 0; d < DIMENSIONS; d++) {
		uint8_t *min = &node->cell_min[d][i];
		uint8_t *max = &node->cell_max[d][i];
		*min = box.min[d] < *min ? box.min[d] : *min;
		*max = box.max[d] > *max ? box.max[d] : *max;
	}
}

/* Finds the child for each item.  One that took an item is wider from then on,
 * as after an insertion, so items beyond all of them keep together. */
static void choose_children(struct append_plan *p, const struct append_visit *v,
			    struct share *shares)
{
	enum { AHEAD = 8 };
	const uint32_t *order = p->order + v->first;
	struct node *scratch = &p->scratch;

	for (uint64_t i = 0; i < v->count; i++) {
		if (i + AHEAD < v->count)
			__builtin_prefetch(&p->items[order[i + AHEAD]].rect);
		const struct rect *rect = &p->items[order[i]].rect;
		int child = kernel->choose(scratch, rect);
		widen_cells(scratch, child, rect);
		rect_extend(&shares[child].bounds, rect);
		shares[child].count++;
		p->child[i] = (uint8_t)child;
	}
}

/* Puts the items of each child together (counting sort). */
static void sort_by_child(struct append_plan *p, const struct append_visit *v,
			  const struct share *shares)
{
	uint32_t *order = p->order + v->first;
	uint64_t places[NODE_LANES], place = 0;

	for (int i = 0; i < NODE_LANES; i++) {
		places[i] = place;
		place += shares[i].count;
	}
	memcpy(p->spare, order, v->count * sizeof(*order));
	for (uint64_t i = 0; i < v->count; i++)
		order[places[p->child[i]]++] = p->spare[i];
}

static void share_out(struct append_plan *p, const struct node *node,
		      const struct append_visit *v, const struct rect *coming,
		      struct share shares[NODE_LANES])
{
	for (int i = 0; i < NODE_LANES; i++)
		shares[i] = (struct share){0, rect_empty()};
	copy_to_scratch(p, node, coming);
	choose_children(p, v, shares);
	sort_by_child(p, v, shares);
}

/* --- The plan ------------------------------------------------------------- */

static int plan(struct append_plan *p, struct append_visit visit,
		const struct rect *coming, struct outcome *outcome);

static int add_visit(struct append_plan *p, const struct append_visit *visit)
{
	if (p->visit_count == p->visit_capacity) {
		size_t capacity =
			p->visit_capacity ? 2 * p->visit_capacity : 64;
		struct append_visit *visits =
			realloc(p->visits, capacity * sizeof(*visits));
		if (!visits)
			return err_set(ERR_NO_MEMORY, "no memory for a plan");
		p->visits = visits;
		p->visit_capacity = capacity;
	}
	p->visits[p->visit_count++] = *visit;
	return 0;
}

/* Items below a node; when they are more than 'most', any number that is. */
static uint64_t count_items(const struct append_plan *p,
			    const struct node *node, uint64_t most)
{
	uint64_t sum = 0;

	if (node->header.level == 0)
		return node->header.count;
	for (int i = 0; i < node->header.count && sum <= most; i++)
		sum += count_items(p, batch_node(p->batch, node->child[i]),
				   most - sum);
	return sum;
}

/* Leaves that make a node of this level whose children are enough. */
static uint64_t least_leaves(int level)
{
	uint64_t leaves = level ? NODE_MIN : 1;

	for (int i = 1; i < level; i++)
		leaves *= NODE_CAPACITY;
	return leaves;
}

/* Whether the node is packed anew; 'visit->entries' is then of how many items.
 */
static bool is_packed(const struct append_plan *p, const struct node *node,
		      struct append_visit *visit)
{
	int level = node->header.level;
	bool is_root = visit->ref == p->batch->root;
	uint64_t most = PACKED_RATIO * visit->count;
	uint64_t old = count_items(p, node, most);

	visit->entries = old + visit->count;
	if (level == 0)
		return is_root || visit->entries > NODE_CAPACITY;
	if (old > most || visit->entries > UINT32_MAX)
		return false;
	return is_root ||
	       pack_leaves(visit->entries, p->fill) >= least_leaves(level);
}

/* Notes that so many items or nodes will be packed; returns the nodes that
 * 'height' levels above the leaves these become. */
static uint64_t plan_packing(struct append_plan *p, uint64_t count,
			     uint64_t leaves, int height)
{
	uint64_t tops;

	p->pages += pack_count(leaves, height, &tops);
	if (count > p->packed_most)
		p->packed_most = count;
	return tops;
}

static void plan_subtree(struct append_plan *p, const struct node *node,
			 const struct append_visit *v, struct outcome *outcome)
{
	uint64_t leaves = pack_leaves(v->entries, p->fill);
	bool is_root = v->ref == p->batch->root;
	int height = is_root ? pack_height(leaves) : node->header.level;

	outcome->nodes = plan_packing(p, v->entries, leaves, height);
	outcome->stack = outcome->nodes;
}

/* Shares the items out among the children, and plans what becomes of those. */
static int plan_children(struct append_plan *p, const struct node *node,
			 size_t visit, const struct rect *coming,
			 struct outcome *outcome)
{
	struct share shares[NODE_LANES];
	struct outcome below;
	uint64_t first = p->visits[visit].first;

	share_out(p, node, &p->visits[visit], coming, shares);
	*outcome = (struct outcome){0};
	for (int i = 0; i < node->header.count; i++) {
		uint64_t count = shares[i].count;
		if (!count) {
			outcome->nodes++;
			continue;
		}
		int error = plan(p,
				 (struct append_visit){.ref = node->child[i],
						       .first = first,
						       .count = count},
				 &shares[i].bounds, &below);
		if (error)
			return error;
		first += count;
		if (outcome->stack < outcome->nodes + below.stack)
			outcome->stack = outcome->nodes + below.stack;
		outcome->nodes += below.nodes;
	}
	if (outcome->stack < outcome->nodes)
		outcome->stack = outcome->nodes;
	p->visits[visit].entries = outcome->nodes;
	return 0;
}

static int plan(struct append_plan *p, struct append_visit visit,
		const struct rect *coming, struct outcome *outcome)
{
	const struct node *node = batch_node(p->batch, visit.ref);
	size_t index = p->visit_count;

	visit.is_packed = is_packed(p, node, &visit);
	int error = add_visit(p, &visit);
	if (error)
		return error;
	if (visit.is_packed) {
		plan_subtree(p, node, &visit, outcome);
		return 0;
	}
	if (node->header.level) {
		error = plan_children(p, node, index, coming, outcome);
		if (error)
			return error;
		if (outcome->nodes > NODE_CAPACITY) {
			uint64_t nodes = outcome->nodes;
			outcome->nodes = plan_packing(p, nodes,
						      pack_leaves(nodes, 1), 0);
			return 0;
		}
	} else {
		outcome->stack = 1;
	}
	p->pages++;
	outcome->nodes = 1;
	return 0;
}

/* What stands above the root if it is divided. */
static int plan_above(struct append_plan *p, uint64_t nodes)
{
	if (nodes == 1)
		return 0;
	uint64_t parents = pack_leaves(nodes, 1);
	int height = pack_height(parents);
	plan_packing(p, nodes, parents, height);
	if (batch_root_level(p->batch) + 1 + height <= NODE_LEVEL_MAX)
		return 0;
	return err_set(ERR_NO_ROOM, "the tree is too high to grow");
}

static int bound_items(struct append_plan *p, struct rect *coming)
{
	*coming = rect_empty();
	for (uint64_t i = 0; i < p->count; i++) {
		int error = parse_check_rect(&p->items[i].rect);
		if (error)
			return err_prefix(error, "item %llu",
					  (unsigned long long)i);
		rect_extend(coming, &p->items[i].rect);
		p->order[i] = (uint32_t)i;
	}
	return 0;
}

int append_plan_no_memory(const struct append_plan *p)
{
	return err_set(ERR_NO_MEMORY, "no memory to add %llu items",
		       (unsigned long long)p->count);
}

int append_plan_make(struct append_plan *p)
{
	struct outcome outcome = {0};
	struct rect coming;

	p->order = malloc(p->count * sizeof(*p->order));
	p->spare = malloc(p->count * sizeof(*p->spare));
	p->child = malloc(p->count);
	if (!p->order || !p->spare || !p->child)
		return append_plan_no_memory(p);
	int error = bound_items(p, &coming);
	if (!error)
		error = plan(p,
			     (struct append_visit){.ref = p->batch->root,
						   .count = p->count},
			     &coming, &outcome);
	p->kept_most = outcome.stack;
	return error ? error : plan_above(p, outcome.nodes);
}

void append_plan_fini(struct append_plan *p)
{
	free(p->order);
	free(p->spare);
	free(p->child);
	free(p->visits);
}
