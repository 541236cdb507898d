/* SPDX-License-Identifier: BSD-2-Clause */

/* Laying a node's grid, and telling when it no longer suits. */

#include "rtree/grid.h"

#include <math.h>

/* Room beyond the bounds on either side: a sixteenth of their width, but never
 * so little that it drowns in the rounding of the coordinates themselves. */
static double margin(double min, double max)
{
	double relative = fmax(fabs(min), fabs(max)) * 0x1p-50;
	return fmax(fmax((max - min) / 16, relative), 0x1p-1000);
}

static double width_with_margins(double min, double max)
{
	return max - min + 2 * margin(min, max);
}

void grid_lay(struct node *node)
{
	struct node_header *header = &node->header;

	for (int d = 0; d < DIMENSIONS; d++) {
		double min = node->bounds.min[d], max = node->bounds.max[d];
		double width = width_with_margins(min, max);
		/* Bounds wider than the largest double get one cell for all:
		 * every entry is then decided by its exact coordinates. */
		bool finite =
			isfinite(width) && isfinite(min - margin(min, max));
		header->origin[d] = finite ? min - margin(min, max) : 0;
		header->scale[d] = finite ? (GRID_CELLS - 1) / width : 0;
	}
}

static bool suits(double min, double max, double origin, double scale)
{
	double width = width_with_margins(min, max);
	if (scale == 0)
		return !isfinite(width) || !isfinite(min - margin(min, max));
	double low = (min - origin) * scale, high = (max - origin) * scale;
	double slack = scale * width; /* GRID_CELLS - 1 when laid anew */
	return low >= 1 && high < GRID_CELLS - 1 &&
	       slack * 2 > (GRID_CELLS - 1) * 0.99;
}

bool grid_suits(const struct node *node)
{
	const struct node_header *header = &node->header;

	for (int d = 0; d < DIMENSIONS; d++)
		if (!suits(node->bounds.min[d], node->bounds.max[d],
			   header->origin[d], header->scale[d]))
			return false;
	return true;
}
