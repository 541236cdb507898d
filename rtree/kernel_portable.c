/* SPDX-License-Identifier: BSD-2-Clause */

/* The kernel for any processor: 8 lanes at a time in a 64-bit word. */

#include "rtree/kernel.h"

#include <string.h>

extern const struct kernel kernel_portable;

#define KERNEL_NAME   kernel_portable
#define KERNEL_STRING "portable"
#define KERNEL_TARGET

typedef uint8_t lane;

struct cells {
	lane min[DIMENSIONS];
	lane max[DIMENSIONS];
};

static inline struct cells cells_of(const struct node_header *header,
				    const struct rect *rect)
{
	struct grid_box box = grid_box(header, rect);
	struct cells cells;

	memcpy(cells.min, box.min, sizeof(cells.min));
	memcpy(cells.max, box.max, sizeof(cells.max));
	return cells;
}

static inline struct grid_box box_of(const struct node_header *header,
				     const struct rect *rect)
{
	return grid_box(header, rect);
}

static inline uint64_t first_bits(uint64_t bits, unsigned count)
{
	return count < 64 ? bits & ((UINT64_C(1) << count) - 1) : bits;
}

static inline uint64_t lanes_at_least(const uint8_t lanes[NODE_LANES],
				      lane cell)
{
	uint64_t bits = 0;

	for (int word = 0; word < NODE_LANES; word += 8) {
		uint8_t bytes[8];
		uint64_t packed = 0;
		for (int i = 0; i < 8; i++)
			bytes[i] = lanes[word + i] >= cell;
		memcpy(&packed, bytes, sizeof(packed));
		/* Gathers the lowest bit of each byte in the top byte. */
		bits |= (packed * UINT64_C(0x0102040810204080) >> 56) << word;
	}
	return bits;
}

static inline uint64_t lanes_at_most(const uint8_t lanes[NODE_LANES], lane cell)
{
	return cell == UINT8_MAX ? ~UINT64_C(0)
				 : ~lanes_at_least(lanes, (uint8_t)(cell + 1));
}

static inline void add_gaps(const uint8_t *min, const uint8_t *max, double low,
			    double high, double unit, double *sums)
{
	for (int i = 0; i < NODE_LANES; i++) {
		double below = min[i] - low, above = high - max[i];
		double gap = below > above ? below : above;
		gap = gap > 0 ? gap * unit : 0;
		sums[i] += gap * gap;
	}
}

static unsigned least_lane(const double values[NODE_LANES], uint64_t among)
{
	unsigned best = (unsigned)__builtin_ctzll(among);

	for (among &= among - 1; among; among &= among - 1) {
		unsigned i = (unsigned)__builtin_ctzll(among);
		best = values[i] < values[best] ? i : best;
	}
	return best;
}

#include "rtree/kernel_body.h"
