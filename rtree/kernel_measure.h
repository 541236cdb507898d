/* SPDX-License-Identifier: BSD-2-Clause */

/* Part of a kernel (see kernel_body.h): distances of entries from a point. */

/* A lower bound of how far, squared, each entry's rectangle is from a point, by
 * its cells.  Coordinates and cells are a rounding apart, which 'slack' and
 * 'shrink' more than make up for. */
KERNEL_TARGET static int measure_node(const struct node *node,
				      const struct walk_wanted *wanted,
				      const double *point,
				      double bounds2[NODE_LANES], int *level)
{
	const double slack = 0x1p-20, shrink = 1 - 0x1p-20;
	struct header_word word = load_header_word(node);

	if (!is_wanted(node, word, goal_of(wanted)))
		return walk_wrong_node(wanted->ref, wanted->level,
				       &node->header);
	*level = word_level(word);
	memset(bounds2, 0, NODE_LANES * sizeof(*bounds2));
	for (int d = 0; d < DIMENSIONS; d++) {
		double scale = node->header.scale[d];
		double at = (point[d] - node->header.origin[d]) * scale;
		/* With all in one cell, or a point too many cells away for a
		 * number, nothing is known. */
		if (scale > 0 && isfinite(at))
			add_gaps(node->cell_min[d], node->cell_max[d],
				 at + slack, at - 1 - slack, shrink / scale,
				 bounds2);
	}
	return (int)word_count(word);
}
