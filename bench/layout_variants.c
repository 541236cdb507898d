/* SPDX-License-Identifier: BSD-2-Clause */

/* The layouts that bench/layouts compares, made from one body, and what they
 * share. */

#include "bench/layout.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/err.h"
#include "bench/lanes.h"

uint64_t layout_take(struct layout_tree *tree, size_t size)
{
	uint64_t where = tree->size;

	tree->size += (size + 63) / 64 * 64;
	assert(tree->size <= tree->capacity);
	return where;
}

static double margin(double min, double max)
{
	double relative = fmax(fabs(min), fabs(max)) * 0x1p-50;
	return fmax(fmax((max - min) / 16, relative), 0x1p-1000);
}

void layout_lay_grid(struct layout_header *header, const struct rect *bounds,
		     int cells)
{
	for (int d = 0; d < DIMENSIONS; d++) {
		double min = bounds->min[d], max = bounds->max[d];
		double spare = margin(min, max);
		header->origin[d] = min - spare;
		header->scale[d] = (cells - 1) / (max - min + 2 * spare);
	}
}

int layout_reserve(struct layout_frontier *frontier, size_t more)
{
	if (frontier->count + more <= frontier->capacity)
		return 0;
	size_t capacity = 2 * (frontier->count + more);
	struct layout_wanted *wanted =
		realloc(frontier->wanted, capacity * sizeof(*wanted));
	if (!wanted)
		return err_set(ERR_NO_MEMORY, "no memory to go on searching");
	frontier->wanted = wanted;
	frontier->capacity = capacity;
	return 0;
}

#define LAYOUT_NAME   u8_16
#define LAYOUT_CELL   u8
#define LAYOUT_FANOUT 16
#define LAYOUT_PAGES  1
#define LAYOUT_BOXES  BOXES_IN_CHILD
#include "bench/layout_body.h"

#define LAYOUT_NAME   u8_32
#define LAYOUT_CELL   u8
#define LAYOUT_FANOUT 32
#define LAYOUT_PAGES  1
#define LAYOUT_BOXES  BOXES_IN_CHILD
#include "bench/layout_body.h"

#define LAYOUT_NAME   u8_64
#define LAYOUT_CELL   u8
#define LAYOUT_FANOUT 64
#define LAYOUT_PAGES  1
#define LAYOUT_BOXES  BOXES_IN_CHILD
#include "bench/layout_body.h"

#define LAYOUT_NAME   u8_128
#define LAYOUT_CELL   u8
#define LAYOUT_FANOUT 128
#define LAYOUT_PAGES  1
#define LAYOUT_BOXES  BOXES_IN_CHILD
#include "bench/layout_body.h"

#define LAYOUT_NAME   u16_32
#define LAYOUT_CELL   u16
#define LAYOUT_FANOUT 32
#define LAYOUT_PAGES  1
#define LAYOUT_BOXES  BOXES_IN_CHILD
#include "bench/layout_body.h"

#define LAYOUT_NAME   u16_64
#define LAYOUT_CELL   u16
#define LAYOUT_FANOUT 64
#define LAYOUT_PAGES  1
#define LAYOUT_BOXES  BOXES_IN_CHILD
#include "bench/layout_body.h"

#define LAYOUT_NAME   u16_128
#define LAYOUT_CELL   u16
#define LAYOUT_FANOUT 128
#define LAYOUT_PAGES  1
#define LAYOUT_BOXES  BOXES_IN_CHILD
#include "bench/layout_body.h"

#define LAYOUT_NAME   f32_16
#define LAYOUT_CELL   f32
#define LAYOUT_FANOUT 16
#define LAYOUT_PAGES  1
#define LAYOUT_BOXES  BOXES_NONE
#include "bench/layout_body.h"

#define LAYOUT_NAME   f32_32
#define LAYOUT_CELL   f32
#define LAYOUT_FANOUT 32
#define LAYOUT_PAGES  1
#define LAYOUT_BOXES  BOXES_NONE
#include "bench/layout_body.h"

#define LAYOUT_NAME   f32_64
#define LAYOUT_CELL   f32
#define LAYOUT_FANOUT 64
#define LAYOUT_PAGES  1
#define LAYOUT_BOXES  BOXES_NONE
#include "bench/layout_body.h"

#define LAYOUT_NAME   f64_16
#define LAYOUT_CELL   f64
#define LAYOUT_FANOUT 16
#define LAYOUT_PAGES  1
#define LAYOUT_BOXES  BOXES_NONE
#include "bench/layout_body.h"

#define LAYOUT_NAME   f64_32
#define LAYOUT_CELL   f64
#define LAYOUT_FANOUT 32
#define LAYOUT_PAGES  1
#define LAYOUT_BOXES  BOXES_NONE
#include "bench/layout_body.h"

#define LAYOUT_NAME   f64_64
#define LAYOUT_CELL   f64
#define LAYOUT_FANOUT 64
#define LAYOUT_PAGES  1
#define LAYOUT_BOXES  BOXES_NONE
#include "bench/layout_body.h"

#define LAYOUT_NAME   u8_64_two_pages
#define LAYOUT_CELL   u8
#define LAYOUT_FANOUT 64
#define LAYOUT_PAGES  2
#define LAYOUT_BOXES  BOXES_IN_CHILD
#include "bench/layout_body.h"

#define LAYOUT_NAME   u8_64_in_node
#define LAYOUT_CELL   u8
#define LAYOUT_FANOUT 64
#define LAYOUT_PAGES  1
#define LAYOUT_BOXES  BOXES_IN_NODE
#include "bench/layout_body.h"

#define LAYOUT_NAME   u8_64_behind
#define LAYOUT_CELL   u8
#define LAYOUT_FANOUT 64
#define LAYOUT_PAGES  1
#define LAYOUT_BOXES  BOXES_BEHIND
#include "bench/layout_body.h"

const struct layout *const layouts[] = {
	&u8_16_layout,
	&u8_32_layout,
	&u8_64_layout,
	&u8_128_layout,
	&u16_32_layout,
	&u16_64_layout,
	&u16_128_layout,
	&f32_16_layout,
	&f32_32_layout,
	&f32_64_layout,
	&f64_16_layout,
	&f64_32_layout,
	&f64_64_layout,
	&u8_64_two_pages_layout,
	&u8_64_in_node_layout,
	&u8_64_behind_layout,
	NULL,
};
