/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef RTREE_KERNEL_X86_H
#define RTREE_KERNEL_X86_H

/* What the kernels for x86-64 share. */

#include <immintrin.h>
#include <string.h>

#include "rtree/grid.h"

#define TARGET_AVX2 "avx2,bmi,bmi2,lzcnt,popcnt"

#define INLINE_X86                                                             \
	__attribute__((target(TARGET_AVX2), always_inline)) static inline

/* grid_box() of two dimensions with all four coordinates at once: min x, min y,
 * max x, max y as integers.  A NaN becomes 0, as there: _mm256_max_pd() gives
 * its second operand then.  Who asks has often just stored the rectangle corner
 * by corner; a load of both at once would wait until these stores, and with
 * them the search before, have left the processor's pipeline. */
INLINE_X86 __m128i grid_box_2d(const struct node_header *header,
			       const struct rect *rect)
{
	__m256d origin = _mm256_broadcast_pd((const void *)header->origin);
	__m256d scale = _mm256_broadcast_pd((const void *)header->scale);
	__m256d cells = _mm256_mul_pd(
		_mm256_sub_pd(_mm256_loadu2_m128d(rect->max, rect->min),
			      origin),
		scale);

	cells = _mm256_max_pd(cells, _mm256_setzero_pd());
	cells = _mm256_min_pd(cells, _mm256_set1_pd(GRID_CELLS - 1));
	return _mm256_cvttpd_epi32(cells);
}

/* The cells of one corner of a rectangle, as integers. */
INLINE_X86 __m128i grid_corner(const struct node_header *header,
			       const double corner[DIMENSIONS])
{
	const __m256i mask = _mm256_setr_epi64x(-1, -1, DIMENSIONS > 2 ? -1 : 0,
						DIMENSIONS > 3 ? -1 : 0);
	__m256d cells = _mm256_mul_pd(
		_mm256_sub_pd(_mm256_maskload_pd(corner, mask),
			      _mm256_maskload_pd(header->origin, mask)),
		_mm256_maskload_pd(header->scale, mask));

	cells = _mm256_max_pd(cells, _mm256_setzero_pd());
	cells = _mm256_min_pd(cells, _mm256_set1_pd(GRID_CELLS - 1));
	return _mm256_cvttpd_epi32(cells);
}

/* The lowest bytes of a corner's cells. */
INLINE_X86 void store_corner(uint8_t to[DIMENSIONS], __m128i cells)
{
	const __m128i lowest = _mm_setr_epi8(0, 4, 8, 12, -1, -1, -1, -1, -1,
					     -1, -1, -1, -1, -1, -1, -1);
	int bytes = _mm_cvtsi128_si32(_mm_shuffle_epi8(cells, lowest));

	memcpy(to, &bytes, DIMENSIONS);
}

/* grid_box() */
INLINE_X86 struct grid_box box_of(const struct node_header *header,
				  const struct rect *rect)
{
	struct grid_box box;

	if (DIMENSIONS == 2) {
		__m128i both = grid_box_2d(header, rect);
		store_corner(box.min, both);
		store_corner(box.max, _mm_srli_si128(both, 8));
	} else {
		store_corner(box.min, grid_corner(header, rect->min));
		store_corner(box.max, grid_corner(header, rect->max));
	}
	return box;
}

INLINE_X86 uint64_t first_bits(uint64_t bits, unsigned count)
{
	return _bzhi_u64(bits, count); /* all of them from 64 on */
}

#endif
