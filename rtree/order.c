/* SPDX-License-Identifier: BSD-2-Clause */

/* Ordering items for bulk loading, by tiles or along the Hilbert curve. */

#include "rtree/order.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/parallel.h"
#include "rtree/node.h"

static uint64_t ceil_div(uint64_t a, uint64_t b)
{
	return (a + b - 1) / b;
}

uint64_t order_parts(int level, uint64_t leaf_count)
{
	uint64_t leaves_per_child = 1;

	for (int i = 1; i < level; i++)
		leaves_per_child *= NODE_CAPACITY;
	return ceil_div(leaf_count, leaves_per_child);
}

/* --- Selection ----------------------------------------------------------- */

static void swap_keys(struct order_key *a, struct order_key *b)
{
	struct order_key t = *a;
	*a = *b;
	*b = t;
}

static float median_of_three(float a, float b, float c)
{
	float low = a < b ? a : b, high = a < b ? b : a;
	float rest = c < high ? c : high;
	return rest > low ? rest : low;
}

/* Quickselect (Hoare's FIND): orders keys[low, high) along axis 'd' just so far
 * that none before 'nth' is greater than any from there on. */
static void select_keys(struct order_key *keys, uint64_t low, uint64_t high,
			uint64_t nth, int d)
{
	while (high - low > 1) {
		float pivot =
			median_of_three(keys[low].centre[d],
					keys[low + (high - low) / 2].centre[d],
					keys[high - 1].centre[d]);
		uint64_t i = low, j = high - 1;
		for (;;) {
			while (keys[i].centre[d] < pivot)
				i++;
			while (keys[j].centre[d] > pivot)
				j--;
			if (i >= j)
				break;
			swap_keys(&keys[i++], &keys[j--]);
		}
		/* Below i none is greater than the pivot, from i on none less.
		 */
		if (i == low)
			i++;
		if (nth < i)
			high = i;
		else
			low = i;
	}
}

/* --- Distribution -------------------------------------------------------- */

enum {
	BUCKETS_MAX = 256,
	/* Keys for each bucket, about, where there are few. */
	BUCKET_KEYS = 8,
};

/* Keys by their place along one axis: counted and moved (as a counting sort
 * does) into buckets of equal width, none of which has a key that is greater
 * than any of the next.  Selection then has little left to do. */
struct buckets {
	int axis;
	unsigned count;
	float min;
	float scale;
	uint64_t begin[BUCKETS_MAX + 1];
};

static unsigned bucket_of(const struct buckets *b, const struct order_key *key)
{
	unsigned i = (unsigned)((key->centre[b->axis] - b->min) * b->scale);

	return i < b->count ? i : b->count - 1;
}

/* False when all keys would be in one. */
static bool lay_buckets(struct buckets *b, const struct order_key *keys,
			uint64_t begin, uint64_t end, int axis)
{
	float min = INFINITY, max = -INFINITY;
	uint64_t count = (end - begin) / BUCKET_KEYS;

	for (uint64_t i = begin; i < end; i++) {
		float c = keys[i].centre[axis];
		min = c < min ? c : min;
		max = c > max ? c : max;
	}
	b->axis = axis;
	b->count = count < BUCKETS_MAX ? (unsigned)count : BUCKETS_MAX;
	b->min = min;
	b->scale = (float)b->count / (max - min);
	return b->count > 1 && isfinite(b->scale) && b->scale > 0;
}

static void distribute(struct buckets *b, struct order_key *keys,
		       struct order_key *spare, uint64_t begin, uint64_t end)
{
	uint64_t next[BUCKETS_MAX] = {0};

	for (uint64_t i = begin; i < end; i++)
		next[bucket_of(b, &keys[i])]++;
	b->begin[0] = begin;
	for (unsigned i = 0; i < b->count; i++) {
		b->begin[i + 1] = b->begin[i] + next[i];
		next[i] = b->begin[i];
	}
	for (uint64_t i = begin; i < end; i++)
		spare[next[bucket_of(b, &keys[i])]++] = keys[i];
	memcpy(keys + begin, spare + begin, (end - begin) * sizeof(*keys));
}

/* --- Tiles --------------------------------------------------------------- */

/* What one thread has to tile: the node of 'level' with these leaves. */
struct tiling {
	struct order_key *keys;
	struct order_key *spare; /* as many */
	const struct order_leaves *leaves;
	int level;
	uint64_t first_leaf;
	uint64_t leaf_count;
	unsigned threads;
};

/* Puts the keys before each cut but the first and the last, which are their
 * ends, apart from those behind it along one axis. */
static void divide(const struct tiling *t, const uint64_t *cuts, uint64_t parts,
		   int axis)
{
	uint64_t begin = cuts[0], end = cuts[parts];
	struct buckets b;

	if (!lay_buckets(&b, t->keys, begin, end, axis)) {
		b.count = 1;
		b.begin[0] = begin;
		b.begin[1] = end;
	} else {
		distribute(&b, t->keys, t->spare, begin, end);
	}
	uint64_t low = begin;
	unsigned bucket = 0;
	for (uint64_t i = 1; i < parts; i++) {
		while (b.begin[bucket + 1] <= cuts[i])
			bucket++;
		low = low > b.begin[bucket] ? low : b.begin[bucket];
		select_keys(t->keys, low, b.begin[bucket + 1], cuts[i], axis);
		low = cuts[i];
	}
}

/* The least number whose 'power'-th power reaches 'n'. */
static uint64_t root_of(uint64_t n, int power)
{
	for (uint64_t root = 1;; root++) {
		uint64_t product = 1;
		for (int i = 0; i < power; i++)
			product *= root;
		if (product >= n)
			return root;
	}
}

/* Makes each part a tile: slices along 'axis', each cut across along the axes
 * left. */
static void tile(const struct tiling *t, const uint64_t *cuts, uint64_t parts,
		 int axis, int axes_left)
{
	uint64_t slices = root_of(parts, axes_left);
	uint64_t slice_cuts[NODE_CAPACITY + 1];

	for (uint64_t i = 0; i <= slices; i++)
		slice_cuts[i] = cuts[i * parts / slices];
	divide(t, slice_cuts, slices, axis);
	for (uint64_t i = 0; axes_left > 1 && i < slices; i++) {
		uint64_t first = i * parts / slices;
		uint64_t last = (i + 1) * parts / slices;
		tile(t, cuts + first, last - first, (axis + 1) % DIMENSIONS,
		     axes_left - 1);
	}
}

/* The axis along which the centres of keys[begin, end) reach furthest. */
static int longest_axis(const struct order_key *keys, uint64_t begin,
			uint64_t end)
{
	float longest = -INFINITY;
	int axis = 0;

	for (int d = 0; d < DIMENSIONS; d++) {
		float min = INFINITY, max = -INFINITY;
		for (uint64_t i = begin; i < end; i++) {
			float c = keys[i].centre[d];
			min = c < min ? c : min;
			max = c > max ? c : max;
		}
		if (max - min > longest) {
			longest = max - min;
			axis = d;
		}
	}
	return axis;
}

static void tile_node(const struct tiling *t);

/* Children [first, last) of a node, to be tiled by one thread or shared. */
struct children {
	const struct tiling *node;
	uint64_t parts;
	uint64_t first;
	uint64_t last;
	unsigned threads;
};

static void tile_children(void *argument)
{
	const struct children *c = argument;
	const struct tiling *node = c->node;

	if (c->threads > 1 && c->last - c->first > 1) {
		struct children low = *c, high = *c;
		low.last = high.first = c->first + (c->last - c->first) / 2;
		low.threads = c->threads / 2;
		high.threads = c->threads - low.threads;
		parallel_both(tile_children, &low, &high);
		return;
	}
	for (uint64_t i = c->first; i < c->last; i++) {
		struct tiling child = *node;
		child.level--;
		child.first_leaf = order_part_begin(
			node->first_leaf, node->leaf_count, c->parts, i);
		child.leaf_count =
			order_part_begin(node->first_leaf, node->leaf_count,
					 c->parts, i + 1) -
			child.first_leaf;
		child.threads = c->threads;
		tile_node(&child);
	}
}

static void tile_node(const struct tiling *t)
{
	if (t->level == 0)
		return;
	uint64_t parts = order_parts(t->level, t->leaf_count);
	uint64_t cuts[NODE_CAPACITY + 1];

	for (uint64_t i = 0; i <= parts; i++)
		cuts[i] = order_leaf_begin(
			t->leaves, order_part_begin(t->first_leaf,
						    t->leaf_count, parts, i));
	tile(t, cuts, parts, longest_axis(t->keys, cuts[0], cuts[parts]),
	     DIMENSIONS);
	if (t->level > 1)
		tile_children(
			&(struct children){t, parts, 0, parts, t->threads});
}

void order_by_tiles(struct order_key *keys, struct order_key *spare,
		    const struct order_leaves *leaves, int root_level,
		    unsigned threads)
{
	tile_node(&(struct tiling){keys, spare, leaves, root_level, 0,
				   leaves->leaf_count, threads});
}

/* --- The Hilbert curve --------------------------------------------------- */

enum {
	CURVE_BITS = 32 / DIMENSIONS, /* for each dimension */
	CURVE_CELLS = 1 << CURVE_BITS,
	DIGIT_BITS = 11,
	DIGITS = 1 << DIGIT_BITS,
	THREADS_MAX = 64,
};

/* Sorting by digits, least significant first (radix sort). */
struct sort {
	struct order_key *from;
	struct order_key *to;
	float min[DIMENSIONS];
	float scale[DIMENSIONS];
	unsigned shift; /* of the digit that is sorted by now */
	/* Of each thread's share: first how many keys have a digit, and then
	 * where the next one goes. */
	uint64_t places[THREADS_MAX][DIGITS];
};

/* In two dimensions, all bits at once: the states of the curve's automaton are
 * composed by a parallel prefix over the bits of 16-bit coordinates
 * ("rawrunprotected", Fast Hilbert curves without lookup tables, 2016; public
 * domain). */
static uint32_t spread_bits(uint32_t x)
{
	x = (x | x << 8) & 0x00ff00ff;
	x = (x | x << 4) & 0x0f0f0f0f;
	x = (x | x << 2) & 0x33333333;
	return (x | x << 1) & 0x55555555;
}

static uint32_t curve_place_2d(uint32_t x, uint32_t y)
{
	uint32_t a = x ^ y, b = 0xffff ^ a, c = 0xffff ^ (x | y);
	uint32_t d = x & (y ^ 0xffff);
	uint32_t e = a | b >> 1, f = a >> 1 ^ a;
	uint32_t g = (c >> 1 ^ (b & d >> 1)) ^ c;
	uint32_t h = ((a & c >> 1) ^ d >> 1) ^ d;

	for (int shift = 2; shift <= 8; shift *= 2) {
		a = e, b = f, c = g, d = h;
		g ^= (a & c >> shift) ^ (b & d >> shift);
		h ^= (b & c >> shift) ^ ((a ^ b) & d >> shift);
		e = (a & a >> shift) ^ (b & b >> shift);
		f = (a & b >> shift) ^ (b & (a ^ b) >> shift);
	}
	uint32_t p = g ^ g >> 1, q = h ^ h >> 1;
	uint32_t low = x ^ y, high = q | (0xffff ^ (low | p));
	return spread_bits(high) << 1 | spread_bits(low);
}

/* In any number of dimensions, bit by bit (Skilling, "Programming the Hilbert
 * curve", AIP Conference Proceedings 707, 2004: AxestoTranspose). */
static uint32_t curve_place_any(uint32_t cell[DIMENSIONS])
{
	const uint32_t top = UINT32_C(1) << (CURVE_BITS - 1);
	uint32_t flip = 0, place = 0;

	for (uint32_t q = top; q > 1; q >>= 1)
		for (int d = 0; d < DIMENSIONS; d++) {
			bool invert = cell[d] & q;
			uint32_t swap = (cell[0] ^ cell[d]) & (q - 1);
			cell[0] ^= invert ? q - 1 : swap;
			cell[d] ^= invert ? 0 : swap;
		}
	for (int d = 1; d < DIMENSIONS; d++)
		cell[d] ^= cell[d - 1];
	for (uint32_t q = top; q > 1; q >>= 1)
		flip ^= cell[DIMENSIONS - 1] & q ? q - 1 : 0;
	for (int bit = CURVE_BITS - 1; bit >= 0; bit--)
		for (int d = 0; d < DIMENSIONS; d++)
			place = place << 1 | ((cell[d] ^ flip) >> bit & 1);
	return place;
}

static uint32_t curve_place(uint32_t cell[DIMENSIONS])
{
	return DIMENSIONS == 2 ? curve_place_2d(cell[0], cell[1])
			       : curve_place_any(cell);
}

static void place_keys(void *context, unsigned i, uint64_t begin, uint64_t end)
{
	struct sort *sort = context;

	(void)i;
	for (uint64_t k = begin; k < end; k++) {
		struct order_key *key = &sort->from[k];
		uint32_t cell[DIMENSIONS];
		for (int d = 0; d < DIMENSIONS; d++) {
			float c = (key->centre[d] - sort->min[d]) *
				  sort->scale[d];
			/* Of centres that are hardly apart the scale is
			 * infinite, and so may this be, or NaN. */
			c = c < CURVE_CELLS - 1 ? c : CURVE_CELLS - 1;
			cell[d] = c > 0 ? (uint32_t)c : 0;
		}
		key->curve = curve_place(cell);
	}
}

static unsigned digit(const struct sort *sort, const struct order_key *key)
{
	return key->curve >> sort->shift & (DIGITS - 1);
}

static void count_digits(void *context, unsigned i, uint64_t begin,
			 uint64_t end)
{
	struct sort *sort = context;

	memset(sort->places[i], 0, sizeof(sort->places[i]));
	for (uint64_t k = begin; k < end; k++)
		sort->places[i][digit(sort, &sort->from[k])]++;
}

static void move_keys(void *context, unsigned i, uint64_t begin, uint64_t end)
{
	struct sort *sort = context;

	for (uint64_t k = begin; k < end; k++) {
		unsigned d = digit(sort, &sort->from[k]);
		sort->to[sort->places[i][d]++] = sort->from[k];
	}
}

/* From how many keys of a digit each share has to where they go: those of lower
 * digits first, and of one digit those of earlier shares. */
static void assign_places(struct sort *sort, unsigned threads)
{
	uint64_t place = 0;

	for (unsigned d = 0; d < DIGITS; d++) {
		for (unsigned i = 0; i < threads; i++) {
			uint64_t count = sort->places[i][d];
			sort->places[i][d] = place;
			place += count;
		}
	}
}

static void measure(struct sort *sort, uint64_t count)
{
	for (int d = 0; d < DIMENSIONS; d++) {
		float min = INFINITY, max = -INFINITY;
		for (uint64_t k = 0; k < count; k++) {
			float c = sort->from[k].centre[d];
			min = c < min ? c : min;
			max = c > max ? c : max;
		}
		sort->min[d] = min;
		float cells = CURVE_CELLS - 1;
		/* Just below, for the rounding of the greatest. */
		sort->scale[d] =
			max > min ? cells * 0.999999f / (max - min) : 0;
	}
}

/* Where the digits begin that have to be sorted by: the highest ones, which
 * tell a few times as many places apart as there are keys. */
static unsigned lowest_digit(uint64_t count)
{
	unsigned bits = 2;

	while (bits < 32 && count >> (bits - 2))
		bits++;
	unsigned digits = (bits + DIGIT_BITS - 1) / DIGIT_BITS;
	return digits * DIGIT_BITS < 32 ? 32 - digits * DIGIT_BITS : 0;
}

struct order_key *order_by_curve(struct order_key *keys,
				 struct order_key *spare, uint64_t count,
				 unsigned threads)
{
	struct sort *sort = malloc(sizeof(*sort));
	if (!sort)
		return NULL;
	threads = threads < THREADS_MAX ? threads : THREADS_MAX;
	sort->from = keys;
	sort->to = spare;
	measure(sort, count);
	parallel_shares(place_keys, sort, count, threads);
	for (sort->shift = lowest_digit(count); sort->shift < 32;
	     sort->shift += DIGIT_BITS) {
		parallel_shares(count_digits, sort, count, threads);
		assign_places(sort, threads);
		parallel_shares(move_keys, sort, count, threads);
		struct order_key *sorted = sort->to;
		sort->to = sort->from;
		sort->from = sorted;
	}
	struct order_key *sorted = sort->from;
	free(sort);
	return sorted;
}
