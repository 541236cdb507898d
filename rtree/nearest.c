/* SPDX-License-Identifier: BSD-2-Clause */

/* The k nearest items: a heap of those found, and a heap of the inner nodes
 * that have children left to visit, by the nearest of these.  Children that
 * never come to be visited cost a comparison among 64 and no place in a heap.
 */

#include "rtree/nearest.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "rtree/kernel.h"

/* --- Heaps -------------------------------------------------------------- */

static bool is_farther(const struct neighbour *a, const struct neighbour *b)
{
	return a->distance2 > b->distance2 ||
	       (a->distance2 == b->distance2 && a->item.id > b->item.id);
}

/* Moves 'value' up from the free place 'i' until nothing above is nearer. */
static void raise_neighbour(struct neighbour *heap, size_t i,
			    const struct neighbour *value)
{
	for (; i > 0; i = (i - 1) / 2) {
		if (!is_farther(value, &heap[(i - 1) / 2]))
			break;
		heap[i] = heap[(i - 1) / 2];
	}
	heap[i] = *value;
}

/* Moves 'value' down from the free place on top. */
static void sink_neighbour(struct neighbour *heap, size_t count,
			   const struct neighbour *value)
{
	size_t i = 0;

	for (size_t child; (child = 2 * i + 1) < count; i = child) {
		if (child + 1 < count &&
		    is_farther(&heap[child + 1], &heap[child]))
			child++;
		if (!is_farther(&heap[child], value))
			break;
		heap[i] = heap[child];
	}
	heap[i] = *value;
}

static void raise_next(struct nearest_next *heap, size_t i,
		       struct nearest_next value)
{
	for (; i > 0; i = (i - 1) / 2) {
		if (value.bound2 >= heap[(i - 1) / 2].bound2)
			break;
		heap[i] = heap[(i - 1) / 2];
	}
	heap[i] = value;
}

static void sink_next(struct nearest_next *heap, size_t count,
		      struct nearest_next value)
{
	size_t i = 0;

	for (size_t child; (child = 2 * i + 1) < count; i = child) {
		if (child + 1 < count &&
		    heap[child + 1].bound2 < heap[child].bound2)
			child++;
		if (heap[child].bound2 >= value.bound2)
			break;
		heap[i] = heap[child];
	}
	heap[i] = value;
}

/* Makes room for one more element; doubles what there is, which at first is
 * 'within' the search itself. */
static int reserve(void **array, const void *within, size_t count,
		   size_t *capacity, size_t size)
{
	if (count < *capacity)
		return 0;
	bool is_inline = *array == within;
	void *grown = realloc(is_inline ? NULL : *array, 2 * count * size);
	if (!grown)
		return err_set(ERR_NO_MEMORY, "no memory to go on searching");
	if (is_inline)
		memcpy(grown, within, count * size);
	*array = grown;
	*capacity = 2 * count;
	return 0;
}

/* --- The search --------------------------------------------------------- */

int nearest_begin(struct nearest *nearest, const double point[DIMENSIONS],
		  uint64_t k, node_ref root, uint64_t page_count)
{
	if (node_ref_page(root) == 0 || node_ref_page(root) >= page_count)
		return walk_wrong_ref(root, page_count);
	memcpy(nearest->point, point, sizeof(nearest->point));
	nearest->k = k;
	nearest->page_count = page_count;
	nearest->nodes = 0;
	nearest->pages = NULL;
	nearest->found = nearest->inline_found;
	nearest->found_count = nearest->sorted = 0;
	nearest->found_capacity = NEAREST_FOUND_INLINE;
	nearest->inner = nearest->inline_inner;
	nearest->queue = nearest->inline_queue;
	nearest->inner_capacity = nearest->queue_capacity = NEAREST_INLINE;

	/* What wants the root is like a node with no other child. */
	struct nearest_node *above = &nearest->inner[0];
	above->bounds2[0] = 0;
	above->child[0] = root;
	above->remaining = 1;
	above->level = WALK_LEVEL_UNKNOWN;
	nearest->queue[0] = (struct nearest_next){0};
	nearest->inner_count = 1;
	nearest->queue_count = k > 0;
	return 0;
}

/* Nothing farther than this can be an answer. */
static double farthest2(const struct nearest *nearest)
{
	return nearest->found_count < nearest->k ? INFINITY
						 : nearest->found[0].distance2;
}

/* The nearest child that remains of inner node 'i'. */
static struct nearest_next next_of(const struct nearest *nearest, uint32_t i)
{
	const struct nearest_node *node = &nearest->inner[i];
	unsigned child = kernel->least(node->bounds2, node->remaining);

	if (nearest->pages)
		node_prefetch(nearest->pages +
			      node_ref_page(node->child[child]));
	return (struct nearest_next){node->bounds2[child], i, child};
}

bool nearest_next(struct nearest *nearest, struct walk_wanted *wanted)
{
	struct nearest_next next = nearest->queue[0];
	size_t rest = nearest->queue_count - 1;

	if (!nearest->queue_count || next.bound2 > farthest2(nearest))
		return false;
	struct nearest_node *node = &nearest->inner[next.node];
	*wanted = (struct walk_wanted){
		.ref = node->child[next.child],
		.level = node->level,
	};
	node->remaining &= ~(UINT64_C(1) << next.child);
	if (node->remaining) {
		sink_next(nearest->queue, nearest->queue_count,
			  next_of(nearest, next.node));
	} else {
		nearest->queue_count = rest;
		sink_next(nearest->queue, rest, nearest->queue[rest]);
	}
	return true;
}

/* Takes the children of an inner node that can have answers. */
static int want_children(struct nearest *nearest, const struct node *from,
			 int level, int count)
{
	struct nearest_node *node = &nearest->inner[nearest->inner_count];
	double worst = farthest2(nearest);

	node->remaining = 0;
	node->level = level - 1;
	for (int i = 0; i < count; i++) {
		/* Once: the memory may change under a mapped reader. */
		node_ref ref =
			__atomic_load_n(&from->child[i], __ATOMIC_RELAXED);
		uint64_t page = node_ref_page(ref);
		if (page - 1 >= nearest->page_count - 1)
			return walk_wrong_ref(ref, nearest->page_count);
		node->child[i] = ref;
		node->remaining |= (uint64_t)(node->bounds2[i] <= worst) << i;
	}
	if (node->remaining)
		raise_next(nearest->queue, nearest->queue_count++,
			   next_of(nearest, (uint32_t)nearest->inner_count++));
	return 0;
}

static double distance2(const struct rect *rect, const double *point)
{
	double sum = 0;

	for (int d = 0; d < DIMENSIONS; d++) {
		double below = rect->min[d] - point[d];
		double above = point[d] - rect->max[d];
		double side = below > above ? below : above;
		sum += side > 0 ? side * side : 0;
	}
	return sum;
}

static int add(struct nearest *nearest, const struct neighbour *neighbour)
{
	if (nearest->found_count == nearest->k) {
		if (is_farther(&nearest->found[0], neighbour))
			sink_neighbour(nearest->found, nearest->found_count,
				       neighbour);
		return 0;
	}
	int error = reserve((void **)&nearest->found, nearest->inline_found,
			    nearest->found_count, &nearest->found_capacity,
			    sizeof(*nearest->found));
	if (error)
		return error;
	raise_neighbour(nearest->found, nearest->found_count++, neighbour);
	return 0;
}

/* Entries in the order of their bounds, so that most are ruled out by the few
 * that come first. */
static int add_entries(struct nearest *nearest, const struct node *leaf,
		       int count, const double *bounds2)
{
	uint64_t remaining =
		count < 64 ? (UINT64_C(1) << count) - 1 : ~UINT64_C(0);
	int error = 0;

	while (!error && remaining) {
		unsigned i = kernel->least(bounds2, remaining);
		if (bounds2[i] > farthest2(nearest))
			break;
		remaining &= ~(UINT64_C(1) << i);
		struct neighbour neighbour = {
			.item = {.id = leaf->id[i], .rect = leaf->rect[i]},
		};
		neighbour.distance2 =
			distance2(&neighbour.item.rect, nearest->point);
		error = add(nearest, &neighbour);
	}
	return error;
}

int nearest_feed(struct nearest *nearest, const struct walk_wanted *wanted,
		 const struct node *node)
{
	int error = reserve((void **)&nearest->inner, nearest->inline_inner,
			    nearest->inner_count, &nearest->inner_capacity,
			    sizeof(*nearest->inner));
	if (!error)
		error = reserve((void **)&nearest->queue, nearest->inline_queue,
				nearest->queue_count, &nearest->queue_capacity,
				sizeof(*nearest->queue));
	if (error)
		return error;
	double *bounds2 = nearest->inner[nearest->inner_count].bounds2;
	int level;
	int count =
		kernel->measure(node, wanted, nearest->point, bounds2, &level);
	if (count < 0)
		return count;
	if (nearest->nodes++ >= nearest->page_count)
		return walk_endless();
	if (level == 0)
		return add_entries(nearest, node, count, bounds2);
	return want_children(nearest, node, level, count);
}

uint64_t nearest_filter(const struct nearest *nearest,
			const struct walk_wanted *wanted,
			const struct node *filter)
{
	double worst = farthest2(nearest), bounds2[NODE_LANES];
	uint64_t possible = 0;
	int level;
	int count = kernel->measure(filter, wanted, nearest->point, bounds2,
				    &level);

	for (int i = 0; i < count; i++)
		possible |= (uint64_t)(bounds2[i] <= worst) << i;
	return possible;
}

void nearest_sort(struct nearest *nearest)
{
	nearest_sort_some(nearest, nearest->found_count);
}

bool nearest_sort_some(struct nearest *nearest, size_t count)
{
	struct neighbour *found = nearest->found;

	for (; count && nearest->sorted < nearest->found_count; count--) {
		size_t end = nearest->found_count - ++nearest->sorted;
		struct neighbour last = found[end];
		struct neighbour farthest = found[0];
		sink_neighbour(found, end, &last);
		found[end] = farthest;
	}
	return nearest->sorted == nearest->found_count;
}

void nearest_end(struct nearest *nearest)
{
	if (nearest->found != nearest->inline_found)
		free(nearest->found);
	if (nearest->inner != nearest->inline_inner)
		free(nearest->inner);
	if (nearest->queue != nearest->inline_queue)
		free(nearest->queue);
}
