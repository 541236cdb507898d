/* SPDX-License-Identifier: BSD-2-Clause */

/* Dividing the entries of a node in two. */

#include "rtree/split.h"

#include <math.h>
#include <string.h>

enum {
	ENTRIES_MAX = 2 * NODE_CAPACITY,
	INDEX_BITS = 7,
};

static_assert(ENTRIES_MAX <= 1 << INDEX_BITS, "an index fits its bits");

/* Entries in the order of their centres along one axis. */
struct ordering {
	const struct entry *entry[ENTRIES_MAX];
	/* Bounds of the first i + 1, and of those from i on. */
	struct rect up_to[ENTRIES_MAX];
	struct rect from[ENTRIES_MAX];
};

/* How good a division is, and where: the first 'first' entries against the
 * rest. */
struct division {
	double overlap;
	double area;
	int first;
};

/* --- Sorting ------------------------------------------------------------- */

/* The bits of a double, ordered as the doubles are. */
static uint64_t ordered_bits(double value)
{
	uint64_t bits;

	memcpy(&bits, &value, sizeof(bits));
	return bits >> 63 ? ~bits : bits | UINT64_C(1) << 63;
}

/* Merges two sorted runs; which of them the next key is from is not branched
 * on, since it could not be predicted. */
static void merge(const uint64_t *a, const uint64_t *a_end, const uint64_t *b,
		  const uint64_t *b_end, uint64_t *to)
{
	while (a < a_end && b < b_end) {
		bool from_b = *b < *a;
		*to++ = from_b ? *b : *a;
		b += from_b;
		a += !from_b;
	}
	while (a < a_end)
		*to++ = *a++;
	while (b < b_end)
		*to++ = *b++;
}

/* Sorts 'count' keys, using 'spare'; returns which array has them. */
static const uint64_t *merge_sort(uint64_t *keys, uint64_t *spare, int count)
{
	for (int run = 1; run < count; run *= 2) {
		for (int i = 0; i < count; i += 2 * run) {
			int middle = i + run < count ? i + run : count;
			int end = i + 2 * run < count ? i + 2 * run : count;
			merge(keys + i, keys + middle, keys + middle,
			      keys + end, spare + i);
		}
		uint64_t *merged = spare;
		spare = keys;
		keys = merged;
	}
	return keys;
}

/* The last bits of a centre give way to the entry's index. */
static void sort_by_centre(const struct entry *entries, int count, int d,
			   struct ordering *ordering)
{
	const uint64_t index_mask = (UINT64_C(1) << INDEX_BITS) - 1;
	uint64_t keys[ENTRIES_MAX], spare[ENTRIES_MAX];

	for (int i = 0; i < count; i++) {
		const struct rect *r = &entries[i].rect;
		double centre = r->min[d] / 2 + r->max[d] / 2;
		keys[i] = (ordered_bits(centre) & ~index_mask) | (uint64_t)i;
	}
	const uint64_t *sorted = merge_sort(keys, spare, count);
	for (int i = 0; i < count; i++)
		ordering->entry[i] = &entries[sorted[i] & index_mask];
}

static void sweep(struct ordering *o, int count)
{
	o->up_to[0] = o->entry[0]->rect;
	for (int i = 1; i < count; i++) {
		o->up_to[i] = o->up_to[i - 1];
		rect_extend(&o->up_to[i], &o->entry[i]->rect);
	}
	o->from[count - 1] = o->entry[count - 1]->rect;
	for (int i = count - 1; i-- > 0;) {
		o->from[i] = o->from[i + 1];
		rect_extend(&o->from[i], &o->entry[i]->rect);
	}
}

/* --- Dividing ------------------------------------------------------------ */

/* Entries that either group has at least. */
static int group_min(int count)
{
	int least = count - NODE_CAPACITY;
	return least < NODE_MIN ? NODE_MIN : least;
}

static double margin_sum(const struct ordering *o, int count)
{
	double sum = 0;
	for (int i = group_min(count); i <= count - group_min(count); i++)
		sum += rect_margin(&o->up_to[i - 1]) + rect_margin(&o->from[i]);
	return sum;
}

static bool better(const struct division *a, const struct division *b)
{
	return a->overlap < b->overlap ||
	       (a->overlap == b->overlap && a->area < b->area);
}

static int best_division(const struct ordering *o, int count)
{
	struct division best = {INFINITY, INFINITY, count / 2};

	for (int i = group_min(count); i <= count - group_min(count); i++) {
		const struct rect *a = &o->up_to[i - 1], *b = &o->from[i];
		struct division d = {rect_overlap(a, b),
				     rect_area(a) + rect_area(b), i};
		if (better(&d, &best))
			best = d;
	}
	return best.first;
}

int split_entries(const struct entry *entries, int count, struct entry *ordered)
{
	struct ordering orderings[2], *best = NULL;
	double least = 0;

	for (int d = 0; d < DIMENSIONS; d++) {
		struct ordering *o = &orderings[best == &orderings[0]];
		sort_by_centre(entries, count, d, o);
		sweep(o, count);
		double margins = margin_sum(o, count);
		if (!best || margins < least) {
			least = margins;
			best = o;
		}
	}
	for (int i = 0; i < count; i++)
		ordered[i] = *best->entry[i];
	return best_division(best, count);
}
