/* SPDX-License-Identifier: BSD-2-Clause */

/* Part of a kernel (see kernel_body.h): putting entries on a node's grid. */

KERNEL_TARGET static void set_cells(struct node *node, const struct rect *rect,
				    size_t stride, unsigned count)
{
	const char *from = (const void *)rect;

	for (unsigned i = 0; i < count; i++) {
		const void *at = from + i * stride;
		struct grid_box box = box_of(&node->header, at);
		for (int d = 0; d < DIMENSIONS; d++) {
			node->cell_min[d][i] = box.min[d];
			node->cell_max[d][i] = box.max[d];
		}
	}
}
