/* SPDX-License-Identifier: BSD-2-Clause */

/* Part of a kernel (see kernel_body.h): where to insert. */

INLINE int cell_area(const struct node *node, int i)
{
	int area = 1;

	for (int d = 0; d < DIMENSIONS; d++)
		area *= node->cell_max[d][i] - node->cell_min[d][i] + 1;
	return area;
}

/* Of the entries in 'bits', the one with the smallest area. */
INLINE int smallest(const struct node *node, uint64_t bits)
{
	int best = __builtin_ctzll(bits), least = cell_area(node, best);

	for (bits &= bits - 1; bits; bits &= bits - 1) {
		int i = __builtin_ctzll(bits), area = cell_area(node, i);
		if (area < least) {
			least = area;
			best = i;
		}
	}
	return best;
}

/* By how much each entry's area would grow, and its index below: the least of
 * these names the best. */
INLINE void measure_growth(const struct node *node, const struct grid_box *box,
			   int32_t growth[NODE_LANES])
{
	enum { INDEX_BITS = 6 };
	int32_t area[NODE_LANES], grown[NODE_LANES];

	for (int i = 0; i < NODE_LANES; i++)
		area[i] = grown[i] = 1;
	for (int d = 0; d < DIMENSIONS; d++) {
		int32_t low = box->min[d], high = box->max[d];
		for (int i = 0; i < NODE_LANES; i++) {
			int32_t min = node->cell_min[d][i];
			int32_t max = node->cell_max[d][i];
			area[i] *= max - min + 1;
			min = min < low ? min : low;
			max = max > high ? max : high;
			grown[i] *= max - min + 1;
		}
	}
	for (int i = 0; i < NODE_LANES; i++)
		growth[i] = (grown[i] - area[i]) << INDEX_BITS | i;
}

KERNEL_TARGET static int choose_child(const struct node *node,
				      const struct rect *rect)
{
	const unsigned count = node->header.count;
	struct cells cells = cells_of(&node->header, rect);
	struct comparison c = compare(node, RELATION_CONTAINS, &cells);
	uint64_t holding = first_bits(possible(&c), count);
	int32_t growth[NODE_LANES];

	if (holding)
		return smallest(node, holding);
	struct grid_box box = grid_box(&node->header, rect);
	measure_growth(node, &box, growth);
	int32_t least = growth[0];
	for (unsigned i = 1; i < count; i++)
		least = growth[i] < least ? growth[i] : least;
	return least & (NODE_LANES - 1);
}
