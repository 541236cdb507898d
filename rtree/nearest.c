/* SPDX-License-Identifier: BSD-2-Clause */

/* The k nearest items: two heaps, one of nodes to visit and one of items. */

#include "rtree/nearest.h"

#include <stdlib.h>

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

static void raise_wanted(struct nearest_wanted *heap, size_t i,
			 const struct nearest_wanted *value)
{
	for (; i > 0; i = (i - 1) / 2) {
		if (value->bound2 >= heap[(i - 1) / 2].bound2)
			break;
		heap[i] = heap[(i - 1) / 2];
	}
	heap[i] = *value;
}

static void sink_wanted(struct nearest_wanted *heap, size_t count,
			const struct nearest_wanted *value)
{
	size_t i = 0;

	for (size_t child; (child = 2 * i + 1) < count; i = child) {
		if (child + 1 < count &&
		    heap[child + 1].bound2 < heap[child].bound2)
			child++;
		if (heap[child].bound2 >= value->bound2)
			break;
		heap[i] = heap[child];
	}
	heap[i] = *value;
}

/* Makes room for 'more' elements; doubles what there is. */
static int reserve(void **array, size_t count, size_t *capacity, size_t more,
		   size_t size)
{
	if (count + more <= *capacity)
		return 0;
	size_t larger = 2 * (count + more);
	void *grown = realloc(*array, larger * size);
	if (!grown)
		return err_set(ERR_NO_MEMORY, "no memory to go on searching");
	*array = grown;
	*capacity = larger;
	return 0;
}

/* --- The search --------------------------------------------------------- */

int nearest_begin(struct nearest *nearest, const double point[DIMENSIONS],
		  uint64_t k, node_ref root, uint64_t page_count)
{
	*nearest = (struct nearest){.k = k, .page_count = page_count};
	for (int d = 0; d < DIMENSIONS; d++)
		nearest->point[d] = point[d];
	if (node_ref_page(root) == 0 || node_ref_page(root) >= page_count)
		return walk_wrong_ref(root, page_count);
	if (k == 0)
		return 0;
	int error =
		reserve((void **)&nearest->wanted, 0, &nearest->wanted_capacity,
			1, sizeof(*nearest->wanted));
	if (error)
		return error;
	nearest->wanted[nearest->wanted_count++] = (struct nearest_wanted){
		.wanted = {.ref = root, .level = WALK_LEVEL_UNKNOWN},
	};
	return 0;
}

/* Nothing farther than this can be an answer. */
static double farthest2(const struct nearest *nearest)
{
	return nearest->found_count < nearest->k ? INFINITY
						 : nearest->found[0].distance2;
}

bool nearest_next(struct nearest *nearest, struct walk_wanted *wanted)
{
	struct nearest_wanted *heap = nearest->wanted;

	if (!nearest->wanted_count || heap[0].bound2 > farthest2(nearest))
		return false;
	*wanted = heap[0].wanted;
	struct nearest_wanted last = heap[--nearest->wanted_count];
	sink_wanted(heap, nearest->wanted_count, &last);
	return true;
}

static int want_children(struct nearest *nearest, const struct node *node,
			 int level, int count, const double *bounds2)
{
	double worst = farthest2(nearest);
	int error = reserve((void **)&nearest->wanted, nearest->wanted_count,
			    &nearest->wanted_capacity, NODE_LANES,
			    sizeof(*nearest->wanted));
	if (error)
		return error;
	for (int i = 0; i < count; i++) {
		if (bounds2[i] > worst)
			continue;
		/* Once: the memory may change under a mapped reader. */
		node_ref ref =
			__atomic_load_n(&node->child[i], __ATOMIC_RELAXED);
		uint64_t page = node_ref_page(ref);
		if (page == 0 || page >= nearest->page_count)
			return walk_wrong_ref(ref, nearest->page_count);
		raise_wanted(nearest->wanted, nearest->wanted_count++,
			     &(struct nearest_wanted){
				     .bound2 = bounds2[i],
				     .wanted = {.ref = ref, .level = level - 1},
			     });
	}
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
	int error =
		reserve((void **)&nearest->found, nearest->found_count,
			&nearest->found_capacity, 1, sizeof(*nearest->found));
	if (error)
		return error;
	raise_neighbour(nearest->found, nearest->found_count++, neighbour);
	return 0;
}

static int add_entries(struct nearest *nearest, const struct node *leaf,
		       int count, const double *bounds2)
{
	int error = 0;

	for (int i = 0; !error && i < count; i++) {
		if (bounds2[i] > farthest2(nearest))
			continue;
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
	double bounds2[NODE_LANES];
	int level;
	int count =
		kernel->measure(node, wanted, nearest->point, bounds2, &level);
	if (count < 0)
		return count;
	if (nearest->nodes++ >= nearest->page_count)
		return walk_endless();
	if (level == 0)
		return add_entries(nearest, node, count, bounds2);
	return want_children(nearest, node, level, count, bounds2);
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
	free(nearest->found);
	free(nearest->wanted);
}
